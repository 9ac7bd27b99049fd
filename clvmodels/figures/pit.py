"""Are the intervals as wide as they should be: the distribution of randomised PIT values minus the uniform one.

With its simultaneous band (`metrics/bands.py`); no histogram, no kernel density.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import style
from clvmodels.figures.figure import Figure, Numbers, Words
from clvmodels.metrics.bands import points_outside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run


def table(run: Run) -> pd.DataFrame | None:
    """A row a place: the surplus of outcomes below it and its band; customers and their share in the middle in each."""
    judgement = run.judgement
    if judgement is None:
        return None
    repeated = {"customers": len(judgement.pit), "middle": judgement.middle_share}
    columns = ["place", "surplus", "customers", "lower", "upper", "middle"]
    return judgement.pit_curve.assign(**repeated)[columns]


def outside(table: pd.DataFrame) -> pd.Series:
    """Which places of the curve lie outside its band."""
    return points_outside(table["surplus"], table["lower"], table["upper"])


def heading(table: pd.DataFrame, about: About) -> str:
    return "Are the intervals as wide as they should be?"


def describe(table: pd.DataFrame, about: About) -> Words:
    sub = (
        "Randomised PIT, the place of each customer's held-out count in its own forecast: its distribution minus the "
        "uniform one. Grey: what chance alone does, 99% simultaneous band."
    )
    middle = words.share(float(table["middle"].iloc[0]), 1.0)
    share = f"{middle} of customers fall into the middle 90% of their own forecast."
    leaves = outside(table)
    if not leaves.any():
        verdict = "The curve **stays inside** the band: forecasts of single customers are as wide as they should be."
    else:
        worst = table.loc[table.surplus.abs().where(leaves, -1).idxmax()]
        side = "above" if worst.surplus > 0 else "below"
        verdict = (
            f"The curve **leaves the band**, farthest {words.number(abs(100 * worst.surplus), 0.1)} points {side} "
            "zero: the forecasts of single customers are off in place or width."
        )
    caption = (
        f"{verdict} {share} Too narrow would show as a wave, first above zero, then below; too wide as the reverse; "
        "too low a forecast as a valley, too high as a hill."
    )
    where = "leaves" if leaves.any() else "stays inside"
    largest = words.number(100 * table.surplus.abs().max(), 0.1)
    alt = f"Surplus of outcomes over their place in the forecast, at most {largest} points; it {where} the grey band."
    return Words(sub, caption, alt)


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    figure = style.canvas(width, 250)
    axes = style.panel(figure, 42, 22, 42, 40)
    reach = 115 * float(table[["surplus", "lower", "upper"]].abs().max().max())
    axes.set(xlim=(0, 1), ylim=(-1.3 * reach, reach))
    axes.fill_between(
        table.place, 100 * table.lower, 100 * table.upper, color=style.RULE, alpha=style.CHANCE_ALPHA, linewidth=0
    )
    axes.plot([0, 1], [0, 0], color=style.RULE, linewidth=1)
    axes.plot(table.place, 100 * table.surplus, color=style.BLUE)
    marks = style.ticks(-reach, reach, 5)
    step = min(np.diff(marks), default=1.0)
    style.y_ticks(
        axes, marks, [words.signed(mark, words.value_step(step, 1)) if mark else "0" for mark in marks], grid=False
    )
    style.x_ticks(axes, [0, 0.25, 0.5, 0.75, 1], ["low", "0.25", "middle", "0.75", "high"])
    style.name_x(axes, "place of the outcome in its forecast")
    style.name_y(axes, "surplus of outcomes, percentage points", rise=14)
    _label(axes, reach)
    return figure


def _label(axes: Axes, reach: float) -> None:
    text, below = "grey: chance alone, 99% band", style.shift(axes, 0, 3)
    style.say(axes, 0.5, -1.3 * reach, text, style.MUTED, ha="center", va="bottom", transform=below)


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = [
        (words.number(row.place, 0.1), *(words.signed(100 * row[name], 0.1) for name in ("surplus", "lower", "upper")))
        for _, row in table.iloc[10:-1:10].iterrows()
    ]
    return Numbers(("Place", "Surplus, points", "Band from", "Band to"), rows)


FIGURE = Figure(
    "pit",
    "randomised PIT of single customers with its 99% band",
    "trust",
    "square",
    heading,
    table,
    describe,
    draw,
    numbers,
)
