"""What every model is: parameters as data, log densities written once in PyTensor, exact draws in NumPy.

Shapes: R = unique rows, N = quadrature nodes, D = draw, C = customer_id, P = period. In the graph a parameter is a
scalar or [R]; in NumPy it is [D, 1] or [D, C]. A model never sees an effect: parameters come per row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pytensor.tensor as pt
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.prior import Prior
from clvmodels.randomness import KeyedRandom

Rows = Mapping[str, Any]
Theta = Mapping[str, Any]
STATUS = {"unknown": 0.0, "alive": 1.0, "ended": -1.0}
"""How a contract's `status` is written in the rows."""


class Parameter(NamedTuple):
    """A population parameter, as data.

    It lives in (lower, upper) and is sampled on its free scale: log(value - lower) where only the lower bound is
    finite, the logit of its place between both, the value itself where there are none. The prior is of what
    `bounded` says: the excess over the lower bound, the place between the bounds, the value. A coefficient g of an
    effect adds direction * g on the free scale; a positive one raises `raises`. `unit` is none, time, 1/time or money;
    `part` is purchases, lifetime, spend or the role of a cost model.
    """

    name: str
    part: str
    unit: Literal["none", "time", "1/time", "money"]
    prior: Prior
    direction: Literal[1, -1]
    raises: str
    meaning: str
    lower: float = 0.0
    upper: float = np.inf

    @property
    def support(self) -> Literal["positive", "interval", "real"]:
        """Where the prior's quantity lives: above 0, between 0 and 1, or anywhere."""
        if np.isfinite(self.upper):
            return "interval"
        return "positive" if np.isfinite(self.lower) else "real"

    @property
    def free_name(self) -> str:
        """The free coordinate in words, for messages and checks."""
        if self.support == "interval":
            return f"logit {self.name}"
        if self.support == "real":
            return self.name
        return f"log {self.name}" if not self.lower else f"log({self.name} - {self.lower:g})"

    def stated(self, free: Any, xp: Any = np) -> Any:
        """The quantity of which the prior speaks, from the free coordinate; `xp` is NumPy or PyTensor's tensor."""
        if self.support == "real":
            return free
        return xp.exp(free) if self.support == "positive" else 1.0 / (1.0 + xp.exp(-free))

    def free_from_stated(self, stated: Any) -> Any:
        """The free coordinate of a draw of the prior. NumPy"""
        if self.support == "real":
            return stated
        return np.log(stated) if self.support == "positive" else np.log(stated) - np.log1p(-stated)

    def value(self, stated: Any) -> Any:
        """The parameter, from the quantity of which the prior speaks."""
        if self.support == "real":
            return stated
        return self.lower + stated if self.support == "positive" else self.lower + (self.upper - self.lower) * stated

    def log_jacobian(self, free: Any, stated: Any, xp: Any = np) -> Any:
        """log |d stated / d free|."""
        if self.support == "real":
            return 0.0 * free
        return free if self.support == "positive" else xp.log(stated) + xp.log1p(-stated)

    def moved(self, value: Any, coefficient: Any, xp: Any = np) -> Any:
        """The parameter of a row whose coefficients add up to `coefficient`."""
        step = self.direction * coefficient
        if self.support == "real":
            return value + step
        if self.support == "positive":
            return self.lower + (value - self.lower) * xp.exp(step)
        odds = (value - self.lower) / (self.upper - value) * xp.exp(step)
        return self.lower + (self.upper - self.lower) * odds / (1.0 + odds)


class Handle(NamedTuple):
    """A quantity that is no parameter but that an effect may move: a name, what a positive coefficient raises, and
    `move(theta, coefficient, xp)`, the parameters that it changes; `xp` is NumPy or PyTensor's tensor."""

    name: str
    part: str
    raises: str
    meaning: str
    move: Callable[[Theta, Any, Any], Mapping[str, Any]]


class Meaning(NamedTuple):
    """What parameters mean together, for people: a title, its unit ({time_unit}, {currency} or none), its formula."""

    title: str
    unit: str
    of: Callable[[Theta], Any]


