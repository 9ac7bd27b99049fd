"""Does what came go with a covariate as the forecast does: shares by hand, and what a leak looks like."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes.judging import make_judged, poisson_judged

from clvmodels.metrics.effect_check_rows import covariate_leans


def with_column(judged, values):
    table = judged.customers.table.assign(visits=values)
    return dataclasses.replace(judged, customers=dataclasses.replace(judged.customers, table=table))


def test_the_share_by_hand():
    """Of 8 purchases of those whose value is known the two above the median made 6; of 10 forecast, always 4."""
    judged = make_judged(np.tile([3, 3, 2, 2, 9], (50, 1)), [1, 1, 2, 4, 9])
    row = covariate_leans(with_column(judged, [1.0, 2.0, 5.0, 6.0, np.nan]), "visits")
    assert (row.value, row.at_least, row.at_most) == pytest.approx((6 / 8, 4 / 10, 4 / 10))
    assert row.result == "failed" and "more than the forecast does" in row.consequence
    most_have_it = covariate_leans(with_column(judged, [0.0, 1.0, 1.0, 1.0, 1.0]), "visits")
    assert most_have_it.value == pytest.approx(16 / 17)


@pytest.mark.parametrize("values", [np.zeros(5), np.full(5, np.nan)], ids=["all alike", "none known"])
def test_nothing_is_said_of_values_that_tell_nobody_apart(values):
    judged = make_judged(np.ones((20, 5)), np.ones(5, dtype=int))
    assert covariate_leans(with_column(judged, values), "visits") is None


def test_nothing_is_said_where_no_purchase_came():
    judged = make_judged(np.ones((20, 4)), np.zeros(4, dtype=int))
    assert covariate_leans(with_column(judged, [1.0, 2.0, 3.0, 4.0]), "visits") is None


def test_a_covariate_that_tells_rates_passes_and_one_that_the_forecast_overrates_fails():
    judged = poisson_judged(count=2000)
    rates = judged.futures.expected_purchases[0]
    assert covariate_leans(with_column(judged, rates), "visits").result == "passed"
    overrated = np.where(rates > np.median(rates), 2, 1) * judged.futures.purchases
    leaking = make_judged(overrated, judged.actual)
    row = covariate_leans(with_column(leaking, rates), "visits")
    assert row.result == "failed" and "it may count the purchases that it explains" in row.consequence
