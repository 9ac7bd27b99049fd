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
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.contract import Model
from clvmodels.models.parameters import Handle, Parameter, Theta
from clvmodels.models.prior import Prior
from clvmodels.strict import Combination, KeyPath, Text, strict
from clvmodels.words import MISSING_GROUP

OF_PURCHASES = ("purchases", "lifetime")
"""Parts that explain when customers buy, so that nothing may explain them that is made of how often they bought."""
Missing = Literal["refuse", "mean", "indicator"]
MISSING: tuple[Missing, ...] = get_args(Missing)
SD_PRIOR = Prior("HalfNormal", {"sigma": 0.5})
COEFFICIENT_PRIOR = Prior("Normal", {"mu": 0.0, "sigma": 1.0})
KINDS = "Write group: channel, or covariates: [nps]; of both, two effects"
OF_DRAWS = ("chain", "draw")
"""What no column of an effect can be called: the draws' own dimensions."""


def _positive_prior(value: Any) -> Any:
    return _prior(value, "positive")


def _real_prior(value: Any) -> Any:
    return _prior(value, "real")


def _prior(value: Any, support: str) -> Prior:
    """A prior, as such or as a file states it, of a quantity that lives there."""
    if isinstance(value, Mapping):
        return Prior.from_mapping(value, support=support)
    if not isinstance(value, Prior):  # here, for pydantic's words name a class that no file can write
        raise ConfigError(Problem("Must be a prior, as in {dist: HalfNormal, sigma: 1}", got=repr(value)))
    if problems := value.strays(support):
        raise ConfigError(problems)
    return value


@strict
@dataclass(frozen=True)
class Effect:
    """A partially pooled group, or covariates, on one or more parameters of one part of a model.

    Parameters
    ----------
    part
        purchases, lifetime or spend; of a cost model, its role.
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

    Raises
    ------
    ConfigError
        No parameters, neither group nor covariates or both, what belongs to the other kind, a name listed twice, a
        covariate that is a statistic of the models, on purchases or lifetime a column of experience that grows with
        purchases, a column called as draws are, a prior that cannot be meant.
    """

    part: Text
    parameters: Annotated[tuple[Text, ...], Field(min_length=1)]
    group: Text | None = None
    sd_prior: Annotated[Prior, BeforeValidator(_positive_prior)] = SD_PRIOR
    covariates: tuple[Text, ...] = ()
    coefficient_prior: Annotated[Prior, BeforeValidator(_real_prior)] = COEFFICIENT_PRIOR
    missing: Annotated[Missing, Field(validate_default=True)] = "refuse"

    @field_validator("parameters", "covariates")
    @classmethod
    def _names(cls, names: tuple[str, ...], checked: ValidationInfo) -> tuple[str, ...]:
        kind = str(checked.field_name).removesuffix("s")
        problems = [
            Problem(f"The {kind} '{name}' is listed twice", path=(place,))
            for place, name in enumerate(names)
            if name in names[:place]
        ]
        if problems:
            raise ConfigError(problems)
        return names

    @field_validator("missing")
    @classmethod
    def _together(cls, missing: Missing, checked: ValidationInfo) -> Missing:
        """What the fields say of each other; the last one is checked when all others have been."""
        if problems := list(_combination_problems({**checked.data, "missing": missing})):
            raise Combination(problems)
        return missing

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], where: str = "") -> Effect:
        """An effect as an experiment states it: {part: purchases, parameters: [alpha], group: channel}.

        Raises
        ------
        ConfigError
            As `Effect` does; a key of nothing counts as left out.
        """
        stated = {key: value for key, value in mapping.items() if value is not None}
        try:
            return cls(**stated)
        except ConfigError as error:
            raise ConfigError([replace(problem, where=where) for problem in error.problems]) from None

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
        preposition = "on" if self.group is None else "by"
        name = "_".join([*self.parameters, preposition, *self.columns])
        return name.replace("/", "_")  # which a stored file takes for a folder

    @property
    def kind(self) -> Literal["group", "covariate"]:
        """What its columns are."""
        return "covariate" if self.group is None else "group"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the customers' table that it reads."""
        return self.covariates if self.group is None else (self.group,)

    def path_of(self, column: int) -> KeyPath:
        """Where one of its columns is stated."""
        return ("covariates", column) if self.group is None else ("group",)


