"""Importance sampling around the mode: draws corrected by exact weights, and refused where these are too uneven.

Two ways, both judged by exact weights alone:

- `Thinning`: proposals are thinned by a polynomial that some exact values were fitted to (`surrogate`), so that nearly
  all that is evaluated is kept; draws come by rejection.
- `weigh`: ten proposals for each draw, all evaluated. It asks nothing of the density but weights that are bounded.

Why the draws of a thinning have the density p of the target. Points come from g(u) ~ q(u) clip(...), of which nothing
is approximated (`Thinned`); each is kept with probability min(1, w / M), where w = p / g is exact and all but a
thousandth of the weight lies below M. Kept points have a density proportional to min(p, M g): p itself, but for a
thousandth of its mass (`LOST`). Where the polynomial differs from the log density by far less than so many
draws can show (`NEAR_EXACT`), draws have the polynomial's own density; how far that is from p is measured, root mean
square, by the exact weights of S points apart.

Shapes: K = coordinates, S = evaluated points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from clvmodels.errors import FitError, Problem
from clvmodels.inference.samplers.counted import Cost, Counted
from clvmodels.inference.samplers.mode import Mode, find_mode
from clvmodels.inference.samplers.proposals import Proposal, student_t
from clvmodels.inference.samplers.surrogate import (
    DEGREES,
    HIGHEST_DEGREE,
    Thinned,
    Values,
    thin,
    values_needed,
    values_of_degree,
)
from clvmodels.inference.target import Target

PROPOSALS_PER_DRAW = 10
"""Without replacement, fewer proposals flatten the weights."""
MOST_PER_DRAW = 40
"""Proposals to which these are made up where weights are bounded, and only too few are effective."""
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
PATIENT = 2
"""Of a proposal that is the last one."""
TRIES = 2
"""How often draws are judged: points whose weights were too uneven teach a polynomial what it missed."""
HELPED = 0.7
"""Share of its error that a polynomial may keep with more values for still more to be worth their while."""
CLOSE = 0.1
"""Error of a polynomial, in log units, from which on further values are not worth their while."""
FAR = 0.15
"""Error of a polynomial above which another proposal is the better help, where there is one."""
FEWEST_KEPT, ENOUGH_KEPT = 0.2, 0.5
"""Share of evaluated points to be kept below which thinning saves nothing over ten proposals a draw; and below which
another proposal is the better help, where there is one."""
NEAR_EXACT = 0.1
"""Largest root mean square error of the polynomial's weights (mean one) times the root of the number of draws, at which
draws need not be evaluated one by one: by Cauchy and Schwarz no posterior mean is off by more than a tenth of its Monte
Carlo error."""
WORTH_IT = 0.8
"""Exact values for a polynomial that needs no rejection, and to judge it, over the draws, up to which it is tried."""
CAREFUL = 1.4
"""Exact values for such a polynomial, for each that one needs which rejection corrects."""
HEADROOM = 0.2
"""Log units above the largest exact weight up to which such a polynomial is followed: nothing corrects what is cut."""
SPARE = 1.05
"""Points that are evaluated for each that is thought to be needed."""
AMPLE = 1.2
"""Importance ESS that is aimed at, in limits: it is itself an estimate."""
MOST_VALUES = 600
"""Exact values to fit to from which on a polynomial costs as much as it saves."""
LOST = 0.001
"""Share of the weight that may lie above the bound of the rejection: one draw in a thousand. A bound at the largest
weight of all would pay for an outlier with most of the draws."""


@dataclass(frozen=True, eq=False)
class LaplaceDraws:
    """Draws by importance resampling, with what is needed to judge them.

    Parameters
    ----------
    u : [draws, K]
        Independent draws in random order, all different.
    log_weights : [S]
        Log weights of all S proposals that were judged, normalised to sum to one; of ten a draw, Pareto-smoothed.
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

    Where k-hat says that the weights are bounded and the importance ESS alone is too low, more proposals mend it: as
    many are added as it needs, and again where these found heavier weights, up to four times as many in all.

    Raises
    ------
    LaplaceRefused
        Weights too uneven to trust, or an importance ESS below max(400, 2 draws): without replacement as many
        different draws would take the light proposals for heavy ones.
    """
    size = max(PROPOSALS_PER_DRAW * draws, FEWEST)
    u = proposal.draw(size, rng)
    raw = target.value_many(u) - proposal.log_density(u)
    weighted = _weighed(u, raw, draws, rng, mode, target.cost)
    while missing := _missing(weighted, MOST_PER_DRAW * draws):
        more = proposal.draw(missing, rng)
        u = np.concatenate([u, more])
        raw = np.append(raw, target.value_many(more) - proposal.log_density(more))
        weighted = _weighed(u, raw, draws, rng, mode, target.cost)
    if not weighted.passed:
        raise LaplaceRefused(weighted)
    return weighted


def _weighed(
    u: np.ndarray, raw: np.ndarray, draws: int, rng: np.random.Generator, mode: Mode, cost: Cost
) -> LaplaceDraws:
    """Draws resampled from proposals u [S, K] of raw log weights [S]."""
    log_weights, pareto_k = _smooth(raw)
    return LaplaceDraws(
        u=u[_resample(log_weights, draws, rng)],
        log_weights=log_weights,
        raw_log_weights=raw,
        proposals=len(raw),
        pareto_k=pareto_k,
        limit=_largest_k(len(raw)),
        ess_limit=max(FEWEST_EFFECTIVE, 2 * draws),
        mode=mode,
        cost=cost,
    )


def _missing(weighted: LaplaceDraws, most: int) -> int:
    """How many proposals more make up for a low importance ESS; 0 where it is none, or nothing that more would mend."""
    if weighted.passed or weighted.pareto_k > weighted.limit:
        return 0
    wanted = int(np.ceil(AMPLE * weighted.ess_limit / weighted.efficiency))
    return wanted - weighted.proposals if wanted <= most else 0


class Thinning:
    """Draws from thinned proposals. The exact values of one proposal help the next one's polynomial too."""

    def __init__(self, target: Counted, mode: Mode, draws: int, rng: np.random.Generator):
        self.target, self.mode, self.draws, self.rng = target, mode, draws, rng
        self.values = Values(np.empty((0, target.size)), np.empty(0))

    def draw(self, proposal: Proposal, *, patience: int = PATIENT) -> LaplaceDraws | None:
        """Draws that passed; None where thinning does not help, or the weights are too uneven.

        Parameters
        ----------
        patience
            0 where another proposal is near at hand: one polynomial that stays far from the density is enough to turn
            to it. 1 where another one costs more; 2 where there is none.
        """
        needed = values_needed(self.target.size)
        if needed > MOST_VALUES:
            return None
        exact = self._exact(proposal.draw(needed, self.rng))
        if np.isfinite(exact).mean() < FEWEST_FINITE:
            return None
        thinned = thin(proposal, self.values)
        for _ in range(ROUNDS):
            if thinned.surrogate.error < CLOSE:
                break
            if thinned.surrogate.error > FAR and patience == 0:
                return None
            error_before = thinned.surrogate.error
            self._exact(thinned.draw(2 * needed, self.rng))
            thinned = thin(proposal, self.values)
            if thinned.surrogate.error > HELPED * error_before:
                break
        if thinned.surrogate.error > 2 * FAR and patience < PATIENT:
            return None
        thinned = self._as_good_as_exact(proposal, thinned)
        last = patience == PATIENT
        for _ in range(TRIES if last else 1):
            drawn = self._reject(thinned, FEWEST_KEPT if last else ENOUGH_KEPT)
            if drawn is not None and drawn.passed:
                return drawn
            thinned = thin(proposal, self.values)  # by now of all the values that were too uneven, too
        return None

    def _as_good_as_exact(self, proposal: Proposal, thinned: Thinned) -> Thinned:
        """By a polynomial of a higher degree, where it promises to need no rejection and fewer values than that takes.

        Of a larger base each degree more leaves less: what the last one left of the error is what the next will.
        """
        surrogate, allowed = thinned.surrogate, NEAR_EXACT / np.sqrt(self.draws)
        if not allowed < surrogate.error < CLOSE or surrogate.degree == DEGREES[0]:
            return thinned
        share_left = surrogate.error / thin(proposal, self.values, (surrogate.degree - 1,)).surrogate.error
        promised = surrogate.error
        for degree in range(surrogate.degree + 1, HIGHEST_DEGREE + 1):
            promised *= share_left
            missing = int(CAREFUL * values_of_degree(self.target.size, degree)) - len(self.values.u)
            if missing + JUDGED > WORTH_IT * self._enough:
                break
            if promised < allowed:
                self._exact(thinned.draw(max(missing, 0), self.rng))
                exact = thin(proposal, self.values, (degree - 1, degree))
                return replace(exact, cap=exact.cap + HEADROOM)
        return thinned

    def _reject(self, proposal: Thinned, fewest_kept: float) -> LaplaceDraws | None:
        """Draws by rejection; None where too small a share of the points would be kept."""
        weighed = Weighed(proposal, self._exact)
        weighed.add(JUDGED, self.rng)
        if weighed.share_kept < fewest_kept:
            return None
        if weighed.error * np.sqrt(self.draws) <= NEAR_EXACT:
            size = int(np.ceil(self._enough / weighed.efficiency))
            u = proposal.of_surrogate().draw(size, self.rng)[: self.draws]
            return weighed.as_draws(u, size, self._enough, self.mode, self.target.cost)
        while (missing := self._missing(weighed)) > 0:
            if len(weighed.raw) + missing > self._enough / FEWEST_KEPT:
                return None
            weighed.add(missing, self.rng)
        return weighed.as_draws(weighed.kept[: self.draws], len(weighed.raw), self._enough, self.mode, self.target.cost)

    def _missing(self, weighed: Weighed) -> int:
        """How many more points are needed, about."""
        shares = len(weighed.kept) / self.draws, weighed.efficiency * len(weighed.raw) / self._enough
        smaller = max(min(shares), 1e-9)
        if smaller >= 1.0:
            return 0
        return int(np.ceil((SPARE / smaller - 1.0) * len(weighed.raw)))

    @property
    def _enough(self) -> int:
        return max(FEWEST_EFFECTIVE, self.draws)

    def _exact(self, u: np.ndarray) -> np.ndarray:
        """Exact values [S], kept to fit the next polynomial to."""
        log_density = self.target.value_many(u)
        self.values = self.values.joined(Values.of(u, log_density))
        return log_density


