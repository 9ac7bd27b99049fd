"""What each model says of one individual, written a second time for the tests, and integrated by brute force.

A story knows how individuals differ and what is true of one of them; it shares no code with the models. Integrals over
individuals are trapezoids over the log (or logit) of what differs: every integrand vanishes doubly exponentially or
exponentially at both ends, where the trapezoid converges faster than any power.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import special, stats

legendre_rule = functools.cache(np.polynomial.legendre.leggauss)
"""Nodes and weights by their number: of hundreds they take longer than what is integrated by them."""


class Story:
    """How individuals differ: `individual` gives independent distributions by the names that the model's draws have.

    `step` is the trapezoid's, a fraction of the narrowest peak; `tail` the probability beyond its ends.
    """

    step, tail = 0.1, 1e-14

    def individual(self, theta):
        raise NotImplementedError

    def grid(self, theta):
        """Values of each own variable, broadcastable against each other, and the log weights of the nodes."""
        own, log_weight = {}, 0.0
        laws = self.individual(theta)
        for axis, (name, law) in enumerate(laws.items()):
            shape = [-1 if k == axis else 1 for k in range(len(laws))]
            value, weight = _nodes(law, self.step, self.tail)
            own[name] = value.reshape(shape)
            log_weight = log_weight + weight.reshape(shape)
        return own, log_weight

    def log_integral(self, theta, log_function):
        """log of the integral over individuals of exp(log_function(own))."""
        own, log_weight = self.grid(theta)
        return special.logsumexp(log_weight + log_function(own))

    def mean(self, theta, log_density, function):
        """Mean of function(own) over individuals weighted by exp(log_density(own))."""
        own, log_weight = self.grid(theta)
        exponent = log_weight + log_density(own)
        weight = np.exp(exponent - exponent.max())
        return float((weight * function(own)).sum() / weight.sum())


def _nodes(law, step, tail):
    """Trapezoid nodes of a law on (0, inf) or (0, 1), and the logs of density x Jacobian x step."""
    low, high = law.ppf(tail), law.isf(tail)
    if law.support()[1] == 1:
        y = np.arange(special.logit(low) - 2, min(special.logit(high) + 2, 36.0), step)
        value = special.expit(y)
        return value, law.logpdf(value) - y - 2 * np.logaddexp(0, -y) + np.log(step)
    y = np.arange(np.log(low), np.log(100 * high), step)
    return np.exp(y), law.logpdf(np.exp(y)) + y + np.log(step)


class PurchaseStory(Story):
    """When one individual buys and leaves. `end` names the variable of the state that says how long is left."""

    end: str

    def alive(self, row, own):
        """log density of the history and of being alive at T."""
        raise NotImplementedError

    def ended(self, row, own):
        """log density of the history and of having left before T."""
        raise NotImplementedError

    def expected(self, own, t):
        """Mean number of purchases in t, of one who is alive."""
        raise NotImplementedError

    def expected_after(self, row, own, t):
        """The same for this customer, where the calendar matters."""
        return self.expected(own, t)

    def expected_given_own(self, row, own, t):
        """The same of draws of what is true of this customer, [D] each, as the model names it."""
        return self.expected_after(row, own, t)

    def lasts(self, own, t):
        """P(more than t is left), of one who is alive."""
        raise NotImplementedError

    def jumps(self, age):
        """Ages before this one at which the density of the last purchase jumps."""
        return ()

    def log_earlier(self, table):
        """log of the integral over the times before the last, of the density relative to that at these histories."""
        x, t_x = table["frequency"].to_numpy(dtype=float), table["recency"].to_numpy()
        return (x - 1) * np.log(t_x) - special.gammaln(x)  # it does not depend on them

    def log_prob(self, theta, row):
        return self.log_integral(theta, lambda own: np.logaddexp(self.alive(row, own), self.ended(row, own)))

    def p_alive(self, theta, row):
        return np.exp(self.log_integral(theta, lambda own: self.alive(row, own)) - self.log_prob(theta, row))


class ExponentialEnd:
    """The end comes by the clock, with hazard `dropout_rate`."""

    end = "residual_lifetime"

    def alive(self, row, own):
        lam, mu = own["purchase_rate"], own["dropout_rate"]
        return row["frequency"] * np.log(lam) - (lam + mu) * row["T"]

    def ended(self, row, own):
        lam, mu = own["purchase_rate"], own["dropout_rate"]
        both, gap = lam + mu, row["T"] - row["recency"]
        with np.errstate(divide="ignore"):
            died = np.log(mu) + np.log(-np.expm1(-both * gap) / both)
        return row["frequency"] * np.log(lam) - both * row["recency"] + died

    def expected(self, own, t):
        mu = own["dropout_rate"]
        return own["purchase_rate"] * -np.expm1(-mu * t) / mu

    def lasts(self, own, t):
        return np.exp(-own["dropout_rate"] * t)


class ParetoNBD(ExponentialEnd, PurchaseStory):
    """lambda ~ Gamma(r, alpha), mu ~ Gamma(s, beta)."""

    def individual(self, theta):
        return {
            "purchase_rate": stats.gamma(theta["r"], scale=1 / theta["alpha"]),
            "dropout_rate": stats.gamma(theta["s"], scale=1 / theta["beta"]),
        }


class NBD(PurchaseStory):
    """lambda ~ Gamma(r, alpha), for ever."""

    end = "residual_lifetime"

    def individual(self, theta):
        return {"purchase_rate": stats.gamma(theta["r"], scale=1 / theta["alpha"])}

    def alive(self, row, own):
        return row["frequency"] * np.log(own["purchase_rate"]) - own["purchase_rate"] * row["T"]

    def ended(self, row, own):
        return np.full_like(own["purchase_rate"], -np.inf)

    def expected(self, own, t):
        return own["purchase_rate"] * t

    def lasts(self, own, t):
        return np.ones_like(own["purchase_rate"])


class GGNBD(PurchaseStory):
    """lambda ~ Gamma(r, alpha); the hazard h e^(b t), h ~ Gamma(s, beta / b); the death age by 48 bunched nodes."""

    end, step, tail = "residual_lifetime", 0.12, 1e-12

    def __init__(self):
        self._died = {}

    def individual(self, theta):
        self.b, self.key = theta["b"], tuple(theta.values())
        return {
            "purchase_rate": stats.gamma(theta["r"], scale=1 / theta["alpha"]),
            "first_hazard": stats.gamma(theta["s"], scale=theta["b"] / theta["beta"]),
        }

    def risk(self, own, start, length):
        """Integral of the hazard."""
        return own["first_hazard"] * np.exp(self.b * start) * np.expm1(self.b * length) / self.b

    def alive(self, row, own):
        lam = own["purchase_rate"]
        return row["frequency"] * np.log(lam) - lam * row["T"] - self.risk(own, 0.0, row["T"])

    def ended(self, row, own):
        lam, t_x = own["purchase_rate"], row["recency"]
        with np.errstate(divide="ignore"):
            left = np.log(own["first_hazard"]) - lam * t_x - self.risk(own, 0.0, t_x) + np.log(self.died(row, own))
        return row["frequency"] * np.log(lam) + left

    def died(self, row, own):
        """Integral over (t_x, T) of the density of the end, relative to t_x and per first hazard; kept."""
        lam, t_x, T = own["purchase_rate"], row["recency"], row["T"]
        key = (self.key, t_x, T)
        if key not in self._died:
            nodes, weights = legendre_rule(48)
            total = np.zeros(np.broadcast(*own.values()).shape)
            for v, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
                gap = (T - t_x) * v**4
                slope = weight * (T - t_x) * 4 * v**3 * np.exp(self.b * (t_x + gap))
                total += slope * np.exp(-lam * gap - self.risk(own, t_x, gap))
            self._died[key] = total
        return self._died[key]

    def expected_after(self, row, own, t):
        nodes, weights = legendre_rule(48)
        total = 0.0
        for v, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            total = total + weight * t * 4 * v**3 * np.exp(-self.risk(own, row["T"], t * v**4))
        return own["purchase_rate"] * total

    def lasts(self, own, t):
        return np.exp(-self.risk(own, 0.0, t))


class BGNBD(PurchaseStory):
    """lambda ~ Gamma(r, alpha), p ~ Beta(a, b), a coin after each repeat purchase."""

    end = "residual_purchases"

    def individual(self, theta):
        return {
            "purchase_rate": stats.gamma(theta["r"], scale=1 / theta["alpha"]),
            "dropout_probability": stats.beta(theta["a"], theta["b"]),
        }

    def alive(self, row, own):
        lam, p, x = own["purchase_rate"], own["dropout_probability"], row["frequency"]
        return x * np.log(lam) - lam * row["T"] + x * np.log1p(-p)

    def ended(self, row, own):
        lam, p, x = own["purchase_rate"], own["dropout_probability"], row["frequency"]
        if x == 0:  # no coin was tossed
            return np.full(np.broadcast(lam, p).shape, -np.inf)
        return x * np.log(lam) - lam * row["recency"] + np.log(p) + (x - 1) * np.log1p(-p)

    def expected(self, own, t):
        lam, p = own["purchase_rate"], own["dropout_probability"]
        return -np.expm1(-lam * p * t) / p

    def lasts(self, own, t):
        return (1 - own["dropout_probability"]) ** t


class MBGNBD(BGNBD):
    """The coin falls after the first purchase too: a customer may be gone at once."""

    def alive(self, row, own):
        return super().alive(row, own) + np.log1p(-own["dropout_probability"])

    def ended(self, row, own):
        lam, p, x = own["purchase_rate"], own["dropout_probability"], row["frequency"]
        return x * np.log(lam) - lam * row["recency"] + np.log(p) + x * np.log1p(-p)


def gaps_of(row):
    """Gaps between the purchases of a history, unequal and always the same; they add up to `recency`."""
    unequal = np.exp(np.linspace(-0.5, 0.5, int(row["frequency"])))
    return row["recency"] * unequal / unequal.sum()


class CNBDk(PurchaseStory):
    """Gaps ~ Erlang-k with mean 1 / rate, k rate ~ Gamma(r, alpha); p ~ Beta(a, b), a coin after each repeat purchase,
    with `first` after the first too."""

    end, step, most = "residual_purchases", 0.07, 500

    def __init__(self, k, first):
        self.k, self.first, self._expected = k, first, {}

    def individual(self, theta):
        return {
            "purchase_rate": stats.gamma(theta["r"], scale=1 / (self.k * theta["alpha"])),
            "dropout_probability": stats.beta(theta["a"], theta["b"]),
        }

    def gap(self, own):
        return stats.gamma(self.k, scale=1 / (self.k * own["purchase_rate"]))

    def bought(self, row, own):
        return sum((self.gap(own).logpdf(gap) for gap in gaps_of(row)), np.zeros_like(own["purchase_rate"]))

    def alive(self, row, own):
        tosses = row["frequency"] + self.first
        silent = self.gap(own).logsf(row["T"] - row["recency"])
        return self.bought(row, own) + silent + tosses * np.log1p(-own["dropout_probability"])

    def ended(self, row, own):
        tosses, p = row["frequency"] + self.first, own["dropout_probability"]
        if tosses == 0:
            return np.full(np.broadcast(own["purchase_rate"], p).shape, -np.inf)
        return self.bought(row, own) + np.log(p) + (tosses - 1) * np.log1p(-p)

    def log_earlier(self, table):
        """The product of the gaps^(k-1), integrated over all x gaps that add up to t_x: a Dirichlet's constant."""
        x, t_x = table["frequency"].to_numpy(dtype=float), table["recency"].to_numpy()
        whole = x * special.gammaln(self.k) - special.gammaln(self.k * x) + (self.k * x - 1) * np.log(t_x)
        return whole - (self.k - 1) * table["sum_log_gaps"].to_numpy()

    def expected_after(self, row, own, t):
        """By the stages passed in the silence since the last purchase."""
        stages = np.arange(self.k)
        passed = stats.poisson.logpmf(stages, self.k * own["purchase_rate"] * (row["T"] - row["recency"]))
        weight = np.exp(passed - special.logsumexp(passed, axis=1, keepdims=True))
        return sum(weight[:, [j]] * self.expected_of_phase(j, t, own) for j in stages)

    def expected_given_own(self, row, own, t):
        """By the stages that have been passed."""
        rate, p = own["purchase_rate"][:, None], own["dropout_probability"][:, None]
        n = np.arange(1, self.most + 1)
        chances = special.gammainc(self.k * n - own["phase"][:, None], self.k * rate * t)
        return (chances * (1 - p) ** (n - 1)).sum(axis=1)

    def expected_of_phase(self, j, t, own):
        """Sum over n of P(n-th purchase before t) (1 - p)^(n - 1) of one who has passed j stages; kept, as rows share
        it."""
        rate, p = own["purchase_rate"], own["dropout_probability"]
        key = j, t, rate.tobytes(), p.tobytes()
        if key not in self._expected:
            n = np.arange(1, self.most + 1)
            self._expected[key] = special.gammainc(self.k * n - j, self.k * rate * t) @ (1 - p) ** (n[:, None] - 1)
        return self._expected[key]

    def lasts(self, own, t):
        return (1 - own["dropout_probability"]) ** t


