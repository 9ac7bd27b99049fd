"""When we say 70%, does it happen 7 times of 10: isotonic (CORP) reliability of P(at least one held-out purchase).

Being alive is never observed, so the purchase stands in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words
from clvmodels.metrics.judgement import reliable_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run


def table(run: Run) -> pd.DataFrame | None:
    """The isotonic line at steps of the predicted probability, its 99% consistency band, customers by step."""
    return None if run.judgement is None else run.judgement.reliability


def _example(table: pd.DataFrame) -> pd.Series:
    """The step nearest to 70%, or to the middle of the range where nobody was given as much."""
    known = table.dropna(subset="bought")
    target = 0.7 if known["predicted"].max() >= 0.7 else known["predicted"].median()
    return known.loc[(known["predicted"] - target).abs().idxmin()]


def heading(table: pd.DataFrame, about: About) -> str:
    return "When we say 70%, does it happen 7 times of 10?"


def describe(table: pd.DataFrame, about: About) -> Words:
    example = _example(table)
    sub = (
        f"Predicted probability of at least one purchase in {phrases.window(about)} held out against how often it "
        "happened (isotonic fit, CORP)."
    )
    sub += "" if about.time == "renewals" else " Being alive is never seen, so the purchase stands in for it."
    inside = words.share(round(reliable_share(table), 6), 1.0)
    given, did = words.probability(example.predicted), words.of_hundred(example.bought)
    about_did = did if did[0] in "ou" else f"about {did}"
    caption = (
        f"The curve stays inside the grey band of pure chance on **{inside} of the range**: of customers given {given} "
        f"{about_did} did buy."
    )
    alt = f"Reliability curve near the diagonal, in its 99% band on {inside} of the range; given {given}, {did} bought."
    return Words(sub, caption, alt)


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    figure = style.canvas(width, 364)
    axes = style.panel(figure, 46, 20, 34, 88)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    known = table.dropna(subset="bought")
    axes.fill_between(
        known.predicted, known.lower, known.upper, color=style.RULE, alpha=style.CHANCE_ALPHA, linewidth=0
    )
    axes.plot([0, 1], [0, 1], color=style.RULE, linewidth=1)
    axes.plot(known.predicted, known.bought, color=style.BLUE, clip_on=False)
    marks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    names = [f"{100 * mark:.0f}%" for mark in marks]
    style.y_ticks(axes, marks, names)
    axes.set_xticks([])
    style.name_y(axes, "bought", rise=8)
    for line, text in enumerate(("99% band", "grey: chance alone,")):
        style.say(
            axes, 0.98, 0.03, text, style.MUTED, ha="right", va="bottom", transform=style.shift(axes, 0, 15 * line)
        )
    strip = style.panel(figure, 46, 20, 288, 40)
    step = table["predicted"].iloc[1] - table["predicted"].iloc[0]
    strip.bar(table["predicted"], table["customers"], width=0.8 * step, color=style.RULE)
    strip.set(xlim=(0, 1), ylim=(0, table["customers"].max() or 1))
    strip.set_yticks([])
    style.x_ticks(strip, marks, names)
    style.name_x(strip, "predicted chance (bars: customers)")
    return figure


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    known = table.dropna(subset="bought")
    every = (
        known
        if len(known) <= 12
        else known[np.isclose(known["predicted"] * 10 % 1, 0) | np.isclose(known["predicted"] * 10 % 1, 1)]
    )
    rows = [
        (
            words.probability(row.predicted),
            words.probability(row.bought),
            words.probability_span(row.lower, row.upper),
        )
        for _, row in every.iterrows()
    ]
    return Numbers(("Predicted", "Bought", "Chance alone, 99%"), rows)


FIGURE = Figure(
    "reliability",
    "predicted probability of a purchase against how often it came",
    "trust",
    "square",
    heading,
    table,
    describe,
    draw,
    numbers,
)
