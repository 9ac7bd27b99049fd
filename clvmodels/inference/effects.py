"""Effects: what moves a parameter from customer to customer; on any parameter of any model, which never sees them.

On the free scale of a parameter (its log, for one above 0; its logit, for one between two bounds) a customer has

    free_k + direction_k * c,

where c is the coefficient of the customer's group, partially pooled,

    c_g ~ N(0, sd),        sd ~ HalfNormal(0.5) by default,

or a sum over standardised covariates,

    c = sum over j of b_j (z_j - mean_j) / sd_j,        b_j ~ N(0, 1) by default.

Parameters listed together share one coefficient. A group that the fit has not seen is a fresh draw of N(0, sd). Of
covariates, the population parameter is that of a customer at their means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from clvmodels.customers.statistics import MISSING_GROUP, STATISTICS
from clvmodels.draws import Array
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.models.contract import Handle, Model, Parameter, Theta
from clvmodels.models.prior import Prior

Missing = Literal["refuse", "mean", "indicator"]
MISSING: tuple[Missing, ...] = get_args(Missing)
SD_PRIOR = Prior("HalfNormal", {"sigma": 0.5})
COEFFICIENT_PRIOR = Prior("Normal", {"mu": 0.0, "sigma": 1.0})
HOW_TO_MISS = "missing: mean takes them for average, missing: indicator gives them a coefficient of their own"


@dataclass(frozen=True)
class Effect:
    """A partially pooled group, or covariates, on one or more parameters of one part of a model.

    Parameters
    ----------
    part
        purchases, lifetime or spend.
    parameters
        Names of the parameters that share the coefficient; or one of the model's handles (dropout_mean).
    group
        Column of the customers' table that names each customer's group.
    sd_prior
        Prior of the between-group sd of the coefficient.
    covariates
        Columns of numbers instead of a group: a coefficient each, per standard deviation among the fit's customers.
    coefficient_prior
        Prior of each of these coefficients.
    missing
        What is done with customers whose covariate is missing, in the fit and in scoring. refuse: an error tells how
        many. mean: they are taken for average. indicator: average, and a coefficient of its own for being missing.
    """

    part: str
    parameters: tuple[str, ...]
    group: str | None = None
    sd_prior: Prior = SD_PRIOR
    covariates: tuple[str, ...] = ()
    coefficient_prior: Prior = COEFFICIENT_PRIOR
    missing: Missing = "refuse"

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], where: str = "") -> Effect:
        """An effect as an experiment states it: {part: purchases, parameters: [alpha], group: channel}."""
        sd, coefficient = mapping.get("sd_prior"), mapping.get("coefficient_prior")
        return cls(
            str(mapping["part"]),
            tuple(str(name) for name in mapping["parameters"]),
            None if mapping.get("group") is None else str(mapping["group"]),
            SD_PRIOR if sd is None else Prior.from_mapping(sd, where),
            tuple(str(name) for name in mapping.get("covariates") or ()),
            COEFFICIENT_PRIOR if coefficient is None else Prior.from_mapping(coefficient, where, support="real"),
            mapping.get("missing") or "refuse",
        )

    def to_mapping(self) -> dict[str, Any]:
        """The form that `from_mapping` reads."""
        target = {"part": self.part, "parameters": list(self.parameters)}
        if self.group is not None:
            return {**target, "group": self.group, "sd_prior": self.sd_prior.to_mapping()}
        prior = self.coefficient_prior.to_mapping()
        return {**target, "covariates": list(self.covariates), "coefficient_prior": prior, "missing": self.missing}

    @property
    def name(self) -> str:
        """Name of its coefficients in the posterior: alpha_by_channel, or alpha_on_nps."""
        where = "_".join(self.parameters)
        name = f"{where}_by_{self.group}" if self.group is not None else f"{where}_on_{'_'.join(self.covariates)}"
        return name.replace("/", "_")  # which a stored file takes for a folder

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the customers' table that it reads."""
        return self.covariates if self.group is None else (self.group,)


