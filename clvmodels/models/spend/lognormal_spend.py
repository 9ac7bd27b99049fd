"""Log-normal spend: a customer's amounts vary as a log-normal distribution, and so do medians between customers.

The story: the log of each amount of customer i is N(mu_i, sigma^2), and mu_i ~ N(log m, tau^2) between customers,
independent of how often they buy: m is the median of what a purchase brings, tau says how far customers differ, sigma
how far one customer's purchases do. Of n amounts z_1, ..., z_n of repeat purchases, with mean log y and sum of squares
of the logs about it ss,

    log f(z_1, ..., z_n) = log N(y; log m, tau^2 + sigma^2 / n) - (n - 1) (log sigma + log(2 pi) / 2)
                           - ss / (2 sigma^2) - log(n) / 2 - n y
    mu_i | z ~ N(log m + w (y - log m), tau^2 (1 - w)),    w = n tau^2 / (n tau^2 + sigma^2)
    E[amount | z] = exp(E[mu_i | z] + Var[mu_i | z] / 2 + sigma^2 / 2)

A customer without repeat purchases gives no likelihood and draws from the population; days that brought nothing are
left out. A population's mean amount is m exp((tau^2 + sigma^2) / 2), finite whatever the parameters, as are all
moments; Gamma-Gamma's tail is a power, and its variance infinite for q <= 2. The mean grows fast all the same: it is
1.6 m at tau = sigma = 0.7 and 55 m at 2. The priors' tails are normal for that reason: with a heavier one, or a scale
of 1 or more, the prior mean of an amount would be infinite. The sum of n amounts has no closed form; it is drawn.

Borle, Singh & Jain (2008), Customer Lifetime Value Measurement, Management Science 54(1), take amounts as log-normal
so; the normal model of the logs is that of Gelman et al. (2013), Bayesian Data Analysis, section 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytensor.tensor as pt

from clvmodels import variates
from clvmodels.draws import Array
from clvmodels.models.contract import SpendModel
from clvmodels.models.densities import amounts as loops
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.parameters import Graph, Meaning, Parameter, Rows, Theta
from clvmodels.models.prior import Prior, log_normal
from clvmodels.randomness import KeyedRandom

SPREAD = Prior("HalfNormal", {"sigma": 0.7})
LOG_2PI = float(np.log(2.0 * np.pi))


class LogNormalSpend(SpendModel):
    """See the module's text."""

    name = "lognormal_spend"
    title = "Log-normal spend"
    reference = "Borle, Singh & Jain (2008), Customer Lifetime Value Measurement"
    observes = ("amount_count", "amount_log_sum", "amount_log_ss")
    conditions_on = ("amount_count", "amount_log_sum")
    kernel = Kernel(loops.lognormal_spend, (0,))
    levels = ("m",)
    meanings = (
        Meaning(
            "mean amount of a purchase",
            "{currency}",
            lambda theta: theta["m"] * np.exp((theta["tau"] ** 2 + theta["sigma"] ** 2) / 2),
        ),
        Meaning("spread of one customer's amounts (sd / mean)", "", lambda theta: np.expm1(theta["sigma"] ** 2) ** 0.5),
    )
    parameters = (
        Parameter("m", "spend", "money", log_normal(30.0, 3.0), 1, "spend", "median amount of a purchase"),
        Parameter("tau", "spend", "none", SPREAD, 1, "spread between customers", "sd of log means between customers"),
        Parameter("sigma", "spend", "none", SPREAD, 1, "spread of one's amounts", "sd of a customer's log amounts"),
    )

    def log_prob(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log f(z_1, ..., z_n); 0 where nothing was bought again or for nothing. [R]"""
        m, tau, sigma = theta["m"], theta["tau"], theta["sigma"]
        paid = pt.gt(rows["amount_count"], 0)
        n, logs = pt.switch(paid, rows["amount_count"], 1.0), rows["amount_log_sum"]
        variance = n * tau**2 + sigma**2  # n times that of the mean log
        log_f = (
            -n * (logs / n - pt.log(m)) ** 2 / variance
            - pt.log(variance)
            - 2.0 * (n - 1.0) * pt.log(sigma)
            - rows["amount_log_ss"] / sigma**2
            - n * LOG_2PI
        ) / 2 - logs
        return pt.switch(paid, log_f, 0.0)

    def draw(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Mapping[str, Array]:
        """median_spend: exp(mu_i) given the history. [D, C]"""
        mean, variance = _own_log_mean(rows, theta)
        return {"median_spend": np.exp(mean + np.sqrt(variance) * rng.normal()), "spread": theta["sigma"]}

    def expected_spend(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        """exp(E[mu_i] + Var[mu_i] / 2 + sigma^2 / 2), given the history. [D, C]"""
        mean, variance = _own_log_mean(rows, theta)
        return np.exp(mean + variance / 2 + theta["sigma"] ** 2 / 2)

    def spend_given_own(self, state: Mapping[str, Array]) -> Array:
        """exp(mu_i + sigma^2 / 2). [D, C]"""
        return state["median_spend"] * np.exp(state["spread"] ** 2 / 2)

    def spend_total(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        """n amounts drawn and added: a heavy buyer costs time, not memory."""
        return rng.fill(_sums, n, np.log(state["median_spend"]), state["spread"])


def _own_log_mean(rows: Rows[Array], theta: Theta[Array]) -> tuple[Array, Array]:
    """Mean and variance of mu_i given the history. [D, C] each"""
    n, logs = np.asarray(rows["amount_count"]), np.asarray(rows["amount_log_sum"])
    between, within, log_m = theta["tau"] ** 2, theta["sigma"] ** 2, np.log(theta["m"])
    scale = n * between + within
    mean = log_m + between * (logs - n * log_m) / scale
    variance = between * within / scale
    return mean, variance


@variates.drawing(3)
def _sums(streams, columns, n, log_median, spread, out):  # pragma: no cover - compiled
    """Sums of n log-normal amounts."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = 0.0
            for _ in range(int(n[i, j])):
                total += np.exp(log_median[i, j] + spread[i, j] * variates.normal(streams, columns[j]))
            out[i, j] = total
    return True


lognormal_spend = LogNormalSpend()
