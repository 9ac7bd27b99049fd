"""When a new customer of each channel has paid for the cost to win, and what may be paid at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

SURE = 0.9
ROW = 28


def table(run: Run) -> pd.DataFrame | None:
    """A row a channel, as the run computed it (`decisions.payback`); None where nothing tells what winning costs."""
    return None if run.payback is None or judged(run.payback).empty else run.payback


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """The channels that are large enough to be judged: one a row."""
    return table[table["q50"].notna()].reset_index(drop=True) if "q50" in table else table[:0]


def heading(table: pd.DataFrame, about: About) -> str:
    return "When a channel's customers have paid for themselves"


def _rule(table: pd.DataFrame) -> str:
    return words.duration(round(float(judged(table)["rule"].iloc[0]), 1), "month")


def describe(table: pd.DataFrame, about: About) -> Words:
    channels, rule = judged(table), _rule(table)
    beyond = f"; arrow: beyond {phrases.horizon(about)}" if np.isinf(channels["q95"]).any() else ""
    sub = (
        "Months until the expected profit of an average new customer, first order included, covers the cost to win. "
        f"Dot: median; bars: 50% and 90% intervals{beyond}."
    )
    caption = " ".join([_verdict(channels, rule), _most(channels, about), *_alike(table), *_left_out(table)])
    best = channels.loc[channels["odds"].idxmax()]
    alt = (
        f"Intervals of months to payback of {words.counted(len(channels), 'channel')}, with a line at {rule}; "
        f"{words.label(best.channel, 24)} is covered by then with {words.probability(best.odds)} probability."
    )
    return Words(sub, caption, alt)


def _verdict(channels: pd.DataFrame, rule: str) -> str:
    """Who meets the rule surely, and the odds of the others."""
    sure = [words.label(c, 24) for c in channels.loc[channels["odds"] >= SURE, "channel"]]
    others = [
        f"{words.label(line.channel, 24)} {words.probability(line.odds)}"
        for line in channels[channels["odds"] < SURE].sort_values("odds", ascending=False, kind="stable").itertuples()
    ]
    named = words.listing(sure[:6]) + (f" and {len(sure) - 6} more" if len(sure) > 6 else "")
    told = words.listing(others[:6]) + (f" and {len(others) - 6} more" if len(others) > 6 else "")
    if not sure:
        return f"Probability of being covered within {rule}: {told}."
    first = (
        f"**{named}** cover{'s' if len(sure) == 1 else ''} the cost to win within {rule} with at least 90% probability"
    )
    return first + (f"; the others by probability: {told}." if others else ".")


def _paid(channels: pd.DataFrame, about: About) -> str:
    """The most that may be paid, in the channel that allows the most and in the one that allows the least."""
    ends = channels.loc[[channels["most_q5"].idxmax(), channels["most_q5"].idxmin()]].drop_duplicates("channel")
    each = [
        f"{_money(line.most_q5, about)} for a customer of {words.label(line.channel, 24)}" for line in ends.itertuples()
    ]
    return words.listing(each)


def _most(channels: pd.DataFrame, about: About) -> str:
    """What may be paid at most, of the channel that allows the most and of the one that allows the least."""
    return (
        f"Pay at most {_paid(channels, about)}: with 95% probability an average new customer is worth more than that "
        f"over {phrases.horizon(about)}. One customer may bring much more or nothing."
    )


def _alike(table: pd.DataFrame) -> list[str]:
    """What the models do not tell apart by channel, which only the reader may know to differ."""
    alike = table["alike"].iloc[0] if "alike" in table else ""
    if not isinstance(alike, str) or not alike:
        return []
    named = words.listing(alike.split(", "))
    return [f"The models take {named} as alike in all channels; an effect of the channel would tell them apart."]


def _left_out(table: pd.DataFrame) -> list[str]:
    small = table[table["q50"].isna()]
    if small.empty:
        return []
    n, customers = int(small["channels"].sum()), int(small["customers"].sum())
    is_left = "is" if n == 1 else "are"
    return [f"{words.counted(n, 'small channel')} with {words.counted(customers, 'customer')} {is_left} left out."]


def _money(value: float, about: About) -> str:
    return words.money(value, about.currency, max(0.01, words.value_step(value, 2)))


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide, channels = width >= 500, judged(table)
    names = style.row_names([words.group(name) for name in channels["channel"]], wide)
    columns = _columns(channels, about) if wide else []
    right = sum(size + 18 for _, size, _ in columns) + 4 if wide else 20
    row = 36 if any("\n" in name for name in names) else ROW
    figure = style.canvas(width, row * len(channels) + (92 if wide else 80))
    axes = style.panel(figure, style.room(names), right, 40 if wide else 28, 42)
    y = -np.arange(len(channels), dtype=float)
    last = float(channels["horizon"].iloc[0])
    axes.set(xlim=(0, last), ylim=(y.min() - 0.5, 0.5))
    for height, (_, line) in zip(y, channels.iterrows(), strict=True):
        _months(axes, height, phrases.quantiles(line), last)
    rule = float(channels["rule"].iloc[0])
    axes.axvline(rule, color=style.INK, linewidth=1)
    style.say(
        axes,
        rule,
        0.5,
        f"rule: {_rule(channels)}",
        style.MUTED,
        va="bottom",
        ha="right" if rule > 0.5 * last else "left",
        transform=style.shift(axes, 0, 4),
    )
    style.y_ticks(axes, y, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, style.ticks(0, last, 6 if wide else 4))
    axes.grid(axis="x")
    style.name_x(axes, "months after the first order")
    _write(axes, columns, y)
    return figure


def _months(axes: Axes, y: float, q: list[float], last: float) -> None:
    """An interval, and an arrow at the horizon where it goes on beyond it."""
    seen = [min(value, last) for value in q]
    if np.isfinite(q[2]):
        style.interval(axes, y, seen)
    else:
        axes.plot(seen[0::4], [y, y], color=style.BLUE, linewidth=2, alpha=0.65, clip_on=False, zorder=3)
        axes.plot(seen[1:4:2], [y, y], color=style.BLUE, linewidth=6, clip_on=False, zorder=3)
    if np.isinf(q[4]):
        colour = style.RED if np.isinf(q[2]) else style.BLUE
        axes.plot(last, y, ">", color=colour, markersize=8, markeredgewidth=0, clip_on=False, zorder=5)


def _columns(channels: pd.DataFrame, about: About) -> list[tuple[str, float, list[str]]]:
    """Title, width and cells of the columns at the right."""
    step = words.value_step(float(channels["most_q5"].abs().max()), 2)
    cells = {
        "customers": [words.count(n) for n in channels["customers"]],
        f"by {_rule(channels)}": [words.probability(odds) for odds in channels["odds"]],
        f"pay at most (now){phrases.in_currency(about)}": [
            f"{words.number(line.most_q5, step)} ({words.number(line.cost, step)})" for line in channels.itertuples()
        ],
    }
    return [(title, max(map(style.text_width, (title, *column))), column) for title, column in cells.items()]


def _write(axes: Axes, columns: list[tuple[str, float, list[str]]], heights: np.ndarray) -> None:
    move = 0.0
    for title, size, cells in columns:
        move += size + 18
        style.say(axes, 1, 0.5, title, style.MUTED, ha="right", va="bottom", transform=style.beside(axes, move, 4))
        for y, cell in zip(heights, cells, strict=True):
            style.say(axes, 1, y, cell, ha="right", va="center", transform=style.beside(axes, move))


def months(low: float, high: float) -> str:
    """A range of months; an end beyond the horizon is said so."""
    if np.isinf(low):
        return "beyond the horizon"
    if np.isinf(high):
        return f"{words.number(low, 0.1)} to beyond the horizon"
    return words.span(low, high, step=max(0.1, words.width_step(low, high)))


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = [
        (
            words.label(line.channel, 40),
            words.count(line.customers),
            _money(line.cost, about),
            months(line.q50, line.q50),
            months(line.q5, line.q95),
            words.probability(line.odds),
            _money(line.most_q5, about),
            _money(line.most_q50, about),
        )
        for line in judged(table).itertuples()
    ]
    titles = (
        "Channel",
        "Customers",
        "Cost to win",
        "Months, middle",
        "Months, 90%",
        f"Within {_rule(table)}",
        "Pay at most",
        "Worth, middle",
    )
    return Numbers(titles, rows)


def lead(table: pd.DataFrame, about: About) -> str:
    """The chapter's first sentence: what may be paid at most."""
    channels = judged(table)
    above = [words.label(line.channel, 24) for line in channels.itertuples() if line.cost > line.most_q5]
    said = f"Pay at most {_paid(channels, about)}."
    return said + (
        f" {words.listing(above[:4])} cost{'s' if len(above) == 1 else ''} more than that now." if above else ""
    )


FIGURE = Figure(
    "payback",
    "months until a channel's new customers have paid for themselves",
    "spend",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
