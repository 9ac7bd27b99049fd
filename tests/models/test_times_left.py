"""Pareto/NBD's expected time left, by a compiled loop: the formula in numbers of arbitrary precision."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from clvmodels.models.parts.exponential_gamma import ExponentialGamma

TIMES = np.array([1e-9, 0.5, 1.0, 52.0, 1e4, 1e9])


@pytest.mark.parametrize("s", [1e-9, 0.3, 1.0 - 1e-12, 1.0, 1.0 + 1e-9, 2.5, 40.0, 1e6])
@pytest.mark.parametrize("base", [1e-3, 12.0, 1e7])
def test_the_time_left_is_the_integral_of_survival(s, base):
    theta = {"s": np.array([[s]]), "beta": np.array([[base]])}
    found = ExponentialGamma().expected_time({"T": np.zeros((1, 1))}, theta, TIMES)[0, 0]
    with mpmath.workdps(50):
        for t, time_left in zip(TIMES, found, strict=True):
            B, power = mpmath.mpf(base), mpmath.mpf(s) - 1
            growth = mpmath.log1p(mpmath.mpf(t) / B)
            exact = B * growth if power == 0 else -B * mpmath.expm1(-power * growth) / power
            assert abs(time_left / float(exact) - 1.0) < 1e-13
