"""What it costs to win a customer against what it costs to keep one, by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

MOST = 12
ROW = 30
SPENT = {"won": "new customers", "active": "active customers", "winning": "spent to win", "keeping": "spent to keep"}


def table(run: Run) -> pd.DataFrame | None:
    """The last year of whole periods, by channel (else the first group that was asked for): customers won, active
    customers summed over the periods, what was spent on both, and the two quotients; groups by customers won."""
    if run.kpis is None:
        return None
    kpis = run.kpis.kpis
    by = _grouping(kpis)
    is_spent, is_grouped = kpis["kpi"].isin(SPENT.values()), kpis["by"].isin(["all", by])
    kpis = kpis[is_spent & is_grouped & kpis["whole"].astype(bool)]
    if not {"spent to win", "spent to keep"} <= set(kpis["kpi"]) or kpis.empty:
        return None
    periods = sorted(kpis["period"].unique())
    year = periods[-_a_year(str(periods[0])) :]
    costs = _costs(kpis[kpis["period"].isin(year)])
    of_groups = costs["by"] != "all"
    bought = costs["win"].notna() | costs["keep"].notna()
    shown = pd.concat([costs[of_groups & bought].head(MOST), costs[~of_groups]])
    return shown.assign(start=year[0], stop=year[-1]).reset_index(drop=True)


def _grouping(kpis: pd.DataFrame) -> str:
    """By channel, else by the first group that was asked for; "all" where there is none."""
    groupings = [by for by in dict.fromkeys(kpis["by"]) if by != "cohort"]
    if "channel" in groupings:
        return "channel"
    return groupings[min(1, len(groupings) - 1)]


def _costs(kpis: pd.DataFrame) -> pd.DataFrame:
    """What was spent on each group, and what one customer cost to win and to keep; the group that won most first."""
    sums = kpis.pivot_table(index=["by", "label"], columns="kpi", values="value", aggfunc="sum")
    costs = pd.DataFrame({name: sums[kpi] for name, kpi in SPENT.items()}).reset_index()
    won = costs["won"].where(costs["won"] > 0)  # of nobody there is no cost a customer
    active = costs["active"].where(costs["active"] > 0)
    costs["win"] = costs["winning"] / won
    costs["keep"] = costs["keeping"] / active
    return costs.sort_values(["won", "label"], ascending=[False, True])


def _a_year(period: str) -> int:
    return 12 if "-" in period else 4


def _period(table: pd.DataFrame) -> str:
    return "month" if "-" in str(table["start"].iloc[0]) else "quarter"


def heading(table: pd.DataFrame, about: About) -> str:
    return "The cost to win a customer, and to keep one"


def _name(row: pd.Series) -> str:
    return "All" if row.by == "all" else words.label(row.label, 40)


def describe(table: pd.DataFrame, about: About) -> Words:
    period, groups = _period(table), table[table["by"] != "all"]
    start, stop = (words.group(table[side].iloc[0]) for side in ("start", "stop"))
    when = f"{start} to {stop}" if start != stop else start
    sub = (
        f"{when}{phrases.in_currency(about)}. Filled dot: cost of acquisition for each new customer. Hollow dot: cost "
        f"of service and of keeping contacts for each active customer in a {period}."
    )
    base = rows_of(table, by="all").iloc[0]
    clauses = [
        f"A new customer costs **{_money(base.win, about)}** to win; an active one {_money(base.keep, about)} "
        f"a {period} to keep"
    ]
    won = groups[groups["win"].notna() & (groups["won"] > 0)]
    if len(won) > 1:
        dear, cheap = won.loc[won["win"].idxmax()], won.loc[won["win"].idxmin()]
        clauses.append(
            f"The dearest to win come by {_name(dear)} ({_money(dear.win, about)}), the cheapest by {_name(cheap)} "
            f"({_money(cheap.win, about)})"
        )
    clauses.append("Costs are averages of what was spent, not what one more customer would cost")
    alt = f"Two dots for each of {words.counted(len(groups), 'group')}: cost to win and cost to keep"
    alt += f"; all together {_money(base.win, about)} and {_money(base.keep, about)}."
    return Words(sub, ". ".join(clauses) + ".", alt)


def _money(value: float, about: About) -> str:
    if not np.isfinite(value):
        return "—"
    return words.money(value, about.currency)


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    names = style.row_names([_name(row) for _, row in table.iterrows()], wide)
    left, right = style.room(names), 120 if wide else 18
    row = ROW + 8 * any("\n" in name for name in names)
    figure = style.canvas(width, row * len(table) + 84)
    axes = style.panel(figure, left, right, 44, 40)
    heights = -np.arange(len(table), dtype=float)
    high = float(np.nanmax([1e-9, *table["win"], *table["keep"]]))
    axes.set(xlim=(0, high * 1.08), ylim=(heights[-1] - 0.5, 0.5))
    for y, (_, line) in zip(heights, table.iterrows(), strict=True):
        _dots(axes, y, line)
    if len(table) > 1:
        axes.axhline(heights[-1] + 0.5, color=style.RULE, linewidth=1)
    style.y_ticks(axes, heights, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, style.ticks(0, high, 6 if wide else 4))
    axes.grid(axis="x")
    style.name_x(axes, "for each customer" + phrases.in_currency(about))
    _labels(axes, table.iloc[0], high, _period(table))
    if wide:
        above = style.above(axes, 8, 112)
        style.say(axes, 1, 1, "new customers", style.MUTED, ha="right", va="bottom", transform=above)
        for y, (_, line) in zip(heights, table.iterrows(), strict=True):
            style.say(axes, 1, y, words.count(line.won), ha="right", va="center", transform=style.beside(axes, 112))
    return figure


def _dots(axes: Axes, y: float, line: pd.Series) -> None:
    """Both costs of a group, joined by a line where both are known."""
    ends = [cost for cost in (line.win, line.keep) if np.isfinite(cost)]
    axes.plot(ends, [y] * len(ends), color=style.GRID, linewidth=3, zorder=1)
    axes.plot(line.win, y, "o", color=style.INK, markersize=8, clip_on=False, zorder=3)
    hollow: dict = {"markerfacecolor": style.PAPER, "markeredgecolor": style.TEAL, "markeredgewidth": 2}
    axes.plot(line.keep, y, "o", markersize=8, clip_on=False, zorder=3, **hollow)


class Dot(NamedTuple):
    """A cost of the first row, as it is named."""

    cost: float
    name: str
    colour: str


def _labels(axes: Axes, line: pd.Series, high: float, period: str) -> None:
    """The two dots of the first row are named, above it, from left to right."""
    dots = [Dot(line.win, "to win", style.INK), Dot(line.keep, f"to keep a {period}", style.TEAL)]
    dots = sorted((dot for dot in dots if np.isfinite(dot.cost)), key=lambda dot: dot.cost)
    across = style.pixels(axes)[0]
    scale = across / (high * 1.08)
    places = [dot.cost * scale for dot in dots]
    widths = [style.text_width(dot.name, "bold") for dot in dots]
    centres = style.spread(places, widths, 0, across + 12)
    options: dict = {"ha": "center", "va": "bottom", "weight": "bold", "transform": style.above(axes, 8)}
    for centre, dot in zip(centres, dots, strict=True):
        style.say(axes, centre / across, 1, dot.name, dot.colour, **options)


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = []
    for _, row in table.iterrows():
        amounts = [_money(row[name], about) for name in ("winning", "win", "keeping", "keep")]
        rows.append((_name(row), words.count(row.won), *amounts))
    keep = f"Cost to keep, a {_period(table)}"
    return Numbers(("Group", "New customers", "Spent to win", "Cost to win", "Spent to keep", keep), rows)


FIGURE = Figure(
    "kpi_win_keep",
    "cost to win a customer against cost to keep one, by channel",
    "strategy",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
