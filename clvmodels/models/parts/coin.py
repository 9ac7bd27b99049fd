"""Lifetimes that end by the toss of a coin, right after a purchase: both branches are closed forms.

With g(tau) the density of the purchases seen and none in (t_x, tau),

    alive = log g(T) + log P(all tosses survived),        ended = log g(t_x) + log P(the last toss fell, none before).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.models.contract import Graph, Rows, Theta, Value
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
