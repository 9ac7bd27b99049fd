"""Compiled evaluation of a model's graphs over draws and customers."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import pytensor
import pytensor.tensor as pt

from clvmodels.errors import ClvError, Problem
from clvmodels.models.contract import Array, Model, PurchaseModel, Rows, Theta

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