def amounts_of(row):
    """Amounts of a history of `frequency` repeat purchases with mean `monetary_value`, unequal and always the same."""
    x = int(row["frequency"]) if row["monetary_value"] > 0 else 0
    unequal = np.exp(np.linspace(-1.0, 1.0, x)) if x > 1 else np.ones(x)
    return row["monetary_value"] * unequal / (unequal.mean() if x else 1.0)


class SpendStory(Story):
    """What one individual pays: each of the amounts, and the mean and variance of one amount."""

    def log_density(self, row, theta, own):
        """Of the individual amounts."""
        each = [self.log_density_of_one(amount, theta, own) for amount in amounts_of(row)]
        return sum(each, np.zeros_like(next(iter(own.values()))))

    def log_density_of_one(self, amount, theta, own):
        raise NotImplementedError

    def all_histories(self, x):
        """Amounts of x purchases on a grid [R, x], and the logs of its cells [R]: the density adds up to one there."""
        y, step = np.linspace(-22.0, 26.0, 481, retstep=True)
        logs = np.stack([axis.ravel() for axis in np.meshgrid(*[y] * x, indexing="ij")], axis=1)
        return np.exp(logs), logs.sum(axis=1) + x * np.log(step)

    def amount(self, theta, own):
        raise NotImplementedError

    def variance(self, theta, own):
        raise NotImplementedError

    def log_prob(self, theta, row):
        return self.log_integral(theta, lambda own: self.log_density(row, theta, own))


