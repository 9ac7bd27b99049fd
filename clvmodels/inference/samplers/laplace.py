"""Importance sampling around the mode: draws corrected by exact weights, and refused where these are too uneven.

Two ways, both judged by exact weights alone:

- `Thinning`: proposals are thinned by a polynomial that some exact values were fitted to (`surrogate`), so that nearly
  all that is evaluated is kept; draws come by rejection.
- `weigh`: ten proposals for each draw, all evaluated. It asks nothing of the density but weights that are bounded.

Why the draws of a thinning have the density p of the target. Points come from g(u) ~ q(u) clip(...), of which nothing
is approximated (`Thinned`); each is kept with probability min(1, w / M), where w = p / g is exact and M the largest
smoothed weight of S points. Kept points have a density proportional to min(p, M g): p itself, but for the mass where
w > M, of which a point in S is expected. Where the polynomial differs from the log density by far less than so many
draws can show (`NEAR_EXACT`), draws have the polynomial's own density; how far that is from p is measured, root mean
square, by the exact weights of S points apart.

Shapes: K = coordinates, S = evaluated points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clvmodels.errors import FitError, Problem
from clvmodels.inference.samplers.counted import Cost, Counted
from clvmodels.inference.samplers.mode import Mode, find_mode
from clvmodels.inference.samplers.proposals import Proposal, student_t
from clvmodels.inference.samplers.surrogate import Thinned, Values, thin, values_needed
from clvmodels.inference.target import Target

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

JUDGED = 300
"""Exact weights from which a thinned proposal is judged first."""
ROUNDS = 3
"""How often a polynomial is fitted anew, with more exact values."""
TRIES = 2
"""How often draws are judged: points whose weights were too uneven teach a polynomial what it missed."""
CLOSE = 0.1
"""Error of a polynomial, in log units, from which on further values are not worth their while."""
FAR = 0.15
"""Error of a polynomial above which another proposal is the better help, where there is one."""
FEWEST_KEPT, ENOUGH_KEPT = 0.15, 0.5
"""Share of evaluated points to be kept below which thinning saves nothing over ten proposals a draw; and below which
another proposal is the better help, where there is one."""
NEAR_EXACT = 0.1
"""Largest root mean square error of the polynomial's weights (mean one) times the root of the number of draws, at which
draws need not be evaluated one by one: by Cauchy and Schwarz no posterior mean is off by more than a tenth of its Monte
Carlo error."""
SPARE = 1.05
"""Points that are evaluated for each that is thought to be needed."""
MOST_VALUES = 600
"""Exact values to fit to from which on a polynomial costs as much as it saves."""
EVEN = 1.5
"""Largest exact weight, in means, up to which weights are even (by it Chatterjee & Diaconis 2018 judge a sample)."""


@dataclass(frozen=True, eq=False)
class LaplaceDraws:
    """Draws by importance resampling, with what is needed to judge them.

    Parameters
    ----------
    u : [draws, K]
        Independent draws in random order, all different.
    log_weights : [S]
        Pareto-smoothed log weights of all S proposals that were judged, normalised to sum to one.
    raw_log_weights : [S]
        Log density of the target less that of the proposal, as computed.
    proposals
        How many proposals the draws were taken from: S, or more where a polynomial is as good as exact.
    pareto_k
        k-hat, the shape of the tail of the raw weights.
    limit
        The k-hat above which the draws are refused, min(1 - 1/log10(S), 0.7).
    ess_limit
        The importance ESS below which they are refused: max(400, draws) by rejection, max(400, 2 draws) where draws are
        taken without replacement.
    mode
        The mode around which was sampled.
    cost
        Exact values and gradients of the log density that were computed, those for the proposal too.
    """

    u: np.ndarray
    log_weights: np.ndarray
    raw_log_weights: np.ndarray
    proposals: int
    pareto_k: float
    limit: float
    ess_limit: float
    mode: Mode
    cost: Cost

    @property
    def efficiency(self) -> float:
        """Effective proposals of each that was made: 1 / (S times the sum of squared smoothed weights)."""
        return _efficiency(self.log_weights)

    @property
    def importance_ess(self) -> float:
        """Effective proposals in all."""
        return self.proposals * self.efficiency

    @property
    def passed(self) -> bool:
        """Whether the weights are even enough; what is not a number is not."""
        return self.pareto_k <= self.limit and self.importance_ess >= self.ess_limit


class LaplaceRefused(FitError):
    """The importance weights are too uneven to trust; `draws` holds the draws and the weights that say so."""

    def __init__(self, draws: LaplaceDraws):
        self.draws = draws
        what = "the posterior is too far from its Laplace approximation to correct by importance sampling"
        k_hat = f"Pareto k-hat {draws.pareto_k:.2f} (at most {draws.limit:.2f})"
        proposals = f"{len(draws.log_weights)} proposals (at least {draws.ess_limit:.0f})"
        got = f"{k_hat}, importance ESS {draws.importance_ess:.0f} of {proposals}"
        super().__init__(Problem(what, got=got, known="Use method='nuts'"))


def laplace(target: Target, draws: int, seed: int, *, mode: Mode | None = None) -> LaplaceDraws:
    """Draws from a target by importance sampling from a Student t around its mode.

    Proposals are mode + 1.1 L z sqrt(7 / chi2_7) with L L' the inverse negative Hessian (Tierney & Kadane 1986 for the
    Gaussian), thinned by a polynomial; where that does not help, ten of them for each draw (`weigh`).

    Parameters
    ----------
    target
        The log density.
    draws
        How many draws.
    seed
        Same seed, same draws.
    mode
        Of `find_mode`, where it has been called already.

    Raises
    ------
    FitError
        No mode, or two of them.
    LaplaceRefused
        k-hat above min(1 - 1/log10(S), 0.7) for S weights; or too low an importance ESS. k-hat alone, as noisy as it
        is, lets a fifth of samples from a Cauchy target pass.
    """
    target = Counted.of(target)
    mode = mode or find_mode(target)
    rng = np.random.default_rng(seed)
    proposal = student_t(mode.u, mode.covariance)
    thinned = Thinning(target, mode, draws, rng).draw(proposal)
    return thinned or weigh(target, proposal, draws, rng, mode)


def weigh(target: Counted, proposal: Proposal, draws: int, rng: np.random.Generator, mode: Mode) -> LaplaceDraws:
    """Draws resampled from ten proposals each, without replacement, in proportion to the smoothed weights.

    Raises
    ------
    LaplaceRefused
        Weights too uneven to trust, or an importance ESS below max(400, 2 draws): without replacement as many
        different draws would take the light proposals for heavy ones.
    """
    size = max(PROPOSALS_PER_DRAW * draws, FEWEST)
    u = proposal.draw(size, rng)
    raw = target.value_many(u) - proposal.log_density(u)
    log_weights, pareto_k = _smooth(raw)
    weighted = LaplaceDraws(
        u=u[_resample(log_weights, draws, rng)],
        log_weights=log_weights,
        raw_log_weights=raw,
        proposals=size,
        pareto_k=pareto_k,
        limit=_largest_k(size),
        ess_limit=max(FEWEST_EFFECTIVE, 2 * draws),
        mode=mode,
        cost=target.cost,
    )
    if not weighted.passed:
        raise LaplaceRefused(weighted)
    return weighted


class Thinning:
    """Draws from thinned proposals. The exact values of one proposal help the next one's polynomial too."""

    def __init__(self, target: Counted, mode: Mode, draws: int, rng: np.random.Generator):
        self.target, self.mode, self.draws, self.rng = target, mode, draws, rng
        self.values = Values(np.empty((0, target.size)), np.empty(0))

    def draw(self, proposal: Proposal, *, last: bool = True) -> LaplaceDraws | None:
        """Draws that passed; None where thinning does not help, or the weights are too uneven.

        Parameters
        ----------
        last
            Whether there is no other proposal to turn to, where a polynomial stays far from the density.
        """
        needed = values_needed(self.target.size)
        if needed > MOST_VALUES:
            return None
        pilot = self._learn(proposal, needed)
        if np.isfinite(pilot).mean() < FEWEST_FINITE:
            return None
        thinned = thin(proposal, self.values)
        for _ in range(ROUNDS):
            if thinned.surrogate.error < CLOSE:
                break
            if thinned.surrogate.error > FAR and not last:
                return None
            self._learn(thinned, 2 * needed)
            thinned = thin(proposal, self.values)
        for _ in range(TRIES if last else 1):
            drawn = self._reject(thinned, pilot, FEWEST_KEPT if last else ENOUGH_KEPT)
            if drawn is not None and drawn.passed:
                return drawn
            thinned = thin(proposal, self.values)  # by now of all the values that were too uneven, too
        return None

    def _learn(self, proposal: Proposal, size: int) -> np.ndarray:
        """Exact values to fit to; their log weights. [size]"""
        return self._log_weights(proposal, proposal.draw(size, self.rng))

    def _reject(self, proposal: Thinned, pilot: np.ndarray, fewest_kept: float) -> LaplaceDraws | None:
        """Draws by rejection; None where too small a share of the points would be kept."""
        u = proposal.draw(JUDGED, self.rng)
        raw = self._log_weights(proposal, u)
        if _evenness(raw) < fewest_kept:
            return None
        if _error(proposal, u, raw) * np.sqrt(self.draws) <= NEAR_EXACT:
            return self._by_polynomial(proposal, raw, pilot)
        return self._by_exact_weights(proposal, u, raw, pilot)

    def _by_polynomial(self, proposal: Thinned, raw: np.ndarray, pilot: np.ndarray) -> LaplaceDraws:
        """Draws of the surrogate's own density, judged by the exact weights of other points."""
        log_weights, pareto_k, limit = _judge(raw, pilot)
        size = int(np.ceil(self._enough / _efficiency(log_weights)))
        u = proposal.without_floor().draw(size, self.rng)
        return self._drawn(u[: self.draws], size, raw, log_weights, pareto_k, limit)

    def _by_exact_weights(
        self, proposal: Thinned, u: np.ndarray, raw: np.ndarray, pilot: np.ndarray
    ) -> LaplaceDraws | None:
        """Each point is kept with probability w / max w, w its smoothed exact weight; points until enough are kept."""
        log_uniform = -self.rng.exponential(size=len(u))
        while True:
            log_weights, pareto_k, limit = _judge(raw, pilot)
            kept = log_uniform < log_weights - log_weights.max()
            share = min(kept.mean() / self.draws, _efficiency(log_weights) / self._enough)
            if share * len(u) >= 1.0:
                return self._drawn(u[kept][: self.draws], len(u), raw, log_weights, pareto_k, limit)
            size = int(np.ceil(SPARE / max(share, 1e-9))) - len(u)
            if len(u) + size > PROPOSALS_PER_DRAW * self._enough:
                return None
            more = proposal.draw(size, self.rng)
            u, raw = np.concatenate([u, more]), np.concatenate([raw, self._log_weights(proposal, more)])
            log_uniform = np.concatenate([log_uniform, -self.rng.exponential(size=size)])

    @property
    def _enough(self) -> int:
        return max(FEWEST_EFFECTIVE, self.draws)

    def _log_weights(self, proposal: Proposal, u: np.ndarray) -> np.ndarray:
        """Exact ones, [S]; what they are of is kept to fit the next polynomial to."""
        log_density = self.target.value_many(u)
        self.values = self.values.joined(Values.of(u, log_density))
        return log_density - proposal.log_density(u)

    def _drawn(self, u, proposals, raw, log_weights, pareto_k, limit) -> LaplaceDraws:
        return LaplaceDraws(u, log_weights, raw, proposals, pareto_k, limit, self._enough, self.mode, self.target.cost)


