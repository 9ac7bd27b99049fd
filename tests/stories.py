"""What each model says of one individual, written a second time for the tests, and integrated by brute force.

A story knows how individuals differ and what is true of one of them; it shares no code with the models. Integrals over
individuals are trapezoids over the log (or logit) of what differs: every integrand vanishes doubly exponentially or
exponentially at both ends, where the trapezoid converges faster than any power.
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats


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

    def lasts(self, own, t):
        """P(more than t is left), of one who is alive."""
        raise NotImplementedError

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


class SpendStory(Story):
    """What one individual pays: the mean of x amounts, and the mean and variance of one amount."""

    def log_density(self, row, theta, own):
        raise NotImplementedError

    def amount(self, theta, own):
        raise NotImplementedError

    def variance(self, theta, own):
        raise NotImplementedError

    def log_prob(self, theta, row):
        return self.log_integral(theta, lambda own: self.log_density(row, theta, own))


class GammaGamma(SpendStory):
    """nu ~ Gamma(q, v); amounts ~ Gamma(p, nu)."""

    step, tail = 0.01, 1e-60  # peaks as narrow as 1 / sqrt(p x), and means of 1 / nu

    def individual(self, theta):
        return {"spend_rate": stats.gamma(theta["q"], scale=1 / theta["v"])}

    def log_density(self, row, theta, own):
        x, m, nu = row["frequency"], row["monetary_value"], own["spend_rate"]
        if x == 0 or m == 0:
            return np.zeros_like(nu)
        return stats.gamma.logpdf(m, theta["p"] * x, scale=1 / (x * nu))

    def amount(self, theta, own):
        return theta["p"] / own["spend_rate"]

    def variance(self, theta, own):
        return theta["p"] / own["spend_rate"] ** 2
