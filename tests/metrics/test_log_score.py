"""The log score by hand; what is impossible is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes.judging import make_judged, scores
from scipy.stats import poisson

from clvmodels.errors import DataError


@pytest.mark.parametrize("bad", [-np.inf, np.nan, np.inf])
def test_an_impossible_count_is_refused_by_name(bad):
    judged = make_judged([[1, 0], [2, 1]], [1, 5])
    broken = dataclasses.replace(judged.futures, log_prob=np.array([-1.0, bad]))
    with pytest.raises(DataError, match=r"1 of 2 log probabilities.*'c000001' with 5 purchases"):
        scores(dataclasses.replace(judged, futures=broken), "log_score")


def test_log_score_by_hand():
    judged = make_judged([[1, 0, 2]] * 3, [1, 0, 2], rates=[1.0, 0.5, 2.0])
    terms = poisson.logpmf([1, 0, 2], [1.0, 0.5, 2.0])
    got = scores(judged, "log_score")
    reach = 1.6448536269514722 * np.sqrt(3 * terms.var(ddof=1))
    assert got["log_score"][1:] == pytest.approx((terms.sum(), terms.sum() - reach, terms.sum() + reach))
    assert got["log_score_mean"].value == pytest.approx(terms.mean())
