"""Run an experiment: from its file to a results folder of tables, draws and posteriors; resume one that was stopped."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels.calendars import SuppliedCalendar, holiday_weeks, read_calendar
from clvmodels.checks import all_checks, sampling_failed
from clvmodels.config import Experiment, PolicySection, dump
from clvmodels.consolidation import Company, Table, consolidate
from clvmodels.customers import Split, summarize
from clvmodels.datasets import DATASETS
from clvmodels.economics import Economics, Referral, Retention
from clvmodels.effects import columns_of
from clvmodels.entries import Say, Work
from clvmodels.errors import Problem, ResultsError
from clvmodels.experience import EXPERIENCE, with_experience
from clvmodels.figures import FIGURES
from clvmodels.ledger import Windows, with_costs
from clvmodels.metrics import METRICS
from clvmodels.metrics.compare import compare, compare_elpd
from clvmodels.metrics.elpd import rows_of
from clvmodels.reading import is_url
from clvmodels.results import About, EntryResult, Run, machine, store
from clvmodels.sources import Policies, Transactions, read_transactions


@dataclass(frozen=True)
class Outcome:
    """What a run gave: the run itself, its folder, and 1 where a sampling check failed that was not allowed."""

    run: Run
    folder: Path
    exit_status: int


def run(
    experiment: Experiment,
    folder: Path | str,
    *,
    config_dir: Path | str = ".",
    progress: Say | None = None,
    fresh: bool = False,
    command: str | None = None,
) -> Outcome:
    """Run an experiment into a folder; a fit that the folder already holds is not made again.

    Parameters
    ----------
    experiment
        Of `load_experiment` or `Experiment.from_dict`.
    folder
        The results folder. Posteriors are stored as they are found, everything else at the end.
    config_dir
        Where relative paths of the experiment start.
    progress
        Told what begins now.
    fresh
        Fit again even where a stored posterior has the same data, model, priors, sampler and seed.
    command
        What was typed to run it, for the report.

    Raises
    ------
    ClvError
        Whatever a stage refuses. Fits of other entries than the one that failed are kept.
    """
    folder, say, started = Path(folder), progress or (lambda text: None), time.monotonic()
    _prepare(folder)
    with tempfile.TemporaryDirectory(prefix="clvmodels-") as scratch:
        say("Reading the data")
        company = read(experiment, Path(config_dir), Path(scratch))
        transactions = company.transactions
        calendars = read_calendars(experiment, Path(config_dir))
        both = splits(experiment, company, calendars)
        economics = economics_of(experiment)
        work = Work(experiment, folder, Path(scratch), company.sha256, say, fresh, calendars, economics)
        work.check_calendars(*both)
        entries, comparison, recommended = _judge(work, both[0])
        valued, customers = _value(work, entries, recommended, *both)
        about = _about(experiment, company, both, entries, recommended, folder, command, started)
        result = Run(
            about, company.account, *both, entries, recommended, valued, comparison, pd.DataFrame(),
            _scores(experiment, entries, both[0]),
        )  # fmt: skip
        result = replace(result, checks=all_checks(result))
        say("Computing the figures' tables")
        tables = {name: FIGURES[name].table(result) for name in experiment.figures}
        result = replace(result, about=replace(about, **machine(started)))
        store(folder, result, tables, customers, transactions, dump(experiment))
    return Outcome(result, folder, int(sampling_failed(result, experiment.sampler.allow)))


def _prepare(folder: Path) -> None:
    """Make the results folder, and see that it can be written to before hours of work go into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        reason = error.strerror or str(error)
        known = "Name another folder"
        raise ResultsError(Problem(f"cannot write results here ({reason})", str(folder), known=known)) from error


