"""The maximum of a likelihood: closed forms, several maxima, and none."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from fakes.targets import spread_starts, two_bumps

from clvmodels.inference.samplers.mle import mle
from clvmodels.inference.target import Target


def test_mle_of_a_normal_is_the_closed_form():
    x = np.random.default_rng(5).normal(3.0, 2.0, 400)
    graph = lambda u: pt.sum(-u[1] - 0.5 * ((x - u[0]) * pt.exp(-u[1])) ** 2)  # noqa: E731
    found = mle(Target(("mean", "log_sd"), graph, np.array([[0.0, 0.0], [10.0, 3.0]])))
    assert found.converged
    np.testing.assert_allclose([found.u[0], np.exp(found.u[1])], [x.mean(), x.std()], rtol=1e-8)
    np.testing.assert_allclose(np.diag(found.covariance), [x.var() / 400, 1 / 800], rtol=1e-5)


def test_mle_takes_the_highest_of_several_maxima():
    found = mle(Target(("a", "b"), two_bumps(12.0, 1.0), spread_starts(2, scale=6.0)))
    np.testing.assert_allclose(found.u, 6.0, atol=1e-6)


def test_mle_that_runs_to_infinity_is_not_converged():
    found = mle(Target(("a",), lambda u: -pt.log1p(pt.exp(-u[0])), np.zeros((1, 1))))
    assert not found.converged and found.covariance is None and "flat" in found.problem
