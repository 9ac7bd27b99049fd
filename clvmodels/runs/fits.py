"""Plans to posteriors: loaded where the folder has them, else fitted and kept there as soon as they are found."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd

import clvmodels
from clvmodels import __version__, words
from clvmodels.customers.table import Split
from clvmodels.errors import FitError, Problem
from clvmodels.inference import choice_of_k, fitting, leave_one_out, posterior
from clvmodels.inference.posterior import Posterior
from clvmodels.models import Cost
from clvmodels.runs.context import Context
from clvmodels.runs.plans import ENTRY_PARTS, FitPlan, cost_plans, entry_plans, problems_of_entry
from clvmodels.runs.reading import reading_of


def fit_entries(context: Context, split: Split) -> dict[str, dict[str, Posterior]]:
    """The posteriors of each entry at the calibration's end.

    Raises
    ------
    FitError
        After all that can be fitted has been, and is kept: the entries that could not, by name.
    """
    posteriors: dict[str, dict[str, Posterior]] = {}
    problems: list[Problem] = []
    for name in context.experiment.models:
        try:
            posteriors[name] = fit_entry(context, name, split)
        except FitError as error:
            problems += error.problems
    if problems:
        raise FitError(problems)
    return posteriors


def fit_entry(context: Context, name: str, split: Split) -> dict[str, Posterior]:
    """The posteriors of an entry's models at one date, the end of what is observed of the customers, by role.

    Raises
    ------
    FitError
        Naming the entry.
    """
    plans = entry_plans(context, name, split)
    posteriors = {}
    try:
        for role in ENTRY_PARTS:
            candidates = [plan for plan in plans if plan.role == role]
            if candidates:
                posteriors[role] = _best_fit(context, name, candidates, split)
    except FitError as error:
        raise FitError(problems_of_entry(name, error)) from error
    return posteriors


def fit_costs(context: Context, name: str, split: Split) -> dict[str, Posterior]:
    """The posteriors of the cost models at one date, by role, as they are used with an entry.

    Raises
    ------
    FitError
        Naming every cost model that could not be fitted.
    """
    posteriors: dict[str, Posterior] = {}
    problems: list[Problem] = []
    by = context.experiment.models[name].by
    for plan in cost_plans(context.experiment, split, by):
        try:
            posteriors[plan.role] = _fit(context, plan, split)
        except FitError as error:
            problems += problems_of_entry(f"costs, {plan.role}", error)
    if problems:
        raise FitError(problems)
    return posteriors


def loo_scores(context: Context, fitted: Posterior, split: Split) -> pd.DataFrame:
    """The leave-one-out scores of a fit, computed once for all entries that share it."""
    scores = context.memory.loo_scores
    if id(fitted) not in scores:
        scores[id(fitted)] = leave_one_out.loo(fitted, split.customers)
    return scores[id(fitted)]


def _best_fit(context: Context, name: str, candidates: list[FitPlan], split: Split) -> Posterior:
    """The fit of the only candidate, or of several the one whose k has the best leave-one-out score."""
    fits = [_fit(context, plan, split) for plan in candidates]
    if len(fits) == 1:
        return fits[0]
    context.say(f"{name}: comparing the k of {words.counted(len(fits), 'fit')}")
    by_k = {int(fitted.model.options["k"]): fitted for fitted in fits}
    scores = {k: loo_scores(context, fitted, split) for k, fitted in by_k.items()}
    best = choice_of_k.best(by_k, scores).posterior
    context.memory.chosen_k[name] = int(best.model.options["k"])
    return best


def _fit(context: Context, plan: FitPlan, split: Split) -> Posterior:
    """A posterior from this run's memory, else from its folder, else from the sampler."""
    memory, path = context.memory, posterior_path(context, plan, split)
    if path in memory.failures:
        raise memory.failures[path]
    if path in memory.posteriors:
        return memory.posteriors[path]
    if path.exists() and not context.fresh:
        fitted = posterior.load(path)
    else:
        fitted = replace(_sample(context, plan, split, path), reading=reading_of(context.experiment))
        fitted.save(path)
    memory.posteriors[path] = fitted
    return fitted


def _sample(context: Context, plan: FitPlan, split: Split, path: Path) -> Posterior:
    sampler = context.experiment.sampler
    customers = words.counted(len(split.customers), "customer")
    context.say(f"{plan.model.title}: fitting {customers} as of {split.customers.observation_end:%Y-%m-%d}")
    try:
        return fitting.fit(
            plan.model,
            split.customers,
            effects=plan.effects,
            priors=plan.priors,
            method=sampler.method,
            draws=sampler.draws,
            chains=sampler.chains,
            tune=sampler.tune,
            seed=context.experiment.seed,
            timeout_seconds=60.0 * sampler.timeout_minutes,
        )
    except FitError as error:
        context.memory.failures[path] = error
        raise


def posterior_path(context: Context, plan: FitPlan, split: Split) -> Path:
    """Where a posterior is kept, named by all that it depends on: what has changed is fitted again."""
    experiment, economics = context.experiment, context.experiment.economics
    end = split.customers.observation_end.date().isoformat()
    windows = {role: section.window for role, section in experiment.costs.items() if role == plan.role}
    cost_per_minute = 0.0
    if economics is not None and isinstance(plan.model, Cost) and plan.model.reads_prices:
        cost_per_minute = economics.cost_per_minute
    dependencies = (
        __version__,
        _code_sha256(),
        posterior.SCHEMA_VERSION,
        context.data_sha256,
        _table_sha256(context, split),  # which other files than the tables come into, such as calendars
        # `end` below says what is fitted; a calibration's end that is another's date of value is the same fit.
        experiment.data.model_dump(exclude={"calibration_end", "holdout", "origins", "holdouts"}),
        {name: source.model_dump() for name, source in experiment.sources.items()},
        windows,
        cost_per_minute,
        end,
        plan.model.name,
        dict(plan.model.options),
        {name: prior.to_mapping() for name, prior in plan.priors.items()},
        [effect.to_mapping() for effect in plan.effects],
        # What is allowed to fail, and how long a fit may take, change no draw of one that was found.
        experiment.sampler.model_dump(exclude={"allow_failed", "timeout_minutes"}),
        experiment.seed,
    )
    text = json.dumps(dependencies, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return context.folder / "posteriors" / f"{plan.model.name}-{end}-{digest[:12]}.nc"


CODE_OF_FITS = ("customers", "inference", "models", "sources")
"""Folders of which a fit is made, beside the modules of the ground."""


@functools.cache
def _code_sha256() -> str:
    """Of the code that a fit depends on: what another code has found is not this one's."""
    package = Path(clvmodels.__file__).parent
    files = [*package.glob("*.py")]
    for folder in CODE_OF_FITS:
        files += (package / folder).rglob("*.py")
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _table_sha256(context: Context, split: Split) -> str:
    """Of the customers' table; computed once a table."""
    table, digests = split.customers.table, context.memory.table_digests
    if id(table) not in digests:
        rows = pd.util.hash_pandas_object(table, index=True).to_numpy()
        digests[id(table)] = hashlib.sha256(repr(list(table)).encode() + rows.tobytes()).hexdigest()
    return digests[id(table)]