class GammaGamma(SpendStory):
    """nu ~ Gamma(q, v); each amount ~ Gamma(p, nu)."""

    step, tail = 0.01, 1e-60  # peaks as narrow as 1 / sqrt(p x), and means of 1 / nu

    def individual(self, theta):
        return {"spend_rate": stats.gamma(theta["q"], scale=1 / theta["v"])}

    def log_density_of_one(self, amount, theta, own):
        return stats.gamma.logpdf(amount, theta["p"], scale=1 / own["spend_rate"])

    def amount(self, theta, own):
        return theta["p"] / own["spend_rate"]

    def variance(self, theta, own):
        return theta["p"] / own["spend_rate"] ** 2


class GammaGammaMean(GammaGamma):
    """The same customers; the density is that of the mean of their amounts."""

    def log_density(self, row, theta, own):
        x, m, nu = row["frequency"], row["monetary_value"], own["spend_rate"]
        if x == 0 or m == 0:
            return np.zeros_like(nu)
        return stats.gamma.logpdf(m, theta["p"] * x, scale=1 / (x * nu))

    def all_histories(self, x):
        log_m, step = np.linspace(-60.0, 60.0, 6001, retstep=True)
        return np.tile(np.exp(log_m)[:, None], (1, x)), log_m + np.log(step)


class LogNormalSpend(SpendStory):
    """The median ~ LogNormal(log m, tau); each amount ~ LogNormal(log median, sigma)."""

    step, tail = 0.01, 1e-60

    def individual(self, theta):
        return {"median_spend": stats.lognorm(theta["tau"], scale=theta["m"])}

    def log_density_of_one(self, amount, theta, own):
        return stats.lognorm.logpdf(amount, theta["sigma"], scale=own["median_spend"])

    def amount(self, theta, own):
        return own["median_spend"] * np.exp(theta["sigma"] ** 2 / 2)

    def variance(self, theta, own):
        return self.amount(theta, own) ** 2 * np.expm1(theta["sigma"] ** 2)