def _judge(raw: np.ndarray, pilot: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Smoothed log weights, k-hat and its limit.

    Thinned weights may be so even that their tail is the polynomial's last digits, of any shape and no consequence; it
    is then looked for among the weights of the proposals that were not thinned too.
    """
    log_weights, pareto_k = _smooth(raw)
    if _evenness(raw) * EVEN < 1.0:
        return log_weights, pareto_k, _largest_k(len(raw))
    together = np.concatenate([raw - _log_mean(raw), pilot - _log_mean(pilot)])
    return log_weights, _smooth(together)[1], _largest_k(len(together))


def _error(proposal: Thinned, u: np.ndarray, raw: np.ndarray) -> float:
    """Root mean square of exact less the surrogate's weights, both of mean one, at points of the thinned proposal."""
    of_surrogate = proposal.without_floor().log_density(u) - proposal.log_density(u)
    weights = [np.exp(log_weights - _log_mean(log_weights)) for log_weights in (raw, of_surrogate)]
    return float(np.sqrt(np.mean((weights[0] - weights[1]) ** 2)))


def _evenness(raw: np.ndarray) -> float:
    """The mean of the weights in their largest; 0 where none is finite."""
    highest = raw.max()
    return float(np.exp(raw - highest).mean()) if np.isfinite(highest) else 0.0


def _log_mean(raw: np.ndarray) -> float:
    return float(np.logaddexp.reduce(raw) - np.log(len(raw)))


def _efficiency(log_weights: np.ndarray) -> float:
    return float(np.exp(-np.logaddexp.reduce(2 * log_weights))) / len(log_weights)


def _largest_k(size: int) -> float:
    """k-hat above which so many weights are refused."""
    return min(1 - 1 / np.log10(size), LARGEST_K)


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
