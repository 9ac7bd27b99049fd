"""Coefficients of labels integrated out, and drawn again: a normal hierarchy, of which everything is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import optimize, stats

from clvmodels.errors import FitError
from clvmodels.inference.samplers.along import (
    laplace_along_scale,
    laplace_over_scales_without_labels,
    laplace_without_labels,
)
from clvmodels.inference.samplers.marginal import Marginal
from clvmodels.inference.samplers.mode import _curvature
from clvmodels.inference.target import Conditional, Siblings, Target

EFFECTS, ERRORS = np.array([0.3, -0.1, 0.5, 0.05]), np.array([0.2, 0.3, 0.15, 0.4])
NAMES = ("mean", "log sd", *(f"c{g}" for g in range(4)))


def rest_graph(v):
    """Of a mean v0 and a log sd v1, their priors."""
    return -0.5 * v[0] ** 2 + v[1] - 0.5 * (pt.exp(v[1]) / 0.5) ** 2


def separated_graph(v, z, differentiable):
    """Each effect y_g ~ N(v0 + z_g, its error), z_g ~ N(0, sd)."""
    of_effects = -0.5 * (z / pt.exp(v[1])) ** 2 - v[1] - 0.5 * np.log(2 * np.pi)
    deviations = (EFFECTS[:, None] - v[0] - z) / ERRORS[:, None]
    log_errors = np.log(ERRORS * np.sqrt(2 * np.pi))[:, None]
    return rest_graph(v), of_effects - 0.5 * deviations**2 - log_errors


def joint_graph(u):
    rest, parts = separated_graph(u[:2], u[2:, None], True)
    return rest + pt.sum(parts)


HIERARCHY = Target(
    NAMES,
    joint_graph,
    np.r_[0.0, np.log(0.2), np.zeros(4)] + np.zeros((2, 6)),
    siblings=Siblings(np.arange(2, 6), 1, separated_graph),
)


def exact_log_density(v):
    """The effects' own normal density, coefficients integrated out."""
    variance = ERRORS**2 + np.exp(2 * v[1])
    prior = -0.5 * v[0] ** 2 + v[1] - 0.5 * (np.exp(v[1]) / 0.5) ** 2
    return prior + stats.norm.logpdf(EFFECTS, v[0], np.sqrt(variance)).sum()


@pytest.mark.parametrize("v", [(0.1, -1.5), (0.1, -9.0), (-2.0, 0.5), (0.3, 4.0), (3.0, -3.0)])
def test_the_integral_over_coefficients_is_exact(v):
    marginal = Marginal.of(HIERARCHY)
    point = np.array(v)
    value, grad = marginal.value_and_grad(point)
    assert abs(value - exact_log_density(point)) < 2e-5 * len(EFFECTS)
    assert abs(marginal.value_many(point[None])[0] - exact_log_density(point)) < 2e-5 * len(EFFECTS)
    exact = optimize.approx_fprime(point, exact_log_density, 1e-7)
    np.testing.assert_allclose(grad, exact, rtol=1e-3, atol=1e-3)


def test_the_integral_does_not_depend_on_where_coefficients_were_looked_for_first():
    near, far = Marginal.of(HIERARCHY), Marginal.of(HIERARCHY)
    point = np.array([0.2, -1.0])
    near.value_and_grad(point)
    far.value_and_grad(np.array([-3.0, -7.0]))
    assert abs(near.value_many(point[None])[0] - far.value_many(point[None])[0]) < 1e-4


def test_where_coefficients_are_is_foretold_and_the_integral_as_exact(monkeypatch):
    searches = []
    search = Marginal._placed
    monkeypatch.setattr(Marginal, "_placed", lambda self, row: searches.append(row) or search(self, row))
    marginal = Marginal.of(HIERARCHY)
    points = np.random.default_rng(1).normal([0.1, -1.5], [0.2, 0.6], (300, 2))
    values = marginal.value_many(points)
    exact = [exact_log_density(point) for point in points]
    np.testing.assert_allclose(values, exact, rtol=0, atol=2e-5 * len(EFFECTS))
    assert len(searches) < 60


def test_coefficients_without_a_place_of_their_own_are_integrated_over_all_of_their_prior():
    """What the effects say is a cliff: flat on one side, nothing on the other, so that no parabola fits."""

    def cliff(v, z, differentiable):
        of_prior = -0.5 * (z / pt.exp(v[0])) ** 2 - v[0] - 0.5 * np.log(2 * np.pi)
        return -0.5 * v[0] ** 2, of_prior - pt.softplus(-40.0 * (z - 1.0))

    target = Target(("log sd", "c"), lambda u: u[0], np.zeros((1, 2)), siblings=Siblings(np.array([1]), 0, cliff))
    marginal = Marginal.of(target)
    for log_sd in (-1.0, 0.0, 1.0, 2.0, 3.0):
        z = np.linspace(-10 * np.exp(log_sd), 10 * np.exp(log_sd), 2_000_001)
        log_parts = stats.norm.logpdf(z, 0.0, np.exp(log_sd)) - np.logaddexp(0.0, -40.0 * (z - 1.0))
        exact = np.log(np.trapezoid(np.exp(log_parts), z)) - 0.5 * log_sd**2
        assert abs(marginal.value_many(np.array([[log_sd]]))[0] - exact) < 0.02


