"""What customers answered, by period: the net promoter score, or a mean score, with what few answers leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import style
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

MOST, ROW, CHANCE = 12, 24, 0.01
NAMES = {"nps": "Net promoter score", "csat mean": "Satisfaction, 1 to 5", "ces mean": "Effort, 1 to 7"}


def table(run: Run) -> pd.DataFrame | None:
    """The last periods in which anybody answered, of the first score that there is."""
    if run.kpis is None:
        return None
    told = run.kpis.kpis
    told = told[(told["by"] == "all") & (told["n"] > 0)]
    for name in NAMES:
        rows = told[told["kpi"] == name].sort_values("period").tail(MOST)
        if len(rows):
            rows = rows.assign(name=name)[["name", "period", "value", "lower", "upper", "n", "whole"]]
            return rows.reset_index(drop=True)
    return None


def heading(table: pd.DataFrame, about: About) -> str:
    return "How content customers say they are"


def _net(table: pd.DataFrame) -> bool:
    return bool(table["name"].iloc[0] == "nps")


def _span(row: pd.Series, net: bool) -> str:
    return words.span(row.lower, row.upper, step=1 if net else 0.1)


def describe(table: pd.DataFrame, about: About) -> Words:
    net, last = _net(table), table.iloc[-1]
    what = "Percent of promoters (9 or 10) less percent of detractors (0 to 6)" if net else NAMES[table["name"].iloc[0]]
    sub = (
        f"{what}. Dot: what was answered; bar: 90% interval of what all whom a survey reaches would answer. "
        "Right: answers."
    )
    when = words.group(last.period)
    said = [f"In {when} {words.counted(last.n, 'answer')} came: the score is **{_span(last, net)}** (90%)"]
    if len(table) > 1:
        said.append(
            "These periods differ by more than few answers explain"
            if _differ(table)
            else "So few answers alone may make periods differ as much as these"
        )
    said.append("Those who answer may differ from those who do not")
    alt = (
        f"Intervals of the score of {words.counted(len(table), 'period')}; the last {_number(last.value, net)} from "
        f"{words.counted(last.n, 'answer')}."
    )
    return Words(sub, ". ".join(said) + ".", alt)


def _differ(table: pd.DataFrame) -> bool:
    """Whether scores as unlike as these come once in 100 or less where nothing changes: Cochran's Q."""
    from scipy.stats import chi2

    variance = ((table["upper"] - table["lower"]) / (2 * 1.645)) ** 2
    weights = 1 / variance.clip(lower=1e-12)
    mean = (weights * table["value"]).sum() / weights.sum()
    return bool(chi2.sf((weights * (table["value"] - mean) ** 2).sum(), len(table) - 1) < CHANCE)


def _number(value: float, net: bool) -> str:
    return words.number(value, 1 if net else 0.01)


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide, net = width >= 500, _net(table)
    names = [words.group(period) for period in table["period"]]
    left = style.room(names)
    figure = style.canvas(width, ROW * len(table) + 76)
    axes = style.panel(figure, left, 90 if wide else 66, 36, 40)
    heights = -np.arange(len(table), dtype=float)
    low, high = float(table["lower"].min()), float(table["upper"].max())
    low, high = (min(low, 0.0), max(high, 0.0)) if net else (low, high)
    edge = 0.05 * ((high - low) or 1.0)
    axes.set(xlim=(low - edge, high + edge), ylim=(heights[-1] - 0.5, 0.5))
    if net:
        axes.axvline(0, color=style.INK, linewidth=1)
    for y, (_, row) in zip(heights, table.iterrows(), strict=True):
        axes.plot([row.lower, row.upper], [y, y], color=style.BLUE, linewidth=2, alpha=0.65, zorder=2)
        axes.plot(row.value, y, "o", color=style.INK, markersize=6, zorder=3)
        style.say(axes, 1, y, words.count(row.n), ha="right", va="center", transform=style.beside(axes, 60))
    style.say(axes, 1, 1, "answers", style.MUTED, ha="right", va="bottom", transform=style.above(axes, 8, 60))
    style.y_ticks(axes, heights, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    ticks = style.ticks(low, high, 6 if wide else 4)
    style.x_ticks(axes, ticks)
    axes.grid(axis="x")
    style.name_x(axes, NAMES[table["name"].iloc[0]].lower())
    return figure


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    net = _net(table)
    rows = [
        (words.group(row.period), words.count(row.n), _number(row.value, net), _span(row, net))
        for _, row in table.iterrows()
    ]
    return Numbers(("Period", "Answers", "Answered", "90% interval"), rows)


FIGURE = Figure(
    "kpi_satisfaction",
    "net promoter score by period with 90% intervals",
    "strategy",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
