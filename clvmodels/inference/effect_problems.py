"""What is refused of effects: targets that no model has, columns that customers lack, covariates that say nothing.

What is wrong with an effect alone is told where one is made (`effects.Effect`); here it meets a model and customers.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.inference.effects import OF_PURCHASES, Effect, covariate, group_labels, reserved, targets
from clvmodels.models import Model

HOW_TO_MISS = "missing: mean takes them for average, missing: indicator gives them a coefficient of their own"
ENOUGH_TO_ORDER = 30
"""Customers from whom on an order says something."""
TOO_MUCH_ALIKE = 0.95
"""Rank correlation of a covariate and the number of purchases beyond which the one is made of the other: what customers
are like leaves that number more luck than this."""


def answers_problems(
    effects: Sequence[Effect], experienced: Collection[str], asked_after: Collection[str] = ()
) -> Iterator[Problem]:
    """Indicators of having no answer, where who buys more often is asked more often, or who calls the service.

    asked_after
        Parts after whose events customers are asked, beside purchases.
    experienced
        Columns that are made of the whole time up to the end of observation; see `Customers`.
    """
    from clvmodels.customers.experience import at_first_purchase

    for effect in effects:
        if effect.part not in (*OF_PURCHASES, *asked_after) or effect.missing != "indicator":
            continue
        explained = "purchases" if effect.part in OF_PURCHASES else effect.part.replace("_", " ")
        for name in effect.covariates:
            if name in experienced:
                what = (
                    f"whether a customer has a '{name}' grows with the {explained} that missing: indicator would "
                    "explain"
                )
                (twin,) = at_first_purchase([name])
                yield Problem(what, f"effect {effect.name}", known=f"Write missing: mean, or covariates: [{twin}]")


def check_effects(model: Model, effects: Sequence[Effect], table: pd.DataFrame, where: str = "") -> None:
    """Refuse effects that the model or the customers' table cannot bear, all problems at once.

    Raises
    ------
    ConfigError
        An unknown parameter, group or covariate, a parameter of another part, a handle beside other parameters, the
        same effect twice.
    DataError
        Covariates that are missing for some customers, where nothing is said of them, or no numbers, or the same for
        all, or in the order of the purchases that they would explain; a group with one label.
    """
    problems: list[Problem] = []
    values: list[Problem] = []
    columns = _columns_to_name(table)
    part_of = {name: target.part for name, target in targets(model).items()}
    handles = [handle.name for handle in model.handles]
    for effect in effects:
        place = where or f"effect {effect.name}"
        problems += [replace(problem, where=place) for problem in target_problems(effect, part_of, handles)]
        absent = [name for name in effect.columns if name not in table]
        problems += [_no_column(effect.kind, name, columns, place) for name in absent]
        if effect.group is not None and not absent:
            values += _one_label(table, effect.group, place)
        for name in effect.covariates:
            if name not in absent:
                values += _value_problems(effect, table, name, place)
                values += _constant(table, name, place)
                values += _in_order_of_purchases(effect, table, name, place)
    problems += [replace(problem, where=where) for _, problem in repeated_effects(effects)]
    if problems or values:
        raise (ConfigError if problems else DataError)([*problems, *values])


def check_columns(effects: Sequence[Effect], table: pd.DataFrame) -> None:
    """Refuse customers that the effects of a fit cannot be applied to.

    Raises
    ------
    ConfigError
        A column of the fit is missing.
    DataError
        A covariate is missing for some customers, and the fit did not say what is done with them; or is no number.
    """
    columns = _columns_to_name(table)
    kinds = [(effect.kind, name) for effect in effects for name in effect.columns]
    absent = [_no_column(kind, name, columns, "customers") for kind, name in dict.fromkeys(kinds) if name not in table]
    if absent:
        raise ConfigError(absent)
    problems: list[Problem] = []
    for effect in effects:
        for name in effect.covariates:
            problems += _value_problems(effect, table, name, "customers")
    if problems:
        raise DataError(list(dict.fromkeys(problems)))


def _columns_to_name(table: pd.DataFrame) -> list[str]:
    """Columns that an effect may name: those that are not what models explain."""
    from clvmodels.customers.statistics import STATISTICS

    return [str(name) for name in table.columns if name not in STATISTICS]


def _no_column(kind: str, name: str, columns: Sequence[str], place: str) -> Problem:
    """The customers have no such column; where from it would come."""
    problem = unknown(kind, name, columns, place)
    if columns:
        return problem
    what = f"Unknown {kind} '{name}': these customers have no column beside what models explain"
    return Problem(what, place, known=f"Name it when the tables are read and summarised ({kind}s: [{name}])")


def target_problems(effect: Effect, part_of: Mapping[str, str], handles: Collection[str]) -> Iterator[Problem]:
    """Whether models have what an effect moves, each problem with its path inside of the effect.

    part_of
        The parts of the parameters and handles that there are, by name.
    handles
        Those that move several parameters already.
    """
    of_part = [name for name, part in part_of.items() if part == effect.part]
    if not of_part:
        yield replace(unknown("part", effect.part, dict.fromkeys(part_of.values())), path=("part",))
        return
    for place, name in enumerate(effect.parameters):
        path = ("parameters", place)
        if name not in part_of:
            yield replace(unknown("parameter", name, of_part), path=path)
        elif name not in of_part:
            what = f"The parameter '{name}' belongs to the part '{part_of[name]}'"
            yield Problem(what, known=f"Parameters of '{effect.part}': {', '.join(of_part)}", path=path)
        elif name in handles and len(effect.parameters) > 1:
            what = f"'{name}' moves several parameters already and cannot be tied with others"
            yield Problem(what, known="Give it an effect of its own", path=path)
    for place, name in enumerate(effect.columns):
        if name in part_of:  # a posterior's columns are its parameters
            yield reserved(name, effect.path_of(place))


def repeated_effects(effects: Sequence[Effect]) -> Iterator[tuple[int, Problem]]:
    """Effects of a column on a parameter that an earlier one has too, or of an earlier one's name; with their place."""
    taken: set[tuple[str, str]] = set()
    names: set[str] = set()
    for number, effect in enumerate(effects):
        pairs = list(itertools.product(effect.parameters, effect.columns))
        repeated = [pair for pair in pairs if pair in taken]
        for name, column in repeated:
            path = ("parameters", effect.parameters.index(name))
            yield number, Problem(f"An effect of '{column}' on '{name}' is already there", path=path)
        if effect.name in names and not repeated:
            yield number, Problem(f"Two effects would both be called '{effect.name}'", known="Rename a column")
        taken |= set(pairs)
        names.add(effect.name)


