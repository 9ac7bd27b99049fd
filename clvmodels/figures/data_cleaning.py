"""Data cleaning: rows in, minus each reason, rows used; nothing is dropped without a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from clvmodels.results import About, Run

MOST = 40


def table(run: Run) -> pd.DataFrame | None:
    """The account of the cleaning, as the run has it; a run from an RFM table has none."""
    if run.account is None or run.account.empty:
        return None
    return run.account[["step", "reason", "where", "rows", "kind"]].head(MOST)


def heading(table: pd.DataFrame, about: About) -> str:
    return "Rows in and rows used"


def used(table: pd.DataFrame) -> tuple[int, int]:
    """Rows used, and rows read."""
    read = int(rows_of(table, kind="read")["rows"].sum())
    return read - int(rows_of(table, kind="dropped")["rows"].sum()), read


def lead(table: pd.DataFrame, about: About) -> str:
    """The chapter's first sentence."""
    kept, read = used(table)
    dropped = "The dropped rows, each with its reason, are in dropped.csv." if kept < read else "No row was dropped."
    return f"{words.count(kept)} of {words.count(read)} rows were used ({words.share(kept, read)}). {dropped}"


def describe(table: pd.DataFrame, about: About) -> Words:
    changed = int(rows_of(table, kind="changed")["rows"].sum())
    caption = (
        f"{words.counted(changed, 'row')} {'was' if changed == 1 else 'were'} changed and kept: changed is not dropped."
        if changed else "No row was changed."
    )  # fmt: skip
    kept, read = used(table)
    return Words("", caption, f"{words.count(kept)} of {words.count(read)} rows were used.")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    _, read = used(table)
    rows, tones = [], {}
    for place, (_, line) in enumerate(table.iterrows()):
        amount = int(line["rows"])
        shown = {"dropped": words.count(-amount), "changed": f"{words.count(amount)} changed"}.get(
            line.kind, words.count(amount)
        )
        reason = "Rows used" if line.kind == "used" else words.capital(words.label(line.reason, 80))
        where = "" if pd.isna(line["where"]) else words.label(line["where"], 40)
        rows.append((reason, where, shown, words.share(amount, read)))
        if line.kind == "used":
            tones[place] = "total"
    return Numbers(("Step", "Where", "Rows", "Share"), rows, tones)


FIGURE = Figure(
    "data_cleaning",
    "rows read, dropped and changed by reason, used",
    "data",
    "table",
    heading,
    table,
    describe,
    None,
    numbers,
)
