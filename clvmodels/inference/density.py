"""From a model, its effects and a table of customers to a log density over a flat unconstrained vector.

Shapes: R = unique rows, K = coordinates.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.inference.direct import direct_density
from clvmodels.inference.effects import SD_PRIOR, Effect, moved
from clvmodels.inference.target import Siblings, Target
from clvmodels.inference.terms import PooledGroup, Scale, Term, make_terms
from clvmodels.inference.unique_rows import UniqueRows
from clvmodels.models.contract import Model
from clvmodels.models.densities.operation import log_prob as kernel_log_prob
from clvmodels.models.parameters import Parameter
from clvmodels.models.prior import Prior, unit_factor
from clvmodels.models.prior_formulas import quantiles

COMPILED_STRUCTURES = 18
"""Densities that a process keeps compiled, 20 to 40 MiB each; the one not used for longest goes first. A run has up to
sixteen: two entries' models and as many cost models, with and without a group, each fitted at several dates."""
START_QUANTILES = (0.5, 0.2, 0.8)
"""Of the prior: the median, and the ends of an interval wide enough to find a second mode from."""


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
        self.model = model
        self.terms = make_terms(effects, groups)
        self.priors = dict(priors)
        self.with_prior = with_prior
        self.factors = {p.name: unit_factor(p.unit, priors[p.name], time_unit, amount_unit) for p in model.parameters}
        self._rows = {name: _shared(name, np.ones(1)) for name in model.observes}
        self._weights = _shared("weights", np.ones(1))
        self._designs = {term.name: _shared(f"data {term.name}", term.blank) for term in self.terms}
        self._centring = {t.name: pytensor.shared(np.ones(len(t.labels)), f"centring {t.name}") for t in self.terms}
        self.slices = self._layout()
        self.direct = None if self.terms else direct_density(model, self.priors, self.factors, with_prior)
        self.target = Target(self._names(), self._graph, self._starts(), direct=self.direct, siblings=self._siblings())

    def set_data(self, condensed: UniqueRows, table: pd.DataFrame, scales: Mapping[str, Scale]) -> None:
        """Exchange the customers; what is compiled stays. Coefficients of groups are centred again."""
        for name, shared in self._rows.items():
            shared.set_value(condensed.rows[name])
        self._weights.set_value(condensed.weights)
        if self.direct is not None:
            self.direct.set_data(condensed.rows, condensed.weights)
        representatives = table.iloc[condensed.first]
        for term in self.terms:
            self._designs[term.name].set_value(term.design(representatives, scales))
            self.centre(term, np.ones(len(term.labels)))

    def release_data(self) -> None:
        """Forget the customers, so that what stays compiled does not hold their rows."""
        for shared in (*self._rows.values(), self._weights):
            shared.set_value(np.ones(1))
        if self.direct is not None:
            self.direct.release_data()
        for term in self.terms:
            self._designs[term.name].set_value(term.blank)

    def centre(self, term: Term, centring: Array) -> None:
        """How centred each coefficient of a term is sampled (`PooledGroup`): the coordinates change their meaning."""
        self._centring[term.name].set_value(np.asarray(centring, dtype=float))

    def scale_coordinates(self) -> list[int]:
        """Positions of the logs of the between-group sds."""
        return [self.slices[term.name].start + term.scale for term in self.terms if term.scale is not None]

    def scale_units(self) -> list[float]:
        """Median of the prior of each between-group sd, in medians of the usual one."""
        usual = _median(SD_PRIOR)
        return [_median(term.effect.sd_prior) / usual for term in self.terms if term.scale is not None]

    def constrain(self, u: Array) -> dict[str, Array]:
        """Named variables on their natural scales from draws u [..., K]; coefficients have a last dimension."""
        variables = {}
        for k, parameter in enumerate(self.model.parameters):
            variables[parameter.name] = parameter.value(parameter.stated(u[..., k]))
        for term in self.terms:
            block = u[..., self.slices[term.name]]
            variables |= term.variables(block, self._centring[term.name].get_value())
        return variables

    def _layout(self) -> dict[str, slice]:
        """Where the block of each effect lies in the flat vector: one after the other, behind the parameters."""
        slices = {}
        start = len(self.model.parameters)
        for term in self.terms:
            stop = start + len(term.coordinates)
            slices[term.name] = slice(start, stop)
            start = stop
        return slices

    def _names(self) -> tuple[str, ...]:
        names = [parameter.free_name for parameter in self.model.parameters]
        for term in self.terms:
            names += term.coordinates
        return tuple(names)

    def _graph(self, u: pt.TensorVariable) -> pt.TensorVariable:
        """The log density of coordinates u [K]."""
        theta, log_prior = self._parameters(u)
        coefficients: dict[str, Any] = {}
        for term in self.terms:
            block, centring = u[self.slices[term.name]], self._centring[term.name]
            log_prior = log_prior + term.log_prior(block, centring)
            _add(coefficients, term, term.per_row(block, self._designs[term.name], centring))
        log_prob = kernel_log_prob(self.model, self._rows, moved(self.model, theta, coefficients, pt))
        log_likelihood = pt.sum(self._weights * log_prob)
        return log_prior + log_likelihood if self.with_prior else log_likelihood

    def _siblings(self) -> Siblings | None:
        """The coefficients of the pooled group with the most labels, where there is one."""
        pooled = [term for term in self.terms if isinstance(term, PooledGroup)]
        if not pooled:
            return None
        largest = max(pooled, key=lambda term: len(term.labels))
        block = self.slices[largest.name]
        places = np.arange(block.start + 1, block.stop)
        return Siblings(places, block.start, partial(self._separated, largest, places))

    def _separated(
        self, group: PooledGroup, places: np.ndarray, v: Any, z: Any, differentiable: bool
    ) -> tuple[Any, Any]:
        """The log density as a sum over the labels of a group: what is left at the other coordinates v, and [G, N] what
        each label adds with each of its values z [G, N]."""
        size = len(self._names())
        others = np.delete(np.arange(size), places)
        u = pt.set_subtensor(pt.zeros(size)[others], v)
        theta, rest = self._parameters(u)
        values = z.shape[1]
        coefficients: dict[str, Any] = {}
        for term in self.terms:
            block, centring = u[self.slices[term.name]], self._centring[term.name]
            design = self._designs[term.name]
            if term is group:
                log_sd, of_each = block[0], centring[:, None]
                rest = rest + group.log_prior_of_scale(log_sd)
                parts = group.log_prior_of_groups(log_sd, z, of_each)
                group_of_row, per_row = design, group.of_groups(log_sd, z, of_each)[design].flatten()
            else:
                rest = rest + term.log_prior(block, centring)
                per_row = pt.repeat(term.per_row(block, design, centring), values)
            _add(coefficients, term, per_row)
        # a row's values one after the other: what a kernel computes of its statistics serves them all
        rows = {name: pt.repeat(statistic, values) for name, statistic in self._rows.items()}
        theta_of_rows = moved(self.model, theta, coefficients, pt)
        log_prob = kernel_log_prob(self.model, rows, theta_of_rows, differentiable)
        weighted = self._weights[:, None] * log_prob.reshape((-1, values))
        return rest, pt.inc_subtensor(parts[group_of_row], weighted)

    def _parameters(self, u: Any) -> tuple[dict[str, Any], Any]:
        """The model's parameters and the log density of their priors, in the graph."""
        theta: dict[str, Any] = {}
        log_prior = pt.constant(0.0)
        for k, parameter in enumerate(self.model.parameters):
            stated = parameter.stated(u[k], pt)
            theta[parameter.name] = parameter.value(stated)
            log_density = self.priors[parameter.name].log_density(stated, self.factors[parameter.name])
            log_prior = log_prior + log_density + parameter.log_jacobian(u[k], stated, pt)
        return theta, log_prior

    def _starts(self) -> Array:
        """The prior's median, its low and high corner, and both in which low and high alternate. [5, K]

        A second mode lies where parameters trade for each other: one low, the next one high.
        """
        of_parameters = [self._free_quantiles(parameter) for parameter in self.model.parameters]
        median, low, high = np.array(of_parameters).T
        even = np.arange(len(median)) % 2 == 0
        corners = [median, low, high, np.where(even, low, high), np.where(even, high, low)]
        effects = [term.start for term in self.terms]
        return np.array([np.concatenate([corner, *effects]) for corner in corners])

    def _free_quantiles(self, parameter: Parameter) -> Array:
        stated = quantiles(self.priors[parameter.name], np.array(START_QUANTILES), self.factors[parameter.name])
        return parameter.free_from_stated(stated)


