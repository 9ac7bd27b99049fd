"""How customers differ: partially pooled groups as ratios to the pooled mean, covariates as ratios for one step more.

Small groups shrink towards the mean. A step is one standard deviation, or the whole of a yes or no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import quantiles
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.inference.posterior import Posterior
    from clvmodels.inference.terms import Term
    from clvmodels.results.folder import About, Run

SMALLEST, MOST = 5, 15
LINE = 15
"""Pixels of a line of words."""


def table(run: Run) -> pd.DataFrame | None:
    """A row a group of each effect, highest first, with the pooled mean and the between-group sd; a row a covariate.

    `shown` says which are drawn. The effects are those of the entry that is valued; where it has none, of the first
    other entry that has.
    """
    from clvmodels.inference.effects import multiplies  # here and below: a report of a stored folder needs no models

    candidates = [(run.valued, run.value_split), *((entry, run.split) for entry in run.entries.values())]
    for entry, split in candidates:
        told = [(role, p, t) for role, p in entry.posteriors.items() for t in p.terms if multiplies(p.model, t.effect)]
        most = MOST // max(sum(term.effect.group is not None for *_, term in told), 1)
        rows = [
            {"effect": f"{role}: {term.name}", **row}
            for role, posterior, term in told
            for row in _rows(posterior, term, split.customers.table, most)
        ]
        if rows:
            return whole(pd.DataFrame(rows).assign(entry=entry.name), "customers")
    return None


def _rows(posterior: Posterior, term: Term, customers: pd.DataFrame, most: int) -> list[dict]:
    from clvmodels.inference.effects import group_labels

    base = {"group": ", ".join(term.effect.columns), "raises": _raises(posterior, term)}
    found = term.coefficients(posterior.stacked, posterior.scales)
    if term.effect.group is None:
        return [base | row for row in _covariate_rows(found, customers)]
    sizes = group_labels(customers[term.effect.group]).value_counts()
    rows: list[dict] = [
        base | {"kind": "group", "label": label, "customers": int(sizes.get(label, 0)), **quantiles(np.exp(draws))}
        for kind, label, draws in found
        if kind == "group"
    ]
    rows.sort(key=lambda row: (-row["q50"], row["label"]))
    large = [row for row in rows if row["customers"] >= SMALLEST]
    worst = -(-most // 5)
    kept = large if len(large) <= most else large[: most - worst] + large[-worst:]
    for row in rows:
        row["shown"] = any(row is other for other in kept)
    pooled = {"kind": "pooled", "label": "Pooled mean", "customers": int(sizes.sum()), "shown": True}
    sd = {"kind": "sd", "label": "sd between groups", "customers": int(sizes.sum()), "shown": False}
    spread = next(draws for kind, _, draws in found if kind == "sd between groups")
    return [*rows, base | pooled | quantiles(_pooled(posterior, term)), base | sd | quantiles(spread)]


def _covariate_rows(found: list, customers: pd.DataFrame) -> list[dict]:
    """One step more of each covariate, and being without it, as ratios; the widest first."""
    from clvmodels.inference.effects import covariate

    rows = []
    for kind, label, draws in found:
        known = np.array([]) if kind == "missing" else covariate(customers, label)
        known = known[~np.isnan(known)]
        binary = len(known) > 0 and set(np.unique(known)) <= {0.0, 1.0}
        if kind == "missing" or kind == ("per unit" if binary else "per sd"):
            step = "missing" if kind == "missing" else "yes" if binary else "+1 sd"
            name = label.removesuffix(" (missing)") if kind == "missing" else label
            row = {"kind": "covariate", "label": name, "step": step, "customers": len(known) or np.nan, "shown": True}
            rows.append(row | quantiles(np.exp(draws)))
    return sorted(rows, key=lambda row: (-row["q50"], row["label"]))


def _raises(posterior: Posterior, term: Term) -> str:
    """What a ratio above 1 means: what the parameter raises where it is a scale, else the parameter's own meaning."""
    from clvmodels.inference.effects import raises

    of = {p.name: p for p in posterior.model.parameters}
    named = [of[name] for name in term.effect.parameters if name in of]
    if not named:
        return f"the odds of {raises(posterior.model, term.effect)}"
    if len(named) > 1:
        return f"{words.listing([p.meaning for p in named])} together"
    what = named[0].meaning.partition(":")[0] if named[0].unit == "none" else named[0].raises
    if not np.isfinite(named[0].upper):
        return what
    return f"the odds {what.removeprefix('chance ')}" if what.startswith("chance that") else f"the odds of {what}"


