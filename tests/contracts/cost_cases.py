"""What each cost model says of one individual, written a second time for the tests, and integrated by brute force.

A story knows how individuals differ and what comes with the purchases of one of them; it shares no code with the
models, and no special function: constants are integrals of their kernels. An own variable lives on the whole line as y
(its logit, its log, its distance from the population's mean in sds).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from contracts.cases import END
from scipy import optimize, stats

from clvmodels.customers.table import Customers
from clvmodels.models import COSTS, Model

NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)
LOG_2PI = np.log(2.0 * np.pi)


def integral(log_f: Callable, times: Callable | None = None) -> tuple[float, float]:
    """The integral over the line of exp(log_f(y)) times(y), as (log scale, number); log_f has one summit.

    Gauss-Legendre in pieces that double in length away from the summit, to where exp(-50) of its height is left.
    """
    summit = optimize.minimize_scalar(lambda y: -log_f(y), bracket=(-1.0, 1.0), tol=1e-12).x
    top, total = float(log_f(summit)), 0.0
    for side in (-1.0, 1.0):
        start, length = 0.0, 0.5
        while top - log_f(summit + side * length) > 0.5:
            length /= 2.0
        while start == 0.0 or top - log_f(summit + side * start) < 50.0:
            y = summit + side * (start + length * (NODES + 1.0) / 2.0)
            f = np.exp(log_f(y) - top)
            total += length / 2.0 * (WEIGHTS * (f if times is None else f * times(y))).sum()
            start, length = start + length, start + length
    return top, total


def log_integral(log_f: Callable) -> float:
    top, number = integral(log_f)
    return top + np.log(number)


def log_chances(y):
    """log p and log(1 - p) of a logit."""
    return -np.logaddexp(0.0, -y), -np.logaddexp(0.0, y)


def log_beta_kernel(a: float, b: float) -> Callable:
    """Of a Beta(a, b) variable, by its logit, with the Jacobian."""
    return lambda y: a * log_chances(y)[0] + b * log_chances(y)[1]


class CostStory:
    """`log_prior` of y up to a constant, `log_density` of what came with purchases given y, `own` variable of y."""

    def log_prior(self, theta, y):
        raise NotImplementedError

    def log_density(self, theta, events, y):
        raise NotImplementedError

    def own(self, theta, y):
        raise NotImplementedError

    def mean_event(self, theta, own):
        """What the model tells of one purchase (contact) of an individual, in the mean."""
        return own

    def law(self, theta):
        """SciPy's law of the own variable, for draws from the population."""
        raise NotImplementedError

    def simulate(self, theta, own, n, rng) -> list:
        """Events of a customer with n purchases."""
        raise NotImplementedError

    def log_prob(self, theta, events) -> float:
        both = lambda y: self.log_prior(theta, y) + self.log_density(theta, events, y)  # noqa: E731
        return log_integral(both) - self._log_mass(tuple(theta.items()))

    @functools.cache  # noqa: B019 - a handful of stories, as long as the tests
    def _log_mass(self, theta):
        return log_integral(lambda y: self.log_prior(dict(theta), y))

    def mean(self, theta, events, function) -> float:
        """Mean of function(own) over individuals given the events."""
        both = lambda y: self.log_prior(theta, y) + self.log_density(theta, events, y)  # noqa: E731
        return integral(both, lambda y: function(self.own(theta, y)))[1] / integral(both)[1]


class Chance(CostStory):
    """p ~ Beta(mu phi, (1 - mu) phi); events: (n, k)."""

    def log_prior(self, theta, y):
        return log_beta_kernel(theta["mu"] * theta["phi"], (1.0 - theta["mu"]) * theta["phi"])(y)

    def log_density(self, theta, events, y):
        n, k = events[:2]
        log_p, log_q = log_chances(y)
        return k * log_p + (n - k) * log_q

    def own(self, theta, y):
        return np.exp(log_chances(y)[0])

    def law(self, theta):
        return stats.beta(theta["mu"] * theta["phi"], (1.0 - theta["mu"]) * theta["phi"])

    def simulate(self, theta, own, n, rng):
        return (n, int((rng.random(n) < own).sum()))


class Shares(Chance):
    """Of k returned orders some come back whole, the others to shares of a beta law; events: (n, k, whole, shares)."""

    def log_prob(self, theta, events):
        return super().log_prob(theta, events) + self.log_shares(theta, events)

    def log_shares(self, theta, events):
        (whole, shares), w = events[2:], theta["whole"]
        kernel = log_beta_kernel(theta["share"] * theta["precision"], (1.0 - theta["share"]) * theta["precision"])
        logits = np.log(shares) - np.log1p(-np.asarray(shares))
        jacobian = np.log(shares) + np.log1p(-np.asarray(shares))
        of_shares = (kernel(logits) - jacobian).sum() - len(shares) * self._log_constant(
            theta["share"], theta["precision"]
        )
        return of_shares + whole * np.log(w) + len(shares) * np.log1p(-w)

    @functools.cache  # noqa: B019
    def _log_constant(self, mean, precision):
        return log_integral(log_beta_kernel(mean * precision, (1.0 - mean) * precision))

    def simulate(self, theta, own, n, rng):
        k = super().simulate(theta, own, n, rng)[1]
        whole = int((rng.random(k) < theta["whole"]).sum())
        law = theta["share"] * theta["precision"], (1.0 - theta["share"]) * theta["precision"]
        return (n, k, whole, np.clip(rng.beta(*law, k - whole), 1e-12, 1.0 - 1e-12))


