"""The mode: where it is known, and densities that have none or two."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import pytest
from fakes.targets import COVARIANCE, MEAN, gaussian, spread_starts, two_bumps

from clvmodels.errors import FitError
from clvmodels.inference.samplers.mode import find_mode
from clvmodels.inference.target import Target


def test_mode_and_covariance_of_a_gaussian():
    mode = find_mode(gaussian(MEAN, COVARIANCE))
    np.testing.assert_allclose(mode.u, MEAN, atol=1e-8)
    np.testing.assert_allclose(mode.covariance, COVARIANCE, rtol=1e-6, atol=1e-8)
    assert mode.starts.maximum.all() and mode.starts.distance.max() < 1e-3


def test_mode_of_a_narrow_ridge_in_uneven_units():
    scale = np.array([1e-3, 1.0, 30.0])
    correlation = np.array([[1.0, 0.999, 0.0], [0.999, 1.0, 0.0], [0.0, 0.0, 1.0]])
    covariance = correlation * np.outer(scale, scale)
    mode = find_mode(gaussian(MEAN, covariance))
    np.testing.assert_allclose((mode.u - MEAN) / scale, 0, atol=1e-4)
    np.testing.assert_allclose(mode.covariance / np.outer(scale, scale), correlation, atol=1e-3)


def test_the_climb_recovers_from_where_the_density_is_not_a_number():
    target = Target(
        ("a", "b"),
        lambda u: pt.log(u[0]) - u[0] + pt.log(3 - u[1]) - 0.5 * u[1] ** 2,
        np.array([[3.0, 0.0], [20.0, -10.0], [0.01, 2.9], [-1.0, 0.0]]),
    )
    mode = find_mode(target)
    np.testing.assert_allclose(mode.u, [1.0, (3 - np.sqrt(13)) / 2], atol=1e-6)
    assert mode.starts.maximum.tolist() == [True, True, True, False]
    assert "not finite" in mode.starts.problem[3]


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (lambda u: -pt.exp(-u[0]) - 0.5 * u[1] ** 2, "flat .* along a;"),
        (lambda u: -0.5 * (u[0] + u[1]) ** 2, "singular or indefinite, along a, b"),
        (lambda u: 0.5 * u[0] ** 2 - 0.5 * u[1] ** 2, "flat or curved upwards along a"),
        (lambda u: pt.sqrt(u[0] - 1e3) - u[1] ** 2, "not finite at any start"),
    ],
)
def test_a_density_without_a_proper_mode_is_refused_with_the_reason(graph, reason):
    with pytest.raises(FitError, match=reason):
        find_mode(Target(("a", "b"), graph, np.array([[0.5, 1.0], [-1.0, 2.0]])))


def test_a_second_mode_of_no_mass_is_recorded_and_harmless():
    mode = find_mode(Target(("a", "b"), two_bumps(12.0, 25.0), spread_starts(2, scale=6.0)))
    np.testing.assert_allclose(mode.u, 6.0, atol=1e-6)
    assert (mode.starts.distance > 10).any()
