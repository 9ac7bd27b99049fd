"""Toys that stretch the contract: another lifetime, an end that is observed, correlated rates, a calendar's factor.

They are defined here and nowhere else; what holds for the registry holds for them, from the log density to the report.
"""

from __future__ import annotations

import ibis
import numpy as np
import pytensor.tensor as pt
from contracts import stories
from contracts.cases import Case
from scipy import special, stats

from clvmodels.customers.statistics import Statistic
from clvmodels.models import Parameter, PurchaseModel, State
from clvmodels.models.compose import Composed
from clvmodels.models.parts.clock import ClockLifetime
from clvmodels.models.parts.contract import Calendar
from clvmodels.models.parts.exponential_gamma import ExponentialGamma
from clvmodels.models.parts.poisson_gamma import PoissonGamma
from clvmodels.models.prior import Prior, log_normal


class Weibull(ClockLifetime):
    """S(t) = exp(-H(t)), H(t) = (t / scale)^c, the same for everybody; its natural clock is H, in which time is not
    smooth at age 0 where c > 1: hence the bunched nodes."""

    nodes, bunched = 64, 4
    parameters = (
        Parameter("scale", "lifetime", "time", log_normal(40.0, 1.0), -1, "hazard", "lifetime at which 37% are left"),
        Parameter("c", "lifetime", "none", Prior("Beta", {"alpha": 2.0, "beta": 4.0}), 1, "ageing", "shape", upper=4.0),
    )

    def between(self, t, tau, theta, xp=pt):
        safe = xp.where(t > 0, t, 1.0)
        grown = (safe / theta["scale"]) ** theta["c"] * xp.expm1(theta["c"] * xp.log1p(tau / safe))
        fresh = (xp.where(tau > 0, tau, 1.0) / theta["scale"]) ** theta["c"]
        return xp.where(t > 0, grown, xp.where(tau > 0, fresh, 0.0))

    def advance(self, t, u, theta, xp=pt):
        safe = xp.where(t > 0, t, 1.0)
        later = safe * xp.expm1(xp.log1p(u * (safe / theta["scale"]) ** -theta["c"]) / theta["c"])
        return xp.where(t > 0, later, theta["scale"] * u ** (1.0 / theta["c"]))

    def log_survival(self, t, theta):
        return -self.between(0.0 * t, t, theta)

    def log_density(self, t, theta):
        return self.log_survival(t, theta)

    def log_ratio(self, t, u, theta):
        return -u

    def decay(self, t, theta):
        return 1.0 + 0.0 * t

    def reach(self, t, theta):
        return 45.0 + 0.0 * t

    def survival_ratio(self, t, tau, theta):
        return np.exp(-self.between(np.asarray(t), tau, theta, np))

    def own_survival(self, rows, theta, state, tau):
        wide = {name: np.asarray(value)[..., None] for name, value in theta.items()}
        return self.survival_ratio(np.asarray(rows["T"])[..., None], tau, wide)

    def residual_at(self, t, survived, theta):
        return self.advance(np.asarray(t), -np.log(survived), theta, np)

    def draw_residual(self, rows, theta, rng):
        return self.advance(np.asarray(rows["T"]), rng.exponential(), theta, np), {}

    def draw_ended(self, death, theta, rng):
        return {"death_age": death}


