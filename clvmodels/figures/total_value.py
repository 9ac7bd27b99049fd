"""What the base will earn: 50 touching dots, each one chance in 50, and the 50% and 90% intervals below.

Quantile dot plots: Kay et al. (2016), Fernandes et al. (2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import QUANTILES, quantiles, total
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of, typed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

DOTS, SIDE = 50, 14
TOTALS: dict = {"total": str, "series": str} | dict.fromkeys(QUANTILES, float)


class Tables(NamedTuple):
    """What the base will earn, and what it has earned."""

    totals: pd.DataFrame
    """Quantiles of a total, realised or expected: of the value without credit for referrals; of that credit, where
    there is one; of the value and the profit made together, where that is known (the lifetime's)."""
    made: pd.DataFrame
    """One row: the profit made so far, and whether it is what is left after the costs of acquisition; none where the
    run has not counted it."""
    dots: pd.DataFrame
    """The 50 dots of the realised value."""


def table(run: Run) -> Tables | None:
    """Quantiles and dots of the base's value, and what was made so far."""
    from clvmodels.accounts.lifetime import lifetime_total  # here: a report of a stored folder needs no models

    values = run.valued.values
    if values is None:
        return None
    totals = {name: values.base(name) for name in ("realised", "expected")}
    rows = [{"total": "value", "series": name, **quantiles(draws)} for name, draws in totals.items()]
    credit = values.parts.get(phrases.CREDIT)
    if credit is not None:
        rows.append({"total": "credit", "series": "realised", **quantiles(total(credit.realised))})
    made = []
    if run.made is not None:
        basis = "after acquisition" if "acquisition" in run.made else "before acquisition"
        made.append({"basis": basis, "profit": run.made["profit"].sum()})
        rows.append({"total": "lifetime", "series": "realised", **quantiles(lifetime_total(run.made, values))})
    dots = np.quantile(totals["realised"], (np.arange(DOTS) + 0.5) / DOTS)
    return Tables(typed(rows, **TOTALS), typed(made, basis=str, profit=float), pd.DataFrame({"value": dots}))


def value_of(tables: Tables, series: str = "realised") -> pd.Series:
    """Quantiles of the base's value."""
    return row_of(tables.totals, total="value", series=series)


def heading(tables: Tables, about: About) -> str:
    return f"What the base will earn in {phrases.horizon(about)}"


def describe(tables: Tables, about: About) -> Words:
    q = value_of(tables)
    step = words.width_step(q.q5, q.q95)
    ends = words.span(q.q5, q.q95, currency=about.currency)
    half = words.span(q.q25, q.q75, currency=about.currency, step=step)
    gain, long = phrases.gain(about), phrases.horizon(about)
    zero = " The axis starts above 0." if _window(tables, 400)[0] > 0 else ""
    sub = (
        f"{words.capital(gain)} of all {words.count(about.customers)} customers{phrases.in_currency(about)}, "
        f"{phrases.discounted(about)}. Bars below the dots: 50% and 90% intervals.{zero}"
    )
    caption = (
        f"The base will earn **{ends}** in {long} with 90% probability (half of the chances lie between {half}). "
        f"The range covers these {words.count(about.customers)} customers only: customers won later are not in it."
    ).replace(f"between {half}", f"between {half.replace(' to ', ' and ')}")
    caption += _credit(tables, about) + _lifetime(tables, about)
    middle = words.money(q.q50, about.currency, step)
    alt = f"Dot plot of the {gain} of the base: 50 dots in one heap around {middle}, nine in ten from {ends}."
    return Words(sub, caption, alt)


def _credit(tables: Tables, about: About) -> str:
    """Why the credit for customers brought is not in the total, where there is one."""
    credit = rows_of(tables.totals, total="credit")
    if credit.empty:
        return ""
    ends = words.span(credit.iloc[0].q5, credit.iloc[0].q95, currency=about.currency)
    return (
        f" Credit for the customers they will bring ({ends}, 90%) is not in it either, so that nobody is counted twice."
    )


def _lifetime(tables: Tables, about: About) -> str:
    """What was made so far, and that together with what is to come, where the run has counted it."""
    if tables.made.empty:
        return ""
    made, both = row_of(tables.made), row_of(tables.totals, total="lifetime")
    step = words.width_step(both.q5, both.q95)
    so_far = words.money(made.profit, about.currency, step)
    won = ", what it cost to win them taken off" if made.basis == "after acquisition" else ""
    together = words.span(both.q5, both.q95, currency=about.currency, step=step)
    return f" So far these customers have brought {so_far}{won}; with what is to come, {together} (90%)."


def _window(tables: Tables, width: float) -> tuple[float, float]:
    """The range of the axis: room for the interval's labels at both ends; from 0 where that costs under a third."""
    dots, interval = tables.dots["value"], value_of(tables)
    low, high = float(dots.min()), float(dots.max())
    spread = (high - low) or abs(high) or 1.0
    label = 1.35 * 78 / width * spread
    low = min(low - 0.04 * spread, interval.q5 - label)
    high = max(high + 0.04 * spread, interval.q95 + label)
    if low < 0.33 * high:
        low = min(low, 0.0)
    return low, high


def _heap(dots: np.ndarray, low: float, high: float, width: float, height: float) -> tuple[float, np.ndarray]:
    """The largest dots whose heap is no higher than `height`: their diameter, and where each stands. [dot, 2]"""
    scale = width / (high - low)
    for diameter in np.arange(22.0, 3.0, -0.5):
        columns = np.floor((dots - low) * scale / diameter).astype(int)
        level = np.array([np.count_nonzero(columns[:dot] == column) for dot, column in enumerate(columns)])
        if (level.max() + 1) * diameter <= height:
            break
    x = low + (columns + 0.5) * diameter / scale
    y = (level + 0.5) * diameter
    return diameter, np.column_stack([x, y])


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    across, base = width - 2 * SIDE, 32
    low, high = _window(tables, across)
    dots = tables.dots["value"].to_numpy()
    diameter, places = _heap(dots, low, high, across, 150 if width >= 500 else 110)
    up = base + places[:, 1].max() + diameter
    figure = style.canvas(width, up + 58)
    axes = style.panel(figure, SIDE, SIDE, 34, 24)
    axes.set(xlim=(low, high), ylim=(0, up))
    for x, y in places:
        colour = style.RED if x < 0 else style.BLUE
        axes.plot(x, y + base, "o", markersize=diameter, markeredgewidth=0, color=colour)
    _ends(axes, value_of(tables))
    style.x_ticks(axes, style.ticks(low, high, 5 if width >= 500 else 3))
    axes.set_yticks([])
    style.name_y(axes, "each dot: 1 chance in 50", rise=10)
    return figure


def _ends(axes: Axes, value: pd.Series) -> None:
    """The intervals below the dots, with the ends of the wider one."""
    style.interval(axes, 16, phrases.quantiles(value), high=True)
    step = words.width_step(value.q5, value.q95)
    for end, side, move in ((value.q5, "right", -6), (value.q95, "left", 6)):
        text, place = words.compact(end, step), style.shift(axes, move)
        style.say(axes, end, 16, text, style.BLUE, ha=side, va="center", weight="bold", transform=place)


def numbers(tables: Tables, about: About) -> Numbers:
    rows: list[tuple[str, ...]] = []
    for series in ("realised", "expected"):
        rows.append((words.capital(series), *_middle_and_spans(value_of(tables, series), about)))
    rows += _lifetime_rows(tables, about)
    value = f"{words.capital(phrases.gain(about))}, {phrases.horizon(about)}"
    return Numbers((value, "Middle", "50% interval", "90% interval"), rows)


def _middle_and_spans(value: pd.Series, about: About) -> tuple[str, str, str]:
    """The middle and both intervals, to the digit that the wider one allows."""
    step = words.width_step(value.q5, value.q95)
    middle = words.money(value.q50, about.currency, step)
    half = words.span(value.q25, value.q75, currency=about.currency, step=step)
    return middle, half, words.span(value.q5, value.q95, currency=about.currency, step=step)


def _lifetime_rows(tables: Tables, about: About) -> list[tuple[str, ...]]:
    if tables.made.empty:
        return []
    profit_made, lifetime = row_of(tables.made), row_of(tables.totals, total="lifetime")
    so_far = words.money(profit_made.profit, about.currency, words.width_step(lifetime.q5, lifetime.q95))
    together = ("Together, realised", *_middle_and_spans(lifetime, about))
    return [(f"Made so far, {profit_made.basis}", so_far, "", ""), together]


FIGURE = Figure(
    "total_value",
    "what the base will earn, as 50 equally likely dots",
    "worth",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
