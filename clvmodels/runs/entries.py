"""What a run does for each of its entries: fit, judge on the holdout, value, score; fits are kept in its folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels import __version__
from clvmodels.config.experiment import EntrySection, Experiment
from clvmodels.customers.table import Split
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.decisions.rank import rank
from clvmodels.errors import ClvError, DataError, FitError, Problem
from clvmodels.futures import simulation
from clvmodels.inference import posterior, regularity
from clvmodels.inference.density import check_data
from clvmodels.inference.effects import Effect, columns_of
from clvmodels.inference.posterior import Posterior
from clvmodels.metrics import Judged
from clvmodels.models import COSTS, MODELS, Model, SpendModel
from clvmodels.models.prior import Prior
from clvmodels.results.folder import EntryResult
from clvmodels.sources.calendars import SuppliedCalendar
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.scoring import behaviour, by_customer
from clvmodels.valuation.valuation import Values, value

Say = Callable[[str], None]
ROLES = {"purchases": ("purchases", "lifetime"), "spend": ("spend",)}
"""The parts whose effects and parameters each role's model has."""
PAST_DRAWS = 400
"""Simulated pasts behind the band of the fitted weeks."""


@dataclass(frozen=True)
class Wanted:
    """One fit: a model on the customers of one day."""

    role: str
    model: Model
    priors: dict[str, Prior]
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Work:
    """What all entries of a run share: where posteriors are kept, and how they are found."""

    experiment: Experiment
    folder: Path
    scratch: Path
    data_sha256: str
    say: Say
    fresh: bool
    calendars: Mapping[str, SuppliedCalendar] = field(default_factory=dict)
    economics: Economics | None = None
    posteriors: dict[Path, Posterior] = field(default_factory=dict)
    """Those of this run: entries that share a model share its fit."""
    scores: dict[int, pd.DataFrame] = field(default_factory=dict)
    """Leave-one-out scores of `posteriors`, by their identity."""
    refused: dict[Path, FitError] = field(default_factory=dict)
    """Fits that failed, which no other entry tries again."""
    chosen: dict[str, int] = field(default_factory=dict)
    """Each entry's k where it was to be chosen: at the calibration's end, and kept for the date of value."""
    on_calendar: dict[tuple[str, str, pd.Timestamp], Model] = field(default_factory=dict)

    def check_calendars(self, split: Split, value_split: Split) -> None:
        """Refuse calendars that end before what is to be forecast and valued does."""
        horizon = self.horizon(value_split)
        days = pd.Timedelta(days=math.ceil(horizon * DAYS_PER_UNIT[split.customers.time_unit]))
        needed = value_split.customers.observation_end + days
        known = f"Customers are looked at {horizon:g} {split.customers.time_unit}s after {needed - days:%Y-%m-%d}"
        what = "its rows end on {0:%Y-%m-%d}, and {1:%Y-%m-%d} is asked for"
        problems = [
            Problem(what.format(calendar.until, needed), f"calendar '{name}'", known=known)
            for name, calendar in self.calendars.items()
            if calendar.until < needed
        ]
        if problems:
            raise DataError(problems)

    def check(self, split: Split) -> None:
        """Refuse entries and cost models that the customers cannot be fitted by, all at once, before the first fit."""
        problems: list[Problem] = []
        fits = [(name, wanted) for name in self.experiment.models for wanted in self._wanted(name, split)]
        for name, wanted in [*fits, *((f"costs, {wanted.role}", wanted) for wanted in self._cost_models())]:
            try:
                check_data(wanted.model, split.customers, wanted.effects)
            except ClvError as error:
                problems += _in_entry(name, error)
        if problems:
            raise DataError(problems)

    def fit_all(self, split: Split) -> dict[str, dict[str, Posterior]]:
        """The posteriors of each entry at the calibration's end.

        Raises
        ------
        FitError
            After all that can be fitted has been, and is kept: the entries that could not, by name.
        """
        fitted: dict[str, dict[str, Posterior]] = {}
        problems: list[Problem] = []
        for name in self.experiment.models:
            try:
                fitted[name] = self.fit(name, split, "calibration")
            except FitError as error:
                problems += error.problems
        if problems:
            raise FitError(problems)
        return fitted

    def judge(self, name: str, posteriors: dict[str, Posterior], split: Split) -> EntryResult:
        """An entry judged on the holdout, where there is one."""
        shared = len({entry.spend for entry in self.experiment.models.values()}) == 1
        spend_model = None if shared or "spend" not in posteriors else posteriors["spend"].model
        words = label(self.experiment.models[name], posteriors["purchases"].model, spend_model)
        result = EntryResult(name, words, posteriors)
        if split.holdout is None:
            return replace(result, elpd=self._loo(posteriors["purchases"], split))
        self.say(f"{result.label}: forecasting the held-out purchases")
        futures = simulation.forecast(
            posteriors["purchases"],
            split.customers,
            split.holdout.periods,
            seed=self.experiment.seed,
            draws=self.experiment.sampler.draws,
            actual=split.holdout,
            folder=self.scratch / name,
        )
        judged = Judged(
            split.customers,
            split.holdout,
            futures,
            split.weekly,
            self._loo(posteriors["purchases"], split),
            self.experiment.seed,
        )
        spend = posteriors.get("spend")
        if spend is not None and isinstance(spend.model, SpendModel):
            of = spend.model.density_of
            judged = replace(judged, spend_elpd=self._loo(spend, split), spend_density_of=of)
        return replace(result, judged=judged, p_alive=by_customer(futures.p_alive))

    def _loo(self, found: Posterior, split: Split) -> pd.DataFrame:
        """The leave-one-out score of a fit, which the entries that share it share."""
        if id(found) not in self.scores:
            self.scores[id(found)] = posterior.loo(found, split.customers)
        return self.scores[id(found)]

    def with_past(self, entry: EntryResult, split: Split) -> EntryResult:
        """The recommended entry, with its simulated past beside the weeks that it was fitted to."""
        past = split.weekly.loc[~split.weekly["held_out"], "start"]
        if entry.judged is None or past.empty:
            return entry
        self.say(f"{entry.label}: simulating the past that it was fitted to")
        weeks = simulation.calibration_weeks(
            entry.posteriors["purchases"],
            split.customers,
            past,
            seed=self.experiment.seed,
            draws=min(PAST_DRAWS, self.experiment.sampler.draws),
        )
        return replace(entry, calibration_weeks=weeks)

    def value(self, entry: EntryResult, split: Split, value_split: Split) -> EntryResult:
        """The recommended entry at the date of value, fitted again where that is later."""
        result = EntryResult(entry.name, entry.label, entry.posteriors)
        if value_split is not split:
            result = replace(result, posteriors=self.fit(entry.name, value_split, "value date"))
        result = replace(result, posteriors=result.posteriors | self.fit_costs(value_split))
        values = self._values(result, value_split)
        return result if values is None else replace(result, values=values, ranking=self._ranked(values))

    def score(self, entry: EntryResult, split: Split, horizon: float) -> pd.DataFrame:
        """One row a customer: what each is expected to do and bring, what may happen, and the place among all."""
        ranking = entry.ranking
        if ranking is None:
            values = self._values(entry, split)
            ranking = None if values is None else self._ranked(values)
        self.say(f"{entry.label}: scoring {len(split.customers):,} customers")
        told = ROLES if ranking is not None else ("purchases",)
        posteriors = {role: entry.posteriors[role] for role in told}
        table = behaviour(
            posteriors, split.customers, horizon=horizon, seed=self.experiment.seed, draws=self.experiment.sampler.draws
        )
        if ranking is not None:
            table = table.join(ranking.rename(columns=_value_column))
        table.insert(0, "horizon", horizon)
        table.insert(0, "valued_at", split.customers.observation_end.date().isoformat())
        table.insert(0, "entry", entry.name)
        return table.reset_index()

    def horizon(self, split: Split) -> float:
        """How far the customers' table looks ahead: as value does, else as the holdout, else a year."""
        if self.experiment.economics is not None:
            return self.experiment.economics.horizon
        year = 365.25 / DAYS_PER_UNIT[split.customers.time_unit]
        return year if split.holdout is None else split.holdout.periods

    def _values(self, entry: EntryResult, split: Split) -> Values | None:
        day = split.customers.observation_end.date()
        if self.economics is None or "spend" not in entry.posteriors:
            return None
        posteriors = entry.posteriors | self.fit_costs(split)
        self.say(f"{entry.label}: valuing {len(split.customers):,} customers at {day}")
        return value(
            posteriors,
            split.customers,
            self.economics,
            seed=self.experiment.seed,
            draws=self.experiment.sampler.draws,
            folder=self.scratch / f"{entry.name}-value-{day}",
        )

    def _ranked(self, values: Values) -> pd.DataFrame:
        return rank(values, top_share=self.experiment.top_share)

    def fit(self, name: str, split: Split, when: str) -> dict[str, Posterior]:
        """The posteriors of an entry's models at one date, loaded where the folder has them."""
        try:
            by_role = {role: [w for w in self._wanted(name, split) if w.role == role] for role in ROLES}
            return {role: self._fit_best(name, wanted, split, when) for role, wanted in by_role.items() if wanted}
        except FitError as error:
            raise FitError(_in_entry(name, error)) from error

    def fit_costs(self, split: Split) -> dict[str, Posterior]:
        """The posteriors of the cost models, by role; those of one day are fitted once."""
        found, problems = {}, []
        for wanted in self._cost_models():
            try:
                found[wanted.role] = self._fit_one(wanted, split, f"{split.customers.observation_end:%Y-%m-%d}")
            except FitError as error:
                problems += _in_entry(f"costs, {wanted.role}", error)
        if problems:
            raise FitError(problems)
        return found

    def _cost_models(self) -> Iterator[Wanted]:
        for role, section in self.experiment.costs.items():
            model = COSTS[section.model]
            effects = tuple(Effect.from_mapping({**e.model_dump(), "part": role}) for e in section.effects)
            yield Wanted(role, model, self._priors(section.priors, model, f"costs.{role}"), effects)

    def _priors(self, stated: Mapping[str, dict[str, Any]], model: Model, where: str) -> dict[str, Prior]:
        """The stated priors of the model's own parameters."""
        unit, support = self.experiment.data.time_unit, {p.name: p.support for p in model.parameters}
        return {
            name: Prior.from_mapping(mapping, f"{where}.{name}", unit, support[name])
            for name, mapping in stated.items()
            if name in support
        }

    def _wanted(self, name: str, split: Split) -> Iterator[Wanted]:
        """The fits of an entry; several of one role where k is to be chosen."""
        entry = self.experiment.models[name]
        models = [("purchases", model) for model in self._purchase_models(name, split)]
        for role, model in [*models, *([] if entry.spend is None else [("spend", MODELS[entry.spend])])]:
            effects = [e for e in entry.effects if e.part in ROLES[role]]
            of_model = tuple(Effect.from_mapping(e.model_dump()) for e in effects)
            yield Wanted(role, model, self._priors(entry.priors, model, name), of_model)

    def _purchase_models(self, name: str, split: Split) -> list[Model]:
        entry = self.experiment.models[name]
        if entry.calendar is not None:
            return [self._on_calendar(entry.purchases, entry.calendar, split)]
        model, k = MODELS[entry.purchases], self.chosen.get(name, entry.k)
        return [model] if k is None else [model.given(k=one) for one in (k if isinstance(k, tuple) else (k,))]

    def _on_calendar(self, purchases: str, calendar: str, split: Split) -> Model:
        """The model on a calendar, made once for the customers of one day: what is compiled is kept by the object."""
        key = (purchases, calendar, split.customers.observation_end)
        if key not in self.on_calendar:
            option = split.customers.calendar_option(self.calendars[calendar])
            self.on_calendar[key] = MODELS[purchases].given(calendar=option)
        return self.on_calendar[key]

    def _fit_best(self, name: str, candidates: Sequence[Wanted], split: Split, when: str) -> Posterior:
        """The one fit, or of several the one with the k of the best leave-one-out score."""
        fitted = [self._fit_one(wanted, split, when) for wanted in candidates]
        if len(fitted) == 1:
            return fitted[0]
        self.say(f"{name}: comparing the k of {len(fitted)} fits")
        by_k = {int(found.model.options["k"]): found for found in fitted}
        best = regularity.best(by_k, {k: self._loo(found, split) for k, found in by_k.items()}).posterior
        self.chosen[name] = int(best.model.options["k"])
        return best

    def _fit_one(self, wanted: Wanted, split: Split, when: str) -> Posterior:
        path = self._path(wanted, split)
        if path in self.refused:
            raise self.refused[path]
        if path not in self.posteriors:
            stored = path.exists() and not self.fresh
            self.posteriors[path] = posterior.load(path) if stored else self._sampled(wanted, split, when, path)
        return self.posteriors[path]

    def _sampled(self, wanted: Wanted, split: Split, when: str, path: Path) -> Posterior:
        sampler = self.experiment.sampler
        self.say(f"{wanted.model.title}: fitting {len(split.customers):,} customers at the {when}")
        try:
            found = posterior.fit(
                wanted.model,
                split.customers,
                effects=wanted.effects,
                priors=wanted.priors,
                method=sampler.method,
                draws=sampler.draws,
                chains=sampler.chains,
                tune=sampler.tune,
                seed=self.experiment.seed,
                timeout_seconds=60.0 * sampler.timeout_minutes,
            )
        except FitError as error:
            self.refused[path] = error
            raise
        found.save(path)
        return found

    def _path(self, wanted: Wanted, split: Split) -> Path:
        """Where a posterior is kept, named by all that it depends on: what has changed is fitted again."""
        end = split.customers.observation_end.date().isoformat()
        sampler = self.experiment.sampler.model_dump(exclude={"allow", "timeout_minutes"})
        priors = {name: prior.to_mapping() for name, prior in wanted.priors.items()}
        data = self.experiment.data.model_dump(exclude={"calibration_end", "holdout"})  # `end` says what is fitted
        sources = {name: source.model_dump() for name, source in self.experiment.sources.items()}
        watched = {role: section.window for role, section in self.experiment.costs.items() if role == wanted.role}
        priced = self.economics is not None and wanted.role in ("contacts", "handling")
        minute = self.economics.cost_per_minute if self.economics is not None and priced else 0.0
        parts = (
            __version__,
            posterior.SCHEMA_VERSION,
            self.data_sha256,
            data,
            sources,
            watched,
            minute,
            end,
            wanted.model.name,
            dict(wanted.model.options),
            priors,
            [effect.to_mapping() for effect in wanted.effects],
            sampler,
            self.experiment.seed,
        )
        key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
        return self.folder / "posteriors" / f"{wanted.model.name}-{end}-{key[:12]}.nc"


def label(entry: EntrySection, model: Model, spend: Model | None = None) -> str:
    """An entry in words: the purchase model's title (and the spend model's, where entries differ in it), its calendar,
    groups and covariates."""
    groups, covariates = columns_of(entry.effects)
    by = f", by {_listed(groups)}" if groups else ""
    title = f"{model.title} and {spend.title}" if spend else model.title
    title += f" on {entry.calendar.replace('_', ' ')}" if entry.calendar else ""
    return title + by + (f", with {_listed(covariates)}" if covariates else "")


def _listed(names: list[str]) -> str:
    """Columns in words; of many their number."""
    return " and ".join(name.replace("_", " ") for name in names) if len(names) < 4 else f"{len(names)} columns"


def _in_entry(name: str, error: ClvError) -> list[Problem]:
    """The problems of an error, each told where: in which entry."""
    return [replace(p, where=f"{name}, {p.where}" if p.where else name) for p in error.problems]


def _value_column(name: str) -> str:
    """A ranking's column in the customers' table: expected_mean is expected_value_mean; ranks and odds stay."""
    kind, _, statistic = name.partition("_")
    return name if statistic.startswith(("rank", "odds")) else f"{kind}_value_{statistic}"
