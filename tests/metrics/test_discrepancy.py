"""The discrepancy of totals: its posterior against quadrature in two dimensions and against known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, halfnorm, kstest, multivariate_normal, norm

from clvmodels.metrics.discrepancy import (
    OF_RATES,
    OF_TOTALS,
    Discrepancy,
    Learned,
    Prior,
    Window,
    growth,
    overlaps,
)

END = pd.Timestamp("2025-06-30")
WEEKS_BACK = (26, 20, 13, 7)


def window(weeks_back: float, log_error: float = 0.0, sd: float = 0.05, weeks: float | None = None) -> Window:
    """A window that begins so many weeks before the end, up to it or of so many weeks."""
    start = END - pd.Timedelta(weeks=weeks_back)
    end = END if weeks is None else start + pd.Timedelta(weeks=weeks)
    return Window(start, end, 1000.0 * np.exp(log_error), 1000.0, sd**2)


def nested(errors, sd: float = 0.05) -> tuple[Window, ...]:
    return tuple(window(weeks, error, sd) for weeks, error in zip(WEEKS_BACK, errors, strict=True))


def covariance(windows, spread: float) -> np.ndarray:
    """Of errors about the bias, written from the docstring."""
    size = len(windows)
    matrix = np.zeros((size, size))
    for i, a in enumerate(windows):
        for j, b in enumerate(windows):
            shared = max((min(a.end, b.end) - max(a.start, b.start)).days / 7, 0.0)
            correlation = shared / np.sqrt(a.weeks * b.weeks)
            own = np.sqrt(a.variance * b.variance)
            discrepancy = spread**2 * ((a.weeks / 13) ** 0.5 * (b.weeks / 13) ** 0.5) ** 0.5
            matrix[i, j] = correlation * (own + discrepancy)
    return matrix


def test_windows_are_correlated_by_what_they_share():
    found = overlaps((window(26), window(13), window(26, weeks=13), window(26, weeks=6)))
    assert np.allclose(np.diag(found), 1)
    assert found[0, 1] == pytest.approx(13 / np.sqrt(26 * 13))  # inside the other
    assert found[1, 2] == 0  # one after the other
    assert found[2, 3] == pytest.approx(6 / np.sqrt(6 * 13))


@pytest.mark.parametrize("errors", [(0.0, 0.0, 0.0, 0.0), (0.3, 0.25, 0.1, -0.1), (-0.9, -0.8, -0.7, -0.6)])
@pytest.mark.parametrize("prior", [OF_TOTALS, OF_RATES])
def test_the_posterior_is_that_of_quadrature_in_two_dimensions(errors, prior):
    """Bias and spread on a grid, the density of the errors as scipy has it: moments, and quantiles of the draws."""
    windows = nested(errors)
    bias = np.linspace(-8 * prior.bias, 8 * prior.bias, 241)
    spread = (np.arange(500) + 0.5) * 8 * prior.spread / 500
    log_density = np.empty((len(bias), len(spread)))
    for place, s in enumerate(spread):
        of_errors = multivariate_normal(np.zeros(4), covariance(windows, s))
        log_density[:, place] = of_errors.logpdf(np.array(errors) - bias[:, None])
    log_density += norm(0, prior.bias).logpdf(bias)[:, None] + halfnorm(0, prior.spread).logpdf(spread)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    means = density.sum(axis=1) @ bias, density.sum(axis=0) @ spread
    sds = np.sqrt([density.sum(axis=1) @ (bias - means[0]) ** 2, density.sum(axis=0) @ (spread - means[1]) ** 2])

    draws = 200_000
    rng = np.random.default_rng(1)
    found = Discrepancy(prior, windows).bias_and_spread(rng.random(draws), rng.standard_normal(draws))
    for of_draws, mean, sd in zip(found, means, sds, strict=True):
        assert abs(of_draws.mean() - mean) < 4.5 * sd / np.sqrt(draws) + 0.003 * sd
        assert of_draws.std() == pytest.approx(sd, rel=0.012)


def test_without_windows_the_prior_speaks():
    bias, spread = Discrepancy(OF_TOTALS).bias_and_spread(
        (np.arange(20_000) + 0.5) / 20_000, norm.ppf((np.arange(20_000)[::-1] + 0.5) / 20_000)
    )
    assert kstest(bias, norm(0, OF_TOTALS.bias).cdf).statistic < 0.001
    assert kstest(spread, halfnorm(0, OF_TOTALS.spread).cdf).statistic < 0.006  # a cell of the grid


def test_the_order_of_the_windows_is_irrelevant():
    windows = nested((0.3, 0.25, 0.1, -0.1))
    draws = [Discrepancy(OF_TOTALS, w).log_factors(39, 400, 1, "purchases") for w in (windows, windows[::-1])]
    assert np.allclose(*draws, atol=1e-9)


def test_a_longer_window_is_as_lucky_and_wider():
    learned = Discrepancy(OF_TOTALS, nested((0.1, 0.0, 0.1, 0.0)))
    short, long = (learned.log_factors(weeks, 4000, 1, "purchases") for weeks in (13, 52))
    assert long.std() > short.std()
    assert np.corrcoef(short, long)[0, 1] > 0.95
    assert growth(52) == pytest.approx(2 * growth(13))


def test_bias_is_learned_and_shrunk():
    """Twice as many purchases as forecast, four times over: the next forecast is raised, and by less."""
    factor = np.exp(Discrepancy(OF_TOTALS, nested([np.log(2)] * 4)).log_factors(26, 4000, 1, "purchases"))
    assert 1.1 < np.median(factor) < 1.7
    sound = np.exp(Discrepancy(OF_TOTALS, nested([0.0] * 4)).log_factors(26, 4000, 1, "purchases"))
    assert np.median(sound) == pytest.approx(1.0, abs=0.02)
    assert np.log(factor).std() > 1.3 * np.log(sound).std()


def simulated(rng: np.random.Generator, prior: Prior, ahead: float, own_sd: float):
    """Bias and spread of the prior, errors of the nested windows, and the log error of the next forecast."""
    bias = rng.normal(0, prior.bias)
    spread = abs(rng.normal(0, prior.spread))
    blank = nested([0.0] * 4, own_sd)
    errors = rng.multivariate_normal(np.full(4, bias), covariance(blank, spread))
    following = bias + rng.normal(0, spread * (ahead / 13) ** 0.25)
    return bias, spread, nested(errors, own_sd), following


def test_ranks_of_the_truth_are_uniform():
    """Simulation-based calibration of bias, spread and the factor of the next total (Talts et al. 2018): 400
    replications; the largest distance of the ranks from uniform is beyond its 1 in 10,000 quantile in none."""
    rng = np.random.default_rng(20261130)
    places: dict[str, list[float]] = {"bias": [], "spread": [], "next": []}
    for replication in range(400):
        bias, spread, windows, following = simulated(rng, OF_TOTALS, 39, 0.05)
        learned = Discrepancy(OF_TOTALS, windows)
        draws = learned.bias_and_spread(rng.random(999), rng.standard_normal(999))
        factors = learned.log_factors(39, 999, replication, "purchases")
        for name, truth, of_draws in (
            ("bias", bias, draws[0]),
            ("spread", spread, draws[1]),
            ("next", following, factors),
        ):
            places[name].append((np.count_nonzero(of_draws < truth) + rng.random()) / 1000)
    for name, of_parameter in places.items():
        assert kstest(of_parameter, "uniform").pvalue > 1e-4, name


def test_intervals_of_a_sound_model_still_hold_and_what_they_cost_is_known():
    """Truth without any discrepancy: 90% intervals of the corrected total hold in at least as many of 400 as chance
    leaves 99 of 100 times; they are wider than need be, and by how much is known."""
    rng = np.random.default_rng(5)
    blank = nested([0.0] * 4)
    inside, widths = 0, []
    for replication in range(400):
        errors = rng.multivariate_normal(np.zeros(4), covariance(blank, 0.0))
        learned = Discrepancy(OF_TOTALS, nested(errors))
        own = rng.normal(0, 0.05, 1000)
        low, high = np.quantile(own + learned.log_factors(26, 1000, replication, "purchases"), (0.05, 0.95))
        inside += low <= rng.normal(0, 0.05) <= high
        widths.append((high - low) / np.ptp(np.quantile(own, (0.05, 0.95))))
    assert inside >= binom.ppf(0.01, 400, 0.9)
    assert 1.5 < np.mean(widths) < 4.0


def test_intervals_hold_where_the_model_errs_as_the_prior_says():
    """Bias and spread drawn from the prior: as many of 400 as chance leaves 98 of 100 times, neither fewer nor more."""
    rng = np.random.default_rng(6)
    inside = 0
    for replication in range(400):
        _, _, windows, following = simulated(rng, OF_TOTALS, 26, 0.05)
        factors = Discrepancy(OF_TOTALS, windows).log_factors(26, 1000, replication, "purchases")
        low, high = np.quantile(rng.normal(0, 0.05, 1000) + factors, (0.05, 0.95))
        inside += low <= following + rng.normal(0, 0.05) <= high
    assert binom.ppf(0.01, 400, 0.9) <= inside <= binom.ppf(0.99, 400, 0.9)


def test_a_quantity_that_is_not_forecast_is_certain():
    learned = Learned({"purchases": Discrepancy(OF_TOTALS), "spend": Discrepancy(OF_RATES)})
    alone = learned.factor(("purchases",), 26, 400, 1)
    assert np.array_equal(learned.factor(("purchases", "margin"), 26, 400, 1), alone)
    assert np.array_equal(learned.factor((), 26, 400, 1), np.ones(400))
    both = learned.factor(("purchases", "spend"), 26, 400, 1)
    assert np.allclose(both, alone * learned.factor(("spend",), 26, 400, 1))
    assert not np.array_equal(alone, learned.factor(("purchases",), 26, 400, 2))