class Counts(CostStory):
    """c ~ Gamma(r, r / mu); Poisson(c) events a purchase; events: (n, k)."""

    def log_prior(self, theta, y):
        return theta["r"] * (y - np.log(theta["mu"]) - np.exp(y - np.log(theta["mu"])))

    def log_density(self, theta, events, y):
        n, k = events
        log_factorial = np.log(np.arange(1.0, k + 1.0)).sum()
        return k * (y + np.log(n)) - n * np.exp(y) - log_factorial if n else 0.0 * y

    def own(self, theta, y):
        return np.exp(y)

    def law(self, theta):
        return stats.gamma(theta["r"], scale=theta["mu"] / theta["r"])

    def simulate(self, theta, own, n, rng):
        return (n, int(rng.poisson(own, n).sum()))


class Rates(CostStory):
    """g ~ N(m, tau^2), each purchase's rate ~ N(g, sigma^2); events: the rates."""

    def log_prior(self, theta, y):
        return -0.5 * y**2

    def log_density(self, theta, events, y):
        off = (self.seen(events)[:, None] - (self.centre(theta) + theta["tau"] * np.atleast_1d(y))) / theta["sigma"]
        total = (-0.5 * off**2 - np.log(theta["sigma"]) - LOG_2PI / 2.0).sum(axis=0)
        return total if np.ndim(y) else total[0]

    def seen(self, events):
        return np.asarray(events, dtype=float)

    def centre(self, theta):
        return theta["m"]

    def own(self, theta, y):
        return self.centre(theta) + theta["tau"] * y

    def law(self, theta):
        return stats.norm(theta["m"], theta["tau"])

    def simulate(self, theta, own, n, rng):
        return rng.normal(own, theta["sigma"], n)


class Costs(Rates):
    """log median ~ N(log m, tau^2), each contact's log cost ~ N(log median, sigma^2); events: the costs."""

    def log_density(self, theta, events, y):
        return super().log_density(theta, events, y) - self.seen(events).sum()

    def seen(self, events):
        return np.log(np.asarray(events, dtype=float))

    def centre(self, theta):
        return np.log(theta["m"])

    def own(self, theta, y):
        return np.exp(super().own(theta, y))

    def mean_event(self, theta, own):
        return own * np.exp(theta["sigma"] ** 2 / 2.0)

    def law(self, theta):
        return stats.lognorm(theta["tau"], scale=theta["m"])

    def simulate(self, theta, own, n, rng):
        return own * np.exp(theta["sigma"] * rng.standard_normal(n))


def chances(events) -> tuple:
    return events[:2]


def shares(events) -> tuple:
    n, k, whole, part = events
    return n, k, whole, np.log(part).sum(), np.log1p(-np.asarray(part)).sum()


def about_mean(values) -> tuple:
    values = np.asarray(values, dtype=float)
    return len(values), values.sum(), ((values - values.mean()) ** 2).sum() if len(values) else 0.0


@dataclass(frozen=True)
class CostCase:
    """A cost model, its story, ordinary truths and extreme ones, what came with purchases, and the statistics of it.

    `moved` is the parameter that effects are tried on.
    """

    model: Model
    story: CostStory
    thetas: tuple[dict[str, float], ...]
    extremes: tuple[dict[str, float], ...]
    events: tuple[Any, ...]
    statistics: Callable[[Any], tuple]
    moved: str

    @property
    def role(self) -> str:
        return next(iter(self.model.provides))

    def row(self, events) -> dict[str, float]:
        return dict(zip(self.model.observes, map(float, self.statistics(events)), strict=True))

    def table(self, events=None) -> pd.DataFrame:
        rows = [self.row(e) for e in (self.events if events is None else events)]
        return pd.DataFrame(rows, index=pd.Index([f"c{k:05d}" for k in range(len(rows))], name="customer_id"))

    def simulated(self, theta: Mapping[str, float], size: int, seed: int, slope: float = 0.0) -> pd.DataFrame:
        """Customers of these parameters with a channel and a score; `slope` per unit of the score moves a parameter."""
        rng = np.random.default_rng([seed, size])
        score, channel = rng.integers(-2, 3, size).astype(float), rng.choice(["mail", "shop", "web"], size)
        own = next(p for p in self.model.parameters if p.name == self.moved)
        events = []
        for z in score:
            of_one = {**theta, self.moved: own.moved(theta[self.moved], slope * z)}
            events.append(
                self.story.simulate(of_one, self.story.law(of_one).rvs(random_state=rng), 1 + rng.poisson(8), rng)
            )
        return self.table(events).assign(score=score, channel=channel)


