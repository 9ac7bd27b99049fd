"""What the base was expected to be worth at the ends of quarters, each as it could have been said on that day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import QUANTILES
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

MOST = 25
ROW = 26
TOTAL, EACH = "total", "customer"


class Tables(NamedTuple):
    """What the base was worth at the last dates."""

    values: pd.DataFrame
    """Of each date, quantiles of the expected value of the base (level total) and of a customer in it, and what its
    sampling checks found."""
    left_out: pd.DataFrame
    """Dates of which no value is known, with the reason."""


def table(run: Run) -> Tables | None:
    """The last dates: expected value of the base and of a customer in it, and the dates that are left out."""
    if run.kpis is None or run.kpis.base_value.empty:
        return None
    rows = run.kpis.base_value
    rows = rows[(rows["kind"] == "expected") | rows["kind"].isna()]
    if not (rows["of"] == "total").any():
        return None
    last_dates = sorted(rows["date"].unique())[-MOST:]
    rows = rows[rows["date"].isin(last_dates)]
    rows = whole(rows.assign(date=pd.to_datetime(rows["date"])), "customers", "repeat_purchases")
    rows = rows.rename(columns={"of": "level", "left_out": "reason", "note": "found"}).fillna({"found": ""})
    has_value = rows["level"].notna()
    customers = ["customers", "repeat_purchases"]
    values = rows.loc[has_value, ["date", "level", *customers, *QUANTILES, "found"]]
    left_out = rows.loc[~has_value, ["date", *customers, "reason"]]
    return Tables(values.reset_index(drop=True), left_out.astype({"reason": str}).reset_index(drop=True))


def _gain(about: About) -> str:
    """Profit: there are economics, and where no margin is stated a cost model tells it."""
    return "revenue" if about.margin == 1 else "profit"


def heading(tables: Tables, about: About) -> str:
    return "What the base was worth, date by date"


def _ends(tables: Tables, level: str = TOTAL) -> tuple[pd.Series, pd.Series]:
    """The first and the last date."""
    rows = rows_of(tables.values, level=level)
    return rows.iloc[0], rows.iloc[-1]


def describe(tables: Tables, about: About) -> Words:
    sub = (
        f"Expected {_gain(about)} of {phrases.horizon(about)} from each date on{phrases.in_currency(about)}, "
        f"{phrases.discounted(about)}, of the customers known then, by models fitted to the data up to then. "
        "Dot: median; bars: 50% and 90% intervals."
    )
    first, last = _ends(tables)
    customers_were = words.counted(last.customers, "customer was", "customers were")
    said = [
        f"On {words.date(last.date)} the {customers_were} expected to bring "
        f"**{words.span(last.q5, last.q95, currency=about.currency)}** (90%)"
    ]
    if first.date != last.date:
        said[0] += (
            f"; on {words.date(first.date)} the {words.count(first.customers)} of then "
            f"{words.span(first.q5, first.q95, currency=about.currency)}"
        )
        one, two = (words.span(row.q5, row.q95, currency=about.currency) for row in reversed(_ends(tables, EACH)))
        said.append(f"A customer: {one} now, {two} then")
    out = tables.left_out
    said += [f"{words.date(row.date)} is left out ({words.label(row.reason, 80)})" for _, row in out.head(2).iterrows()]
    if len(out) > 2:
        said.append(f"{words.counted(len(out) - 2, 'more date is', 'more dates are')} left out")
    odd = rows_of(tables.values, level=TOTAL)
    odd = odd[odd["found"].fillna("") != ""]
    said += [
        f"A sampling check of {words.date(row.date)} {words.label(row.found, 60)}" for _, row in odd.head(1).iterrows()
    ]
    dates = words.counted(len(rows_of(tables.values, level=TOTAL)), "date")
    alt = f"Intervals of the base's expected {_gain(about)} at {dates}; medians from {_short(first)} to {_short(last)}."
    return Words(sub, ". ".join(said) + ".", alt)


def _short(row: pd.Series) -> str:
    return words.compact(row.q50, words.width_step(row.q5, row.q95))


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    wide = width >= 500
    rows = rows_of(tables.values, level=TOTAL)
    each = rows_of(tables.values, level=EACH).set_index("date")["q50"]
    names = [words.date(date) if wide else _brief(date) for date in rows["date"]]
    left, right = style.room(names), 190 if wide else 16
    figure = style.canvas(width, ROW * len(rows) + 76)
    axes = style.panel(figure, left, right, 36, 40)
    heights = -np.arange(len(rows), dtype=float)
    low, high = min(0.0, float(rows["q5"].min())), max(0.0, float(rows["q95"].max()))
    axes.set(xlim=(low, high + 0.02 * (high - low)), ylim=(heights[-1] - 0.5, 0.5))
    for y, (_, row) in zip(heights, rows.iterrows(), strict=True):
        style.interval(axes, y, phrases.quantiles(row))
    style.y_ticks(axes, heights, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, style.ticks(low, high, 6 if wide else 4))
    axes.grid(axis="x")
    style.name_y(axes, "as of", rise=8)
    style.name_x(axes, f"expected {_gain(about)}, {phrases.horizon(about)}")
    if wide:
        step = words.value_step(float(each.abs().max()), 3)
        columns = (
            ("customers", 80, [words.count(n) for n in rows["customers"]]),
            ("a customer", 182, [words.number(each[date], step) for date in rows["date"]]),
        )
        for title, move, cells in columns:
            style.say(axes, 1, 1, title, style.MUTED, ha="right", va="bottom", transform=style.above(axes, 8, move))
            for y, cell in zip(heights, cells, strict=True):
                style.say(axes, 1, y, cell, ha="right", va="center", transform=style.beside(axes, move))
    return figure


def _brief(date: pd.Timestamp) -> str:
    return f"{date.day} {words.month(date)} {date.year}"


def numbers(tables: Tables, about: About) -> Numbers:
    of_customers = rows_of(tables.values, level=EACH).set_index("date")
    dates = pd.concat([rows_of(tables.values, level=TOTAL), tables.left_out]).sort_values("date", kind="stable")
    rows = []
    for _, row in dates.iterrows():
        customers = words.count(row.customers) if pd.notna(row.customers) else "—"
        if pd.isna(row.level):
            cells = (words.label(row.reason, 60), "—", "—")
        else:
            cells = _value_cells(row, of_customers.loc[row.date], about)
        rows.append((words.date(row.date), customers, *cells))
    return Numbers(("As of", "Customers", "Middle", "90% interval", "A customer, 90%"), rows)


def _value_cells(total: pd.Series, customer: pd.Series, about: About) -> tuple[str, str, str]:
    middle = words.money(total.q50, about.currency, words.width_step(total.q5, total.q95))
    ends = words.span(total.q5, total.q95, currency=about.currency)
    return middle, ends, words.span(customer.q5, customer.q95, currency=about.currency)


FIGURE = Figure(
    "kpi_base_value",
    "expected value of the base at the ends of quarters, without look ahead",
    "strategy",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