def _combination_problems(fields: Mapping[str, Any]) -> Iterator[Problem]:
    """Of the fields that are sound alone: whether the effect is of one kind, and its columns can be that."""
    from clvmodels.customers.statistics import STATISTICS  # brings the engine of tables along

    if "group" not in fields or "covariates" not in fields:
        return
    group, covariates = fields["group"], fields["covariates"]
    if group is not None and covariates:
        yield Problem("An effect has a group and covariates, and can be one", known=KINDS)
    elif group is not None:
        yield from _foreign(fields, {"coefficient_prior": COEFFICIENT_PRIOR, "missing": "refuse"}, "covariates")
    elif covariates:
        yield from _foreign(fields, {"sd_prior": SD_PRIOR}, "a group")
    else:
        yield Problem("An effect has no group or covariates", known=KINDS)
    if fields.get("part") in OF_PURCHASES:
        yield from _made_of_purchases(group, covariates)
    if group in OF_DRAWS:
        yield reserved(group, ("group",))
    elif group in STATISTICS:
        yield Problem(f"'{group}' is what models explain, no group", path=("group",))
    for place, name in enumerate(covariates):
        path = ("covariates", place)
        if name in STATISTICS:
            yield Problem(f"'{name}' is what models explain, no covariate", path=path)
        elif name in OF_DRAWS:
            yield reserved(name, path)


def _made_of_purchases(group: str | None, covariates: Sequence[str]) -> Iterator[Problem]:
    """Columns of experience that count the purchases which they would explain."""
    from clvmodels.customers.experience import at_first_purchase, grows_with_purchases

    places: list[tuple[str | None, KeyPath]] = [(group, ("group",))]
    places += [(name, ("covariates", place)) for place, name in enumerate(covariates)]
    for name, path in places:
        if name is not None and grows_with_purchases(name):
            what = f"'{name}' grows with the purchases that it would explain, up to the end of the observed window"
            (twin,) = at_first_purchase([name])
            remedy = f"Write {twin}, which is as of a landmark before that window; a column of your own needs a name"
            yield Problem(what, known=f"{remedy} that says as of when it is", path=path)


def _foreign(fields: Mapping[str, Any], defaults: Mapping[str, Any], kind: str) -> Iterator[Problem]:
    """What only an effect of another kind reads, and is not as it is by default."""
    for name, default in defaults.items():
        if fields.get(name, default) != default:
            yield Problem(f"'{name}' belongs to an effect of {kind}", path=(name,), at_key=True)


def reserved(name: str, path: KeyPath) -> Problem:
    """That a column has the name of a dimension or a parameter of the draws."""
    what = f"a column of an effect cannot be called '{name}', as draws are"
    return Problem(what, known="Rename the column", path=path)


# ------------------------------------------------------------------------------------- what an effect says of a model


def targets(model: Model) -> dict[str, Parameter | Handle]:
    """What effects may move: the model's parameters and handles, by name."""
    movable: list[Parameter | Handle] = [*model.parameters, *model.handles]
    return {target.name: target for target in movable}


def pooled_by(model: Model, group: str, effects: Sequence[Effect] = ()) -> tuple[Effect, ...]:
    """These effects, and one of the group on each level of the model that none of them has the group move already.

    All that a group can move on average is pooled then: how often its customers buy, how long they stay, what they
    spend, send back, cost.
    """
    target_of = targets(model)
    moved_already = _moved_by(effects, group)
    on_levels = []
    for level in model.levels:
        target = target_of[level]
        if level not in moved_already:
            sd_prior = Prior("HalfNormal", {"sigma": target.between})
            on_levels.append(Effect(target.part, (level,), group, sd_prior))
    return (*effects, *on_levels)


