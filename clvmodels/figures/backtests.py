"""How far forecasts of the total may be trusted by their own past: earlier forecasts beside what came, and the range
that the next total is multiplied by for it.

All are percents of the middle of the model's own forecast, so that a number of customers and a value share an axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.draws import QUANTILES, quantiles
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of, typed
from clvmodels.metrics.discrepancy import ANY_DAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.metrics.discrepancy import Learned
    from clvmodels.results.folder import About, EntryResult, Run

WINDOW: dict = {"quantity": str, "start": "datetime64[us]", "end": "datetime64[us]", "percent": float, "sd": float}
FACTOR: dict = {"of": str, "quantity": str, "periods": float} | dict.fromkeys(QUANTILES, float)
FACTOR |= {"width": float, "own_width": float}
LEFT_OUT: dict = {"day": str, "why": str}
TITLES = {
    "purchases": "purchases",
    "spend": "spend per purchase",
    "margin": "margin per spend",
    "returns": "cost of returns per spend",
}
OF_HOLDOUT, OF_VALUE = "holdout", "value"
MOST_DRAWN = 8
"""Earlier forecasts in the drawing: the latest."""
LEVEL = 1.6449
"""Standard deviations from the middle to the ends of a 90% interval."""


class Tables(NamedTuple):
    """What the recommended entry's totals have learned from its forecasts of earlier days."""

    windows: pd.DataFrame
    """A row an earlier forecast and quantity: its first (exclusive) and last day, what came in percent of what was
    forecast, and the model's own standard deviation of the log of that."""
    factors: pd.DataFrame
    """What totals are multiplied by, in percent: of the holdout and of the value (`of`), by quantity, over so many time
    units. Of the holdout's purchases the widths of the 90% interval with it and without."""
    left_out: pd.DataFrame
    """Earlier days of which nothing could be said, and why."""


def table(run: Run) -> Tables | None:
    """The earlier forecasts, all that are known at the date of value, and what follows; None where totals are the
    models' own."""
    judged, valued = run.entries[run.recommended], run.valued
    learned = valued.learned or judged.learned
    if learned is None:
        return None
    windows = []
    for name, discrepancy in learned.discrepancies.items():
        for window in sorted(discrepancy.windows):
            percent, sd = 100 * window.actual / window.forecast, window.variance**0.5
            windows.append({"quantity": name, "start": window.start, "end": window.end, "percent": percent, "sd": sd})
    factors = [*_of_the_holdout(run, judged), *_of_the_value(run, valued)]
    left_out = [{"day": day, "why": why} for day, why in learned.left_out]
    return Tables(typed(windows, **WINDOW), typed(factors, **FACTOR), typed(left_out, **LEFT_OUT))


def _of_the_holdout(run: Run, entry: EntryResult) -> list[dict[str, Any]]:
    judgement = entry.judgement
    if entry.learned is None or judgement is None:
        return []
    futures, periods = judgement.judged.futures, judgement.judged.holdout.periods
    rows = _factors(run, entry.learned, OF_HOLDOUT, periods, len(futures.purchases))
    own = quantiles(judgement.own_total_draws)
    widths = {"width": judgement.total["q95"] - judgement.total["q5"], "own_width": own["q95"] - own["q5"]}
    return [row | widths if row["quantity"] == "purchases" else row for row in rows]


def _of_the_value(run: Run, entry: EntryResult) -> list[dict[str, Any]]:
    if entry.learned is None or entry.values is None:
        return []
    return _factors(run, entry.learned, OF_VALUE, entry.values.horizon, len(entry.values.expected))


def _factors(run: Run, learned: Learned, of: str, periods: float, draws: int) -> list[dict[str, Any]]:
    weeks = periods * DAYS_PER_UNIT[run.about.time_unit] / 7
    rows = []
    for quantity in learned.discrepancies:
        factor = learned.factor((quantity,), weeks, draws, run.about.seed)
        forecast = quantiles(100 * factor)
        rows.append({"of": of, "quantity": quantity, "periods": periods, **forecast, "width": None, "own_width": None})
    return rows


def heading(tables: Tables, about: About) -> str:
    return "What have earlier forecasts missed by?"


def describe(tables: Tables, about: About) -> Words:
    purchases = rows_of(tables.windows, quantity="purchases")
    sub = (
        "Purchases in percent of the middle of the model's forecast. Above: forecasts by fits to the data up to an "
        "earlier day; dots: what came, bars: the model's own 90% interval. Below: what a later total is multiplied by, "
        "50% and 90% intervals."
    )
    caption = " ".join([_past(purchases, tables), *_next(tables, about)])
    alt = (
        f"What came beside {words.counted(len(purchases), 'earlier forecast')}, in percent; below "
        f"{words.counted(len(_drawn_factors(tables)), 'interval')} of the factor of totals to come."
    )
    return Words(sub, caption, alt)


