"""What every model is: parameters as data, log densities written once in PyTensor, exact draws in NumPy.

Shapes: R = unique rows, N = quadrature nodes, D = draw, C = customer_id, P = period. In the graph a parameter is a
scalar or [R]; in NumPy it is [D, 1] or [D, C]. A model never sees an effect: parameters come per row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from clvmodels.models.prior import Prior
from clvmodels.randomness import KeyedRandom

Array = NDArray[np.float64]
Rows = Mapping[str, Any]
Theta = Mapping[str, Any]


class Parameter(NamedTuple):
    """A population parameter, as data.

    `lower` is its lower bound (0 or 1); it is sampled as log(value - lower). `unit` is none, time, 1/time or money.
    A coefficient g of an effect multiplies (value - lower) by exp(direction * g); a positive one raises `raises`.
    """

    name: str
    part: Literal["purchases", "lifetime", "spend"]
    unit: Literal["none", "time", "1/time", "money"]
    prior: Prior
    direction: Literal[1, -1]
    raises: str
    meaning: str
    lower: float = 0.0


class Meaning(NamedTuple):
    """What parameters mean together, for people: a title, its unit ({time_unit}, {currency} or none), its formula."""

    title: str
    unit: str
    of: Callable[[Theta], Any]


@dataclass(frozen=True)
class State:
    """What is true of each customer at T, in one draw: all that the simulator may read. Arrays are [D, C].

    residual_lifetime: time left (0 dead, inf none); residual_purchases: purchases until the coin falls (0 dead, inf
    none). `extra` holds what is of interest but not needed for the future (dropout probability, death age).
    """

    alive: NDArray[np.bool_]
    purchase_rate: Array
    residual_lifetime: Array
    residual_purchases: Array
    extra: Mapping[str, Array] = field(default_factory=dict)


class Model(ABC):
    """Any member of the family; see `PurchaseModel` and `SpendModel`."""

    name: str
    title: str
    reference: str
    parameters: tuple[Parameter, ...]
    observes: tuple[str, ...]
    provides: frozenset[str]
    time: str = "continuous"
    lacks: frozenset[str] = frozenset()
    meanings: tuple[Meaning, ...] = ()

    @abstractmethod
    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """Log density of each row's history, the individual integrated out. [R]"""

    def __repr__(self) -> str:
        return f"<{self.title}: {', '.join(p.name for p in self.parameters)}>"


class PurchaseModel(Model):
    """When customers buy and when they leave. A history ends with the customer alive at T or dead before it."""

    provides = frozenset({"purchases"})

    @abstractmethod
    def branches(self, rows: Rows, theta: Theta) -> tuple[pt.TensorVariable, pt.TensorVariable]:
        """Log density of the history and of being alive at T, and of the history and of having ended. 2 x [R]"""

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """log(exp(alive) + exp(ended)). [R]"""
        alive, ended = self.branches(rows, theta)
        return alive + pt.softplus(ended - alive)

    @abstractmethod
    def draw_alive(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
        """Each customer's own parameters and future end, given the history and being alive at T."""

    @abstractmethod
    def draw_ended(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
        """Each customer's own parameters, given the history and having ended before T."""

    @abstractmethod
    def expected_if_alive(self, rows: Rows, theta: Theta, t: Array) -> Array:
        """E[purchases in (T, T + t] | history, alive at T]. t: [P]; result [D, C, P]."""

    def count_probability(self, state: State, n: Array, t: float) -> Array:
        """P(n purchases in (T, T + t] | a state that is alive at T). n: [C]; result [D, C]

        Poisson until the drawn end of the lifetime; a model whose end lies in its purchases gives its own.
        """
        return poisson_probability(n, state.purchase_rate * np.minimum(state.residual_lifetime, t))


class SpendModel(Model):
    """What customers pay."""

    provides = frozenset({"spend"})

    @abstractmethod
    def draw(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Mapping[str, Array]:
        """Each customer's own spend variables given the history. [D, C] each"""

    @abstractmethod
    def expected_spend(self, rows: Rows, theta: Theta) -> Array:
        """E[amount of a future purchase | history, parameters]. [D, C]"""

    @abstractmethod
    def spend_total(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        """Money of n purchases of each customer. n and result: [D, C, P]"""


def poisson_probability(n: Array, mean: Array) -> Array:
    """exp(-mean) mean^n / n!, also where the mean is 0."""
    return np.exp(xlogy(n, mean) - mean - gammaln(np.asarray(n) + 1.0))
