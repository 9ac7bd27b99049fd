"""Active customers, retention, revenue and profit by month or quarter: what happened, in small panels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.draws import Array
from clvmodels.figures import style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

MOST, FEW = 60, 24
"""Periods that are shown, and how many at most are marked by a dot each."""
SHOWN = ("active customers", "retention", "revenue", "profit")
COLUMNS = ["period", "name", "value", "n", "whole"]
HEIGHT, TOP, BOTTOM, LEFT = 120, 42, 34, 54


def table(run: Run) -> pd.DataFrame | None:
    """The last periods of the whole base; revenue and profit where they are known."""
    if run.kpis is None:
        return None
    told = run.kpis.kpis
    told = told[(told["by"] == "all") & told["kpi"].isin(SHOWN)]
    last = sorted(told["period"].unique())[-MOST:]
    told = told[told["period"].isin(last)].assign(name=lambda t: t["kpi"])
    order = told["name"].map(SHOWN.index)
    return told.assign(order=order).sort_values(["order", "period"])[COLUMNS].reset_index(drop=True)


def period_name(period: str) -> str:
    """`2025 Q1` as it is, `2025-01` as January 2025."""
    return words.group(period)


def heading(table: pd.DataFrame, about: About) -> str:
    return "Customers, retention, revenue and profit"


def _each(table: pd.DataFrame) -> str:
    return "month" if "-" in str(table["period"].iloc[0]) else "quarter"


def _whole(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Whole periods of one KPI that have a value."""
    rows = rows_of(table, name=name)
    return rows[rows["whole"].astype(bool) & rows["value"].notna()]


def describe(table: pd.DataFrame, about: About) -> Words:
    each = _each(table)
    partial = table.loc[~table["whole"].astype(bool), "period"].unique()
    sub = f"By {each}, as it happened. Retention: of those who bought in the {each} before, the share who bought again."
    currency = f" Money in {about.currency}." if about.currency else ""
    sub += currency + (
        f" Hollow: {words.listing([period_name(p) for p in partial])} is not over in the data." if len(partial) else ""
    )
    said = []
    retention, active = _whole(table, "retention"), _whole(table, "active customers")
    if len(active):
        last = active.iloc[-1]
        said.append(f"In {period_name(last.period)} **{words.counted(last.value, 'customer')}** bought")
        year = 12 if each == "month" else 4
        if len(active) > year:
            said[-1] += f", after {words.count(active.iloc[-1 - year].value)} a year before"
    if len(retention):
        low, high = retention["value"].min(), retention["value"].max()
        said.append(
            f"Of 100 who bought in one {each}, {words.number(100 * low, 1)} to {words.number(100 * high, 1)} bought in "
            f"the next (over {words.counted(len(retention), each)})"
        )
    profit = _whole(table, "profit")
    if len(profit):
        lost = int((profit["value"] < 0).sum())
        total = words.money(profit["value"].sum(), about.currency, words.value_step(profit["value"].sum()))
        said.append(
            f"Whole {each}s brought {total} of profit after all costs" + (f"; {lost} of them lost money" * (lost > 0))
        )
    names = words.listing(list(dict.fromkeys(table["name"])))
    alt = f"Lines of {names} by {each}, {table['period'].min()} to {table['period'].max()}."
    if len(active):
        alt += f" Active customers from {words.count(active.iloc[0].value)} to {words.count(active.iloc[-1].value)}."
    return Words(sub, ". ".join(said) + "." if said else f"No {each} is whole in the data.", alt)


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    names = list(dict.fromkeys(table["name"]))
    columns = 2 if wide else 1
    lines = -(-len(names) // columns)
    figure = style.canvas(width, lines * (HEIGHT + TOP + BOTTOM) + 6)
    across = width / columns
    periods = sorted(table["period"].unique())
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        axes = style.panel(
            figure,
            column * across + LEFT,
            width - (column + 1) * across + 18,
            row * (HEIGHT + TOP + BOTTOM) + TOP,
            (lines - row - 1) * (HEIGHT + TOP + BOTTOM) + BOTTOM + 6,
        )
        _panel(axes, rows_of(table, name=name).set_index("period").reindex(periods), name, about, wide)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, name: str, about: About, wide: bool) -> None:
    """One quantity: a line over whole periods, hollow dots and a dotted end where a period is only begun."""
    values = rows["value"].to_numpy(dtype=float)
    whole = rows["whole"].fillna(True).astype(bool).to_numpy()
    low, high = _limits(values)
    below_zero = 0.03 * (high - low) if low < 0 else 0.0
    axes.set(xlim=(-0.4, max(len(rows) - 0.6, 0.4)), ylim=(low - below_zero, high * 1.06))
    _line(axes, values, whole)
    _dots(axes, values, whole)
    if low < 0:
        axes.axhline(0, color=style.RULE, linewidth=1)
    ticks = style.ticks(low, high, 4)
    style.y_ticks(axes, ticks, [f"{100 * tick:.0f}%" for tick in ticks] if name == "retention" else None)
    style.x_ticks(axes, *_years(list(rows.index), 8 if wide else 7))
    style.say(axes, 0, 1, _panel_title(name, about), va="bottom", transform=style.above(axes, 10, 1 - LEFT))


