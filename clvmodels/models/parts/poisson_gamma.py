"""Poisson purchases whose rates differ as a gamma distribution (Ehrenberg 1959): the NBD's purchase process.

lambda ~ Gamma(r, alpha), shape r and rate alpha; given lambda, repeat purchases are a Poisson process. Integrated
over lambda, the density of x purchases at given times, none in (t_x, tau), is

    g(tau) = Gamma(r + x) / Gamma(r) * alpha^r / (alpha + tau)^(r + x).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.parameters import Graph, Meaning, Parameter, Rows, Theta
from clvmodels.models.parts.contract import NOTHING_LEFT, Memoryless, Phase
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom

PARAMETERS = (
    Parameter("r", "purchases", "none", log_normal(1.0, 1.0), 1, "purchase rate", "shape of the purchase rates"),
    Parameter("alpha", "purchases", "time", log_normal(10.0, 1.5), -1, "purchase rate", "r / (mean purchase rate)"),
)
MEANINGS = (
    Meaning("mean purchases while active", "per {time_unit}", lambda theta: theta["r"] / theta["alpha"]),
    Meaning("spread of rates between customers (sd / mean)", "", lambda theta: theta["r"] ** -0.5),
)


class PoissonGamma(Memoryless):
    """The purchase process; see the module's text."""

    observes = ("frequency", "recency", "T")
    parameters = PARAMETERS
    meanings = MEANINGS
    levels = ("alpha",)

    def log_density(self, rows: Rows[Graph], until: Graph, theta: Theta[Graph]) -> Graph:
        """log g(until), with alpha^r / (alpha + until)^r as a power of 1 + until / alpha: exact where alpha is large.
        [R]"""
        x, r, alpha = rows["frequency"], theta["r"], theta["alpha"]
        log_gammas = pt.gammaln(r + x) - pt.gammaln(r)
        return log_gammas - r * pt.log1p(until / alpha) - x * pt.log(alpha + until)

    def log_ratio(self, rows: Rows[Graph], start: Graph, tau: Graph, theta: Theta[Graph]) -> Graph:
        """log g(start + tau) - log g(start)."""
        x, r, alpha = rows["frequency"], theta["r"], theta["alpha"]
        return -(r + x) * pt.log1p(tau / (alpha + start))

    def decay(self, rows: Rows[Graph], start: Graph, theta: Theta[Graph]) -> Graph:
        """(r + x) / (alpha + start), at least 1 / (alpha + start): g bends there however small r + x is."""
        x, r, alpha = rows["frequency"], theta["r"], theta["alpha"]
        return pt.maximum(r + x, 1.0) / (alpha + start)

    def reach(self, rows: Rows[Graph], start: Graph, theta: Theta[Graph]) -> Graph:
        """g falls as a power of alpha + t: (alpha + start) expm1(45 / (r + x))."""
        # below r + x = 0.063 the exponential overflows, inside a minimum that does not need it: 600 is far enough
        x, r, alpha = rows["frequency"], theta["r"], theta["alpha"]
        exponent = pt.minimum(NOTHING_LEFT / (r + x), 600.0)
        return (alpha + start) * pt.expm1(exponent)

    def draw(
        self, rows: Rows[Array], until: Array, theta: Theta[Array], rng: KeyedRandom
    ) -> tuple[Array, dict[str, Array]]:
        """lambda given the purchases, none in (t_x, until): Gamma(r + x, alpha + until). [D, C]"""
        rate = rng.gamma(theta["r"] + rows["frequency"]) / (theta["alpha"] + until)
        return rate, {}

    def mean_rate(self, rows: Rows[Array], until: Array, theta: Theta[Array]) -> Array:
        """E[lambda | history until `until`] = (r + x) / (alpha + until). [D, C]"""
        return (theta["r"] + rows["frequency"]) / (theta["alpha"] + until)

    def phases(self, rows: Rows[Array], until: Array, theta: Theta[Array]) -> Iterator[Phase]:
        """One: the process has no memory, and lambda is Gamma(r + x, alpha + until)."""
        shape = np.asarray(theta["r"] + rows["frequency"])
        exposure = np.asarray(theta["alpha"] + until)
        yield Phase(np.ones(()), 0, shape, exposure)
