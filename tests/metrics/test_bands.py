"""Bands hold what chance alone brings, and no more; lines and counts are those of brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from clvmodels.metrics import bands
from clvmodels.metrics.bands import how_far_beyond_chance, inside_count, isotonic_line, uniform_band
from clvmodels.metrics.judgement import frequency_groups, side_of


def test_the_bound_of_a_count_is_that_of_the_models_own_draws():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(4000, 1)) + 0.05 * rng.normal(size=(4000, 20))
    apart = rng.normal(size=(4000, 20))
    found = [inside_count(draws, np.zeros(20)) for draws in (shared, apart)]
    assert found[0].expected == pytest.approx(18, abs=0.1)
    assert found[0].lower_limit <= 1  # all weeks miss together
    assert found[1].lower_limit >= 14


@pytest.mark.parametrize("customers", [60, 2000])
def test_the_pit_band_holds_99_of_100_uniform_samples(customers):
    place = np.linspace(0, 1, 101)[1:-1]
    low, high = uniform_band(customers, place)
    rng = np.random.default_rng(5)
    found = [np.searchsorted(np.sort(rng.random(customers)), place, side="right") / customers for _ in range(1500)]
    share = np.mean([((f >= low - 1e-12) & (f <= high + 1e-12)).all() for f in found])
    assert 0.982 <= share <= 0.999


def nondecreasing(rate: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The isotonic fit by its min-max formula: at each place the largest over starts of the least mean over ends."""

    def mean(start: int, end: int) -> float:
        return float(np.average(rate[start : end + 1], weights=weight[start : end + 1]))

    count = len(rate)
    return np.array([max(min(mean(s, e) for e in range(k, count)) for s in range(k + 1)) for k in range(count)])


def test_the_isotonic_line_is_that_of_the_min_max_formula():
    rng = np.random.default_rng(4)
    places = np.array([0.1, 0.2, 0.4, 0.5, 0.7, 0.9])
    predicted = rng.choice(places, 300)
    bought = rng.random(300) < predicted
    weight = np.array([(predicted == place).sum() for place in places])
    rate = np.array([bought[predicted == place].mean() for place in places])
    line = isotonic_line(predicted, bought, places)
    np.testing.assert_allclose(line.bought, nondecreasing(rate, weight), rtol=1e-12)
    assert (np.diff(line.bought) >= 0).all() and (line.lower <= line.upper).all()


def test_many_different_predictions_are_taken_together_without_moving_the_line(monkeypatch):
    rng = np.random.default_rng(5)
    predicted = rng.random(3000)
    bought = rng.random(3000) < predicted
    grid = np.linspace(0.1, 0.9, 9)
    coarse = isotonic_line(predicted, bought, grid)
    monkeypatch.setattr(bands, "MOST_PREDICTIONS", 10**6)
    monkeypatch.setattr(bands, "CONSISTENCY_RESAMPLES", 50)
    np.testing.assert_allclose(coarse.bought, isotonic_line(predicted, bought, grid).bought, atol=0.02)


def test_the_consistency_band_holds_the_line_of_a_sound_forecast():
    """Pointwise, in 99 of 100 samples; of 60 samples and 5 places binomial noise allows no less than 0.97."""
    rng = np.random.default_rng(6)
    predicted = np.repeat(np.linspace(0.05, 0.95, 19), 20)
    grid = np.array([0.15, 0.3, 0.5, 0.7, 0.85])
    held = []
    for _ in range(60):
        line = isotonic_line(predicted, rng.random(len(predicted)) < predicted, grid)
        held.append((line.bought >= line.lower - 1e-12) & (line.bought <= line.upper + 1e-12))
    assert 0.97 <= np.mean(held) <= 1.0


def test_groups_by_frequency_are_of_ten_or_more_and_cover_everyone():
    rng = np.random.default_rng(2)
    for customers in (12, 50, 500, 5000):
        frequency = rng.poisson(rng.gamma(0.5, 3, customers))
        bounds = frequency_groups(frequency)
        sizes = [((frequency >= low) & (frequency <= high)).sum() for low, high in bounds]
        assert sum(sizes) == customers
        assert len(bounds) <= 8
        assert min(sizes) >= 10


@pytest.mark.parametrize(
    ("actual", "side"), [(0.9, "below"), (1.0, "inside"), (2.0, "inside"), (3.0, "inside"), (3.1, "above")]
)
def test_a_number_on_the_end_of_its_interval_is_inside(actual, side):
    assert side_of(actual, {"q5": 1.0, "q25": 1.5, "q50": 2.0, "q75": 2.5, "q95": 3.0}) == side


def test_how_far_the_farthest_lies_beyond_chance():
    rng = np.random.default_rng(4)
    draws = rng.normal(10.0, [1.0, 2.0, 3.0], size=(4000, 3))
    limit = norm.ppf(0.5 + 0.5 * 0.99 ** (1 / 3))  # of the farthest of three that are independent, in sds
    far = [10.0, 10.0, 10.0 - 3.0 * 2 * limit]
    assert how_far_beyond_chance(draws, np.array(far)) == pytest.approx(2.0, rel=0.05)
    assert how_far_beyond_chance(draws, draws.mean(axis=0)) == 0.0
    sure = np.column_stack([draws[:, 0], np.zeros(4000)])
    assert how_far_beyond_chance(sure, np.array([10.0, 0.0])) < 0.1
    assert how_far_beyond_chance(sure, np.array([10.0, 0.1])) == np.inf  # no draw has any
    assert how_far_beyond_chance(np.ones((9, 2)), np.ones(2)) == 0.0
