"""Large by revenue, not by profit: customers by their revenue to date and by the profit that is expected of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, typed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

CELLS, SMALL, NAMED = 25, 60, 10


class Tables(NamedTuple):
    """Customers by two rankings: revenue to date, and profit to come."""

    counts: pd.DataFrame
    """One row: the places at the top, how many customers hold one by both, and how many by revenue only (moved)."""
    examples: pd.DataFrame
    """Customers at the top by revenue only, with both places, the highest revenue first."""
    cells: pd.DataFrame
    """Of many customers at most 25 x 25 cells of percentiles, x by revenue and y by profit, with their customers."""
    dots: pd.DataFrame
    """Of few customers the percentiles of each."""


def table(run: Run) -> Tables | None:
    """How many lead by one ranking and by both, and where all customers stand."""
    from clvmodels.decisions.rank import top_count

    if run.valued.ranking is None or run.made is None:
        return None
    revenue = run.made["revenue"].reindex(run.valued.ranking.index)
    profit = run.valued.ranking["expected_mean"]
    places = pd.DataFrame({"revenue_place": _places(revenue, profit), "profit_place": _places(profit, revenue)})
    top = top_count(len(places), run.about.top_share)
    leads = places <= top
    in_both = int(leads.all(axis=1).sum())
    examples = []
    moved = places[leads["revenue_place"] & ~leads["profit_place"]].sort_values("revenue_place")
    for name, line in moved[:NAMED].iterrows():
        customer = f"{words.ordinal(int(line.revenue_place))} by revenue" if run.about.public else str(name)
        examples.append({"customer": customer, **line})
    ranks = pd.DataFrame({"x": revenue.rank(), "y": profit.rank()})
    few = len(ranks) <= SMALL
    return Tables(
        pd.DataFrame([{"top": top, "both": in_both, "moved": top - in_both}]),
        typed(examples, customer=str, revenue_place=int, profit_place=int),
        typed([] if few else _cells(ranks), x=int, y=int, customers=int),
        typed(_dots(ranks) if few else [], x=float, y=float),
    )


def _places(first: pd.Series, then: pd.Series) -> pd.Series:
    """Places from 1, the highest first; the tied in the order of the other quantity."""
    order = np.lexsort((-then.to_numpy(dtype=float), -first.to_numpy(dtype=float)))
    places = np.empty(len(order), dtype=int)
    places[order] = np.arange(1, len(order) + 1)
    return pd.Series(places, index=first.index)


def _shares(ranks: pd.DataFrame) -> pd.DataFrame:
    """Places between 0, the worst, and 1. The tied share their rank, so that no order of theirs draws a line."""
    return (ranks - 0.5) / len(ranks)


def _dots(ranks: pd.DataFrame) -> list[dict]:
    best_first = _shares(ranks).sort_values(["x", "y"], ascending=False)
    return [{"x": 100 * x, "y": 100 * y} for x, y in best_first.itertuples(index=False)]


def _cells(ranks: pd.DataFrame) -> list[dict]:
    cells = (CELLS * _shares(ranks)).astype(int)
    cells = np.minimum(cells, CELLS - 1)
    counts = cells.groupby(["x", "y"]).size()
    return [{"x": x, "y": y, "customers": customers} for (x, y), customers in counts.items()]


def heading(tables: Tables, about: About) -> str:
    return f"Large by revenue, not by {_gain(about)}"


def _gain(about: About) -> str:
    return "profit to come" if phrases.gain(about) == "profit" else "revenue to come"


def describe(tables: Tables, about: About) -> Words:
    top, common, moved = row_of(tables.counts)[["top", "both", "moved"]]
    marks = "Each dot is a customer" if len(tables.dots) else "Each cell holds customers; darker: more"
    sub = (
        f"{marks}. Across: revenue to date; upwards: {phrases.gain(about)} expected in {phrases.horizon(about)}. "
        f"Lines mark the {phrases.top(about)}."
    )
    are, in_both = words.agreeing(moved, "is", "are"), words.counted(common, "is", "are")
    caption = (
        f"**{words.count(moved)} of the {words.count(top)}** {words.agreeing(top, 'customer')} with the highest "
        f"revenue to date {are} not among the {words.count(top)} of whom the highest {phrases.gain(about)} is expected "
        f"({in_both} in both): what was bought tells neither who is gone nor who costs more."
    )
    if len(tables.examples):
        example = tables.examples.iloc[0]
        name = "the customer" if about.public else words.label(example.customer, 24)
        caption += f" Example: {name} at place {words.count(example.revenue_place)} by revenue stands at place "
        caption += f"{words.count(example.profit_place)} by {_gain(about)}."
    alt = (
        f"Square of customers by percentile of revenue to date and of expected {phrases.gain(about)}; of the "
        f"{words.count(top)} best by revenue {words.counted(moved, 'lies', 'lie')} below the {phrases.top(about)} by "
        f"{phrases.gain(about)}."
    )
    return Words(sub, caption, alt)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    figure = style.canvas(width, width)
    axes = style.panel(figure, 46, 14, 36, 42)
    axes.set(xlim=(0, 100), ylim=(0, 100))
    cells, dots = tables.cells, tables.dots
    size = 100 / CELLS
    if len(cells):
        boxes = np.column_stack([cells.x, cells.x + 1, cells.y, cells.y + 1]) * size
        style.cells(axes, boxes, cells.customers.to_numpy())
    axes.plot(dots.x, dots.y, "o", color=style.BLUE, markersize=6, alpha=0.7, markeredgewidth=0, clip_on=False)
    cut = 100 * (1 - about.top_share)
    axes.axhline(cut, color=style.INK, linewidth=1)
    axes.axvline(cut, color=style.INK, linewidth=1)
    _corners(axes, tables, cut)
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


def _corners(axes: Axes, tables: Tables, cut: float) -> None:
    """How many lead by the one and not by the other, in the corners where they are."""
    moved = words.count(row_of(tables.counts).moved)
    box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 2, "alpha": 0.8}
    options: dict = {"va": "bottom", "weight": "bold", "bbox": box}
    style.say(axes, 3, min(cut + 4, 94), f"{moved} by profit to come only", ha="left", **options)
    style.say(axes, 97, 3, f"{moved} by revenue only", ha="right", **options)


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for _, row in tables.examples.iterrows():
        places = words.count(row.revenue_place), words.count(row.profit_place)
        rows.append((words.label(row.customer, 40), *places))
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
    Tables,
)
