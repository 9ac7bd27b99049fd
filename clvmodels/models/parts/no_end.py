"""Nobody leaves: the lifetime of the NBD."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.contract import Rows, Theta
from clvmodels.models.parts.contract import ClockLifetime
from clvmodels.randomness import KeyedRandom


class NoEnd(ClockLifetime):
    """A clock that never strikes; a model of this kind has no integral over the end, whose log is minus infinity."""

    kind = "none"

    def log_survival(self, t: pt.TensorVariable, theta: Theta) -> pt.TensorVariable:
        """log 1."""
        return pt.zeros_like(t)

    def log_density(self, t: pt.TensorVariable, theta: Theta) -> pt.TensorVariable:
        """log 0."""
        return pt.full_like(t, -np.inf)

    def log_ratio(self, t: Any, u: Any, theta: Theta) -> pt.TensorVariable:
        """0: nothing falls."""
        return pt.zeros_like(u)

    def decay(self, t: pt.TensorVariable, theta: Theta) -> pt.TensorVariable:
        """0."""
        return pt.zeros_like(t)

    def reach(self, t: pt.TensorVariable, theta: Theta) -> pt.TensorVariable:
        """Never."""
        return pt.full_like(t, np.inf)

    def survival_ratio(self, t: Array, tau: Array, theta: Theta) -> Array:
        """1."""
        return np.ones(np.broadcast(t, tau).shape)

    def residual_at(self, t: Array, survived: Array, theta: Theta) -> Array:
        """Never, but for survived = 1."""
        return np.where(np.broadcast_to(survived, np.broadcast(t, survived).shape) < 1.0, np.inf, 0.0)

    def draw_residual(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Infinitely much. [D, C]"""
        return np.full(rng.shape, np.inf), {}

    def draw_ended(self, death: Array, theta: Theta, rng: KeyedRandom) -> dict[str, Array]:
        """Nothing of their own: nobody has ended."""
        return {}

    def expected_time(self, rows: Rows, theta: Theta, t: Array) -> Array:
        """t. [D, C, P]"""
        return t + 0.0 * np.asarray(rows["T"])[..., None]
