"""How customers differ: partially pooled groups as ratios to the pooled mean, covariates as ratios for one step more.

Small groups shrink towards the mean. A step is one standard deviation, or the whole of a yes or no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import QUANTILES, quantiles
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of, typed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.inference.posterior import Posterior
    from clvmodels.inference.terms import Term
    from clvmodels.results.folder import About, EntryResult, Run

SMALLEST, MOST = 5, 15
MOST_EFFECTS = 4
"""Of many effects those that are drawn and told; the others stand among the numbers."""
LINE = 15
"""Pixels of a line of words."""
STEPS = {"+1 sd": "one standard deviation more", "yes": "yes against no", "missing": "missing against average"}
"""What one step more of a covariate is."""

RATIO: dict = dict.fromkeys(QUANTILES, float)


class Tables(NamedTuple):
    """Effects of the entry that is valued, as ratios: quantiles of each."""

    effects: pd.DataFrame
    """A row an effect: the entry it is of, the columns it goes by, and what a ratio above 1 raises."""
    groups: pd.DataFrame
    """A row a group, the highest first, relative to the pooled mean; `shown` says which are drawn."""
    pooled: pd.DataFrame
    """A row an effect of groups: the pooled mean relative to its median, which says how sure it is."""
    spread: pd.DataFrame
    """A row an effect of groups: the standard deviation between groups, of the logarithm."""
    covariates: pd.DataFrame
    """A row a covariate and step (see `STEPS`), the highest first; customers are those of whom it is known."""


class Line(NamedTuple):
    """A line of the drawing and of the numbers: what it is of, customers ("" where they are not counted), quantiles."""

    title: str
    customers: str
    ratio: pd.Series
    is_pooled: bool = False


def table(run: Run) -> Tables | None:
    """The effects of the entry that is valued; where it has none, of the first other entry that has."""
    candidates = [(run.valued, run.value_split), *((entry, run.split) for entry in run.entries.values())]
    for entry, split in candidates:
        effects = _effects_of(entry)
        if effects:
            return _tables(entry.name, effects, split.customers.table)
    return None


def _effects_of(entry: EntryResult) -> list[tuple[str, Posterior, Term]]:
    """The effects that multiply something, each with the role of its posterior."""
    from clvmodels.inference.effects import multiplies  # here and below: a report of a stored folder needs no models

    effects = []
    for role, posterior in entry.posteriors.items():
        for term in posterior.terms:
            if multiplies(posterior.model, term.effect):
                effects.append((role, posterior, term))
    return effects


def _tables(entry: str, effects: list[tuple[str, Posterior, Term]], customers: pd.DataFrame) -> Tables:
    from clvmodels.inference.effects import group_labels

    by_group = [term for *_, term in effects if term.effect.group is not None]
    most = MOST // max(min(len(by_group), MOST_EFFECTS), 1)
    named, groups, pooled, spread, covariates = [], [], [], [], []
    for role, posterior, term in effects:
        effect = {"effect": f"{role}: {term.name}"}
        by = ", ".join(term.effect.columns)
        named.append(effect | {"entry": entry, "by": by, "raises": _raises(posterior, term)})
        coefficients = term.coefficients(posterior.stacked, posterior.scales)
        if term.effect.group is None:
            covariates += [effect | row for row in _covariate_rows(coefficients, customers)]
            continue
        sizes = group_labels(customers[term.effect.group]).value_counts()
        everybody = effect | {"customers": int(sizes.sum())}
        groups += [effect | row for row in _group_rows(coefficients, sizes, most)]
        pooled.append(everybody | quantiles(_pooled(posterior, term)))
        deviation = next(draws for kind, _, draws in coefficients if kind == "sd between groups")
        spread.append(everybody | quantiles(deviation))
    return Tables(
        typed(named, effect=str, entry=str, by=str, raises=str),
        typed(groups, effect=str, label=str, customers=int, **RATIO, shown=bool),
        typed(pooled, effect=str, customers=int, **RATIO),
        typed(spread, effect=str, customers=int, **RATIO),
        typed(covariates, effect=str, label=str, step=str, customers="Int64", **RATIO),
    )


def _group_rows(coefficients: list, sizes: pd.Series, most: int) -> list[dict]:
    """The groups, the highest first. Drawn are those of 5 customers or more; of many the highest and a fifth lowest."""
    rows = []
    for kind, label, draws in coefficients:
        if kind == "group":
            rows.append({"label": label, "customers": int(sizes.get(label, 0)), **quantiles(np.exp(draws))})
    rows.sort(key=lambda row: (-row["q50"], row["label"]))
    drawn = [row["label"] for row in rows if row["customers"] >= SMALLEST]
    if len(drawn) > most:
        lowest = -(-most // 5)  # rounded up
        drawn = drawn[: most - lowest] + drawn[-lowest:]
    return [row | {"shown": row["label"] in drawn} for row in rows]


def _covariate_rows(coefficients: list, customers: pd.DataFrame) -> list[dict]:
    """One step more of each covariate, and being without it, as ratios; the highest first."""
    from clvmodels.inference.effects import covariate

    rows = []
    for kind, label, draws in coefficients:
        ratio = quantiles(np.exp(draws))
        if kind == "missing":
            rows.append({"label": label.removesuffix(" (missing)"), "step": "missing", "customers": None, **ratio})
            continue
        values = covariate(customers, label)
        present = values[~np.isnan(values)]
        is_binary = len(present) > 0 and set(np.unique(present)) <= {0.0, 1.0}
        if kind == ("per unit" if is_binary else "per sd"):
            step = "yes" if is_binary else "+1 sd"
            rows.append({"label": label, "step": step, "customers": len(present) or None, **ratio})
    return sorted(rows, key=lambda row: (-row["q50"], row["label"]))


def _raises(posterior: Posterior, term: Term) -> str:
    """What a ratio above 1 means: what the parameter raises where it is a scale, else the parameter's own meaning."""
    from clvmodels.inference.effects import raises

    parameters = [parameter for parameter in posterior.model.parameters if parameter.name in term.effect.parameters]
    if not parameters:
        return f"the odds of {raises(posterior.model, term.effect)}"
    if len(parameters) > 1:
        meanings = {parameter.name: parameter.meaning for parameter in parameters}
        return f"{words.listing([meanings[name] for name in term.effect.parameters if name in meanings])} together"
    (parameter,) = parameters
    quantity = parameter.raises
    if parameter.unit == "none":
        quantity = parameter.meaning.partition(":")[0]
    if not np.isfinite(parameter.upper):
        return quantity
    if quantity.startswith("chance that"):
        return f"the odds {quantity.removeprefix('chance ')}"
    return f"the odds of {quantity}"


