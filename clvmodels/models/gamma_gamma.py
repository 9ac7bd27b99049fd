"""Gamma-Gamma: what a purchase brings varies as a gamma distribution, and so does its scale between customers.

The story: each amount of a customer is Gamma(p, nu), shape p and rate nu, and nu ~ Gamma(q, v) between customers,
independent of how often they buy. Of x repeat purchases with mean m_x,

    f(m_x | x) = Gamma(p x + q) / (Gamma(p x) Gamma(q)) v^q m_x^(p x - 1) x^(p x) / (v + x m_x)^(p x + q)
    nu | x, m_x ~ Gamma(q + p x, v + x m_x)
    E[amount | x, m_x] = p (v + x m_x) / (p x + q - 1)

A customer without repeat purchases gives no likelihood and draws from the population. q > 1 keeps the mean finite.

Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4); Fader & Hardie (2013), The Gamma-Gamma
Model of Monetary Value, eq. 1a to 5. Their third parameter, gamma, is v here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytensor.tensor as pt

from clvmodels.models.contract import Array, Meaning, Parameter, Rows, SpendModel, Theta
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom

MEANINGS = (
    Meaning("mean amount of a purchase", "{currency}", lambda theta: theta["p"] * theta["v"] / (theta["q"] - 1.0)),
    Meaning("spread of one customer's amounts (sd / mean)", "", lambda theta: theta["p"] ** -0.5),
)


class GammaGamma(SpendModel):
    """See the module's text."""

    name = "gamma_gamma"
    title = "Gamma-Gamma"
    reference = "Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value, eq. 1a"
    observes = ("frequency", "monetary_value")
    meanings = MEANINGS
    parameters = (
        Parameter("p", "spend", "none", log_normal(3.0, 1.0), 1, "spend", "shape of a customer's amounts"),
        Parameter("q", "spend", "none", log_normal(2.0, 1.0), -1, "spend", "shape of the scales, above 1", lower=1.0),
        Parameter("v", "spend", "money", log_normal(20.0, 3.0), 1, "spend", "rate of the scales"),
    )

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """log f(m_x | x); 0 where nothing was bought again or for nothing. [R]"""
        p, q, v = theta["p"], theta["q"], theta["v"]
        seen = pt.gt(rows["frequency"], 0) & pt.gt(rows["monetary_value"], 0)
        x, m = pt.switch(seen, rows["frequency"], 1.0), pt.switch(seen, rows["monetary_value"], 1.0)
        total = x * m
        log_f = (
            pt.gammaln(p * x + q)
            - pt.gammaln(p * x)
            - pt.gammaln(q)
            - q * pt.log1p(total / v)
            - p * x * pt.log1p(v / total)
            - pt.log(m)
        )
        return pt.switch(seen, log_f, 0.0)

    def draw(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Mapping[str, Array]:
        """spend_rate: nu given the history, Gamma(q + p x, v + x m_x). [D, C]"""
        x, m = _seen(rows)
        return {"spend_rate": rng.gamma(theta["q"] + theta["p"] * x) / (theta["v"] + x * m), "shape": theta["p"]}

    def expected_spend(self, rows: Rows, theta: Theta) -> Array:
        """p (v + x m_x) / (p x + q - 1). [D, C]"""
        x, m = _seen(rows)
        return theta["p"] * (theta["v"] + x * m) / (theta["p"] * x + theta["q"] - 1.0)

    def spend_total(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        """The sum of n amounts is Gamma(p n, nu). [D, C, P]"""
        shape = np.broadcast_to(state["shape"], rng.shape)[..., None] * n
        return rng.gamma_periods(shape) / state["spend_rate"][..., None]


def _seen(rows: Rows) -> tuple[Array, Array]:
    """x and m_x, both 0 where no repeat purchase had an amount."""
    paid = (np.asarray(rows["frequency"]) > 0) & (np.asarray(rows["monetary_value"]) > 0)
    return np.where(paid, rows["frequency"], 0.0), np.where(paid, rows["monetary_value"], 0.0)


gamma_gamma = GammaGamma()