def _line(axes: Axes, values: Array, whole: NDArray[np.bool_]) -> None:
    """Over whole periods; dotted to the last one where that is only begun."""
    place = np.arange(len(values))
    axes.plot(place[whole], values[whole], color=style.INK, linewidth=1.6)
    if (~whole).any() and whole.any():
        axes.plot(place[-2:], values[-2:], ":", color=style.INK, linewidth=1.2)


def _dots(axes: Axes, values: Array, whole: NDArray[np.bool_]) -> None:
    """A dot a whole period where these are few, else the line alone is clearer; a hollow one for a begun period."""
    place = np.arange(len(values))
    few = len(values) <= FEW
    marked = np.isfinite(values) & whole & few
    axes.plot(place[marked], values[marked], "o", color=style.INK, markersize=5)
    axes.plot(place[~whole], values[~whole], "o", markersize=6, markerfacecolor=style.PAPER, markeredgecolor=style.INK)


def _limits(y: np.ndarray) -> tuple[float, float]:
    """From the lowest to the highest that is known, zero included."""
    finite = y[np.isfinite(y)]
    low, high = min(0.0, finite.min(initial=0.0)), max(0.0, finite.max(initial=0.0))
    return low, high if high > low else low + 1


def _panel_title(name: str, about: About) -> str:
    title = words.capital(name)
    if name == "retention":
        return f"{title}, of the period before"
    if about.currency and name in ("revenue", "profit"):
        return f"{title}, {about.currency}"
    return title


def _years(periods: list[str], most: int) -> tuple[list[float], list[str]]:
    """Ticks where years begin; of a short line all periods, the year at its first. Periods: 2024-01 or 2024 Q1."""
    firsts = [place for place, period in enumerate(periods) if period.endswith(("-01", "Q1"))]
    if len(periods) <= most:
        names = [_within_a_year(period) for period in periods]
        for place in {0, *firsts}:
            names[place] += f"\n{periods[place][:4]}"
        return list(map(float, range(len(periods)))), names
    firsts = firsts or [0]
    every = math.ceil(len(firsts) / most)
    return [float(place) for place in firsts[::every]], [periods[place][:4] for place in firsts[::every]]


def _within_a_year(period: str) -> str:
    """Q1 of 2024 Q1, Jan of 2024-01."""
    return period[5:] if "Q" in period else words.month(f"{period}-01")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    names = list(dict.fromkeys(table["name"]))
    wide = table.pivot(index="period", columns="name", values="value")
    rows = [
        (period_name(str(period)), *(_cell(name, line[name]) for name in names)) for period, line in wide.iterrows()
    ]
    return Numbers((words.capital(_each(table)), *(words.capital(name) for name in names)), rows)


def _cell(name: str, value: float) -> str:
    if not np.isfinite(value):
        return "—"
    return words.share(value, 1) if name == "retention" else words.number(value, 1)


FIGURE = Figure(
    "kpi_trend",
    "active customers, retention, revenue and profit by period",
    "strategy",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
