"""Coverage by hand, and beside what the model itself expects."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.judging import make_judged, poisson_judged, scores
from scipy.stats import poisson

from clvmodels.metrics.coverage import inclusive_coverage


def test_coverage_by_hand():
    draws = np.array([[0] * 6 + [1] * 3 + [5], list(range(10))]).T  # 10 draws of 2 customers
    held, expected = inclusive_coverage(make_judged(draws, [1, 9]), (0.25, 0.75))
    assert held.tolist() == [True, False]  # [0, 1] and [2, 7]
    assert expected.tolist() == pytest.approx([0.9, 0.6])


def test_coverage_agrees_with_the_exact_quantiles_of_a_poisson():
    rate, n = 1.3, 30_000
    rng = np.random.default_rng(10)
    judged = make_judged(rng.poisson(rate, (999, 1)) * np.ones((1, n)), rng.poisson(rate, n))
    got = scores(judged, "coverage")
    for level, tails in ((50, (0.25, 0.75)), (80, (0.1, 0.9)), (90, (0.05, 0.95))):
        low, high = poisson.ppf(tails, rate)
        exact = poisson.cdf(high, rate) - poisson.cdf(low - 1, rate)
        assert got[f"coverage_{level}"].value == pytest.approx(exact, abs=4.5 * np.sqrt(exact * (1 - exact) / n))
        assert got[f"coverage_{level}_expected"].value == pytest.approx(exact, abs=0.07)
        assert exact > level / 100


def test_coverage_meets_what_the_model_expects_only_if_it_is_right():
    sound, shifted = poisson_judged(draws=1000), poisson_judged(draws=1000, factor=3.0)
    for level in (50, 80, 90):
        got = scores(sound, "coverage")
        assert got[f"coverage_{level}"].lower < got[f"coverage_{level}_expected"].value < got[f"coverage_{level}"].upper
        got = scores(shifted, "coverage")
        assert got[f"coverage_{level}"].upper < got[f"coverage_{level}_expected"].value
