"""Gamma-Poisson: events that come with purchases, any number of them, at a customer's own rate a purchase.

The story: with each purchase of customer i come Poisson(c_i) service contacts (or referrals), c_i ~ Gamma(r, r / mu)
between customers, shape r and mean mu. Of n purchases came k events:

    P(k | n) = Gamma(r + k) / (Gamma(r) k!) (r / (r + n mu))^r (n mu / (r + n mu))^k
    c_i | k, n ~ Gamma(r + k, r / mu + n)

The exposure is the number of purchases, the first among them. Where customers are alike (r large) P(k | n) is nearly
Poisson: it is written so that what depends on r, however little, is no difference of large log gammas.

Greenwood & Yule (1920), Journal of the Royal Statistical Society 83(2); with an exposure as in Gelman et al. (2013),
Bayesian Data Analysis, section 2.6.
"""

from __future__ import annotations

import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.costs.contract import CountModel
from clvmodels.models.parameters import Meaning, Parameter, Rows, Theta
from clvmodels.models.prior import Prior, log_normal
from clvmodels.models.spend.gamma_gamma import stirling_error
from clvmodels.randomness import KeyedRandom


class GammaPoisson(CountModel):
    """See the module's text; `observes` names the purchases n and the events k."""

    reference = "Greenwood & Yule (1920), Journal of the Royal Statistical Society 83(2)"
    levels = ("mu",)

    def __init__(self, name: str, title: str, observes: tuple[str, str], mean: Prior, events: str):
        self.name, self.title, self.provides, self.observes = name, title, frozenset({self.cost}), observes
        self.parameters = (
            Parameter("mu", self.cost, "none", mean, 1, events, f"{events} a purchase: mean between customers"),
            Parameter("r", self.cost, "none", log_normal(1.0, 1.0), 1, "likeness of customers", "shape of the rates"),
        )
        self.meanings = (
            Meaning(f"mean {events}", "per purchase", lambda theta: theta["mu"]),
            Meaning("spread of rates between customers (sd / mean)", "", lambda theta: theta["r"] ** -0.5),
        )

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """log P(k | n); 0 where nothing was bought. [R]"""
        n, k = (rows[name] for name in self.observes)
        r, mean = theta["r"], pt.switch(pt.gt(n, 0), n, 1.0) * theta["mu"]
        log_p = (
            (r + k) * pt.log1p((k - mean) / (r + mean))
            - pt.log1p(k / r) / 2
            + stirling_error(r + k)
            - stirling_error(r)
            + k * pt.log(mean)
            - k
            - pt.gammaln(k + 1.0)
        )
        return pt.switch(pt.gt(n, 0), log_p, 0.0)

    def draw_own(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Array:
        """c_i | k, n. [D, C]"""
        n, k = (rows[name] for name in self.observes)
        return rng.gamma(theta["r"] + k) / (theta["r"] / theta["mu"] + n)

    def expected_own(self, rows: Rows, theta: Theta) -> Array:
        """(r + k) / (r / mu + n). [D, C]"""
        n, k = (rows[name] for name in self.observes)
        return (theta["r"] + k) / (theta["r"] / theta["mu"] + n)

    def draw_counts(self, own: Array, n: Array, rng: KeyedRandom) -> Array:
        """Poisson(n c_i)."""
        return rng.poisson(own * n)
