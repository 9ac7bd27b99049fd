"""From a model, its effects and a table of customers to a log density over a flat unconstrained vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt

from clvmodels.customers import Customers
from clvmodels.effects import Effect, check_effects
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.inference.target import Target
from clvmodels.models import MODELS
from clvmodels.models.contract import STATUS, Array, Model
from clvmodels.models.prior import Prior, unit_factor


@dataclass(frozen=True)
class Condensed:
    """Equal histories once, with weights. rows and codes: [R]; weights: customers with that history [R]."""

    rows: dict[str, Array]
    weights: Array
    codes: dict[str, np.ndarray]
    inverse: np.ndarray
    """Row of each customer. [C]"""


def numbers(table: pd.DataFrame, name: str) -> Array:
    """A statistic as a model reads it; a contract's status by its code. [C]"""
    column = table[name].map(STATUS) if name == "status" else table[name]
    return column.to_numpy(dtype=float)


def condense(
    table: pd.DataFrame, observes: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None
) -> Condensed:
    """Unique rows of the statistics that a model observes, and of the groups; used by fit, LOO and p_alive alike.

    Rows come out sorted, so that a permuted table gives the same density to the last bit.
    """
    groups = groups or {}
    columns = [numbers(table, name) for name in observes]
    for group, labels in groups.items():
        code = pd.Categorical(table[group].astype(str), categories=list(labels)).codes
        columns.append(code.astype(float))
    unique, inverse, counts = np.unique(np.column_stack(columns), axis=0, return_inverse=True, return_counts=True)
    rows = {name: np.ascontiguousarray(unique[:, k]) for k, name in enumerate(observes)}
    codes = {g: unique[:, len(observes) + k].astype(np.int64) for k, g in enumerate(groups)}
    return Condensed(rows, counts.astype(float), codes, inverse.reshape(-1))


class Density:
    """The posterior density of one structure: model, effects, groups, priors and units; its data can be exchanged.

    Coordinates: the free coordinate of each parameter (`Parameter`), then for each effect the log of its between-group
    sd and one coefficient a group, standardised by the sd (for NUTS) or as it is (`centred`, for Laplace along the sd).
    """

    def __init__(
        self,
        model: Model,
        effects: Sequence[Effect],
        groups: Mapping[str, Sequence[str]],
        priors: Mapping[str, Prior],
        time_unit: str,
        amount_unit: float,
        with_prior: bool = True,
        centred: bool = False,
    ):
        self.centred = centred
        self.model, self.effects, self.groups = model, tuple(effects), dict(groups)
        self.priors, self.with_prior = dict(priors), with_prior
        self.factors = {p.name: unit_factor(p.unit, priors[p.name], time_unit, amount_unit) for p in model.parameters}
        self._rows = {n: pytensor.shared(np.ones(1), name=n, shape=(None,)) for n in model.observes}
        self._weights = pytensor.shared(np.ones(1), name="weights", shape=(None,))
        self._codes = {g: pytensor.shared(np.zeros(1, dtype=np.int64), name=f"code_{g}", shape=(None,)) for g in groups}
        self.slices = self._layout()
        self.target = Target(self._names(), self._graph, self._starts())

    def set_data(self, data: Condensed) -> None:
        """Exchange the customers; what is compiled stays."""
        for name, shared in self._rows.items():
            shared.set_value(data.rows[name])
        for group, shared in self._codes.items():
            shared.set_value(data.codes[group])
        self._weights.set_value(data.weights)

    def _layout(self) -> dict[str, slice]:
        at, slices = len(self.model.parameters), {}
        for effect in self.effects:
            size = 1 + len(self.groups[effect.group])
            slices[effect.name] = slice(at, at + size)
            at += size
        return slices

    def _names(self) -> tuple[str, ...]:
        names = [p.free_name for p in self.model.parameters]
        for effect in self.effects:
            names.append(f"log sd {effect.name}")
            names += [f"{effect.name}[{label}]" for label in self.groups[effect.group]]
        return tuple(names)

    def _graph(self, u: pt.TensorVariable) -> pt.TensorVariable:
        theta, log_density = {}, pt.constant(0.0)
        for k, parameter in enumerate(self.model.parameters):
            stated = parameter.stated(u[k], pt)
            theta[parameter.name] = parameter.value(stated)
            prior = self.priors[parameter.name].log_density(stated, self.factors[parameter.name])
            log_density = log_density + prior + parameter.log_jacobian(u[k], stated, pt)
        if not self.with_prior:
            log_density = pt.constant(0.0)
        rows_theta, effects_density = self._with_effects(u, theta)
        log_prob = self.model.log_prob(self._rows, rows_theta)
        return log_density + effects_density + pt.sum(self._weights * log_prob)

    def _with_effects(self, u, theta):
        """Parameters per row, and the log density of the coefficients."""
        total: dict[str, Any] = {}
        log_density = pt.constant(0.0)
        for effect in self.effects:
            block = u[self.slices[effect.name]]
            sd = pt.exp(block[0])
            spread = sd if self.centred else 1.0
            log_density += effect.sd_prior.log_density(sd) + block[0]
            log_density += pm.logp(pm.Normal.dist(0.0, spread), block[1:]).sum()
            per_row = (block[1:] if self.centred else sd * block[1:])[self._codes[effect.group]]
            for name in effect.parameters:
                total[name] = total.get(name, 0.0) + per_row
        by_name = {p.name: p for p in self.model.parameters}
        changed = {n: by_name[n].moved(theta[n], c, pt) for n, c in total.items()}
        return {**theta, **changed}, log_density

    def scale_coordinates(self) -> list[int]:
        """Positions of the logs of the between-group sds."""
        return [block.start for block in self.slices.values()]

    def _starts(self) -> Array:
        """The prior's median, and each half of its draws sorted apart: far enough to find a second mode."""
        rng = np.random.default_rng(0)
        free = [
            p.free_from_stated(self.priors[p.name].draw(999, rng, self.factors[p.name])) for p in self.model.parameters
        ]
        quantiles = np.array([np.quantile(values, [0.5, 0.2, 0.8]) for values in free])
        corners = [quantiles[:, 0], quantiles[:, 1], quantiles[:, 2], _alternate(quantiles), _alternate(quantiles, 1)]
        extra = len(self._names()) - len(free)
        effects = np.concatenate(
            [np.r_[np.log(0.2), np.zeros(s.stop - s.start - 1)] for s in self.slices.values()] or [[]]
        )
        return np.array([np.r_[corner, effects] for corner in corners]).reshape(len(corners), len(free) + extra)

    def constrain(self, u: Array) -> dict[str, Array]:
        """Named variables on their natural scales from draws u [..., K]; coefficients have a last dimension group."""
        out = {p.name: p.value(p.stated(u[..., k])) for k, p in enumerate(self.model.parameters)}
        for effect in self.effects:
            block = u[..., self.slices[effect.name]]
            out[f"{effect.name}_sd"] = np.exp(block[..., 0])
            out[effect.name] = block[..., 1:] * (1.0 if self.centred else np.exp(block[..., :1]))
        return out


