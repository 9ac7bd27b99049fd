"""KPIs of a strategy: what a company's tables say of each month or quarter, by cohort, channel and segment.

They are counts and sums of what happened; only scores of satisfaction, which few give, have intervals. A KPI of a
period uses rows up to its end only. To add one, a line in `KPIS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import beta

from clvmodels.accounts.bench import bench
from clvmodels.accounts.entries import Terms
from clvmodels.accounts.winning import ACQUISITION, prospects
from clvmodels.customers.table import Customers
from clvmodels.errors import ConfigError, Problem, unknown
from clvmodels.kpis.cells import ALL, COHORT, Cells, cells, sum_up
from clvmodels.kpis.migration import migration_of
from clvmodels.kpis.periods import LENGTHS, Length, Period, places, quarter_of
from clvmodels.kpis.satisfaction import PRIOR_ANSWERS, SCALES, Score, mean_score, net_promoter_score
from clvmodels.sources.consolidation import Company

COLUMNS = ("period", "by", "label", "kpi", "value", "lower", "upper", "n", "whole")


@dataclass(frozen=True)
class Kpis:
    """The tables that a run stores of its strategy, by the names of their files.

    Parameters
    ----------
    kpis, migration, programmes
        See there.
    base_value
        date, kind (expected or realised), of (total or customer), customers, repeat_purchases, q5, q25, q50, q75, q95
        (of the value over the horizon from that date, in the currency), left_out (why a date has none), note.
    """

    kpis: pd.DataFrame
    migration: pd.DataFrame
    programmes: pd.DataFrame
    base_value: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """By name of the file; those that the experiment asked for nothing of are left out."""
        tables = {}
        for field in fields(self):
            table = getattr(self, field.name)
            if len(table):
                tables[field.name] = table
        return tables


type Grid = pd.DataFrame | None
"""By label (rows) and period (columns); None: not told."""


class Kpi(NamedTuple):
    """One KPI: its unit, what it says, and its values with the number that they rest on, by label and period."""

    unit: str
    says: str
    of: Callable[[Cells], tuple[Grid, Grid]]


def _share(part: Grid, whole: pd.DataFrame) -> tuple[Grid, Grid]:
    """A quotient, empty where there is nothing to divide by."""
    if part is None:
        return None, whole
    return part / whole.where(whole > 0), whole


def _retention(cells: Cells) -> tuple[Grid, Grid]:
    """Of the first period nothing is known before."""
    active_before = cells.active.shift(axis=1)
    return _share(cells.again.iloc[:, 1:], active_before.iloc[:, 1:])


KPIS: dict[str, Kpi] = {
    "customers": Kpi("customers", "who had bought before the period", lambda c: (c.earlier, c.earlier)),
    "new customers": Kpi("customers", "who first bought in the period", lambda c: (c.new, c.new)),
    "active customers": Kpi("customers", "who bought in the period", lambda c: (c.active, c.active)),
    "retention": Kpi(
        "share",
        "of those who bought in the period before, those who bought in this one too",
        _retention,
    ),
    "purchases": Kpi("purchases", "days on which a customer ordered", lambda c: (c.purchases, c.purchases)),
    "revenue": Kpi("currency", "amounts ordered, returns not taken off", lambda c: (c.revenue, c.purchases)),
    "profit": Kpi(
        "currency",
        "margin less all costs that were known in the period, those of acquisition too",
        lambda c: (c.profit, c.purchases),
    ),
    "spent to win": Kpi("currency", "cost of acquisition", lambda c: (c.winning, c.new)),
    "spent to keep": Kpi(
        "currency", "cost of service and of contacts that are to keep customers", lambda c: (c.keeping, c.active)
    ),
    "cost to win": Kpi(
        "currency a new customer", "spent to win, over new customers", lambda c: _share(c.winning, c.new)
    ),
    "cost to keep": Kpi(
        "currency an active customer", "spent to keep, over active customers", lambda c: _share(c.keeping, c.active)
    ),
}
"""By name, in the order of the table; satisfaction follows them, see `SCORES`."""

CONVERSION: dict[str, str] = {
    "prospects": "whose winning was first paid for in the period",
    "conversion": "share of these who have ordered since, with a 90% interval; n is the number of prospects",
}
"""Of tables of acquisition that tell of prospects who were not won."""

SCORES: dict[str, str] = {
    "nps": "net promoter score: percent who answered 9 or 10 less percent who answered 0 to 6",
    "nps mean": "mean of the NPS answers, 0 to 10",
    "csat mean": "mean of the CSAT answers, 1 to 5",
    "ces mean": "mean of the CES answers, 1 to 7",
}
"""With 90% intervals; n is the number of answers."""


def kpis(
    company: Company,
    customers: Customers,
    *,
    terms: Terms | None = None,
    period: Length = "quarter",
    by: Sequence[str] = (),
    prior_answers: float = PRIOR_ANSWERS,
    value_groups: int = 5,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The KPIs of all periods up to the customers' end of observation, and how customers moved between value groups.

    Parameters
    ----------
    terms
        Economics, and the costs in use; without economics there is no profit and no cost.
    by
        Group columns of the customers' table; all of them together, and cohorts (the quarter of the first purchase),
        are always told.
    prior_answers
        What the prior of the answers to surveys is worth, in answers.

    Returns
    -------
    kpis
        period, by, label, kpi, value, lower, upper, n (the number that the value rests on), whole (whether the data
        cover the period to its end). A value that there is nothing to divide by, or nobody answered, is empty.
    migration
        See `migration.migration_of`; empty without economics.

    Raises
    ------
    ConfigError, DataError
        A period that is neither; groups that the customers do not have, or have too many of.
    """
    if problems := list(_problems(period, prior_answers)):
        raise ConfigError(problems)
    groups = [name for name in by if name not in (ALL, COHORT)]
    with bench(company.transactions.backend) as workbench:
        sums = sum_up(company, customers, terms or Terms(), groups, period, workbench)
        rows: list[tuple] = []
        for name in dict.fromkeys((ALL, COHORT, *by)):
            sums_by_label = cells(sums, name)
            for kpi in KPIS:
                rows += _rows(sums_by_label, name, kpi, sums.periods)
            rows += _scores(sums_by_label, name, sums.periods, prior_answers)
            if name == ALL:
                rows += _conversion(company, customers, sums.periods)
        migration = migration_of(sums, value_groups, workbench)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table[~_unborn(table)].reset_index(drop=True), migration


