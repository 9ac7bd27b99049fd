"""Beta-binomial: a purchase has its customer's own chance of an event; the chances differ as a beta distribution.

The story: with probability p_i each purchase of customer i is returned, or never paid, independently of the others;
p_i ~ Beta(mu phi, (1 - mu) phi) between customers, mean mu and precision phi. Of n purchases, k had the event:

    f(k events, in their order | n) = B(mu phi + k, (1 - mu) phi + n - k) / B(mu phi, (1 - mu) phi)
    p_i | k, n ~ Beta(mu phi + k, (1 - mu) phi + n - k)

It is the density of which purchases had the event, without the binomial coefficient. The mixture is that of Skellam
(1948), Journal of the Royal Statistical Society B 10(2); mean and precision as in Ferrari & Cribari-Neto (2004), Beta
Regression for Modelling Rates and Proportions, Journal of Applied Statistics 31(7).
"""

from __future__ import annotations

import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.costs.contract import CountModel
from clvmodels.models.parameters import Meaning, Parameter, Rows, Theta
from clvmodels.models.parts.beta_binomial import log_beta_binomial
from clvmodels.models.prior import Prior, log_normal
from clvmodels.randomness import KeyedRandom


class BetaBinomial(CountModel):
    """Events of which a purchase has one or none; `observes` names the purchases n and those with the event k."""

    reference = "Skellam (1948), Journal of the Royal Statistical Society B 10(2)"
    levels = ("mu",)

    def __init__(self, name: str, title: str, observes: tuple[str, ...], mean: Prior, event: str):
        self.name, self.title, self.provides, self.observes = name, title, frozenset({self.cost}), observes
        self.parameters = (
            Parameter("mu", self.cost, "none", mean, 1, event, f"{event}: mean between customers", upper=1.0),
            Parameter(
                "phi", self.cost, "none", log_normal(20.0, 1.5), 1, "likeness of customers", "precision of chances"
            ),
        )
        self.meanings = (Meaning(f"mean {event}", "", lambda theta: theta["mu"]),)

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        """log f(k events | n); 0 where nothing was bought. [R]"""
        n, k = (rows[name] for name in self.observes[:2])
        return log_beta_binomial(k, n, theta["mu"], theta["phi"])

    def draw_own(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Array:
        """p_i | k, n. [D, C]"""
        n, k = (rows[name] for name in self.observes[:2])
        mu, phi = theta["mu"], theta["phi"]
        return rng.beta(mu * phi + k, (1.0 - mu) * phi + n - k)

    def expected_own(self, rows: Rows, theta: Theta) -> Array:
        """(mu phi + k) / (phi + n). [D, C]"""
        n, k = (rows[name] for name in self.observes[:2])
        return (theta["mu"] * theta["phi"] + k) / (theta["phi"] + n)

    def draw_counts(self, own: Array, n: Array, rng: KeyedRandom) -> Array:
        """Binomial(n, p_i)."""
        return rng.binomial(n, own)
