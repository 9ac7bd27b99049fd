"""Purchases at opportunities: with a chance that differs between customers as a beta, or at every one.

p ~ Beta(alpha, beta) is a customer's own chance to buy at an opportunity. Of x purchases at given ones of n,

    P(x | n) = B(alpha + x, beta + n - x) / B(alpha, beta),

without a binomial coefficient: it is the probability of one string of purchases.

Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing Science 29(6).
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytensor.tensor as pt
from scipy.special import gammaln

from clvmodels.draws import Array
from clvmodels.models.discrete import Chances
from clvmodels.models.parameters import Handle, Meaning, Parameter, Rows, Theta, Value
from clvmodels.models.parts.beta_ratio import log_beta_ratio
from clvmodels.models.parts.mean_odds import moved_mean
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom


class BetaBernoulli(Chances):
    """A customer's own chance p ~ Beta(alpha, beta).

    A coefficient on `alpha` or `beta` alone moves the weight of buying or of passing; on both it moves how alike
    customers are. What moves the mean chance, alpha / (alpha + beta), is `chance_mean`.
    """

    parameters = (
        Parameter("alpha", "purchases", "none", log_normal(1.0, 1.0), 1, "buying", "weight of buying"),
        Parameter("beta", "purchases", "none", log_normal(1.0, 1.0), 1, "passing", "weight of not buying"),
    )
    meanings = (
        Meaning(
            "mean chance to buy at an opportunity", "", lambda theta: theta["alpha"] / (theta["alpha"] + theta["beta"])
        ),
        Meaning("certainty of that chance (alpha + beta)", "", lambda theta: theta["alpha"] + theta["beta"]),
    )
    handles = (
        Handle(
            "chance_mean",
            "purchases",
            "buying",
            "mean chance to buy, alpha / (alpha + beta), on the logit scale; alpha + beta stays",
            moved_mean("alpha", "beta"),
        ),
    )
    levels = ("chance_mean",)

    def log_density(self, rows: Rows[Value], until: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log P(x | until)."""
        x, alpha, beta = rows["frequency"], theta["alpha"], theta["beta"]
        log_of_purchases = log_beta_ratio(beta, alpha, x, xp)  # B(alpha + x, beta) / B(alpha, beta)
        log_of_none = log_beta_ratio(alpha + x, beta, until - x, xp)  # at the others, given them
        return log_of_purchases + log_of_none

    def log_step(self, rows: Rows[Value], until: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log of (beta + until - x) / (alpha + beta + until)."""
        x = rows["frequency"]
        return -xp.log1p((theta["alpha"] + x) / (theta["beta"] + until - x))

    def draw(self, rows: Rows[Array], until: Array, theta: Theta[Array], rng: KeyedRandom) -> Array:
        """p ~ Beta(alpha + x, beta + until - x)."""
        x = rows["frequency"]
        return rng.beta(theta["alpha"] + x, theta["beta"] + until - x)

    def mean_chance(self, rows: Rows[Array], until: Array, theta: Theta[Array]) -> Array:
        """(alpha + x) / (alpha + beta + until)."""
        return (theta["alpha"] + rows["frequency"]) / (theta["alpha"] + theta["beta"] + until)

    def count_probability(self, rows: Rows[Array], until: Array, theta: Theta[Array], n: Array, m: Array) -> Array:
        """Beta-binomial: C(m, n) B(a + n, b + m - n) / B(a, b), a = alpha + x, b = beta + until - x."""
        a = theta["alpha"] + rows["frequency"]
        b = theta["beta"] + until - rows["frequency"]
        possible = n <= m
        n = np.where(possible, n, 0.0)  # a number that the formula can be evaluated at
        log_ways = gammaln(m + 1.0) - gammaln(n + 1.0) - gammaln(m - n + 1.0)
        log_string = log_ways + log_beta_ratio(b, a, n) + log_beta_ratio(a + n, b, m - n)
        return np.where(possible, np.exp(log_string), 0.0)


class EveryTime(Chances):
    """A contract: who has not left renews at every opportunity."""

    certain = True

    def log_density(self, rows: Rows[Value], until: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """0 where there is no gap, minus infinity elsewhere."""
        return xp.log(xp.equal(until, rows["frequency"]))

    def log_step(self, rows: Rows[Value], until: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """Minus infinity."""
        return -np.inf

    def draw(self, rows: Rows[Array], until: Array, theta: Theta[Array], rng: KeyedRandom) -> Array:
        """1."""
        return np.ones(rng.shape)

    def mean_chance(self, rows: Rows[Array], until: Array, theta: Theta[Array]) -> Array:
        """1."""
        return np.ones(np.shape(until))

    def count_probability(self, rows: Rows[Array], until: Array, theta: Theta[Array], n: Array, m: Array) -> Array:
        """1 for n = m."""
        return (n == m).astype(float)
