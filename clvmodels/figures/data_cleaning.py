"""Data cleaning: rows in, minus each reason, rows used; nothing is dropped without a reason.

Of one table a row a reason; of several a row a table, its reasons below its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of, whole
from clvmodels.sources.reasons import USED

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

MOST, TABLES, REASONS = 40, 25, 4
LOST = ("orphaned", "dropped")
"""Kinds of rows that do not count: of nobody that is known; not as they should be."""


def table(run: Run) -> pd.DataFrame | None:
    """The account of the cleaning, as the run has it, and how many conflicts and merged ids were found; a run from an
    RFM table has none."""
    if run.account is None or run.account.empty:
        return None
    columns = ["step", "reason", "where", "rows", "kind"]
    if "source" not in run.account or run.account["source"].nunique() < 2:
        return run.account[columns].head(MOST)
    account = run.account[["source", *columns]]
    found: list[dict[str, object]] = []
    if run.company is not None:
        counts = run.company.conflicts["what"].value_counts(sort=False)
        found += [{"kind": "conflict", "reason": what, "rows": int(n)} for what, n in counts.items()]
        found += [{"kind": "merged", "rows": len(run.company.merged)}] if len(run.company.merged) else []
    return whole(pd.concat([account, pd.DataFrame(found)], ignore_index=True), "step") if found else account


def _sources(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["source"].dropna())) if "source" in table else []


def heading(table: pd.DataFrame, about: About) -> str:
    return "Rows in and rows used"


def _sum(table: pd.DataFrame, *kinds: str) -> int:
    return int(table.loc[table["kind"].isin(kinds), "rows"].sum())


def used(table: pd.DataFrame) -> tuple[int, int]:
    """Rows used, and rows read."""
    read = _sum(table, "read")
    return read - _sum(table, *LOST), read


def lead(table: pd.DataFrame, about: About) -> str:
    """The chapter's first sentence."""
    kept, read = used(table)
    several = len(_sources(table))
    dropped = "The dropped rows, each with its reason, are in dropped.csv." if kept < read else "No row was dropped."
    if several > 1 and kept < read:
        dropped = "The others, each with its reason, are in dropped.csv."
    of = f" of {several} tables" if several > 1 else ""
    return f"{words.count(kept)} of {words.count(read)} rows{of} were used ({words.share(kept, read)}). {dropped}"


def describe(table: pd.DataFrame, about: About) -> Words:
    changed, kept, read = _sum(table, "changed"), *used(table)
    caption = (
        f"{words.counted(changed, 'row')} {'was' if changed == 1 else 'were'} changed and kept: changed is not dropped."
        if changed
        else "No row was changed."
    )
    if len(_sources(table)) > 1:
        caption = f"In each table, rows in = used + orphaned (of nobody that is known) + dropped. {caption}"
        caption += _decided(table)
    return Words("", caption, f"{words.count(kept)} of {words.count(read)} rows were used.")


def _decided(table: pd.DataFrame) -> str:
    """What was merged, and what contradicts itself and was not decided."""
    merged, conflicts = _sum(table, "merged"), rows_of(table, kind="conflict")
    said = ""
    if merged:
        said += f" {words.counted(merged, 'customer id')} {'was' if merged == 1 else 'were'} merged into another "
        said += "(merged.csv)."
    if len(conflicts):
        told = [f"{words.label(row.reason, 80)}: {words.count(row.rows)}" for row in conflicts.itertuples()]
        said += f" Contradictions are listed in conflicts.csv and not decided ({'; '.join(told)})."
    return said


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    return _by_table(table) if len(_sources(table)) > 1 else _by_reason(table)


def _by_reason(table: pd.DataFrame) -> Numbers:
    """Rows read, less those that do not count, are those used; of these some may be used for something else."""
    used_rows, read = used(table)
    besides = table["kind"].eq("used") & table["reason"].ne(USED)
    rows: list[tuple[str, ...]] = []
    tones: dict[int, str] = {}
    for line in pd.concat([table[~besides], table[besides]]).itertuples():
        amount, reason = int(line.rows), words.label(line.reason, 80)
        title, shown = words.capital(reason), words.count(amount)
        if line.kind == "used" and line.reason == USED:
            tones[len(rows)] = "total"
            amount, title, shown = used_rows, "Rows used", words.count(used_rows)
        elif line.kind == "used":
            title = f"of these: {reason}"
        elif line.kind in LOST:
            shown = words.count(-amount)
        elif line.kind == "changed":
            shown += " changed"
        place = "" if pd.isna(line.where) else words.label(line.where, 40)
        rows.append((title, place, shown, words.share(amount, read)))
    return Numbers(("Step", "Where", "Rows", "Share"), rows, tones)


def _by_table(table: pd.DataFrame) -> Numbers:
    """A row a table; those after the 25th together."""
    sources = _sources(table)
    blocks = [(words.label(name, 40), rows_of(table, source=name)) for name in sources[:TABLES]]
    if rest := sources[TABLES:]:
        blocks.append((words.counted(len(rest), "more table"), table[table["source"].isin(rest)]))
    rows = [(f"{name}\n{_reasons(block)}", *_counts(block)) for name, block in blocks]
    rows.append(("All tables", *_counts(table)))
    return Numbers(("Table", "Rows in", "Orphaned", "Dropped", "Used"), rows, {len(rows) - 1: "total"})


def _counts(block: pd.DataFrame) -> tuple[str, ...]:
    used_rows, read = used(block)
    lost = [_sum(block, kind) for kind in LOST]
    lost_cells = [words.count(-rows) if rows else "0" for rows in lost]
    return (words.count(read), *lost_cells, words.count(used_rows))


def _reasons(block: pd.DataFrame) -> str:
    """Where a table is, and why rows of it are not used or were changed."""
    places = dict.fromkeys(block["where"].dropna().astype(str))
    clauses = [words.label(", ".join(places), 60)]
    for kind, title in (("orphaned", "Orphaned"), ("dropped", "Dropped"), ("changed", "Changed and kept")):
        lines = rows_of(block, kind=kind).sort_values("rows", ascending=False, kind="stable")
        most = lines[:REASONS].itertuples()
        reasons = [f"{words.label(line.reason, 80)} ({words.count(line.rows)})" for line in most]
        if len(lines) > REASONS:
            reasons.append(f"other reasons ({words.count(lines['rows'][REASONS:].sum())})")
        if reasons:
            clauses.append(f"{title}: {'; '.join(reasons)}")
    return ". ".join(clauses)


FIGURE = Figure(
    "data_cleaning",
    "rows read, orphaned, dropped and changed by table and reason, used",
    "data",
    "table",
    heading,
    table,
    describe,
    None,
    numbers,
)
