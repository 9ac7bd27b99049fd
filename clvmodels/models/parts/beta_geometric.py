"""Leaving at the beginning of opportunities with a chance that differs between customers as a beta; or never.

theta ~ Beta(gamma, delta) is a customer's own chance to leave, the same at every opportunity. Then

    S(t) = B(gamma, delta + t) / B(gamma, delta),        S(t) - S(t + 1) = B(gamma + 1, delta + t) / B(gamma, delta).

Those with a high chance leave first, so that those who remain are ever more loyal. The mean number of opportunities is
infinite for gamma <= 1.

Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1); the sums over what is
to come as in Fader, Hardie & Shang (2010), Marketing Science 29(6).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np
import pytensor.tensor as pt
from scipy.special import hyp2f1

from clvmodels.draws import Array
from clvmodels.models.discrete import DiscreteLifetime
from clvmodels.models.parameters import Handle, Meaning, Parameter, Theta, Value
from clvmodels.models.parts.beta_ratio import log_beta_ratio
from clvmodels.models.parts.mean_odds import moved_mean
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom

LEAST_CHANCE = 1e-200
"""Of who leaves more rarely, the opportunities ahead are all of them, to the last digit."""


class BetaGeometric(DiscreteLifetime):
    """The lifetime; `names` are those of the two parameters, gamma and delta above.

    A coefficient on one of them alone moves the weight of leaving or of staying, on both how alike customers are. What
    moves the mean chance is `dropout_mean`.
    """

    levels = ("dropout_mean",)

    def __init__(self, names: tuple[str, str] = ("gamma", "delta")):
        leave, stay = self.names = names
        self.parameters = (
            Parameter(leave, "lifetime", "none", log_normal(1.0, 1.0), 1, "dropout", "weight of leaving"),
            Parameter(stay, "lifetime", "none", log_normal(3.0, 1.0), 1, "staying", "weight of staying"),
        )
        self.meanings = (
            Meaning(
                "mean chance of leaving at the first opportunity", "", lambda theta: _mean(theta[leave], theta[stay])
            ),
            Meaning("the same of those who stayed for five", "", lambda theta: _mean(theta[leave], theta[stay] + 5.0)),
        )
        text = f"mean chance of leaving, {leave} / ({leave} + {stay}), on the logit scale; {leave} + {stay} stays"
        self.handles = (Handle("dropout_mean", "lifetime", "dropout", text, moved_mean(leave, stay)),)

    def _weights[V](self, theta: Theta[V]) -> tuple[V, V]:
        """gamma and delta: of leaving and of staying."""
        leave, stay = self.names
        return theta[leave], theta[stay]

    def log_survival(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log S(t)."""
        gamma, delta = self._weights(theta)
        return log_beta_ratio(gamma, delta, t, xp)

    def log_ended(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log S(t) + log of gamma / (gamma + delta + t)."""
        gamma, delta = self._weights(theta)
        return self.log_survival(t, theta, xp) - xp.log1p((delta + t) / gamma)

    def log_step(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log of (delta + t) / (gamma + delta + t + 1)."""
        gamma, delta = self._weights(theta)
        return -xp.log1p((gamma + 1.0) / (delta + t))

    def survival_ratio(self, t: Array, k: Array, theta: Theta[Array]) -> Array:
        """B(gamma, delta + t + k) / B(gamma, delta + t)."""
        gamma, delta = self._weights(theta)
        return np.exp(log_beta_ratio(gamma, delta + t, k))

    def draw_residual(self, t: Array, theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """theta ~ Beta(gamma, delta + t), then the number of times it does not happen."""
        gamma, delta = self._weights(theta)
        chance = rng.beta(gamma, delta + t)
        with np.errstate(divide="ignore", invalid="ignore"):  # a chance that underflows to 0: without end
            left = np.floor(np.log1p(-rng.uniform()) / np.log1p(-chance))
        return np.where(chance > 0.0, left, np.inf), {"dropout_probability": chance}

    def draw_ended(self, t: Array, theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """theta ~ Beta(gamma + 1, delta + t)."""
        gamma, delta = self._weights(theta)
        return {"dropout_probability": rng.beta(gamma + 1.0, delta + t)}

    def expected_time(self, t: Array, theta: Theta[Array], k: Array) -> Array:
        """b / (gamma - 1) (1 - B(gamma - 1, b + 1 + k) / B(gamma - 1, b + 1)), b = delta + t; gamma = 1 included."""
        gamma, delta = self._weights(theta)
        b = np.asarray(delta + t, dtype=float)
        power = np.asarray(gamma, dtype=float) - 1.0
        power = np.where(power == 0.0, 1e-200, power)  # the ratio's log is linear in it there: the limit, to all digits
        return -b * np.expm1(log_beta_ratio(power, b + 1.0, k)) / power

    def own_survival(self, t: Array, k: Array, theta: Theta[Array], variables: Mapping[str, Array]) -> Array:
        """(1 - theta)^k."""
        return np.exp(k * np.log1p(-variables["dropout_probability"]))

    def own_time(self, t: Array, theta: Theta[Array], variables: Mapping[str, Array], k: Array) -> Array:
        """(1 - theta) (1 - (1 - theta)^k) / theta: a geometric sum."""
        chance = np.maximum(variables["dropout_probability"], LEAST_CHANCE)
        with np.errstate(divide="ignore"):  # who surely leaves takes part in none
            log_stay = np.log1p(-chance)
        return (1.0 - chance) * -np.expm1(k * log_stay) / chance

    def discounted_time(self, t: Array, theta: Theta[Array], discount: float) -> Array:
        """b / (gamma + b) / (1 + d) 2F1(1, b + 1; gamma + b + 1; 1 / (1 + d)), b = delta + t."""
        gamma, delta = self._weights(theta)
        b = np.asarray(delta + t, dtype=float)
        factor = 1.0 / (1.0 + discount)
        return b / (gamma + b) * factor * hyp2f1(1.0, b + 1.0, gamma + b + 1.0, factor)


class NobodyLeaves(DiscreteLifetime):
    """A lifetime without an end."""

    ends = False

    def log_survival(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """0."""
        return 0.0 * t

    def log_ended(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """Minus infinity."""
        return xp.full_like(t, -np.inf)

    def survival_ratio(self, t: Array, k: Array, theta: Theta[Array]) -> Array:
        """1."""
        return np.ones(np.broadcast(t, k).shape)

    def draw_residual(self, t: Array, theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Without end."""
        return np.full(rng.shape, np.inf), {}

    def draw_ended(self, t: Array, theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """Nobody; nothing is known of them."""
        return {}

    def own_survival(self, t: Array, k: Array, theta: Theta[Array], variables: Mapping[str, Array]) -> Array:
        """1."""
        return np.ones(np.broadcast(t, k).shape)

    def expected_time(self, t: Array, theta: Theta[Array], k: Array) -> Array:
        """k."""
        return k + 0.0 * np.asarray(t, dtype=float)

    def own_time(self, t: Array, theta: Theta[Array], variables: Mapping[str, Array], k: Array) -> Array:
        """k."""
        return self.expected_time(t, theta, k)

    def discounted_time(self, t: Array, theta: Theta[Array], discount: float) -> Array:
        """1 / discount."""
        return 1.0 / discount + 0.0 * np.asarray(t, dtype=float)


def _mean(a: Array, b: Array) -> Array:
    return a / (a + b)