def customers_of_rows(table: pd.DataFrame) -> Customers:
    return Customers(table, "week", END, "EUR")


_RNG = np.random.default_rng(5)
_CHANCES = ((0, 0), (1, 0), (1, 1), (7, 0), (7, 7), (12, 3), (5000, 0), (5000, 5000), (4000, 700))
_CHANCE = ({"mu": 0.12, "phi": 8.0}, {"mu": 0.6, "phi": 0.7})
_SHARE = ({"whole": 0.6, "share": 0.35, "precision": 4.0}, {"whole": 0.1, "share": 0.8, "precision": 0.9})
_EXTREME_CHANCE = tuple({"mu": mu, "phi": phi} for mu in (1e-3, 0.3, 0.999) for phi in (1e-3, 1e6))
_EXTREME_SHARE = tuple(
    {"whole": w, "share": s, "precision": k}
    for w, s, k in (
        (1e-3, 0.4, 1e-3),
        (0.999, 1e-3, 1e6),
        (0.5, 0.4, 1e6),
        (0.5, 0.999, 50.0),
        (0.2, 0.9, 1e-3),
        (0.2, 0.1, 5.0),
    )
)
_COUNTS = ((0, 0), (1, 0), (1, 3), (7, 0), (12, 2), (5000, 0), (4000, 1500), (2, 3000))
_COUNT = ({"mu": 0.3, "r": 0.8}, {"mu": 4.0, "r": 3.0})
_EXTREME_COUNT = tuple({"mu": mu, "r": r} for mu in (1e-3, 0.3, 50.0) for r in (1e-3, 1e6))
_BILLED = COSTS["beta_binomial_bad_debt"]

COST_CASES = {
    "beta_binomial_bad_debt": CostCase(_BILLED, Chance(), _CHANCE, _EXTREME_CHANCE, _CHANCES, chances, "mu"),
    "beta_binomial_returns": CostCase(
        COSTS["beta_binomial_returns"],
        Shares(),
        tuple(a | b for a, b in zip(_CHANCE, _SHARE, strict=True)),
        tuple(a | b for a, b in zip(_EXTREME_CHANCE, _EXTREME_SHARE, strict=True)),
        (
            (0, 0, 0, []),
            (1, 0, 0, []),
            (1, 1, 1, []),
            (1, 1, 0, [0.4]),
            (7, 7, 7, []),
            (12, 3, 1, [0.2, 0.9]),
            (5000, 0, 0, []),
            (4000, 700, 300, _RNG.beta(2.0, 3.0, 400)),
            (900, 900, 0, np.full(900, 0.4)),
        ),
        shares,
        "mu",
    ),
    "gamma_poisson_contacts": CostCase(
        COSTS["gamma_poisson_contacts"], Counts(), _COUNT, _EXTREME_COUNT, _COUNTS, chances, "mu"
    ),
    "gamma_poisson_referrals": CostCase(
        COSTS["gamma_poisson_referrals"], Counts(), _COUNT, _EXTREME_COUNT, _COUNTS, chances, "mu"
    ),
    "normal_margin": CostCase(
        COSTS["normal_margin"],
        Rates(),
        ({"m": 0.3, "tau": 0.1, "sigma": 0.08}, {"m": -0.1, "tau": 0.02, "sigma": 0.4}),
        tuple({"m": 0.3, "tau": t, "sigma": s} for t, s in ((1e-8, 0.1), (1e-4, 0.3), (50.0, 0.1), (0.2, 1e-3))),
        ([], [0.3], [0.31, 0.25, 0.4], [-0.2, 0.1], [0.3] * 4, _RNG.normal(0.35, 0.1, 3000)),
        about_mean,
        "m",
    ),
    "lognormal_handling": CostCase(
        COSTS["lognormal_handling"],
        Costs(),
        ({"m": 5.0, "tau": 0.4, "sigma": 0.6}, {"m": 20.0, "tau": 0.9, "sigma": 0.3}),
        tuple({"m": m, "tau": t, "sigma": s} for m, t, s in ((5.0, 1e-8, 0.5), (1e6, 0.5, 1e-2), (1e-2, 2.0, 1.0))),
        ([], [5.0], [4.0, 9.0, 2.0], [1e-2], [1e6, 3.0], np.exp(_RNG.normal(1.5, 0.6, 3000))),
        lambda events: about_mean(np.log(np.asarray(events, dtype=float))),
        "m",
    ),
}


def cost_case_of(name: str) -> CostCase:
    """The case of a registered cost model; a model without one is a failure, not a skip."""
    assert name in COST_CASES, f"write the story of {name} in cost_cases.py"
    return COST_CASES[name]
