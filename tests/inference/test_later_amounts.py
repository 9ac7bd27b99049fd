"""The density of later amounts given earlier ones, against integrals over the customer's own parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, posterior_of
from scipy import stats
from scipy.integrate import quad

from clvmodels.inference.later_amounts import log_density_of_later
from clvmodels.models import MODELS
from clvmodels.models.spend.gamma_gamma_mean import GammaGammaMean

EARLIER = {"heavy": [30.0, 12.0, 55.0], "light": [8.0], "new": [], "gone": [20.0, 21.0]}
LATER = {"heavy": [40.0, 18.0], "light": [70.0], "new": [5.0, 90.0], "gone": []}
IDS = list(EARLIER)
DRAWS = 5


def statistics(amounts: dict[str, list[float]]) -> pd.DataFrame:
    """What spend models observe of these amounts."""
    rows = []
    for paid in amounts.values():
        logs = np.log(paid)
        about_mean = ((logs - logs.mean()) ** 2).sum() if len(paid) else 0.0
        mean = np.mean(paid) if paid else 0.0
        rows.append((len(paid), mean, len(paid), sum(paid), logs.sum(), about_mean))
    names = ["frequency", "monetary_value", "amount_count", "amount_sum", "amount_log_sum", "amount_log_ss"]
    return pd.DataFrame(rows, columns=names, index=pd.Index(list(amounts), name="customer_id"))


def together() -> pd.DataFrame:
    return statistics({name: EARLIER[name] + LATER[name] for name in IDS})


def gamma_gamma(theta: dict[str, float], earlier: list[float], later: list[float]) -> float:
    """The rate of the amounts integrated out, given the earlier ones."""
    p, q, v = theta["p"], theta["q"], theta["v"]
    rate = stats.gamma(q + p * len(earlier), scale=1 / (v + sum(earlier)))
    low, high = rate.ppf([1e-13, 1 - 1e-13])
    return quad(lambda nu: rate.pdf(nu) * np.prod(stats.gamma.pdf(later, p, scale=1 / nu)), low, high, limit=200)[0]


def lognormal(theta: dict[str, float], earlier: list[float], later: list[float]) -> float:
    """The logs are jointly normal: the later ones given the earlier, with the amounts' Jacobian."""
    n, k = len(earlier), len(later)
    covariance = theta["tau"] ** 2 * np.ones((n + k, n + k)) + theta["sigma"] ** 2 * np.eye(n + k)
    means = np.full(n + k, np.log(theta["m"]))
    logs = np.log([*earlier, *later])
    joint = stats.multivariate_normal(means, covariance).pdf(logs)
    before = stats.multivariate_normal(means[:n], covariance[:n, :n]).pdf(logs[:n]) if n else 1.0
    return joint / before / np.prod(later)


@pytest.mark.parametrize(
    ("name", "density"),
    [("gamma_gamma", gamma_gamma), ("gamma_gamma_mean", gamma_gamma), ("lognormal_spend", lognormal)],
)
def test_the_density_of_later_amounts_is_the_integral_over_what_the_earlier_ones_leave_open(name, density):
    posterior = posterior_of(MODELS[name], CASES[name].theta, DRAWS)
    got = log_density_of_later(posterior, statistics(EARLIER), together(), DRAWS)
    draws = [{p.name: posterior.stacked(p.name)[d] for p in posterior.model.parameters} for d in range(DRAWS)]
    for customer in IDS[:3]:
        expected = np.mean([density(theta, EARLIER[customer], LATER[customer]) for theta in draws])
        assert got[customer] == pytest.approx(np.log(expected), rel=1e-7)
    assert got["gone"] == 0.0  # nothing came, of which nothing is said


def test_customers_meet_by_label_and_those_who_came_later_are_passed_over():
    posterior = posterior_of(MODELS["gamma_gamma"], CASES["gamma_gamma"].theta, DRAWS)
    usual = log_density_of_later(posterior, statistics(EARLIER), together(), DRAWS)
    later = pd.concat([together().iloc[::-1], statistics({"new one": [3.0]})])
    again = log_density_of_later(posterior, statistics(EARLIER), later, DRAWS)
    pd.testing.assert_series_equal(again, usual)


def test_a_model_of_means_alone_tells_no_density_of_amounts():
    class MeansAlone(GammaGammaMean):
        of_amounts = None

    posterior = posterior_of(MODELS["gamma_gamma_mean"], CASES["gamma_gamma_mean"].theta, DRAWS)
    posterior = replace(posterior, model=MeansAlone())
    assert log_density_of_later(posterior, statistics(EARLIER), together(), DRAWS) is None
