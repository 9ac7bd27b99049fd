"""What purchase processes, lifetimes and calendars owe to the models that are composed of them.

A model is a purchase process, on a calendar, until a lifetime ends. The lifetime leads: from the purchases on their
calendar it makes the two branches of the density (`Lifetime.branches`), and it says how a future ends
(`Lifetime.draw_left`). Its families are `clock.py`, `coin.py` and `no_end.py`.

Ages are times since a customer's first purchase. Shapes: R rows, N nodes, D draw, C customer_id, P period.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytensor.tensor as pt
from numpy.typing import NDArray
from scipy.special import betainc, gammaln, xlogy

from clvmodels.draws import Array
from clvmodels.models.contract import State
from clvmodels.models.parameters import Graph, Handle, Meaning, Parameter, Rows, Theta, Value
from clvmodels.randomness import KeyedRandom

NOTHING_LEFT = 45.0
"""exp(-45) is 3e-20: beside the whole, what is smaller than that changes no digit of a double."""


class Component:
    """What purchase processes, lifetimes and calendars say of themselves."""

    observes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    handles: tuple[Handle, ...] = ()
    levels: tuple[str, ...] = ()


# Calendars ------------------------------------------------------------------------------------------------------


class Pieces(NamedTuple):
    """(t_x, T) cut where a calendar's factor jumps. [R, pieces] each

    How far a piece begins after t_x; its length, which may be 0; the operational time from t_x to its beginning; the
    factor there, and its least in the piece.
    """

    offset: Graph
    length: Graph
    before: Graph
    pace: Graph
    slowest: Graph


class Calendar(Component):
    """Operational time of purchases: the integral of a factor on their rate. This one is the identity.

    `traits` are what it observes of a customer that is no history (a birth date).
    """

    traits: tuple[str, ...] = ()
    steady = True
    """The factor is constant between its jumps."""

    def elapsed(
        self, rows: Rows[Value], start: Value, length: Value, theta: Theta[Value], xp: ModuleType = pt
    ) -> Value:
        """Operational time of the ages (start, start + length)."""
        return length

    def log_intensity(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """Sum over the repeat purchases of the log of the factor. [R]"""
        return 0.0

    def pace(self, rows: Rows[Array], age: Array, theta: Theta[Array]) -> Array | float:
        """The factor at an age."""
        return 1.0

    def pieces(self, rows: Rows[Graph], theta: Theta[Graph]) -> Pieces:
        """(t_x, T) in one piece, or as many as the factor has jumps in it."""
        gap = (rows["T"] - rows["recency"])[..., None]
        return Pieces(0.0 * gap, gap, 0.0 * gap, 1.0 + 0.0 * gap, 1.0 + 0.0 * gap)

    def within(self, rows: Rows[Graph], pieces: Pieces, tau: Graph, theta: Theta[Graph]) -> Graph:
        """Operational time of the ages (t_x, t_x + tau), tau given by piece. [R, pieces, N]"""
        return tau

    def nodes(self, number: int) -> int:
        """How many nodes a piece needs, where the whole would need this number."""
        return number

    def jumps(self, rows: Rows[Array]) -> Array:
        """When the factor jumps, in time after T; where that is before T or never does not matter. [C, jumps]"""
        return np.empty((1, 0))

    def age_at(self, own: Mapping[str, float], operational: Array) -> Array:
        """The ages of one new customer at which so much operational time has passed."""
        return operational

    def simulated(self, purchases: pd.DataFrame) -> dict[str, pd.Series]:
        """What it observes, from simulated purchases with the traits, by customer_id."""
        return {}


# Purchases ------------------------------------------------------------------------------------------------------


class Phase(NamedTuple):
    """One possibility of where an active customer stands: `passed` stages towards the next purchase, with a
    probability; the rate of stages is then Gamma(shape, exposure). Arrays are [D, C]."""

    weight: Array
    passed: int
    shape: Array
    exposure: Array

    def stage_probability(self, m: Array, tau: Array) -> Array:
        """P(m stages in tau): negative binomial, 0 for m < 0. [D, C]"""
        m = np.asarray(m, dtype=float)
        possible = np.maximum(m, 0.0)  # a number that the formula can be evaluated at
        share = tau / (self.exposure + tau)
        log_ways = gammaln(self.shape + possible) - gammaln(self.shape) - gammaln(possible + 1.0)
        log_p = log_ways + xlogy(possible, share)  # xlogy: no stage in no time is certain
        return np.where(m < 0, 0.0, np.exp(log_p - self.shape * np.log1p(tau / self.exposure)))

    def stage_tail(self, m: Array, tau: Array) -> Array:
        """P(m stages or more in tau). [D, C]"""
        m = np.asarray(m, dtype=float)
        share = tau / (self.exposure + tau)
        return np.where(m <= 0, 1.0, betainc(np.maximum(m, 1.0), self.shape, share))


class Purchases(Component, ABC):
    """When an active customer buys, in operational time: at every `stages`-th event of a Poisson process whose rate
    differs between customers as a gamma distribution, integrated out.

    So much a lifetime needs that ends right after a purchase. What it needs that may end between them, `Memoryless`
    purchases have.
    """

    stages = 1

    reads_ahead: tuple[str, ...] = ("frequency", "recency", "T")
    """The statistics that tell how an active customer goes on, and how long one may last."""

    @abstractmethod
    def log_density(self, rows: Rows[Graph], until: Graph, theta: Theta[Graph]) -> Graph:
        """log g(until): the purchases seen, none in (t_x, until). [R]"""

    @abstractmethod
    def draw(
        self, rows: Rows[Array], until: Array, theta: Theta[Array], rng: KeyedRandom
    ) -> tuple[Array, dict[str, Array]]:
        """Own rate given the purchases, none in (t_x, until), and what else the simulator needs. [D, C] each"""

    @abstractmethod
    def phases(self, rows: Rows[Array], until: Array, theta: Theta[Array]) -> Iterator[Phase]:
        """What an active customer may be in at `until`, given the history; the weights add up to 1."""

    def count_probability(self, rows: Rows[Array], until: Array, theta: Theta[Array], n: Array, tau: Array) -> Array:
        """P(n purchases in the operational time tau after `until` | history, active). [D, C]

        n purchases have been made when the stages passed, those before `until` included, are n k to n k + k - 1.
        """
        total = np.zeros(())
        for phase in self.phases(rows, until, theta):
            for stage in range(self.stages):
                stages = self.stages * n - phase.passed + stage
                total = total + phase.weight * phase.stage_probability(stages, tau)
        return total

    def count_tail(self, rows: Rows[Array], until: Array, theta: Theta[Array], n: Array, tau: Array) -> Array:
        """P(n purchases or more in the operational time tau after `until` | history, active). [D, C]"""
        total = np.zeros(())
        for phase in self.phases(rows, until, theta):
            total = total + phase.weight * phase.stage_tail(self.stages * n - phase.passed, tau)
        return total

    def draw_ages(self, own: Mapping[str, float], until: float, rng: np.random.Generator) -> Array:
        """Operational ages at the purchases of one new customer in (0, until), increasing."""
        stages = rng.poisson(self.stages * own["purchase_rate"] * until)
        return np.sort(until * rng.random(stages))[self.stages - 1 :: self.stages]


class Memoryless(Purchases):
    """Purchases whose chance does not depend on the time since the last one, given the own rate.

    They go with any lifetime and any calendar: the density g is one of the operational age alone, and the silence since
    t_x may end anywhere.
    """

    reads_ahead = ("frequency", "T")
    """When the last purchase was tells nothing more of a customer who is alive."""

    @abstractmethod
    def log_ratio(self, rows: Rows[Graph], start: Graph, tau: Graph, theta: Theta[Graph]) -> Graph:
        """log g(start + tau) - log g(start), start the operational age at t_x; exact also where both are large."""

    @abstractmethod
    def decay(self, rows: Rows[Graph], start: Graph, theta: Theta[Graph]) -> Graph:
        """Rate at which g falls at `start`: places the quadrature's nodes."""

    @abstractmethod
    def reach(self, rows: Rows[Graph], start: Graph, theta: Theta[Graph]) -> Graph:
        """The time after `start` beyond which g has fallen by exp(-45)."""

    @abstractmethod
    def mean_rate(self, rows: Rows[Array], until: Array, theta: Theta[Array]) -> Array:
        """E[purchases per unit of operational time | history until `until`, active], the same ever after. [D, C]"""


