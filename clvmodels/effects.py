"""Effects: groups attached to any parameter of any model, partially pooled.

On the free scale of a parameter (its log, for one above 0) a customer of group g has

    free_k + direction_k * c_g,        c_g ~ N(0, sd),        sd ~ HalfNormal(0.5) by default.

Parameters listed together share one coefficient. A group that the fit has not seen is a fresh draw of N(0, sd).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.errors import ConfigError, Problem, unknown
from clvmodels.models.contract import Array, Model
from clvmodels.models.prior import Prior
from clvmodels.randomness import keyed_generator

SD_PRIOR = Prior("HalfNormal", {"sigma": 0.5})


@dataclass(frozen=True)
class Effect:
    """A partially pooled group on one or more parameters of one part of a model.

    Parameters
    ----------
    part
        purchases, lifetime or spend.
    parameters
        Names of the parameters that share the coefficient.
    group
        Column of the customers' table that names each customer's group.
    sd_prior
        Prior of the between-group sd of the coefficient.
    """

    part: str
    parameters: tuple[str, ...]
    group: str
    sd_prior: Prior = SD_PRIOR

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], where: str = "") -> Effect:
        """An effect as an experiment states it: {part: purchases, parameters: [alpha], group: channel}."""
        prior = mapping.get("sd_prior")
        return cls(
            str(mapping["part"]),
            tuple(str(name) for name in mapping["parameters"]),
            str(mapping["group"]),
            SD_PRIOR if prior is None else Prior.from_mapping(prior, where),
        )

    def to_mapping(self) -> dict[str, Any]:
        """The form that `from_mapping` reads."""
        return {
            "part": self.part,
            "parameters": list(self.parameters),
            "group": self.group,
            "sd_prior": self.sd_prior.to_mapping(),
        }

    @property
    def name(self) -> str:
        """Name of its coefficients in the posterior: alpha_by_channel."""
        return f"{'_'.join(self.parameters)}_by_{self.group}"


def check_effects(model: Model, effects: Sequence[Effect], columns: Sequence[str], where: str = "") -> None:
    """Refuse effects that the model or the table cannot bear, all problems at once.

    Raises
    ------
    ConfigError
        An unknown parameter or group, a parameter of another part, or the same effect twice.
    """
    problems: list[Problem] = []
    parts = {p.name: p.part for p in model.parameters}
    for effect in effects:
        place = where or f"effect {effect.name}"
        if not effect.parameters:
            problems.append(Problem("an effect names no parameter", place, known=f"Known: {', '.join(parts)}"))
        for name in effect.parameters:
            if name not in parts:
                problems.append(unknown(f"parameter of {model.title}", name, parts, place))
            elif parts[name] != effect.part:
                text = f"parameter '{name}' belongs to part '{parts[name]}'"
                problems.append(Problem(text, place, f"part '{effect.part}'"))
        if effect.group not in columns:
            problems.append(unknown("group", effect.group, columns, place))
    names = [effect.name for effect in effects]
    doubled = sorted({name for name in names if names.count(name) > 1})
    problems += [Problem(f"the effect {name} is given twice", where) for name in doubled]
    if problems:
        raise ConfigError(problems)


def coefficients(
    effect: Effect, fitted: Array, labels: Sequence[str], sd: Array, wanted: pd.Series, seed: int
) -> Array:
    """The coefficient of each customer in each draw, fresh draws where the fit has not seen the group. [D, C]

    Parameters
    ----------
    fitted, labels
        Coefficients of the groups of the fit [D, G] and their names.
    sd
        Between-group sd. [D]
    wanted
        Each customer's group. [C]
    """
    known = {label: g for g, label in enumerate(labels)}
    names = wanted.astype(str)
    fresh = sorted(set(names) - set(known))
    for label in fresh:
        rng = keyed_generator(seed, "group", f"{effect.name}={label}")
        known[label] = len(known)
        fitted = np.column_stack([fitted, sd * rng.standard_normal(len(sd))])
    return fitted[:, names.map(known).to_numpy(dtype=int)]
