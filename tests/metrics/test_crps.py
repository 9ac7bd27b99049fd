"""CRPS: the double sum, fair with few draws, and the truth preferred."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.judging import poisson_judged, scores
from scipy.special import ive
from scipy.stats import poisson

from clvmodels.metrics.crps import fair_crps


def poisson_crps(rate: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Closed form of Wei and Held (2014), Test 23, 787-805."""
    bessel = ive(0, 2 * rate) + ive(1, 2 * rate)  # scaled by exp(-2 rate) already
    return (y - rate) * (2 * poisson.cdf(y, rate) - 1) + 2 * rate * poisson.pmf(y, rate) - rate * bessel


def test_crps_is_the_double_sum():
    rng = np.random.default_rng(2)
    draws, actual = rng.poisson(3.0, (25, 40)), rng.poisson(3.0, 25)
    pairs = np.abs(draws[:, :, None] - draws[:, None, :]).sum(axis=(1, 2))
    brute = np.abs(draws - actual[:, None]).mean(axis=1) - pairs / (2 * 40 * 39)
    np.testing.assert_allclose(fair_crps(draws, actual), brute, rtol=1e-13)


@pytest.mark.parametrize(("rate", "y"), [(0.3, 0), (0.3, 2), (5.0, 4), (40.0, 55)])
def test_crps_tends_to_the_closed_form_of_a_poisson(rate, y):
    draws = np.random.default_rng(5).poisson(rate, (1, 400_000))
    # Of the mean distance and of half the mean difference, each with a standard error below sd / sqrt(D).
    tolerance = 4 * np.sqrt(rate / 400_000) * 2
    assert fair_crps(draws, np.array([y]))[0] == pytest.approx(poisson_crps(np.array(rate), np.array(y)), abs=tolerance)


def test_crps_is_fair_with_three_draws():
    """Unbiased for the distribution however few the draws: the plain ensemble form would be far off."""
    rng = np.random.default_rng(6)
    got = fair_crps(rng.poisson(2.0, (200_000, 3)), np.full(200_000, 3))
    se = got.std() / np.sqrt(len(got))
    truth = poisson_crps(np.array(2.0), np.array(3))
    assert abs(got.mean() - truth) < 4.5 * se
    assert se < 0.01 * truth


def test_crps_prefers_the_truth():
    assert scores(poisson_judged())["crps"].value < scores(poisson_judged(factor=1.5))["crps"].value
