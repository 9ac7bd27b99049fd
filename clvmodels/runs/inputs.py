"""What an experiment file names, read: the company's tables, calendars, economics, and the customers at both dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels.config.experiment import Experiment
from clvmodels.config.finding import at
from clvmodels.config.sections import (
    CalendarSection,
    CostSection,
    DataSection,
    EntrySection,
    FileSection,
    Section,
    SourceSection,
)
from clvmodels.customers.experience import is_experience, with_experience
from clvmodels.customers.observed import with_costs
from clvmodels.customers.purchases import usual_windows
from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Split
from clvmodels.customers.windows import Windows
from clvmodels.datasets import DATASETS
from clvmodels.dates import Day
from clvmodels.errors import DataError, Problem
from clvmodels.inference.effects import Effect, columns_of
from clvmodels.sources.calendars import SuppliedCalendar, holiday_weeks, read_calendar
from clvmodels.sources.consolidation import Company, Table, consolidate
from clvmodels.sources.reading import is_url
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import Transactions, read_transactions
from clvmodels.strict import FrozenDict

FILE_KEYS = ("table", "date_format", "delimiter", "encoding", *FileSection.model_fields)
"""Keys of data that say how the one file is read."""


def read(experiment: Experiment, config_dir: Path, scratch: Path) -> Company:
    """The tables that an experiment names, joined on one customer; raw tables of a simulated company are written to
    the scratch folder first."""
    data = experiment.data
    options = {} if data.customers is None else {"n_customers": data.customers}
    if experiment.sources and data.dataset is not None:
        folder = scratch / data.dataset
        DATASETS[data.dataset].write(folder, seed=experiment.seed, **options)
        return read_tables(data, experiment.sources, folder)
    if data.dataset is not None and not experiment.sources:
        return DATASETS[data.dataset].load_company(seed=experiment.seed, **options)
    return read_tables(data, experiment.sources, config_dir)


def read_tables(data: DataSection, sources: Mapping[str, SourceSection], folder: Path) -> Company:
    """The tables that sources describe, or else the one that data do; paths start from the folder."""
    return _consolidated(data, sources, folder) if sources else Company.of(_transactions(data, folder))


def _consolidated(data: DataSection, sources: Mapping[str, SourceSection], folder: Path) -> Company:
    tables = {name: Table.from_mapping(_stated(section)) for name, section in sources.items()}
    return consolidate(
        tables,
        folder=folder,
        currency=data.currency,
        timezone=data.timezone,
        data_end=_iso(data.data_end),
        policies=data.policies or Policies(),
        groups=data.groups,
        covariates=data.covariates,
    )


def _transactions(data: DataSection, folder: Path) -> Transactions:
    columns = {} if data.columns is None else data.columns.model_dump(exclude_none=True)
    with _at_keys_of_data():
        return read_transactions(
            _located(data.transactions, folder),
            columns=columns,
            **_stated(data, *FILE_KEYS),
            timezone=data.timezone,
            currency=data.currency,
            groups=data.groups,
            covariates=data.covariates,
            policies=data.policies or Policies(),
            data_end=_iso(data.data_end),
        )


@contextmanager
def _at_keys_of_data() -> Iterator[None]:
    """Problems that name an argument which is a key of data, or have a path that begins with one, are told there."""
    try:
        yield
    except DataError as error:
        raise DataError([_at_key_of_data(problem) for problem in error.problems]) from error


def _at_key_of_data(problem: Problem) -> Problem:
    key = problem.path[0] if problem.path else problem.where
    if key not in DataSection.model_fields:
        return problem
    return at(("data",), problem if problem.path else replace(problem, path=(key,)))


def _stated(section: Section, *names: str) -> dict[str, Any]:
    """The keys of a section that have a value, all of them or these; the others are the reader's to fill in."""
    values = section.model_dump(exclude_none=True)
    return {name: value for name, value in values.items() if not names or name in names}


def _located(name: str | None, config_dir: Path) -> str | Path:
    """A table that an experiment names: a database by its URL, a file from the experiment's folder on."""
    return str(name) if is_url(name) else config_dir / str(name)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def read_calendars(experiment: Experiment, config_dir: Path) -> dict[str, SuppliedCalendar]:
    """The calendars that entries are on, by name."""
    used = {entry.calendar for entry in experiment.models.values()}
    sections = experiment.calendars
    return {name: calendar_of(name, section, config_dir) for name, section in sections.items() if name in used}


def calendar_of(name: str, section: CalendarSection, folder: Path) -> SuppliedCalendar:
    """The calendar that a section describes; its path starts from the folder."""
    if section.holidays:
        return holiday_weeks([day.isoformat() for day in section.holidays], name=name)
    if section.dataset is not None:
        return DATASETS[section.dataset].load_calendar(name)
    return read_calendar(
        _located(section.path, folder),
        name=name,
        columns=dict(section.columns.items()),
        index=section.index,
        covariates=section.covariates,
        until=_iso(section.until),
    )


