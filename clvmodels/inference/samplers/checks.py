"""Whether draws may be trusted, each check with what was found, its limit and what follows if it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:  # what a stored posterior's checks are read with knows no sampler
    from clvmodels.inference.samplers.laplace import LaplaceDraws
    from clvmodels.inference.samplers.mle import MleResult
    from clvmodels.inference.samplers.nuts import NutsDraws

RHAT = 1.01
"""Largest R-hat at which chains agree."""
ESS_PER_CHAIN = 100
"""Effective draws a chain from which R-hat and the quantiles of a chain are themselves known well enough."""
MAXIMUM = "maximum found"
"""The one check of method "mle"."""
CHECK_NAMES = ("R-hat", "bulk ESS", "tail ESS", "divergences", "Pareto k-hat", "importance ESS", MAXIMUM)
"""What posteriors may fail, and may be allowed to have failed."""


class Check(NamedTuple):
    """One sampling check: its name, what was found, the limit, whether it passed, and what a failure means."""

    check: str
    found: float
    limit: float
    passed: bool
    consequence: str


def nuts_checks(draws: NutsDraws, names: Sequence[str]) -> list[Check]:
    """R-hat, bulk and tail ESS of the worst coordinate, and divergences.

    Limits: R-hat (rank-normalised, split) at most 1.01, effective sample sizes at least 100 per chain (Vehtari,
    Gelman, Simpson, Carpenter, Buerkner 2021), no divergence. What is not a number fails.
    """
    from arviz_stats.base import array_stats

    enough = float(ESS_PER_CHAIN * draws.u.shape[0])
    rhat = array_stats.rhat(draws.u, chain_axis=0, draw_axis=1)
    bulk = array_stats.ess(draws.u, chain_axis=0, draw_axis=1, method="bulk")
    tail = array_stats.ess(draws.u, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))
    divergences = float(np.sum(draws.sample_stats["diverging"]))
    return [
        _worst("R-hat", rhat, RHAT, names, at_most=True, consequence="the chains disagree"),
        _worst("bulk ESS", bulk, enough, names, at_most=False, consequence="posterior means are noisy"),
        _worst("tail ESS", tail, enough, names, at_most=False, consequence="posterior intervals are noisy"),
        Check("divergences", divergences, 0.0, divergences == 0, "parts of the posterior may not have been visited"),
    ]


def laplace_checks(draws: LaplaceDraws) -> list[Check]:
    """Pareto k-hat of the importance weights, and their effective sample size (at least 400, and twice the draws)."""
    return [
        Check(
            "Pareto k-hat",
            draws.pareto_k,
            draws.limit,
            bool(draws.pareto_k <= draws.limit),
            "the approximation at the mode misses a tail of the posterior: use method='nuts'",
        ),
        Check(
            "importance ESS",
            draws.importance_ess,
            draws.ess_limit,
            bool(draws.importance_ess >= draws.ess_limit),
            "few proposals carry the weight, posterior intervals are noisy",
        ),
    ]


def mle_checks(maximum: MleResult) -> list[Check]:
    """Whether the climb ended at a maximum; some likelihoods rise for ever."""
    consequence = "the estimates are not the likeliest ones"
    if maximum.problem:
        consequence = f"not a maximum: {maximum.problem}"
    return [Check(MAXIMUM, float(maximum.converged), 1.0, maximum.converged, consequence)]


def _worst(
    check: str, values: np.ndarray, limit: float, names: Sequence[str], *, at_most: bool, consequence: str
) -> Check:
    """The check at its worst coordinate; a coordinate that is not a number is worst of all."""
    sign = 1.0 if at_most else -1.0
    badness = np.where(np.isnan(values), np.inf, sign * values)
    worst = int(np.argmax(badness))
    value = float(values[worst])
    passed = sign * value <= sign * limit  # false for what is not a number
    return Check(check, value, limit, passed, f"{consequence}, most of all about {names[worst]}")
