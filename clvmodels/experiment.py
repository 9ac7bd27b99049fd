"""Run an experiment: from its file to a results folder of tables, draws and posteriors; resume one that was stopped."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pandas as pd

from clvmodels import __version__, posterior, simulation
from clvmodels.checks import all_checks, sampling_failed
from clvmodels.config import EntrySection, Experiment, dump
from clvmodels.customers import Split, summarize
from clvmodels.datasets import DATASETS
from clvmodels.decisions.rank import rank
from clvmodels.effects import Effect
from clvmodels.figures import FIGURES
from clvmodels.metrics import METRICS, Judged
from clvmodels.metrics.compare import compare
from clvmodels.models import MODELS
from clvmodels.models.prior import Prior
from clvmodels.posterior import Posterior
from clvmodels.randomness import keyed_generator
from clvmodels.results import About, EntryResult, Run, machine, store, write_atomically
from clvmodels.scoring import by_customer, score
from clvmodels.sources import Policies, Transactions, read_transactions
from clvmodels.value import Economics, value

Say = Callable[[str], None]
ROLES = {"purchases": ("purchases", "lifetime"), "spend": ("spend",)}
"""The parts whose effects and parameters each role's model has."""


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

    Raises
    ------
    ClvError
        Whatever a stage refuses.
    """
    folder, say, started = Path(folder), progress or (lambda text: None), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "config.yaml", dump(experiment))
    say("Reading the data")
    transactions = read(experiment, Path(config_dir))
    split, value_split = splits(experiment, transactions)
    with tempfile.TemporaryDirectory(prefix="clvmodels-") as scratch:
        work = _Work(experiment, folder, Path(scratch), transactions.sha256, say, fresh)
        entries = {name: work.judge(name, entry, split) for name, entry in experiment.models.items()}
        comparison = _comparison(entries)
        recommended = next(iter(entries)) if comparison is None else str(comparison["entry"].iloc[0])
        entries[recommended] = work.with_past(entries[recommended], split)
        valued = work.value(recommended, split, value_split, entries[recommended])
        about = _about(experiment, transactions, split, value_split, entries, recommended, folder, started)
        scores = _scores(experiment, entries, split)
        result = Run(
            about, transactions.account, split, value_split, entries, recommended, valued, comparison,
            pd.DataFrame(), scores,
        )  # fmt: skip
        result = replace(result, checks=all_checks(result))
        say("Computing the figures' tables")
        tables = {name: FIGURES[name].table(result) for name in experiment.figures}
        customers = work.customers_table(entries, split, valued, value_split)
        about = replace(about, **machine(started))
        store(folder, replace(result, about=about), tables, customers, transactions)
    return Outcome(result, folder, int(sampling_failed(result, experiment.sampler.allow)))


def read(experiment: Experiment, config_dir: Path) -> Transactions:
    """The transactions that an experiment names."""
    data = experiment.data
    if data.dataset is not None:
        options = {} if data.customers is None else {"n_customers": data.customers}
        return DATASETS[data.dataset].load(seed=experiment.seed, **options)
    columns = {} if data.columns is None else data.columns.model_dump(exclude_none=True)
    return read_transactions(
        config_dir / str(data.transactions),
        columns=columns,
        date_format=data.date_format,
        timezone=data.timezone or "UTC",
        currency=data.currency,
        groups=data.groups,
        policies=Policies(**({} if data.policies is None else data.policies.model_dump())),
        data_end=None if data.data_end is None else data.data_end.isoformat(),
        delimiter=data.delimiter,
        encoding=data.encoding or "utf-8",
    )


def splits(experiment: Experiment, transactions: Transactions) -> tuple[Split, Split]:
    """The customers at the calibration's end with the holdout, and those at the date of value."""
    data = experiment.data
    acquired = None if data.acquired_between is None else tuple(str(day) for day in data.acquired_between)
    holdout = data.holdout.isoformat() if isinstance(data.holdout, date) else data.holdout
    common = {
        "time_unit": data.time_unit,
        "groups": tuple(dict.fromkeys((*data.groups, *_groups(experiment, transactions)))),
        "acquired_between": acquired,
        "amount_unit": data.amount_unit,
    }
    end = None if data.calibration_end is None else data.calibration_end.isoformat()
    split = summarize(transactions, calibration_end=end, holdout=holdout, **common)
    if split.holdout is None or experiment.value_at == "calibration_end":
        return split, split
    return split, summarize(transactions, calibration_end=split.holdout.end, **common)