def _pooled(posterior: Posterior, term: Term) -> np.ndarray:
    """The population's own value relative to its median: how sure the mean itself is. [D]"""
    parameters = {parameter.name: parameter for parameter in posterior.model.parameters}
    parameter = parameters.get(term.effect.parameters[0])
    if parameter is None:  # a handle has no value of its own
        return np.ones(2)
    width = parameter.upper - parameter.lower if np.isfinite(parameter.upper) else 1.0
    share_of_range = (posterior.stacked(parameter.name) - parameter.lower) / width
    free = parameter.free_from_stated(share_of_range)
    return np.exp(parameter.direction * (free - np.median(free)))


def _names(tables: Tables, effect: str) -> tuple[str, str]:
    """The columns of an effect and what differs by them, in words."""
    row = row_of(tables.effects, effect=effect)
    columns = words.label(row.by.replace("_", " "), 200)
    return columns if len(columns) <= 40 else "its covariates", row.raises


def _covariate_name(row: pd.Series) -> str:
    """A covariate with the step that its ratio is of."""
    return f"{words.label(row.label.replace('_', ' '), 18)}, {row.step}"


def _is_of_covariates(tables: Tables, effect: str) -> bool:
    return bool((tables.covariates["effect"] == effect).any())


def _lines(tables: Tables, effect: str) -> list[Line]:
    """What is shown of an effect: its groups, or its covariates."""
    lines = []
    for row in _rows(tables.groups, effect=effect, shown=True):
        lines.append(Line(words.group(row.label), words.count(row.customers), row))
    for row in _rows(tables.covariates, effect=effect):
        customers = "" if pd.isna(row.customers) else words.count(row.customers)
        lines.append(Line(_covariate_name(row), customers, row))
    return lines


def _pooled_lines(tables: Tables, effect: str) -> list[Line]:
    """The pooled mean of an effect of groups; of covariates there is none."""
    rows = _rows(tables.pooled, effect=effect)
    return [Line("Pooled mean", words.count(row.customers), row, is_pooled=True) for row in rows]


def _spread_lines(tables: Tables, effect: str) -> list[Line]:
    """The standard deviation between groups, of an effect of groups."""
    return [Line("sd between groups", words.count(row.customers), row) for row in _rows(tables.spread, effect=effect)]


def _rows(table: pd.DataFrame, **values: Any) -> list[pd.Series]:
    return [row for _, row in rows_of(table, **values).iterrows()]


def _drawn(tables: Tables) -> list[str]:
    """The effects that are drawn: of many those of covariates, and those between whose groups the spread is largest."""
    effects = list(tables.effects["effect"])
    spread = dict(zip(tables.spread["effect"], tables.spread["q50"], strict=True))
    by_spread = sorted(effects, key=lambda effect: -spread.get(effect, np.inf))
    return [effect for effect in effects if effect in by_spread[:MOST_EFFECTS]]


