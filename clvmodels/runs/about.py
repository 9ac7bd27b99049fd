"""Who ran what, when, on which data: the record that a run leaves beside its tables."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd

from clvmodels.config.experiment import Experiment, dump
from clvmodels.customers.table import Split
from clvmodels.results.folder import About, EntryResult, machine
from clvmodels.runs.context import Context
from clvmodels.sources.consolidation import Company


def about_run(
    context: Context,
    company: Company,
    split: Split,
    value_split: Split,
    entries: Mapping[str, EntryResult],
    valued: EntryResult,
    command: str | None,
    started: float,
) -> About:
    """The record of a run. `command`: what was typed; `started`: the monotonic clock at its beginning, in seconds."""
    experiment, folder = context.experiment, context.folder
    holdout = split.holdout
    economics = None if valued.withheld else experiment.economics
    commit, is_dirty = _commit()
    report_again = f"clvmodels report {shlex.quote(str(folder))}"
    return About(
        name=folder.name,
        title=experiment.title,
        dataset=_dataset(experiment),
        customers=len(value_split.customers),
        transactions=len(company.transactions),
        currency=company.currency,
        time_unit=experiment.data.time_unit,
        time=entries[valued.name].posteriors["purchases"].model.time,
        data_end=_day(company.transactions.data_end),
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
        recommended=valued.name,
        totals=experiment.totals,
        question=experiment.question or ("worth" if economics else "which_model"),
        seed=experiment.seed,
        draws=experiment.sampler.draws,
        public=experiment.report.public,
        made=date.today().isoformat(),
        commit=commit,
        dirty=is_dirty,
        data_sha256=company.transactions.sha256,
        config_sha256=hashlib.sha256(dump(experiment).encode()).hexdigest(),
        parts=list(valued.values.parts) if valued.values else [],
        commands=[report_again, command] if command else [report_again],
        **machine(started),
    )


def _day(moment: pd.Timestamp) -> str:
    return moment.date().isoformat()


def _dataset(experiment: Experiment) -> str:
    """What was read, in words: the named data set, else the first file and how many more."""
    if experiment.data.dataset is not None:
        return experiment.data.dataset
    paths = [source.path for source in experiment.sources.values()] or [str(experiment.data.transactions)]
    name, more = Path(paths[0]).name, len(paths) - 1
    if not more:
        return name
    return f"{name} and {more} more table{'s' if more > 1 else ''}"


def _commit() -> tuple[str | None, bool]:
    """The commit of this package's checkout and whether it was changed; None where it is an installed wheel."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None, False
    head = _git(root, "rev-parse", "HEAD")
    changes = _git(
        root, "status", "--porcelain", "--", "clvmodels", "experiments", "pyproject.toml", "requirements.lock"
    )
    return head or None, bool(changes)


def _git(root: Path, *words: str) -> str:
    """What git says; nothing where it refuses, as in a folder without a commit."""
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True).stdout.strip()
