"""What programmes earned, where chance decided whom they reached; the others with the reason why nobody can say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

MOST = 20
SURE = 0.9


def table(run: Run) -> pd.DataFrame | None:
    """A row for each number of each programme, and one for each that is refused."""
    if run.kpis is None or run.kpis.programmes.empty:
        return None
    told = run.kpis.programmes.rename(columns={"campaign": "name", "of": "level"})
    kept = list(dict.fromkeys(zip(told["name"], told["weeks"], strict=True)))[:MOST]
    told = told[[pair in kept for pair in zip(told["name"], told["weeks"], strict=True)]]
    columns = ["name", "weeks", "verdict", "reason", "treatment", "control", "level", "value", "q5", "q50", "q95"]
    return told[columns].fillna({"level": "", "reason": ""}).reset_index(drop=True)


def heading(table: pd.DataFrame, about: About) -> str:
    return "What programmes earned"


def _each(table: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows for _, rows in table.groupby(["name", "weeks"], sort=False)]


def _number(rows: pd.DataFrame, level: str) -> pd.Series | None:
    found = rows_of(rows, level=level)
    return None if found.empty else found.iloc[0]


def verdict(rows: pd.DataFrame) -> str:
    """One word table: earns its cost, loses money, cannot be told, refused, or its cost is not told."""
    if rows["verdict"].iloc[0] == "refused":
        return f"refused: {words.label(rows['reason'].iloc[0], 120)}"
    odds = _number(rows, "P(roi > 0)")
    if odds is None:
        return "tested; nobody told its cost"
    said = "earns its cost" if odds.value >= SURE else "loses money" if odds.value <= 1 - SURE else "cannot be told"
    return f"{said}: {words.probability(odds.value)} likely to earn its cost"


def describe(table: pd.DataFrame, about: About) -> Words:
    tested = [rows for rows in _each(table) if rows["verdict"].iloc[0] == "tested"]
    refused = [rows for rows in _each(table) if rows["verdict"].iloc[0] == "refused"]
    said = []
    for rows in tested[:2]:
        effect, name = _number(rows, "effect"), words.label(rows["name"].iloc[0], 40)
        if effect is not None:
            weeks = words.duration(float(rows["weeks"].iloc[0]), "week")
            said.append(
                f"{words.capital(name)}: in {weeks} it changed a customer's profit by "
                f"**{_span(effect, about)}** (90%, tested on {words.count(rows['treatment'].iloc[0])} against "
                f"{words.count(rows['control'].iloc[0])} customers)"
            )
    if refused:
        names = words.listing([words.label(rows["name"].iloc[0], 40) for rows in refused[:4]])
        said.append(
            f"For {names} nobody can say: a difference to other customers would tell whom it reached, not what it did"
        )
    said.append("“Earns its cost” and “loses money” are said from 90% on")
    counts = f"{words.counted(len(tested), 'programme')} tested, {len(refused)} refused."
    return Words("", ". ".join(said) + ".", counts)


def _span(row: pd.Series, about: About) -> str:
    return words.span(row.q5, row.q95, currency=about.currency)


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    cells, tones = [], {}
    for place, rows in enumerate(_each(table)):
        effect, cost, roi = (_number(rows, level) for level in ("effect", "cost", "roi"))
        both = f"{words.count(rows['treatment'].iloc[0])} and {words.count(rows['control'].iloc[0])}"
        armed = rows["treatment"].iloc[0] + rows["control"].iloc[0] > 0
        cells.append(
            (
                words.capital(words.label(rows["name"].iloc[0], 60)),
                words.capital(verdict(rows)),
                both if armed else "—",
                "—" if effect is None else _span(effect, about),
                "—" if cost is None else words.money(cost.value, about.currency, words.value_step(cost.value, 2)),
                "—" if roi is None else _percent(roi),
            )
        )
        odds = _number(rows, "P(roi > 0)")
        if odds is not None and np.isfinite(odds.value) and odds.value <= 1 - SURE:
            tones[place] = "bad"
    titles = ("Programme", "Verdict", "Treated and not", "Effect a customer, 90%", "Cost", "Return on cost, 90%")
    return Numbers(titles, cells, tones)


def _percent(roi: pd.Series) -> str:
    return f"{words.span(100 * roi.q5, 100 * roi.q95)}%"


FIGURE = Figure(
    "kpi_programmes",
    "what programmes earned, tested or refused",
    "strategy",
    "table",
    heading,
    table,
    describe,
    None,
    numbers,
)
