"""Lifetimes that end by the toss of a coin, right after a purchase: both branches are closed forms.

With g(tau) the density of the purchases seen and none in (t_x, tau),

    alive = log g(T) + log P(all tosses survived),        ended = log g(t_x) + log P(the last toss fell, none before).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.models.contract import State
from clvmodels.models.kernels import kernel, over_times, time_at_hazard
from clvmodels.models.parameters import Graph, Rows, Theta, Value
from clvmodels.models.parts.contract import Lifetime, OnCalendar, Purchases, Residual
from clvmodels.randomness import KeyedRandom


class CoinLifetime(Lifetime[Purchases], ABC):
    """A lifetime that ends by the toss of a coin, right after a purchase; what differs between customers is integrated
    out. Any purchases will do: between them nothing ends."""

    title = "a coin"

    def accepts(self, purchases: Purchases) -> bool:
        return True

    @abstractmethod
    def tosses(self, rows: Rows[Value]) -> Value:
        """Coins tossed until T."""

    @abstractmethod
    def log_survival(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log P(all tosses survived). [R]"""

    @abstractmethod
    def log_ended(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log P(the last toss fell, none before); minus infinity, with gradient 0, where none was tossed. [R]"""

    @abstractmethod
    def survives(self, rows: Rows[Array], theta: Theta[Array], n: Array) -> Array:
        """P(n more tosses survived | those until T were). [D, C]"""

    @abstractmethod
    def falls(self, rows: Rows[Array], theta: Theta[Array], n: Array) -> Array:
        """P(the n-th more toss is the one that falls | those until T were survived), n >= 1. [D, C]"""

    @abstractmethod
    def draw_residual(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Purchases left of a customer alive at T, and own variables. [D, C]"""

    @abstractmethod
    def draw_ended(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """Own variables of a customer whose last coin fell. [D, C]"""

    @abstractmethod
    def own_chance(self, theta: Theta[Array], state: State) -> Array:
        """The customer's own chance of leaving after a purchase. [D, C]"""

    def may_have_ended(self, rows: Rows[Array]) -> NDArray[np.bool_]:
        """Where a coin was tossed: of BG/NBD not before a repeat purchase."""
        return np.asarray(self.tosses(rows)) > 0

    # What follows -----------------------------------------------------------------------------------------------

    def branches(self, purchases: OnCalendar[Purchases], rows: Rows[Graph], theta: Theta[Graph]) -> tuple[Graph, Graph]:
        factors = purchases.calendar.log_intensity(rows, theta)
        alive = purchases.log_density(rows, rows["T"], theta) + factors + self.log_survival(rows, theta)
        ended = purchases.log_density(rows, rows["recency"], theta) + factors + self.log_ended(rows, theta)
        return alive, ended

    def log_ended_at_T(self, purchases: OnCalendar[Purchases], rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """The end comes with the last purchase whenever it was noticed: it is the ended branch."""
        return self.branches(purchases, rows, theta)[1]

    def draw_left(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Residual:
        purchases, variables = self.draw_residual(rows, theta, rng)
        return Residual(np.full(rng.shape, np.inf), purchases, variables)

    def draw_end(
        self, purchases: OnCalendar[Purchases], rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom
    ) -> tuple[Array, dict[str, Array]]:
        return np.broadcast_to(rows["recency"], rng.shape), self.draw_ended(rows, theta, rng)

    def purchases_given_own(
        self, purchases: OnCalendar[Purchases], rows: Rows[Array], theta: Theta[Array], state: State, t: Array
    ) -> Array:
        """Purchases at every k-th stage, j of them passed at T, until a coin of chance p falls, the last one included.

        With q = 1 - p, stages at the rate 1 in the operational time x ahead times their own rate, and z_l the k-th
        roots of q, the chance of a purchase at x is a sum over them, and so is its integral over (0, x):

            sum over l < k of z_l^(j - k + 1) (e^((z_l - 1) x) - 1) / (z_l - 1) / k.

        For k = 1 it is (1 - e^(-p x)) / p.
        """
        stages = float(purchases.process.stages)
        stages_ahead = stages * state.purchase_rate[..., None] * purchases.ahead(rows, t, theta)
        phase = state.extra.get("phase", np.zeros(()))
        return over_times(until_own_coins, self.own_chance(theta, state), phase, stages, t=stages_ahead)

    def chance_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, start: float, end: float) -> Array:
        """No coin falls before `start`, at purchases that come at the rate lambda p of those that are the last; then a
        purchase before `end`."""
        rate = state.purchase_rate
        stays = np.exp(-rate * self.own_chance(theta, state) * start)
        return stays * -np.expm1(-rate * (end - start))

    def count_probability(
        self, purchases: OnCalendar[Purchases], rows: Rows[Array], theta: Theta[Array], n: Array, t: float
    ) -> Array:
        """n purchases and n coins survived; or time for n or more, and the n-th coin falls."""
        age = purchases.operational_age(rows, rows["T"], theta)
        ahead = purchases.ahead(rows, np.asarray([t]), theta)[..., 0]
        survived = purchases.process.count_probability(rows, age, theta, n, ahead) * self.survives(rows, theta, n)
        enough_time = purchases.process.count_tail(rows, age, theta, n, ahead)
        # no coin falls without a purchase: 1 in place of 0 tosses, and not counted
        fell = enough_time * self.falls(rows, theta, np.maximum(n, 1.0))
        return survived + np.where(n > 0, fell, 0.0)


SURE = 1e-3
"""A chance of staying below which purchases are added up one by one: their roots would cancel."""
MOST_OF_SURE = 6
"""Purchases that are added up: 1e-18 of the customers make more of them."""


@kernel("float64(float64, float64)")
def _moved(rate, x):  # pragma: no cover - compiled
    """(e^(rate x) - 1) / rate, for rate <= 0: x where it is 0."""
    return x if rate == 0.0 else math.expm1(rate * x) / rate


@kernel("float64(float64, float64, float64, float64)")
def _few_purchases(p, j, k, x):  # pragma: no cover - compiled
    """The sum over n of (1 - p)^(n - 1) P(n purchases or more), the chance of staying being small."""
    stays, total = 1.0, 0.0
    term, below, m = math.exp(-x), 0.0, 0.0  # of m stages, and of fewer
    for n in range(1, MOST_OF_SURE + 1):
        while m < n * k - j:
            below += term
            m += 1.0
            term *= x / m
        total += stays * max(1.0 - below, 0.0)
        stays *= 1.0 - p
    return total


@kernel("void(float64, float64, float64, float64[::1], float64[::1])")
def _until_own_coin(p, j, k, x, out):  # pragma: no cover - compiled
    """Purchases in each of the times x ahead, in stages."""
    if k == 1.0:
        time_at_hazard(p, x, out)
        return
    if 1.0 - p < SURE:
        for i in range(x.size):
            out[i] = _few_purchases(p, j, k, x[i])
        return
    log_root = math.log1p(-p) / k  # of the real root; the others are turned by a k-th of a circle each
    power = j - k + 1.0
    size = math.exp(power * log_root) / k
    for i in range(x.size):
        out[i] = size * _moved(math.expm1(log_root), x[i])
    for turn in range(1, int(k)):
        angle = 2.0 * math.pi * turn / k
        rate = complex(math.exp(log_root) * math.cos(angle) - 1.0, math.exp(log_root) * math.sin(angle))
        weight = complex(size * math.cos(power * angle), size * math.sin(power * angle)) / rate
        for i in range(x.size):
            fall, phase = math.exp(rate.real * x[i]), rate.imag * x[i]
            grown = complex(fall * math.cos(phase) - 1.0, fall * math.sin(phase))
            out[i] += (weight * grown).real
    for i in range(x.size):
        out[i] = max(out[i], 0.0)  # of next to no time, but for rounding


@kernel("void(float64[::1], float64[::1], float64[::1], float64[:, ::1], float64[:, ::1])")
def until_own_coins(p, j, k, x, out):  # pragma: no cover - compiled
    """`_until_own_coin` of every row."""
    for i in range(len(out)):
        _until_own_coin(p[i], j[i], k[i], x[i], out[i])
