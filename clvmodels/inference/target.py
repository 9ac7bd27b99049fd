"""The one thing that inference is given: a log density over a flat unconstrained vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from clvmodels.errors import FitError, Problem
from clvmodels.inference.direct import DirectDensity

NAMED = 10
"""Coordinates that a message names."""


class Siblings(NamedTuple):
    """Coordinates that are independent of each other given all the others, as the coefficients of a group's labels are.

    Parameters
    ----------
    places : [G]
        Where they lie in the flat vector.
    log_sd
        Where the log of their standard deviation lies, before anything is known of them but that.
    graph
        The others v [K - G], values z [G, N] of each of these, and whether gradients will be taken -> the log density
        as a sum: `rest`, a scalar, and `parts` [G, N], what each of the values adds to it.
    """

    places: np.ndarray
    log_sd: int
    graph: Callable[[TensorVariable, TensorVariable, bool], tuple[TensorVariable, TensorVariable]]


@dataclass(frozen=True, eq=False)
class Target:
    """A smooth log density over a flat unconstrained vector, to be maximised, approximated or sampled.

    The coordinates should be of order one, as logs of parameters are: a mode whose standard deviation along a
    coordinate exceeds 1,000 is taken for no mode.

    Parameters
    ----------
    names
        The K coordinates; error messages and checks speak of them.
    graph
        u [K] -> the log density, a scalar PyTensor expression. Data are captured as constants or shared variables.
    starts : [S, K]
        Points from which the mode is searched, far enough apart to find a second one.
    direct
        The same log density without a graph, where there is one: nothing is compiled then before the first number.
    siblings
        Coordinates that are independent given the others, where there are any: they need no more gradients for a
        curvature than one does, and can be integrated out one by one.
    """

    names: tuple[str, ...]
    graph: Callable[[TensorVariable], TensorVariable]
    starts: np.ndarray
    direct: DirectDensity | None = field(default=None, kw_only=True)
    siblings: Siblings | None = field(default=None, kw_only=True)

    def __post_init__(self):
        starts = np.atleast_2d(np.asarray(self.starts, dtype=float))
        if starts.ndim != 2 or starts.shape[1] != len(self.names) or not len(starts):
            got = f"an array of shape {starts.shape}"
            expected = f"Expected [starts, {len(self.names)}]"
            raise FitError(Problem("the starts do not fit the coordinates", got=got, known=expected))
        object.__setattr__(self, "starts", starts)

    @property
    def size(self) -> int:
        """Number of coordinates, K."""
        return len(self.names)

    @cached_property
    def independent(self) -> np.ndarray:
        """Positions of coordinates that are independent of each other given the others; often none. [G]"""
        return np.empty(0, dtype=int) if self.siblings is None else self.siblings.places

    def value_and_grad(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """The log density at u [K] and its gradient [K]; what is not finite is returned as it is.

        Raises
        ------
        FitError
            The compiled log density raised; the cause is chained.
        """
        function = self._value_and_grad if self.direct is None else self.direct.value_and_grad
        value, grad = self._call(function, u)
        return float(value), np.asarray(grad)

    def value_many(self, u: np.ndarray) -> np.ndarray:
        """The log density at each row of u [N, K], as [N]; minus infinity where it is not a number.

        By the graph it is a plain loop: a call costs 4 microseconds, the density of a thousand customers a hundred.
        """
        if self.direct is None:
            values = np.array([self._call(self._value, row) for row in u], dtype=float)
        else:
            values = self._call(self.direct.values, u)
        no_number = np.isnan(values) | (values == np.inf)
        return np.where(no_number, -np.inf, values)

    def _call(self, function, u):
        try:
            return function(np.ascontiguousarray(u, dtype=float))
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
            place = f"It was evaluated at {self.describe(np.atleast_2d(u)[0])}"
            raise FitError(Problem("the log density raised an error", got=got, known=place)) from error

    def describe(self, u: np.ndarray) -> str:
        """A point in words, for messages: `r = -1.41, alpha = 1.48`, ten coordinates at most."""
        coordinates = [f"{name} = {value:.4g}" for name, value in zip(self.names, u, strict=False)]
        if len(coordinates) > NAMED:
            coordinates = [*coordinates[:NAMED], "..."]
        return ", ".join(coordinates)

    @cached_property
    def _value_and_grad(self):
        u = self._vector()
        value = self.graph(u)
        return self._compile(u, [value, pt.grad(value, u)])

    @cached_property
    def _value(self):
        u = self._vector()
        return self._compile(u, self.graph(u))

    def _vector(self) -> TensorVariable:
        return pt.vector("u", shape=(self.size,), dtype="float64")

    @staticmethod
    def _compile(u, outputs):
        # Numba by name, as nutpie does: the C backend without a compiler is silently a thousand times slower.
        return pytensor.function([u], outputs, mode="NUMBA", trust_input=True)


@dataclass(frozen=True, eq=False)
class Conditional(Target):
    """A target as a function of some of its coordinates, the others fixed; nothing is compiled anew.

    Parameters
    ----------
    joint
        The target of all coordinates.
    fixed : [joint.size]
        A point; its values at the coordinates that are not free stay.
    free
        Positions of the coordinates that are left, in the order of `names`.
    """

    joint: Target
    fixed: np.ndarray
    free: np.ndarray

    @classmethod
    def of(cls, joint: Target, fixed: np.ndarray, free: np.ndarray, starts: np.ndarray | None = None) -> Conditional:
        """The target with all but the `free` coordinates fixed at a point; starts default to the joint target's."""
        names = tuple(joint.names[k] for k in free)
        if starts is None:
            starts = joint.starts[:, free]
        return cls(names, joint.graph, starts, joint, fixed, free)

    @cached_property
    def independent(self) -> np.ndarray:
        return np.flatnonzero(np.isin(self.free, self.joint.independent))

    def value_and_grad(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        point = self.fixed.copy()
        point[self.free] = u
        value, grad = self.joint.value_and_grad(point)
        return value, grad[self.free]
