"""Is money forecast right in total: what came of each kind beside its forecast, on one scale, the forecast's middle.

Totals of spend and of returns differ by orders of magnitude; as percents of the middle of their forecast they share an
axis, and the distance of the dot from 100 is the bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import QUANTILES
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

MOST = 300.0
"""Percents of the forecast's middle that the axis reaches to; what lies beyond is told in words."""


def table(run: Run) -> pd.DataFrame | None:
    """A row a kind of money of the recommended entry: money (its name), until (the last day whose purchases count),
    actual, q5 to q95 of the forecast, side (of the interval on which the actual one lies), crps (the mean over
    customers) and own_crps (what the model expects of itself)."""
    judgement = run.judgement
    if judgement is None or not judgement.judged.money:
        return None
    rows: list[dict[str, Any]] = []
    for money in judgement.judged.money.values():
        row = {"money": money.name, "until": money.until, "actual": money.actual_total}
        row |= money.total | {"side": money.side_of_total}
        rows.append(row | {"crps": float(money.crps.mean()), "own_crps": float(money.own_crps.mean())})
    return pd.DataFrame(rows)


def heading(table: pd.DataFrame, about: About) -> str:
    return "Does as much money come as was forecast?"


def describe(table: pd.DataFrame, about: About) -> Words:
    sub = (
        f"Money of all customers together in {phrases.window(about)} held out, in percent of the middle of its "
        "forecast. Bars: 50% and 90% intervals of the forecast; dots: what came."
    )
    caption = " ".join([*_verdicts(table, about), *_late(table)])
    sides = (table["side"] == "inside").sum()
    alt = (
        f"Intervals of forecasts and dots of what came for {words.counted(len(table), 'kind')} of money; "
        f"{words.count(sides)} inside."
    )
    return Words(sub, caption, alt)


def _verdicts(table: pd.DataFrame, about: About) -> list[str]:
    """A sentence a kind that lies outside; one for all that lie inside."""
    outside = table[table["side"] != "inside"]
    sentences = [f"**{words.capital(row.money)}: {bias(row, about)}.**" for _, row in outside.iterrows()]
    inside = list(table.loc[table["side"] == "inside", "money"])
    if inside:
        lies = "lies" if len(inside) == 1 else "lie"
        sentences.append(f"{words.capital(words.listing(inside))} {lies} inside the 90% interval of the forecast.")
    return sentences


def bias(row: pd.Series, about: About) -> str:
    """What came and what was forecast, of a kind that missed its interval."""
    step = words.width_step(row.q5, row.q95)
    came = words.money(row.actual, about.currency, step)
    return f"{came} came, {words.span(row.q5, row.q95, step=step)} was forecast"


def _late(table: pd.DataFrame) -> list[str]:
    """Kinds whose last purchases are left out, since it is not known yet what comes of them."""
    late = table[table["until"] < table["until"].max()]
    if late.empty:
        return []
    days = words.listing([f"{row.money} to {words.date(row.until)}" for _, row in late.iterrows()])
    return [f"Of later purchases it is not known yet what comes back or stays unpaid: {days}."]


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    names = style.row_names([words.capital(name) for name in table["money"]], wide)
    figure = style.canvas(width, 36 * len(table) + 58)
    axes = style.panel(figure, style.room(names), 24, 14, 42)
    percents = _percents(table)
    known = percents.dropna()
    ends = known[["q5", "q95", "actual"]].to_numpy().ravel().clip(0.0, MOST)
    low, high = min(ends, default=90.0), max(ends, default=110.0)
    edge = max(5.0, 0.06 * (high - low))
    y = -np.arange(len(table), dtype=float)
    axes.set(xlim=(min(low, 100.0) - edge, max(high, 100.0) + edge), ylim=(y.min() - 0.6, 0.6))
    axes.axvline(100, color=style.RULE, linewidth=1)
    for height, (place, row) in zip(y, table.iterrows(), strict=True):
        if place not in known.index or not 0 <= known.loc[place, "actual"] <= MOST:
            style.say(axes, axes.get_xlim()[0], height, bias(row, about), va="center", transform=style.shift(axes, 4))
            continue
        line = known.loc[place]
        style.interval(axes, height, phrases.quantiles(line))
        colour = style.INK if row.side == "inside" else style.RED
        axes.plot(line.actual, height - 0.26, "o", color=colour, markersize=6, clip_on=False, zorder=5)
    style.y_ticks(axes, y, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    marks = style.ticks(*axes.get_xlim(), 5 if wide else 3)
    style.x_ticks(axes, marks, [f"{words.number(mark, 1.0)}%" for mark in marks])
    axes.grid(axis="x")
    style.name_x(axes, "percent of the forecast's middle" if wide else "% of the forecast's middle")
    return figure


def _percents(table: pd.DataFrame) -> pd.DataFrame:
    """What came and the forecast in percent of the forecast's middle; NaN where that is not above 0."""
    middle = table["q50"].where(table["q50"] > 0)
    return table[["actual", *QUANTILES]].mul(100).div(middle, axis=0)


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = []
    for _, row in table.iterrows():
        step = words.width_step(row.q5, row.q95)
        came, middle = (words.money(value, about.currency, step) for value in (row.actual, row.q50))
        of_one = words.value_step(row.own_crps, 3)
        distances = (words.number(value, of_one) for value in (row.crps, row.own_crps))
        interval = words.span(row.q5, row.q95, step=step)
        rows.append((words.capital(row.money), words.date(row.until), came, middle, interval, *distances))
    titles = ("Money", "Purchases to", "Came", "Forecast", "90% interval", "CRPS of a customer", "CRPS expected")
    return Numbers(titles, rows)


FIGURE = Figure(
    "money_total",
    "held-out money in total, what came beside its forecast",
    "trust",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