class WeibullStory(stories.PurchaseStory):
    """lambda ~ Gamma(r, alpha), one Weibull lifetime; integrals over the death age by 400 nodes in its own clock."""

    end = "residual_lifetime"

    def individual(self, theta):
        self.scale, self.c = theta["scale"], theta["c"]
        return {"purchase_rate": stats.gamma(theta["r"], scale=1 / theta["alpha"])}

    def hazard(self, t):
        return (t / self.scale) ** self.c

    def alive(self, row, own):
        return row["frequency"] * np.log(own["purchase_rate"]) - own["purchase_rate"] * row["T"] - self.hazard(row["T"])

    def ended(self, row, own):
        x, lam = row["frequency"], own["purchase_rate"]
        if row["T"] == row["recency"]:
            return np.full_like(lam, -np.inf)
        age, weight = nodes_between(row["recency"], row["T"])
        log_f = np.log(self.c / self.scale) + (self.c - 1) * np.log(age / self.scale) - self.hazard(age)
        with np.errstate(divide="ignore"):
            return x * np.log(lam) + special.logsumexp(np.log(weight) + log_f - lam[..., None] * age, axis=-1)

    def expected(self, own, t):
        raise NotImplementedError

    def expected_after(self, row, own, t):
        u, weight = nodes_between(0.0, t)
        ratio = np.exp(self.hazard(row["T"]) - self.hazard(row["T"] + u))
        return own["purchase_rate"] * (weight * ratio).sum()

    def lasts(self, own, t):
        return np.exp(-self.hazard(t)) + 0.0 * own["purchase_rate"]


def nodes_between(start, end, count=400, power=6):
    """Gauss-Legendre nodes of (start, end), bunched towards the start, where a density may be infinite."""
    nodes, weights = stories.legendre_rule(count)
    v = (nodes + 1) / 2
    return start + (end - start) * v**power, weights / 2 * (end - start) * power * v ** (power - 1)


class ObservedEnd(stories.ParetoNBD):
    """Pareto/NBD whose end is told by the customer's `status`: T is then the age at the end."""

    def alive(self, row, own):
        shut = np.full(np.broadcast(*own.values()).shape, -np.inf)
        return shut if row["status"] == "ended" else super().alive(row, own)

    def ended(self, row, own):
        lam, mu = own["purchase_rate"], own["dropout_rate"]
        if row["status"] == "ended":
            return row["frequency"] * np.log(lam) - (lam + mu) * row["T"] + np.log(mu)
        shut = np.full(np.broadcast(lam, mu).shape, -np.inf)
        return shut if row["status"] == "alive" else super().ended(row, own)


def statuses(table):
    """Alive, ended and unknown in turn, for the histories of the contracts; unknown for any others."""
    return np.resize(["alive", "ended", "unknown"], len(table)) if len(table) == 8 else "unknown"


K, REACH = 13, 4.5
_Z = np.linspace(-REACH, REACH, K)
_WEIGHT = np.exp(-0.5 * (_Z[:, None] ** 2 + _Z[None, :] ** 2))
LATTICE = tuple(part.ravel() for part in np.meshgrid(_Z, _Z, indexing="ij"))
LOG_WEIGHT = np.log(_WEIGHT / _WEIGHT.sum()).ravel()


