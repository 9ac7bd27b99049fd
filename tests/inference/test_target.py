"""A target: compiled by Numba, checked at its making, and errors in it told with their place."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import pytest
from fakes.targets import NAMES, SKEWED, Hold, skewed_graph
from pytensor.link.numba.linker import NumbaLinker

from clvmodels.errors import FitError
from clvmodels.inference.samplers.mode import find_mode
from clvmodels.inference.target import Target


def test_the_compiled_density_runs_in_numba():
    assert isinstance(SKEWED._value_and_grad.maker.linker, NumbaLinker)
    assert isinstance(SKEWED._value.maker.linker, NumbaLinker)


def test_value_gradient_and_many_values_agree_with_numpy():
    u = np.array([[0.3, 2.0, -0.2], [1.0, 1.0, 1.0]])
    expected = [3 * a - np.exp(a) + 8 * b - np.exp(b) - 0.5 * (c - a / 2) ** 2 for a, b, c in u]
    np.testing.assert_allclose(SKEWED.value_many(u), expected, rtol=1e-13)
    value, grad = SKEWED.value_and_grad(u[0])
    rest = -0.2 - 0.15
    np.testing.assert_allclose(grad, [3 - np.exp(0.3) + rest / 2, 8 - np.exp(2.0), -rest], rtol=1e-12)
    assert value == pytest.approx(expected[0], rel=1e-13)


def test_starts_that_do_not_fit_are_refused():
    with pytest.raises(FitError, match=r"starts, 3"):
        Target(NAMES, skewed_graph, np.zeros((4, 2)))


def test_an_error_in_the_density_names_its_cause_and_place():
    target = Target(("a",), lambda u: pt.sum(Hold(error="no such customer")(u)), np.zeros((1, 1)))
    with pytest.warns(UserWarning, match="object mode"), pytest.raises(FitError, match=r"no such customer.*a = 0"):
        find_mode(target)