def _groups(experiment: Experiment, transactions: Transactions) -> list[str]:
    """Groups that effects name and that the transactions carry."""
    named = [effect.group for entry in experiment.models.values() for effect in entry.effects]
    return [group for group in named if group in transactions.groups]


@dataclass(frozen=True)
class _Work:
    """What all entries of a run share: where posteriors are kept, and how they are found."""

    experiment: Experiment
    folder: Path
    scratch: Path
    data_sha256: str
    say: Say
    fresh: bool
    posteriors: dict[Path, Posterior] = field(default_factory=dict)
    """Those of this run: entries that share a model share its fit."""

    def judge(self, name: str, entry: EntrySection, split: Split) -> EntryResult:
        """Fit an entry on the calibration and judge it on the holdout."""
        posteriors = self.fit(name, entry, split, "calibration")
        result = EntryResult(name, label(entry), posteriors)
        customers = split.customers
        if split.holdout is None:
            return result
        self.say(f"{result.label}: forecasting the held-out purchases")
        futures = simulation.forecast(
            posteriors["purchases"], customers, split.holdout.periods, seed=self.experiment.seed,
            draws=self.experiment.sampler.draws, actual=split.holdout, folder=self.scratch / name,
        )  # fmt: skip
        elpd = posterior.loo(posteriors["purchases"], customers)
        judged = Judged(customers, split.holdout, futures, split.weekly, elpd, self.experiment.seed)
        return replace(result, judged=judged, p_alive=by_customer(futures.p_alive))

    def with_past(self, entry: EntryResult, split: Split) -> EntryResult:
        """The recommended entry, with its simulated past beside the weeks that it was fitted to."""
        past = split.weekly.loc[~split.weekly["held_out"], "start"]
        if entry.judged is None or past.empty:
            return entry
        self.say(f"{entry.label}: simulating the fitted weeks")
        weeks = simulation.calibration_weeks(
            entry.posteriors["purchases"], split.customers, past, seed=self.experiment.seed,
            draws=min(400, self.experiment.sampler.draws),
        )  # fmt: skip
        return replace(entry, calibration_weeks=weeks)

    def value(self, name: str, split: Split, value_split: Split, judged: EntryResult) -> EntryResult:
        """The recommended entry at the date of value, fitted again where that is later."""
        posteriors = judged.posteriors
        if value_split is not split:
            posteriors = self.fit(name, self.experiment.models[name], value_split, "value date")
        result = EntryResult(name, judged.label, posteriors)
        economics = self.experiment.economics
        if economics is None or "spend" not in posteriors:
            return replace(result, p_alive=judged.p_alive) if value_split is split else result
        self.say(f"{judged.label}: valuing {len(value_split.customers):,} customers")
        values = value(
            posteriors["purchases"], posteriors["spend"], value_split.customers,
            Economics(economics.margin, economics.annual_discount_rate, economics.horizon),
            seed=self.experiment.seed, draws=self.experiment.sampler.draws, folder=self.scratch / "value",
        )  # fmt: skip
        return replace(result, values=values, ranking=rank(values, top_share=self.experiment.top_share))

    def customers_table(self, entries, split: Split, valued: EntryResult, value_split: Split) -> pd.DataFrame:
        """One row a customer and entry, at the calibration's end; of the recommended one at the date of value too."""
        parts = []
        for entry in entries.values():
            self.say(f"{entry.label}: scoring the customers")
            parts.append(self._scored(entry, split))
        last = (
            self._scored(valued, value_split)
            if value_split is not split
            else parts.pop(list(entries).index(valued.name))
        )
        if valued.ranking is not None:
            last = last.join(valued.ranking.filter(regex="rank|odds"), on="customer_id")
        return pd.concat([*parts, last], ignore_index=True)

    def _scored(self, entry: EntryResult, split: Split) -> pd.DataFrame:
        economics = self.experiment.economics
        holdout = 52.0 if split.holdout is None else split.holdout.periods
        table = score(
            entry.posteriors if economics else {"purchases": entry.posteriors["purchases"]}, split.customers,
            horizon=economics.horizon if economics else holdout, margin=economics and economics.margin,
            annual_discount_rate=economics and economics.annual_discount_rate, seed=self.experiment.seed,
            draws=self.experiment.sampler.draws,
        )  # fmt: skip
        table.insert(0, "valued_at", split.customers.observation_end.date().isoformat())
        table.insert(0, "entry", entry.name)
        return table.reset_index()

    def fit(self, name: str, entry: EntrySection, split: Split, when: str) -> dict[str, Posterior]:
        """The posteriors of an entry's models at one date, loaded where the folder has them."""
        models = {"purchases": entry.purchases} | ({"spend": entry.spend} if entry.spend else {})
        return {role: self._fit_one(name, entry, split, when, role, model) for role, model in models.items()}

    def _fit_one(self, name: str, entry: EntrySection, split: Split, when: str, role: str, model: str) -> Posterior:
        sampler, known = self.experiment.sampler, {p.name for p in MODELS[model].parameters}
        unit = self.experiment.data.time_unit
        priors = {p: Prior.from_mapping(m, f"{name}.{p}", unit) for p, m in entry.priors.items() if p in known}
        effects = [e.model_dump() for e in entry.effects if e.part in ROLES[role]]
        end = split.customers.observation_end.date().isoformat()
        key = _key(
            __version__, posterior.SCHEMA_VERSION, self.data_sha256, self.experiment.data.model_dump(), end,
            model, {p: prior.to_mapping() for p, prior in priors.items()}, effects, sampler.model_dump(),
            self.experiment.seed,
        )  # fmt: skip
        path = self.folder / "posteriors" / f"{model}-{end}-{key[:12]}.nc"
        if path in self.posteriors:
            return self.posteriors[path]
        if path.exists() and not self.fresh:
            return self.posteriors.setdefault(path, posterior.load(path))
        self.say(f"{MODELS[model].title}: fitting {len(split.customers):,} customers at the {when}")
        found = posterior.fit(
            model, split.customers, effects=[Effect.from_mapping(e) for e in effects], priors=priors,
            method=sampler.method, draws=sampler.draws, chains=sampler.chains, tune=sampler.tune,
            seed=int(keyed_generator(self.experiment.seed, "fit", role).integers(2**31)),
            timeout_seconds=60.0 * sampler.timeout_minutes,
        )  # fmt: skip
        found.save(path)
        return self.posteriors.setdefault(path, found)


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def label(entry: EntrySection) -> str:
    """An entry in words: the purchase model's name and its groups."""
    groups = dict.fromkeys(effect.group.replace("_", " ") for effect in entry.effects)
    return (
        ", by ".join([MODELS[entry.purchases].title, " and ".join(groups)]) if groups else MODELS[entry.purchases].title
    )


