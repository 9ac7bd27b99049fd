"""Graphs compiled to functions of draws and customers, the most recently used of them kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.errors import ClvError, Problem
from clvmodels.models.parameters import Graph, Rows, Theta

MOST_KEPT = 64
"""Compiled functions kept at once: three of each registered model and some variants of k."""

_FUNCTIONS: OrderedDict[Hashable, Callable[..., Any]] = OrderedDict()
_ALONE = Lock()
"""A function of PyTensor keeps its inputs and outputs: two threads in one of them would read each other's."""


def compiled(
    key: Hashable,
    graph: Callable[[Rows[Graph], Theta[Graph]], Any],
    observes: tuple[str, ...],
    parameters: tuple[str, ...],
) -> Callable[[Rows[Array], Theta[Array]], Any]:
    """The function (rows, theta) -> arrays of a graph, compiled once while it is in use. Rows and theta: [D or 1, C or
    1].

    The key holds the objects themselves, not their id: that of a model that is gone may be another's.

    Raises
    ------
    ClvError
        If PyTensor would not compile by Numba: its C backend without a compiler is silently 1,000 times slower.
    """
    with _ALONE:
        if key not in _FUNCTIONS:
            _FUNCTIONS[key] = _function(graph, observes, parameters)
            if len(_FUNCTIONS) > MOST_KEPT:
                _FUNCTIONS.popitem(last=False)
        _FUNCTIONS.move_to_end(key)
        function = _FUNCTIONS[key]

    def call(rows: Rows[Array], theta: Theta[Array]) -> Any:
        arrays = [np.atleast_2d(np.asarray(rows[name], dtype=float)) for name in observes]
        arrays += [np.atleast_2d(np.asarray(theta[name], dtype=float)) for name in parameters]
        # broadcasting along a dimension of length 1 that is only known at run time is what Elemwise refuses,
        # so rows and theta are stretched to one shape before they meet
        inputs = [np.ascontiguousarray(array) for array in np.broadcast_arrays(*arrays)]
        with _ALONE:
            return function(*inputs)

    return call


def _function(
    graph: Callable[[Rows[Graph], Theta[Graph]], Any], observes: tuple[str, ...], parameters: tuple[str, ...]
) -> Callable[..., Any]:
    rows = {name: pt.matrix(name, dtype="float64") for name in observes}
    theta = {name: pt.matrix(f"theta_{name}", dtype="float64") for name in parameters}
    inputs = [*rows.values(), *theta.values()]
    # an impossible branch and the curve of the age at the end read less than the model observes: no mistake
    function = pytensor.function(inputs, graph(rows, theta), on_unused_input="ignore", mode=numba_mode())
    function.trust_input = False
    return function


def numba_mode() -> Any:
    """PyTensor's Numba mode, or an error that names what to do."""
    mode = pytensor.compile.mode.get_mode("NUMBA")
    if "numba" not in type(mode.linker).__name__.lower():
        raise ClvError(Problem("PyTensor does not compile by Numba", "pytensor", type(mode.linker).__name__))
    return mode
