"""The best customers with the intervals of their rank: a list is a group, not an order.

A league table without rank intervals misleads: Goldstein & Spiegelhalter (1996).
"""

from __future__ import annotations

import math
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

BEST, SMALL, MOST = 12, 60, 25


def places(customers: int, top: int) -> list[int]:
    """The places below the best twelve that are shown: round ones, and the last of the top share."""
    powers = [10**k for k in range(2, 9)]
    round_places = [place for place in powers if place < top]
    if len(round_places) < 3:
        round_places = [place for power in powers for place in (power, 3 * power) if place < top]
    candidates = {*round_places[-3:], top}
    return sorted(place for place in candidates if BEST < place <= customers)


def table(run: Run) -> pd.DataFrame | None:
    """The best customers by what is expected of them, then some further places, with ranks by worth. At most 25
    rows."""
    ranking = run.valued.ranking
    if ranking is None:
        return None
    ranking = ranking.sort_values("expected_mean", ascending=False, kind="stable")
    total = len(ranking)
    top = math.ceil(run.about.top_share * total)
    small = total <= SMALL
    shown = list(range(1, min(total, MOST) + 1)) if small else [*range(1, BEST + 1), *places(total, top)]
    rows = ranking.iloc[np.array(shown) - 1]
    place_names = [words.ordinal(place) for place in shown]
    out = pd.DataFrame({"place": shown, "customer": place_names if run.about.public else rows.index.astype(str)})
    for name in QUANTILES:
        out[f"rank_{name}"] = rows[f"worth_rank_{name}"].to_numpy()
    for name in ("q5", "q95"):
        out[f"realised_rank_{name}"] = rows[f"realised_rank_{name}"].to_numpy()
    for name in ("q5", "q50", "q95"):
        out[f"realised_{name}"] = rows[f"realised_{name}"].to_numpy()
    out["odds_top"] = rows["worth_odds_top"].to_numpy()
    out["part"] = np.where(out["place"] <= (MOST if small else BEST), "best", "place")
    return out


def heading(table: pd.DataFrame, about: About) -> str:
    return "The best customers, and how sure their places are"


def describe(table: pd.DataFrame, about: About) -> Words:
    below = rows_of(table, part="place")
    gain = phrases.gain(about)
    where = words.listing([words.count(place) for place in below.place])
    lower = f" Below the line: the customers at places {where}." if len(below) else ""
    sub = (
        f"In the order of expected {gain}; rank among {words.count(about.customers)} by worth. Dot: median rank; bars: "
        "50% and 90% intervals."
        f"{lower} Right, or in the numbers below: 90% interval of the {gain} that {phrases.horizon(about)} will bring"
        f"{phrases.in_currency(about)}."
    )
    tenth = table.iloc[min(9, len(table) - 1)]
    name, low, high = words.ordinal(int(tenth.place)), words.count(tenth.rank_q5), words.count(tenth.rank_q95)
    by_worth = words.rank_span(tenth.rank_q5, tenth.rank_q95)
    place = f"at place {by_worth}" if low == high else f"from {by_worth}"
    luck = words.rank_span(tenth.realised_rank_q5, tenth.realised_rank_q95)
    caption = (
        f"By worth, the customer listed {name} stands **{place}** (90%); by the {gain} that "
        f"{phrases.horizon(about)} will bring, anywhere from {luck}. Use the list as a group: a list of names is no "
        "order."
    )
    caption += phrases.all_in(about, "customers.csv", f"All {words.count(about.customers)} customers")
    first = table.iloc[0]
    alt = (
        f"Rank intervals of {words.counted(len(table), 'customer')}. The first: {words.count(first.rank_q5)} to "
        f"{words.count(first.rank_q95)}; the {name}: {low} to {high} by worth, {luck} with luck."
    )
    return Words(sub, caption, alt)


