"""Margins: what is left of an order's amount varies about the customer's own rate, which differs between customers.

The story: the margin of each purchase of customer i, as a share of its amount, is N(g_i, sigma^2), and
g_i ~ N(m, tau^2) between customers, independent of how often and how much they buy. Of n purchases with mean margin
rate y and sum of squares about it ss,

    log f = log N(y; m, tau^2 + sigma^2 / n) - (n - 1) (log sigma + log(2 pi) / 2) - ss / (2 sigma^2) - log(n) / 2
    g_i | data ~ N(m + w (y - m), tau^2 (1 - w)),    w = n tau^2 / (n tau^2 + sigma^2)

All purchases that brought money count, the first too. A margin may be negative. The margin of several purchases is
drawn as that of one with a share of the variance, sigma^2 / n: their amounts are taken as equal. It tells each
customer's own rate in place of the stated `margin`.

Free orders have no rate: their goods cost an amount of its own. Where there are such orders of known cost, the model
tells that too (`free_orders`): each costs an amount from an exponential distribution of mean c, alike for all
customers, so that of n free orders that cost y together log f = -n log c - y / c.

Gelman et al. (2013), Bayesian Data Analysis, section 5.4.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.errors import Problem
from clvmodels.models.contract import no_option
from clvmodels.models.costs.contract import CostModel, Flow, Forecast, Statistics
from clvmodels.models.parameters import Meaning, Parameter, Rows, Theta
from clvmodels.models.prior import Prior, log_normal
from clvmodels.randomness import KeyedRandom

LOG_2PI = float(np.log(2.0 * np.pi))
FREE_COUNT, FREE_SUM = "free_cost_count", "free_cost_sum"
"""Free orders whose goods' cost is known, and that cost."""


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
    observes: tuple[str, ...] = ("margin_count", "margin_sum", "margin_ss")
    levels: tuple[str, ...] = ("m",)
    meanings: tuple[Meaning, ...] = (Meaning("mean margin rate", "", lambda theta: theta["m"]),)
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "m",
            "margin",
            "none",
            Prior("Normal", {"mu": 0.3, "sigma": 0.5}),
            1,
            "margin",
            "mean margin rate",
            lower=-np.inf,
            between=0.05,
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

    def suited(self, table: pd.DataFrame) -> NormalMargin:
        """With what goods of free orders cost, where the tables tell it of some."""
        if FREE_COUNT in table and (table[FREE_COUNT] > 0).any():
            return self.given(free_orders=True)
        return self

    @property
    def widest(self) -> NormalMargin:
        return self.given(free_orders=True)

    def given(self, **options: Any) -> NormalMargin:
        others = {name: stated for name, stated in options.items() if name != "free_orders"}
        if others:
            raise no_option(self, next(iter(others)), ["free_orders"])
        return margin_with_free_orders if options.get("free_orders") else self

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
        """Purchases whose margin rate is known, the rates and their squares about the mean; free ones of known cost,
        and the cost."""
        bought = seen.purchases
        bought = bought.filter(bought.amount > 0, bought.cost.notnull())
        rates = bought.select("customer_id", rate=1.0 - bought.cost / bought.amount)
        return seen.about_mean(rates, "rate", "margin") | _of_free_orders(seen)

    def rate(self, ahead: Forecast) -> Flow:
        """Margin rate of the money of each order."""
        _, theta = ahead.seen(self.cost)
        sigma = ahead.at_orders(theta["sigma"])
        own = self.own(ahead)
        drawn = self.draw_rates(own.realised, ahead.paid.realised, sigma, ahead.order_stream("margin"))
        return Flow(own.expected, own.worth, drawn)

    def _own(self, rows: Rows, theta: Theta) -> tuple[Array, Array]:
        n, total = np.asarray(rows["margin_count"]), np.asarray(rows["margin_sum"])
        between, within = theta["tau"] ** 2, theta["sigma"] ** 2
        all_in_all = n * between + within
        mean = theta["m"] + between * (total - n * theta["m"]) / all_in_all
        return mean, between * within / all_in_all


def _of_free_orders(seen: Statistics) -> dict[str, pd.Series]:
    """How many free orders there are whose goods' cost is known, and what they cost together."""
    bought = seen.purchases
    free = bought.filter(bought.amount == 0, bought.cost.notnull())
    columns = seen.about_mean(free.select("customer_id", cost=free.cost.cast("float64")), "cost", "free_cost")
    return {name: columns[name] for name in (FREE_COUNT, FREE_SUM)}


class MarginWithFreeOrders(NormalMargin):
    """The same with the goods' cost of free orders."""

    title = "Normal margins with free orders"
    options = MappingProxyType({"free_orders": True})
    levels = (*NormalMargin.levels, "free_cost")
    observes = (*NormalMargin.observes, FREE_COUNT, FREE_SUM)
    conditions_on = NormalMargin.observes
    meanings = (
        *NormalMargin.meanings,
        Meaning("goods of a free order", "{currency}", lambda theta: theta["free_cost"]),
    )
    parameters = (
        *NormalMargin.parameters,
        Parameter(
            "free_cost",
            "margin",
            "money",
            log_normal(10.0, 3.0),
            1,
            "cost of free orders",
            "mean cost of the goods of a free order",
        ),
    )

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """log f of the margins and of what the goods of free orders cost. [R]"""
        cost = theta["free_cost"]
        return super().log_prob(rows, theta) - rows[FREE_COUNT] * pt.log(cost) - rows[FREE_SUM] / cost

    def given_away(self, ahead: Forecast, free: Flow) -> Flow:
        """The sum of n such costs is Gamma(n, 1 / c)."""
        _, theta = ahead.seen(self.cost)
        mean = ahead.amount_unit * theta["free_cost"]
        drawn = ahead.order_stream("free goods").gamma(free.realised)
        return Flow(free.expected * mean[..., None], free.worth * mean[..., None], ahead.at_orders(mean) * drawn)


normal_margin = NormalMargin()
margin_with_free_orders = MarginWithFreeOrders()