def _alternate(quantiles: Array, phase: int = 0) -> Array:
    """Every other coordinate low, the rest high."""
    return np.array([row[1 + (k + phase) % 2] for k, row in enumerate(quantiles)])


_DENSITIES: dict[tuple, Density] = {}


def density(model, effects, groups, priors, time_unit, amount_unit, with_prior=True, centred=False) -> Density:
    """The density of a structure, compiled once a process."""
    key = (
        id(model),
        tuple(str(effect.to_mapping()) for effect in effects),
        tuple((g, tuple(labels)) for g, labels in groups.items()),
        tuple((n, str(p.to_mapping())) for n, p in sorted(priors.items())),
        time_unit,
        amount_unit,
        with_prior,
        centred,
    )
    if key not in _DENSITIES:
        _DENSITIES[key] = Density(model, effects, groups, priors, time_unit, amount_unit, with_prior, centred)
    return _DENSITIES[key]


def resolve_priors(model: Model, priors: Mapping[str, Prior] | None, where: str = "") -> dict[str, Prior]:
    """Each parameter's prior: the given one, or the model's own.

    Raises
    ------
    ConfigError
        A prior for a parameter that the model does not have.
    """
    known = [p.name for p in model.parameters]
    problems = [
        unknown(f"parameter of {model.title}", name, known, where) for name in priors or {} if name not in known
    ]
    if problems:
        raise ConfigError(problems)
    return {p.name: (priors or {}).get(p.name, p.prior) for p in model.parameters}


def check_data(model: Model, customers: Customers, effects: Sequence[Effect]) -> None:
    """Refuse customers that the model cannot be fitted to, before anything is compiled.

    Raises
    ------
    DataError
        No customers, a missing statistic, values that are not finite, or nothing to learn spend from.
    ConfigError
        Effects that do not fit.
    """
    table, problems = customers.table, []
    if not len(table):
        raise DataError(Problem("there are no customers to fit", known="Check the dates and filters of the data"))
    missing = [name for name in model.observes if name not in table]
    if missing:
        text = f"{model.title} needs the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        others = [name for name, other in MODELS.items() if other.provides == model.provides
                  and set(other.observes) <= set(table)]  # fmt: skip
        known = f"It can be fitted by {', '.join(others)}" if others else ""
        problems.append(Problem(text, "customers", f"columns {', '.join(map(str, table.columns))}", known))
    for name in set(model.observes) - set(missing):
        bad = table.index[~np.isfinite(numbers(table, name))]
        if len(bad):
            problems.append(Problem(f"{len(bad)} customers have no finite {name}", "customers", f"first '{bad[0]}'"))
    money = table.filter(["monetary_value", "amount_sum"])
    if not problems and "spend" in model.provides and len(money.columns) and not money.gt(0).any(axis=None):
        problems.append(Problem(f"no customer bought again: {model.title} has nothing to learn from", "customers"))
    if problems:
        raise DataError(problems)
    check_effects(model, effects, list(table.columns))