def _judge(work: Work, split: Split) -> tuple[dict[str, EntryResult], pd.DataFrame | None, str]:
    """Every entry fitted and judged, their comparison, and the name of the one that forecasts best."""
    work.check(split)
    entries = {name: work.judge(name, fitted, split) for name, fitted in work.fit_all(split).items()}
    judged = {name: entry.judged for name, entry in entries.items() if entry.judged is not None}
    scores = {name: entry.elpd for name, entry in entries.items() if entry.elpd is not None}
    comparison = compare(judged) if judged else compare_elpd(scores)
    recommended = str(comparison["entry"].iloc[0])
    entries[recommended] = work.with_past(entries[recommended], split)
    return entries, comparison, recommended


def _value(
    work: Work, entries: Mapping[str, EntryResult], recommended: str, split: Split, value_split: Split
) -> tuple[EntryResult, pd.DataFrame]:
    """The recommended entry at the date of value, and the table of customers.

    One row a customer and entry at the calibration's end; of the recommended entry at the date of value too, where
    that is later.
    """
    valued, horizon = work.value(entries[recommended], split, value_split), work.horizon(split)
    last = work.score(valued, value_split, horizon)
    valued = replace(valued, p_alive=last["p_alive"].to_numpy())
    parts = [
        last if entry.name == recommended and value_split is split else work.score(entry, split, horizon)
        for entry in entries.values()
    ]
    return valued, pd.concat([*parts, *([] if value_split is split else [last])], ignore_index=True)


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
    tables = {
        name: Table(**{**section.model_dump(exclude={"policies"}), "policies": _policies(section.policies)})
        for name, section in experiment.sources.items()
    }
    end = None if data.data_end is None else data.data_end.isoformat()
    return consolidate(
        tables, folder=folder, currency=data.currency, timezone=data.timezone or "UTC", data_end=end,
        policies=_policies(data.policies) or Policies(), groups=data.groups, covariates=data.covariates,
    )  # fmt: skip


def _policies(section: PolicySection | None) -> Policies | None:
    return None if section is None else Policies(**section.model_dump())


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
        policies=_policies(data.policies) or Policies(),
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
        _located(section.path, config_dir), name=name, columns=dict(section.columns.items()), index=section.index,
        covariates=section.covariates, until=None if section.until is None else section.until.isoformat(),
    )  # fmt: skip


def economics_of(experiment: Experiment) -> Economics | None:
    """What turns purchases into profit, where the experiment says it."""
    if experiment.economics is None:
        return None
    stated = experiment.economics.model_dump()
    retention, referral = stated.pop("retention"), stated.pop("referral")
    if referral is not None:
        referral["group"] = tuple(referral["group"].items())
    return Economics(**stated, retention=retention and Retention(**retention), referral=referral and Referral(**referral))


def windows_of(experiment: Experiment) -> Windows:
    """How long purchases are watched for what comes back."""
    stated = {role: section.window for role, section in experiment.costs.items() if section.window is not None}
    return Windows(**stated)


def splits(
    experiment: Experiment, company: Company, calendars: Mapping[str, SuppliedCalendar]
) -> tuple[Split, Split]:
    """The customers at the calibration's end with the holdout, and those at the date of value; each with what cost
    models observe of them up to then, and the experience that effects read."""
    data, transactions = experiment.data, company.transactions
    between = data.acquired_between
    holdout = data.holdout.isoformat() if isinstance(data.holdout, date) else data.holdout
    effects = [e for part in (experiment.models, experiment.costs) for section in part.values() for e in section.effects]
    groups, named = columns_of(effects)
    named = list(dict.fromkeys((*data.covariates, *named)))
    covariates = [name for name in named if name in transactions.covariates or name not in EXPERIENCE]
    common: dict[str, Any] = {
        "time_unit": data.time_unit,
        "time": data.time,
        "groups": tuple(dict.fromkeys((*data.groups, *(g for g in groups if g in transactions.groups)))),
        "covariates": tuple(covariates),
        "acquired_between": between and tuple(day.isoformat() for day in between),
        "amount_unit": data.amount_unit,
        "calendars": list(calendars.values()),
    }
    end = None if data.calibration_end is None else data.calibration_end.isoformat()
    lived = [name for name in named if name not in covariates]
    split = _enriched(experiment, company, summarize(transactions, calibration_end=end, holdout=holdout, **common), lived)
    if split.holdout is None or experiment.value_at == "calibration_end":
        return split, split
    later = summarize(transactions, calibration_end=split.holdout.end, **common)
    return split, _enriched(experiment, company, later, lived)