# ------------------------------------------------------------------------------------- what an effect says of a model


def targets(model: Model) -> dict[str, Parameter | Handle]:
    """What effects may move: the model's parameters and handles, by name."""
    return {**{parameter.name: parameter for parameter in model.parameters}, **{h.name: h for h in model.handles}}


def moved(model: Model, theta: Theta, total: Mapping[str, Any], xp: Any = np) -> dict[str, Any]:
    """Parameters per row, each moved by its coefficients' sum; handles come after the parameters that they move."""
    changed = {p.name: p.moved(theta[p.name], total[p.name], xp) for p in model.parameters if p.name in total}
    theta = {**theta, **changed}
    for handle in model.handles:
        if handle.name in total:
            theta |= handle.move(theta, total[handle.name], xp)
    return theta


def raises(model: Model, effect: Effect) -> str:
    """What a positive coefficient raises, in words."""
    known = targets(model)
    return " and ".join(dict.fromkeys(known[name].raises for name in effect.parameters))


def multiplies(model: Model, effect: Effect) -> bool:
    """Whether exp(coefficient) is a factor (of what is raised, or of its odds); otherwise the coefficient adds."""
    known = targets(model)
    return all(getattr(known[name], "support", "interval") != "real" for name in effect.parameters)


# ---------------------------------------------------------------------------------- what an effect reads of a customer


def columns_of(effects: Iterable[Any]) -> tuple[list[str], list[str]]:
    """The group columns and the covariates that effects read, as `Effect`s or as an experiment's sections."""
    effects = list(effects)
    groups = {effect.group for effect in effects if effect.group is not None}
    return sorted(groups), sorted({name for effect in effects for name in effect.covariates})


def group_labels(column: pd.Series) -> pd.Series:
    """Each customer's group as text; of numbers, whole ones without their point."""
    if pd.api.types.is_float_dtype(column):
        text = {value: str(int(value)) if value % 1 == 0 else repr(float(value)) for value in column.dropna().unique()}
        column = column.map(text)
    return column.astype("str").fillna(MISSING_GROUP)


def covariate(table: pd.DataFrame, name: str) -> Array:
    """A covariate as numbers, nan where missing. [C]"""
    return table[name].to_numpy(dtype=float, na_value=np.nan)


def keys(effects: Sequence[Effect], table: pd.DataFrame) -> list[Array]:
    """Columns [C] in which two customers agree only if every effect treats them alike."""
    names = {effect.columns: effect for effect in effects}
    found = []
    for effect in names.values():
        if effect.group is not None:
            found.append(pd.factorize(group_labels(table[effect.group]), sort=True)[0].astype(float))
        for name in effect.covariates:
            values = covariate(table, name)
            gap = np.isnan(values)
            found += [np.where(gap, 0.0, values), gap.astype(float)]
    return found


# ----------------------------------------------------------------------------------------------------- what is refused