def test_coefficients_are_drawn_from_what_they_are_given_the_others():
    marginal = Marginal.of(HIERARCHY)
    v = np.array([0.1, np.log(0.3)])
    points = marginal.complete(np.tile(v, (4000, 1)), np.random.default_rng(1))
    np.testing.assert_array_equal(points[:, :2], np.tile(v, (4000, 1)))
    precision = ERRORS**-2 + np.exp(-2 * v[1])
    mean = (EFFECTS - v[0]) / ERRORS**2 / precision
    uniform = stats.norm.cdf(points[:, 2:], mean, precision**-0.5)
    for of_coefficient in uniform.T:
        assert stats.kstest(of_coefficient, "uniform").pvalue > 1e-3
    np.testing.assert_allclose(np.corrcoef(uniform.T), np.eye(4), atol=4 / np.sqrt(4000))


def test_coefficients_that_bend_between_the_nodes_are_refused():
    def wavy(v, z, differentiable):
        return -0.5 * v[0] ** 2, -0.5 * z**2 + 0.1 * pt.cos(6.0 * z)

    target = Target(("a", "c"), lambda u: u[0], np.zeros((1, 2)), siblings=Siblings(np.array([1]), 0, wavy))
    with pytest.raises(FitError, match=r"smooth|single hill"):
        Marginal.of(target).complete(np.zeros((200, 1)), np.random.default_rng(1))


def test_a_funnel_without_its_labels_is_sampled_as_with_them():
    """Against the marginal of log sd by quadrature, and the other way of sampling."""
    without = laplace_without_labels(HIERARCHY, 1, 4000, 1)
    assert without.passed and without.pareto_k < 0.5
    x = np.linspace(-9.0, 1.5, 2001)
    log_density = []
    for log_sd in x:
        covariance = np.diag(ERRORS**2 + np.exp(2 * log_sd)) + 1.0
        marginal = stats.multivariate_normal.logpdf(EFFECTS, np.zeros(4), covariance)
        log_density.append(marginal + log_sd - 0.5 * (np.exp(log_sd) / 0.5) ** 2)
    weight = np.exp(np.array(log_density) - max(log_density))
    cumulative = np.cumsum(weight) / weight.sum()
    for probability in (0.05, 0.25, 0.5, 0.75, 0.95):
        at = np.interp(probability, cumulative, x)
        below = np.mean(without.u[:, 1] < at)
        assert abs(below - probability) < 4 * np.sqrt(probability * (1 - probability) / 4000)
    together = laplace_along_scale(replace(HIERARCHY, siblings=None), 1, 4000, 2)
    for k in range(2, 6):
        assert stats.ks_2samp(without.u[:, k], together.u[:, k]).pvalue > 1e-3


def test_of_two_groups_the_labels_of_one_are_integrated_out():
    """Its four labels lie in the two of the other, whose coefficients stay. Against quadrature over both log sds."""
    within = np.array([0, 1, 0, 1])

    def separated(v, z, differentiable):
        log_sd, coefficients = v[2], v[3:5]
        of_coefficients = -0.5 * pt.sum((coefficients / pt.exp(log_sd)) ** 2) - 2 * log_sd
        prior = of_coefficients + log_sd - 0.5 * (pt.exp(log_sd) / 0.5) ** 2
        of_labels = -0.5 * (z / pt.exp(v[1])) ** 2 - v[1] - 0.5 * np.log(2 * np.pi)
        deviations = ((EFFECTS - coefficients[within] - v[0])[:, None] - z) / ERRORS[:, None]
        return rest_graph(v) + prior, of_labels - 0.5 * deviations**2

    names = ("mean", "log sd", "log sd of two", "w0", "w1", *(f"c{g}" for g in range(4)))
    near = np.r_[0.0, np.log([0.2, 0.2]), np.zeros(6)]
    target = Target(names, lambda u: u[0], near[None], siblings=Siblings(np.arange(5, 9), 1, separated))
    found = laplace_over_scales_without_labels(target, [1, 2], near, 1000, 1)
    assert found.passed and found.pareto_k < 0.5
    log_sds = np.linspace(-9.0, 1.5, 80)
    in_one_of_two = within[:, None] == within
    log_density = np.empty((80, 80))
    for i, j in np.ndindex(80, 80):
        of_labels, of_two = np.exp(2 * log_sds[[i, j]])
        covariance = np.diag(ERRORS**2 + of_labels) + of_two * in_one_of_two + 1.0
        prior = log_sds[i] + log_sds[j] - 2.0 * (of_labels + of_two)
        log_density[i, j] = prior - 0.5 * (
            np.linalg.slogdet(covariance)[1] + EFFECTS @ np.linalg.solve(covariance, EFFECTS)
        )
    mass = np.exp(log_density - log_density.max())
    for coordinate, of_coordinate in ((1, mass.sum(axis=1)), (2, mass.sum(axis=0))):
        upper_ends = log_sds + (log_sds[1] - log_sds[0]) / 2
        cumulative = np.cumsum(of_coordinate) / of_coordinate.sum()
        for probability in (0.05, 0.25, 0.5, 0.75, 0.95):
            at = np.interp(probability, cumulative, upper_ends)
            below = np.mean(found.u[:, coordinate] < at)
            assert abs(below - probability) < 4 * np.sqrt(probability * (1 - probability) / 1000)


def test_coefficients_that_are_independent_are_moved_together_for_a_curvature():
    u = np.array([0.2, -1.0, 0.1, 0.0, 0.3, -0.2])
    steps = np.full(6, 1e-4)
    dense = _curvature(replace(HIERARCHY, siblings=None), u, steps)
    np.testing.assert_allclose(_curvature(HIERARCHY, u, steps), dense, atol=1e-5 * np.abs(dense).max())
    free = np.array([0, 2, 3, 4, 5])
    rest = Conditional.of(HIERARCHY, u, free)
    assert list(rest.independent) == [1, 2, 3, 4]
    assert abs(_curvature(rest, u[free], steps[:5]) - dense[np.ix_(free, free)]).max() < 1e-5 * np.abs(dense).max()
