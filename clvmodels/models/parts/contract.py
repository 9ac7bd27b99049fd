"""What purchase processes, lifetimes and calendars owe to the models that are composed of them.

Expressions of a density take PyTensor's variables, draws NumPy's arrays; where both are needed the function takes `xp`,
the one or the other. Ages are times since a customer's first purchase. Shapes: R rows, N nodes, D draw, C customer_id,
P period.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pytensor.tensor as pt
from scipy.special import betainc, gammaln, xlogy

from clvmodels.draws import Array
from clvmodels.models.contract import Handle, Meaning, Parameter, Rows, State, Theta
from clvmodels.randomness import KeyedRandom

NODES = 32


class Part:
    """What both parts say of themselves."""

    observes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    handles: tuple[Handle, ...] = ()


class Pieces(NamedTuple):
    """(t_x, T) cut where a calendar's factor jumps. [R, pieces] each

    How far a piece begins after t_x; its length, which may be 0; the operational time from t_x to its beginning; the
    factor there, and its least in the piece.
    """

    offset: Any
    length: Any
    before: Any
    pace: Any
    slowest: Any


class Calendar(Part):
    """Operational time of purchases: the integral of a factor on their rate. This one is the identity.

    `traits` are what it observes of a customer that is no history (a birth date).
    """

    traits: tuple[str, ...] = ()
    steady = True
    """The factor is constant between its jumps."""

    def elapsed(self, rows: Rows, start: Any, length: Any, theta: Theta, xp: Any = pt) -> Any:
        """Operational time of the ages (start, start + length)."""
        return length

    def log_intensity(self, rows: Rows, theta: Theta) -> Any:
        """Sum over the repeat purchases of the log of the factor. [R]"""
        return 0.0

    def pace(self, rows: Rows, age: Any, theta: Theta, xp: Any = pt) -> Any:
        """The factor at an age."""
        return 1.0

    def pieces(self, rows: Rows, theta: Theta) -> Pieces:
        """(t_x, T) in one piece, or as many as the factor has jumps in it."""
        gap = (rows["T"] - rows["recency"])[..., None]
        return Pieces(0.0 * gap, gap, 0.0 * gap, 1.0 + 0.0 * gap, 1.0 + 0.0 * gap)

    def within(self, rows: Rows, pieces: Pieces, tau: Any, theta: Theta) -> Any:
        """Operational time of the ages (t_x, t_x + tau), tau given by piece. [R, pieces, N]"""
        return tau

    def nodes(self, number: int) -> int:
        """How many nodes a piece needs, where the whole would need this number."""
        return number

    def jumps(self, rows: Rows) -> Array:
        """When the factor jumps, in time after T; where that is before T or never does not matter. [C, jumps]"""
        return np.empty((1, 0))

    def age_at(self, own: Mapping[str, float], operational: Array) -> Array:
        """The ages of one new customer at which so much operational time has passed."""
        return operational

    def simulated(self, purchases: pd.DataFrame) -> dict[str, pd.Series]:
        """What it observes, from simulated purchases with the traits, by customer_id."""
        return {}


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
        at = np.maximum(m, 0.0)
        share = tau / (self.exposure + tau)
        log_p = gammaln(self.shape + at) - gammaln(self.shape) - gammaln(at + 1.0) + xlogy(at, share)
        return np.where(m < 0, 0.0, np.exp(log_p - self.shape * np.log1p(tau / self.exposure)))

    def stage_tail(self, m: Array, tau: Array) -> Array:
        """P(m stages or more in tau). [D, C]"""
        m = np.asarray(m, dtype=float)
        share = tau / (self.exposure + tau)
        return np.where(m <= 0, 1.0, betainc(np.maximum(m, 1.0), self.shape, share))


class Purchases(Part, ABC):
    """When an active customer buys, in operational time: at every `stages`-th event of a Poisson process whose rate
    differs between customers as a gamma distribution, integrated out."""

    stages = 1
    lacks: frozenset[str] = frozenset()
    """What the process does not compose with: a 'calendar' other than the identity, or kinds of lifetimes."""

    @abstractmethod
    def log_density(self, rows: Rows, until: Any, theta: Theta) -> Any:
        """log g(until): the purchases seen, none in (t_x, until). [R]"""

    @abstractmethod
    def draw(self, rows: Rows, until: Array, theta: Theta, rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Own rate given the purchases, none in (t_x, until), and what else the simulator needs. [D, C] each"""

    @abstractmethod
    def phases(self, rows: Rows, until: Array, theta: Theta) -> Iterator[Phase]:
        """What an active customer may be in at `until`, given the history; the weights add up to 1."""

    def count_probability(self, rows: Rows, until: Array, theta: Theta, n: Array, tau: Array) -> Array:
        """P(n purchases in the operational time tau after `until` | history, active). [D, C]"""
        total = np.zeros(())
        for phase in self.phases(rows, until, theta):
            for stage in range(self.stages):
                total = total + phase.weight * phase.stage_probability(self.stages * n - phase.passed + stage, tau)
        return total

    def count_tail(self, rows: Rows, until: Array, theta: Theta, n: Array, tau: Array) -> Array:
        """P(n purchases or more in the operational time tau after `until` | history, active). [D, C]"""
        total = np.zeros(())
        for phase in self.phases(rows, until, theta):
            total = total + phase.weight * phase.stage_tail(self.stages * n - phase.passed, tau)
        return total

    def draw_counts(self, state: State, lengths: Array, rng: KeyedRandom) -> Array:
        """Purchases in consecutive stretches of operational time, the stages that `state` has passed included.

        lengths and result: [D, C, P]
        """
        passed = rng.poisson_periods(self.stages * state.purchase_rate[..., None] * lengths)
        if self.stages == 1:
            return passed
        upto = np.floor((state.extra["phase"][..., None] + np.cumsum(passed, axis=-1)) / self.stages)
        return np.diff(upto, axis=-1, prepend=0.0)

    def draw_ages(self, own: Mapping[str, float], until: float, rng: np.random.Generator) -> Array:
        """Operational ages at the purchases of one new customer in (0, until), increasing."""
        stages = rng.poisson(self.stages * own["purchase_rate"] * until)
        return np.sort(until * rng.random(stages))[self.stages - 1 :: self.stages]

    # what a lifetime asks for that ends by the clock, or never

    def log_ratio(self, rows: Rows, start: Any, tau: Any, theta: Theta) -> Any:
        """log g(start + tau) - log g(start), start the operational age at t_x; exact also where both are large."""
        raise NotImplementedError

    def decay(self, rows: Rows, start: Any, theta: Theta) -> Any:
        """Rate at which g falls at `start`: places the quadrature's nodes."""
        raise NotImplementedError

    def reach(self, rows: Rows, start: Any, theta: Theta) -> Any:
        """The time after `start` beyond which g has fallen by exp(-45)."""
        raise NotImplementedError

    def mean_rate(self, rows: Rows, until: Array, theta: Theta) -> Array:
        """E[purchases per unit of operational time | history until `until`, active], the same ever after. [D, C]"""
        raise NotImplementedError


