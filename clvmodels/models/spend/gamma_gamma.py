"""Gamma-Gamma: what a purchase brings varies as a gamma distribution, and so does its scale between customers.

The story: each amount of a customer is Gamma(p, nu), shape p and rate nu, and nu ~ Gamma(q, v) between customers,
independent of how often they buy. Of n amounts z_1, ..., z_n of repeat purchases, with sum s,

    f(z_1, ..., z_n) = Gamma(p n + q) / (Gamma(p)^n Gamma(q)) v^q (prod z_j)^(p - 1) / (v + s)^(p n + q)
    nu | z ~ Gamma(q + p n, v + s)
    E[amount | z] = p (v + s) / (p n + q - 1)

A customer without repeat purchases gives no likelihood and draws from the population; days that brought nothing are
left out. q > 1 keeps the mean finite. The literature takes the density of the mean of the amounts alone
(`gamma_gamma_mean`): that of the amounts is the same times their density given their mean, which depends on p only,

    f(z_1, ..., z_n) = f(s / n) f(z_1, ..., z_n | s / n),

so that here p is learnt from how each customer's amounts differ, too. Individuals and expected spend are the same.

Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4); Fader & Hardie (2013), The Gamma-Gamma
Model of Monetary Value, eq. 1a to 5. Their third parameter, gamma, is v here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.errors import Problem
from clvmodels.models.contract import SpendModel
from clvmodels.models.densities import amounts as loops
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.parameters import Graph, Meaning, Parameter, Rows, Theta
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom

MEANINGS = (
    Meaning("mean amount of a purchase", "{currency}", lambda theta: theta["p"] * theta["v"] / (theta["q"] - 1.0)),
    Meaning("spread of one customer's amounts (sd / mean)", "", lambda theta: theta["p"] ** -0.5),
)
LOG_2PI = float(np.log(2.0 * np.pi))
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
"""B_2k / (2k (2k - 1)), k = 1, 2, ...: Abramowitz & Stegun (1964), eq. 6.1.40."""
FEWEST_ALIKE = 3
"""Amounts of which it is said that they are all one."""
SAME_PRICE = 1e-9
"""The relative difference of amounts that are one: the rounding of their sums."""
FAR = 10.0
"""From where on the seven terms of Stirling's series give every digit of a double."""


