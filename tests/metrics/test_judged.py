"""What a forecast is judged on, what is refused, and the two intervals that metrics share."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes.judging import DAY, make_judged, poisson_judged
from scipy.stats import binom

from clvmodels.customers.table import Holdout
from clvmodels.errors import DataError
from clvmodels.metrics.judged import mean_interval, share_interval


def test_a_missing_holdout_is_refused():
    with pytest.raises(DataError, match="there is none"):
        make_judged([[1]], [1], holdout=None)


def test_tables_of_other_customers_are_all_named():
    table = pd.DataFrame({"purchases": [1, 2]}, index=["c000000", "stranger"])
    elpd = pd.DataFrame({"elpd_i": [0.0], "pareto_k": [0.1]}, index=["c000000"])
    with pytest.raises(DataError) as caught:
        make_judged([[1, 2]], [1, 2], holdout=Holdout(table, 39.0, DAY, DAY), elpd=elpd)
    assert [problem.where for problem in caught.value.problems] == ["holdout", "elpd"]
    assert "e.g. 'c000001'" in str(caught.value)


def test_repeated_ids_and_wrong_shapes_are_refused():
    judged = poisson_judged(3, 5)
    with pytest.raises(DataError, match=r"futures\.p_any: shape disagrees"):
        dataclasses.replace(judged, futures=dataclasses.replace(judged.futures, p_any=np.ones(2)))
    twice = np.array(["c000000", "c000000", "c000001"])
    with pytest.raises(DataError, match="more than once"):
        dataclasses.replace(judged, futures=dataclasses.replace(judged.futures, customer_id=twice))


def test_no_draws_are_refused():
    with pytest.raises(DataError, match="nothing to judge"):
        make_judged(np.empty((0, 2)), [1, 2], rates=[1.0, 1.0])


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (900, 1000)])
def test_the_share_interval_inverts_the_binomial_tails(k, n):
    share, lower, upper = share_interval(np.arange(n) < k)
    assert share == k / n
    assert lower == 0.0 if k == 0 else binom.sf(k - 1, n, lower) == pytest.approx(0.05)
    assert upper == 1.0 if k == n else binom.cdf(k, n, upper) == pytest.approx(0.05)


def test_the_mean_interval_by_hand():
    mean, lower, upper = mean_interval(np.array([1.0, 2.0, 6.0]))
    reach = 1.6448536269514722 * np.sqrt(7.0 / 3)
    assert (mean, lower, upper) == pytest.approx((3.0, 3.0 - reach, 3.0 + reach))
