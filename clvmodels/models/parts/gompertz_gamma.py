"""Gompertz lifetimes whose hazards differ as a gamma distribution (Bemmaor & Glady 2012).

Given eta, the hazard is b eta e^(b t): it grows e-fold in every 1 / b. With eta ~ Gamma(s, beta), shape s and rate
beta, integrated over eta,

    S(t) = (beta / (beta - 1 + e^(b t)))^s.

The hazard of a random customer still alive starts at b s / beta and goes to b s: up for beta > 1, down for beta < 1,
constant for beta = 1. Since the parameter b is scaled by time alone, eta and beta have no unit. As b and beta go to 0
together it becomes the Pareto lifetime whose beta is beta / b.

Its natural clock is the cumulative hazard of the population, in units of s,

    K(t) = -log S(t) / s = log(1 + (e^(b t) - 1) / beta),        S = e^(-s K), density s e^(-s K) per unit of K,

in which everything is an exponential; from an age on it moves, with w(t) = beta e^(-b t) + 1 - e^(-b t), by

    K(t + tau) - K(t) = log(1 + (e^(b tau) - 1) / w(t)).

The priors favour neither direction (beta around 1), and each customer's hazard doubles within a fortnight to five
years (b around 0.03 a week). Drawn from them, the median lifetime has the quantiles 5, 50, 95% of 0.6, 22 and 530
weeks; from the Pareto/NBD's priors it is 0.9, 22 and 1,500.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytensor.tensor as pt
from scipy.special import exp1

from clvmodels.draws import Array
from clvmodels.models.contract import State
from clvmodels.models.kernels import kernel, over_times
from clvmodels.models.parameters import Graph, Meaning, Parameter, Rows, Theta, Value
from clvmodels.models.parts.clock import ClockLifetime
from clvmodels.models.parts.contract import NOTHING_LEFT
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom

PARAMETERS = (
    Parameter("b", "lifetime", "1/time", log_normal(0.03, 1.5), 1, "hazard of leaving", "growth rate of each hazard"),
    Parameter("s", "lifetime", "none", log_normal(1.0, 1.0), 1, "hazard of leaving", "shape of the hazards"),
    Parameter(
        "beta",
        "lifetime",
        "none",
        log_normal(1.0, 1.5),
        -1,
        "hazard of leaving",
        "b s / (mean hazard at first); above 1 the hazard of a random customer rises",
    ),
)

HUGE = 500.0
"""e^500 is still a number, and log(1 + e^500 / w) is 500 - log w to the last bit for any w that occurs."""


def grown(z: Value, w: Value, xp: ModuleType) -> Value:
    """log(1 + (e^z - 1) / w) for z >= 0, w > 0, exact where z is tiny and finite where e^z is not.

    Its inverse in z is grown(., 1 / w).
    """
    within_reach = xp.log1p(xp.expm1(xp.minimum(z, HUGE)) / w)
    beyond = xp.maximum(z - HUGE, 0.0)
    return within_reach + beyond


def hold(t: Value, theta: Theta[Value], xp: ModuleType) -> Value:
    """w(t): beta at first, 1 in the end; the clock runs at b / w(t)."""
    passed = -theta["b"] * t
    return theta["beta"] * xp.exp(passed) - xp.expm1(passed)


MEANINGS = (
    Meaning(
        "median lifetime",
        "{time_unit}s",
        lambda theta: grown(np.log(2.0) / theta["s"], 1.0 / theta["beta"], np) / theta["b"],
    ),
    Meaning(
        "time in which each customer's hazard of leaving doubles",
        "{time_unit}s",
        lambda theta: np.log(2.0) / theta["b"],
    ),
    Meaning("spread of hazards between customers (sd / mean)", "", lambda theta: theta["s"] ** -0.5),
)


class GompertzGamma(ClockLifetime):
    """The lifetime; its natural clock is the cumulative hazard K."""

    parameters = PARAMETERS
    meanings = MEANINGS
    levels = ("beta",)
    nodes = 64
    """Of 60 hard cases over six decades of the parameters the worst is wrong by 7e-6 with 32 nodes, 4e-8 with 48 and
    4e-11 with 64."""

    def between(self, t: Value, tau: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """K(t + tau) - K(t)."""
        return grown(theta["b"] * tau, hold(t, theta, xp), xp)

    def advance(self, t: Value, u: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """The tau with K(t + tau) - K(t) = u."""
        return grown(u, 1.0 / hold(t, theta, xp), xp) / theta["b"]

    def log_survival(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """log S(t) = -s K(t)."""
        return -theta["s"] * self.between(0.0 * t, t, theta)

    def log_density(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """log(s e^(-s K(t)))."""
        return pt.log(theta["s"]) + self.log_survival(t, theta)

    def log_ratio(self, t: Graph, u: Graph, theta: Theta[Graph]) -> Graph:
        """-s u."""
        return -theta["s"] * u

    def decay(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """s, of the density, and max(w(t), 1): the age as a function of the clock bends at 1 / w(t) for w > 1, at
        log(1 / w) for w < 1. Without the 1 the worst of 15,000 hard histories misses the allowed 1e-8 by 82 times."""
        return theta["s"] + pt.maximum(hold(t, theta, pt), 1.0)

    def reach(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """45 / s, and not 45 / (s + 1) as for the exponential: the tail's age stretches with the clock, so that the
        integrand falls as e^(-s u) alone."""
        return NOTHING_LEFT / theta["s"] + 0.0 * t

    def survival_ratio(self, t: Array, tau: Array, theta: Theta[Array]) -> Array:
        """S(t + tau) / S(t)."""
        return np.exp(-theta["s"] * self.between(t, tau, theta, np))

    def residual_at(self, t: Array, survived: Array, theta: Theta[Array]) -> Array:
        """The tau at which the clock has moved by -log(survived) / s."""
        return self.advance(t, -np.log(survived) / theta["s"], theta, np)

    def expected_time(self, rows: Rows[Array], theta: Theta[Array], t: Array) -> Array:
        """E[min(residual lifetime, t) | alive at T] = integral of S(T + u) / S(T) over (0, t). [D, C, P]

        No closed form but by a hypergeometric function; integrated to about 1e-14 of the result.
        """
        b = np.asarray(theta["b"], dtype=float)[..., None]
        w = hold(rows["T"], theta, np)
        return over_times(_means_moved, theta["s"], w, t=b * t) / b

    def draw_residual(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Time left of a customer alive at T: eta ~ Gamma(s, beta + e^(b T) - 1), then eta (e^(b T + b tau) - e^(b T))
        ~ Exp(1). [D, C]"""
        hazard, scaled = self._hazard(rng.gamma(theta["s"]), rows["T"], theta)
        with np.errstate(divide="ignore"):  # a hazard that underflows to 0 never ends
            left = np.log1p(rng.exponential() / scaled) / theta["b"]
        return left, {"first_hazard": hazard, "scaled_hazard": scaled}

    def draw_ended(self, death: Array, theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """eta of a customer who ended at age `death`: Gamma(s + 1, beta + e^(b death) - 1). [D, C]"""
        hazard, _ = self._hazard(rng.gamma(theta["s"] + 1.0), death, theta)
        return {"first_hazard": hazard, "death_age": death}

    def own_survival(self, rows: Rows[Array], theta: Theta[Array], state: State, tau: Array) -> Array:
        """exp(-a (e^(b tau) - 1)), a = eta e^(b T) the own hazard at T in units of b."""
        b, a = _growth_and_hazard(theta, state)
        return np.exp(-a * np.expm1(np.minimum(b * tau, HUGE)))

    def own_time(self, rows: Rows[Array], theta: Theta[Array], state: State, t: Array) -> Array:
        """(e^a E1(a) - e^(a - a') e^a' E1(a')) / b, a' = a e^(b t), E1 the exponential integral. [D, C, P]

        Where the hazard hardly grows until t the two cancel: it is then the time of the hazard at T.
        """
        b, a = _growth_and_hazard(theta, state)
        growth = b * t
        a_at_t = np.minimum(a * np.exp(np.minimum(growth, HUGE)), MOST_HAZARD)
        a_at_T = np.clip(a, LEAST_HAZARD, MOST_HAZARD)
        with np.errstate(under="ignore"):
            remains = np.exp(a_at_T - a_at_t) * _scaled_exp1(np.maximum(a_at_t, LEAST_HAZARD))
        growing = (_scaled_exp1(a_at_T) - remains) / b
        hazard = np.maximum(a * b, LEAST_HAZARD)
        steady = -np.expm1(-hazard * t) / hazard
        return np.where(growth < HARDLY_GROWN, steady, growing)

    def _hazard(self, gamma: Array, t: Array, theta: Theta[Array]) -> tuple[Array, Array]:
        """b eta, the hazard at age 0, and eta e^(b t), for eta = gamma / (beta + e^(b t) - 1)."""
        scaled = gamma / hold(t, theta, np)  # eta e^(b t): finite where e^(b t) is not
        return theta["b"] * np.exp(-theta["b"] * t) * scaled, scaled


LEAST_HAZARD, MOST_HAZARD = 1e-200, 1e200
"""In units of b: of those who leave more rarely, or sooner, the time ahead is t, or 0, to the last digit."""
HARDLY_GROWN = 1e-6
"""b t below which the hazard at T stands for that until T + t: the time is right to 1e-6 of itself."""
NEAR_EXP1 = 50.0
"""From where on 20 terms of e^x E1(x) = 1/x (1 - 1/x + 2/x^2 - ...) give every digit: Abramowitz & Stegun (1964), eq.
5.1.51."""


def _growth_and_hazard(theta: Theta[Array], state: State) -> tuple[Array, Array]:
    """b, and the own hazard at T in units of b. [D, C, 1] each"""
    return np.asarray(theta["b"], dtype=float)[..., None], state.extra["scaled_hazard"][..., None]


def _scaled_exp1(x: Array) -> Array:
    """e^x E1(x), for x > 0."""
    near, far = np.minimum(x, NEAR_EXP1), np.maximum(x, NEAR_EXP1)
    series = np.zeros_like(far)
    for n in range(20, 0, -1):
        series = n / far * (1.0 - series)
    return np.where(x < NEAR_EXP1, np.exp(near) * exp1(near), (1.0 - series) / far)


SHORT_PANEL = 0.2
SHORT, LONG = np.polynomial.legendre.leggauss(5), np.polynomial.legendre.leggauss(12)
"""Nodes and weights for panels shorter than that, and for those of length 1 at most."""


@kernel("float64(float64, float64)")
def _grown(z, w):  # pragma: no cover - compiled
    """`grown` for compiled code."""
    return np.log1p(np.expm1(min(z, HUGE)) / w) + max(z - HUGE, 0.0)


@kernel("void(float64, float64, float64[::1], float64[::1])")
def _mean_moved(s, w, x, out):  # pragma: no cover - compiled
    """Integral over z from 0 to each x of e^(-s grown(z, w)).

    The integrand has poles at z = log(1 - w): close to 0 for a small w, where y = log1p(z c) with c = 1 / w keeps them
    half a turn away, but pi from the road at log(w) for a large one. There the integral is over k = grown(z, w), in
    which they are near -1 / w: dz = w / (w - (w - 1) e^-k) dk and y = log1p(k c) with c = w. A fall at rate s adds to
    c, and ends the integral where the integrand is e^-45. Gauss-Legendre on panels of length 1 in y.
    """
    by_clock = w > 1.0  # over k, otherwise over z
    if by_clock:
        c = w + s
        last = NOTHING_LEFT / s
    else:
        c = (1.0 + s) / w
        last = _grown(NOTHING_LEFT / s, 1.0 / w)
    total, start = 0.0, 0.0
    for p in range(x.size):
        bound = _grown(x[p], w) if by_clock else x[p]
        end = np.log1p(c * min(bound, last))
        panels = max(1, int(np.ceil(abs(end - start))))
        step = (end - start) / panels
        nodes, weights = SHORT if abs(step) < SHORT_PANEL else LONG
        for panel in range(panels):
            for node in range(nodes.size):
                y = start + step * (panel + 0.5 * (1.0 + nodes[node]))
                v = np.expm1(y) / c
                passed = v if by_clock else _grown(v, w)
                speed = w / (w - (w - 1.0) * np.exp(-v)) if by_clock else 1.0
                value = speed * np.exp(-s * passed)
                total += 0.5 * step * weights[node] * value * np.exp(y) / c
        start = end
        out[p] = total


@kernel("void(float64[::1], float64[::1], float64[:, ::1], float64[:, ::1])")
def _means_moved(s, w, x, out):  # pragma: no cover - compiled
    """`_mean_moved` of every row."""
    for i in range(len(out)):
        _mean_moved(s[i], w[i], x[i], out[i])