@dataclass(frozen=True)
class State:
    """What is true of each customer at T, in one draw: all that the simulator may read. Arrays are [D, C].

    purchase_rate: per time unit, or the chance to buy at an opportunity. residual_lifetime: time (or opportunities)
    left (0 dead, inf none); residual_purchases: purchases until the coin falls (0 dead, inf none). `extra` holds what
    else the model's own simulator reads (a regular buyer's phase) or is of interest (dropout probability, death age).
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
    time: Literal["continuous", "opportunities", "renewals"] = "continuous"
    options: Mapping[str, Any] = MappingProxyType({})
    handles: tuple[Handle, ...] = ()
    lacks: frozenset[str] = frozenset()
    meanings: tuple[Meaning, ...] = ()
    traits: tuple[str, ...] = ()
    """Those of `observes` that a new customer has too (a birth date), where all that tells of a history is 0."""

    @abstractmethod
    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """Log density of each row's history, the individual integrated out. [R]"""

    @property
    def counts(self) -> Literal["continuous", "opportunities"]:
        """The time of the customers' tables that it reads (`Customers.time`)."""
        return "continuous" if self.time == "continuous" else "opportunities"

    def refusals(self, table: pd.DataFrame) -> list[Problem]:
        """What keeps it from being fitted to a table that has all columns that it observes."""
        return []

    def width(self, rows: Rows) -> int:
        """Numbers that the graph of one row works on at once: terms of a sum."""
        return 1

    def blank(self, rows: Rows) -> dict[str, Any]:
        """The rows of new customers with the traits of these."""
        return {name: rows[name] if name in self.traits else 0.0 * rows[name] for name in self.observes}

    def given(self, **options: Any) -> Model:
        """The variant of the model with these options.

        Raises
        ------
        ConfigError
            The model has no such option.
        """
        if options:
            known = f"Known: {', '.join(self.options)}" if self.options else "It has none"
            raise ConfigError(Problem(f"{self.title} has no option '{next(iter(options))}'", known=known))
        return self

    def simulated(self, purchases: pd.DataFrame) -> dict[str, pd.Series]:
        """What it observes beyond the registry of statistics, from simulated purchases; by customer_id."""
        return {}

    def __repr__(self) -> str:
        return f"<{self.title}: {', '.join(p.name for p in self.parameters)}>"


class PurchaseModel(Model):
    """When customers buy and when they leave. A history ends with the customer alive at T or dead before it."""

    provides = frozenset({"purchases"})

    def refusals(self, table: pd.DataFrame) -> list[Problem]:
        ended = table.index[table["status"] == "ended"] if "status" in table else []
        if "status" in self.observes or not len(ended):
            return []
        what = f"{self.title} does not read the end of a customer, and {len(ended)} have ended"
        return [Problem(what, "customers", f"first '{ended[0]}'", "Leave the column of ends out")]

    @abstractmethod
    def branches(self, rows: Rows, theta: Theta) -> tuple[pt.TensorVariable, pt.TensorVariable]:
        """Log density of the history and of being alive at T, and of the history and of having ended. 2 x [R]"""

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """log(exp(alive) + exp(ended)); one of them may be minus infinity. [R]"""
        alive, ended = self.branches(rows, theta)
        more, less = pt.maximum(alive, ended), pt.minimum(alive, ended)
        return more + pt.softplus(less - more)

    @abstractmethod
    def draw_alive(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
        """Each customer's own parameters and future end, given the history and being alive at T."""

    @abstractmethod
    def draw_ended(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
        """Each customer's own parameters, given the history and having ended before T."""

    @abstractmethod
    def expected_if_alive(self, rows: Rows, theta: Theta, t: Array) -> Array:
        """E[purchases in (T, T + t] | history, alive at T]. t: [P] or [C, P]; result [D, C, P]."""

    @abstractmethod
    def count_probability(self, rows: Rows, theta: Theta, n: Array, t: float) -> Array:
        """P(n purchases in (T, T + t] | history, alive at T). n: [C]; result [D, C]"""

    def draw_counts(self, rows: Rows, theta: Theta, state: State, edges: Array, rng: KeyedRandom) -> Array:
        """Realised purchases in each period after T. edges: [P+1] or [C, P+1], time units after T; result [D, C, P]

        Poisson at the own rate while the lifetime lasts, unless a model says otherwise.
        """
        lengths = np.diff(np.minimum(edges, state.residual_lifetime[..., None]), axis=-1)
        return rng.poisson_periods(state.purchase_rate[..., None] * lengths)

    def draw_ages(self, own: Mapping[str, float], until: float, rng: np.random.Generator) -> Array:
        """Ages at the purchases that one new customer makes in (0, until), but for the end; increasing.

        `own` holds the population's parameters, the customer's own variables, as in a `State`, and its traits.
        """
        return np.sort(until * rng.random(rng.poisson(own["purchase_rate"] * until)))


class SpendModel(Model):
    """What customers pay.

    `density_of` says of which data `log_prob` is a density: of the individual amounts, or of each customer's mean.
    Log likelihoods and elpd compare between models of the same data only.
    """

    provides = frozenset({"spend"})
    density_of: Literal["amounts", "means"] = "amounts"

    @property
    def conditions_on(self) -> tuple[str, ...]:
        """The statistics that draws and expected spend read: all of `observes`, where a model does not need fewer."""
        return self.observes

    @abstractmethod
    def draw(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Mapping[str, Array]:
        """Each customer's own spend variables given the history. [D, C] each"""

    @abstractmethod
    def expected_spend(self, rows: Rows, theta: Theta) -> Array:
        """E[amount of a future purchase | history, parameters]. [D, C]"""

    @abstractmethod
    def spend_total(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        """Money of n purchases of each customer. n and result: [D, C, P]"""
