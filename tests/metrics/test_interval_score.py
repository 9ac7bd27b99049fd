"""The interval score: by hand, and least for the true interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from clvmodels.metrics.interval_score import interval_score


@pytest.mark.parametrize(
    ("actual", "score"), [(1.0, 4.0), (3.0, 4.0), (5.0, 4.0), (0.5, 4.0 + 20 * 0.5), (6.0, 4.0 + 20.0)]
)
def test_it_is_the_width_and_a_penalty_of_what_lies_outside(actual, score):
    assert interval_score(1.0, 5.0, actual, 0.9) == pytest.approx(score)


def test_of_all_intervals_the_true_one_scores_best():
    came = norm.ppf((np.arange(4000) + 0.5) / 4000)
    mean = {}
    for reach in (0.8, 1.0, 1.25):
        end = reach * norm.ppf(0.95)
        mean[reach] = np.mean([interval_score(-end, end, actual, 0.9) for actual in came])
    assert min(mean, key=mean.get) == 1.0
