"""From a model, its effects and a table of customers to a log density over a flat unconstrained vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt

from clvmodels.customers.table import Customers
from clvmodels.draws import Array
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.inference import effects as fx
from clvmodels.inference.effects import Effect
from clvmodels.inference.target import Target
from clvmodels.inference.terms import Scale, Term, make_terms
from clvmodels.models import MODELS, time_problems
from clvmodels.models.contract import STATUS, Model
from clvmodels.models.prior import Prior, unit_factor


@dataclass(frozen=True)
class Condensed:
    """Equal histories once, with weights. rows and weights (customers with that history): [R]; the place of each
    customer's row [C], and of one customer of each row [R]."""

    rows: dict[str, Array]
    weights: Array
    inverse: np.ndarray
    first: np.ndarray


def numbers(table: pd.DataFrame, name: str) -> Array:
    """A statistic as a model reads it; a contract's status by its code. [C]"""
    column = table[name].map(STATUS) if name == "status" else table[name]
    return column.to_numpy(dtype=float)


def condense(table: pd.DataFrame, observes: Sequence[str], effects: Sequence[Effect] = ()) -> Condensed:
    """Unique rows of the statistics that a model observes and of what its effects read; for fit, LOO and p_alive alike.

    Rows come out sorted, so that a permuted table gives the same density to the last bit.
    """
    columns = [*(numbers(table, name) for name in observes), *fx.keys(effects, table)]
    unique, first, inverse, counts = np.unique(
        np.column_stack(columns), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    rows = {name: np.ascontiguousarray(unique[:, k]) for k, name in enumerate(observes)}
    return Condensed(rows, counts.astype(float), inverse.reshape(-1), first)


class Density:
    """The posterior density of one structure: model, effects, groups, priors and units; its data can be exchanged.

    Coordinates: the free coordinate of each parameter (`Parameter`), then the block of each effect (`terms`). How
    centred the coefficients of pooled groups are can be exchanged too.
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
    ):
        self.model, self.terms = model, make_terms(effects, groups)
        self.priors, self.with_prior = dict(priors), with_prior
        self.factors = {p.name: unit_factor(p.unit, priors[p.name], time_unit, amount_unit) for p in model.parameters}
        self._rows = {n: pytensor.shared(np.ones(1), name=n, shape=(None,)) for n in model.observes}
        self._weights = pytensor.shared(np.ones(1), name="weights", shape=(None,))
        self._read = {term.name: term.shared() for term in self.terms}
        self._centring = {t.name: pytensor.shared(np.ones(len(t.labels)), f"centring {t.name}") for t in self.terms}
        self.slices = self._layout()
        self.target = Target(self._names(), self._graph, self._starts())

    def set_data(self, data: Condensed, table: pd.DataFrame, scales: Mapping[str, Scale]) -> None:
        """Exchange the customers; what is compiled stays. Coefficients of groups are centred again."""
        for name, shared in self._rows.items():
            shared.set_value(data.rows[name])
        self._weights.set_value(data.weights)
        representatives = table.iloc[data.first]
        for term in self.terms:
            self._read[term.name].set_value(term.read(representatives, scales))
            self.centre(term, np.ones(len(term.labels)))

    def centre(self, term: Term, centring: Array) -> None:
        """How centred each coefficient of a term is sampled (`PooledGroup`): the coordinates change their meaning."""
        self._centring[term.name].set_value(np.asarray(centring, dtype=float))

    def _layout(self) -> dict[str, slice]:
        ends = np.cumsum([len(self.model.parameters), *(len(term.coordinates) for term in self.terms)])
        return {t.name: slice(int(a), int(b)) for t, a, b in zip(self.terms, ends[:-1], ends[1:], strict=True)}

    def _names(self) -> tuple[str, ...]:
        parameters = tuple(p.free_name for p in self.model.parameters)
        return parameters + tuple(name for term in self.terms for name in term.coordinates)

    def _graph(self, u: pt.TensorVariable) -> pt.TensorVariable:
        theta: dict[str, Any] = {}
        total: dict[str, Any] = {}
        log_prior = pt.constant(0.0)
        for k, parameter in enumerate(self.model.parameters):
            stated = parameter.stated(u[k], pt)
            theta[parameter.name] = parameter.value(stated)
            prior = self.priors[parameter.name].log_density(stated, self.factors[parameter.name])
            log_prior = log_prior + prior + parameter.log_jacobian(u[k], stated, pt)
        for term in self.terms:
            block, centring = u[self.slices[term.name]], self._centring[term.name]
            log_prior = log_prior + term.log_prior(block, centring)
            per_row = term.per_row(block, self._read[term.name], centring)
            for name in term.effect.parameters:
                total[name] = total.get(name, 0.0) + per_row
        log_prob = self.model.log_prob(self._rows, fx.moved(self.model, theta, total, pt))
        log_likelihood = pt.sum(self._weights * log_prob)
        return log_prior + log_likelihood if self.with_prior else log_likelihood

    def scale_coordinates(self) -> list[int]:
        """Positions of the logs of the between-group sds."""
        return [self.slices[term.name].start + term.scale for term in self.terms if term.scale is not None]

    def _starts(self) -> Array:
        """The prior's median, and each half of its draws sorted apart: far enough to find a second mode."""
        rng = np.random.default_rng(0)
        free = [
            p.free_from_stated(self.priors[p.name].draw(999, rng, self.factors[p.name])) for p in self.model.parameters
        ]
        quantiles = np.array([np.quantile(values, [0.5, 0.2, 0.8]) for values in free])
        corners = [quantiles[:, 0], quantiles[:, 1], quantiles[:, 2], _alternate(quantiles), _alternate(quantiles, 1)]
        effects = [term.start for term in self.terms]
        return np.array([np.concatenate([corner, *effects]) for corner in corners])

    def constrain(self, u: Array) -> dict[str, Array]:
        """Named variables on their natural scales from draws u [..., K]; coefficients have a last dimension."""
        out = {p.name: p.value(p.stated(u[..., k])) for k, p in enumerate(self.model.parameters)}
        for term in self.terms:
            out |= term.variables(u[..., self.slices[term.name]], self._centring[term.name].get_value())
        return out


def _alternate(quantiles: Array, phase: int = 0) -> Array:
    """Every other coordinate low, the rest high."""
    return np.array([row[1 + (k + phase) % 2] for k, row in enumerate(quantiles)])


_DENSITIES: dict[tuple, Density] = {}


def density(model, effects, groups, priors, time_unit, amount_unit, with_prior=True) -> Density:
    """The density of a structure, compiled once a process."""
    key = (
        id(model),
        tuple(str(effect.to_mapping()) for effect in effects),
        tuple((g, tuple(labels)) for g, labels in groups.items()),
        tuple((n, str(p.to_mapping())) for n, p in sorted(priors.items())),
        time_unit,
        amount_unit,
        with_prior,
    )
    if key not in _DENSITIES:
        _DENSITIES[key] = Density(model, effects, groups, priors, time_unit, amount_unit, with_prior)
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
        others = [
            name
            for name, other in MODELS.items()
            if other.provides == model.provides and set(other.observes) <= set(table)
        ]
        known = f"It can be fitted by {', '.join(others)}" if others else ""
        problems.append(Problem(text, "customers", f"columns {', '.join(map(str, table.columns))}", known))
    for name in set(model.observes) - set(missing):
        bad = table.index[~np.isfinite(numbers(table, name))]
        if len(bad):
            problems.append(Problem(f"{len(bad)} customers have no finite {name}", "customers", f"first '{bad[0]}'"))
    money = table.filter(["monetary_value", "amount_sum"])
    if not problems and "spend" in model.provides and len(money.columns) and not money.gt(0).any(axis=None):
        problems.append(Problem(f"no customer bought again: {model.title} has nothing to learn from", "customers"))
    problems += time_problems(model, customers.time, "customers") or ([] if problems else model.refusals(table))
    if problems:
        raise DataError(problems)
    fx.check_effects(model, effects, table)
