"""Errors of the mean and of the median by hand."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.judging import make_judged, scores


def test_point_errors_by_hand():
    got = scores(make_judged([[0, 0, 0]] * 4, [0, 3, 1], rates=[0.5, 1.0, 1.0]), "mae", "rmse", "brier")
    assert got["mae"].value == pytest.approx((0.5 + 2.0 + 0.0) / 3)
    assert got["rmse"].value == pytest.approx(np.sqrt((0.25 + 4.0) / 3))
    p = -np.expm1(-np.array([0.5, 1.0, 1.0]))
    assert got["brier"].value == pytest.approx(np.mean((p - [0, 1, 1]) ** 2))
    assert got["rmse"].lower >= 0 and got["rmse"].lower < got["rmse"].value < got["rmse"].upper
