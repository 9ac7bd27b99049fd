"""How groups differ: partially pooled effects as ratios to the pooled mean; small groups shrink towards it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.arrays import quantiles
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.effects import Effect
    from clvmodels.posterior import Posterior
    from clvmodels.results import About, Run

SMALLEST, MOST, BEST, WORST = 5, 15, 12, 3


def table(run: Run) -> pd.DataFrame | None:
    """A row a group of each effect, highest first, and the pooled mean; `shown` says which are drawn.

    The effects are those of the entry that is valued; where it has none, of the first other entry that has.
    """
    candidates = [(run.valued, run.value_split), *((entry, run.split) for entry in run.entries.values())]
    for entry, split in candidates:
        rows: list[dict] = []
        for posterior in entry.posteriors.values():
            for effect in [effect for effect in posterior.effects if effect.group is not None]:
                sizes = split.customers.table[effect.group].astype(str).value_counts()
                rows += _rows(posterior, effect, sizes)
        if rows:
            return pd.DataFrame(rows).assign(entry=entry.name)
    return None


def _rows(posterior: Posterior, effect: Effect, sizes: pd.Series) -> list[dict]:
    found = posterior.data["posterior"][effect.name].transpose("chain", "draw", effect.group)
    ratio = np.exp(np.asarray(found.values, dtype=float).reshape(-1, found.sizes[effect.group]))
    base = {"effect": effect.name, "group": effect.group, "raises": _raises(posterior, effect)}
    rows = []
    for place, label in enumerate(str(value) for value in found.coords[effect.group].values):
        row: dict = {
            "kind": "group",
            **base,
            "label": label,
            "customers": int(sizes.get(label, 0)),
            **quantiles(ratio[:, place]),
        }
        rows.append(row)
    rows.sort(key=lambda row: (-row["q50"], row["label"]))
    large = [row for row in rows if row["customers"] >= SMALLEST]
    kept = large if len(large) <= MOST else large[:BEST] + large[-WORST:]
    for row in rows:
        row["shown"] = any(row is other for other in kept)
    pooled = {"kind": "pooled", **base, "label": "Pooled mean", "customers": int(sizes.sum()), "shown": True}
    return [*rows, pooled | quantiles(_pooled(posterior, effect))]


def _raises(posterior: Posterior, effect: Effect) -> str:
    """What a ratio above 1 means: what the parameter raises where it is a scale, else the parameter's own meaning."""
    known = {p.name: p for p in posterior.model.parameters}
    named = [known[name] for name in effect.parameters]
    if len(named) > 1:
        return f"{words.listing([p.meaning for p in named])} together"
    return named[0].meaning if named[0].unit == "none" else named[0].raises


def _pooled(posterior: Posterior, effect: Effect) -> np.ndarray:
    """The population's own value relative to its median: how sure the mean itself is. [D]"""
    parameter = next(p for p in posterior.model.parameters if p.name == effect.parameters[0])
    value = np.asarray(posterior.data["posterior"][parameter.name].values, dtype=float).reshape(-1) - parameter.lower
    return (value / np.median(value)) ** parameter.direction


def _names(table: pd.DataFrame) -> tuple[str, str]:
    """The groups and what they differ in, in words; of several effects the first, and that there are more."""
    first = table.iloc[0]
    return words.label(str(first["group"]).replace("_", " "), 24), str(first["raises"])


def heading(table: pd.DataFrame, about: About) -> str:
    if table["effect"].nunique() > 1:
        return "How groups differ"
    group, raises = _names(table)
    return f"How {raises} differs by {group}"


def describe(table: pd.DataFrame, about: About) -> Words:
    groups = rows_of(table, kind="group")
    hidden = len(groups) - int(groups["shown"].sum())
    left = (
        f" {words.counted(hidden, 'group')}, small or in the middle, stand in group_effects.csv only." if hidden else ""
    )
    entry = str(table["entry"].iloc[0])
    other = "" if entry == about.recommended else f"By {words.label(about.entries.get(entry, entry), 40)}. "
    sub = (
        f"{other}Partially pooled effect, relative to the pooled mean. Dot: median; bars: 50% and 90% intervals.{left}"
    )
    sentences = []
    for _, block in rows_of(groups, shown=True).groupby("effect", sort=False):
        _, raises = _names(block)
        high, low = block.iloc[0], block.iloc[-1]
        sentences.append(
            f"For {words.label(words.group(high.label), 30)} {raises} is **{_ratio(high)} times** the pooled mean (90%)"
            + (f", for {words.label(words.group(low.label), 30)} {_ratio(low)} times." if len(block) > 1 else ".")
        )
    caption = " ".join(sentences) + (
        " The group is associated with the difference; moving customers between groups need not move their behaviour. "
        "Small groups are drawn towards the mean: that is intended."
    )
    high, low = groups.iloc[0], groups.iloc[-1]
    ends = [f"{words.label(words.group(row.label), 30)} at {_middle(row)}" for row in (high, low)]
    shown = int(groups["shown"].sum())
    alt = f"Intervals of {shown} groups around the pooled mean, from {ends[0]} to {ends[1]}."
    return Words(sub, caption, alt)