def heading(tables: Tables, about: About) -> str:
    if len(tables.effects) == 1:
        columns, raises = _names(tables, tables.effects["effect"].iloc[0])
        return f"How {raises} differs by {columns}"
    return "How customers differ" if len(tables.covariates) else "How groups differ"


def describe(tables: Tables, about: About) -> Words:
    sentences = []
    for effect in _drawn(tables):
        sentences += _sentences(tables, effect)
    if len(tables.groups):
        sentences.append(
            "The group is associated with the difference; moving customers between groups need not move their "
            "behaviour. Small groups are drawn towards the mean: that is intended."
        )
    if len(tables.covariates):
        sentences.append(
            "A covariate is associated with the difference; changing it need not change what customers do."
        )
    return Words(_sub(tables, about), " ".join(sentences), _alt(tables))


def _sub(tables: Tables, about: About) -> str:
    """Whose effects they are, what is drawn, and what is not."""
    entry = tables.effects["entry"].iloc[0]
    clauses = []
    if len(tables.groups):
        clauses.append("Partially pooled effect, relative to the pooled mean")
    if len(tables.covariates):
        steps = set(tables.covariates["step"])
        against = ", ".join(text for step, text in STEPS.items() if step in steps)
        clauses.append(f"{'covariates' if clauses else 'Effect of covariates'}: {against}")
    sub = f"{'; '.join(clauses)}. Dot: median; bars: 50% and 90% intervals."
    if entry != about.recommended:
        sub = f"By {words.label(about.entries.get(entry, entry), 40)}. {sub}"
    if len(tables.effects) > MOST_EFFECTS:
        sub += f" The {MOST_EFFECTS} of {len(tables.effects)} by which groups differ most; the numbers have all."
    hidden = len(tables.groups) - int(tables.groups["shown"].sum())
    if hidden:
        groups, stand = words.counted(hidden, "group"), words.agreeing(hidden, "stands", "stand")
        sub += f" {groups}, small or in the middle, {stand} in group_effects.groups.csv only."
    return sub


def _alt(tables: Tables) -> str:
    lines = [line for effect in _drawn(tables) for line in _lines(tables, effect)]
    if not lines:
        return f"Interval of the pooled mean alone: no group has {SMALLEST} customers."
    high = max(lines, key=lambda line: line.ratio.q50)
    low = min(lines, key=lambda line: line.ratio.q50)
    ends = [f"{words.label(line.title, 40)} at {_middle(line.ratio)}" for line in (high, low)]
    groups, around = words.counted(len(lines), "group"), "the pooled mean"
    if len(tables.covariates):
        groups = words.counted(len(lines), "covariate", "groups and covariates")
        around = "no difference"
    return f"Intervals of {groups} around {around}, from {ends[0]} to {ends[1]}."


def _sentences(tables: Tables, effect: str) -> list[str]:
    """What one effect says: its ends, and how much groups differ."""
    lines = _lines(tables, effect)
    if not lines:
        return []
    _, raises = _names(tables, effect)
    high, low = lines[0], lines[-1]
    if _is_of_covariates(tables, effect):
        quantity = raises if raises.startswith("the ") else f"the {raises}"
        text = f"{words.capital(high.title)} is associated with **{_span(high.ratio)} times** {quantity} (90%)"
        if len(lines) > 1:
            text += f", {low.title} with {_span(low.ratio)} times"
        return [f"{text}."]
    text = f"For {words.label(high.title, 30)} {raises} is **{_span(high.ratio)} times** the pooled mean (90%)"
    if len(lines) > 1:
        text += f", for {words.label(low.title, 30)} {_span(low.ratio)} times"
    spread = row_of(tables.spread, effect=effect)
    return [f"{text}.", f"The standard deviation between groups, of its logarithm, is {_span(spread)}."]


def _step(ratio: pd.Series) -> float:
    return max(0.01, words.width_step(ratio.q5, ratio.q95))


def _span(ratio: pd.Series) -> str:
    return words.span(ratio.q5, ratio.q95, step=_step(ratio))


def _middle(ratio: pd.Series) -> str:
    return words.number(ratio.q50, _step(ratio))


class Panel(NamedTuple):
    """The panel of one effect: its title in lines, or what differs for the name of its axis; what stands in it, the
    pooled mean the last of groups, and how that is called at the axis."""

    title: list[str]
    quantity: str
    lines: list[Line]
    names: list[str]


