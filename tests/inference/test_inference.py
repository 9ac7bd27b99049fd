"""Inference against targets whose answer is known, and against targets that must be refused."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.linker import NumbaLinker
from scipy import stats

from clvmodels.errors import FitError
from clvmodels.inference.samplers.along import laplace_along_ridge, laplace_along_scale
from clvmodels.inference.samplers.checks import laplace_checks, nuts_checks
from clvmodels.inference.samplers.laplace import LaplaceRefused, laplace
from clvmodels.inference.samplers.mle import mle
from clvmodels.inference.samplers.mode import find_mode
from clvmodels.inference.samplers.nuts import NutsDraws, nuts
from clvmodels.inference.target import Target

NAMES = ("a", "b", "c")
MEAN = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, -0.3], [0.0, -0.3, 0.2]])


def spread_starts(size: int, count: int = 6, scale: float = 3.0) -> np.ndarray:
    return np.random.default_rng(1).normal(0, scale, (count, size))


def gaussian(mean: np.ndarray, covariance: np.ndarray) -> Target:
    precision = np.linalg.inv(covariance)

    def graph(u):
        d = u - mean
        return -0.5 * pt.sum(d[:, None] * precision * d[None, :])

    return Target(tuple(f"u{i}" for i in range(len(mean))), graph, spread_starts(len(mean)))


def skewed_graph(u):
    """Logs of gammas of shapes 3 and 8, the third leaning on the first: skewed, smooth, moments known."""
    rest = u[2] - 0.5 * u[0]
    return 3 * u[0] - pt.exp(u[0]) + 8 * u[1] - pt.exp(u[1]) - 0.5 * rest**2


SKEWED = Target(NAMES, skewed_graph, spread_starts(3, scale=1.0))


class Hold(Op):
    """The identity; after some evaluations each takes some seconds, unless released, or raises."""

    def __init__(self, seconds: float = 0.0, error: str = "", after: int = 0):
        self.seconds, self.error, self.after, self.calls = seconds, error, after, 0
        self.release = threading.Event()

    def make_node(self, x):
        x = pt.as_tensor(x)
        return Apply(self, [x], [x.type()])

    def perform(self, node, inputs, outputs):
        self.calls += 1
        if self.calls > self.after:
            self.release.wait(self.seconds)
        if self.calls > self.after and self.error:
            raise RuntimeError(self.error)
        outputs[0][0] = np.array(inputs[0])

    def pullback(self, inputs, outputs, cotangents):
        return cotangents


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


def two_bumps(apart: float, drop: float):
    return lambda u: pt.logaddexp(-0.5 * pt.sum((u - apart / 2) ** 2), -0.5 * pt.sum((u + apart / 2) ** 2) - drop)


def test_two_modes_are_refused_with_both_places():
    with pytest.raises(FitError, match="two modes") as refused:
        laplace(Target(("a", "b"), two_bumps(6.0, 1.0), spread_starts(2)), 100, 1)
    assert "a = 3, b = 3" in str(refused.value) and "a = -3, b = -3" in str(refused.value)


def test_a_second_mode_of_no_mass_is_recorded_and_harmless():
    mode = find_mode(Target(("a", "b"), two_bumps(12.0, 25.0), spread_starts(2, scale=6.0)))
    np.testing.assert_allclose(mode.u, 6.0, atol=1e-6)
    assert (mode.starts.distance > 10).any()


def test_an_error_in_the_density_names_its_cause_and_place():
    target = Target(("a",), lambda u: pt.sum(Hold(error="no such customer")(u)), np.zeros((1, 1)))
    with pytest.warns(UserWarning, match="object mode"), pytest.raises(FitError, match=r"no such customer.*a = 0"):
        find_mode(target)


def test_laplace_recovers_a_gaussian():
    draws = laplace(gaussian(MEAN, COVARIANCE), 4000, 7)
    sd = np.sqrt(np.diag(COVARIANCE))
    assert draws.u.shape == (4000, 3)
    np.testing.assert_allclose((draws.u.mean(axis=0) - MEAN) / sd, 0, atol=4 / np.sqrt(4000))
    np.testing.assert_allclose(np.cov(draws.u.T) / np.outer(sd, sd), COVARIANCE / np.outer(sd, sd), atol=0.09)
    assert draws.pareto_k < 0.3 and draws.efficiency > 0.6
    assert all(check.passed for check in laplace_checks(draws))


def test_laplace_corrects_the_skew_that_the_hessian_does_not_see():
    draws = laplace(SKEWED, 4000, 3)
    for i, shape in enumerate((3, 8)):
        exact = stats.loggamma(shape)
        assert abs(draws.u[:, i].mean() - exact.mean()) < 4 * exact.std() / np.sqrt(4000)
        below = np.mean(draws.u[:, i, None] < exact.ppf([0.05, 0.5, 0.95]), axis=0)
        np.testing.assert_allclose(below, [0.05, 0.5, 0.95], atol=0.03)


def test_laplace_keeps_weights_that_say_how_it_went():
    draws = laplace(SKEWED, 200, 3)
    assert len(draws.log_weights) == len(draws.raw_log_weights) == 2000
    weights = np.exp(draws.log_weights)
    assert weights.sum() == pytest.approx(1)
    assert draws.importance_ess == pytest.approx(1 / (weights**2).sum())
    assert np.corrcoef(draws.log_weights, draws.raw_log_weights)[0, 1] > 0.99
    assert len(np.unique(draws.u, axis=0)) == 200
    assert abs(stats.spearmanr(np.arange(200), SKEWED.value_many(draws.u)).statistic) < 0.25


def test_laplace_repeats_itself_by_seed_only():
    mode = find_mode(SKEWED)
    first, again, other = (laplace(SKEWED, 50, seed, mode=mode).u for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first, other).any()


def test_cauchy_tails_are_refused_by_laplace_whatever_the_seed():
    cauchy = Target(NAMES, lambda u: -pt.sum(pt.log1p(u**2)), spread_starts(3))
    mode = find_mode(cauchy)
    for seed in range(20):
        with pytest.raises(LaplaceRefused, match="method='nuts'") as refused:
            laplace(cauchy, 1000, seed, mode=mode)
        assert not all(check.passed for check in laplace_checks(refused.value.draws))


def test_few_effective_proposals_are_refused_even_where_their_tail_looks_harmless():
    narrow = gaussian(MEAN, COVARIANCE)
    mode = find_mode(narrow)
    wide = dataclasses.replace(mode, covariance=400 * COVARIANCE)
    with pytest.raises(LaplaceRefused, match="at least 2000") as refused:
        laplace(narrow, 1000, 1, mode=wide)
    assert refused.value.draws.importance_ess < 100


def test_proposals_where_the_density_is_not_a_number_get_no_weight():
    target = Target(("a",), lambda u: pt.sum(2 * pt.log(u) - u), np.array([[1.0], [4.0]]))
    draws = laplace(target, 2000, 1)
    assert np.isneginf(draws.raw_log_weights).any() and (draws.u > 0).all()
    assert draws.u.mean() == pytest.approx(3, abs=4 * np.sqrt(3 / 2000))


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


def test_whitened_nuts_agrees_with_laplace_and_reports_progress():
    mode = find_mode(SKEWED)
    seen = []
    sampled = nuts(SKEWED, 1000, 4, 11, mode=mode, progress=lambda done, total: seen.append((done, total)))
    approximated = laplace(SKEWED, 4000, 3, mode=mode)
    checks = nuts_checks(sampled, NAMES)
    assert [check.check for check in checks] == ["R-hat", "bulk ESS", "tail ESS", "divergences"]
    assert all(check.passed for check in checks), checks
    assert sampled.u.shape == (4, 1000, 3) and sampled.sample_stats["diverging"].shape == (4, 1000)
    assert sampled.sample_stats["n_steps"].mean() < 8
    flat = sampled.u.reshape(-1, 3)
    error = np.sqrt(1 / checks[1].found + 1 / 4000)
    np.testing.assert_allclose((flat.mean(axis=0) - approximated.u.mean(axis=0)) / flat.std(axis=0), 0, atol=4 * error)
    np.testing.assert_allclose(np.log(flat.std(axis=0) / approximated.u.std(axis=0)), 0, atol=4 * error)
    assert seen[-1] == (8000, 8000)


def test_nuts_without_a_mode_rejects_what_is_not_a_number_and_repeats_itself_by_seed():
    target = Target(("a",), lambda u: pt.sum(2 * pt.log(u) - u), np.array([[1.0], [4.0], [-5.0]]))
    first = nuts(target, 300, 2, 5, tune=300)
    again = nuts(target, 300, 2, 5, tune=300)
    np.testing.assert_array_equal(first.u, again.u)
    assert (first.u > 0).all() and 2 < first.u.mean() < 4
    assert not np.array_equal(first.u[0], first.u[1])


def test_a_density_that_is_nowhere_finite_is_an_error_not_a_hang():
    target = Target(("a",), lambda u: pt.sum(pt.log(-pt.exp(u))), np.zeros((1, 1)))
    with pytest.raises(FitError, match="no point to start"):
        nuts(target, 100, 2, 1, tune=100)


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
@pytest.mark.parametrize(
    ("seconds", "after"),
    [
        (30.0, 100),
        pytest.param(0.2, 100, marks=pytest.mark.slow),
        pytest.param(30.0, 0, marks=pytest.mark.slow),  # from the first evaluation on, where the one above stalls later
    ],
)
def test_a_sampler_that_stalls_ends_within_its_time(seconds, after):
    hold = Hold(seconds, after=after)
    began = time.monotonic()
    try:
        with pytest.raises(FitError, match=r"within 2 seconds; got \d+ of 4000 draws"):
            nuts(Target(("a",), lambda u: -0.5 * pt.sum(hold(u) ** 2), np.zeros((1, 1))), 1000, 2, 1, timeout_seconds=2)
        assert time.monotonic() - began < 28, "longer than compiling, the timeout and the grace may take"
    finally:
        hold.release.set()


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
@pytest.mark.parametrize(
    ("after", "message"),
    [
        pytest.param(0, "no such customer", marks=pytest.mark.slow),
        (8, "NUTS died.*initialization"),
    ],
)
def test_an_error_in_the_density_ends_nuts_with_what_is_known(after, message):
    target = Target(("a",), lambda u: pt.sum(Hold(error="no such customer", after=after)(u)), np.zeros((1, 1)))
    with pytest.raises(FitError, match=message):
        nuts(target, 100, 2, 1, tune=100)


def test_an_error_of_the_progress_callback_stops_the_sampler_and_is_passed_on():
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nuts(SKEWED, 100_000, 2, 1, progress=interrupt)


def planted(change) -> NutsDraws:
    u = np.random.default_rng(3).normal(size=(4, 500, 3))
    stats_ = {"diverging": np.zeros((4, 500), dtype=bool)}
    change(u, stats_["diverging"])
    return NutsDraws(u, stats_)


def shift_a_chain(u, diverging):
    u[2, :, 1] += 1


def slow_mixing(u, diverging):
    u[..., 1] = np.cumsum(u[..., 1], axis=1)


def not_a_number(u, diverging):
    u[0, 3, 1] = np.nan


def diverge(u, diverging):
    diverging[1, 7] = True


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        (lambda u, diverging: None, set()),
        (shift_a_chain, {"R-hat", "bulk ESS", "tail ESS"}),
        (slow_mixing, {"R-hat", "bulk ESS", "tail ESS"}),
        (not_a_number, {"R-hat", "bulk ESS", "tail ESS"}),
        (diverge, {"divergences"}),
    ],
)
def test_checks_fail_on_planted_faults_and_name_the_coordinate(fault, failing):
    checks = nuts_checks(planted(fault), NAMES)
    assert {check.check for check in checks if not check.passed} == failing
    for check in checks:
        if check.check in failing - {"divergences"}:
            assert check.consequence.endswith("about b")


# ---------------------------------------------------------------------------------------------- along a coordinate

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


def test_nuts_is_compiled_once_and_follows_the_data():
    data = pytensor.shared(np.array([1.0, 2.0]), name="data", shape=(None,))
    target = Target(("a",), lambda u: -0.5 * pt.sum((data - u[0]) ** 2), np.zeros((1, 1)))
    first = nuts(target, 200, 2, 1, tune=200)
    began = time.monotonic()
    data.set_value(np.array([5.0, 6.0, 7.0]))
    second = nuts(target, 200, 2, 1, tune=200)
    assert time.monotonic() - began < 5, "compiled again"
    assert abs(first.u.mean() - 1.5) < 0.4 and abs(second.u.mean() - 6.0) < 0.4
