"""A mixture along one coordinate: a funnel and a bent ridge whose quantiles are known."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import pytest
from fakes.targets import NAMES, spread_starts
from scipy import stats

from clvmodels.errors import FitError
from clvmodels.inference.samplers.along import (
    _along_scale,
    _drawn_from,
    laplace_along_ridge,
    laplace_along_scale,
    laplace_over_scales,
)
from clvmodels.inference.samplers.counted import Counted
from clvmodels.inference.samplers.laplace import LaplaceRefused, weigh
from clvmodels.inference.samplers.mode import find_mode
from clvmodels.inference.samplers.plane import Plane
from clvmodels.inference.target import Target

EFFECTS, ERRORS = np.array([0.3, -0.1, 0.5, 0.05]), np.array([0.2, 0.3, 0.15, 0.4])


def funnel_graph(u):
    """A normal hierarchy: mean u0, log sd u1, centred effects c_g ~ N(0, sd); y_g ~ N(u0 + c_g, known error)."""
    log_sd, c = u[1], u[2:]
    prior = -0.5 * u[0] ** 2 + log_sd - 0.5 * (pt.exp(log_sd) / 0.5) ** 2
    of_effects = -0.5 * pt.sum((c / pt.exp(log_sd)) ** 2) - len(EFFECTS) * log_sd
    return prior + of_effects - 0.5 * pt.sum(((EFFECTS - u[0] - c) / ERRORS) ** 2)


def test_a_funnel_is_sampled_along_its_scale():
    """Against the marginal of log sd by quadrature, effects and mean integrated out."""
    names = ("mean", "log sd", *(f"c{g}" for g in range(4)))
    target = Target(names, funnel_graph, np.r_[0.0, np.log(0.2), np.zeros(4)] + np.zeros((2, 6)))
    found = laplace_along_scale(target, 1, 4000, 1)
    assert found.pareto_k < 0.3 and found.efficiency > 0.6
    x = np.linspace(-9.0, 1.5, 2001)
    log_density = []
    for log_sd in x:
        covariance = np.diag(ERRORS**2 + np.exp(2 * log_sd)) + 1.0  # the mean's prior has variance 1
        marginal = stats.multivariate_normal.logpdf(EFFECTS, np.zeros(4), covariance)
        log_density.append(marginal + log_sd - 0.5 * (np.exp(log_sd) / 0.5) ** 2)
    weight = np.exp(np.array(log_density) - max(log_density))
    cumulative = np.cumsum(weight) / weight.sum()
    drawn = found.u[:, 1]
    for probability in (0.05, 0.25, 0.5, 0.75, 0.95):
        at = np.interp(probability, cumulative, x)
        assert abs(np.mean(drawn < at) - probability) < 4 * np.sqrt(probability * (1 - probability) / 4000)


class SkewedFunnel:
    """The funnel, and beside it the log of a gamma of shape 0.2, whose left tail is long."""

    def values(self, u):
        mean, log_sd, c, skewed = u[..., 0], u[..., 1], u[..., 2:6], u[..., 6]
        errors = (EFFECTS - mean[..., None] - c) / ERRORS
        of_effects = -0.5 * np.sum(c**2, axis=-1) / np.exp(2 * log_sd) - 4 * log_sd - 0.5 * np.sum(errors**2, axis=-1)
        return -0.5 * mean**2 + log_sd - 2 * np.exp(2 * log_sd) + of_effects + 0.2 * skewed - np.exp(skewed)

    def value_and_grad(self, u):
        mean, log_sd, c, skewed = u[0], u[1], u[2:6], u[6]
        variance = np.exp(2 * log_sd)
        pull = (EFFECTS - mean - c) / ERRORS**2
        of_log_sd = 1.0 - 4.0 * variance + np.sum(c**2) / variance - 4
        return self.values(u), np.r_[np.sum(pull) - mean, of_log_sd, pull - c / variance, 0.2 - np.exp(skewed)]


def test_a_coordinate_that_is_skewed_beside_the_scale_is_followed_too():
    names = ("mean", "log sd", *(f"c{g}" for g in range(4)), "skewed")
    starts = np.r_[0.0, np.log(0.2), np.zeros(5)] + np.zeros((2, 7))
    target = Target(names, lambda u: None, starts, direct=SkewedFunnel())
    along_scale = _along_scale(Counted.of(target), 1, 1.0)
    with pytest.raises(LaplaceRefused):
        _drawn_from(along_scale, Counted.of(target), 1000, np.random.default_rng(1))
    followed = laplace_along_scale(target, 1, 1000, 1)
    assert followed.passed and followed.pareto_k < 0.5
    exact = stats.loggamma(0.2)
    below = np.mean(followed.u[:, 6, None] < exact.ppf([0.05, 0.5, 0.95]), axis=0)
    np.testing.assert_allclose(below, [0.05, 0.5, 0.95], atol=0.06)


def banana_graph(u):
    """u0 skewed and widest; u1 follows it along a bend, u2 in its width: all moments of u0 are known."""
    bend = u[1] - 0.3 * (u[0] - 1) ** 2
    width = 0.5 * pt.exp(0.3 * u[0])
    return 2 * u[0] - pt.exp(u[0]) - 0.5 * (bend / 0.1) ** 2 - 0.5 * (u[2] / width) ** 2 - 0.3 * u[0]


def test_a_bent_ridge_is_sampled_along_itself():
    target = Target(NAMES, banana_graph, spread_starts(3, scale=0.5))
    found = laplace_along_ridge(target, 4000, 2)
    assert found.pareto_k < 0.3 and found.efficiency > 0.7
    exact = stats.loggamma(2)
    below = np.mean(found.u[:, 0, None] < exact.ppf([0.05, 0.5, 0.95]), axis=0)
    np.testing.assert_allclose(below, [0.05, 0.5, 0.95], atol=0.03)
    assert abs((found.u[:, 1] - 0.3 * (found.u[:, 0] - 1) ** 2).std() - 0.1) < 0.01


def test_a_path_that_leads_nowhere_is_refused():
    flat = Target(("a", "b"), lambda u: -0.5 * u[0] ** 2 - pt.exp(-u[1]), np.zeros((1, 2)))
    with pytest.raises(FitError, match="flat"):
        laplace_along_ridge(flat, 100, 1)


def test_a_ridge_that_is_broad_in_two_directions_is_sampled_over_a_plane():
    """Given both the third coordinate is Gaussian, its place and width moving with them."""

    def graph(u):
        of_two = 2 * u[0] - pt.exp(u[0]) + 2 * u[1] - pt.exp(u[1])
        width = 0.3 * pt.exp(0.4 * u[0] - 0.4 * u[1])
        return of_two - 0.5 * ((u[2] - 0.3 * u[0] * u[1]) / width) ** 2 - pt.log(width)

    target = Counted.of(Target(NAMES, graph, spread_starts(3, scale=0.5)))
    mode = find_mode(target)
    plane = Plane.around(target, mode).mixture()
    weighted = weigh(target, plane, 2000, np.random.default_rng(3), mode)
    assert weighted.pareto_k < 0.5 and weighted.efficiency > 0.4
    exact = stats.loggamma(2)
    for of_coordinate in weighted.u[:, :2].T:
        below = np.mean(of_coordinate[:, None] < exact.ppf([0.05, 0.5, 0.95]), axis=0)
        np.testing.assert_allclose(below, [0.05, 0.5, 0.95], atol=0.045)


def two_funnels_graph(u):
    """Two sets of effects around 0, each with its own sd: what is known of one is of the other too."""
    log_density = 0.0
    for log_sd, c in ((u[0], u[2:6]), (u[1], u[6:10])):
        log_density += log_sd - 0.5 * (pt.exp(log_sd) / 0.5) ** 2 - 0.5 * pt.sum((c / pt.exp(log_sd)) ** 2)
        log_density += -len(EFFECTS) * log_sd - 0.5 * pt.sum(((EFFECTS - c) / ERRORS) ** 2)
    return log_density


def test_two_funnels_at_once_are_sampled_over_both_scales():
    names = ("log sd a", "log sd b", *(f"a{g}" for g in range(4)), *(f"b{g}" for g in range(4)))
    near = np.r_[np.log([0.3, 0.3]), EFFECTS / 2, EFFECTS / 2]
    weighted = laplace_over_scales(Target(names, two_funnels_graph, near[None]), [0, 1], near, 2000, 4)
    assert weighted.pareto_k < 0.5 and weighted.passed
    x = np.linspace(-11.0, 1.5, 2501)
    variance = ERRORS**2 + np.exp(2 * x[:, None])
    log_density = stats.norm.logpdf(EFFECTS, 0.0, np.sqrt(variance)).sum(axis=1) + x - 0.5 * (np.exp(x) / 0.5) ** 2
    weight = np.exp(log_density - log_density.max())
    cumulative = np.cumsum(weight) / weight.sum()
    for of_scale in weighted.u[:, :2].T:
        for probability in (0.05, 0.25, 0.5, 0.75, 0.95):
            at = np.interp(probability, cumulative, x)
            assert abs(np.mean(of_scale < at) - probability) < 4 * np.sqrt(probability * (1 - probability) / 2000)