@dataclass(frozen=True, eq=False)
class OnCalendar[P: Purchases]:
    """A purchase process that runs in the operational time of a calendar: what a lifetime sees of the two."""

    process: P
    calendar: Calendar

    def log_density(self, rows: Rows[Graph], until: Graph, theta: Theta[Graph]) -> Graph:
        """log g of the operational age at the age `until`: the purchases seen, none in (t_x, until), but for the
        calendar's factors at the purchases (`Calendar.log_intensity`). [R]"""
        return self.process.log_density(rows, self.calendar.elapsed(rows, 0.0, until, theta), theta)

    def operational_age(self, rows: Rows[Array], age: Array, theta: Theta[Array]) -> Array:
        """Operational time of (0, age). [D, C]"""
        return self.calendar.elapsed(rows, np.zeros_like(age), age, theta, np)

    def ahead(self, rows: Rows[Array], t: Array, theta: Theta[Array]) -> Array:
        """Operational time of (T, T + t]. t: [P], [C, P] or [D, C, P]; result broadcastable to [D, C, P]"""
        wide_rows = widened(rows)
        return self.calendar.elapsed(wide_rows, wide_rows["T"], t, widened(theta), np)


def widened(values: Mapping[str, Value]) -> dict[str, Value]:
    """With a last dimension more, for nodes or periods; what is one number for all stays so."""
    return {name: value[..., None] if getattr(value, "ndim", 0) else value for name, value in values.items()}


