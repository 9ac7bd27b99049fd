"""What targeting reaches: how much of all that came those customers brought who were forecast best.

Beside it what the model said of that share, and what nobody could have reached without knowing the future.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of
from clvmodels.metrics.bands import HIGH, LOW
from clvmodels.metrics.money import TOP_SHARES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

TOP = 0.2
"""The share of the customers that is marked."""


class Tables(NamedTuple):
    """Shares of the held-out money by shares of the customers, best forecast first."""

    curve: pd.DataFrame
    """A row a share of the customers, of the kind of money that is sold: share, actual, best, q5, q50, q95."""
    tops: pd.DataFrame
    """A row a kind of money and share of the best: money, share, actual, best, low and high (what the model says of it
    in 99% of its futures), and whether it holds. The last kind is the one that is sold."""


def table(run: Run) -> Tables | None:
    """Of the kinds of money of which shares can be told; None where the one that is sold has none."""
    judgement = run.judgement
    kinds = [] if judgement is None else list(judgement.judged.money.values())
    if not kinds or not kinds[-1].has_shares:
        return None
    rows = []
    for money in kinds:
        for share in TOP_SHARES if money.has_shares else ():
            captured = money.capture(share)
            low, high = np.quantile(captured.draws, (LOW, HIGH))
            row = {"money": money.name, "share": share, "actual": captured.actual, "best": captured.best}
            rows.append(row | {"low": low, "high": high, "holds": bool(low <= captured.actual <= high)})
    return Tables(kinds[-1].capture_curve, pd.DataFrame(rows))


def sold(tables: Tables) -> pd.Series:
    """The best fifth by the kind of money that is sold."""
    return row_of(tables.tops, money=tables.tops["money"].iloc[-1], share=TOP)


def heading(tables: Tables, about: About) -> str:
    return "How much do the best by forecast bring?"


def describe(tables: Tables, about: About) -> Words:
    top = sold(tables)
    sub = (
        f"Share of all {top.money} of {phrases.window(about)} held out, customers ordered by forecast, best first. "
        "Black: what came; blue: its forecast, 90% band; dashed: whoever turned out best; grey: if all were equal."
    )
    said = f"the forecast said {_percents(top.low, top.high)} (99%)"
    fails = "" if top.holds else ": **this check fails**"
    caption = (
        f"The fifth of the customers with the best forecast brought **{_percent(top.actual)}** of the {top.money} that "
        f"came; {said}{fails}. Whoever turned out best, known to nobody before, brought {_percent(top.best)}."
    )
    alt = (
        f"Curves of the share of {top.money} over customers, best first. At a fifth of them: {_percent(top.actual)} "
        f"came, {_percent(top.best)} at most."
    )
    return Words(sub, caption, alt)


def _percent(share: float) -> str:
    """It may pass 100%, where others lose money."""
    return f"{words.number(100 * share, 1.0)}%"


def _percents(low: float, high: float) -> str:
    ends = dict.fromkeys((_percent(low), _percent(high)))
    return " to ".join(ends)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    figure = style.canvas(width, width * 0.86 if width < 500 else 380)
    axes = style.panel(figure, 46, 24, 38, 40)
    curve = tables.curve
    ceiling = max(1.0, float(curve[["q95", "actual", "best"]].max().max()))
    floor = min(0.0, float(curve[["q5", "actual"]].min().min()))
    axes.set(xlim=(0, 1), ylim=(floor, ceiling))
    axes.plot([0, 1], [0, 1], color=style.RULE, linewidth=1)
    axes.fill_between(curve["share"], curve["q5"], curve["q95"], color=style.BLUE, alpha=style.BAND_90, linewidth=0)
    axes.plot(curve["share"], curve["best"], "--", color=style.TEAL, clip_on=False)
    axes.plot(curve["share"], curve["q50"], color=style.BLUE, clip_on=False)
    axes.plot(curve["share"], curve["actual"], color=style.INK, clip_on=False)
    _mark_top(axes, tables)
    marks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    names = [f"{100 * mark:.0f}%" for mark in marks]
    style.y_ticks(axes, marks, names)
    style.x_ticks(axes, marks, names)
    style.name_x(axes, "customers, best forecast first")
    style.name_y(axes, f"share of the {sold(tables).money} that came")
    return figure


def _mark_top(axes: Axes, tables: Tables) -> None:
    top, middle = sold(tables), row_of(tables.curve, share=TOP)
    axes.axvline(TOP, color=style.RULE, linewidth=1)
    labels = (
        ("with the best fifth", style.MUTED, "normal"),
        (f"{_percent(top.actual)} came", style.INK, "bold"),
        (f"{_percent(middle.q50)} forecast", style.BLUE, "bold"),
        (f"{_percent(top.best)} at most", style.TEAL, "bold"),
    )
    up = style.pixels(axes)[1]
    for place, (text, colour, weight) in enumerate(labels):
        height = (9 + 18 * place) / up
        style.say(axes, 0.985, height, text, colour, weight=weight, ha="right", va="bottom", transform=axes.transAxes)


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for kind in tables.tops["money"].unique():
        for _, row in rows_of(tables.tops, money=kind).iterrows():
            name = f"{words.capital(row.money)}, best {words.rate(row.share)}"
            rows.append((name, _percent(row.actual), _percents(row.low, row.high), _percent(row.best)))
    return Numbers(("Money and customers", "Came", "Forecast, 99%", "At most"), rows)


FIGURE = Figure(
    "money_capture",
    "share of the held-out money that the best by forecast brought",
    "trust",
    "square",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