class CorrelatedRates(PurchaseModel):
    """log rate and log hazard of leaving are bivariate normal, on a lattice of 13 x 13 nodes. Written whole.

    So few nodes are for customers of few purchases: where a history tells the rate better than the nodes are apart,
    the likelihood grows spikes.
    """

    name, title, reference = "correlated rates", "correlated rates", "made in the tests"
    observes = ("frequency", "recency", "T")
    parameters = (
        Parameter("rate", "purchases", "1/time", log_normal(0.1, 1.0), 1, "purchase rate", "median purchase rate"),
        Parameter("hazard", "lifetime", "1/time", log_normal(0.03, 1.0), 1, "hazard", "median hazard of leaving"),
        Parameter("rate_sd", "purchases", "none", log_normal(0.6, 0.25), 1, "spread", "sd of the log rates"),
        Parameter("hazard_sd", "lifetime", "none", log_normal(0.6, 0.25), 1, "spread", "sd of the log hazards"),
        Parameter(
            "rho",
            "lifetime",
            "none",
            Prior("Beta", {"alpha": 2.0, "beta": 2.0}),
            1,
            "correlation",
            "correlation of the logs",
            lower=-1.0,
            upper=1.0,
        ),
    )

    def nodes(self, theta, xp):
        """Log rate and log hazard at the nodes. [..., K]"""
        wide = {name: value[..., None] if getattr(value, "ndim", 0) else value for name, value in theta.items()}
        across = wide["rho"] * LATTICE[0] + xp.sqrt(1 - wide["rho"] ** 2) * LATTICE[1]
        return xp.log(wide["rate"]) + wide["rate_sd"] * LATTICE[0], xp.log(wide["hazard"]) + wide["hazard_sd"] * across

    def at_nodes(self, rows, theta, xp):
        """Log densities of the history and being alive, or having ended, at each node. 2 x [..., K]"""
        u, v = self.nodes(theta, xp)
        x, t_x, T = (rows[name][..., None] for name in self.observes)
        both, gap = xp.exp(u) + xp.exp(v), T - t_x
        safe = xp.where(gap > 0, gap, 1.0)
        died = v + xp.log(-xp.expm1(-both * safe) / both)
        return x * u - both * T, xp.where(gap > 0, x * u - both * t_x + died, -np.inf)

    def branches(self, rows, theta):
        alive, ended = self.at_nodes(rows, theta, pt)
        ever = pt.gt(rows["T"], rows["recency"])
        safe = pt.switch(ever[..., None], ended, 0.0)
        return (
            pt.logsumexp(LOG_WEIGHT + alive, axis=-1),
            pt.switch(ever, pt.logsumexp(LOG_WEIGHT + safe, axis=-1), -np.inf),
        )

    def weights(self, rows, theta):
        alive, _ = self.at_nodes(_arrays(rows), _arrays(theta), np)
        return np.exp(special.log_softmax(LOG_WEIGHT + alive, axis=-1))

    def pick(self, log_weight, theta, rng):
        upto = np.cumsum(special.softmax(log_weight, axis=-1), axis=-1)
        node = np.minimum((upto < rng.uniform()[..., None]).sum(axis=-1), len(LOG_WEIGHT) - 1)
        u, v = self.nodes(_arrays(theta), np)
        wide = (np.broadcast_to(w, (*rng.shape, w.shape[-1])) for w in (u, v))
        return tuple(np.exp(np.take_along_axis(w, node[..., None], -1)[..., 0]) for w in wide)

    def draw_alive(self, rows, theta, rng):
        alive, _ = self.at_nodes(_arrays(rows), _arrays(theta), np)
        rate, hazard = self.pick(LOG_WEIGHT + alive, theta, rng)
        endless = np.full(rng.shape, np.inf)
        with np.errstate(divide="ignore"):
            left = rng.exponential() / hazard
        return State(np.ones(rng.shape, dtype=bool), rate, left, endless, {"dropout_rate": hazard})

    def draw_ended(self, rows, theta, rng):
        with np.errstate(divide="ignore"):
            _, ended = self.at_nodes(_arrays(rows), _arrays(theta), np)
        ended = np.where((rows["T"] > rows["recency"])[..., None], ended, 0.0)
        rate, hazard = self.pick(LOG_WEIGHT + ended, theta, rng)
        nothing = np.zeros(rng.shape)
        return State(nothing.astype(bool), rate, nothing, nothing, {"dropout_rate": hazard})

    def expected_if_alive(self, rows, theta, t):
        u, v = self.nodes(_arrays(theta), np)
        weight, t = self.weights(rows, theta), np.asarray(t, dtype=float)
        per = [
            (weight * np.exp(u - v) * -np.expm1(-np.exp(v) * t[..., p, None])).sum(axis=-1) for p in range(t.shape[-1])
        ]
        return np.stack(per, axis=-1)

    def purchases_given_own(self, rows, theta, state, t):
        hazard = state.extra["dropout_rate"][..., None]
        return state.purchase_rate[..., None] * -np.expm1(-hazard * t) / hazard

    def count_probability(self, rows, theta, n, t):
        u, v = (np.exp(w) for w in self.nodes(_arrays(theta), np))
        n, both = np.asarray(n, dtype=float)[..., None], u + v
        held = np.exp(special.xlogy(n, u * t) - special.gammaln(n + 1) - both * t)
        died = np.exp(np.log(v / both) + n * np.log(u / both)) * special.gammainc(n + 1, both * t)
        return (self.weights(rows, theta) * (held + died)).sum(axis=-1)