class ClockLifetime(Part, ABC):
    """A lifetime that ends by the clock, anywhere; what differs between customers is integrated out.

    Its natural clock is the time in which its density is smooth: calendar time unless `between` and `advance` say
    otherwise. Densities, decays and reaches are in units of that clock.
    """

    kind: Literal["clock", "none"] = "clock"
    nodes = NODES
    bunched = 1
    """Power by which the nodes are bunched towards t_x, for clocks in which time itself is not smooth there."""

    def between(self, t: Any, tau: Any, theta: Theta, xp: Any = pt) -> Any:
        """Units of the natural clock in the ages (t, t + tau)."""
        return tau

    def advance(self, t: Any, u: Any, theta: Theta, xp: Any = pt) -> Any:
        """The time after age t in which the natural clock moves by u."""
        return u

    @abstractmethod
    def log_survival(self, t: Any, theta: Theta) -> Any:
        """log S(t)."""

    @abstractmethod
    def log_density(self, t: Any, theta: Theta) -> Any:
        """log of the density of the end at age t, per unit of the natural clock."""

    @abstractmethod
    def log_ratio(self, t: Any, u: Any, theta: Theta) -> Any:
        """log of that density when the clock has moved by u after t, less that at t."""

    @abstractmethod
    def decay(self, t: Any, theta: Theta) -> Any:
        """Rate at which the density falls at t."""

    @abstractmethod
    def reach(self, t: Any, theta: Theta) -> Any:
        """Units of the clock after t beyond which the density has fallen by exp(-45)."""

    @abstractmethod
    def survival_ratio(self, t: Array, tau: Array, theta: Theta) -> Array:
        """S(t + tau) / S(t). NumPy"""

    @abstractmethod
    def residual_at(self, t: Array, survived: Array, theta: Theta) -> Array:
        """The tau at which S(t + tau) / S(t) has fallen to `survived`, in (0, 1]. NumPy"""

    @abstractmethod
    def draw_residual(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Time left of a customer alive at T, and own variables. [D, C]"""

    @abstractmethod
    def draw_ended(self, death: Array, theta: Theta, rng: KeyedRandom) -> dict[str, Array]:
        """Own variables of a customer who ended at age `death`. [D, C]"""

    def expected_time(self, rows: Rows, theta: Theta, t: Array) -> Array | None:
        """E[min(residual lifetime, t) | alive at T] where there is a closed form. [D, C, P]"""
        return None


class CoinLifetime(Part, ABC):
    """A lifetime that ends by the toss of a coin, right after a purchase."""

    kind: Literal["coin"] = "coin"

    @abstractmethod
    def log_survival(self, rows: Rows, theta: Theta) -> Any:
        """log P(all tosses survived). [R]"""

    @abstractmethod
    def log_ended(self, rows: Rows, theta: Theta) -> Any:
        """log P(the last toss fell, none before); minus infinity, with gradient 0, where none was tossed. [R]"""

    @abstractmethod
    def survives(self, rows: Rows, theta: Theta, n: Array) -> Array:
        """P(n more tosses survived | those until T were). [D, C]"""

    @abstractmethod
    def falls(self, rows: Rows, theta: Theta, n: Array) -> Array:
        """P(the n-th more toss is the one that falls | those until T were survived), n >= 1. [D, C]"""

    @abstractmethod
    def draw_residual(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Purchases left of a customer alive at T, and own variables. [D, C]"""

    @abstractmethod
    def draw_ended(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> dict[str, Array]:
        """Own variables of a customer whose last coin fell. [D, C]"""

    @abstractmethod
    def expected_purchases(self, purchases: Purchases, rows: Rows, until: Array, theta: Theta, t: Array) -> Array:
        """E[purchases in the operational time t after T | alive], the one after which the coin falls included.

        `until` is the operational age at T. [D, C, P]
        """

    @abstractmethod
    def tosses(self, rows: Rows) -> Any:
        """Coins tossed until T."""