def _enriched(experiment: Experiment, company: Company, split: Split, lived: Sequence[str]) -> Split:
    """With what cost models and effects read beside the purchases."""
    customers = with_experience(company, split.customers, lived) if lived else split.customers
    if experiment.costs:
        minute = experiment.economics.cost_per_minute if experiment.economics else 0.0
        customers = with_costs(
            company, customers, experiment.costs, windows=windows_of(experiment), cost_per_minute=minute
        )
    return replace(split, customers=customers)


def _scores(experiment: Experiment, entries: Mapping[str, EntryResult], split: Split) -> pd.DataFrame:
    """Flat rows: entry, dataset, origin, metric, value, lower, upper."""
    dataset = experiment.data.dataset or str(experiment.data.transactions)
    origin = split.customers.observation_end.date().isoformat()
    rows = [
        (entry.name, dataset, origin, *row)
        for entry in entries.values() if entry.judged is not None
        for name in experiment.metrics
        for row in METRICS[name].compute(entry.judged)
    ]  # fmt: skip
    alone = [entry for entry in entries.values() if entry.elpd is not None and "elpd" in experiment.metrics]
    rows += [(entry.name, dataset, origin, *row) for entry in alone for row in rows_of("elpd", entry.elpd)]
    return pd.DataFrame(rows, columns=["entry", "dataset", "origin", "metric", "value", "lower", "upper"])


def _about(
    experiment: Experiment, company: Company, both: tuple[Split, Split], entries: Mapping[str, EntryResult],
    recommended: str, folder: Path, command: str | None, started: float,
) -> About:  # fmt: skip
    economics, (split, value_split) = experiment.economics, both
    transactions = company.transactions
    holdout = split.holdout
    commit, dirty = _commit()
    return About(
        name=folder.name,
        title=experiment.title,
        dataset=experiment.data.dataset or Path(str(experiment.data.transactions)).name,
        customers=len(value_split.customers),
        transactions=len(transactions),
        currency=transactions.currency,
        time_unit=experiment.data.time_unit,
        time=entries[recommended].posteriors["purchases"].model.time,
        data_end=_day(transactions.data_end),
        calibration_end=_day(split.customers.observation_end),
        holdout_start=_day(holdout.start) if holdout else None,
        holdout_end=_day(holdout.end) if holdout else None,
        holdout=holdout.periods if holdout else None,
        value_at=_day(value_split.customers.observation_end),
        horizon=economics.horizon if economics else None,
        margin=economics.margin if economics else None,
        annual_discount_rate=economics.annual_discount_rate if economics else None,
        top_share=experiment.top_share,
        entries={name: entry.label for name, entry in entries.items()},
        recommended=recommended,
        seed=experiment.seed,
        draws=experiment.sampler.draws,
        public=experiment.report.public,
        made=date.today().isoformat(),
        commit=commit,
        dirty=dirty,
        data_sha256=company.sha256,
        config_sha256=hashlib.sha256(dump(experiment).encode()).hexdigest(),
        commands=[f"clvmodels report {shlex.quote(str(folder))}", *([command] if command else [])],
        **machine(started),
    )


def _day(moment: pd.Timestamp) -> str:
    return moment.date().isoformat()


def _commit() -> tuple[str | None, bool]:
    """The commit of this package's checkout and whether it was changed; None where it is an installed wheel."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None, False
    ask = lambda *words: subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)  # noqa: E731
    head = ask("rev-parse", "HEAD")
    changed = ask("status", "--porcelain", "--", "clvmodels", "experiments", "pyproject.toml", "requirements.lock")
    return (head.stdout.strip() or None), bool(changed.stdout.strip())
