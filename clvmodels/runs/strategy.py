"""What a run says of the strategy: KPIs of the past, programmes, and what the base was worth at the ends of quarters.

Each of these values is made as it could have been made on that day: of the customers known then, summarised as of then,
by the recommended entry's models and the cost models fitted to the data up to then. Only the choice of the entry knows
what came later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.config.experiment import KpiSection
from clvmodels.customers.table import Split
from clvmodels.draws import mean_by_customer, quantiles
from clvmodels.errors import ClvError
from clvmodels.kpis.book import Terms
from clvmodels.kpis.indicators import Kpis, kpis
from clvmodels.kpis.migration import NEW, as_table
from clvmodels.kpis.programmes import programmes
from clvmodels.results.folder import EntryResult
from clvmodels.runs.entries import Work
from clvmodels.runs.inputs import customers_at, windows_of
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.valuation import Values, value

LEAST_CUSTOMERS, LEAST_REPEATS = 100, 100
"""A date with fewer says too little to fit models to."""
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


def follow(work: Work, company: Company, valued: EntryResult, value_split: Split) -> Kpis | None:
    """The tables of the strategy, where the experiment asks for them."""
    section = work.experiment.kpis
    if section is None:
        return None
    work.say("Counting the KPIs of the strategy")
    customers = value_split.customers
    terms = Terms(work.economics, tuple(work.experiment.costs), windows_of(work.experiment))
    told, moved = kpis(
        company,
        customers,
        terms=terms,
        period=section.period,
        by=section.by,
        prior_answers=section.satisfaction.prior_answers,
        value_groups=section.value_groups,
    )
    tested = programmes(company, customers, terms, section.programmes) if section.programmes else pd.DataFrame()
    worth, moved_later = _base_value(work, company, section, valued, value_split)
    return Kpis(told, pd.concat([moved, moved_later], ignore_index=True), tested, worth)


def quarter_ends(start: pd.Timestamp, end: pd.Timestamp, count: int) -> list[pd.Timestamp]:
    """The last ends of quarters before a day, and that day: `count` in all, or as many as the data have."""
    ends = [day for day in pd.date_range(start, end, freq="QE") if day < end]
    return [*ends[max(0, len(ends) - count + 1) :], end] if count > 1 else [end][:count]


def _base_value(
    work: Work, company: Company, section: KpiSection, valued: EntryResult, value_split: Split
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the base was worth at each date, and how customers moved between groups of expected value."""
    nothing = pd.DataFrame(columns=list(COLUMNS)), pd.DataFrame()
    customers = value_split.customers
    if valued.values is None or customers.time == "opportunities":
        return nothing
    rows: list[dict[str, Any]] = []
    means: dict[str, pd.Series] = {}
    dates = DATES if section.dates is None else section.dates
    for day in quarter_ends(company.transactions.data_start, customers.observation_end, dates):
        found, told = _worth(work, company, section, valued, value_split, day)
        rows += told
        if found is not None:
            means[day.date().isoformat()] = pd.Series(mean_by_customer(found.expected), found.customer_id)
    pairs = list(zip(means, list(means)[1:], strict=False))
    moved = [_moved(means[a], means[b], a, b, section.value_groups) for a, b in pairs]
    return pd.DataFrame(rows, columns=list(COLUMNS)), pd.concat(moved) if moved else pd.DataFrame()


def _worth(
    work: Work, company: Company, section: KpiSection, valued: EntryResult, value_split: Split, day: pd.Timestamp
) -> tuple[Values | None, list[dict[str, Any]]]:
    """The value of the base at one date: the run's own at its date of value, else of a fit as of that day."""
    at: dict[str, Any] = {"date": day.date().isoformat()}
    if day == value_split.customers.observation_end:
        return valued.values, [at | _size(value_split) | row for row in _summary(valued.values)]
    try:
        split = customers_at(work.experiment, company, work.calendars, day)
        at |= _size(split)
        if reason := _too_few(at):
            return None, [at | {"left_out": reason}]
        values, note = _valued(work, section, valued.name, split)
    except ClvError as error:  # said in the table: one date fewer is no reason to lose the others
        return None, [at | {"left_out": error.problems[0].what}]
    return values, [at | row | {"note": note} for row in _summary(values)]


def _size(split: Split) -> dict[str, int]:
    table = split.customers.table
    return {"customers": len(table), "repeat_purchases": int(table["frequency"].sum())}


def _too_few(size: dict[str, Any]) -> str:
    for name, least in (("customers", LEAST_CUSTOMERS), ("repeat_purchases", LEAST_REPEATS)):
        if size[name] < least:
            return f"{size[name]:,} {name.replace('_', ' ')}: at least {least} are needed"
    return ""


def _valued(work: Work, section: KpiSection, name: str, split: Split) -> tuple[Values, str]:
    """Values as of a day by models fitted then, and what is to be said of the fits.

    Laplace first, whatever the experiment samples with: chains only where that is refused.
    """
    experiment = work.experiment
    sampler = experiment.sampler.model_copy(update={"method": "auto", "draws": section.draws})
    then = replace(work, experiment=experiment.model_copy(update={"sampler": sampler}))
    day = split.customers.observation_end.date()
    fitted = then.fit(name, split, f"{day}") | then.fit_costs(split)
    failed = sorted({check["check"] for one in fitted.values() for check in one.checks if not check["passed"]})
    if work.economics is None:
        raise ValueError("a value without economics")
    work.say(f"Valuing the {len(split.customers):,} customers of {day}")
    found = value(
        fitted,
        split.customers,
        work.economics,
        seed=experiment.seed,
        draws=section.draws,
        folder=work.scratch / f"base-{day}",
    )
    return found, f"failed: {', '.join(failed)}" if failed else ""


def _summary(values: Values | None) -> Iterator[dict[str, Any]]:
    """Quantiles over draws of the base's total and of the mean of a customer."""
    if values is None:
        return
    for kind in ("expected", "realised"):
        total = np.asarray(values.base(kind), dtype=float)
        for of, draws in (("total", total), ("customer", total / len(values.customer_id))):
            yield {"kind": kind, "of": of, **quantiles(draws), "left_out": "", "note": ""}


def _moved(before: pd.Series, after: pd.Series, first: str, second: str, groups: int) -> pd.DataFrame:
    """Customers by group of expected value at two dates: group 1 is the most valuable."""
    one, two = (_groups(means, groups) for means in (before, after))
    both = pd.DataFrame({"from_group": one.reindex(two.index).fillna(NEW), "to_group": two})
    found = both.groupby(["from_group", "to_group"]).size().rename("customers").reset_index()
    return as_table(found, "expected value", first, second, True)


def _groups(means: pd.Series, groups: int) -> pd.Series:
    """Of one size, by rank; ties by id."""
    order = np.lexsort((means.index.to_numpy(dtype=str), -means.to_numpy()))
    place = np.empty(len(means), dtype=int)
    place[order] = np.arange(len(means)) * groups // len(means)
    return pd.Series((place + 1).astype(str), means.index)