def _pooled(posterior: Posterior, term: Term) -> np.ndarray:
    """The population's own value relative to its median: how sure the mean itself is. [D]"""
    of = {p.name: p for p in posterior.model.parameters}
    parameter = of.get(term.effect.parameters[0])
    if parameter is None:  # a handle has no value of its own
        return np.ones(2)
    width = parameter.upper - parameter.lower if np.isfinite(parameter.upper) else 1.0
    free = parameter.free_from_stated((posterior.stacked(parameter.name) - parameter.lower) / width)
    return np.exp(parameter.direction * (free - np.median(free)))


def _names(block: pd.DataFrame) -> tuple[str, str]:
    """The columns of an effect and what differs by them, in words."""
    first = block.iloc[0]
    columns = words.label(str(first["group"]).replace("_", " "), 200)
    return columns if len(columns) <= 40 else "its covariates", str(first["raises"])


def _row_name(row: pd.Series) -> str:
    """A group as it stands in the data; a covariate with the step that its ratio is of."""
    if row.kind != "covariate":
        return words.group(row.label)
    return f"{words.label(str(row.label).replace('_', ' '), 18)}, {row.step}"


def heading(table: pd.DataFrame, about: About) -> str:
    if table["effect"].nunique() > 1:
        return "How groups differ" if "covariate" not in set(table["kind"]) else "How customers differ"
    group, raises = _names(table)
    return f"How {raises} differs by {group}"


def describe(table: pd.DataFrame, about: About) -> Words:
    groups, covariates = rows_of(table, kind="group"), rows_of(table, kind="covariate")
    hidden = len(groups) - int(groups["shown"].sum())
    left = (
        f" {words.counted(hidden, 'group')}, small or in the middle, stand in group_effects.csv only." if hidden else ""
    )
    entry = str(table["entry"].iloc[0])
    other = "" if entry == about.recommended else f"By {words.label(about.entries.get(entry, entry), 40)}. "
    against = "Partially pooled effect, relative to the pooled mean" if len(groups) else ""
    if len(covariates):
        against += ("; covariates: " if against else "Effect of covariates: ") + _steps(covariates)
    sub = f"{other}{against}. Dot: median; bars: 50% and 90% intervals.{left}"
    sentences = [sentence for _, block in table.groupby("effect", sort=False) for sentence in _sentences(block)]
    caution = [
        "The group is associated with the difference; moving customers between groups need not move their behaviour. "
        "Small groups are drawn towards the mean: that is intended."
    ] * bool(len(groups)) + [
        "A covariate is associated with the difference; changing it need not change what customers do."
    ] * bool(len(covariates))
    shown = rows_of(table, shown=True)
    shown = shown[shown["kind"] != "pooled"]
    high, low = shown.loc[shown["q50"].idxmax()], shown.loc[shown["q50"].idxmin()]
    ends = [f"{words.label(_row_name(row), 40)} at {_middle(row)}" for row in (high, low)]
    what = "groups around the pooled mean" if not len(covariates) else "groups and covariates around no difference"
    alt = f"Intervals of {len(shown)} {what}, from {ends[0]} to {ends[1]}."
    return Words(sub, " ".join([*sentences, *caution]), alt)


def _steps(covariates: pd.DataFrame) -> str:
    """What one step more of the covariates is."""
    said = {"+1 sd": "one standard deviation more", "yes": "yes against no", "missing": "missing against average"}
    return ", ".join(text for step, text in said.items() if step in set(covariates["step"]))


def _sentences(block: pd.DataFrame) -> list[str]:
    """What one effect says: its ends, and how much groups differ."""
    _, raises = _names(block)
    shown = rows_of(block, shown=True)
    shown = shown[shown["kind"] != "pooled"]
    if shown.empty:
        return []
    high, low = shown.iloc[0], shown.iloc[-1]
    if high.kind == "covariate":
        others = f", {_row_name(low)} with {_ratio(low)} times" if len(shown) > 1 else ""
        of = raises if raises.startswith("the ") else f"the {raises}"
        return [f"{words.capital(_row_name(high))} is associated with **{_ratio(high)} times** {of} (90%){others}."]
    said = f"For {words.label(_row_name(high), 30)} {raises} is **{_ratio(high)} times** the pooled mean (90%)"
    said += f", for {words.label(_row_name(low), 30)} {_ratio(low)} times." if len(shown) > 1 else "."
    sd = rows_of(block, kind="sd").iloc[0]
    return [said, f"The standard deviation between groups, of its logarithm, is {_ratio(sd)}."]


