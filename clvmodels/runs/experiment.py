"""Run an experiment: from its file to a results folder of tables, draws and posteriors; resume one that was stopped."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd

from clvmodels.accounts.profit_made import profit_made
from clvmodels.config.experiment import Experiment, dump
from clvmodels.customers.experience import consolidated
from clvmodels.customers.table import Split
from clvmodels.decisions.payback import payback
from clvmodels.errors import Problem, ResultsError
from clvmodels.figures import FIGURES
from clvmodels.metrics import METRICS
from clvmodels.metrics.compare import compare, compare_elpd
from clvmodels.metrics.elpd import rows_of
from clvmodels.results.folder import About, EntryResult, Run, machine, store
from clvmodels.runs.checks import all_checks, sampling_failed
from clvmodels.runs.entries import Say, Work
from clvmodels.runs.inputs import read, read_calendars, splits, windows_of
from clvmodels.runs.strategy import follow
from clvmodels.sources.consolidation import Company


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
        calendars = read_calendars(experiment, Path(config_dir))
        both = splits(experiment, company, calendars)
        economics = experiment.economics
        work = Work(experiment, folder, Path(scratch), company.transactions.sha256, say, fresh, calendars, economics)
        work.check_calendars(*both)
        entries, comparison, recommended = _judge(work, both[0])
        valued, customers = _value(work, entries, recommended, *both)
        about = _about(experiment, company, both, entries, recommended, folder, command, started)
        about = replace(about, parts=[] if valued.values is None else list(valued.values.parts))
        result = Run(
            about,
            company.account,
            *both,
            entries,
            recommended,
            valued,
            comparison,
            pd.DataFrame(),
            _scores(experiment, entries, both[0]),
            company,
            consolidated(company, both[1].customers),
        )
        result = _with_past(experiment, result)
        result = replace(result, checks=all_checks(result), kpis=follow(work, company, valued, both[1]))
        say("Computing the figures' tables")
        tables = {name: FIGURES[name].table(result) for name in experiment.figures}
        result = replace(result, about=replace(about, **machine(started)))
        store(folder, result, tables, customers, dump(experiment))
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


def _with_past(experiment: Experiment, result: Run) -> Run:
    """The run with the profit that was made up to the date of value, and what new customers cost and bring, where
    there is a value to come."""
    values, company, known = result.valued.values, result.company, result.consolidated
    if values is None or company is None or known is None:
        return result
    customers = replace(result.value_split.customers, table=known)
    made = profit_made(
        company,
        customers,
        values.economics,
        roles=experiment.costs,
        known_at=customers.observation_end,
        windows=windows_of(experiment),
    )
    back = payback(
        dict(result.valued.posteriors),
        company,
        customers,
        values.economics,
        seed=experiment.seed,
        draws=experiment.sampler.draws,
    )
    return replace(result, made=made, payback=back)


def _dataset(experiment: Experiment) -> str:
    """What was read, in words."""
    data, first = experiment.data, next(iter(experiment.sources.values()), None)
    if data.dataset is not None:
        return data.dataset
    if first is None:
        return Path(str(data.transactions)).name
    name, others = Path(str(first.path)).name, len(experiment.sources) - 1
    return f"{name} and {others} more table{'s' if others > 1 else ''}" if others else name


def _scores(experiment: Experiment, entries: Mapping[str, EntryResult], split: Split) -> pd.DataFrame:
    """Flat rows: entry, dataset, origin, metric, value, lower, upper."""
    dataset, paths = experiment.data.dataset, [str(source.path) for source in experiment.sources.values()]
    dataset = dataset or ", ".join(paths) or str(experiment.data.transactions)
    origin = split.customers.observation_end.date().isoformat()
    rows = [
        (entry.name, dataset, origin, *row)
        for entry in entries.values()
        if entry.judged is not None
        for name in experiment.metrics
        for row in METRICS[name].compute(entry.judged)
    ]
    alone = [entry for entry in entries.values() if entry.elpd is not None and "elpd" in experiment.metrics]
    rows += [(entry.name, dataset, origin, *row) for entry in alone for row in rows_of("elpd", entry.elpd)]
    return pd.DataFrame(rows, columns=["entry", "dataset", "origin", "metric", "value", "lower", "upper"])


def _about(
    experiment: Experiment,
    company: Company,
    both: tuple[Split, Split],
    entries: Mapping[str, EntryResult],
    recommended: str,
    folder: Path,
    command: str | None,
    started: float,
) -> About:
    economics, (split, value_split) = experiment.economics, both
    transactions = company.transactions
    holdout = split.holdout
    commit, dirty = _commit()
    return About(
        name=folder.name,
        title=experiment.title,
        dataset=_dataset(experiment),
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
        data_sha256=company.transactions.sha256,
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
