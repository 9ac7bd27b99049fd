"""Compiled evaluation of a model's graphs over draws and customers."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import pytensor
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.errors import ClvError, ConfigError, Problem
from clvmodels.models.contract import Model, PurchaseModel, Rows, Theta
from clvmodels.models.discrete import Discrete

ELEMENTS = 2**22
"""Numbers in one array of a graph that is evaluated: 32 MiB."""

_COMPILED: dict[Hashable, Callable] = {}


def compiled(key: Hashable, graph: Callable, observes: tuple[str, ...], parameters: tuple[str, ...]) -> Callable:
    """The function (rows, theta) -> arrays of a graph, compiled once per key. Rows and theta: [D or 1, C or 1].

    The key holds the objects themselves, not their id: that of a model that is gone may be another's.

    Raises
    ------
    ClvError
        If PyTensor would not compile by Numba: its C backend without a compiler is silently 1,000 times slower.
    """
    if key not in _COMPILED:
        rows = {name: pt.matrix(name, dtype="float64") for name in observes}
        theta = {name: pt.matrix(f"theta_{name}", dtype="float64") for name in parameters}
        # broadcasting along a dimension of length 1 that is only known at run time is what Elemwise refuses,
        # so rows and theta are stretched to one shape before they meet
        inputs = [*rows.values(), *theta.values()]
        outputs = graph(rows, theta)
        function = pytensor.function(inputs, outputs, on_unused_input="ignore", mode=numba_mode())
        function.trust_input = False
        _COMPILED[key] = function
    function = _COMPILED[key]

    def call(rows: Rows, theta: Theta):
        arrays = [np.atleast_2d(np.asarray(rows[name], dtype=float)) for name in observes]
        arrays += [np.atleast_2d(np.asarray(theta[name], dtype=float)) for name in parameters]
        return function(*(np.ascontiguousarray(a) for a in np.broadcast_arrays(*arrays)))

    return call


def numba_mode():
    """PyTensor's Numba mode, or an error that names what to do."""
    mode = pytensor.compile.mode.get_mode("NUMBA")
    if "numba" not in type(mode.linker).__name__.lower():
        raise ClvError(Problem("PyTensor does not compile by Numba", "pytensor", type(mode.linker).__name__))
    return mode


def _names(model: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return model.observes, tuple(p.name for p in model.parameters)


def log_prob(model: Model, rows: Rows, theta: Theta) -> Array:
    """Log density of each history in each draw. [D, C]"""
    return _in_parts(compiled((model, "log_prob"), model.log_prob, *_names(model)), model.width(rows), rows, theta)


def p_alive(model: PurchaseModel, rows: Rows, theta: Theta) -> Array:
    """P(alive at T | history, parameters) = sigmoid(alive - ended). [D, C]"""

    def graph(rows: Rows, theta: Theta) -> pt.TensorVariable:
        alive, ended = model.branches(rows, theta)
        return pt.sigmoid(alive - ended)

    return _in_parts(compiled((model, "p_alive"), graph, *_names(model)), model.width(rows), rows, theta)


def dert(model: PurchaseModel, rows: Rows, theta: Theta, discount_rate: float) -> Array:
    """Discounted expected residual transactions: what the future purchases of a customer count for today. [D, C]

    With X(t) the purchases in (T, T + t] and a rate delta per time unit, compounded continuously,

        DERT = E[integral over t > 0 of e^(-delta t) dX(t) | history]
             = P(alive at T) integral over t > 0 of delta e^(-delta t) E[X(t) | history, alive at T] dt,

    by trapezoid in log(delta t), whose error is about 1e-11 of the result. Where the unit is a week and 15% a year,
    delta = log(1.15) / 52.18. For Pareto/NBD equal to the closed form of Fader, Hardie & Lee (2005), RFM and CLV,
    Journal of Marketing Research 42(4). Of opportunities it is the sum over those to come, the j-th times
    e^(-delta j) (`Discrete.dert_if_alive`).

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
    if isinstance(model, Discrete):
        return p_alive(model, rows, theta) * model.dert_if_alive(rows, theta, float(np.expm1(discount_rate)))
    step = 0.3
    y = np.arange(-20.0, 3.5, step)  # from 2e-9 to 31 times the mean time of the discount
    weights = step * np.exp(y - np.exp(y))
    wide = {name: np.atleast_2d(np.asarray(value, dtype=float)) for name, value in rows.items()}
    expected = model.expected_if_alive(wide, theta, np.exp(y) / discount_rate)
    return p_alive(model, rows, theta) * (expected * weights).sum(axis=-1)


def _in_parts(function: Callable[[Rows, Theta], Array], width: int, rows: Rows, theta: Theta) -> Array:
    """The function of some draws at a time, so that the graph's inner arrays, `width` times as large, stay bounded."""
    draws = max(np.shape(np.atleast_2d(value))[0] for value in theta.values())
    size = max(np.atleast_2d(value).shape[-1] for value in (*rows.values(), *theta.values()))
    step = max(1, ELEMENTS // (width * size))
    if width == 1 or draws <= step:
        return function(rows, theta)
    cut = lambda value, part: value[part] if np.ndim(value) == 2 and len(value) > 1 else value  # noqa: E731
    parts = [slice(at, at + step) for at in range(0, draws, step)]
    return np.concatenate([function(rows, {name: cut(v, part) for name, v in theta.items()}) for part in parts])