def _past(purchases: pd.DataFrame, tables: Tables) -> str:
    if purchases.empty:
        why = f" ({tables.left_out['why'].iloc[0]})" if len(tables.left_out) else ""
        return (
            f"**No earlier day could be looked back from{why}: the prior speaks**, which is what totals of other "
            "companies were missed by."
        )
    low, high = purchases["percent"].min(), purchases["percent"].max()
    count = words.counted(len(purchases), "earlier forecast")
    return f"In {count} purchases came to {words.span(low, high, step=1.0)}% of what was forecast."


def _next(tables: Tables, about: About) -> list[str]:
    sentences = []
    for _, row in _drawn_factors(tables).iterrows():
        ahead = words.duration(row.periods, about.time_unit)
        what = f"the held-out {ahead}" if row.of == OF_HOLDOUT else f"the {ahead} to come"
        ends = words.span(row.q5, row.q95, step=1.0)
        sentence = f"The purchases of {what} are taken as {ends}% of what the model says (90%)"
        if row.of == OF_HOLDOUT and row.own_width > 0:
            ratio = words.number(row.width / row.own_width, 0.1)
            sentence += f", which makes their interval {ratio} times as wide as the model's own"
        sentences.append(sentence + ".")
    sentences.append("Every customer of a draw shares the factor: sums hold.")
    return sentences


def _drawn_factors(tables: Tables) -> pd.DataFrame:
    return rows_of(tables.factors, quantity="purchases")


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    wide = width >= 500
    past = rows_of(tables.windows, quantity="purchases").sort_values(["start", "end"]).tail(MOST_DRAWN)
    factors = _drawn_factors(tables)
    names = style.row_names([_window_name(row, wide) for _, row in past.iterrows()], wide)
    names += style.row_names([_factor_name(row, about) for _, row in factors.iterrows()], wide)
    figure = style.canvas(width, 30 * len(names) + 58)
    axes = style.panel(figure, style.room(names), 24, 14, 42)
    own = 100 * np.exp(np.outer(past["sd"], [-LEVEL, LEVEL]))
    ends = np.concatenate([own.ravel(), past["percent"], factors["q5"], factors["q95"], [90.0, 110.0]])
    edge = 0.05 * np.ptp(ends)
    axes.set(xlim=(ends.min() - edge, ends.max() + edge), ylim=(0.6 - len(names), 0.6))
    axes.axvline(100, color=style.RULE, linewidth=1)
    _draw_past(axes, past["percent"].to_numpy(), own)
    for place, (_, row) in enumerate(factors.iterrows(), start=len(past)):
        style.interval(axes, -place, phrases.quantiles(row))
    style.y_ticks(axes, -np.arange(len(names), dtype=float), names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    marks = style.ticks(*axes.get_xlim(), 5 if wide else 3)
    style.x_ticks(axes, marks, [f"{words.number(mark, 1.0)}%" for mark in marks])
    axes.grid(axis="x")
    style.name_x(axes, "percent of the model's forecast" if wide else "% of the model's forecast")
    return figure


def _draw_past(axes: Axes, came: np.ndarray, own: np.ndarray) -> None:
    """A row a window, from above: a dot for what came, a line over what the model's own luck explains."""
    for height, percent, ends in zip(-np.arange(len(came)), came, own, strict=True):
        axes.plot(ends, [height, height], color=style.MUTED, linewidth=2, zorder=3)
        axes.plot(percent, height, "o", color=style.INK, markersize=6, zorder=4)


def _window_name(row: pd.Series, wide: bool) -> str:
    """`from 20 May to 30 Sep`, with the year where there is room."""
    days = [f"{day.day} {words.month(day)}" + (f" {day.year}" if wide else "") for day in (row.start, row.end)]
    return f"{days[0]} to {days[1]}"


def _factor_name(row: pd.Series, about: About) -> str:
    return f"{words.duration(row.periods, about.time_unit)}, {'held out' if row.of == OF_HOLDOUT else 'to come'}"


def numbers(tables: Tables, about: About) -> Numbers:
    """A row an earlier forecast and quantity, then what each quantity is multiplied by, then the days left out."""
    rows: list[tuple[str, ...]] = []
    for _, row in tables.windows.iterrows():
        span = words.span(*(100 * np.exp(row.sd * np.array([-LEVEL, LEVEL]))), step=1.0)
        days = f"{words.date(row.start)} to {words.date(row.end)}"
        name = f"{words.capital(TITLES[row.quantity])}, {days}"
        rows.append((name, f"{words.number(row.percent, 1.0)}%", f"{span}%"))
    for _, row in tables.factors.iterrows():
        span = f"{words.span(row.q5, row.q95, step=1.0)}%"
        name = f"{words.capital(TITLES[row.quantity])}: factor of {_factor_name(row, about)}"
        rows.append((name, f"{words.number(row.q50, 1.0)}%", span))
    for _, row in tables.left_out.iterrows():
        day = "Not looked back" if row.day == ANY_DAY else f"Not from {words.date(row.day)}"
        rows.append((day, words.label(row.why, 80), ""))
    return Numbers(("Forecast", "Came, or middle", "90% interval"), rows)


FIGURE = Figure(
    "backtests",
    "earlier forecasts of the total beside what came, and what follows for the next",
    "trust",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
