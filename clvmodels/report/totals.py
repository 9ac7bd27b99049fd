"""Whether the total that is sold may be told: its kind of money was forecast for the holdout, and held there or not.

A total whose check failed is not printed as if it held: what came and what was forecast stand in its place.
"""

from __future__ import annotations

import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases
from clvmodels.figures.figure import Words, rows_of
from clvmodels.report.stored import Stored

GUARDED = ("total_value",)
"""Figures whose caption tells the total."""
NOT_TOLD = "cannot be told"


def sold(stored: Stored) -> pd.Series | None:
    """What came and what was forecast of the kind of money that is sold, the last that is told; None: not stored."""
    table = stored.tables.get("money_total")
    return None if table is None else table.iloc[-1]


def is_broken(stored: Stored) -> bool:
    """Whether what came of it lies outside of its forecast. Where the kinds are not stored, whether any failed."""
    row = sold(stored)
    if row is not None:
        return bool(row.side != "inside")
    checks = stored.tables.get("checks")
    if checks is None:
        return False
    return not rows_of(checks, code="money_total", entry=stored.about.recommended, result="failed").empty


def failed(stored: Stored, code: str) -> pd.Series | None:
    """The row of a check of the recommended entry, where it failed."""
    checks = stored.tables.get("checks")
    if checks is None:
        return None
    rows = rows_of(checks, code=code, entry=stored.about.recommended, result="failed")
    return None if rows.empty else rows.iloc[0]


def named_wrongly(stored: Stored) -> str:
    """How many of those who were forecast best were among the best, and how many were forecast to be; empty where as
    many were."""
    row = failed(stored, "best_named")
    if row is None:
        return ""
    came = f"of {words.count(row.of)} forecast best {words.count(row.value)} were"
    return f"{came}, {words.count(row.at_least)} or more was forecast"


def instead(stored: Stored) -> str:
    """What stands in the place of a total that may not be told, without its full stop."""
    about, row = stored.about, sold(stored)
    if row is None:
        return "the forecast of held-out money failed its check"
    step = words.width_step(row.q5, row.q95)
    came = words.money(row.actual, about.currency, step)
    forecast = words.span(row.q5, row.q95, step=step)
    return f"in {phrases.window(about)} held out {came} of {row.money} came, {forecast} was forecast"


def guarded(name: str, said: Words, stored: Stored) -> Words:
    """The words of a figure, nothing of a total that failed its check standing out."""
    if name not in GUARDED or not is_broken(stored):
        return said
    warning = f"**This forecast failed its check: {instead(stored)}.** What follows is what the model says."
    return said._replace(caption=f"{warning} {said.caption.replace('**', '')}")
