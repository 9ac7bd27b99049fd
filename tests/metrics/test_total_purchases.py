"""The total by hand: sums within a draw, and a bias that is seen."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.judging import make_judged, poisson_judged, scores


def test_totals_by_hand():
    got = scores(make_judged([[1, 2], [3, 4], [5, 0]], [2, 2]), "total_purchases")
    assert got["total_purchases.actual"].value == 4.0
    assert got["total_purchases.forecast"][1:] == pytest.approx((5.0, *np.quantile([3, 7, 5], [0.05, 0.95])))
    assert got["total_purchases.bias_percent"][1:] == pytest.approx((25.0, -20.0, 70.0))
    assert got["total_purchases.interval_holds"].value == 1.0


def test_totals_are_summed_within_a_draw():
    """Customers who move together make a wide total; margins added up would not show it."""
    shared = np.array([[0], [10]] * 50) * np.ones((1, 30))
    got = scores(make_judged(shared, np.full(30, 5)), "total_purchases")
    assert got["total_purchases.forecast"].lower == 0 and got["total_purchases.forecast"].upper == 300


@pytest.mark.parametrize(("factor", "holds"), [(1.0, 1.0), (1.2, 0.0), (0.8, 0.0)])
def test_a_planted_bias_is_seen(factor, holds):
    got = scores(poisson_judged(factor=factor), "total_purchases")
    assert got["total_purchases.interval_holds"].value == holds
    bias = got["total_purchases.bias_percent"]
    assert bias.lower < 100 * (factor - 1) + 4 and bias.upper > 100 * (factor - 1) - 4
    assert (bias.lower <= 0 <= bias.upper) == bool(holds)
