"""Exponential lifetimes whose hazards differ as a gamma distribution: Pareto (Lomax) lifetimes.

mu ~ Gamma(s, beta), shape s and rate beta; given mu, the lifetime is exponential. Integrated over mu,

    S(t) = (beta / (beta + t))^s,        f(t) = s / (beta + t) * S(t).

The mean is infinite for s <= 1: lifetimes are told by their median.
"""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.contract import State
from clvmodels.models.densities.histories import times_left_of_pareto
from clvmodels.models.kernels import over_times, times_at_hazards
from clvmodels.models.parameters import Graph, Meaning, Parameter, Rows, Theta
from clvmodels.models.parts.clock import ClockLifetime
from clvmodels.models.parts.contract import NOTHING_LEFT
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom

PARAMETERS = (
    Parameter("s", "lifetime", "none", log_normal(1.0, 1.0), 1, "hazard of leaving", "shape of the dropout rates"),
    Parameter("beta", "lifetime", "time", log_normal(20.0, 1.5), -1, "hazard of leaving", "s / (mean dropout rate)"),
)
MEANINGS = (
    Meaning("median lifetime", "{time_unit}s", lambda theta: theta["beta"] * np.expm1(np.log(2.0) / theta["s"])),
    Meaning("spread of hazards between customers (sd / mean)", "", lambda theta: theta["s"] ** -0.5),
)


class ExponentialGamma(ClockLifetime):
    """The lifetime; its natural clock is calendar time."""

    parameters = PARAMETERS
    meanings = MEANINGS
    levels = ("beta",)
    nodes = 40  # of 30,000 hard histories 32 nodes miss the allowed 1e-8 in 4, by up to 74 times; 40 in none

    def log_survival(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """log S(t)."""
        s, beta = theta["s"], theta["beta"]
        return -s * pt.log1p(t / beta)

    def log_density(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """log f(t)."""
        s, beta = theta["s"], theta["beta"]
        return pt.log(s) - pt.log(beta + t) + self.log_survival(t, theta)

    def log_ratio(self, t: Graph, tau: Graph, theta: Theta[Graph]) -> Graph:
        """log f(t + tau) - log f(t)."""
        s, beta = theta["s"], theta["beta"]
        return -(s + 1.0) * pt.log1p(tau / (beta + t))

    def decay(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """Rate at which f falls at t."""
        s, beta = theta["s"], theta["beta"]
        return (s + 1.0) / (beta + t)

    def reach(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """The time after t beyond which f has fallen by exp(-45)."""
        s, beta = theta["s"], theta["beta"]
        return (beta + t) * pt.expm1(NOTHING_LEFT / (s + 1.0))

    def survival_ratio(self, t: Array, tau: Array, theta: Theta[Array]) -> Array:
        """S(t + tau) / S(t)."""
        s, beta = theta["s"], theta["beta"]
        return np.exp(-s * np.log1p(tau / (beta + t)))

    def residual_at(self, t: Array, survived: Array, theta: Theta[Array]) -> Array:
        """(beta + t) (survived^(-1/s) - 1)."""
        s, beta = theta["s"], theta["beta"]
        return (beta + t) * np.expm1(-np.log(survived) / s)

    def draw_residual(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Time left of a customer alive at T: mu ~ Gamma(s, beta + T), then Exp(mu). [D, C]"""
        mu = rng.gamma(theta["s"]) / (theta["beta"] + rows["T"])
        with np.errstate(divide="ignore"):  # a hazard that underflows to 0 never ends
            return rng.exponential() / mu, {"dropout_rate": mu}

    def draw_ended(self, death: Array, theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """mu of a customer who ended at age `death`: Gamma(s + 1, beta + death). [D, C]"""
        mu = rng.gamma(theta["s"] + 1.0) / (theta["beta"] + death)
        return {"dropout_rate": mu, "death_age": death}

    def own_survival(self, rows: Rows[Array], theta: Theta[Array], state: State, tau: Array) -> Array:
        """e^(-mu tau)."""
        return np.exp(-state.extra["dropout_rate"][..., None] * tau)

    def own_time(self, rows: Rows[Array], theta: Theta[Array], state: State, t: Array) -> Array:
        """(1 - e^(-mu t)) / mu. [D, C, P]"""
        return over_times(times_at_hazards, state.extra["dropout_rate"], t=t)

    def chance_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, start: float, end: float) -> Array:
        """Lasts until `start`, and of the purchase and the end that come first after it is the purchase, before `end`:
        e^(-mu start) lambda / (lambda + mu) (1 - e^(-(lambda + mu) (end - start))). [D, C]"""
        rate, mu = state.purchase_rate, state.extra["dropout_rate"]
        either = rate + mu
        with np.errstate(invalid="ignore"):  # neither ever comes: 0 / 0
            is_purchase = np.where(either > 0.0, rate / either, 0.0)
        return np.exp(-mu * start) * is_purchase * -np.expm1(-either * (end - start))

    def expected_time(self, rows: Rows[Array], theta: Theta[Array], t: Array) -> Array:
        """E[min(residual lifetime, t) | alive at T] = integral of S(T + u) / S(T) over (0, t). [D, C, P]

        With B = beta + T: B / (s - 1) * (1 - (B / (B + t))^(s - 1)), written so that s = 1 is no exception.
        """
        return over_times(times_left_of_pareto, theta["s"], theta["beta"] + rows["T"], t=t)
