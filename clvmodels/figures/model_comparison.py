"""Which model predicts held-out purchases and money best: paired differences of the log score from the best; where
nothing is held out, of the leave-one-out scores (elpd).

Differences under 4 are small whatever their error (Sivula et al. 2020; the loo package's FAQ).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of
from clvmodels.metrics import METRICS, Headline
from clvmodels.metrics.compare import PURCHASES_AND_MONEY

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

MOST, FEW = 25, 100


def table(run: Run) -> pd.DataFrame | None:
    """A row an entry, best first: the difference and its intervals, the verdict, and the headline of each metric, in a
    column of the metric's name."""
    if run.comparison is None or len(run.comparison) < 2:
        return None
    out = run.comparison.head(MOST).reset_index(drop=True)
    out.insert(1, "label", [run.entries[name].label for name in out["entry"]])
    for metric in METRICS.values():
        if metric.headline is None:
            continue
        scores = rows_of(run.scores, score=metric.headline.row).drop_duplicates("entry").set_index("entry")["value"]
        if len(scores):
            out[metric.name] = out["entry"].map(scores)
    return out


def heading(table: pd.DataFrame, about: About) -> str:
    predicted = "histories" if about.holdout is None else "held-out purchases"
    if is_of_money(table):
        predicted = "held-out purchases and money"
    return f"Which model predicts {predicted} best"


def verdicts(table: pd.DataFrame) -> dict[str, list[str]]:
    """Labels of the entries under each verdict."""
    kinds = ("recommended", "same within noise", "worse")
    return {kind: [words.label(name, 40) for name in rows_of(table, verdict=kind)["label"]] for kind in kinds}


def describe(table: pd.DataFrame, about: About) -> Words:
    score = "log probability of the held-out count"
    if about.holdout is None:
        score = "log probability of the history given all other customers (elpd by leave-one-out)"
    if is_of_money(table):
        score = "log density of the held-out purchases and their amounts"
    sub = (
        f"Sum over customers of the {score}, minus that of the first model; paired. Bars: 50% and 90% intervals. "
        "Left is worse."
    )
    named = verdicts(table)
    best, same, worse = (named[kind] for kind in ("recommended", "same within noise", "worse"))
    caption = f"**{words.listing(best)}** is recommended. "
    if same:
        caption += (
            f"{words.listing(same)} cannot be told from it: the 90% interval holds 0, or the difference is under 4. "
        )
    if worse:
        caption += f"{words.listing(worse)} {'predicts' if len(worse) == 1 else 'predict'} worse. "
    caption += "A difference under 4 would not matter even if it were certain."
    caption += _disagreement(table)
    if about.customers < FEW:
        caption += f" With {words.counted(about.customers, 'customer')} the comparison is weak."
    last = table.iloc[-1]
    alt = (
        f"Differences of the score with intervals for {words.counted(len(table), 'model')}. The farthest: "
        f"{words.span(last.lower90, last.upper90)}; {len(same)} cannot be told from the first."
    )
    return Words(sub, caption, alt)


def is_of_money(table: pd.DataFrame) -> bool:
    """Whether the entries were compared by the log score of purchases and money together."""
    return "compared_by" in table and table["compared_by"].iloc[0] == PURCHASES_AND_MONEY


def _disagreement(table: pd.DataFrame) -> str:
    """The entry that leave-one-out scores put clearly above the recommended one, where there is one."""
    if "elpd_disagrees" not in table:
        return ""
    disagreeing = table[table["elpd_disagrees"].astype(bool)]
    if disagreeing.empty:
        return ""
    other = disagreeing.loc[disagreeing["elpd_difference"].idxmax()]
    by = words.span(other.elpd_lower90, other.elpd_upper90)
    return (
        f" **Leave-one-out scores disagree**: {words.label(other.label, 40)} predicts the fitted time better, by {by}."
    )


def _near(table: pd.DataFrame) -> pd.Series:
    """Which rows fit on one axis: a rival whose interval lies three times as far out as all others is told in words."""
    near = pd.Series(True, index=table.index)
    for place in reversed(table.index[2:]):
        rest = table[near & (table.index != place)]
        reach = min(rest["lower90"].min(), -8.0)
        if table.loc[place, "upper90"] >= 3 * reach:
            break
        near[place] = False
    return near


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    names = style.row_names(table["label"], wide)
    left = style.room(names)
    row = 34 if not wide or len(table) <= 8 else 24
    figure = style.canvas(width, row * len(table) + 58)
    axes = style.panel(figure, left, 150 if wide else 18, 14, 42)
    near, y = _near(table), -np.arange(len(table), dtype=float)
    low = min(table.loc[near, "lower90"].min(), -4.0)
    axes.set(xlim=(1.06 * low, max(0.06 * -low, table.loc[near, "upper90"].max() * 1.05)), ylim=(y.min() - 0.6, 0.6))
    axes.axvline(0, color=style.INK, linewidth=1)
    for height, (place, line) in zip(y, table.iterrows(), strict=True):
        colour = style.MUTED if line.verdict == "worse" else style.BLUE
        if near[place]:
            style.interval(axes, height, _quantiles(line), colour, high=line.verdict == "recommended")
        else:
            far = f"← {words.number(line.difference, _step(line))} ({words.span(line.lower90, line.upper90)})"
            style.say(axes, axes.get_xlim()[0], height, far, colour, va="center", transform=style.shift(axes, 4))
        if wide:
            weight = "bold" if line.verdict == "recommended" else "normal"
            style.say(
                axes, 1, height, line.verdict, colour, va="center", weight=weight, transform=style.beside(axes, 16)
            )
    style.y_ticks(axes, y, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, style.ticks(*axes.get_xlim(), 5 if wide else 3))
    axes.grid(axis="x")
    held_out = "held-out log score, difference" if wide else "log score, difference"
    style.name_x(axes, "elpd, difference" if about.holdout is None else held_out)
    return figure


def _quantiles(line: pd.Series) -> list[float]:
    return [float(line[name]) for name in ("lower90", "lower50", "difference", "upper50", "upper90")]


def _step(line: pd.Series) -> float:
    return words.width_step(line.lower90, line.upper90)


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    headlines = _headlines(table)
    rows = []
    for _, line in table.iterrows():
        best = line.verdict == "recommended"
        interval = "" if best else words.span(line.lower90, line.upper90)
        difference = "0" if best else words.number(line.difference, _step(line))
        scores = [headline.shown(line[name]) for name, headline in headlines.items()]
        rows.append((words.label(line.label, 60), difference, interval, line.verdict, *scores))
    compared = "elpd, difference" if about.holdout is None else "Log score, difference"
    titles = [headline.title for headline in headlines.values()]
    return Numbers(("Model", compared, "90% interval", "Verdict", *titles), rows)


def _headlines(table: pd.DataFrame) -> dict[str, Headline]:
    """The headlines that have a column in the table, by metric."""
    headlines = {name: metric.headline for name, metric in METRICS.items() if metric.headline is not None}
    return {name: headline for name, headline in headlines.items() if name in table}


FIGURE = Figure(
    "model_comparison",
    "paired differences of the held-out log score",
    "trust",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
