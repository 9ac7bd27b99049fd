"""Are the intervals as wide as they should be: the distribution of randomised PIT values minus the uniform one.

Simultaneous band by simulation: Saeilynoja, Buerkner & Vehtari (2022); no histogram, no kernel density.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.figures import style
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

POINTS, SIMULATIONS, LEVEL = 101, 4_000, 0.99


def band(customers: int, places: NDArray[np.float64], level: float = LEVEL) -> tuple[NDArray, NDArray]:
    """Simultaneous band of the distribution function of `customers` uniform numbers at inner `places`.

    The pointwise binomial probability is lowered until `level` of simulated uniform samples stay inside everywhere;
    the samples are drawn as multinomial counts between the places, so that their cost does not grow with the base.
    """
    from scipy.special import bdtr, bdtrc
    from scipy.stats import binom

    rng = np.random.default_rng(20220401)
    gaps = np.diff(np.concatenate([[0.0], places, [1.0]]))
    below = rng.multinomial(customers, gaps, size=SIMULATIONS).cumsum(axis=1)[:, :-1]
    upper = np.where(below > 0, bdtrc(np.maximum(below - 1, 0), customers, places), 1.0)
    tails = np.minimum(bdtr(below, customers, places), upper)
    tail = np.quantile(tails.min(axis=1), 1 - level)
    return binom.ppf(tail, customers, places) / customers, binom.isf(tail, customers, places) / customers


def table(run: Run) -> pd.DataFrame | None:
    """Surplus of outcomes below each place of their forecast, and its 99% band, as shares of the customers."""
    from clvmodels.metrics import randomised_pit

    judged = run.entries[run.recommended].judged
    if judged is None:
        return None
    pit = np.sort(randomised_pit(judged))
    places = np.linspace(0, 1, POINTS)
    found = np.searchsorted(pit, places, side="right") / len(pit)
    low, high = band(len(pit), places[1:-1])
    frame = pd.DataFrame({"place": places, "surplus": found - places, "customers": len(pit)})
    frame["lower"] = np.concatenate([[0.0], low - places[1:-1], [0.0]])
    frame["upper"] = np.concatenate([[0.0], high - places[1:-1], [0.0]])
    frame["middle"] = float(((pit > 0.05) & (pit < 0.95)).mean())
    return frame


def inside(table: pd.DataFrame) -> bool:
    """Whether the whole curve stays in the band."""
    slack = 1e-9
    return bool(((table.surplus >= table.lower - slack) & (table.surplus <= table.upper + slack)).all())


def heading(table: pd.DataFrame, about: About) -> str:
    return "Are the intervals as wide as they should be?"


def describe(table: pd.DataFrame, about: About) -> Words:
    sub = (
        "Randomised PIT, the place of each customer's held-out count in its own forecast: its distribution minus the "
        "uniform one. Grey: what chance alone does, 99% simultaneous band."
    )
    middle = words.share(float(table["middle"].iloc[0]), 1.0)
    share = f"{middle} of customers fall into the middle 90% of their own forecast."
    if inside(table):
        verdict = "The curve **stays inside** the band: forecasts of single customers are as wide as they should be."
    else:
        out = (table.surplus < table.lower) | (table.surplus > table.upper)
        worst = table.loc[table.surplus.abs().where(out, -1).idxmax()]
        side = "above" if worst.surplus > 0 else "below"
        verdict = (
            f"The curve **leaves the band**, farthest {words.number(abs(100 * worst.surplus), 0.1)} points {side} "
            "zero: the forecasts of single customers are off in place or width."
        )
    caption = (
        f"{verdict} {share} Too narrow would show as a wave, first above zero, then below; too wide as the reverse; "
        "too low a forecast as a valley, too high as a hill."
    )
    where = "stays inside" if inside(table) else "leaves"
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