def _ratio(row: pd.Series) -> str:
    return words.span(row.q5, row.q95, step=max(0.01, words.width_step(row.q5, row.q95)))


def _middle(row: pd.Series) -> str:
    return words.number(row.q50, max(0.01, words.width_step(row.q5, row.q95)))


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    shown = rows_of(table, shown=True)
    names = style.row_names([_row_name(row) for _, row in shown.iterrows()], wide)
    left = style.room(names)
    blocks = [block for _, block in shown.groupby("effect", sort=False)]
    titles = [_title(block, width - 40) if len(blocks) > 1 else [] for block in blocks]
    row = 34 if any("\n" in name for name in names) else 24
    tops = [(22 if wide else 10) + LINE * len(title) + 6 * bool(title) for title in titles]
    heights = [top + row * len(block) + 46 for top, block in zip(tops, blocks, strict=True)]
    figure = style.canvas(width, sum(heights) + 8)
    low, high = shown["q5"].min(), shown["q95"].max()
    for place, block in enumerate(blocks):
        top = sum(heights[:place]) + tops[place]
        axes = style.panel(figure, left, 90 if wide else 18, top, sum(heights) + 8 - top - row * len(block))
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set(xlim=(low / 1.04, high * 1.04), ylim=(0.6 - len(block), 0.5))
        for line, text in enumerate(reversed(titles[place])):
            style.say(
                axes, 0, 1, text, va="bottom", transform=style.above(axes, LINE * line + 10 + 12 * wide, -left + 1)
            )
        what = "" if titles[place] else f"{_names(block)[1]}, "
        _forest(axes, block, names[: len(block)], wide, what)
        names = names[len(block) :]
    return figure


def _title(block: pd.DataFrame, width: float) -> list[str]:
    """What a panel shows where there are several, in lines of this width."""
    by, raises = _names(block)
    return style.wrap(words.capital(f"{raises} by {by}"), width, 2)


def _forest(axes: Axes, block: pd.DataFrame, names: list[str], wide: bool, what: str) -> None:
    y = -np.arange(len(block), dtype=float)
    axes.axvline(1, color=style.INK, linewidth=1)
    if not _linear(block):
        axes.axhline(y[-1] + 0.5, color=style.GRID, linewidth=1)
    for height, (_, line) in zip(y, block.iterrows(), strict=True):
        pooled = line.kind == "pooled"
        style.interval(axes, height, phrases.quantiles(line), style.MUTED if pooled else style.BLUE)
        if wide and not pooled:
            count = words.count(line.customers) if pd.notna(line.customers) else ""
            style.say(axes, 1, height, count, va="center", ha="right", transform=style.beside(axes, 78))
    if wide:
        style.say(axes, 1, 0.5, "customers", style.MUTED, va="bottom", ha="right", transform=style.beside(axes, 78, 4))
    style.y_ticks(axes, y, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, *_ratio_ticks(axes, *axes.get_xlim(), 6 if wide else 4))
    axes.grid(axis="x")
    ratio = "ratio for one step more (log scale)" if _linear(block) else "ratio to the pooled mean (log scale)"
    room = style.pixels(axes)[0] + 2 * (60 if wide else 16)
    style.name_x(axes, what + ratio if style.text_width(what + ratio) <= room else ratio)


def _linear(block: pd.DataFrame) -> bool:
    return bool((block["kind"] == "covariate").any())


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
    told = table[table["shown"].astype(bool) | (table["kind"] == "sd")]
    rows = [
        (
            words.label(_row_name(row), 40),
            str(row.raises),
            words.count(row.customers) if pd.notna(row.customers) else "—",
            _middle(row),
            _ratio(row),
        )
        for _, row in told.iterrows()
    ]
    return Numbers(("Group or covariate", "Difference in", "Customers", "Ratio, middle", "90% interval"), rows)


FIGURE = Figure(
    "group_effects",
    "effects of groups and covariates as ratios",
    "model",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
