"""Leaving by the toss of a coin at purchases, with a probability that differs between customers as a beta.

p ~ Beta(a, b). After each repeat purchase (BG/NBD), or after each purchase, the first too (MBG/NBD), the customer
leaves with probability p. With n coins tossed,

    P(n survived) = B(a, b + n) / B(a, b),        P(n-th falls) = B(a + 1, b + n - 1) / B(a, b).

Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2); the coin after
the first purchase: Batislam, Denizel & Filiztekin (2007), International Journal of Research in Marketing 24(3).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt
from scipy.special import gammaln

from clvmodels.draws import Array
from clvmodels.models.contract import State
from clvmodels.models.kernels import kernel, over_times
from clvmodels.models.parameters import Graph, Handle, Meaning, Parameter, Rows, Theta, Value
from clvmodels.models.parts.coin import CoinLifetime
from clvmodels.models.parts.contract import OnCalendar, Purchases
from clvmodels.models.parts.mean_odds import moved_mean
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom

PARAMETERS = (
    Parameter("a", "lifetime", "none", log_normal(1.0, 1.0), 1, "dropout", "weight of leaving after a purchase"),
    Parameter("b", "lifetime", "none", log_normal(3.0, 1.0), 1, "staying", "weight of staying after a purchase"),
)
MEANINGS = (
    Meaning("mean chance of leaving after a purchase", "", lambda theta: theta["a"] / (theta["a"] + theta["b"])),
    Meaning("certainty of that chance (a + b)", "", lambda theta: theta["a"] + theta["b"]),
)
HANDLES = (
    Handle(
        "dropout_mean",
        "lifetime",
        "dropout",
        "mean chance of leaving after a purchase, a / (a + b), on the logit scale; a + b stays",
        moved_mean("a", "b"),
    ),
)


class BetaCoin(CoinLifetime):
    """The coin; `first` says whether it is tossed after the first purchase too.

    Both coefficients multiply upwards: on `a` alone a positive one raises dropout, on `b` alone it raises staying,
    tied on both it leaves the mean dropout a / (a + b) as it is and makes customers more alike. What moves the mean
    is `dropout_mean`.
    """

    parameters = PARAMETERS
    meanings = MEANINGS
    handles = HANDLES
    levels = ("dropout_mean",)

    def __init__(self, first: bool):
        self.first = first

    def tosses(self, rows: Rows[Value]) -> Value:
        """Coins tossed until T: x, or x + 1 where the first purchase counts."""
        return rows["frequency"] + 1 if self.first else rows["frequency"]

    def log_survival(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log P(all tosses survived). [R]"""
        return _log_survived(theta["a"], theta["b"], self.tosses(rows), pt.gammaln)

    def log_ended(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log P(the last toss fell, none before); minus infinity, with gradient 0, where none was tossed. [R]"""
        a, b, n = theta["a"], theta["b"], self.tosses(rows)
        safe = pt.maximum(n, 1.0)  # before the switch, so that no gradient is infinite times 0
        # B(a + 1, b + n - 1) / B(a, b), Gamma(a + 1) / Gamma(a) being a
        log_gammas = pt.log(a) + pt.gammaln(b + safe - 1) - pt.gammaln(b)
        log_fell = log_gammas + pt.gammaln(a + b) - pt.gammaln(a + b + safe)
        return pt.switch(pt.gt(n, 0), log_fell, -np.inf)

    def draw_residual(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Purchases left of a customer alive at T: p ~ Beta(a, b + n), then geometric(p), at least 1. [D, C]"""
        p = rng.beta(theta["a"], theta["b"] + self.tosses(rows))
        with np.errstate(divide="ignore"):
            left = np.ceil(np.log1p(-rng.uniform()) / np.log1p(-p))  # p = 0: inf; p = 1: 0, raised to 1
        return np.maximum(left, 1.0), {"dropout_probability": p}

    def draw_ended(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """p of a customer whose last coin fell: Beta(a + 1, b + n - 1). [D, C]"""
        tosses = np.maximum(self.tosses(rows), 1.0)
        return {"dropout_probability": rng.beta(theta["a"] + 1.0, theta["b"] + tosses - 1.0)}

    def own_chance(self, theta: Theta[Array], state: State) -> Array:
        return state.extra["dropout_probability"]

    def survives(self, rows: Rows[Array], theta: Theta[Array], n: Array) -> Array:
        """B(a, b' + n) / B(a, b'), b' = b + tosses until T. [D, C]"""
        return np.exp(_log_survived(theta["a"], theta["b"] + self.tosses(rows), n, gammaln))

    def falls(self, rows: Rows[Array], theta: Theta[Array], n: Array) -> Array:
        """B(a + 1, b' + n - 1) / B(a, b'), n >= 1. [D, C]"""
        a, b = theta["a"], theta["b"] + self.tosses(rows)
        return self.survives(rows, theta, n - 1.0) * a / (a + b + n - 1.0)

    def expected_purchases(
        self, purchases: OnCalendar[Purchases], rows: Rows[Array], theta: Theta[Array], t: Array
    ) -> Array:
        """E[purchases in (T, T + t] | alive], the one after which the coin falls included. [D, C, P]

        Stages come at a rate Gamma(shape, exposure), k to a purchase, j of them passed at T; p ~ Beta(a, b'). With
        q_m the negative binomial probability that m stages would come, S_i = B(a, b' + i) / B(a, b') that i coins are
        survived, all terms positive,

            sum over m >= 1 of q_m (S_0 + ... + S_{n(m) - 1}),        n(m) = floor((j + m) / k).

        For k = 1 equal to eq. 10 of Fader, Hardie & Lee (2005) without its poles at a = 1 and its hypergeometric
        function.
        """
        a, b = theta["a"], theta["b"] + self.tosses(rows)
        k = float(purchases.process.stages)
        age = purchases.operational_age(rows, rows["T"], theta)
        ahead = purchases.ahead(rows, t, theta)
        total: Array = np.zeros(())
        for phase in purchases.process.phases(rows, age, theta):
            of_phase = over_times(_until_coins, phase.shape, phase.exposure, a, b, k, float(phase.passed), t=ahead)
            total = total + np.asarray(phase.weight)[..., None] * of_phase
        return total

    def chance_of_purchase(
        self, purchases: OnCalendar[Purchases], rows: Rows[Array], theta: Theta[Array], start: float, end: float
    ) -> Array:
        """The sum over n of P(n purchases before `start`, whose coins are all survived) times P(one or more before
        `end` | n until `start`)."""
        age = purchases.operational_age(rows, rows["T"], theta)
        phase = next(iter(purchases.process.phases(rows, age, theta)))  # memoryless purchases have but one
        numbers = (phase.shape, phase.exposure, theta["a"], theta["b"] + self.tosses(rows), start)
        return over_times(_chances_after, *numbers, t=np.asarray([end]))[..., 0]


def _log_survived(a: Value, b: Value, n: Value, log_gamma: Callable[..., Value]) -> Value:
    """log of B(a, b + n) / B(a, b), by the log gamma function of PyTensor or SciPy."""
    return log_gamma(b + n) - log_gamma(b) + log_gamma(a + b) - log_gamma(a + b + n)


MOST_STAGES = 1e8
"""Where the sum over stages is given up: more stages than any purchase process passes in the time asked for."""
STAGES_AT_ONCE = 16
"""Between two looks at whether a period is exact."""
NEGLIGIBLE = 1e-17
"""Of the total: less than half the last digit of a double."""
LARGE, SMALL, LOG_LARGE = 1e200, 1e-200, 200.0 * np.log(10.0)
"""A total beyond which numbers are scaled down, its inverse, and its log."""


@kernel("void(float64, float64, float64, float64, float64, float64, float64[::1], float64[::1])")
def _until_coin(shape, exposure, a, b, k, j, t, out):  # pragma: no cover - compiled
    """The sum over stages m, all periods at once: they share S_0 + S_1 + ... (`bought`), and each has its own q_m,
    relative to q_0, which may underflow and is kept in `log_scale`.

    `first` is the first period that is not yet exact: where they increase, it ends before the later ones do.
    """
    z = t / (exposure + t)
    log_scale = -shape * np.log1p(t / exposure)
    q, total = np.ones(t.size), np.zeros(t.size)
    survived, bought, coins, m, phase = 1.0, 0.0, 0.0, 0.0, j
    first = 0
    while first < t.size and m < MOST_STAGES:
        for _ in range(STAGES_AT_ONCE):
            ratio = (shape + m) / (m + 1.0)
            m += 1.0
            phase += 1.0
            if phase >= k:
                phase = 0.0
                bought += survived
                survived *= (b + coins) / (a + b + coins)
                coins += 1.0
            for p in range(first, t.size):
                q[p] *= z[p] * ratio
                total[p] += q[p] * bought
        growth = 1.0 if bought == 0.0 else survived / bought
        exact = True
        for p in range(first, t.size):
            # terms fall by `shrink` at least: those to come are less than a geometric series
            shrink = z[p] * (shape + m) / (m + 1.0) * (1.0 + growth)
            exact = exact and shrink < 1.0 and q[p] * bought <= NEGLIGIBLE * total[p] * (1.0 - shrink)
            first += exact
            if total[p] > LARGE:
                q[p] *= SMALL
                total[p] *= SMALL
                log_scale[p] += LOG_LARGE
    for p in range(t.size):
        out[p] = total[p] * np.exp(log_scale[p])


@kernel(f"void({'float64[::1], ' * 6}float64[:, ::1], float64[:, ::1])")
def _until_coins(shape, exposure, a, b, k, j, t, out):  # pragma: no cover - compiled
    """`_until_coin` of every row."""
    for i in range(len(out)):
        _until_coin(shape[i], exposure[i], a[i], b[i], k[i], j[i], t[i], out[i])


@kernel("float64(float64, float64, float64, float64, float64, float64)")
def _chance_after(shape, exposure, a, b, start, end):  # pragma: no cover - compiled
    """P(a purchase between `start` and `end`), a stage being a purchase.

    q is the probability of n purchases before `start` relative to that of none, which may underflow and is kept in
    `log_scale`; `silent` is that of none in the window after n before it.
    """
    z = start / (exposure + start)
    log_scale = -shape * np.log1p(start / exposure)
    log_silent = -np.log1p((end - start) / (exposure + start))
    silent, silent_once_more = np.exp(shape * log_silent), np.exp(log_silent)
    q, survived, total, n = 1.0, 1.0, 0.0, 0.0
    while n < MOST_STAGES:
        total += q * survived * (1.0 - silent)
        ratio = z * (shape + n) / (n + 1.0)
        q *= ratio
        survived *= (b + n) / (a + b + n)
        silent *= silent_once_more
        n += 1.0
        # the ratios of terms to come are between this one and z: they are less than a geometric series
        shrink = max(ratio, z)
        if shrink < 1.0 and q * survived <= NEGLIGIBLE * total * (1.0 - shrink):
            break
        if q > LARGE or total > LARGE:
            q *= SMALL
            total *= SMALL
            log_scale += LOG_LARGE
    return total * np.exp(log_scale)


@kernel(f"void({'float64[::1], ' * 5}float64[:, ::1], float64[:, ::1])")
def _chances_after(shape, exposure, a, b, start, t, out):  # pragma: no cover - compiled
    """`_chance_after` of every row and end."""
    for i in range(len(out)):
        for p in range(t.shape[1]):
            out[i, p] = _chance_after(shape[i], exposure[i], a[i], b[i], start[i], t[i, p])
