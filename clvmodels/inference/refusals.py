"""What a fit refuses before anything is compiled: priors of nothing, customers that the model cannot be fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.customers.table import Customers
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.inference.effect_problems import answers_problems, check_effects
from clvmodels.inference.effects import Effect
from clvmodels.inference.unique_rows import numbers
from clvmodels.models import MODELS, Cost, time_problems
from clvmodels.models.contract import Model
from clvmodels.models.prior import Prior

SAME_INSTANT = 1e-9
"""Time units by which a birth or an end may miss a calendar's bound: sums of fractions of a unit round differently."""


def resolve_priors(model: Model, priors: Mapping[str, Prior] | None, where: str = "") -> dict[str, Prior]:
    """Each parameter's prior: the one of `priors`, or the model's own.

    Raises
    ------
    ConfigError
        A prior for a parameter that the model does not have, or that lives elsewhere than the parameter.
    """
    replaced = priors or {}
    parameters = {parameter.name: parameter for parameter in model.parameters}
    problems: list[Problem] = []
    for name, prior in replaced.items():
        if name in parameters:
            problems += prior.strays(parameters[name].support, f"prior of {name}")
        else:
            problems.append(unknown(f"parameter of {model.title}", name, parameters, where))
    if problems:
        raise ConfigError(problems)
    return {name: replaced.get(name, parameter.prior) for name, parameter in parameters.items()}


def check_data(model: Model, customers: Customers, effects: Sequence[Effect]) -> None:
    """Refuse customers that the model cannot be fitted to, before anything is compiled.

    Raises
    ------
    DataError
        No customers, a missing statistic, values that are not finite, or nothing to learn spend from.
    ConfigError
        Effects that do not fit.
    """
    table = customers.table
    if table.empty:
        raise DataError(Problem("there are no customers to fit", known="Check the dates and filters of the data"))
    problems = [*_missing_columns(model, table), *_not_finite(model, table)]
    if not problems:
        problems += _no_money(model, table)
    problems += time_problems(model, customers.time, "customers")
    # A model's own refusals read its statistics: they are asked for only where these are there, finite and of its time.
    if not problems:
        problems += model.refusals(table)
    if problems:
        raise DataError(problems)
    asked_after = (model.cost,) if isinstance(model, Cost) and model.asked_after else ()
    if leaking := list(answers_problems(effects, customers.experienced, asked_after)):
        raise ConfigError(leaking)
    check_effects(model, effects, table)


def check_covered(model: Model, table: pd.DataFrame) -> None:
    """Refuse customers of days that the model's calendar has no rows for: it may be of other customers.

    Raises
    ------
    DataError
        Customers born before the calendar begins, or observed after it ends.
    """
    calendar = model.options.get("calendar")
    if calendar is None:
        return
    first, last = calendar["bounds"][0], calendar["bounds"][-1]
    born = table["birth"]
    observed_until = born + table["T"]
    outside = table.index[(born < first - SAME_INSTANT) | (observed_until > last + SAME_INSTANT)]
    if len(outside):
        name = calendar["name"]
        observed = words.counted(len(outside), "customer was", "customers were")
        what = f"{observed} observed on days that the calendar '{name}' has no rows for"
        advice = f"It ends on {calendar['until']}: make the model from a calendar that covers these customers"
        raise DataError(Problem(what, "customers", f"first '{outside[0]}'", advice))


def _missing_columns(model: Model, table: pd.DataFrame) -> Iterator[Problem]:
    missing = [name for name in model.observes if name not in table]
    if not missing:
        return
    plural = "s" if len(missing) > 1 else ""
    what = f"{model.title} needs the column{plural} {', '.join(missing)}"
    fitting = _models_that_fit(model, table.columns)
    advice = f"It can be fitted by {', '.join(fitting)}" if fitting else ""
    yield Problem(what, "customers", f"columns {', '.join(map(str, table.columns))}", advice)


def _models_that_fit(model: Model, columns: Iterable[str]) -> list[str]:
    """Names of the models of the same kind that need no other columns than these."""
    present = set(columns)
    same_kind = [(name, other) for name, other in MODELS.items() if other.provides == model.provides]
    return [name for name, other in same_kind if set(other.observes) <= present]


def _not_finite(model: Model, table: pd.DataFrame) -> Iterator[Problem]:
    for name in model.observes:
        if name not in table:
            continue
        bad = table.index[~np.isfinite(numbers(table, name))]
        if len(bad):
            have = words.counted(len(bad), "customer has", "customers have")
            yield Problem(f"{have} no finite {name}", "customers", f"first '{bad[0]}'")


def _no_money(model: Model, table: pd.DataFrame) -> Iterator[Problem]:
    if "spend" not in model.provides:
        return
    money = table.filter(["monetary_value", "amount_sum"])
    if not len(money.columns) or money.gt(0).any(axis=None):
        return
    again = table["frequency"].sum() if "frequency" in table else 0
    if not again:
        yield Problem(f"no customer bought again: {model.title} has nothing to learn from", "customers")
        return
    repeats = words.counted(int(again), "repeat purchase")
    what = f"of {repeats} none brought money: {model.title} has nothing to learn from"
    yield Problem(
        what, "customers", known="Look whether the amounts are read from the right column, or leave spend out"
    )