def _comparison(entries: Mapping[str, EntryResult]) -> pd.DataFrame | None:
    judged = {name: entry.judged for name, entry in entries.items() if entry.judged is not None}
    return compare(judged) if judged else None


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
    return pd.DataFrame(rows, columns=["entry", "dataset", "origin", "metric", "value", "lower", "upper"])


def _about(experiment, transactions, split: Split, value_split: Split, entries, recommended, folder, started) -> About:
    economics, holdout = experiment.economics, split.holdout
    commit, dirty = _commit()
    day = lambda moment: moment.date().isoformat()  # noqa: E731
    return About(
        name=folder.name,
        title=experiment.title,
        dataset=experiment.data.dataset or Path(str(experiment.data.transactions)).name,
        customers=len(value_split.customers),
        transactions=len(transactions),
        currency=transactions.currency,
        time_unit=experiment.data.time_unit,
        data_end=day(transactions.data_end),
        calibration_end=day(split.customers.observation_end),
        holdout_start=holdout and day(holdout.start),
        holdout_end=holdout and day(holdout.end),
        holdout=holdout and holdout.periods,
        value_at=day(value_split.customers.observation_end),
        horizon=economics and economics.horizon,
        margin=economics and economics.margin,
        annual_discount_rate=economics and economics.annual_discount_rate,
        top_share=experiment.top_share,
        entries={name: entry.label for name, entry in entries.items()},
        recommended=recommended,
        seed=experiment.seed,
        draws=experiment.sampler.draws,
        public=experiment.report.public,
        made=date.today().isoformat(),
        commit=commit,
        dirty=dirty,
        data_sha256=transactions.sha256,
        config_sha256=hashlib.sha256(dump(experiment).encode()).hexdigest(),
        commands=[f"clvmodels report {folder}", f"clvmodels run {_command(folder)}"],
        **machine(started),
    )


def _command(folder: Path) -> str:
    return "demo" if folder.name == "demo" else f"experiments/{folder.name}.yaml"


def _commit() -> tuple[str | None, bool]:
    """The commit of this package's checkout and whether it was changed; None where it is an installed wheel."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None, False
    ask = lambda *words: subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)  # noqa: E731
    head = ask("rev-parse", "HEAD")
    changed = ask("status", "--porcelain", "--", "clvmodels", "experiments", "pyproject.toml", "requirements.lock")
    return (head.stdout.strip() or None), bool(changed.stdout.strip())
