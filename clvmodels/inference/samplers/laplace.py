"""Importance sampling around the mode: a heavy-tailed approximation, corrected, and refused where it cannot be.

Shapes: K = coordinates, S = proposals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clvmodels.errors import FitError, Problem
from clvmodels.inference.samplers.mode import Mode, find_mode
from clvmodels.inference.target import Target

DEGREES_OF_FREEDOM = 7
SCALE = 1.1
"""The proposal is a Student t with these: wider and heavier-tailed than the Gaussian of the Hessian, so that weights
stay bounded where the posterior's tail is the heavier one; but not by much, or most proposals would be wasted. On CDNOW
the efficiency is 0.6 to 0.9 and k-hat below 0.3."""
PROPOSALS_PER_DRAW = 10
"""Without replacement, fewer proposals flatten the weights."""
FEWEST = 2000
"""Proposals below which the tail of the weights, three roots of their number, is too short to judge."""
FEWEST_EFFECTIVE = 400
"""Importance ESS below which posterior intervals are noisy."""
LARGEST_K = 0.7
"""k-hat above which averages settle too slowly for any number of proposals; for few of them the limit is lower, that at
which S = 10^(1 / (1 - k)) (Vehtari et al. 2024, section 3.2.4)."""
FEWEST_FINITE = 0.25
"""Share of proposals of finite density below which the weights are not worth smoothing: they are refused."""
EQUAL = 1e-9
"""Range of log weights that are equal but for rounding: no tail to fit."""


@dataclass(frozen=True, eq=False)
class LaplaceDraws:
    """Draws by importance resampling, with what is needed to judge them.

    Parameters
    ----------
    u : [draws, K]
        Independent draws in random order, all different.
    log_weights : [S]
        Pareto-smoothed log weights of all S proposals, normalised to sum to one.
    raw_log_weights : [S]
        Log density of the target less that of the proposal, as computed.
    importance_ess
        1 / sum of squared smoothed weights.
    pareto_k
        k-hat, the shape of the tail of the raw weights.
    limit
        The k-hat above which the draws are refused, min(1 - 1/log10(S), 0.7).
    ess_limit
        The importance ESS below which they are refused, max(400, 2 draws).
    mode
        The mode around which was sampled.
    """

    u: np.ndarray
    log_weights: np.ndarray
    raw_log_weights: np.ndarray
    importance_ess: float
    pareto_k: float
    limit: float
    ess_limit: float
    mode: Mode

    @property
    def efficiency(self) -> float:
        """Effective proposals of each that was made: importance_ess / S."""
        return self.importance_ess / len(self.log_weights)


class LaplaceRefused(FitError):
    """The importance weights are too uneven to trust; `draws` holds the draws and the weights that say so."""

    def __init__(self, draws: LaplaceDraws):
        self.draws = draws
        what = "the posterior is too far from its Laplace approximation to correct by importance sampling"
        k_hat = f"Pareto k-hat {draws.pareto_k:.2f} (at most {draws.limit:.2f})"
        proposals = f"{len(draws.log_weights)} proposals (at least {draws.ess_limit:.0f})"
        got = f"{k_hat}, importance ESS {draws.importance_ess:.0f} of {proposals}"
        super().__init__(Problem(what, got=got, known="Use method='nuts'"))


def laplace(
    target: Target,
    draws: int,
    seed: int,
    *,
    proposals_per_draw: int = PROPOSALS_PER_DRAW,
    mode: Mode | None = None,
) -> LaplaceDraws:
    """Draws from a target by Pareto-smoothed importance resampling around its mode.

    Proposals are mode + 1.1 L z sqrt(7 / chi2_7) with L L' the inverse negative Hessian. Their weights are smoothed
    (Vehtari, Simpson, Gelman, Yao, Gabry 2024, "Pareto smoothed importance sampling") and `draws` of them are taken
    without replacement (successive draws in proportion to the weights), in random order.

    Parameters
    ----------
    target
        The log density.
    draws
        How many draws.
    seed
        Same seed, same draws.
    proposals_per_draw
        At least 10: without replacement, fewer proposals flatten the weights.
    mode
        Of `find_mode`, where it has been called already.

    Raises
    ------
    FitError
        No mode, or two of them.
    LaplaceRefused
        k-hat above min(1 - 1/log10(S), 0.7) for S proposals; or an importance ESS below max(400, 2 draws): without
        replacement as many different draws would take the light proposals for heavy ones. k-hat alone, as noisy as
        it is, lets a fifth of samples from a Cauchy target pass.
    """
    if draws < 1 or proposals_per_draw < PROPOSALS_PER_DRAW:
        got = f"{draws} draws, {proposals_per_draw} proposals each"
        advice = f"At least 1 draw and {PROPOSALS_PER_DRAW} proposals for each"
        raise FitError(Problem("too few draws or proposals", got=got, known=advice))
    mode = mode or find_mode(target)
    rng = np.random.default_rng(seed)
    proposals, log_proposal = _propose(mode, max(draws * proposals_per_draw, FEWEST), rng)
    return weigh(target, proposals, log_proposal, draws, rng, mode)


def weigh(
    target: Target, proposals: np.ndarray, log_proposal: np.ndarray, draws: int, rng: np.random.Generator, mode: Mode
) -> LaplaceDraws:
    """Draws resampled from proposals [S, K] whose log density [S] is known up to a constant; or a refusal.

    Raises
    ------
    LaplaceRefused
        Weights too uneven to trust.
    """
    raw = target.value_many(proposals) - log_proposal
    log_weights, pareto_k = _smooth(raw)
    chosen = _resample(log_weights, draws, rng)
    weighted = LaplaceDraws(
        u=proposals[chosen],
        log_weights=log_weights,
        raw_log_weights=raw,
        importance_ess=float(np.exp(-np.logaddexp.reduce(2 * log_weights))),
        pareto_k=pareto_k,
        limit=min(1 - 1 / np.log10(len(raw)), LARGEST_K),
        ess_limit=max(FEWEST_EFFECTIVE, 2 * draws),
        mode=mode,
    )
    # Written so that what is not a number is refused, too.
    if not (weighted.pareto_k <= weighted.limit and weighted.importance_ess >= weighted.ess_limit):
        raise LaplaceRefused(weighted)
    return weighted


def _propose(mode: Mode, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Student t proposals [S, K] and their log density [S], up to a constant."""
    k = len(mode.u)
    normal = rng.standard_normal((size, k))
    z = normal * np.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM, (size, 1)))
    factor = np.linalg.cholesky(mode.covariance)
    squares = (z**2).sum(axis=1)
    log_density = -0.5 * (DEGREES_OF_FREEDOM + k) * np.log1p(squares / DEGREES_OF_FREEDOM)
    return mode.u + SCALE * z @ factor.T, log_density


def _smooth(raw: np.ndarray) -> tuple[np.ndarray, float]:
    """Smoothed, normalised log weights and k-hat; all equal weights are perfect, and too few finite ones infinite."""
    finite = np.isfinite(raw)
    even = np.where(finite, -np.log(max(finite.sum(), 1)), -np.inf)
    if finite.mean() < FEWEST_FINITE:
        return even, np.inf
    if np.ptp(raw[finite]) < EQUAL:
        return even, -np.inf
    from arviz_stats.base import array_stats  # takes a second: what only reads posteriors does without

    # psislw expects log likelihoods of observations left out and negates them: ratios go in negated.
    log_weights, pareto_k = array_stats.psislw(-raw)
    return np.asarray(log_weights), float(pareto_k)


def _resample(log_weights: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Indices [draws], without replacement in proportion to the weights (Gumbel top-k), shuffled."""
    keys = log_weights + rng.gumbel(size=len(log_weights))
    return rng.permutation(np.argsort(keys, kind="stable")[::-1][:draws])
