"""Every score of every model, metric by metric, as in scores.csv. Folded: the verdict comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of
from clvmodels.metrics import METRICS

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

MOST = 6
"""Models side by side; the rest stand in scores.csv."""


def table(run: Run) -> pd.DataFrame | None:
    """entry, label, score, title, better, value, lower, upper: a row a score of each of the best entries; None where
    nothing was held out: leave-one-out scores alone are told by the comparison of models."""
    if run.scores.empty or run.about.holdout is None:
        return None
    ranked = list(run.entries) if run.comparison is None else list(run.comparison["entry"])
    scores = run.scores[run.scores["entry"].isin(ranked[:MOST])]
    scores = scores.sort_values("entry", key=lambda names: names.map(ranked.index), kind="stable")
    metrics = [METRICS[name] for name in scores["metric"]]
    columns = {
        "entry": scores["entry"].to_numpy(),
        "label": [run.entries[name].label for name in scores["entry"]],
        "score": scores["score"].to_numpy(),
        "title": [metric.title for metric in metrics],
        "better": [metric.better for metric in metrics],
    }
    for name in ("value", "lower", "upper"):
        columns[name] = scores[name].to_numpy()
    return pd.DataFrame(columns)


def heading(table: pd.DataFrame, about: About) -> str:
    return "All scores"


def describe(table: pd.DataFrame, about: About) -> Words:
    models = table["entry"].nunique()
    caption = "In brackets the 90% interval, where a score has one."
    if len(about.entries) > models:
        caption += f" The best {models} of {len(about.entries)} models; scores.csv holds all."
    return Words("", caption, "")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    """A row a score, a column a model."""
    entries = table.drop_duplicates("entry")
    rows = []
    for name, scores in table.groupby("score", sort=False):
        first = scores.iloc[0]
        cells = [_cell(rows_of(scores, entry=entry)) for entry in entries["entry"]]
        rows.append((f"{name}\n{first.title}; better: {first.better}", *cells))
    labels = [words.label(label, 40) for label in entries["label"]]
    return Numbers(("Score", *labels), rows)


def _cell(scores: pd.DataFrame) -> str:
    """A score and its interval; a dash where the entry has none: a spend model of means has rows of another name."""
    if scores.empty:
        return "—"
    score = scores.iloc[0]
    if pd.notna(score.lower) and pd.notna(score.upper):
        step = words.width_step(score.lower, score.upper)
        return f"{words.number(score.value, step)} ({words.span(score.lower, score.upper, step=step)})"
    if float(score.value).is_integer():
        return words.count(score.value)
    return words.number(score.value)


FIGURE = Figure(
    "scores",
    "every score of every model",
    "trust",
    "folded",
    heading,
    table,
    describe,
    None,
    numbers,
)