def _ratio(row: pd.Series) -> str:
    return words.span(row.q5, row.q95, step=max(0.01, words.width_step(row.q5, row.q95)))


def _middle(row: pd.Series) -> str:
    return words.number(row.q50, max(0.01, words.width_step(row.q5, row.q95)))


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    shown = rows_of(table, shown=True)
    names = style.row_names([words.group(name) for name in shown["label"]], wide)
    left = style.room(names)
    blocks = [block for _, block in shown.groupby("effect", sort=False)]
    row = 34 if any("\n" in name for name in names) else 24
    head, foot = 22 if wide or len(blocks) > 1 else 10, 46
    heights = [row * len(block) + head + foot for block in blocks]
    figure = style.canvas(width, sum(heights) + 8)
    low, high = shown["q5"].min(), shown["q95"].max()
    for place, block in enumerate(blocks):
        top = sum(heights[:place]) + head
        axes = style.panel(figure, left, 90 if wide else 18, top, sum(heights) + 8 - top - row * len(block))
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set(xlim=(low / 1.04, high * 1.04), ylim=(0.6 - len(block), 0.5))
        _forest(axes, block, names[: len(block)], wide)
        names = names[len(block) :]
    return figure


def _forest(axes: Axes, block: pd.DataFrame, names: list[str], wide: bool) -> None:
    y = -np.arange(len(block), dtype=float)
    axes.axvline(1, color=style.INK, linewidth=1)
    axes.axhline(y[-1] + 0.5, color=style.GRID, linewidth=1)
    for height, (_, line) in zip(y, block.iterrows(), strict=True):
        pooled = line.kind == "pooled"
        style.interval(axes, height, phrases.quantiles(line), style.MUTED if pooled else style.BLUE)
        if wide and not pooled:
            count = words.count(line.customers)
            style.say(axes, 1, height, count, va="center", ha="right", transform=style.beside(axes, 78))
    if wide:
        style.say(axes, 1, 0.5, "customers", style.MUTED, va="bottom", ha="right", transform=style.beside(axes, 78, 4))
    style.y_ticks(axes, y, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, *_ratio_ticks(axes, *axes.get_xlim(), 6 if wide else 4))
    axes.grid(axis="x")
    name = f"{_names(block)[1]}, ratio to the pooled mean (log scale)"
    room = style.pixels(axes)[0] + 60
    style.name_x(axes, name if style.text_width(name) <= room else "ratio to the pooled mean (log scale)")


def _ratio_ticks(axes: Axes, low: float, high: float, most: int) -> tuple[list[float], list[str]]:
    """Ratios that read well, 1 among them, no two labels closer than their width."""
    steps = (
        0.01,
        0.02,
        0.05,
        0.1,
        0.2,
        0.3,
        0.5,
        0.6,
        0.7,
        0.8,
        0.85,
        0.9,
        0.95,
        1,
        1.05,
        1.1,
        1.2,
        1.3,
        1.5,
        2,
        3,
        5,
        10,
        20,
        50,
        100,
    )
    inside = [s for s in steps if low <= s <= high] or [1.0]
    scale = style.pixels(axes)[0] / np.log(high / low)
    kept = [s for s in inside if s == 1]
    for step in sorted(inside, key=lambda s: abs(np.log(s))):
        if len(kept) < most + 1 and all(abs(np.log(step / other)) * scale >= 46 for other in kept):
            kept.append(step)
    kept.sort()
    return kept, [f"{s:g}" for s in kept]


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    shown = rows_of(table, shown=True)
    rows = [
        (
            words.label(words.group(row.label), 40),
            str(row.raises),
            words.count(row.customers),
            _middle(row),
            _ratio(row),
        )
        for _, row in shown.iterrows()
    ]
    return Numbers(("Group", "Difference in", "Customers", "Ratio, middle", "90% interval"), rows)


FIGURE = Figure(
    "group_effects", "partially pooled effects of groups as ratios", "model", "wide",
    heading, table, describe, draw, numbers,
)  # fmt: skip