class GammaGamma(SpendModel):
    """See the module's text."""

    name = "gamma_gamma"
    title = "Gamma-Gamma"
    reference = "Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value, eq. 1a, on the individual amounts"
    observes: tuple[str, ...] = ("amount_count", "amount_sum", "amount_log_sum")
    conditions_on: tuple[str, ...] = ("amount_count", "amount_sum")
    kernel = Kernel(loops.gamma_gamma, (1, 0))
    levels = ("v",)
    meanings = MEANINGS
    parameters = (
        Parameter("p", "spend", "none", log_normal(3.0, 1.0), 1, "spend", "shape of a customer's amounts"),
        Parameter("q", "spend", "none", log_normal(2.0, 1.0), -1, "spend", "shape of the scales, above 1", lower=1.0),
        Parameter("v", "spend", "money", log_normal(20.0, 3.0), 1, "spend", "rate of the scales"),
    )

    def log_prob(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log f(z_1, ..., z_n); 0 where nothing was bought again or for nothing. [R]"""
        paid = pt.gt(rows["amount_count"], 0)
        # one amount of 1 in place of none, before the logs: no gradient is infinite times 0
        n = pt.switch(paid, rows["amount_count"], 1.0)
        total = pt.switch(paid, rows["amount_sum"], 1.0)
        logs = pt.switch(paid, rows["amount_log_sum"], 0.0)
        log_density = log_density_of_mean(n, total, theta) + log_density_given_mean(n, total, logs, theta)
        return pt.switch(paid, log_density, 0.0)

    def refusals(self, table: pd.DataFrame) -> list[Problem]:
        """Amounts that are all one: the likelihood grows without end in p, and none of its parameters is told."""
        price, count = one_price(table)
        if price is None:
            return []
        what = f"all {count:,} amounts of repeat purchases are {price:,.10g}: {self.title} cannot tell their spread"
        known = (
            "Spend is known, and purchases need no spend model; for value in money take lognormal_spend, which gives it"
        )
        return [Problem(what, "customers", known=known)]

    def amounts(self, rows: Rows[Array]) -> tuple[Array, Array]:
        """Number and sum of the amounts seen, both 0 where there are none. [C] each"""
        return np.asarray(rows["amount_count"]), np.asarray(rows["amount_sum"])

    def draw(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Mapping[str, Array]:
        """spend_rate: nu given the history, Gamma(q + p n, v + s). [D, C]"""
        n, total = self.amounts(rows)
        return {"spend_rate": rng.gamma(theta["q"] + theta["p"] * n) / (theta["v"] + total), "shape": theta["p"]}

    def expected_spend(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        """p (v + s) / (p n + q - 1). [D, C]"""
        n, total = self.amounts(rows)
        return theta["p"] * (theta["v"] + total) / (theta["p"] * n + theta["q"] - 1.0)

    def spend_given_own(self, state: Mapping[str, Array]) -> Array:
        """p / nu. [D, C]"""
        return state["shape"] / state["spend_rate"]

    def spend_total(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        """The sum of n amounts is Gamma(p n, nu)."""
        return rng.gamma(state["shape"] * n) / state["spend_rate"]


def log_density_of_mean(n: Graph, total: Graph, theta: Theta[Graph]) -> Graph:
    """log f(s / n), s / (v + s) being Beta(p n, q): Fader & Hardie (2013), eq. 1a. [R]

    Large gamma functions cancel here: they are written by what is left over of Stirling's formula.
    """
    a, q, v = theta["p"] * n, theta["q"], theta["v"]
    return (
        a * (pt.log1p(q / a) - pt.log1p(v / total))
        + q * (pt.log1p(a / q) - pt.log1p(total / v))
        + (pt.log(a) - pt.log1p(a / q) - LOG_2PI) / 2
        + stirling_error(a + q)
        - stirling_error(a)
        - stirling_error(q)
        - pt.log(total / n)
    )


def log_density_given_mean(n: Graph, total: Graph, logs: Graph, theta: Theta[Graph]) -> Graph:
    """log of Gamma(p n) / Gamma(p)^n n^(1 - p n) prod z_j^(p - 1) / (s / n)^(p n - 1). [R]

    The amounts over their sum are Dirichlet(p, ..., p). `logs` is the sum of the amounts' logs.
    """
    p, log_mean = theta["p"], pt.log(total / n)
    return (
        p * (logs - n * log_mean)
        + (n - 1.0) * (pt.log(p) - LOG_2PI) / 2
        + stirling_error(p * n)
        - n * stirling_error(p)
        - pt.log(n) / 2
        + log_mean
        - logs
    )


def stirling_error(z: Graph) -> Graph:
    """log Gamma(z) less ((z - 1/2) log z - z + log(2 pi) / 2), for z > 0.

    From 10 on by its series, to the last digit; the difference would lose as many digits as log Gamma(z) has.
    """
    far, near = pt.maximum(z, FAR), pt.minimum(z, FAR)  # each branch sees only what it is good for
    series, square = pt.constant(0.0), far**-2
    for coefficient in reversed(STIRLING):
        series = coefficient + square * series
    direct = pt.gammaln(near) - (near - 0.5) * pt.log(near) + near - LOG_2PI / 2
    return pt.switch(pt.gt(z, FAR), series / far, direct)


gamma_gamma = GammaGamma()


def one_price(table: pd.DataFrame) -> tuple[float | None, int]:
    """The amount of every repeat purchase that brought money, where it is one, and their number; None where amounts
    differ between customers or, as the mean of their logs tells, within one."""
    if {"amount_count", "amount_sum"} <= set(table):
        paid = table[table["amount_count"] > 0]
        counts, means = paid["amount_count"], paid["amount_sum"] / paid["amount_count"]
    else:
        paid = table[table["frequency"] > 0]
        counts, means = paid["frequency"], paid["monetary_value"]
    count = int(counts.sum())
    if count < FEWEST_ALIKE:
        return None, count
    price = float(means.iloc[0])
    are_alike = bool(np.allclose(means, price, rtol=SAME_PRICE, atol=0.0))
    if are_alike and price > 0 and "amount_log_sum" in paid:
        are_alike = bool(np.allclose(paid["amount_log_sum"] / counts, np.log(price), rtol=0.0, atol=1e-6))
    return (price if are_alike else None), count
