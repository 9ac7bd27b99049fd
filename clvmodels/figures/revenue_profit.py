"""Large by revenue, not by profit: customers by their revenue to date and by the profit that is expected of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

CELLS, SMALL, NAMED = 25, 60, 10


def table(run: Run) -> pd.DataFrame | None:
    """At most 25 x 25 cells of percentiles with their customers (of few customers a dot each); how many lead by one and
    by both; the customers who lead most by revenue, but not by profit."""
    from clvmodels.decisions.rank import top_count

    if run.valued.ranking is None or run.made is None:
        return None
    revenue = run.made["revenue"].reindex(run.valued.ranking.index)
    profit = run.valued.ranking["expected_mean"]
    places = pd.DataFrame({"revenue_place": _places(revenue, profit), "profit_place": _places(profit, revenue)})
    top = top_count(len(places), run.about.top_share)
    leads = places <= top
    both = int(leads.all(axis=1).sum())
    rows: list[dict] = [{"kind": "top", "customers": top}, {"kind": "both", "customers": both}]
    rows.append({"kind": "moved", "customers": top - both})
    moved = places[leads["revenue_place"] & ~leads["profit_place"]].sort_values("revenue_place")
    for name, line in moved[:NAMED].iterrows():
        shown = f"{words.ordinal(int(line.revenue_place))} by revenue" if run.about.public else str(name)
        rows.append({"kind": "example", "customer": shown, **{k: int(v) for k, v in line.items()}})
    points = _points(pd.DataFrame({"x": revenue.rank(), "y": profit.rank()}))
    return whole(pd.DataFrame([*rows, *points]), "customers", "revenue_place", "profit_place")


def _places(first: pd.Series, then: pd.Series) -> pd.Series:
    """Places from 1, the highest first; the tied in the order of the other quantity."""
    order = np.lexsort((-then.to_numpy(dtype=float), -first.to_numpy(dtype=float)))
    places = np.empty(len(order), dtype=int)
    places[order] = np.arange(1, len(order) + 1)
    return pd.Series(places, index=first.index)


def _points(ranks: pd.DataFrame) -> list[dict]:
    """Cells with their customers, x by revenue and y by profit, 0 the worst; of few customers percentiles. The tied
    share their rank, so that no order of theirs draws a line."""
    share = (ranks - 0.5) / len(ranks)
    if len(ranks) <= SMALL:
        found = share.sort_values(["x", "y"], ascending=False)
        return [{"kind": "dot", "x": 100 * x, "y": 100 * y, "customers": 1} for x, y in found.itertuples(index=False)]
    counts = np.minimum((CELLS * share).astype(int), CELLS - 1).groupby(["x", "y"]).size()
    return [{"kind": "cell", "x": x, "y": y, "customers": int(n)} for (x, y), n in counts.items()]


def heading(table: pd.DataFrame, about: About) -> str:
    return f"Large by revenue, not by {_gain(about)}"


def _gain(about: About) -> str:
    return "profit to come" if phrases.gain(about) == "profit" else "revenue to come"


def describe(table: pd.DataFrame, about: About) -> Words:
    top, both, moved = (int(row_of(table, kind=kind).customers) for kind in ("top", "both", "moved"))
    shown = "Each dot is a customer" if len(rows_of(table, kind="dot")) else "Each cell holds customers; darker: more"
    sub = (
        f"{shown}. Across: revenue to date; upwards: {phrases.gain(about)} expected in {phrases.horizon(about)}. "
        f"Lines mark the {phrases.top(about)}."
    )
    caption = (
        f"**{words.count(moved)} of the {words.count(top)}** customers with the highest revenue to date are not among "
        f"the {words.count(top)} of whom the highest {phrases.gain(about)} is expected ({words.count(both)} are in "
        "both): what was bought tells neither who is gone nor who costs more."
    )
    examples = rows_of(table, kind="example")
    if len(examples):
        one = examples.iloc[0]
        name = "the customer" if about.public else words.label(one.customer, 24)
        caption += f" Example: {name} at place {words.count(one.revenue_place)} by revenue stands at place "
        caption += f"{words.count(one.profit_place)} by {_gain(about)}."
    alt = (
        f"Square of customers by percentile of revenue to date and of expected {phrases.gain(about)}; of the "
        f"{words.count(top)} best by revenue {words.count(moved)} lie below the {phrases.top(about)} by "
        f"{phrases.gain(about)}."
    )
    return Words(sub, caption, alt)


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    figure = style.canvas(width, width)
    axes = style.panel(figure, 46, 14, 36, 42)
    axes.set(xlim=(0, 100), ylim=(0, 100))
    cells, dots = rows_of(table, kind="cell"), rows_of(table, kind="dot")
    size = 100 / CELLS
    if len(cells):
        boxes = np.column_stack([cells.x, cells.x + 1, cells.y, cells.y + 1]) * size
        style.cells(axes, boxes, cells.customers.to_numpy())
    axes.plot(dots.x, dots.y, "o", color=style.BLUE, markersize=6, alpha=0.7, markeredgewidth=0, clip_on=False)
    cut = 100 * (1 - about.top_share)
    axes.axhline(cut, color=style.INK, linewidth=1)
    axes.axvline(cut, color=style.INK, linewidth=1)
    _corners(axes, table, cut)
    marks = [mark for mark in (20, 40, 60, 80) if abs(mark - cut) < 0.1 or abs(mark - cut) > 8]
    names = ["worst", *(str(mark) for mark in marks), "best"]
    style.x_ticks(axes, [0, *marks, 100], names)
    style.y_ticks(axes, [0, *marks, 100], names, grid=False)
    across, upwards = axes.get_xticklabels(), axes.get_yticklabels()  # in the corner the two words would meet
    across[0].set_horizontalalignment("left")
    across[-1].set_horizontalalignment("right")
    upwards[0].set_verticalalignment("bottom")
    upwards[-1].set_verticalalignment("top")
    style.name_x(axes, "percentile by revenue to date")
    style.name_y(axes, f"percentile by expected {phrases.gain(about)}", rise=14)
    return figure


def _corners(axes: Axes, table: pd.DataFrame, cut: float) -> None:
    """How many lead by the one and not by the other, in the corners where they are."""
    moved = words.count(row_of(table, kind="moved").customers)
    for x, y, side, text in (
        (3, min(cut + 4, 94), "left", f"{moved} by profit to come only"),
        (97, 3, "right", f"{moved} by revenue only"),
    ):
        style.say(
            axes,
            x,
            y,
            text,
            ha=side,
            va="bottom",
            weight="bold",
            bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 2, "alpha": 0.8},
        )


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = [
        (words.label(row.customer, 40), words.count(row.revenue_place), words.count(row.profit_place))
        for _, row in rows_of(table, kind="example").iterrows()
    ]
    title = "First among the best by revenue only"
    return Numbers((title, "Place by revenue to date", f"Place by expected {phrases.gain(about)}"), rows)


FIGURE = Figure(
    "revenue_profit",
    "customers by revenue to date and by expected profit",
    "best",
    "square",
    heading,
    table,
    describe,
    draw,
    numbers,
)