def _panels(tables: Tables, width: int) -> list[Panel]:
    """A panel an effect, titled where there are several; names of rows are broken into lines together."""
    is_wide = width >= 500
    by_effect = {}
    for effect in _drawn(tables):
        by_effect[effect] = [*_lines(tables, effect), *_pooled_lines(tables, effect)]
    names = style.row_names([line.title for lines in by_effect.values() for line in lines], is_wide)
    panels = []
    for effect, lines in by_effect.items():
        columns, raises = _names(tables, effect)
        title, quantity = [], f"{raises}, "
        if len(by_effect) > 1:
            title, quantity = style.wrap(words.capital(f"{raises} by {columns}"), width - 40, 2), ""
        panels.append(Panel(title, quantity, lines, names[: len(lines)]))
        names = names[len(lines) :]
    return panels


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    is_wide = width >= 500
    panels = _panels(tables, width)
    names = [name for panel in panels for name in panel.names]
    left, right = style.room(names), 90 if is_wide else 18
    row = 34 if any("\n" in name for name in names) else 24
    heads = [(22 if is_wide else 10) + LINE * len(panel.title) + 6 * bool(panel.title) for panel in panels]
    heights = [head + row * len(panel.lines) + 46 for head, panel in zip(heads, panels, strict=True)]
    height = sum(heights) + 8
    figure = style.canvas(width, height)
    ratios = [line.ratio for panel in panels for line in panel.lines]
    low, high = min(ratio.q5 for ratio in ratios), max(ratio.q95 for ratio in ratios)
    for place, panel in enumerate(panels):
        top = sum(heights[:place]) + heads[place]
        axes = style.panel(figure, left, right, top, height - top - row * len(panel.lines))
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set(xlim=(low / 1.04, high * 1.04), ylim=(0.6 - len(panel.lines), 0.5))
        for line, text in enumerate(reversed(panel.title)):
            above = style.above(axes, LINE * line + (22 if is_wide else 10), 1 - left)
            style.say(axes, 0, 1, text, va="bottom", transform=above)
        _forest(axes, panel, is_wide)
    return figure


def _forest(axes: Axes, panel: Panel, is_wide: bool) -> None:
    """The intervals of a panel, the pooled mean in grey below a line, and the number of customers beside each."""
    y = -np.arange(len(panel.lines), dtype=float)
    has_pooled = panel.lines[-1].is_pooled
    axes.axvline(1, color=style.INK, linewidth=1)
    if has_pooled:
        axes.axhline(y[-1] + 0.5, color=style.GRID, linewidth=1)
    for height, line in zip(y, panel.lines, strict=True):
        style.interval(axes, height, phrases.quantiles(line.ratio), style.MUTED if line.is_pooled else style.BLUE)
        if is_wide and not line.is_pooled:
            beside = style.beside(axes, 78)
            style.say(axes, 1, height, line.customers, va="center", ha="right", transform=beside)
    if is_wide:
        style.say(axes, 1, 0.5, "customers", style.MUTED, va="bottom", ha="right", transform=style.beside(axes, 78, 4))
    style.y_ticks(axes, y, panel.names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, *_ratio_ticks(axes, *axes.get_xlim(), 6 if is_wide else 4))
    axes.grid(axis="x")
    against = "to the pooled mean" if has_pooled else "for one step more"
    ratio = f"ratio {against} (log scale)"
    room = style.pixels(axes)[0] + 2 * (60 if is_wide else 16)
    full = panel.quantity + ratio
    style.name_x(axes, full if style.text_width(full) <= room else ratio)


SMALL_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
LARGE_RATIOS = (1.05, 1.1, 1.2, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
LABEL = 46
"""Pixels from one label of a ratio to the next, at least."""


def _ratio_ticks(axes: Axes, low: float, high: float, most: int) -> tuple[list[float], list[str]]:
    """Ratios that read well, 1 among them, no two labels closer than their width."""
    ratios = (*SMALL_RATIOS, 1.0, *LARGE_RATIOS)
    inside = [ratio for ratio in ratios if low <= ratio <= high] or [1.0]
    scale = style.pixels(axes)[0] / np.log(high / low)
    ticks: list[float] = []
    # outwards from 1, which is placed first
    for ratio in sorted(inside, key=lambda ratio: abs(np.log(ratio))):
        distances = [abs(np.log(ratio / tick)) * scale for tick in ticks]
        if len(ticks) <= most and all(distance >= LABEL for distance in distances):
            ticks.append(ratio)
    ticks.sort()
    return ticks, [f"{ratio:g}" for ratio in ticks]


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for effect in tables.effects["effect"]:
        raises = _names(tables, effect)[1]
        lines = [*_lines(tables, effect), *_pooled_lines(tables, effect), *_spread_lines(tables, effect)]
        for line in lines:
            customers = line.customers or "—"
            rows.append((words.label(line.title, 40), raises, customers, _middle(line.ratio), _span(line.ratio)))
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
    Tables,
)
