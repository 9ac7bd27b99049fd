"""Are the ranges of what a customer brings as wide as they should be: the randomised PIT of money, as that of counts.

Drawn as `pit.py` draws that of purchases; of the kind of money that is sold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures import pit
from clvmodels.figures.figure import Figure, Numbers, Words
from clvmodels.metrics.check_rows import TAIL

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run


def table(run: Run) -> pd.DataFrame | None:
    """A row a place: the surplus of outcomes below it and its band; in each the money, the customers, and the shares of
    them in the lowest and in the highest 5% of their forecast."""
    judgement = run.judgement
    if judgement is None or not judgement.judged.money:
        return None
    money = list(judgement.judged.money.values())[-1]
    ends = {"lowest": float((money.pit < TAIL).mean()), "highest": float((money.pit > 1 - TAIL).mean())}
    return money.pit_curve.assign(money=money.name, customers=len(money.pit), **ends)


def heading(table: pd.DataFrame, about: About) -> str:
    return f"Do the ranges of a customer's {table['money'].iloc[0]} hold?"


def describe(table: pd.DataFrame, about: About) -> Words:
    first = table.iloc[0]
    sub = (
        f"Randomised PIT, the place of each customer's held-out {first.money} in its own forecast: distribution minus "
        "the uniform one. Grey: what chance alone does, 99% simultaneous band."
    )
    leaves = pit.outside(table)
    verdict = "The curve **stays inside** the band."
    if leaves.any():
        worst = table.loc[table.surplus.abs().where(leaves, -1).idxmax()]
        side = "above" if worst.surplus > 0 else "below"
        farthest = words.number(abs(100 * worst.surplus), 0.1)
        verdict = f"The curve **leaves the band**, farthest {farthest} points {side} zero."
    low, high = (words.number(100 * first[end], 0.1) for end in ("lowest", "highest"))
    caption = (
        f"{verdict} {low}% of customers fall into the lowest 5% of their own forecast, {high}% into the highest. "
        "Who bought nothing is placed at random among the futures with as much."
    )
    where = "leaves" if leaves.any() else "stays inside"
    largest = words.number(100 * table.surplus.abs().max(), 0.1)
    alt = f"Surplus of outcomes over their place in the forecast, at most {largest} points; it {where} the grey band."
    return Words(sub, caption, alt)


def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    return pit.draw(table, about, width)


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    return pit.numbers(table, about)


FIGURE = Figure(
    "money_pit",
    "randomised PIT of what single customers bring, with its 99% band",
    "trust",
    "square",
    heading,
    table,
    describe,
    draw,
    numbers,
)
