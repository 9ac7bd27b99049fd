"""Do customers with a high forecast bring as much as was forecast: means of fifths by forecast, beside what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run


class Tables(NamedTuple):
    """Mean held-out money of customers in five groups by their forecast."""

    groups: pd.DataFrame
    """A row a kind of money and group: money, fifth (1 is the lowest), customers, actual, q5 to q95, side."""
    inside: pd.DataFrame
    """A row a kind: how many groups lie inside their 90% intervals, how many are expected, and whether that is enough.
    The last kind is the one that is sold."""


def table(run: Run) -> Tables | None:
    """Of every kind of money of the recommended entry."""
    judgement = run.judgement
    if judgement is None or not judgement.judged.money:
        return None
    groups, inside = [], []
    for money in judgement.judged.money.values():
        groups += [{"money": money.name, **row} for row in money.fifths.groups]
        inside.append({"money": money.name, **money.fifths.inside._asdict(), "holds": money.fifths.holds})
    return Tables(pd.DataFrame(groups), pd.DataFrame(inside))


def sold(tables: Tables) -> str:
    """The kind of money that is sold, and drawn: the last."""
    return str(tables.inside["money"].iloc[-1])


def heading(tables: Tables, about: About) -> str:
    return "Do those bring most of whom most is forecast?"


def describe(tables: Tables, about: About) -> Words:
    shown, kind = rows_of(tables.groups, money=sold(tables)), sold(tables)
    inside = row_of(tables.inside, money=kind)
    sub = (
        f"Mean {kind} of a customer in {phrases.window(about)} held out{phrases.in_currency(about)}, by fifths of the "
        "customers from the lowest forecast to the highest. Dots: what came; boxes: 50% and 90% intervals of the mean."
    )
    best = shown.iloc[-1]
    fails = "" if inside.holds else ": **this check fails**"
    caption = (
        f"In {words.count(inside.actual)} of {words.count(inside.of)} groups the mean that came lies inside the 90% "
        f"interval; {phrases.expected_inside(inside)} expected{fails}. The best group brought "
        f"{_step_of(best, 'actual')} a customer where {_span(best)} was forecast.{_other_failures(tables)}"
    )
    ends = f"from {_step_of(shown.iloc[0], 'actual')} to {_step_of(best, 'actual')}"
    alt = f"Means that came, {ends}, and forecast boxes by fifths; {words.count(inside.actual)} of {len(shown)} inside."
    return Words(sub, caption, alt)


def _other_failures(tables: Tables) -> str:
    """Kinds that are not drawn and fail."""
    failing = [row.money for row in tables.inside.iloc[:-1].itertuples() if not row.holds]
    return f" The groups fail for {words.listing(failing)} as well." if failing else ""


def _step_of(row: pd.Series, name: str) -> str:
    return words.number(row[name], words.width_step(row.q5, row.q95))


def _span(row: pd.Series) -> str:
    return words.span(row.q5, row.q95)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    figure = style.canvas(width, 290)
    axes = style.panel(figure, 58, 12, 44, 56)
    shown = rows_of(tables.groups, money=sold(tables)).reset_index(drop=True)
    ends = shown[["actual", "q5", "q95"]].to_numpy()
    low, high = min(float(ends.min()), 0.0), max(float(ends.max()), 0.0)
    room = 0.08 * (high - low) or 1.0
    axes.set(xlim=(-0.6, len(shown) - 0.4), ylim=(low - (room if low < 0 else 0.0), high + room))
    for x, row in shown.iterrows():
        for bottom, top, alpha in (("q5", "q95", style.BAND_90), ("q25", "q75", style.BAND_50)):
            axes.fill_between([x - 0.32, x + 0.32], row[bottom], row[top], color=style.BLUE, alpha=alpha, linewidth=0)
        colour = style.INK if row.side == "inside" else style.RED
        axes.plot(x, row.actual, "o", color=colour, markersize=6, clip_on=False)
    if low < 0:
        axes.axhline(0, color=style.RULE, linewidth=1)
    style.y_ticks(axes, style.ticks(low, high, 6))
    last = len(shown) - 1
    names = {0: "lowest", last: "highest"}
    style.x_ticks(axes, range(len(shown)), [names.get(place, words.ordinal(place + 1)) for place in range(len(shown))])
    style.name_x(axes, "fifth of the customers by forecast")
    style.name_y(axes, f"{sold(tables)} per customer{phrases.in_currency(about)}", rise=18)
    return figure


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for _, row in tables.groups.iterrows():
        kind = f"{words.capital(row.money)}, {words.ordinal(row.fifth)} fifth"
        rows.append((kind, words.count(row.customers), _step_of(row, "actual"), _step_of(row, "q50"), _span(row)))
    return Numbers(("Money and fifth", "Customers", "Came", "Forecast", "90% interval"), rows)


FIGURE = Figure(
    "money_fifths",
    "held-out money of fifths of customers by forecast",
    "trust",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
