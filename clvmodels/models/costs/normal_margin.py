"""Margins: what is left of an order's amount varies about the customer's own rate, which differs between customers.

The story: the margin of each purchase of customer i, as a share of its amount, is N(g_i, sigma^2), and
g_i ~ N(m, tau^2) between customers, independent of how often and how much they buy. Of n purchases with mean margin
rate y and sum of squares about it ss,

    log f = log N(y; m, tau^2 + sigma^2 / n) - (n - 1) (log sigma + log(2 pi) / 2) - ss / (2 sigma^2) - log(n) / 2
    g_i | data ~ N(m + w (y - m), tau^2 (1 - w)),    w = n tau^2 / (n tau^2 + sigma^2)

All purchases that brought money count, the first too. A margin may be negative. The margin of several purchases is
drawn as that of one with a share of the variance, sigma^2 / n: their amounts are taken as equal. It tells each
customer's own rate in place of the stated `margin`.

Gelman et al. (2013), Bayesian Data Analysis, section 5.4.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.errors import Problem
from clvmodels.models.contract import Meaning, Parameter, Rows, Theta
from clvmodels.models.costs.contract import CostModel, Flow, Forecast, Statistics
from clvmodels.models.prior import Prior
from clvmodels.randomness import KeyedRandom

LOG_2PI = float(np.log(2.0 * np.pi))


class NormalMargin(CostModel):
    """See the module's text."""

    cost = "margin"
    says = "what is left of an order's amount after the cost of the goods"
    source_column = "cost"
    part = "gross margin"
    in_place_of = "margin"
    name = "normal_margin"
    title = "Normal margins"
    reference = "Gelman et al. (2013), Bayesian Data Analysis, section 5.4"
    provides = frozenset({"margin"})
    observes = ("margin_count", "margin_sum", "margin_ss")
    meanings = (Meaning("mean margin rate", "", lambda theta: theta["m"]),)
    parameters = (
        Parameter(
            "m",
            "margin",
            "none",
            Prior("Normal", {"mu": 0.3, "sigma": 0.5}),
            1,
            "margin",
            "mean margin rate",
            lower=-np.inf,
        ),
        Parameter(
            "tau",
            "margin",
            "none",
            Prior("HalfNormal", {"sigma": 0.3}),
            1,
            "spread between customers",
            "sd of the rates between customers",
        ),
        Parameter(
            "sigma",
            "margin",
            "none",
            Prior("HalfNormal", {"sigma": 0.3}),
            1,
            "spread of one's margins",
            "sd of a customer's rates",
        ),
    )

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """log f; 0 where no margin is known. [R]"""
        m, tau, sigma = theta["m"], theta["tau"], theta["sigma"]
        known = pt.gt(rows["margin_count"], 0)
        n = pt.switch(known, rows["margin_count"], 1.0)
        variance = n * tau**2 + sigma**2  # n times that of the mean
        log_f = (
            -n * (rows["margin_sum"] / n - m) ** 2 / variance
            - pt.log(variance)
            - 2.0 * (n - 1.0) * pt.log(sigma)
            - rows["margin_ss"] / sigma**2
            - n * LOG_2PI
        ) / 2
        return pt.switch(known, log_f, 0.0)

    def draw_own(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Array:
        """g_i | data. [D, C]"""
        mean, variance = self._own(rows, theta)
        return mean + np.sqrt(variance) * rng.normal()

    def expected_own(self, rows: Rows, theta: Theta) -> Array:
        """m + w (y - m). [D, C]"""
        return self._own(rows, theta)[0]

    def draw_rates(self, own: Array, n: Array, sigma: Array, rng: KeyedRandom) -> Array:
        """Margin rate of the money of n purchases: N(g_i, sigma^2 / n). sigma is of the same shape as own, n and the
        result"""
        bought = np.maximum(n, 1.0)  # where nothing is bought, the rate is of no money
        return own + sigma * rng.normal() / np.sqrt(bought)

    def untold(self, sources: frozenset[str], order_columns: tuple[str, ...]) -> Problem | None:
        if self.source_column in order_columns:
            return None
        known = "Name the column of the goods' cost: columns: {cost: ...} of orders or order lines"
        return Problem("no margin can be made", "costs: margin", "no cost of the goods", known)

    def observed(self, seen: Statistics) -> dict[str, pd.Series]:
        """Purchases whose margin rate is known, the rates and their squares about the mean."""
        bought = seen.purchases
        bought = bought.filter(bought.amount > 0, bought.cost.notnull())
        rates = bought.select("customer_id", rate=1.0 - bought.cost / bought.amount)
        return seen.about_mean(rates, "rate", "margin")

    def rate(self, ahead: Forecast) -> Flow:
        """Margin rate of the money of each order."""
        _, theta = ahead.seen(self.cost)
        sigma = ahead.at_orders(theta["sigma"])
        drawn = self.draw_rates(self.own(ahead), ahead.counts, sigma, ahead.order_stream("margin"))
        return Flow(self.mean_own(ahead), drawn)

    def _own(self, rows: Rows, theta: Theta) -> tuple[Array, Array]:
        n, total = np.asarray(rows["margin_count"]), np.asarray(rows["margin_sum"])
        between, within = theta["tau"] ** 2, theta["sigma"] ** 2
        all_in_all = n * between + within
        mean = theta["m"] + between * (total - n * theta["m"]) / all_in_all
        return mean, between * within / all_in_all


normal_margin = NormalMargin()
