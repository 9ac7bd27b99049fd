"""Purchases of the base week by week, actual beside the forecast; not cumulated, which would hide misses.

Where time counts opportunities they are by period: year by year.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.draws import QUANTILES
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, inside_table, row_of, rows_of, typed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

LINE = 20
"""Pixels that a word below a mark needs, with its distance."""


PERIOD: dict = {"start": "datetime64[us]", "unit": str, "units": int, "held_out": bool, "actual": float}
TOTAL: dict = {"actual": float}
FORECAST: dict = dict.fromkeys(QUANTILES, float) | {"side": str}


class Tables(NamedTuple):
    """Purchases of the base beside their forecast. `side` says on which side of its 90% interval a number lies: inside,
    above, below."""

    periods: pd.DataFrame
    """A row a period: a week; four weeks where a week holds under 5 purchases; an opportunity where time counts
    these. Fitted periods may have no forecast."""
    inside: pd.DataFrame
    """One row: how many of the held-out periods lie inside, and whether that is enough."""
    total: pd.DataFrame
    """One row: all held-out purchases."""


def table(run: Run) -> Tables | None:
    """Periods, those inside, and the total."""
    judgement = run.judgement
    if judgement is None:
        return None
    periods, inside = judgement.tracking
    total = {"actual": judgement.actual_total, **judgement.total, "side": judgement.side_of_total}
    return Tables(typed(periods, **PERIOD, **FORECAST), inside_table(inside), typed([total], **TOTAL, **FORECAST))


def period_name(tables: Tables) -> str:
    """What a point of the figure stands for: a week, a 4-week period, a year."""
    first = tables.periods.iloc[0]
    return str(first.unit) if first.units == 1 else f"{int(first.units)}-{first.unit} period"


def heading(tables: Tables, about: About) -> str:
    return f"Purchases per {period_name(tables)}, actual and forecast"


def describe(tables: Tables, about: About) -> Words:
    point, inside = period_name(tables), row_of(tables.inside)
    sub = (
        f"Repeat purchases of all customers. Dots: actual. Blue: the model's median with 50% and 90% bands. "
        f"The model saw nothing after {words.date(about.calibration_end)}."
    )
    out = tables.periods[_outside(tables.periods)]
    above = len(rows_of(out, side="above"))
    verdict = (
        "That is within what the model's own futures show."
        if inside.holds
        else f"In the model's own futures at least {words.counted(inside.lower_limit, 'lies', 'lie')} inside: "
        "**this check fails**."
    )
    outside = ""
    if len(out):
        outside = f"; {words.counted(above, 'lies', 'lie')} above it, {words.count(len(out) - above)} below"
    caption = (
        f"Of {words.counted(inside.of, f'held-out {point}')} {words.counted(inside.actual, 'lies', 'lie')} inside the "
        f"90% band ({phrases.expected_inside(inside)} expected){outside}. "
        f"{verdict} {total_words(tables, about)}"
    )
    lie = words.agreeing(len(out), "lies", "lie")
    alt = (
        f"Purchases per {point}, actual against the forecast band. {words.count(len(out))} of "
        f"{words.counted(inside.of, 'held-out point')} {lie} outside the 90% band."
    )
    return Words(sub, caption, alt)


def _outside(periods: pd.DataFrame) -> pd.Series:
    """Which periods are held out and lie outside their intervals."""
    return periods["held_out"] & periods["side"].isin(["above", "below"])


def total_words(tables: Tables, about: About) -> str:
    """The sentence on the total: which side of its interval the truth fell."""
    row = row_of(tables.total)
    learned = ", corrected by what earlier forecasts missed by" if about.totals == "backtested" else ""
    return (
        f"The total of {words.counted(row.actual, 'purchase')} is **{row.side}** its 90% interval "
        f"({words.count_span(row.q5, row.q95)}){learned}."
    )


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    wide = width >= 500
    figure = style.canvas(width, 300 if wide else 260)
    axes = style.panel(figure, 46, 16, 50, 28)
    periods = tables.periods
    x = np.arange(len(periods)) + 0.5
    tallest = float(periods[["actual", "q95"]].max().max()) or 1.0
    axes.set(xlim=(0, len(periods)), ylim=(0, 1.16 * tallest))
    has_forecast = periods["q50"].notna().to_numpy()
    style.bands(axes, x[has_forecast], periods[has_forecast])
    axes.plot(x[has_forecast], periods["q50"][has_forecast], color=style.BLUE)
    axes.plot(x, periods["actual"], "-o", color=style.INK, linewidth=1, markersize=3.5 if wide else 2.5)
    outside = _outside(periods).to_numpy()
    axes.plot(x[outside], periods["actual"][outside], "o", color=style.RED, markersize=6 if wide else 5)
    style.y_ticks(axes, style.ticks(0, 1.1 * tallest, 6, whole=True))
    _months(axes, periods, wide)
    style.name_y(axes, f"purchases per {period_name(tables)}", rise=28)
    _labels(axes, periods, x, outside, period_name(tables))
    return figure


def _labels(axes: Axes, periods: pd.DataFrame, x: NDArray, outside: NDArray, name: str) -> None:
    """Words beside the marks: `actual` at an early peak, `model` below the band's end, how many are outside.

    Where the band's end is so near the axis that `model` would stand among the months, it stands on the axis.
    """
    fitted = int((~periods["held_out"]).sum())
    if 0 < fitted < len(periods):
        _border(axes, fitted)
    across, up = style.pixels(axes)
    period_width = across / len(periods)
    last, line = periods.iloc[-1], axes.get_ylim()[1] * LINE / up
    below = max(min(last["q5"], last["actual"]), line)
    _bold(axes, x[-1], below, "model", style.BLUE, -5, ha="right", va="top")
    count = (fitted or len(periods)) * 2 // 3
    early = periods["actual"].iloc[: max(2, count)]
    peak = int(early.to_numpy().argmax())
    reach = style.text_width("actual", "bold") / 2 / period_width
    _bold(axes, max(x[peak], reach), early.iloc[peak], "actual", style.INK, 6, ha="center", va="bottom")
    if outside.any():
        text = f"{words.counted(outside.sum(), name)} outside"
        _misses(axes, periods["actual"], outside, text, fitted, period_width)


def _misses(axes: Axes, actual: pd.Series, outside: NDArray, text: str, fitted: int, period_width: float) -> None:
    """How many are outside, above the highest of them, right of the border and above all dots that it passes."""
    reach = style.text_width(text, "bold") / 2 / period_width
    highest = int(np.where(outside, actual, -1).argmax()) + 0.5
    leftmost = fitted + reach + 4 / period_width
    rightmost = len(actual) - reach
    place = min(max(highest, leftmost), rightmost)
    first, last = max(0, int(place - reach)), int(place + reach)
    passed = actual.iloc[first : last + 1]
    _bold(axes, place, float(passed.max()), text, style.RED, 7, ha="center", va="bottom")


def _bold(axes: Axes, x: float, y: float, text: str, colour: str, rise: float, **options: str) -> None:
    style.say(axes, x, y, text, colour, weight="bold", transform=style.shift(axes, 0, rise), **options)


def _border(axes: Axes, fitted: int) -> None:
    """The line between what the model saw and what it did not."""
    top = 1 + 18 / style.pixels(axes)[1]
    line: dict = {"color": style.INK, "linewidth": 1, "clip_on": False, "transform": axes.get_xaxis_transform()}
    axes.plot([fitted, fitted], [0, top], **line)
    for text, side, move in (("fitted", "right", -5), ("held out", "left", 5)):
        place = style.shift(axes, move, 7)
        style.say(axes, fitted, axes.get_ylim()[1], text, style.MUTED, ha=side, transform=place)


def _months(axes: Axes, periods: pd.DataFrame, wide: bool) -> None:
    """Ticks where months begin: the first of a quarter, or fewer; January carries the year."""
    starts = periods["start"]
    unit = str(periods["unit"].iloc[0])
    if unit != "week":
        _named(axes, starts, unit, wide)
        return
    weeks = int(periods["units"].iloc[0])
    start = starts.iloc[0]
    months = pd.date_range(start, starts.iloc[-1] + pd.Timedelta(weeks=weeks), freq="MS")
    most = 9 if wide else 5
    step = next(step for step in (1, 2, 3, 6, 12, 24, 60, 120) if len(months) / step <= most)
    places: list[float] = []
    names: list[str] = []
    for month in months:
        if (12 * month.year + month.month - 1) % step:
            continue
        has_year = month.month == 1 or not names
        name = f"{words.month(month)} {month.year}" if has_year else words.month(month)
        names.append(str(month.year) if step >= 12 else name)
        places.append((month - start).days / 7 / weeks)
    style.x_ticks(axes, places, names)


def _named(axes: Axes, starts: pd.Series, unit: str, wide: bool) -> None:
    """Some of the periods by their names: 2001, or Jan 2001, or 3 Jan."""
    step = math.ceil(len(starts) / (9 if wide else 5))
    names = {
        "year": lambda day: str(day.year),
        "quarter": lambda day: f"Q{day.quarter} {day.year}",
        "month": lambda day: f"{words.month(day)} {day.year}",
        "day": lambda day: f"{day.day} {words.month(day)}",
    }
    shown = starts.iloc[::step]
    style.x_ticks(axes, np.arange(0, len(starts), step) + 0.5, [names.get(unit, names["day"])(day) for day in shown])


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for _, row in rows_of(tables.periods, held_out=True).iterrows():
        ends = words.span(row.q5, row.q95, step=1.0)
        rows.append((words.date(row.start), words.count(row.actual), words.count(row.q50), ends, _in_or_out(row)))
    total = row_of(tables.total)
    step = max(1.0, words.width_step(total.q5, total.q95))
    ends = words.count_span(total.q5, total.q95)
    rows.append(("All", words.count(total.actual), words.number(total.q50, step), ends, _in_or_out(total)))
    titles = (f"{words.capital(period_name(tables))} from", "Actual", "Forecast", "90% interval", "Actual is")
    return Numbers(titles, rows, {len(rows) - 1: "total"})


def _in_or_out(row: pd.Series) -> str:
    return "inside" if row.side == "inside" else "outside"


FIGURE = Figure(
    "tracking",
    "purchases by week, actual beside the forecast band",
    "trust",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
