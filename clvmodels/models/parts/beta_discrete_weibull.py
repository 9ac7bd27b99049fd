"""Leaving with a chance that differs between customers as a beta and changes with age as a Weibull's hazard does.

theta ~ Beta(alpha, beta); a customer is still there after t opportunities with probability (1 - theta)^(t^c), so that

    S(t) = B(alpha, beta + t^c) / B(alpha, beta).

With c = 1 it is the beta-geometric; c < 1: a customer's own hazard falls with age, c > 1: it rises.

Fader, Hardie, Liu, Davin & Steenburgh (2018), "How to Project Customer Retention" Revisited: The Role of Duration
Dependence, Journal of Interactive Marketing 43.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np
import pytensor.tensor as pt
from scipy.special import betainc, betaincinv, expit, logit

from clvmodels.draws import Array
from clvmodels.models.discrete import DiscreteLifetime
from clvmodels.models.parameters import Handle, Meaning, Parameter, Theta, Value
from clvmodels.models.parts.beta_ratio import log_beta_ratio
from clvmodels.models.parts.mean_odds import moved_mean
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom

LARGEST = 230.0
"""log of the largest t^c that is computed with; beyond it S falls as t^(-alpha c)."""
HUGE = 1e300
"""A second parameter of a beta distribution that is still a number."""
HALVINGS = 60
"""Of an interval of 730 on the logit scale at most: to 1e-15."""


class BetaDiscreteWeibull(DiscreteLifetime):
    """The lifetime; see the module's text."""

    parameters = (
        Parameter("alpha", "lifetime", "none", log_normal(1.0, 1.0), 1, "dropout", "weight of leaving"),
        Parameter("beta", "lifetime", "none", log_normal(3.0, 1.0), 1, "staying", "weight of staying"),
        Parameter("c", "lifetime", "none", log_normal(1.0, 0.5), 1, "dropout with age", "how the own hazard changes"),
    )
    meanings = (
        Meaning(
            "mean chance of leaving at the first opportunity",
            "",
            lambda theta: theta["alpha"] / (theta["alpha"] + theta["beta"]),
        ),
        Meaning("own hazard falls (below 1) or rises (above)", "", lambda theta: theta["c"]),
    )
    handles = (
        Handle(
            "dropout_mean",
            "lifetime",
            "dropout",
            "mean chance of leaving at the first, alpha / (alpha + beta), on the logit scale; alpha + beta stays",
            moved_mean("alpha", "beta"),
        ),
    )
    levels = ("dropout_mean",)

    def log_survival(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log S(t)."""
        log_power = theta["c"] * xp.log(xp.maximum(t, 1.0))  # of t = 1 where t = 0, so that no log is infinite
        power = xp.where(xp.greater(t, 0.0), xp.exp(xp.minimum(log_power, LARGEST)), 0.0)
        beyond = theta["alpha"] * xp.maximum(log_power - LARGEST, 0.0)
        return log_beta_ratio(theta["alpha"], theta["beta"], power, xp) - beyond

    def log_ended(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log S(t) + log(1 - S(t + 1) / S(t))."""
        return self.log_survival(t, theta, xp) + xp.log(-xp.expm1(self.log_ratio(t, 1.0, theta, xp)))

    def log_ratio(self, t: Value, k: Value, theta: Theta[Value], xp: ModuleType = np) -> Value:
        """log S(t + k) / S(t), from (t + k)^c - t^c itself where this can be computed."""
        c = theta["c"]
        started = xp.greater(t, 0.0)
        age = xp.maximum(t, 1.0)  # 1 where t = 0: the formula of those who have just begun is another
        log_power, log_growth = c * xp.log(age), c * xp.log1p(k / age)
        log_power_after = xp.where(started, log_power + log_growth, c * xp.log(xp.maximum(k, 1.0)))
        near = xp.less_equal(log_power_after, LARGEST)
        # every exponent is made safe before exp, so that no branch that is not taken has an infinite gradient
        power = xp.exp(xp.where(near & started, log_power, 0.0))
        growth = power * xp.expm1(xp.where(near & started, log_growth, 0.0))
        from_zero = xp.where(xp.greater(k, 0.0), xp.exp(xp.where(near & ~started, log_power_after, 0.0)), 0.0)
        weight_of_staying = theta["beta"] + xp.where(started, power, 0.0)
        exact = log_beta_ratio(theta["alpha"], weight_of_staying, xp.where(started, growth, from_zero), xp)
        far = self.log_survival(t + k, theta, xp) - self.log_survival(t, theta, xp)
        return xp.where(near, exact, far)

    def survival_ratio(self, t: Array, k: Array, theta: Theta[Array]) -> Array:
        """S(t + k) / S(t)."""
        return np.exp(self.log_ratio(t, k, theta))

    def draw_residual(self, t: Array, theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """theta ~ Beta(alpha, beta + t^c), then the whole part of what is left: (1 - theta)^(u^c - t^c) at the end."""
        t, c = np.asarray(t, dtype=float), theta["c"]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            power = t**c
            weight_of_staying = np.minimum(theta["beta"] + power, HUGE)
            chance = rng.beta(theta["alpha"], weight_of_staying)
            power_left = rng.exponential() / -np.log1p(-chance)  # u^c - t^c
            of_old = t * np.expm1(np.log1p(power_left / power) / c)
            of_new = power_left ** (1.0 / c)
            left = np.floor(np.where(t > 0, of_old, of_new))
        left = np.where(chance > 0.0, left, np.inf)
        return left, {"dropout_probability": chance}

    def own_survival(self, t: Array, k: Array, theta: Theta[Array], variables: Mapping[str, Array]) -> Array:
        """(1 - theta)^((t + k)^c - t^c)."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            power = t ** theta["c"]
            of_old = power * np.expm1(theta["c"] * np.log1p(k / t))
            added = np.where(t > 0, of_old, k ** theta["c"])
            return np.exp(added * np.log1p(-variables["dropout_probability"]))

    def draw_ended(self, t: Array, theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """theta of a customer that left after t opportunities, by inverse CDF: its distribution function is

        (S(t) I(theta; alpha, beta + t^c) - S(t + 1) I(theta; alpha, beta + (t + 1)^c)) / (S(t) - S(t + 1)),

        I the regularised incomplete beta function.
        """
        t, alpha, beta, c = np.asarray(t, dtype=float), theta["alpha"], theta["beta"], theta["c"]
        ratio, goal = self.survival_ratio(t, np.ones(()), theta), rng.uniform()
        before = np.minimum(beta + t**c, HUGE)
        after = np.minimum(beta + (t + 1.0) ** c, HUGE)
        # halved on the logit scale; larger than a draw that knows only of the t opportunities before
        least = np.clip(betaincinv(alpha, before, goal), 1e-300, 1.0 - 1e-16)
        low = logit(least) + np.zeros(rng.shape)
        high = np.full(rng.shape, 40.0)  # 1 - 4e-18: a double's 1
        for _ in range(HALVINGS):
            middle = (low + high) / 2.0
            chance = expit(middle)
            mass = betainc(alpha, before, chance) - ratio * betainc(alpha, after, chance)
            reached = mass >= goal * (1.0 - ratio)
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        return {"dropout_probability": expit((low + high) / 2.0)}
