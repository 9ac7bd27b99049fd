"""Which models a run is to fit, with which priors and effects; what cannot be fitted is refused before the first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from clvmodels.config.experiment import Experiment
from clvmodels.customers.table import Split
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.errors import ClvError, DataError, Problem
from clvmodels.inference.effects import Effect, pooled_by
from clvmodels.inference.refusals import check_data
from clvmodels.models import COSTS, MODELS, Model, SpendModel
from clvmodels.models.prior import Prior
from clvmodels.models.spend.first_amounts import difference, in_words, reads_single_amounts
from clvmodels.runs.context import Context
from clvmodels.runs.inputs import effects_of

ENTRY_PARTS = {"purchases": ("purchases", "lifetime"), "spend": ("spend",)}
"""An entry's models, and the parts whose effects and parameters each has."""


@dataclass(frozen=True)
class FitPlan:
    """One fit to be done: a model on the customers of one day. `role`: purchases, spend, or that of a cost model."""

    role: str
    model: Model
    priors: dict[str, Prior]
    effects: tuple[Effect, ...]


def entry_plans(context: Context, name: str, split: Split) -> list[FitPlan]:
    """The fits of an entry, purchases first; several of purchases where k is still to be chosen."""
    entry = context.experiment.models[name]
    models = [("purchases", model) for model in _purchase_models(context, name, split)]
    if entry.spend is not None:
        models.append(("spend", _spend_model(context, entry.spend, split)))
    plans = []
    for role, registered in models:
        model = registered.suited(split.customers.table)
        effects = tuple(effect for effect in effects_of(entry) if effect.part in ENTRY_PARTS[role])
        if entry.by is not None:
            effects = pooled_by(model, entry.by, effects)
        plans.append(FitPlan(role, model, _priors(context.experiment, entry.priors, model, name), effects))
    return plans


def cost_plans(experiment: Experiment, split: Split, by: str | None) -> list[FitPlan]:
    """The fits of the cost models, which all entries with the same `by` share."""
    plans = []
    for role, section in experiment.costs.items():
        model = COSTS[section.model].suited(split.customers.table)
        priors = _priors(experiment, section.priors, model, f"costs.{role}")
        effects = effects_of(section, role)
        if by is not None:
            effects = pooled_by(model, by, effects)
        plans.append(FitPlan(role, model, priors, effects))
    return plans


def _priors(
    experiment: Experiment, stated: Mapping[str, Mapping[str, Any]], model: Model, where: str
) -> dict[str, Prior]:
    """The stated priors of the model's own parameters: an entry states those of all its models together."""
    time_unit = experiment.data.time_unit
    supports = {parameter.name: parameter.support for parameter in model.parameters}
    return {
        name: Prior.from_mapping(mapping, f"{where}.{name}", time_unit, supports[name])
        for name, mapping in stated.items()
        if name in supports
    }


def _purchase_models(context: Context, name: str, split: Split) -> list[Model]:
    """The purchase model of an entry, once for each k that is still to be tried."""
    entry = context.experiment.models[name]
    if entry.calendar is not None:
        return [_calendar_model(context, entry.purchases, entry.calendar, split)]
    model = MODELS[entry.purchases]
    k = context.memory.chosen_k.get(name, entry.k)
    if k is None:
        return [model]
    if isinstance(k, int):
        return [model.given(k=k)]
    return [model.given(k=candidate) for candidate in k]


def _spend_model(context: Context, name: str, split: Split) -> Model:
    """The spend model of that name, with first amounts where the experiment or its customers say so."""
    model = MODELS[name]
    if not (isinstance(model, SpendModel) and reads_single_amounts(model)):
        return model
    return model.given(first_amounts=True) if _have_a_level(context, split) else model


def _have_a_level(context: Context, split: Split) -> bool:
    """Whether first amounts have a level of their own. Where the data are to say it, they do once, at the calibration's
    end, so that what is valued is what was judged."""
    rule, memory = context.experiment.data.first_amounts, context.memory
    if rule != "auto":
        return rule == "own"
    if memory.first_amounts is None:
        found = difference(split.customers.table)
        memory.first_amounts = found is not None and found.is_clear
        if found is not None:
            context.say(in_words(found))
    return memory.first_amounts


def _calendar_model(context: Context, purchases: str, calendar: str, split: Split) -> Model:
    """The model on a calendar whose index has mean 1 over the days that these customers were observed."""
    models = context.memory.calendar_models
    key = (purchases, calendar, split.customers.observation_end)
    if key not in models:
        option = split.customers.calendar_option(context.calendars[calendar])
        models[key] = MODELS[purchases].given(calendar=option)
    return models[key]


def check_plans(context: Context, split: Split) -> None:
    """Refuse entries and cost models that these customers cannot be fitted by.

    Raises
    ------
    DataError
        With the problems of all of them, each under the name of its entry.
    """
    problems = problems_of_plans(context, split)
    if problems:
        raise DataError(problems)


def problems_of_plans(context: Context, split: Split) -> list[Problem]:
    """Why entries and cost models cannot be fitted to these customers, each under the name of its entry."""
    plans = [(name, plan) for name in context.experiment.models for plan in entry_plans(context, name, split)]
    for by in dict.fromkeys(entry.by for entry in context.experiment.models.values()):
        plans += [(f"costs, {plan.role}", plan) for plan in cost_plans(context.experiment, split, by)]
    problems: list[Problem] = []
    for name, plan in plans:
        try:
            check_data(plan.model, split.customers, plan.effects)
        except ClvError as error:
            problems += problems_of_entry(name, error)
    return list(dict.fromkeys(problems))


def check_calendars(context: Context, split: Split, value_split: Split) -> None:
    """Refuse calendars that end before the last day to be forecast or valued.

    Raises
    ------
    DataError
        Naming each calendar, its last day, and the day that it must reach.
    """
    time_unit = split.customers.time_unit
    ahead = horizon(context.experiment, value_split)
    start = value_split.customers.observation_end
    last_day = start + pd.Timedelta(days=math.ceil(ahead * DAYS_PER_UNIT[time_unit]))
    known = f"Customers are looked at {ahead:g} {time_unit}s after {start:%Y-%m-%d}"
    problems = []
    for name, calendar in context.calendars.items():
        if calendar.until < last_day:
            what = f"its rows end on {calendar.until:%Y-%m-%d}, and {last_day:%Y-%m-%d} is asked for"
            problems.append(Problem(what, f"calendar '{name}'", known=known))
    if problems:
        raise DataError(problems)


def horizon(experiment: Experiment, split: Split) -> float:
    """How far the table of customers looks ahead: as value does, else as the holdout, else a year. In time units."""
    if experiment.economics is not None:
        return experiment.economics.horizon
    if split.holdout is not None:
        return split.holdout.periods
    return 365.25 / DAYS_PER_UNIT[split.customers.time_unit]


def problems_of_entry(name: str, error: ClvError) -> list[Problem]:
    """The problems of an error, the name of the entry put before the place of each."""
    problems = []
    for problem in error.problems:
        where = f"{name}, {problem.where}" if problem.where else name
        problems.append(replace(problem, where=where))
    return problems
