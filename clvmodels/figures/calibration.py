"""Does past frequency predict future purchases: the mean of customers with the same past, actual beside forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, inside_table, row_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run


class Tables(NamedTuple):
    """Held-out purchases by past frequency."""

    groups: pd.DataFrame
    """A row a group of customers by past purchases: held-out mean, actual and forecast, and on which `side` of its 90%
    interval the actual one lies: inside, above, below."""
    inside: pd.DataFrame
    """One row: how many groups lie inside, and whether that is enough."""


def table(run: Run) -> Tables | None:
    """The groups, and those inside."""
    if run.judgement is None:
        return None
    groups, inside = run.judgement.groups
    return Tables(pd.DataFrame(groups), inside_table(inside))


def heading(tables: Tables, about: About) -> str:
    return "Does past frequency predict future purchases?"


def describe(tables: Tables, about: About) -> Words:
    inside, shown = row_of(tables.inside), tables.groups
    sub = (
        f"Mean number of purchases per customer in {phrases.window(about)} held out, by the number before. "
        "Dots: actual; boxes: 50% and 90% intervals of the group's mean."
    )
    outside = shown[shown["side"] != "inside"]
    names = words.listing(list(outside["frequency"]))
    missed = f" Outside: the {'group' if len(outside) == 1 else 'groups'} with {names} before." if len(outside) else ""
    fails = (
        ""
        if inside.holds
        else (
            f" In the model's own futures at least {words.counted(inside.lower_limit, 'lies', 'lie')} inside: "
            "**this check fails**."
        )
    )
    caption = (
        f"In {words.count(inside.actual)} of {words.counted(inside.of, 'group')} the actual mean lies inside the 90% "
        f"interval; {phrases.expected_inside(inside)} expected.{missed}{fails} The intervals are those of a group's "
        "mean: a single customer scatters far more."
    )
    first, last = shown.iloc[0], shown.iloc[-1]
    ends = [f"{_mean(row.actual)} at {row.frequency}" for row in (first, last)]
    alt = (
        f"Actual means and forecast boxes by past purchases, from {ends[0]} to {ends[1]}; {words.count(inside.actual)} "
        f"of {words.count(inside.of)} inside."
    )
    return Words(sub, caption, alt)


def _mean(value: float) -> str:
    return words.number(value, 0.01)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    wide = width >= 500
    figure = style.canvas(width, 300 if wide else 290)
    axes = style.panel(figure, 42, 12, 44, 58 if wide else 72)
    shown = tables.groups
    tallest = float(shown[["actual", "q95"]].max().max()) or 1.0
    axes.set(xlim=(-0.6, len(shown) - 0.4), ylim=(0, 1.14 * tallest))
    for x, row in shown.iterrows():
        for low, high, alpha in (("q5", "q95", style.BAND_90), ("q25", "q75", style.BAND_50)):
            axes.fill_between([x - 0.32, x + 0.32], row[low], row[high], color=style.BLUE, alpha=alpha, linewidth=0)
        colour = style.INK if row.side == "inside" else style.RED
        axes.plot(x, row.actual, "o", color=colour, markersize=6, clip_on=False)
    style.y_ticks(axes, style.ticks(0, 1.1 * tallest, 6))
    style.x_ticks(axes, range(len(shown)), _names(shown, style.pixels(axes)[0] / (len(shown) + 0.2)))
    style.name_x(axes, "repeat purchases before (below: customers)")
    style.name_y(axes, f"purchases per customer, {phrases.window(about)} held out", rise=18)
    _labels(axes, shown)
    return figure


def _names(groups: pd.DataFrame, room: float) -> list[str]:
    """Frequency, on two lines where it needs them, and the number of customers below; all with as many lines."""
    sizes = [words.count(size) for size in groups["customers"]]
    if max(map(style.text_width, sizes)) > room - 6:
        sizes = [words.compact(size, max(1.0, words.value_step(size, 2))) for size in groups["customers"]]
    lines = [style.wrap(frequency, room - 6, 2) for frequency in groups["frequency"]]
    most = max(map(len, lines))
    names = []
    for name_lines, size in zip(lines, sizes, strict=True):
        padding = [""] * (most - len(name_lines))
        names.append("\n".join([*name_lines, *padding, size]))
    return names


def _labels(axes: Axes, shown: pd.DataFrame) -> None:
    """`forecast` above the last box, `actual` beside the dot of the group before it."""
    last = len(shown) - 1
    top = float(max(shown["q95"].iloc[last], shown["actual"].iloc[last]))
    half = style.text_width("forecast", "bold") / 2 * (len(shown) + 0.2) / style.pixels(axes)[0]
    style.say(
        axes,
        min(last, last + 0.6 - half),
        top,
        "forecast",
        style.BLUE,
        weight="bold",
        ha="center",
        va="bottom",
        transform=style.shift(axes, 0, 5),
    )
    if last >= 1:
        dot, before = float(shown["actual"].iloc[last]), shown.iloc[last - 1]
        height = max(dot, float(max(before.q95, before.actual)) + 0.04 * axes.get_ylim()[1])
        style.say(axes, last - 0.42, height, "actual", weight="bold", ha="right", va="center")
        axes.plot([last - 0.39, last - 0.05], [height, dot], color=style.INK, linewidth=1)


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for _, row in tables.groups.iterrows():
        step = min(0.1, words.width_step(row.q5, row.q95))
        interval = words.span(row.q5, row.q95, step=step)
        rows.append(
            (
                row.frequency,
                words.count(row.customers),
                words.number(row.actual, step),
                words.number(row.q50, step),
                interval,
            )
        )
    return Numbers(("Purchases before", "Customers", "Actual mean", "Forecast", "90% interval"), rows)


FIGURE = Figure(
    "calibration",
    "held-out purchases by past frequency, actual beside forecast",
    "trust",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
