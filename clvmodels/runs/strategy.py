"""What a run says of the strategy: KPIs of the past, programmes, and what the base was worth at the ends of quarters.

Each of these values is made as it could have been made on that day: of the customers known then, summarised as of then,
by the recommended entry's models and the cost models fitted to the data up to then. Only the choice of the entry knows
what came later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.accounts.entries import Terms
from clvmodels.config.experiment import KpiSection
from clvmodels.customers.table import Split
from clvmodels.draws import mean_by_customer, quantiles
from clvmodels.errors import ClvError
from clvmodels.kpis.indicators import Kpis, kpis
from clvmodels.kpis.migration import as_table, place_of_new
from clvmodels.kpis.programmes import programmes
from clvmodels.results.folder import EntryResult
from clvmodels.runs.backtests import corrected_values, learn, too_few
from clvmodels.runs.context import Context
from clvmodels.runs.fits import fit_costs, fit_entry
from clvmodels.runs.inputs import customers_at, windows_of
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.valuation import Values, value

DATES = 4
"""Valued where the experiment does not say how many."""
COLUMNS = (
    "date",
    "kind",
    "of",
    "customers",
    "repeat_purchases",
    "q5",
    "q25",
    "q50",
    "q75",
    "q95",
    "left_out",
    "note",
)


def strategy_tables(context: Context, company: Company, valued: EntryResult, value_split: Split) -> Kpis | None:
    """The tables of the strategy, where the experiment asks for them."""
    section = context.experiment.kpis
    if section is None:
        return None
    context.say("Counting the KPIs of the strategy")
    customers = value_split.customers
    terms = Terms(context.experiment.economics, tuple(context.experiment.costs), windows_of(context.experiment))
    rows, migration = kpis(
        company,
        customers,
        terms=terms,
        period=section.period,
        by=section.by,
        prior_answers=section.satisfaction.prior_answers,
        value_groups=section.value_groups,
    )
    earned = pd.DataFrame()
    if section.programmes:
        earned = programmes(company, customers, terms, section.programmes)
    base_value, value_migration = _base_value(context, company, section, valued, value_split)
    return Kpis(rows, pd.concat([migration, value_migration], ignore_index=True), earned, base_value)


def quarter_ends(start: pd.Timestamp, end: pd.Timestamp, count: int) -> list[pd.Timestamp]:
    """The last ends of quarters before a day, and that day: `count` in all, or as many as the data have."""
    if count < 1:
        return []
    ends = [day for day in pd.date_range(start, end, freq="QE") if day < end]
    first = max(0, len(ends) - (count - 1))
    return [*ends[first:], end]


def _base_value(
    context: Context, company: Company, section: KpiSection, valued: EntryResult, value_split: Split
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the base was worth at each date, and how customers moved between groups of expected value."""
    customers = value_split.customers
    # Where time is counted in opportunities the end of a quarter may cut one in two.
    if valued.values is None or customers.time == "opportunities":
        return pd.DataFrame(columns=list(COLUMNS)), pd.DataFrame()
    rows: list[dict[str, Any]] = []
    means: dict[str, pd.Series] = {}
    count = DATES if section.dates is None else section.dates
    for day in quarter_ends(company.transactions.data_start, customers.observation_end, count):
        values, day_rows = _value_at(context, company, section, valued, value_split, day)
        rows += day_rows
        if values is not None:
            means[_iso(day)] = pd.Series(mean_by_customer(values.expected), values.customer_id)
    moves = [
        _migration(means[first], means[second], first, second, section.value_groups)
        for first, second in pairwise(means)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)), pd.concat(moves) if moves else pd.DataFrame()


def _value_at(
    context: Context, company: Company, section: KpiSection, valued: EntryResult, value_split: Split, day: pd.Timestamp
) -> tuple[Values | None, list[dict[str, Any]]]:
    """The value of the base at one date, and its rows: the run's own at its date of value, else of a fit as of then."""
    date: dict[str, Any] = {"date": _iso(day)}
    if day == value_split.customers.observation_end:
        return valued.values, [date | _size(value_split) | row for row in _quantile_rows(valued.values)]
    try:
        split = customers_at(context.experiment, company, context.calendars, day)
        date |= _size(split)
        if reason := too_few(split):
            return None, [date | {"left_out": reason}]
        values, note = _values_as_of(context, company, section, valued.name, split)
    except ClvError as error:  # said in the table: one date fewer is no reason to lose the others
        return None, [date | {"left_out": error.problems[0].what}]
    return values, [date | row | {"note": note} for row in _quantile_rows(values)]


def _iso(day: pd.Timestamp) -> str:
    return day.date().isoformat()


def _size(split: Split) -> dict[str, int]:
    table = split.customers.table
    return {"customers": len(table), "repeat_purchases": int(table["frequency"].sum())}


def _values_as_of(
    context: Context, company: Company, section: KpiSection, name: str, split: Split
) -> tuple[Values, str]:
    """Values as of a day by models fitted then, and what is to be said of the fits.

    Laplace first, whatever the experiment samples with: chains only where that is refused.
    """
    experiment, economics = context.experiment, context.experiment.economics
    if economics is None:
        raise ValueError("a value without economics")
    sampler = experiment.sampler.model_copy(update={"method": "auto", "draws": section.draws})
    then = replace(context, experiment=experiment.model_copy(update={"sampler": sampler}))
    day = split.customers.observation_end.date()
    posteriors = fit_entry(then, name, split) | fit_costs(then, name, split)
    checks = [check for fitted in posteriors.values() for check in fitted.checks]
    failed = sorted({check.check for check in checks if not check.passed})
    context.say(f"Valuing the {words.counted(len(split.customers), 'customer')} of {day}")
    values = value(
        posteriors,
        split.customers,
        economics,
        seed=experiment.seed,
        draws=section.draws,
        folder=context.scratch / f"base-{day}",
        allow_failed=experiment.sampler.allow_failed,
    )
    values = corrected_values(values, learn(then, company, name, split), experiment.seed)
    return values, f"failed: {', '.join(failed)}" if failed else ""


def _quantile_rows(values: Values | None) -> Iterator[dict[str, Any]]:
    """Quantiles over draws of the base's total and of the mean of a customer."""
    if values is None:
        return
    for kind in ("expected", "realised"):
        total = np.asarray(values.base(kind), dtype=float)
        mean = total / len(values.customer_id)
        for of, draws in (("total", total), ("customer", mean)):
            yield {"kind": kind, "of": of, **quantiles(draws), "left_out": "", "note": ""}


def _migration(before: pd.Series, after: pd.Series, first: str, second: str, groups: int) -> pd.DataFrame:
    """Customers by group of expected value at two dates: group 1 is the most valuable."""
    to_place = _value_groups(after, groups)
    from_place = _value_groups(before, groups).reindex(to_place.index, fill_value=place_of_new(groups))
    moves = pd.DataFrame({"from_place": from_place, "to_place": to_place})
    counts = moves.groupby(["from_place", "to_place"]).size().rename("customers").reset_index()
    return as_table(counts, groups, "expected value", first, second, True)


def _value_groups(means: pd.Series, groups: int) -> pd.Series:
    """Groups of one size, by rank of the mean value; ties by id, so that no order of the rows decides."""
    order = np.lexsort((means.index.to_numpy(dtype=str), -means.to_numpy()))
    group = np.empty(len(means), dtype=int)
    group[order] = np.arange(len(means)) * groups // len(means) + 1
    return pd.Series(group, means.index)