def _problems(period: str, prior_answers: float) -> Iterator[Problem]:
    if period not in LENGTHS:
        yield unknown("period", period, LENGTHS)
    if not prior_answers > 0:
        yield Problem("prior_answers must be positive", "kpis", str(prior_answers))


def _rows(cells: Cells, by: str, kpi: str, periods: list[Period]) -> Iterator[tuple]:
    """The rows of one KPI; none where the tables do not tell it."""
    values, numbers = KPIS[kpi].of(cells)
    if values is None or numbers is None:
        return
    for label in values.index:
        for place in values.columns:
            period = periods[place]
            value = float(values.at[label, place])
            n = float(numbers.at[label, place])
            yield period.name, by, label, kpi, value, np.nan, np.nan, n, period.whole


def _conversion(company: Company, customers: Customers, periods: list[Period]) -> Iterator[tuple]:
    """Of the prospects of each period how many have ordered since, with Jeffreys' interval; none where all have."""
    if ACQUISITION not in company.roles:
        return
    table = prospects(company, customers.observation_end).execute()
    if table["won"].all():
        return
    day = pd.to_datetime(table["date"]).fillna(company.transactions.data_start)
    place = places(day, periods).clip(0)  # winning is paid for before the first order
    for number, period in enumerate(periods):
        won = table.loc[place == number, "won"]
        n, successes = len(won), int(won.sum())
        if not n:
            continue
        lower, upper = beta.ppf([0.05, 0.95], successes + 0.5, n - successes + 0.5)
        yield period.name, ALL, ALL, "prospects", float(n), np.nan, np.nan, float(n), period.whole
        yield period.name, ALL, ALL, "conversion", successes / n, lower, upper, float(n), period.whole


def _scores(cells: Cells, by: str, periods: list[Period], prior: float) -> Iterator[tuple]:
    """The rows of scores of each kind of survey that was answered at all."""
    for kind in SCALES:
        answers = cells.answers[cells.answers["kind"] == kind]
        if answers.empty:
            continue
        counts = {cell: _by_score(rows) for cell, rows in answers.groupby(["label", "period"])}
        for label in cells.new.index:
            for place, period in enumerate(periods):
                by_score = counts.get((label, place), {})
                n = sum(by_score.values())
                for name, score in _scores_of(kind, by_score, prior).items():
                    yield period.name, by, label, name, *score, n, period.whole


def _scores_of(kind: str, by_score: dict[float, float], prior: float) -> dict[str, Score]:
    """The scores of one kind of survey, by name, in the order of `SCORES`."""
    scores = {}
    if kind == "nps":
        scores["nps"] = net_promoter_score(by_score, prior)
    scores[f"{kind} mean"] = mean_score(by_score, SCALES[kind], prior)
    return scores


def _by_score(answers: pd.DataFrame) -> dict[float, float]:
    """How many gave each score."""
    scores = answers["score"].astype(float)
    counts = answers["n"].astype(float)
    return dict(zip(scores, counts, strict=True))


def _unborn(table: pd.DataFrame) -> pd.Series:
    """Rows of cohorts in periods before there is anybody in them."""
    is_before = quarter_of(table["period"]) < table["label"]  # `2025 Q1`: names of quarters sort as time does
    return (table["by"] == COHORT) & is_before


__all__ = ["ALL", "COHORT", "KPIS", "SCORES", "Kpi", "Kpis", "kpis"]
