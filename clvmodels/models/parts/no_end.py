"""Nobody leaves: the lifetime of the NBD."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.models.contract import State
from clvmodels.models.parameters import Graph, Rows, Theta
from clvmodels.models.parts.contract import Lifetime, Memoryless, OnCalendar, Residual
from clvmodels.randomness import KeyedRandom


class NoEnd(Lifetime[Memoryless]):
    """Alive for sure: the ended branch is minus infinity."""

    title = "no end"

    def branches(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Graph], theta: Theta[Graph]
    ) -> tuple[Graph, Graph]:
        alive = purchases.log_density(rows, rows["T"], theta) + purchases.calendar.log_intensity(rows, theta)
        return alive, pt.full_like(alive, -np.inf)

    def may_have_ended(self, rows: Rows[Array]) -> NDArray[np.bool_]:
        """Never."""
        return np.asarray(False)

    def log_ended_at_T(self, purchases: OnCalendar[Memoryless], rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """Minus infinity."""
        return pt.full_like(rows["T"], -np.inf)

    def draw_left(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Residual:
        """Infinitely much."""
        endless = np.full(rng.shape, np.inf)
        return Residual(endless, endless, {})

    def draw_end(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom
    ) -> tuple[Array, dict[str, Array]]:
        """Nobody has ended: an age that purchases can be drawn at, for draws that nobody takes."""
        return np.broadcast_to(rows["recency"], rng.shape), {}

    def expected_purchases(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], t: Array
    ) -> Array:
        """E[own rate] times the operational time ahead."""
        age = purchases.operational_age(rows, rows["T"], theta)
        rate = np.asarray(purchases.process.mean_rate(rows, age, theta))
        return rate[..., None] * purchases.ahead(rows, t, theta)

    def purchases_given_own(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], state: State, t: Array
    ) -> Array:
        """The own rate times the operational time ahead."""
        return state.purchase_rate[..., None] * purchases.ahead(rows, t, theta)

    def chance_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, start: float, end: float) -> Array:
        """1 - e^(-lambda (end - start)), whenever the window begins."""
        return -np.expm1(-state.purchase_rate * (end - start))

    def count_probability(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], n: Array, t: float
    ) -> Array:
        """That of the purchase process."""
        age = purchases.operational_age(rows, rows["T"], theta)
        ahead = purchases.ahead(rows, np.asarray([t]), theta)[..., 0]
        return purchases.process.count_probability(rows, age, theta, n, ahead)

    def chance_of_purchase(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], start: float, end: float
    ) -> Array:
        """Whenever the window begins."""
        return 1.0 - self.count_probability(purchases, rows, theta, np.zeros(()), end - start)