def _value_problems(effect: Effect, table: pd.DataFrame, name: str, place: str) -> Iterator[Problem]:
    if not pd.api.types.is_numeric_dtype(table[name]):
        text = f"the covariate '{name}' holds {table[name].dtype}, not numbers"
        yield Problem(text, place, known="Use a column of words as a group")
        return
    numbers = covariate(table, name)
    endless = np.isinf(numbers)
    if endless.any():
        first = table.index[endless][0]
        yield Problem(f"the covariate '{name}' is infinite for {endless.sum()}", place, f"first '{first}'")
    gaps = np.isnan(numbers)
    if effect.missing == "refuse" and gaps.any():
        text = f"the covariate '{name}' is missing for {gaps.sum():,} of {len(table):,} customers"
        yield Problem(text, place, f"first '{table.index[gaps][0]}'", f"Say what they are: {HOW_TO_MISS}")


def _constant(table: pd.DataFrame, name: str, place: str) -> Iterator[Problem]:
    if not pd.api.types.is_numeric_dtype(table[name]):
        return
    numbers = covariate(table, name)
    values = np.unique(numbers[~np.isnan(numbers)])
    if len(values) < 2:
        got = f"{values[0]:g} for all customers" if len(values) else "nothing"
        yield Problem(f"the covariate '{name}' does not vary", place, got, "Leave it out")


def _one_label(table: pd.DataFrame, group: str, place: str) -> Iterator[Problem]:
    labels = group_labels(table[group]).unique()
    if len(labels) == 1:
        got = f"'{labels[0]}' for all customers"
        yield Problem(f"the group '{group}' has one label", place, got, "Leave it out: there is nothing to compare")


def _in_order_of_purchases(effect: Effect, table: pd.DataFrame, name: str, place: str) -> Iterator[Problem]:
    """A covariate that is the number of purchases under another name, or nearly."""
    if effect.part not in OF_PURCHASES or "frequency" not in table or not pd.api.types.is_numeric_dtype(table[name]):
        return
    both = table[[name, "frequency"]].astype(float).dropna()
    if len(both) < ENOUGH_TO_ORDER or both.nunique().min() < 2:
        return
    likeness = both.rank().corr().iloc[0, 1]
    if abs(likeness) > TOO_MUCH_ALIKE:
        what = f"the covariate '{name}' has the order of the numbers of purchases, which it would explain"
        remedy = "Leave it out, or take it as of a day before the observed window"
        yield Problem(what, place, f"a rank correlation of {likeness:.2f}", remedy)
