"""Regular buyers: purchases at every k-th event of a Poisson process whose rates differ as a gamma distribution.

lambda ~ Gamma(r, alpha), shape r and rate alpha, is the rate of stages; a purchase is made at every k-th of them, so
that gaps between purchases are Erlang-k with mean k / lambda. With k = 1 buyers are as irregular as in the NBD, the
larger k the more regular. Given lambda, the density of x purchases with gaps g_i, fewer than k stages in (t_x, tau), is

    lambda^(kx) exp(-lambda tau) prod g_i^(k-1) / (k-1)!^x * sum over j < k of (lambda (tau - t_x))^j / j!,

and integrated over lambda, with s = r + kx, z = (tau - t_x) / (alpha + tau) and (s)_j = s (s + 1) ... (s + j - 1),

    g(tau) = Gamma(s) / Gamma(r) alpha^r / (alpha + tau)^s  prod g_i^(k-1) / (k-1)!^x  sum over j < k of (s)_j z^j / j!.

The j-th term of the sum is the share of those who have passed j stages since the last purchase; their lambda is
Gamma(s + j, alpha + tau). The gaps enter by the sum of their logs, in the time unit of the fit; without it, densities
of different k would not compare.

Chatfield & Goodhardt (1973), A Consumer Purchasing Model with Erlang Inter-Purchase Times, JASA 68(344); Platzer &
Reutterer (2016), Ticking Away the Moments: Timing Regularity Helps to Better Predict Customer Activity, Marketing
Science 35(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import lgamma

import numpy as np
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.parameters import Graph, Meaning, Parameter, Rows, Theta
from clvmodels.models.parts.contract import Phase, Purchases
from clvmodels.models.parts.poisson_gamma import PoissonGamma
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom


class ErlangGamma(Purchases):
    """The purchase process; see the module's text.

    The prior of alpha is that of a Poisson process of stages k times as fast, so that purchase rates have the same
    prior whatever k. Not memoryless, for k = 1 neither: a variant of k goes with what the others go with.
    """

    levels = ("alpha",)

    def __init__(self, k: int):
        self.stages = k
        self._every_stage = PoissonGamma()
        gaps = ("sum_log_gaps",) if k > 1 else ()
        self.observes = (*self._every_stage.observes, *gaps)
        self.parameters = (
            Parameter("r", "purchases", "none", log_normal(1.0, 1.0), 1, "purchase rate", "shape of the stages' rates"),
            Parameter(
                "alpha",
                "purchases",
                "time",
                log_normal(10.0 / k, 1.5),
                -1,
                "purchase rate",
                f"r / (mean rate of stages), {k} to a purchase",
            ),
        )
        self.meanings = (
            Meaning("mean purchases while active", "per {time_unit}", lambda theta: theta["r"] / theta["alpha"] / k),
            Meaning("spread of rates between customers (sd / mean)", "", lambda theta: theta["r"] ** -0.5),
        )

    def log_density(self, rows: Rows[Graph], until: Graph, theta: Theta[Graph]) -> Graph:
        """log g(until): of the stages, as a Poisson process's, of the gaps, and of the silence. [R]"""
        of_stages = self._every_stage.log_density(self._in_stages(rows), until, theta)
        if self.stages == 1:
            return of_stages
        of_gaps = (self.stages - 1) * rows["sum_log_gaps"] - rows["frequency"] * lgamma(self.stages)
        return of_stages + of_gaps + self._log_silence(rows, until, theta)

    def _log_silence(self, rows: Rows[Graph], until: Graph, theta: Theta[Graph]) -> Graph:
        """log of the sum over j < k of (s)_j z^j / j!, by Horner's scheme: no power and no log of 0 where z = 0. [R]"""
        s = theta["r"] + self.stages * rows["frequency"]
        z = (until - rows["recency"]) / (theta["alpha"] + until)
        beyond_first = 0.0
        for j in range(self.stages - 1, 0, -1):
            beyond_first = (s + (j - 1)) * z / j * (1.0 + beyond_first)
        return pt.log1p(beyond_first)

    def _in_stages(self, rows: Rows[Graph]) -> Rows[Graph]:
        """The history as that of a Poisson process: k events to a purchase."""
        return {**rows, "frequency": self.stages * rows["frequency"]}

    def phases(self, rows: Rows[Array], until: Array, theta: Theta[Array]) -> Iterator[Phase]:
        """j < k stages passed since the last purchase, weight (s)_j z^j / j!; lambda ~ Gamma(s + j, alpha + until)."""
        s = np.asarray(theta["r"] + self.stages * rows["frequency"], dtype=float)
        exposure = np.asarray(theta["alpha"] + until, dtype=float)
        z = (until - rows["recency"]) / exposure
        weights = [np.ones(np.broadcast(s, z).shape)]
        for j in range(1, self.stages):
            weights.append(weights[-1] * (s + (j - 1)) * z / j)
        total = sum(weights)
        for j, weight in enumerate(weights):
            yield Phase(weight / total, j, s + j, exposure)

    def draw(
        self, rows: Rows[Array], until: Array, theta: Theta[Array], rng: KeyedRandom
    ) -> tuple[Array, dict[str, Array]]:
        """Purchases per time unit, lambda / k, and the phase: given the history first the phase, then lambda. [D, C]"""
        goal, phase = rng.uniform(), np.zeros(rng.shape)
        cumulative: Array = np.zeros(())
        for possible in self.phases(rows, until, theta):
            cumulative = cumulative + possible.weight
            phase += goal >= cumulative
        phase = np.minimum(phase, self.stages - 1.0)  # the weights add up to 1 but for rounding
        shape, exposure = theta["r"] + self.stages * rows["frequency"], theta["alpha"] + until
        return rng.gamma(shape + phase) / exposure / self.stages, {"phase": phase}