def effects_of(section: EntrySection | CostSection, role: str | None = None) -> tuple[Effect, ...]:
    """The effects that an entry or a cost model states; the part of a cost model's is its role."""
    part = {} if role is None else {"part": role}
    return tuple(Effect.from_mapping({**stated, **part}) for stated in section.effects)


def windows_of(experiment: Experiment) -> Windows:
    """How long purchases are watched for what comes back."""
    stated = {role: section.window for role, section in experiment.costs.items() if section.window is not None}
    return Windows(**stated)


def with_usual_windows(experiment: Experiment, company: Company) -> Experiment:
    """The experiment with the window of returns that it leaves out: as long as what came back up to the calibration's
    end says. The resolved experiment of a run states it."""
    section = experiment.costs.get("returns")
    if section is None or section.window is not None:
        return experiment
    end = experiment.data.calibration_end or company.transactions.data_end
    days = usual_windows(company, pd.Timestamp(end)).days["returns"]
    costs = {**experiment.costs, "returns": section.model_copy(update={"window": days})}
    return experiment.model_copy(update={"costs": FrozenDict(costs)})


def splits(experiment: Experiment, company: Company, calendars: Mapping[str, SuppliedCalendar]) -> tuple[Split, Split]:
    """The customers at the calibration's end with the holdout, and those at the date of value: the data's end, or the
    calibration's. Each with what cost models observe of them up to then, and the experience that effects read. Where
    both dates are one, so are both splits."""
    data = experiment.data
    holdout = data.holdout.isoformat() if isinstance(data.holdout, date) else data.holdout
    end = _iso(data.calibration_end)
    split = _customers(experiment, company, calendars, calibration_end=end, holdout=holdout)
    if data.calibration_end is None or experiment.value_at == "calibration_end":
        return split, split
    value_split = customers_at(experiment, company, calendars, None)
    if value_split.customers.observation_end == split.customers.observation_end:
        return split, split
    return split, value_split


def customers_at(
    experiment: Experiment, company: Company, calendars: Mapping[str, SuppliedCalendar], day: Day | None
) -> Split:
    """The customers known at a day, as of that day; None: the last of the data."""
    return _customers(experiment, company, calendars, calibration_end=day)


def customers_from(
    experiment: Experiment,
    company: Company,
    calendars: Mapping[str, SuppliedCalendar],
    day: Day,
    holdout: float | Day,
) -> Split:
    """The customers known at a day, as of that day, and what came in a holdout of so many time units, or up to its
    last day."""
    return _customers(experiment, company, calendars, calibration_end=day, holdout=holdout)


def _customers(
    experiment: Experiment, company: Company, calendars: Mapping[str, SuppliedCalendar], **days: Any
) -> Split:
    """The customers with the groups and covariates that effects and KPIs read; `days` as `summarize` takes them."""
    data, transactions = experiment.data, company.transactions
    entry_effects = [effect for entry in experiment.models.values() for effect in effects_of(entry)]
    cost_effects = [effect for role, section in experiment.costs.items() for effect in effects_of(section, role)]
    groups, effect_covariates = columns_of([*entry_effects, *cost_effects])
    groups = sorted({*groups, *(entry.by for entry in experiment.models.values() if entry.by is not None)})
    if experiment.kpis is not None:
        groups = [*groups, *experiment.kpis.by]
    # An effect's group may be derived (first_month), and its covariate be lived through with the company (experience):
    # the tables of orders have neither as a column.
    table_groups = [group for group in groups if group in transactions.groups]
    names = dict.fromkeys((*data.covariates, *effect_covariates))
    experience = [name for name in names if is_experience(name) and name not in transactions.covariates]
    with _at_keys_of_data():
        split = summarize(
            transactions,
            **days,
            time_unit=data.time_unit,
            time=data.time,
            groups=tuple(dict.fromkeys((*data.groups, *table_groups))),
            covariates=tuple(name for name in names if name not in experience),
            acquired_between=_acquired_between(experiment),
            amount_unit=data.amount_unit,
            calendars=list(calendars.values()),
        )
    return _enriched(experiment, company, split, experience)


def _acquired_between(experiment: Experiment) -> Any:
    days = experiment.data.acquired_between
    return days and tuple(day.isoformat() for day in days)


def _enriched(experiment: Experiment, company: Company, split: Split, experience: Sequence[str]) -> Split:
    """The customers with their experience and what cost models observe of them."""
    customers = split.customers
    if experience:
        customers = with_experience(company, customers, experience)
    if experiment.costs:
        customers = with_costs(
            company,
            customers,
            experiment.costs,
            windows=windows_of(experiment),
            cost_per_minute=experiment.economics.cost_per_minute if experiment.economics else 0.0,
        )
    return replace(split, customers=customers)