def _heights(table: pd.DataFrame) -> np.ndarray:
    """Vertical place of each row, from the top, with a gap before the further places."""
    return -(np.arange(len(table)) + 0.9 * (table["part"] == "place"))


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    names = [words.label(name, 18 if wide else 12) for name in table["customer"]]
    left, columns = style.room(names), _columns(table, about)
    right = sum(width + 20 for _, width, _ in columns) if wide else 16
    heights = _heights(table)
    row, span = (21 if wide else 20), -heights.min() + 1
    figure = style.canvas(width, span * row + 70)
    axes = style.panel(figure, left, right, 30, 40)
    axes.set_ylim(heights.min() - 0.5, 0.5)
    for y, (_, line) in zip(heights, table.iterrows(), strict=True):
        style.interval(axes, y, phrases.quantiles(line, "rank_"))
    style.y_ticks(axes, heights, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    _rank_axis(axes, table, about, wide)
    style.name_y(axes, "customer", rise=8)
    if (table["part"] == "place").any():
        y = heights[table["part"] == "place"].max() + 0.95
        axes.plot([0, 1], [y, y], "--", color=style.RULE, linewidth=1, transform=axes.get_yaxis_transform())
    if wide:
        _write(axes, columns, heights)
    return figure


def _rank_axis(axes: Axes, table: pd.DataFrame, about: About, wide: bool) -> None:
    most, log = table["rank_q95"].max(), about.customers > SMALL
    if log:
        axes.set_xscale("log")
        axes.minorticks_off()
        every = (1, 3) if most < 3_000 or (wide and most < 30_000) else (1,)
        marks = [k * 10**p for p in range(9) for k in every if k * 10**p <= most * 1.05]
        axes.set_xlim(0.93, most * 1.12)
    else:
        marks = sorted({1.0, *style.ticks(1, most, 6, whole=True)[1:]})
        axes.set_xlim(0.6, most + 0.5)
    style.x_ticks(axes, marks, [words.count(mark) if mark < 1e4 else words.compact(mark) for mark in marks])
    axes.grid(axis="x")
    style.name_x(axes, "rank by worth" + (" (log scale)" if log else ""))


def _columns(table: pd.DataFrame, about: About) -> list[tuple[str, float, list[str]]]:
    """Title, width and cells of the columns at the right."""
    columns = {
        f"{phrases.gain(about)}, {phrases.horizon(about)}": [_value(line) for _, line in table.iterrows()],
        f"in {phrases.top(about)}": [words.probability(odds) for odds in table["odds_top"]],
    }
    return [(title, max(map(style.text_width, (title, *cells))), cells) for title, cells in columns.items()]


def _write(axes: Axes, columns: list[tuple[str, float, list[str]]], heights: np.ndarray) -> None:
    move = 0.0
    for title, width, cells in columns:
        move += width + 20
        style.say(axes, 1, 1, title, style.MUTED, ha="right", va="bottom", transform=style.above(axes, 8, move - 2))
        for y, cell in zip(heights, cells, strict=True):
            style.say(axes, 1, y, cell, ha="right", va="center", transform=style.beside(axes, move - 2))


def _value(line: pd.Series, currency: str | None = None) -> str:
    return words.span(line.realised_q5, line.realised_q95, currency=currency)


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = [
        (
            words.label(line.customer, 40),
            words.count(line.rank_q50),
            words.rank_span(line.rank_q5, line.rank_q95),
            words.rank_span(line.realised_rank_q5, line.realised_rank_q95),
            _value(line, about.currency),
            words.probability(line.odds_top),
        )
        for _, line in table.iterrows()
    ]
    gain = words.capital(phrases.gain(about))
    titles = ("Customer", "Median rank", "90% interval of rank", "With luck", f"{gain}, {phrases.horizon(about)}, 90%")
    return Numbers((*titles, words.capital(f"in {phrases.top(about)}")), rows)


FIGURE = Figure(
    "value_ranking",
    "the best customers with the intervals of their ranks",
    "best",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
