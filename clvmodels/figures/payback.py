"""When a new customer of each channel has paid for the cost to win, and what may be paid at most; beside it what past
customers of the channel made. Where a part of value does not know the channel, that alone, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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
MOST_NAMED = 6
LABEL = 30
"""Pixels from one tick to the next, at least."""


class Tables(NamedTuple):
    """When new customers of the channels have paid for themselves; see `decisions.payback.Payback`."""

    channels: pd.DataFrame
    """A row a channel that is large enough to be judged."""
    small: pd.DataFrame
    """One row of the channels that are not, together, or none."""
    alike: pd.DataFrame
    """A row a part of value that is taken as alike in all channels; where there is one, months and what may be paid are
    withheld."""


def table(run: Run) -> Tables | None:
    """As the run computed them; None where nothing tells what winning costs, or all channels are small."""
    if run.payback is None or run.payback.channels.empty:
        return None
    return Tables(*run.payback)


def is_withheld(tables: Tables) -> bool:
    """Whether months and what may be paid are not told."""
    return not tables.alike.empty


def heading(tables: Tables, about: About) -> str:
    if is_withheld(tables):
        return "What a channel's customers cost, and made"
    return "When a channel's customers have paid for themselves"


def _rule(channels: pd.DataFrame) -> str:
    return words.duration(round(float(channels["rule"].iloc[0]), 1), "month")


def describe(tables: Tables, about: About) -> Words:
    return _describe_past(tables, about) if is_withheld(tables) else _describe(tables, about)


def _describe_past(tables: Tables, about: About) -> Words:
    channels, rule = tables.channels, _rule(tables.channels)
    sub = (
        f"Profit of a past customer in the first {rule}, first order included and discounted to it (dot), and what it "
        f"costs to win one (line){phrases.in_currency(about)}."
    )
    withheld = f"**When a channel has paid for itself, and what may be paid, is withheld**: {because(tables)}."
    known = words.counted(int((channels["cohort"] > 0).sum()), "channel")
    alt = (
        f"Dots of the profit of a past customer in {known} beside a line at the cost to win; months to payback are "
        "withheld."
    )
    return Words(sub, " ".join([withheld, *_past(channels, about), *_left_out(tables)]), alt)


def because(tables: Tables) -> str:
    """Which parts take all channels as alike, and what to write."""
    parts, remedies = list(tables.alike["part"]), list(dict.fromkeys(tables.alike["write"]))
    takes = words.agreeing(len(parts), "takes", "take")
    write = words.listing(remedies)
    return f"the value's {words.listing(parts)} {takes} all channels as alike, and {write} would tell them apart"


def _describe(tables: Tables, about: About) -> Words:
    channels, rule = tables.channels, _rule(tables.channels)
    beyond = f"; arrow: beyond {phrases.horizon(about)}" if np.isinf(channels["q95"]).any() else ""
    sub = (
        "Months until the expected profit of an average new customer, first order included, covers the cost to win. "
        f"Dot: median; bars: 50% and 90% intervals{beyond}."
    )
    sentences = [_verdict(channels, rule), _most(channels, about), *_past(channels, about), *_left_out(tables)]
    best = channels.loc[channels["odds"].idxmax()]
    alt = (
        f"Intervals of months to payback of {words.counted(len(channels), 'channel')}, with a line at {rule}; "
        f"{words.label(best.channel, 24)} is covered by then with {words.probability(best.odds)} probability."
    )
    return Words(sub, " ".join(sentences), alt)


def _verdict(channels: pd.DataFrame, rule: str) -> str:
    """Who meets the rule surely, and the odds of the others."""
    is_sure = channels["odds"] >= SURE
    sure = [words.label(name, 24) for name in channels.loc[is_sure, "channel"]]
    others = []
    for line in channels[~is_sure].sort_values("odds", ascending=False, kind="stable").itertuples():
        others.append(f"{words.label(line.channel, 24)} {words.probability(line.odds)}")
    if not sure:
        return f"Probability of being covered within {rule}: {_first(others)}."
    cover = words.agreeing(len(sure), "covers", "cover")
    verdict = f"**{_first(sure)}** {cover} the cost to win within {rule} with at least 90% probability"
    if others:
        verdict += f"; the others by probability: {_first(others)}"
    return f"{verdict}."


def _first(names: list[str]) -> str:
    """The first six, and how many more."""
    named = words.listing(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _paid(channels: pd.DataFrame, about: About) -> str:
    """The most that may be paid, in the channel that allows the most and in the one that allows the least."""
    most, least = channels["most_q5"].idxmax(), channels["most_q5"].idxmin()
    amounts = []
    for line in channels.loc[[most, least]].drop_duplicates("channel").itertuples():
        amounts.append(f"{_at_most(line, about)} for a customer of {words.label(line.channel, 24)}")
    return words.listing(amounts)


def _at_most(line: Any, about: About) -> str:
    """What may be paid; nothing for a customer who may bring none."""
    return _money(line.most_q5, about) if line.most_q5 > 0 else "nothing"


def _most(channels: pd.DataFrame, about: About) -> str:
    """What may be paid at most, of the channel that allows the most and of the one that allows the least."""
    return (
        f"Pay at most {_paid(channels, about)}: with 95% probability an average new customer is worth more than that "
        f"over {phrases.horizon(about)}. One customer may bring much more or nothing."
    )


def _past(channels: pd.DataFrame, about: About) -> list[str]:
    """What past customers made, in the channel where it was most and in the one where it was least."""
    known = channels[channels["cohort"] > 0]
    if known.empty:
        return [f"No past customer is old enough to say what one made in {_rule(channels)}."]
    ends = known.loc[[known["made"].idxmax(), known["made"].idxmin()]].drop_duplicates("channel")
    amounts = [f"{_money(line.made, about)} in {words.label(line.channel, 24)}" for line in ends.itertuples()]
    return [f"A past customer made {words.listing(amounts)} in the first {_rule(channels)}, before the cost to win."]


def _left_out(tables: Tables) -> list[str]:
    sentences = []
    for line in tables.small.itertuples():
        channels, are = words.counted(line.channels, "small channel"), words.agreeing(line.channels, "is", "are")
        sentences.append(f"{channels} with {words.counted(line.customers, 'customer')} {are} left out.")
    return sentences


def _money(value: float, about: About) -> str:
    return words.money(value, about.currency, max(0.01, words.value_step(value, 2)))


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    return _draw_past(tables, about, width) if is_withheld(tables) else _draw_months(tables, about, width)


def _draw_past(tables: Tables, about: About, width: int) -> Canvas:
    """What a past customer made, beside a line at what it costs to win one."""
    is_wide, channels = width >= 500, tables.channels
    names = style.row_names([words.group(name) for name in channels["channel"]], is_wide)
    columns = [_customers(channels)] if is_wide else []
    right = sum(size + 18 for _, size, _ in columns) + 4 if is_wide else 20
    row = 36 if any("\n" in name for name in names) else ROW
    figure = style.canvas(width, row * len(channels) + (92 if is_wide else 80))
    axes = style.panel(figure, style.room(names), right, 40 if is_wide else 28, 42)
    y = -np.arange(len(channels), dtype=float)
    amounts = channels[["made", "cost"]].to_numpy(dtype=float)
    low, high = min(0.0, float(np.nanmin(amounts))), float(np.nanmax(amounts))
    axes.set(xlim=(low, high), ylim=(y.min() - 0.5, 0.5))
    for height, line in zip(y, channels.itertuples(), strict=True):
        axes.plot([line.cost] * 2, [height - 0.3, height + 0.3], color=style.MUTED, linewidth=2, clip_on=False)
        axes.plot(line.made, height, "o", color=style.INK, markersize=6, clip_on=False, zorder=5)
    style.y_ticks(axes, y, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, style.ticks(low, high, _most_ticks(axes, is_wide)))
    axes.grid(axis="x")
    style.name_x(axes, f"made{phrases.in_currency(about)}; line: cost to win")
    style.write_columns(axes, columns, y, rise=4)
    return figure


def _draw_months(tables: Tables, about: About, width: int) -> Canvas:
    is_wide, channels = width >= 500, tables.channels
    names = style.row_names([words.group(name) for name in channels["channel"]], is_wide)
    columns = _columns(channels, about) if is_wide else []
    right = sum(size + 18 for _, size, _ in columns) + 4 if is_wide else 20
    row = 36 if any("\n" in name for name in names) else ROW
    figure = style.canvas(width, row * len(channels) + (92 if is_wide else 80))
    axes = style.panel(figure, style.room(names), right, 40 if is_wide else 28, 42)
    y = -np.arange(len(channels), dtype=float)
    last = float(channels["horizon"].iloc[0])
    axes.set(xlim=(0, last), ylim=(y.min() - 0.5, 0.5))
    for height, (_, line) in zip(y, channels.iterrows(), strict=True):
        _months(axes, height, phrases.quantiles(line), last)
    _mark_rule(axes, channels, last)
    style.y_ticks(axes, y, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, style.ticks(0, last, _most_ticks(axes, is_wide)))
    axes.grid(axis="x")
    style.name_x(axes, "months after the first order")
    style.write_columns(axes, columns, y, rise=4)
    return figure


def _most_ticks(axes: Axes, is_wide: bool) -> int:
    """Few where long names and wide columns leave the panel little room."""
    return max(2, min(6 if is_wide else 4, int(style.pixels(axes)[0] / LABEL)))


def _mark_rule(axes: Axes, channels: pd.DataFrame, last: float) -> None:
    rule = float(channels["rule"].iloc[0])
    axes.axvline(rule, color=style.INK, linewidth=1)
    side = "right" if rule > 0.5 * last else "left"
    above = style.shift(axes, 0, 4)
    style.say(axes, rule, 0.5, f"rule: {_rule(channels)}", style.MUTED, va="bottom", ha=side, transform=above)


def _months(axes: Axes, y: float, months: list[float], last: float) -> None:
    """An interval, and an arrow at the horizon where it goes on beyond it."""
    low, low_half, middle, high_half, high = (min(month, last) for month in months)
    is_middle_known, is_open = np.isfinite(months[2]), np.isinf(months[4])
    if is_middle_known:
        style.interval(axes, y, [low, low_half, middle, high_half, high])
    else:
        axes.plot([low, high], [y, y], color=style.BLUE, linewidth=2, alpha=0.65, clip_on=False, zorder=3)
        axes.plot([low_half, high_half], [y, y], color=style.BLUE, linewidth=6, clip_on=False, zorder=3)
    if is_open:
        colour = style.BLUE if is_middle_known else style.RED
        axes.plot(last, y, ">", color=colour, markersize=8, markeredgewidth=0, clip_on=False, zorder=5)


def _columns(channels: pd.DataFrame, about: About) -> list[style.Column]:
    """Title, width and cells of the columns at the right."""
    step = words.value_step(float(channels["most_q5"].abs().max()), 2)
    most_and_cost = []
    for line in channels.itertuples():
        most_and_cost.append(f"{words.number(max(line.most_q5, 0.0), step)} ({words.number(line.cost, step)})")
    made = [words.number(line.made, step) if line.cohort else "" for line in channels.itertuples()]
    cells = {
        f"by {_rule(channels)}": [words.probability(odds) for odds in channels["odds"]],
        f"pay at most (now){phrases.in_currency(about)}": most_and_cost,
        "made before": made,
    }
    columns = [style.column(title, of_channels) for title, of_channels in cells.items()]
    return [_customers(channels), *columns]


def _customers(channels: pd.DataFrame) -> style.Column:
    return style.column("customers", [words.count(customers) for customers in channels["customers"]])


def months(low: float, high: float) -> str:
    """A range of months; an end beyond the horizon is said so."""
    if np.isinf(low):
        return "beyond the horizon"
    if np.isinf(high):
        return f"{words.number(low, 0.1)} to beyond the horizon"
    return words.span(low, high, step=max(0.1, words.width_step(low, high)))


def numbers(tables: Tables, about: About) -> Numbers:
    channels = tables.channels
    past = f"Made in the first {_rule(channels)}", "By past customers"
    if is_withheld(tables):
        known = [_cost_cells(line, about) + _past_cells(line, about) for line in channels.itertuples()]
        return Numbers(("Channel", "Customers", "Cost to win", *past), known)
    when = ("Months, middle", "Months, 90%", f"Within {_rule(channels)}")
    titles = ("Channel", "Customers", "Cost to win", *when, "Pay at most", "Worth, middle", *past)
    rows = []
    for line in channels.itertuples():
        cells = _cost_cells(line, about)
        cells += months(line.q50, line.q50), months(line.q5, line.q95), words.probability(line.odds)
        cells += _at_most(line, about), _money(line.most_q50, about)
        rows.append(cells + _past_cells(line, about))
    return Numbers(titles, rows)


def _cost_cells(line: Any, about: About) -> tuple[str, ...]:
    return words.label(line.channel, 40), words.count(line.customers), _money(line.cost, about)


def _past_cells(line: Any, about: About) -> tuple[str, ...]:
    return _money(line.made, about) if line.cohort else "not known", words.count(line.cohort)


def lead(tables: Tables, about: About) -> str:
    """The chapter's first sentence: what may be paid at most, or why that is not told."""
    if is_withheld(tables):
        return f"What may be paid for a new customer is not told: {because(tables)}."
    sentence = f"Pay at most {_paid(tables.channels, about)}."
    dear = too_dear(tables)
    if not dear:
        return sentence
    names = [words.label(name, 24) for name in dear]
    return f"{sentence} {words.listing(names[:4])} {words.agreeing(len(names), 'costs', 'cost')} more than that now."


def too_dear(tables: Tables) -> list[str]:
    """The channels that cost more than may be paid."""
    channels = tables.channels
    return list(channels.loc[channels["cost"] > channels["most_q5"], "channel"])


def most_paid(tables: Tables, about: About) -> str:
    """What may be paid at most: from the channel that allows the least to the one that allows the most."""
    most = tables.channels["most_q5"]
    step = max(0.01, words.value_step(float(most.abs().max()), 2))
    return words.span(max(float(most.min()), 0.0), max(float(most.max()), 0.0), step=step, currency=about.currency)


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
    Tables,
)
