"""What an experiment file names, read: the company's tables, calendars, economics, and the customers at both dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from clvmodels.config.experiment import Experiment
from clvmodels.customers.experience import EXPERIENCE, with_experience
from clvmodels.customers.ledger import with_costs
from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Split
from clvmodels.customers.windows import Windows
from clvmodels.datasets import DATASETS
from clvmodels.dates import Day
from clvmodels.inference.effects import columns_of
from clvmodels.sources.calendars import SuppliedCalendar, holiday_weeks, read_calendar
from clvmodels.sources.consolidation import Company, Table, consolidate
from clvmodels.sources.reading import is_url
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import Transactions, read_transactions


def read(experiment: Experiment, config_dir: Path, scratch: Path) -> Company:
    """The tables that an experiment names, joined on one customer; raw tables of a simulated company are written to
    the scratch folder first."""
    data = experiment.data
    options = {} if data.customers is None else {"n_customers": data.customers}
    if experiment.sources:
        folder = config_dir
        if data.dataset is not None:
            folder = scratch / data.dataset
            DATASETS[data.dataset].write(folder, seed=experiment.seed, **options)
        return _consolidated(experiment, folder)
    if data.dataset is not None:
        return DATASETS[data.dataset].load_company(seed=experiment.seed, **options)
    return Company.of(_transactions(experiment, config_dir))


def _consolidated(experiment: Experiment, folder: Path) -> Company:
    data = experiment.data
    tables = {name: Table.from_mapping(section.model_dump()) for name, section in experiment.sources.items()}
    end = None if data.data_end is None else data.data_end.isoformat()
    return consolidate(
        tables,
        folder=folder,
        currency=data.currency,
        timezone=data.timezone or "UTC",
        data_end=end,
        policies=data.policies or Policies(),
        groups=data.groups,
        covariates=data.covariates,
    )


def _transactions(experiment: Experiment, config_dir: Path) -> Transactions:
    data = experiment.data
    columns = {} if data.columns is None else data.columns.model_dump(exclude_none=True)
    return read_transactions(
        _located(data.transactions, config_dir),
        table=data.table,
        columns=columns,
        date_format=data.date_format,
        timezone=data.timezone or "UTC",
        currency=data.currency,
        groups=data.groups,
        covariates=data.covariates,
        policies=data.policies or Policies(),
        data_end=None if data.data_end is None else data.data_end.isoformat(),
        delimiter=data.delimiter,
        encoding=data.encoding or "utf-8",
    )


def _located(name: str | None, config_dir: Path) -> str | Path:
    """A table that an experiment names: a database by its URL, a file from the experiment's folder on."""
    return str(name) if is_url(name) else config_dir / str(name)


def read_calendars(experiment: Experiment, config_dir: Path) -> dict[str, SuppliedCalendar]:
    """The calendars that entries are on, by name."""
    used = {entry.calendar for entry in experiment.models.values()}
    return {name: _calendar(name, experiment, config_dir) for name in experiment.calendars if name in used}


def _calendar(name: str, experiment: Experiment, config_dir: Path) -> SuppliedCalendar:
    section = experiment.calendars[name]
    if section.holidays:
        return holiday_weeks([day.isoformat() for day in section.holidays], name=name)
    if section.dataset is not None:
        return DATASETS[section.dataset].load_calendar(name)
    return read_calendar(
        _located(section.path, config_dir),
        name=name,
        columns=dict(section.columns.items()),
        index=section.index,
        covariates=section.covariates,
        until=None if section.until is None else section.until.isoformat(),
    )


def windows_of(experiment: Experiment) -> Windows:
    """How long purchases are watched for what comes back."""
    stated = {role: section.window for role, section in experiment.costs.items() if section.window is not None}
    return Windows(**stated)


def splits(experiment: Experiment, company: Company, calendars: Mapping[str, SuppliedCalendar]) -> tuple[Split, Split]:
    """The customers at the calibration's end with the holdout, and those at the date of value; each with what cost
    models observe of them up to then, and the experience that effects read."""
    data = experiment.data
    holdout = data.holdout.isoformat() if isinstance(data.holdout, date) else data.holdout
    end = None if data.calibration_end is None else data.calibration_end.isoformat()
    split = _customers(experiment, company, calendars, calibration_end=end, holdout=holdout)
    if split.holdout is None or experiment.value_at == "calibration_end":
        return split, split
    return split, customers_at(experiment, company, calendars, split.holdout.end)


def customers_at(
    experiment: Experiment, company: Company, calendars: Mapping[str, SuppliedCalendar], day: Day
) -> Split:
    """The customers known at a day, as of that day."""
    return _customers(experiment, company, calendars, calibration_end=day)


def _customers(
    experiment: Experiment, company: Company, calendars: Mapping[str, SuppliedCalendar], **days: Any
) -> Split:
    data, transactions = experiment.data, company.transactions
    between: Any = data.acquired_between and tuple(day.isoformat() for day in data.acquired_between)
    effects = [effect for section in experiment.models.values() for effect in section.effects]
    of_costs = [effect for section in experiment.costs.values() for effect in section.effects]
    groups, named = columns_of([*effects, *of_costs])
    groups = [*groups, *(experiment.kpis.by if experiment.kpis else ())]
    named = list(dict.fromkeys((*data.covariates, *named)))
    covariates = [name for name in named if name in transactions.covariates or name not in EXPERIENCE]
    split = summarize(
        transactions,
        **days,
        time_unit=data.time_unit,
        time=data.time,
        groups=tuple(dict.fromkeys((*data.groups, *(g for g in groups if g in transactions.groups)))),
        covariates=tuple(covariates),
        acquired_between=between,
        amount_unit=data.amount_unit,
        calendars=list(calendars.values()),
    )
    return _enriched(experiment, company, split, [name for name in named if name not in covariates])


def _enriched(experiment: Experiment, company: Company, split: Split, lived: Sequence[str]) -> Split:
    """With what cost models and effects read beside the purchases."""
    customers = with_experience(company, split.customers, lived) if lived else split.customers
    if experiment.costs:
        minute = experiment.economics.cost_per_minute if experiment.economics else 0.0
        customers = with_costs(
            company, customers, experiment.costs, windows=windows_of(experiment), cost_per_minute=minute
        )
    return replace(split, customers=customers)