def _arrays(values):
    return {name: np.atleast_2d(np.asarray(value, dtype=float)) for name, value in values.items()}


class CorrelatedStory(stories.ExponentialEnd, stories.PurchaseStory):
    """The same discrete law, written for one customer."""

    def individual(self, theta):
        own, log_weight = self.grid(theta)
        return {name: Discrete(values, np.exp(log_weight)) for name, values in own.items()}

    def grid(self, theta):
        u = np.log(theta["rate"]) + theta["rate_sd"] * LATTICE[0]
        across = theta["rho"] * LATTICE[0] + np.sqrt(1 - theta["rho"] ** 2) * LATTICE[1]
        own = {"purchase_rate": np.exp(u), "dropout_rate": theta["hazard"] * np.exp(theta["hazard_sd"] * across)}
        return own, LOG_WEIGHT


class Discrete:
    """A law on finitely many values, as far as a Kolmogorov-Smirnov test of sorted draws needs it: its distribution
    function, at random between what it is just below an atom and at it."""

    def __init__(self, values, weights):
        order = np.argsort(values)
        self.values, self.upto = values[order], np.r_[0.0, np.cumsum(weights[order])]

    def cdf(self, x):
        below, at = (self.upto[np.searchsorted(self.values, x * (1 + e), "right")] for e in (-1e-9, 1e-9))
        return np.sort(below + (at - below) * np.random.default_rng(1).random(len(x)))


YEAR, SWING = 52.0, 0.6


class Season(Calendar):
    """A supplied factor 1 + 0.6 sin(2 pi t / 52) on the purchase rate, t the weeks since a Thursday in 1970."""

    observes, traits, steady = ("birth", "log_factors"), ("birth",), False

    def elapsed(self, rows, start, length, theta, xp=pt):
        middle = rows["birth"] + start + length / 2
        return length + SWING * YEAR / np.pi * xp.sin(2 * np.pi * middle / YEAR) * xp.sin(np.pi * length / YEAR)

    def log_intensity(self, rows, theta):
        return rows["log_factors"]

    def pace(self, rows, age, theta):
        return 1 + SWING * np.sin(2 * np.pi * (rows["birth"] + age) / YEAR)

    def pieces(self, rows, theta):
        whole = super().pieces(rows, theta)
        at_last = 1 + SWING * pt.sin(2 * np.pi * (rows["birth"] + rows["recency"]) / YEAR)
        pace = at_last[..., None] + whole.before
        return whole._replace(pace=pace, slowest=1 - SWING + whole.before)

    def within(self, rows, pieces, tau, theta):
        birth, t_x = (rows[name][..., None, None] for name in ("birth", "recency"))
        return self.elapsed({"birth": birth}, t_x, tau, theta)

    def age_at(self, own, operational):
        age = operational
        for _ in range(60):  # a contraction: the slope of what is added is at most 0.6
            age = age + (operational - self.elapsed(own, 0.0, age, {}, np))
        return age


