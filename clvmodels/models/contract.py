"""What every model is: log densities written once in PyTensor, exact draws in NumPy, of parameters that are data.

Shapes: R = unique rows, N = quadrature nodes, D = draw, C = customer_id, P = period. In the graph a parameter is a
scalar or [R]; in NumPy it is [D, 1] or [D, C]. A model never sees an effect: parameters come per row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pytensor.tensor as pt
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.counts import Counts, poisson_counts
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.parameters import Graph, Handle, Meaning, Parameter, Rows, Theta
from clvmodels.randomness import KeyedRandom


@dataclass(frozen=True)
class State:
    """What is true of each customer at T, in one draw: all that the simulator may read. Arrays are [D, C].

    purchase_rate: per time unit, or the chance to buy at an opportunity. residual_lifetime: time (or opportunities)
    left (0 dead, inf none); residual_purchases: purchases until the coin falls (0 dead, inf none). `extra` holds what
    else the model's own simulator reads (a regular buyer's phase) or is of interest (dropout probability, death age);
    it cannot be changed.
    """

    alive: NDArray[np.bool_]
    purchase_rate: Array
    residual_lifetime: Array
    residual_purchases: Array
    extra: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra", MappingProxyType(dict(self.extra)))


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
    levels: tuple[str, ...] = ()
    """Parameters or handles that carry the means of its parts, one of each part at least: what moves from group to
    group where groups buy, stay, spend or cost more or less, and are alike in everything else."""
    meanings: tuple[Meaning, ...] = ()
    kernel: Kernel | None = None
    """The same log density as a compiled loop, for a model that has one (`densities`)."""
    traits: tuple[str, ...] = ()
    """Those of `observes` that a new customer has too (a birth date), where all that tells of a history is 0."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """A class that says anew what its density is has no kernel of another's."""
        super().__init_subclass__(**keywords)
        says_density = "log_prob" in vars(cls) or "branches" in vars(cls)
        if says_density and "kernel" not in vars(cls):
            cls.kernel = None

    @abstractmethod
    def log_prob(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """Log density of each row's history, the individual integrated out. [R]"""

    @property
    def conditions_on(self) -> tuple[str, ...]:
        """The statistics that draws and expectations read: all of `observes`, where a model does not need fewer."""
        return self.observes

    @property
    def counts(self) -> Literal["continuous", "opportunities"]:
        """The time of the customers' tables that it reads (`Customers.time`)."""
        return "continuous" if self.time == "continuous" else "opportunities"

    def refusals(self, table: pd.DataFrame) -> list[Problem]:
        """What keeps it from being fitted to a table that has all columns that it observes."""
        return []

    def width(self, rows: Rows[Array]) -> int:
        """How many numbers the graph of one row holds at once: 1, or the terms of its sum."""
        return 1

    def blank(self, rows: Rows[Array]) -> dict[str, Array]:
        """The rows of new customers with the traits of these."""
        return {name: rows[name] if name in self.traits else 0.0 * rows[name] for name in self.observes}

    def suited(self, table: pd.DataFrame) -> Model:
        """The variant of the model that customers of such a table need: itself, unless they tell of more than it
        reads."""
        return self

    @property
    def widest(self) -> Model:
        """The variant with every parameter that some customers may need: what priors and effects may name."""
        return self

    def given(self, **options: Any) -> Model:
        """The variant of the model with these options.

        Raises
        ------
        ConfigError
            The model has no such option.
        """
        if options:
            raise no_option(self, next(iter(options)), self.options)
        return self

    def __repr__(self) -> str:
        return f"<{self.title}: {', '.join(p.name for p in self.parameters)}>"


def no_option(model: Model, name: str, options: Iterable[str]) -> ConfigError:
    """That a model has no option of that name, and which it has."""
    names = ", ".join(options)
    return ConfigError(
        Problem(f"{model.title} has no option '{name}'", known=f"Known: {names}" if names else "It has none")
    )


class PurchaseModel(Model):
    """When customers buy and when they leave. A history ends with the customer alive at T or dead before it."""

    provides = frozenset({"purchases"})

    @property
    def reads_ahead(self) -> tuple[str, ...]:
        """The statistics that `expected_if_alive` and `count_probability` read: all of `observes`, where a model does
        not need fewer. Whoever is alive at T with the same of these has the same ahead, given the parameters."""
        return self.observes

    def refusals(self, table: pd.DataFrame) -> list[Problem]:
        ended = table.index[table["status"] == "ended"] if "status" in table else []
        if "status" in self.observes or not len(ended):
            return []
        what = f"{self.title} does not read the end of a customer, and {len(ended)} have ended"
        return [Problem(what, "customers", f"first '{ended[0]}'", "Leave the column of ends out")]

    @abstractmethod
    def branches(self, rows: Rows[Graph], theta: Theta[Graph]) -> tuple[Graph, Graph]:
        """Log density of the history and of being alive at T, and of the history and of having ended. 2 x [R]"""

    def log_prob(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log(exp(alive) + exp(ended)); one of them may be minus infinity. [R]"""
        alive, ended = self.branches(rows, theta)
        # by the larger one, so that neither the value nor the gradient is infinity less infinity; where both are equal
        # each still takes its own share of the gradient, which a maximum's would not do
        alive_larger = pt.ge(alive, ended)
        larger, smaller = pt.switch(alive_larger, alive, ended), pt.switch(alive_larger, ended, alive)
        return larger + pt.softplus(smaller - larger)

    def may_have_left(self, rows: Rows[Array]) -> NDArray[np.bool_]:
        """Whether a customer of each history can have left by T, in this model. Where none can, P(alive) is 1 by
        construction, and tells nothing of the customer. [C], or one for all"""
        return np.asarray(True)

    @abstractmethod
    def draw_alive(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> State:
        """Each customer's own parameters and future end, given the history and being alive at T."""

    @abstractmethod
    def draw_ended(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> State:
        """Each customer's own parameters, given the history and having ended before T."""

    @abstractmethod
    def expected_if_alive(self, rows: Rows[Array], theta: Theta[Array], t: Array) -> Array:
        """E[purchases in (T, T + t] | history, alive at T]. t: [P] or [C, P]; result [D, C, P]."""

    @abstractmethod
    def purchases_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, t: Array) -> Array:
        """E[purchases in (T, T + t] | the customer's own parameters, alive at T]. t: [P] or [C, P]; result [D, C, P]

        Of the state it reads who the customer is (the rate, the phase, the own chance or hazard of leaving), not how
        much is left: that is luck. Averaged over the customer's own parameters it is `expected_if_alive`.
        """

    def chance_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, start: float, end: float) -> Array:
        """P(a purchase in (T + start, T + end] | the customer's own parameters, alive at T). [D, C]

        Raises
        ------
        NotImplementedError
            Purchases are no Poisson process in calendar time while the customer stays.
        """
        raise NotImplementedError(f"{self.title} tells no chance of a purchase given the own parameters")

    @abstractmethod
    def count_probability(self, rows: Rows[Array], theta: Theta[Array], n: Array, t: float) -> Array:
        """P(n purchases in (T, T + t] | history, alive at T). n: [C]; result [D, C]"""

    def chance_of_purchase(self, rows: Rows[Array], theta: Theta[Array], start: float, end: float) -> Array:
        """P(a purchase in (T + start, T + end] | history, alive at T). [D, C]

        Raises
        ------
        NotImplementedError
            The window does not begin at T, and purchases are no Poisson process in calendar time while the customer
            stays.
        """
        if start:
            raise NotImplementedError(f"{self.title} tells no chance of a purchase in a later window")
        return 1.0 - self.count_probability(rows, theta, np.zeros(()), end)

    def silence_odds(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        """P(no purchase in (t_x, T] | history up to t_x, a customer all the time): how usual so long a silence is for
        somebody of this rhythm. [D, C]

        Raises
        ------
        NotImplementedError
            The model does not tell it.
        """
        raise NotImplementedError(f"{self.title} tells no odds of a silence")

    def dert_if_alive(self, rows: Rows[Array], theta: Theta[Array], discount_rate: float) -> Array:
        """Discounted expected residual transactions of a customer alive at T (`evaluate.dert`). [D, C]

        With X(t) the purchases in (T, T + t] and the rate delta compounded continuously,

            integral over t > 0 of delta e^(-delta t) E[X(t) | history, alive at T] dt,

        by trapezoid in y = log(delta t), where the weight delta t e^(-delta t) falls twice exponentially on one side
        and exponentially on the other: the error is about 1e-11 of the result.
        """
        step = 0.3
        y = np.arange(-20.0, 3.5, step)  # from 2e-9 to 31 times the mean time of the discount
        weights = step * np.exp(y - np.exp(y))
        expected = self.expected_if_alive(rows, theta, np.exp(y) / discount_rate)
        return (expected * weights).sum(axis=-1)

    def draw_counts(
        self, rows: Rows[Array], theta: Theta[Array], state: State, edges: Array, rng: KeyedRandom
    ) -> Counts:
        """Realised purchases in periods after T. edges: [P+1] or [C, P+1], time units after T

        Poisson at the own rate while the lifetime lasts, unless a model says otherwise.
        """
        return poisson_counts(rng, state.purchase_rate, edges, state.residual_lifetime)

    def draw_ages(self, own: Mapping[str, float], until: float, rng: np.random.Generator) -> Array:
        """Ages at the purchases that one new customer makes in (0, until), but for the end; increasing.

        `own` holds the population's parameters, the customer's own variables, as in a `State`, and its traits.
        """
        return np.sort(until * rng.random(rng.poisson(own["purchase_rate"] * until)))

    def simulated(self, purchases: pd.DataFrame) -> dict[str, pd.Series]:
        """What it observes beyond the registry of statistics, from simulated purchases; by customer_id."""
        return {}


class FirstOrder(NamedTuple):
    """What the first order of a new customer brings: its amount, of that of a later one, and the chance that it brings
    any. [D, 1] or [D, C] each"""

    level: Array
    paid: Array


class SpendModel(Model):
    """What customers pay.

    A model of the family tells of purchases that bring money. Where some bring none it is made part of `FreeOrders`,
    which tells how many do; a member has nothing to write for that.

    `density_of` says of which data `log_prob` is a density: of the individual amounts, or of each customer's mean.
    Log likelihoods and elpd compare between models of the same data only.
    """

    provides = frozenset({"spend"})
    density_of: Literal["amounts", "means"] = "amounts"
    free_orders = False
    """Whether some purchases bring no money."""
    first_amounts = False
    """Whether first amounts are observed, and have a level of their own."""

    def suited(self, table: pd.DataFrame) -> SpendModel:
        """With a share of purchases that bring money, where some of these customers' repeat purchases brought none."""
        if {"frequency", "amount_count"} <= set(table) and (table["amount_count"] < table["frequency"]).any():
            return self.given(free_orders=True)
        return self

    @property
    def widest(self) -> SpendModel:
        from clvmodels.models.spend.first_amounts import reads_single_amounts

        return self.given(free_orders=True, first_amounts=reads_single_amounts(self))

    def given(self, **options: Any) -> SpendModel:
        """The variant with free orders (`free_orders=True`), with first amounts (`first_amounts=True`), or itself.

        Raises
        ------
        ConfigError
            The model has no such option, or reads no single amounts to which a first one could be added.
        """
        # here, since both are made of this class
        from clvmodels.models.spend.first_amounts import with_first_amounts
        from clvmodels.models.spend.free_orders import with_free_orders

        known = ("free_orders", "first_amounts")
        if others := [name for name in options if name not in known]:
            raise no_option(self, others[0], known)
        model = with_first_amounts(self) if options.get("first_amounts") else self
        return with_free_orders(model) if options.get("free_orders") else model

    @property
    def of_paid(self) -> SpendModel:
        """The model with the same parameters that reads of purchases only what is told of those that brought money."""
        return self

    @property
    def of_amounts(self) -> SpendModel | None:
        """The model of the individual amounts with the same parameters: itself; None where means are all it tells."""
        return self if self.density_of == "amounts" else None

    @abstractmethod
    def draw(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Mapping[str, Array]:
        """Each customer's own spend variables given the history. [D, C] each"""

    @abstractmethod
    def expected_spend(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        """E[amount of a future purchase that brings money | history, parameters]. [D, C]"""

    @abstractmethod
    def spend_given_own(self, state: Mapping[str, Array]) -> Array:
        """E[amount of a future purchase | the customer's own spend variables]. [D, C]"""

    @abstractmethod
    def spend_total(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        """Money of n purchases that bring some. n, the variables and the result are of the shape that `rng` draws: of
        each customer in each draw, or of entries of the purchases to come."""

    def expected_paid(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        """E[share of future purchases that bring money | history, parameters]. [D, C], or broadcast to it"""
        return np.ones((1, 1))

    def first_order(self, theta: Theta[Array]) -> FirstOrder | None:
        """What the first order of a new customer brings; None where it is taken to be as any other."""
        return None

    def own_paid(self, state: Mapping[str, Array]) -> Array:
        """The share of purchases that bring money, of customers whose own variables are known. As these, or broadcast
        to them"""
        return np.ones((1, 1))

    def draw_paid(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        """How many of n purchases bring money; of the shapes of `spend_total`."""
        return n