class Weighed:
    """Points of a thinned proposal with their exact weights; which are kept is decided when all are there."""

    def __init__(self, proposal: Thinned, exact: Callable[[np.ndarray], np.ndarray]):
        self.proposal, self.exact = proposal, exact
        self.u = np.empty((0, proposal.surrogate.size))
        self.raw, self.unthinned, self.left_out, self._log_uniform = np.empty((4, 0))

    def add(self, size: int, rng: np.random.Generator) -> None:
        """So many more points."""
        u, left_out = self.proposal.draw_with_rest(size, rng)
        log_density = self.exact(u)
        self.u = np.concatenate([self.u, u])
        self.raw = np.append(self.raw, log_density - self.proposal.log_density(u))
        self.unthinned = np.append(self.unthinned, log_density - self.proposal.surrogate.proposal.log_density(u))
        self.left_out = np.append(self.left_out, left_out)
        self._log_uniform = np.append(self._log_uniform, -rng.exponential(size=size))

    @property
    def kept(self) -> np.ndarray:
        """Points kept with probability w / M, independent and of equal weight."""
        return self.u[self._log_uniform < self.raw - self._log_bound]

    @property
    def share_kept(self) -> float:
        """The mean of the weights in their bound; 0 where none is finite."""
        if not np.isfinite(self.raw.max()):
            return 0.0
        return float(np.exp(np.minimum(self.raw - self._log_bound, 0.0)).mean())

    @property
    def efficiency(self) -> float:
        """Effective points of each."""
        return _efficiency(self.raw)

    @property
    def error(self) -> float:
        """Root mean square of exact less surrogate's weights, both of mean one."""
        of_surrogate = self.proposal.of_surrogate().log_density(self.u) - self.proposal.log_density(self.u)
        approximate = np.exp(of_surrogate - _log_mean(of_surrogate))
        exact = np.exp(self.raw - _log_mean(self.raw))
        return float(np.sqrt(np.mean((exact - approximate) ** 2)))

    @property
    def _log_bound(self) -> float:
        """Log M: a thousandth of the weight lies above it."""
        return _log_bound(self.raw)

    def as_draws(self, u: np.ndarray, proposals: int, enough: int, mode: Mode, cost: Cost) -> LaplaceDraws:
        """Draws with what judges them.

        k-hat is of the proposals' weights, as if none had been thinned: exact where they were evaluated, the
        surrogate's where they were left out, which are the small ones. A thinned point weighs ten times as much at
        most, so that the tail is no heavier. The thinned weights themselves may be so even that their tail is the last
        digits of the polynomial, of any shape and no consequence.
        """
        proposals_weights = np.concatenate([self.unthinned, self.left_out])
        _, pareto_k = _smooth(proposals_weights)
        log_weights = self.raw - np.logaddexp.reduce(self.raw)
        limit = _largest_k(len(proposals_weights))
        return LaplaceDraws(u, log_weights, self.raw, proposals, pareto_k, limit, enough, mode, cost)


def _log_bound(raw: np.ndarray) -> float:
    """The log of the M above which lies a thousandth of the weight: sum of (w - M)+ = 0.001 sum of w."""
    highest = raw.max()
    weights = np.exp(np.sort(raw)[::-1] - highest)
    of_largest = np.cumsum(weights)
    above = of_largest - np.arange(1, len(weights) + 1) * weights
    # `above` is the weight beyond the n-th largest: between two of them the bound is linear in it.
    lost = LOST * weights.sum()
    n = np.searchsorted(above, lost, side="right")
    bound = (of_largest[n - 1] - lost) / n
    return float(np.log(bound) + highest)


def _log_mean(raw: np.ndarray) -> float:
    return float(np.logaddexp.reduce(raw) - np.log(len(raw)))


def _efficiency(raw: np.ndarray) -> float:
    """(sum w)^2 / (S sum w^2)."""
    log_sum = np.logaddexp.reduce(raw)
    log_sum_of_squares = np.logaddexp.reduce(2 * raw)
    return float(np.exp(2 * log_sum - log_sum_of_squares)) / len(raw)


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