class SeasonStory(stories.ParetoNBD):
    """Pareto/NBD whose purchases come at the rate lambda m(t); integrals over the death age by 40 nodes."""

    step, tail = 0.14, 1e-12

    def log_earlier(self, table):
        """Inner purchases fall as the factor does, the last one too."""
        x, t_x, birth = (table[name].to_numpy(dtype=float) for name in ("frequency", "recency", "birth"))
        inner = (x - 1) * np.log(self.operational(birth, 0.0, t_x)) - special.gammaln(x)
        return inner + np.log(self.factor(birth + t_x)) - table["log_factors"].to_numpy()

    def factor(self, t):
        return 1 + SWING * np.sin(2 * np.pi * t / YEAR)

    def operational(self, birth, start, end):
        wave = lambda t: -SWING * YEAR / (2 * np.pi) * np.cos(2 * np.pi * t / YEAR)  # noqa: E731
        return end - start + wave(birth + end) - wave(birth + start)

    def alive(self, row, own):
        lam, mu, T = own["purchase_rate"], own["dropout_rate"], row["T"]
        return row["frequency"] * np.log(lam) + row["log_factors"] - lam * self.operational(row["birth"], 0, T) - mu * T

    def ended(self, row, own):
        lam, mu = own["purchase_rate"], own["dropout_rate"]
        t_x, total = row["recency"], 0.0
        for age, weight in zip(*nodes_between(t_x, row["T"], 40, 3), strict=True):
            total = total + weight * np.exp(-lam * self.operational(row["birth"], t_x, age) - mu * (age - t_x))
        before = lam * self.operational(row["birth"], 0, row["recency"]) + mu * row["recency"]
        with np.errstate(divide="ignore"):
            return row["frequency"] * np.log(lam) + row["log_factors"] - before + np.log(mu) + np.log(total)

    def expected_after(self, row, own, t):
        total, at = 0.0, row["birth"] + row["T"]
        for u, w in zip(*nodes_between(0.0, t, 40, 3), strict=True):
            total = total + w * self.factor(at + u) * np.exp(-own["dropout_rate"] * u)
        return own["purchase_rate"] * total


def log_factor_of_day(days):
    """log m at the middle of the day, from a table of days. Ibis"""
    weeks = days.date.delta(ibis.date("1970-01-01"), unit="day") / 7.0
    return (1.0 + SWING * (2 * np.pi * weeks / YEAR).sin()).ln()


def _birth_of(purchases):
    born = purchases.assign(birth=purchases.get("birth", 0.0))  # other models' customers have no birth
    return born.groupby("customer_id")["birth"].first()


def _factors_of(purchases):
    repeat = purchases[purchases["age"] > 0]
    factor = 1 + SWING * np.sin(2 * np.pi * (repeat.get("birth", 0.0) + repeat["age"]) / YEAR)
    return np.log(factor).groupby(repeat["customer_id"]).sum()


SEASON_STATISTICS = {
    "birth": Statistic(
        lambda c, window: c.first_purchase.delta(ibis.date("1970-01-01"), unit="day") / window.days_per_unit,
        _birth_of,
    ),
    "log_factors": Statistic(
        lambda c, window: c.all_factors - c.first_factor,
        _factors_of,
        aggregates={
            "all_factors": lambda days: log_factor_of_day(days).sum(where=days.observed),
            "first_factor": lambda days: log_factor_of_day(days).argmin(days.date),
        },
    ),
}


def composed(name, purchases, lifetime, **more):
    return Composed(name, name, "made in the tests", purchases, lifetime, **more)


PARETO = ({"r": 0.55, "alpha": 10.6, "s": 0.6, "beta": 11.7}, {"r": 2.5, "alpha": 4.0, "s": 1.7, "beta": 30.0})
WHOLE_TOYS = {
    "weibull": Case(
        composed("weibull", PoissonGamma(), Weibull()),
        WeibullStory(),
        ({"r": 0.6, "alpha": 8.0, "scale": 30.0, "c": 0.7}, {"r": 2.0, "alpha": 3.0, "scale": 20.0, "c": 1.6}),
    ),
    "observed end": Case(
        composed("observed end", PoissonGamma(), ExponentialGamma(), observes_end=True),
        ObservedEnd(),
        PARETO,
        {"status": statuses},
    ),
    "correlated rates": Case(
        CorrelatedRates(),
        CorrelatedStory(),
        (
            {"rate": 0.05, "hazard": 0.03, "rate_sd": 0.6, "hazard_sd": 0.6, "rho": -0.4},
            {"rate": 0.4, "hazard": 0.01, "rate_sd": 0.5, "hazard_sd": 1.2, "rho": 0.7},
        ),
    ),
    "season": Case(
        composed("season", PoissonGamma(), ExponentialGamma(), calendar=Season()),
        SeasonStory(),
        PARETO,
        {"birth": lambda table: 20.0, "log_factors": lambda table: 0.1 * table["frequency"]},
    ),
}
