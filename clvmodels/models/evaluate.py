"""A model's density and what follows from it, evaluated over draws and customers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt

from clvmodels.draws import Array, slices
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.compiled import compiled
from clvmodels.models.contract import Model, PurchaseModel
from clvmodels.models.densities.evaluation import LOG_PROB, P_ALIVE
from clvmodels.models.parameters import Graph, Rows, Theta

ELEMENTS = 2**22
"""Numbers in one array of a graph that is evaluated: 32 MiB."""


def log_prob(model: Model, rows: Rows[Array], theta: Theta[Array]) -> Array:
    """Log density of each history in each draw. [D, C]"""
    if model.kernel is not None:
        return model.kernel.over_draws(*_in_order(model, rows, theta), LOG_PROB)
    return _in_blocks(model, "log_prob", model.log_prob, rows, theta)


def p_alive(model: PurchaseModel, rows: Rows[Array], theta: Theta[Array]) -> Array:
    """P(alive at T | history, parameters) = sigmoid(alive - ended). [D, C]"""
    if model.kernel is not None:
        return model.kernel.over_draws(*_in_order(model, rows, theta), P_ALIVE)

    def graph(rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        alive, ended = model.branches(rows, theta)
        return pt.sigmoid(alive - ended)

    return _in_blocks(model, "p_alive", graph, rows, theta)


def dert(model: PurchaseModel, rows: Rows[Array], theta: Theta[Array], discount_rate: float) -> Array:
    """Discounted expected residual transactions: what the future purchases of a customer count for today. [D, C]

    With X(t) the purchases in (T, T + t] and a rate delta per time unit, compounded continuously,

        DERT = E[integral over t > 0 of e^(-delta t) dX(t) | history]
             = P(alive at T) integral over t > 0 of delta e^(-delta t) E[X(t) | history, alive at T] dt.

    Where the unit is a week and 15% a year, delta = log(1.15) / 52.18. For Pareto/NBD equal to the closed form of
    Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4). Of opportunities it is the sum over
    those to come, the j-th times e^(-delta j).

    Raises
    ------
    ConfigError
        The rate is not positive: undiscounted, the sum is infinite for Pareto/NBD with s <= 1, BG/NBD with a <= 1 and
        others. Or the model follows a calendar.
    """
    if model.traits:
        raise ConfigError(Problem("DERT is of purchases whose rate does not follow a calendar", got=model.title))
    if not 0.0 < discount_rate < np.inf:
        known = "A positive rate per time unit: undiscounted, expected purchases may be infinite"
        raise ConfigError(Problem("DERT needs a discount", "discount_rate", f"{discount_rate}", known))
    wide_rows = {name: np.atleast_2d(np.asarray(values, dtype=float)) for name, values in rows.items()}
    return p_alive(model, rows, theta) * model.dert_if_alive(wide_rows, theta, discount_rate)


def _in_order(model: Model, rows: Rows[Array], theta: Theta[Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """The statistics and the parameters of a model as its kernel expects them."""
    statistics = {name: rows[name] for name in model.observes}
    return statistics, {parameter.name: theta[parameter.name] for parameter in model.parameters}


def _in_blocks(
    model: Model,
    name: str,
    graph: Callable[[Rows[Graph], Theta[Graph]], Graph],
    rows: Rows[Array],
    theta: Theta[Array],
) -> Array:
    """A graph evaluated for some draws at a time, so that its inner arrays, `model.width` times as large, stay bounded.
    [D, C]"""
    function = compiled((model, name), graph, model.observes, tuple(p.name for p in model.parameters))
    width = model.width(rows)
    draws = max(np.atleast_2d(values).shape[0] for values in theta.values())
    customers = max(np.atleast_2d(values).shape[-1] for values in (*rows.values(), *theta.values()))
    at_once = max(1, ELEMENTS // (width * customers))
    if width == 1 or draws <= at_once:
        return function(rows, theta)
    return np.concatenate([function(rows, _draws_of(theta, block)) for block in slices(draws, at_once)])


def _draws_of(theta: Theta[Array], block: slice) -> dict[str, Array]:
    """These draws of each parameter; what is one number for all draws stays so."""
    return {name: values[block] if len(np.atleast_2d(values)) > 1 else values for name, values in theta.items()}
