"""Returns: orders come back with the customer's own chance (`beta_binomial`), whole or in part.

The story: each purchase of customer i is returned with probability p_i ~ Beta(mu phi, (1 - mu) phi). Of a returned
one the whole comes back with probability w, otherwise a share of its value s ~ Beta(m k, (1 - m) k), mean m and
precision k, both alike for all customers and independent of the amount. Of n purchases old enough to tell, k_i were
returned, h_i of them whole, the others with shares s_1, ...:

    f = B(mu phi + k_i, (1 - mu) phi + n - k_i) / B(mu phi, (1 - mu) phi) w^h_i (1 - w)^(k_i - h_i) prod_j Beta(s_j)
    E[share of the value that is returned, of a returned order] = w + (1 - w) m

A share of 0.995 or more counts as whole: prices are rounded. The sum of what is returned of several purchases follows
from the spend model's own amounts of as many purchases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.costs.beta_binomial import BetaBinomial
from clvmodels.models.costs.contract import Desk, Entries, Fate, Flow, Forecast, Statistics
from clvmodels.models.parameters import Meaning, Parameter, Rows, Theta
from clvmodels.models.prior import Prior, log_normal
from clvmodels.models.spend.gamma_gamma import LOG_2PI, stirling_error
from clvmodels.randomness import KeyedRandom

WHOLE = 0.995
"""The least share of an order's value that counts as the whole."""


class Returns(BetaBinomial):
    """See the module's text."""

    cost = "returns"
    says = "orders that are sent back, and how much of them"
    source = "returns"
    window = 30
    part = "returns"
    follows = "gross margin"
    keys = ("cost_per_return", "resold", "written_off")
    is_refund = True

    def __init__(self):
        super().__init__(
            "beta_binomial_returns",
            "Beta-binomial returns",
            ("returnable", "returned", "returned_whole", "returned_log_sum", "returned_log1m_sum"),
            Prior("Beta", {"alpha": 1.0, "beta": 9.0}),
            "chance that an order is returned",
        )
        even = Prior("Beta", {"alpha": 1.0, "beta": 1.0})
        self.parameters += (
            Parameter("whole", "returns", "none", even, 1, "whole returns", "chance that all of it is", upper=1.0),
            Parameter("share", "returns", "none", even, 1, "returned value", "mean share in part returns", upper=1.0),
            Parameter("precision", "returns", "none", log_normal(5.0, 1.0), 1, "likeness of shares", "of these shares"),
        )
        self.meanings += (Meaning("returned value of a returned order (share)", "", returned_share),)

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """log f; 0 where nothing was bought. [R]"""
        part = rows["returned"] - rows["returned_whole"]
        shares = log_beta_densities(
            part, rows["returned_log_sum"], rows["returned_log1m_sum"], theta["share"], theta["precision"]
        )
        wholes = rows["returned_whole"] * pt.log(theta["whole"]) + part * pt.log1p(-theta["whole"])
        return super().log_prob(rows, theta) + wholes + shares

    def draw_shares(self, theta: Theta, returned: Array, rng: KeyedRandom) -> tuple[Array, Array]:
        """Of `returned` orders, how many come back whole, and the mean share of the others; theta is of their shape.

        The mean of several shares is drawn from the beta distribution of its mean and variance; one share is exact.
        """
        whole = rng.binomial(returned, theta["whole"])
        part = np.maximum(returned - whole, 1.0)  # where none comes back in part, the share is of no money
        precision = part * (theta["precision"] + 1.0) - 1.0
        mean = theta["share"]
        return whole, rng.beta(mean * precision, (1.0 - mean) * precision)

    def observed(self, seen: Statistics) -> dict[str, pd.Series]:
        """Purchases old enough to tell, those sent back, those sent back whole; of the others the logs of the shares
        and of what is left of them."""
        bought = seen.old_enough(self.cost)
        bought = bought.filter(bought.amount > 0)
        share = bought.returned / bought.amount
        is_part = (share > 0) & (share < WHOLE)
        marked = bought.select(
            "customer_id",
            back=share > 0,
            whole=share >= WHOLE,
            log=seen.log(is_part.ifelse(share, 1.0)),
            log1m=seen.log(is_part.ifelse(1.0 - share, 1.0)),
        )
        return seen.by_customer(
            marked,
            returnable=marked.count(),
            returned=marked.back.sum(),
            returned_whole=marked.whole.sum(),
            returned_log_sum=marked.log.sum(),
            returned_log1m_sum=marked.log1m.sum(),
        )

    def fate(self, ahead: Forecast, orders: Flow) -> Fate:
        """Orders sent back whole and in part have amounts of their own."""
        theta = ahead.seen(self.cost)[1]
        chance = self.own(ahead)
        number = self.events(ahead, orders, chance)
        back = number.realised
        own_theta = {name: ahead.at_orders(theta[name]) for name in ("whole", "share", "precision")}
        whole, share = self.draw_shares(own_theta, back, ahead.order_stream("returned shares"))
        of_whole, of_part = ahead.money(whole, "spend whole"), ahead.money(back - whole, "spend part")
        mean_share = returned_share(theta)[..., None]
        value = Flow(
            number.expected * ahead.amount.expected * mean_share,
            number.worth * ahead.amount.worth * mean_share,
            of_whole + share * of_part,
        )
        return Fate(chance, number, of_whole + of_part, value)

    def flow(self, ahead: Forecast) -> Flow:
        """What the value sent back has lost, and the handling of each return."""
        fate = ahead.fates[self.cost]
        lost = fate.value * lost_share(ahead.margin, ahead.economics)
        handling = fate.number * ahead.economics.cost_per_return
        return -(lost + handling)

    def entries(self, desk: Desk) -> list[Entries]:
        """The same of each day on which something came back; the handling once a purchase."""
        economics, back = desk.economics, desk.coming_back()
        handling = economics.cost_per_return * back.is_first.cast("float64")
        cost = back.value * lost_share(back.margin, economics) + handling
        return [desk.entries(self.part, back, -cost, bought="bought")]