@cache  # they are eigenvalues of a matrix, and asked for with every block of customers
def gauss_legendre(number: int) -> tuple[Array, Array]:
    """So many nodes in (0, 1) and their weights; not to be changed."""
    nodes, weights = np.polynomial.legendre.leggauss(number)
    rule = (nodes + 1.0) / 2.0, weights / 2.0
    for numbers in rule:
        numbers.flags.writeable = False
    return rule


# Lifetimes ------------------------------------------------------------------------------------------------------


class Residual(NamedTuple):
    """What is left of customers alive at T, and own variables of their lifetimes. [D, C] each

    Time and purchases until the end: infinitely much of what the end does not depend on.
    """

    time: Array
    purchases: Array
    variables: dict[str, Array]


class Lifetime[P: Purchases](Component, ABC):
    """When a customer leaves; what differs between customers is integrated out.

    P is the kind of purchases that it can be put together with.
    """

    title: str
    """What it is, in a sentence: "a lifetime that ends by the clock"."""

    def accepts(self, purchases: Purchases) -> bool:
        """Whether it can be put together with these purchases."""
        return isinstance(purchases, Memoryless)

    @abstractmethod
    def branches(self, purchases: OnCalendar[P], rows: Rows[Graph], theta: Theta[Graph]) -> tuple[Graph, Graph]:
        """Log density of the history and of being alive at T, and of the history and of having ended. 2 x [R]"""

    @abstractmethod
    def log_ended_at_T(self, purchases: OnCalendar[P], rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """Log density of the history and of an end that was seen, at T. [R]"""

    def may_have_ended(self, rows: Rows[Array]) -> NDArray[np.bool_]:
        """Whether a customer of each history can have left by T."""
        return np.asarray(True)

    @abstractmethod
    def draw_left(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Residual:
        """What is left of a customer alive at T."""

    @abstractmethod
    def draw_end(
        self, purchases: OnCalendar[P], rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom
    ) -> tuple[Array, dict[str, Array]]:
        """Age at the end of a customer who has ended, and own variables of the lifetime. [D, C] each"""

    @abstractmethod
    def expected_purchases(self, purchases: OnCalendar[P], rows: Rows[Array], theta: Theta[Array], t: Array) -> Array:
        """E[purchases in (T, T + t] | history, alive at T]. t: [P] or [C, P], increasing; result [D, C, P]"""

    @abstractmethod
    def purchases_given_own(
        self, purchases: OnCalendar[P], rows: Rows[Array], theta: Theta[Array], state: State, t: Array
    ) -> Array:
        """E[purchases in (T, T + t] | the customer's own parameters, alive at T]. t: [P] or [C, P], increasing; result
        [D, C, P]"""

    @abstractmethod
    def count_probability(
        self, purchases: OnCalendar[P], rows: Rows[Array], theta: Theta[Array], n: Array, t: float
    ) -> Array:
        """P(n purchases in (T, T + t] | history, alive at T). n: [C]; result [D, C]"""

    @abstractmethod
    def chance_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, start: float, end: float) -> Array:
        """P(a purchase in (T + start, T + end] | the customer's own parameters, alive at T), of memoryless purchases
        without a calendar. [D, C]"""

    @abstractmethod
    def chance_of_purchase(
        self, purchases: OnCalendar[P], rows: Rows[Array], theta: Theta[Array], start: float, end: float
    ) -> Array:
        """P(a purchase in (T + start, T + end] | history, alive at T), of memoryless purchases without a calendar.
        [D, C]"""