def parts_alike(model: Model, effects: Sequence[Effect], group: str) -> tuple[str, ...]:
    """The parts of a model that take all labels of a group as alike: a level of theirs is moved by no effect of it.

    An effect on another parameter alone says little or nothing of the mean.
    """
    target_of = targets(model)
    parts = dict.fromkeys(parameter.part for parameter in model.parameters)
    moved_levels = set(model.levels) & _moved_by(effects, group)
    alike = []
    for part in parts:
        levels = {level for level in model.levels if target_of[level].part == part}
        if not levels or levels - moved_levels:
            alike.append(part)
    return tuple(alike)


def _moved_by(effects: Sequence[Effect], group: str) -> set[str]:
    """The parameters and handles that effects of the group move."""
    return {name for effect in effects if effect.group == group for name in effect.parameters}


def moved(model: Model, theta: Theta, coefficients: Mapping[str, Any], xp: Any = np) -> dict[str, Any]:
    """Parameters per row, each moved by the sum of its coefficients, by name."""
    moved_theta = dict(theta)
    for parameter in model.parameters:
        name = parameter.name
        if name in coefficients:
            moved_theta[name] = parameter.moved(theta[name], coefficients[name], xp)
    # Handles come last: what they move may have an effect of its own, and they start from where that leads.
    for handle in model.handles:
        if handle.name in coefficients:
            moved_theta |= handle.move(moved_theta, coefficients[handle.name], xp)
    return moved_theta


def raises(model: Model, effect: Effect) -> str:
    """What a positive coefficient raises, in words."""
    target_of = targets(model)
    words = [target_of[name].raises for name in effect.parameters]
    return " and ".join(dict.fromkeys(words))


def multiplies(model: Model, effect: Effect) -> bool:
    """Whether exp(coefficient) is a factor (of what is raised, or of its odds); otherwise the coefficient adds."""
    target_of = targets(model)
    # A handle moves parameters that have bounds.
    supports = [getattr(target_of[name], "support", "interval") for name in effect.parameters]
    return "real" not in supports


# ---------------------------------------------------------------------------------- what an effect reads of a customer


def columns_of(effects: Iterable[Effect]) -> tuple[list[str], list[str]]:
    """The group columns and the covariates that effects read."""
    groups: set[str] = set()
    covariates: set[str] = set()
    for effect in effects:
        columns = covariates if effect.group is None else groups
        columns.update(effect.columns)
    return sorted(groups), sorted(covariates)


def group_labels(column: pd.Series) -> pd.Series:
    """Each customer's group as text; of numbers, whole ones without their point."""
    if pd.api.types.is_float_dtype(column):
        column = column.map({value: _number_text(value) for value in column.dropna().unique()})
    return column.astype("str").fillna(MISSING_GROUP)


def _number_text(value: float) -> str:
    return str(int(value)) if value % 1 == 0 else repr(float(value))


def covariate(table: pd.DataFrame, name: str) -> Array:
    """A covariate as numbers, nan where missing. [C]"""
    return table[name].to_numpy(dtype=float, na_value=np.nan)


def keys(effects: Sequence[Effect], table: pd.DataFrame) -> list[Array]:
    """Columns [C] in which two customers agree only if every effect treats them alike."""
    by_columns = {effect.columns: effect for effect in effects}  # of those that read the same, one will do
    columns: list[Array] = []
    for effect in by_columns.values():
        if effect.group is not None:
            codes, _ = pd.factorize(group_labels(table[effect.group]), sort=True)
            columns.append(codes.astype(float))
        for name in effect.covariates:
            values = covariate(table, name)
            gap = np.isnan(values)  # a column of its own: nan is not equal to itself, and 0 is a value
            columns += [np.where(gap, 0.0, values), gap.astype(float)]
    return columns
