"""Data cleaning: rows in, minus each reason, rows used; nothing is dropped without a reason.

Of one table a row a reason; of several a row a table, its reasons below its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of, typed
from clvmodels.sources.reasons import USED

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

MOST, TABLES, REASONS = 40, 25, 4
LOST = ("orphaned", "dropped", "unusable")
"""Kinds of rows that do not count: of nobody that is known; not as they should be; of no part of the value."""

LOST_TITLES = dict(zip(LOST, ("Orphaned", "Dropped", "Of no part"), strict=True))


class Tables(NamedTuple):
    """What became of the rows that were read."""

    account: pd.DataFrame
    """Rows read, dropped, changed and used, each with its reason; of several tables, by source. `amount`, where it is
    there: the money that no part of the value counts."""
    conflicts: pd.DataFrame
    """What contradicts itself and was not decided, and how often."""
    merged: pd.DataFrame
    """One row: customer ids that were merged into another."""


def table(run: Run) -> Tables | None:
    """The account of the cleaning, as the run has it, and how many conflicts and merged ids there are; a run from an
    RFM table has none."""
    if run.account is None or run.account.empty:
        return None
    columns = ["step", "reason", "where", "rows", "kind", *run.account.columns.intersection(["amount"])]
    if "source" not in run.account or run.account["source"].nunique() < 2:
        return of_account(run.account[columns].head(MOST))
    account = run.account[["source", *columns]]
    if run.company is None:
        return of_account(account)
    counts = run.company.conflicts["what"].value_counts(sort=False)
    conflicts = [{"what": what, "rows": rows} for what, rows in counts.items()]
    return of_account(account, conflicts, len(run.company.merged))


def of_account(account: pd.DataFrame, conflicts: Sequence[Mapping[str, Any]] = (), merged: int = 0) -> Tables:
    """The tables of an account; alone, of data in which nothing contradicts itself and no ids were merged."""
    return Tables(account, typed(conflicts, what=str, rows=int), typed([{"customer_ids": merged}], customer_ids=int))


def _sources(account: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(account["source"].dropna())) if "source" in account else []


def heading(tables: Tables, about: About) -> str:
    return "Rows in and rows used"


def _sum(account: pd.DataFrame, *kinds: str) -> int:
    return int(account.loc[account["kind"].isin(kinds), "rows"].sum())


def used(account: pd.DataFrame) -> tuple[int, int]:
    """Rows used, and rows read."""
    read = _sum(account, "read")
    return read - _sum(account, *LOST), read


def lead(tables: Tables, about: About) -> str:
    """The chapter's first sentence."""
    rows_used, rows_read = used(tables.account)
    table_count = len(_sources(tables.account))
    has_several = table_count > 1
    dropped = "No row was dropped."
    if rows_used < rows_read:
        dropped = f"The {'others' if has_several else 'dropped rows'}, each with its reason, are in dropped.csv."
    of_tables = f" of {table_count} tables" if has_several else ""
    were = words.agreeing(rows_used, "was", "were")
    rows = f"{words.count(rows_used)} of {words.counted(rows_read, 'row')}{of_tables}"
    return f"{rows} {were} used ({words.share(rows_used, rows_read)}). {dropped}"


def describe(tables: Tables, about: About) -> Words:
    changed = _sum(tables.account, "changed")
    rows_used, rows_read = used(tables.account)
    caption = "No row was changed."
    if changed:
        caption = f"{words.counted(changed, 'row was', 'rows were')} changed and kept: changed is not dropped."
    if len(_sources(tables.account)) > 1:
        unusable = ""
        if _sum(tables.account, "unusable"):
            unusable = " + of no part of the value (sound, but too late, of no purchase, or above what was paid)"
        caption = f"In each table, rows in = used + orphaned (of nobody that is known) + dropped{unusable}. {caption}"
        caption += _decided(tables)
    were = words.agreeing(rows_used, "was", "were")
    return Words("", caption, f"{words.count(rows_used)} of {words.counted(rows_read, 'row')} {were} used.")


def _decided(tables: Tables) -> str:
    """What was merged, and what contradicts itself and was not decided."""
    merged, conflicts = row_of(tables.merged).customer_ids, tables.conflicts
    said = ""
    if merged:
        said += f" {words.counted(merged, 'customer id was', 'customer ids were')} merged into another "
        said += "(merged.csv)."
    if len(conflicts):
        told = [f"{words.label(row.what, 80)}: {words.count(row.rows)}" for row in conflicts.itertuples()]
        said += f" Contradictions are listed in conflicts.csv and not decided ({'; '.join(told)})."
    return said


def numbers(tables: Tables, about: About) -> Numbers:
    several = len(_sources(tables.account)) > 1
    return _by_table(tables.account, about) if several else _by_reason(tables.account, about)


def _by_reason(account: pd.DataFrame, about: About) -> Numbers:
    """Rows read, less those that do not count, are those used; of these some may be used for something else."""
    used_rows, read = used(account)
    besides = account["kind"].eq("used") & account["reason"].ne(USED)
    rows: list[tuple[str, ...]] = []
    tones: dict[int, str] = {}
    for line in pd.concat([account[~besides], account[besides]]).itertuples():
        amount, reason = int(line.rows), words.label(line.reason, 80) + _money(line, about)
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


def _money(line: Any, about: About) -> str:
    """The money of an account's row, where it tells one."""
    amount = getattr(line, "amount", None)
    if amount is None or pd.isna(amount):
        return ""
    return f", {words.money(amount, about.currency, max(words.value_step(amount), 1.0))}"


def _by_table(account: pd.DataFrame, about: About) -> Numbers:
    """A row a table; those after the 25th together."""
    kinds = [kind for kind in LOST if kind != "unusable" or _sum(account, kind)]
    sources = _sources(account)
    blocks = [(words.label(source, 40), rows_of(account, source=source)) for source in sources[:TABLES]]
    if later_sources := sources[TABLES:]:
        title = words.counted(len(later_sources), "more table")
        blocks.append((title, account[account["source"].isin(later_sources)]))
    rows = []
    for title, block in blocks:
        rows.append((f"{title}\n{_reasons(block, about)}", *_counts(block, kinds)))
    rows.append(("All tables", *_counts(account, kinds)))
    lost_titles = [LOST_TITLES[kind] for kind in kinds]
    return Numbers(("Table", "Rows in", *lost_titles, "Used"), rows, {len(rows) - 1: "total"})


def _counts(block: pd.DataFrame, kinds: Sequence[str]) -> tuple[str, ...]:
    used_rows, read = used(block)
    lost_cells = [words.count(-_sum(block, kind)) for kind in kinds]
    return (words.count(read), *lost_cells, words.count(used_rows))


def _reasons(block: pd.DataFrame, about: About) -> str:
    """Where a table is, and why rows of it are not used or were changed."""
    places = dict.fromkeys(block["where"].dropna().astype(str))
    clauses = [words.label(", ".join(places), 60)]
    for kind, title in (*LOST_TITLES.items(), ("changed", "Changed and kept")):
        lines = rows_of(block, kind=kind).sort_values("rows", ascending=False, kind="stable")
        most = lines[:REASONS].itertuples()
        reasons = [f"{words.label(line.reason, 80)} ({words.count(line.rows)}{_money(line, about)})" for line in most]
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
    Tables,
)