def check_effects(model: Model, effects: Sequence[Effect], table: pd.DataFrame, where: str = "") -> None:
    """Refuse effects that the model or the customers' table cannot bear, all problems at once.

    Raises
    ------
    ConfigError
        An unknown parameter, group or covariate, a parameter of another part, neither group nor covariates or both,
        a handle beside other parameters, the same effect twice, a covariate that is constant or a statistic.
    DataError
        Covariates that are missing for some customers, where nothing is said of them, or no numbers.
    """
    problems: list[Problem] = []
    values: list[Problem] = []
    for effect in effects:
        place = where or f"effect {effect.name}"
        problems += _target_problems(model, effect, place)
        columns = list(map(str, table.columns))
        if (effect.group is None) == (not effect.covariates):
            problems.append(Problem("an effect has a group or covariates, one of them", place))
        if effect.missing not in MISSING:
            problems.append(unknown("policy for missing covariates", effect.missing, MISSING, place))
        if effect.group is not None and effect.group not in columns:
            problems.append(unknown("group", effect.group, columns, place))
        for name in effect.covariates:
            if name in STATISTICS:
                problems.append(Problem(f"'{name}' is what models explain, no covariate", place))
            elif name not in columns:
                problems.append(unknown("covariate", name, columns, place))
            else:
                values += _value_problems(effect, table, name, place)
                values += _constant(table, name, place)
        reserved = ("chain", "draw", *(p.name for p in model.parameters))
        problems += [
            Problem(f"a column of an effect cannot be called '{name}', as draws are", place, known="Rename the column")
            for name in effect.columns
            if name in reserved
        ]
    problems += _twice(effects, where)
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
    columns = list(map(str, table.columns))
    kinds = [("group" if e.group is not None else "covariate", name) for e in effects for name in e.columns]
    absent = [unknown(kind, name, columns, "customers") for kind, name in dict.fromkeys(kinds) if name not in table]
    if absent:
        raise ConfigError(absent)
    wrong = [p for e in effects for name in e.covariates for p in _value_problems(e, table, name, "customers")]
    if wrong:
        raise DataError(list(dict.fromkeys(wrong)))


def _target_problems(model: Model, effect: Effect, place: str) -> Iterator[Problem]:
    known = targets(model)
    if not effect.parameters:
        yield Problem("an effect names no parameter", place, known=f"Known: {', '.join(known)}")
    for name in effect.parameters:
        if name not in known:
            yield unknown(f"parameter of {model.title}", name, known, place)
        elif known[name].part != effect.part:
            yield Problem(f"parameter '{name}' belongs to part '{known[name].part}'", place, f"part '{effect.part}'")
        elif len(effect.parameters) > 1 and name in {handle.name for handle in model.handles}:
            yield Problem(f"'{name}' moves several parameters already and cannot be tied with others", place)


def _value_problems(effect: Effect, table: pd.DataFrame, name: str, place: str) -> Iterator[Problem]:
    if not pd.api.types.is_numeric_dtype(table[name]):
        text = f"the covariate '{name}' holds {table[name].dtype}, not numbers"
        yield Problem(text, place, known="Use a column of words as a group")
        return
    numbers = covariate(table, name)
    if np.isinf(numbers).any():
        first = table.index[np.isinf(numbers)][0]
        yield Problem(f"the covariate '{name}' is infinite for {np.isinf(numbers).sum()}", place, f"first '{first}'")
    gaps = np.isnan(numbers)
    if effect.missing == "refuse" and gaps.any():
        text = f"the covariate '{name}' is missing for {gaps.sum():,} of {len(table):,} customers"
        yield Problem(text, place, f"first '{table.index[gaps][0]}'", f"Say what they are: {HOW_TO_MISS}")


def _constant(table: pd.DataFrame, name: str, place: str) -> Iterator[Problem]:
    if pd.api.types.is_numeric_dtype(table[name]):
        numbers = covariate(table, name)
        known = np.unique(numbers[~np.isnan(numbers)])
        if len(known) < 2:
            got = f"{known[0]:g} for all customers" if len(known) else "nothing"
            yield Problem(f"the covariate '{name}' does not vary", place, got, "Leave it out")


def _twice(effects: Sequence[Effect], where: str) -> Iterator[Problem]:
    pairs = [(name, column) for effect in effects for name in effect.parameters for column in effect.columns]
    for name, column in dict.fromkeys(pairs):
        if pairs.count((name, column)) > 1:
            yield Problem(f"an effect of '{column}' on '{name}' is given twice", where)
    names = [effect.name for effect in effects]
    for name in dict.fromkeys(names):
        if names.count(name) > 1 and len(set(pairs)) == len(pairs):
            yield Problem(f"two effects would both be called '{name}'", where, known="Rename a column")
