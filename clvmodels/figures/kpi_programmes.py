"""What programmes earned, where chance decided whom they reached; the others with the reason why nobody can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

MOST = 20
SURE = 0.9
NUMBER = ("value", "q5", "q50", "q95")


class Tables(NamedTuple):
    """What programmes earned. A programme is a name and the weeks that it was watched for."""

    programmes: pd.DataFrame
    """A row a programme: tested, or refused with the reason; the customers treated and not."""
    numbers: pd.DataFrame
    """Of each tested programme a row a number (level): effect, cost, roi, ...; with its quantiles where it has some."""


def table(run: Run) -> Tables | None:
    """The programmes, and the numbers of those that are tested."""
    if run.kpis is None or run.kpis.programmes.empty:
        return None
    told = run.kpis.programmes.rename(columns={"campaign": "name", "of": "level"})
    programmes = told.drop_duplicates(["name", "weeks"])[:MOST]
    programmes = programmes[["name", "weeks", "verdict", "reason", "treatment", "control"]].fillna({"reason": ""})
    of_these = programmes[["name", "weeks"]].merge(told, on=["name", "weeks"])
    numbers = of_these[of_these["level"].notna()].astype({"level": str, **dict.fromkeys(NUMBER, float)})
    return Tables(
        programmes.reset_index(drop=True), numbers[["name", "weeks", "level", *NUMBER]].reset_index(drop=True)
    )


def heading(tables: Tables, about: About) -> str:
    return "What programmes earned"


def _number(tables: Tables, programme: pd.Series, level: str) -> pd.Series | None:
    found = rows_of(tables.numbers, name=programme["name"], weeks=programme["weeks"], level=level)
    return None if found.empty else found.iloc[0]


def verdict(tables: Tables, programme: pd.Series) -> str:
    """Earns its cost, loses money, cannot be told, refused, or its cost is not told."""
    if programme["verdict"] == "refused":
        return f"refused: {words.label(programme['reason'], 120)}"
    odds = _odds(tables, programme)
    if odds is None:
        return "tested; nobody told its cost"
    outcome = "cannot be told"
    if odds >= SURE:
        outcome = "earns its cost"
    elif _loses(odds):
        outcome = "loses money"
    return f"{outcome}: {words.probability(odds)} likely to earn its cost"


def _odds(tables: Tables, programme: pd.Series) -> float | None:
    """How likely it is that it earns its cost; None where that is not known."""
    odds = _number(tables, programme, "P(roi > 0)")
    return None if odds is None else float(odds.value)


def _loses(odds: float) -> bool:
    """Whether it surely loses money. In this order: 1 - 0.9 is a little less than the odds of 10%."""
    return 1 - odds >= SURE


def describe(tables: Tables, about: About) -> Words:
    tested = rows_of(tables.programmes, verdict="tested")
    refused = rows_of(tables.programmes, verdict="refused")
    said = []
    for _, programme in tested[:2].iterrows():
        effect, name = _number(tables, programme, "effect"), words.label(programme["name"], 40)
        if effect is not None:
            weeks = words.duration(float(programme["weeks"]), "week")
            said.append(
                f"{words.capital(name)}: in {weeks} it changed a customer's profit by "
                f"**{_span(effect, about)}** (90%, tested on {words.count(programme['treatment'])} against "
                f"{words.counted(programme['control'], 'customer')})"
            )
    if len(refused):
        names = words.listing([words.label(name, 40) for name in refused["name"][:4]])
        said.append(
            f"For {names} nobody can say: a difference to other customers would tell whom it reached, not what it did"
        )
    said.append("“Earns its cost” and “loses money” are said from 90% on")
    counts = f"{words.counted(len(tested), 'programme')} tested, {len(refused)} refused."
    return Words("", ". ".join(said) + ".", counts)


def _span(row: pd.Series, about: About) -> str:
    return words.span(row.q5, row.q95, currency=about.currency)


def numbers(tables: Tables, about: About) -> Numbers:
    cells, tones = [], {}
    for place, (_, programme) in enumerate(tables.programmes.iterrows()):
        effect, cost, roi = (_number(tables, programme, level) for level in ("effect", "cost", "roi"))
        both = f"{words.count(programme['treatment'])} and {words.count(programme['control'])}"
        armed = programme["treatment"] + programme["control"] > 0
        cells.append(
            (
                words.capital(words.label(programme["name"], 60)),
                words.capital(verdict(tables, programme)),
                both if armed else "—",
                "—" if effect is None else _span(effect, about),
                "—" if cost is None else words.money(cost.value, about.currency, words.value_step(cost.value, 2)),
                "—" if roi is None else _percent(roi),
            )
        )
        odds = _odds(tables, programme)
        if odds is not None and _loses(odds):
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
    Tables,
)