def _median(prior: Prior) -> float:
    return float(quantiles(prior, np.array([0.5]))[0])


def _add(coefficients: dict[str, Any], term: Term, per_row: Any) -> None:
    """Add a term's coefficient of each row to those of the parameters that it moves."""
    for name in term.effect.parameters:
        coefficients[name] = coefficients.get(name, 0.0) + per_row


def _shared(name: str, blank: np.ndarray) -> Any:
    """A variable of the graph that holds rows, as many as the customers have."""
    return pytensor.shared(blank, name=name, shape=(None, *blank.shape[1:]))


_COMPILED: OrderedDict[Hashable, Density] = OrderedDict()


def compiled_density(
    model: Model,
    effects: Sequence[Effect],
    groups: Mapping[str, Sequence[str]],
    priors: Mapping[str, Prior],
    time_unit: str,
    amount_unit: float,
    with_prior: bool = True,
) -> Density:
    """The density of a structure, compiled once as long as the process keeps it."""
    key = (
        model,  # itself, not its id: that of a model that is gone may be another's
        tuple(str(effect.to_mapping()) for effect in effects),
        tuple((name, tuple(labels)) for name, labels in groups.items()),
        tuple((name, str(prior.to_mapping())) for name, prior in sorted(priors.items())),
        time_unit,
        amount_unit,
        with_prior,
    )
    if key not in _COMPILED:
        _COMPILED[key] = Density(model, effects, groups, priors, time_unit, amount_unit, with_prior)
    _COMPILED.move_to_end(key)
    while len(_COMPILED) > COMPILED_STRUCTURES:
        _COMPILED.popitem(last=False)
    return _COMPILED[key]