def lost_share(margin: Any, economics: Any) -> Any:
    """Of value that is sent back, what is lost: the margin of what is not sold again, and the goods' cost of what is
    worth nothing any more. Flows or columns of a table."""
    return (1.0 - economics.resold) * margin + economics.written_off * (1.0 - margin)


def log_beta_densities(n, log_sum, log1m_sum, mean, precision):
    """Sum of the log densities of n numbers that are Beta(mean precision, (1 - mean) precision), from the sums of their
    logs and of those of what is left of them. Where they are much alike, large log gammas would cancel: they are
    written by what is left over of Stirling's formula."""
    a, b = mean * precision, (1.0 - mean) * precision
    log_mean, log1m_mean = pt.log(mean), pt.log1p(-mean)
    about_mean = a * (log_sum - n * log_mean) + b * (log1m_sum - n * log1m_mean)
    of_one = (pt.log(precision) + log_mean + log1m_mean - LOG_2PI) / 2 + (
        stirling_error(precision) - stirling_error(a) - stirling_error(b)
    )
    return about_mean + n * of_one - log_sum - log1m_sum


def returned_share(theta: Theta) -> Array:
    """E[share of its value that comes back of a returned order]."""
    return theta["whole"] + (1.0 - theta["whole"]) * theta["share"]


def simulated_shares(theta: Mapping[str, float], size: int, rng: np.random.Generator) -> Array:
    """Shares of `size` returned orders, 1 for the whole; for synthetic histories."""
    precision = theta["precision"]
    part = rng.beta(theta["share"] * precision, (1.0 - theta["share"]) * precision, size)
    return np.where(rng.random(size) < theta["whole"], 1.0, part)


beta_binomial_returns = Returns()
