"""Would the forecasts of other days have held: every origin's forecast of the total beside what came after it.

Totals shrink with the holdout; as percents of the middle of their forecast they share an axis, and the distance of the
dot from 100 is the error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import QUANTILES
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

MOST_ROWS = 24
MOST = 250.0
"""Percents of the forecast's middle that the axis reaches to; what lies beyond stands at the edge, in red."""
TITLES = {"plain": "the model's own", "backtested": "backtested"}
"""How totals were forecast, in words."""
DRAWN = "purchases"
TO_THE_END = "to the end"


def table(run: Run) -> pd.DataFrame | None:
    """A row an entry, origin, holdout, quantity (purchases, or a kind of money) and way of forecasting totals: what
    came (actual), q5 to q95 of the forecast, the side of the 90% interval on which it lies, and interval_score."""
    return None if run.rolling is None else run.rolling.totals


def heading(table: pd.DataFrame, about: About) -> str:
    return "Would forecasts from other days have held?"


def _of_recommended(table: pd.DataFrame, about: About) -> pd.DataFrame:
    """Purchases as the recommended entry forecasts them."""
    return rows_of(table, entry=about.recommended, quantity=DRAWN)


def describe(table: pd.DataFrame, about: About) -> Words:
    of_entry = _of_recommended(table, about)
    origins = words.counted(table["origin"].nunique(), "day")
    sub = (
        f"Purchases after {origins}, in percent of the middle of the forecast that was made on that day by a fit to "
        "the data up to it. Bars: 50% and 90% intervals; dots: what came, red where it is outside."
    )
    caption = " ".join(_sentence(rows, str(totals)) for totals, rows in of_entry.groupby("totals", sort=False))
    more = len(_drawn(of_entry)) - MOST_ROWS
    if more > 0:
        caption += f" Drawn are the latest {MOST_ROWS} of {MOST_ROWS + more}."
    held = _inside(of_entry).sum()
    alt = (
        f"Intervals of forecasts and dots of what came, {words.counted(len(of_entry), 'row')} by day and holdout; "
        f"{words.count(held)} inside."
    )
    return Words(sub, caption, alt)


def _sentence(rows: pd.DataFrame, totals: str) -> str:
    """How often the intervals of one way of forecasting held."""
    count = len(rows)
    in_90, in_50 = _inside(rows).sum(), _inside(rows, "q25", "q75").sum()
    return (
        f"Of {words.counted(count, 'interval')}, {TITLES[totals]}, **{words.count(in_90)} of the 90% ones hold** what "
        f"came (a sound forecast: {words.number(0.9 * count, 0.1)}) and {words.count(in_50)} of the 50% ones "
        f"({words.number(0.5 * count, 0.1)})."
    )


def _inside(rows: pd.DataFrame, lower: str = "q5", upper: str = "q95") -> pd.Series:
    return (rows["actual"] >= rows[lower]) & (rows["actual"] <= rows[upper])


def _drawn(of_entry: pd.DataFrame) -> list[tuple[str, str]]:
    """Origin and end of each row of the drawing, the earliest first."""
    return sorted(set(zip(of_entry["origin"], of_entry["until"], strict=True)))


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    of_entry = _of_recommended(table, about)
    shown = _drawn(of_entry)[-MOST_ROWS:]
    names = [_name(rows_of(of_entry, origin=origin, until=until).iloc[0], about, wide) for origin, until in shown]
    ways = list(dict.fromkeys(of_entry["totals"]))
    figure = style.canvas(width, 26 * len(shown) + 58)
    axes = style.panel(figure, style.room(names), 24, 14, 42)
    percents = _percents(of_entry)
    ends = percents[["q5", "q95", "actual"]].to_numpy().ravel()
    low, high = min(ends.min(), 95.0), min(max(ends.max(), 105.0), MOST)
    edge = 0.05 * (high - low)
    axes.set(xlim=(low - edge, high + edge), ylim=(0.6 - len(shown), 0.6))
    axes.axvline(100, color=style.RULE, linewidth=1)
    for place, (origin, until) in enumerate(shown):
        rows = rows_of(percents, origin=origin, until=until)
        _row(axes, -float(place), rows, ways, high)
    style.y_ticks(axes, -np.arange(len(shown), dtype=float), names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    marks = style.ticks(*axes.get_xlim(), 5 if wide else 3)
    style.x_ticks(axes, marks, [f"{words.number(mark, 1.0)}%" for mark in marks])
    axes.grid(axis="x")
    style.name_x(axes, "percent of the forecast's middle" if wide else "% of the forecast's middle")
    return figure


def _row(axes: Axes, height: float, rows: pd.DataFrame, ways: list[str], high: float) -> None:
    """The intervals of a day and holdout, the last way of forecasting in blue, others grey below it."""
    last = rows.iloc[-1]
    for _, row in rows.iterrows():
        is_last = row.totals == ways[-1]
        colour = style.BLUE if is_last else style.MUTED
        quantiles = np.minimum(phrases.quantiles(row), high)
        style.interval(axes, height if is_last else height - 0.24, list(quantiles), colour)
    colour = style.INK if last.side == "inside" else style.RED
    axes.plot(min(last.actual, high), height + 0.24, "o", color=colour, markersize=5, clip_on=False, zorder=5)


def _name(row: pd.Series, about: About, wide: bool) -> str:
    """`6 Aug 1997, 13 weeks`; in the small drawing without the year."""
    origin = str(row.origin)
    day = f"{int(origin[8:10])} {words.month(origin)}"
    ahead = _ahead(row, about)
    if wide:
        return f"{day} {origin[:4]}, {ahead}"
    short = ahead.replace("to the end", "end").replace(" weeks", " w")
    return f"{day}, {short}"


def _ahead(row: pd.Series, about: About) -> str:
    """How far a forecast looked: `13 weeks`, or `to the end` of the data."""
    return TO_THE_END if str(row.until) >= about.data_end else words.duration(float(row.holdout), about.time_unit)


def _percents(rows: pd.DataFrame) -> pd.DataFrame:
    """What came and the forecasts in percent of the middle of the last way of forecasting the same total. Where that is
    0 so is all of it."""
    columns = ["actual", *QUANTILES]
    middle = rows.groupby(["origin", "until"])["q50"].transform("last")
    return rows.assign(**rows[columns].mul(100).div(middle.where(middle > 0), axis=0).fillna(0.0))


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    """A row an entry, quantity, holdout and way: how often intervals held, how wide they were, what they scored."""
    rows = list(_summaries(table.assign(ahead=[_ahead(row, about) for _, row in table.iterrows()])))
    titles = ("Forecast", "Total of", "Holdout", "Totals", "Origins", "90% hold", "50% hold", "Width", "Interval score")
    return Numbers(titles, rows)


def _summaries(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    for keys, rows in table.groupby(["label", "quantity", "ahead", "totals"], sort=False):
        label, quantity, ahead, totals = map(str, keys)
        size = rows["actual"].abs().where(rows["actual"] != 0)
        width = ((rows["q95"] - rows["q5"]) / size).mean()
        score = (rows["interval_score"] / size).mean()
        cases = len(rows)
        hold_90 = words.share(_inside(rows).sum(), cases)
        hold_50 = words.share(_inside(rows, "q25", "q75").sum(), cases)
        whose = words.label(label, 40), quantity, ahead, TITLES[totals]
        yield (*whose, words.count(cases), hold_90, hold_50, words.number(width, 0.01), words.number(score, 0.01))


FIGURE = Figure(
    "rolling_origins",
    "forecasts of the total from several days beside what came",
    "trust",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
