"""Importance sampling around the mode: exact where moments are known, refused where weights are uneven."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytensor.tensor as pt
import pytest
from fakes.targets import COVARIANCE, MEAN, NAMES, SKEWED, gaussian, spread_starts, two_bumps
from scipy import stats

from clvmodels.errors import FitError
from clvmodels.inference.samplers.checks import laplace_checks
from clvmodels.inference.samplers.counted import Counted
from clvmodels.inference.samplers.laplace import FEWEST, MOST_PER_DRAW, LaplaceRefused, Weighed, laplace, weigh
from clvmodels.inference.samplers.mode import find_mode
from clvmodels.inference.samplers.proposals import student_t
from clvmodels.inference.samplers.surrogate import Values, thin
from clvmodels.inference.target import Target


def test_two_modes_are_refused_with_both_places():
    with pytest.raises(FitError, match="two modes") as refused:
        laplace(Target(("a", "b"), two_bumps(6.0, 1.0), spread_starts(2)), 100, 1)
    assert "a = 3, b = 3" in str(refused.value) and "a = -3, b = -3" in str(refused.value)


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


def by_ten_proposals_each(target, draws, seed):
    target = Counted.of(target)
    mode = find_mode(target)
    proposal = student_t(mode.u, mode.covariance)
    return weigh(target, proposal, draws, np.random.default_rng(seed), mode)


@pytest.mark.parametrize(("sampled", "judged"), [(laplace, (400, 600)), (by_ten_proposals_each, (2000, 2000))])
def test_draws_come_with_weights_that_say_how_it_went(sampled, judged):
    draws = sampled(SKEWED, 200, 3)
    assert judged[0] <= len(draws.log_weights) == len(draws.raw_log_weights) == draws.proposals <= judged[1]
    weights = np.exp(draws.log_weights)
    assert weights.sum() == pytest.approx(1)
    assert draws.importance_ess == pytest.approx(1 / (weights**2).sum())
    assert np.corrcoef(draws.log_weights, draws.raw_log_weights)[0, 1] > 0.99
    assert draws.cost.values >= draws.proposals and draws.cost.gradients > 0
    assert len(np.unique(draws.u, axis=0)) == 200
    assert abs(stats.spearmanr(np.arange(200), SKEWED.value_many(draws.u)).statistic) < 0.25


def test_ranks_of_the_truth_among_thinned_draws_are_uniform():
    """Known posterior, 400 seeds: an exact draw takes each place among 99 of the sampler's with equal odds."""
    mode, ranks = find_mode(SKEWED), []
    for seed in range(400):
        draws = laplace(SKEWED, 99, seed, mode=mode)
        assert draws.cost.values < FEWEST
        rng = np.random.default_rng([seed, 1])
        first, second = np.log(rng.gamma([3, 8]))
        truth = np.array([first, second, rng.normal(0.5 * first)])
        ranks.append((draws.u < truth).sum(axis=0))
    for of_coordinate in np.array(ranks).T:
        counts = np.bincount(of_coordinate // 10, minlength=10)
        assert stats.chisquare(counts).pvalue > 1e-3


def test_draws_by_a_polynomial_as_good_as_exact_are_judged_by_exact_weights():
    """A Gaussian is its own polynomial: draws cost no exact value each, whatever their number."""
    draws = laplace(gaussian(MEAN, COVARIANCE), 20_000, 5)
    assert draws.cost.values < 500 and draws.importance_ess >= 20_000 <= draws.proposals
    z = (draws.u - MEAN) @ np.linalg.inv(np.linalg.cholesky(COVARIANCE)).T
    for coordinate in z.T:
        assert stats.kstest(coordinate, "norm").pvalue > 1e-3


def test_what_the_polynomial_misses_is_found_by_the_exact_weights():
    """A polynomial that is wrong on one side of the mode: its points come back to the exact density all the same."""
    target = Counted.of(SKEWED)
    mode = find_mode(target)
    proposal = student_t(mode.u, mode.covariance)
    u = proposal.draw(200, np.random.default_rng(1))
    wrong = Values.of(u, SKEWED.value_many(u) - 3.0 * (u[:, 0] > mode.u[0]))
    weighed = Weighed(thin(proposal, wrong), target.value_many)
    weighed.add(20_000, np.random.default_rng(2))
    assert weighed.share_kept < 0.5 and weighed.error > 0.3
    exact = stats.loggamma(3)
    assert stats.kstest(weighed.kept[:, 0], exact.cdf).pvalue > 1e-3


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


def test_weights_that_are_bounded_and_uneven_get_more_proposals_and_unbounded_ones_are_refused():
    """A proposal that is wide in 5 directions leaves few effective; nothing but their number is amiss."""
    target = Counted.of(Target(tuple("abcde"), lambda u: -0.5 * pt.sum(u**2), np.ones((1, 5))))
    mode = find_mode(target)
    wide = student_t(mode.u, 3.5 * mode.covariance)
    draws = weigh(target, wide, 400, np.random.default_rng(1), mode)
    assert draws.passed and FEWEST < 4000 < draws.proposals <= MOST_PER_DRAW * 400
    assert len(draws.log_weights) == len(draws.raw_log_weights) == draws.proposals
    assert stats.kstest(draws.u.ravel(), "norm").pvalue > 0.001
    much_wider = student_t(mode.u, 30.0 * mode.covariance)
    with pytest.raises(LaplaceRefused) as refused:  # more than four times as many would be needed: none is drawn
        weigh(target, much_wider, 400, np.random.default_rng(1), mode)
    assert refused.value.draws.proposals == 4000


def test_a_posterior_that_a_polynomial_follows_needs_fewer_exact_values_than_draws():
    """Logs of gammas of shape 60: a cubic misses too much to stand for them, what comes after it does not."""
    target = Target(NAMES, lambda u: pt.sum(60.0 * (u - pt.exp(u))), spread_starts(3, scale=0.5))
    found = laplace(target, 4000, 5)
    assert found.passed and found.cost.values < 1000
    for of_coordinate in stats.gamma(60.0).cdf(60.0 * np.exp(found.u)).T:
        assert stats.kstest(of_coordinate, "uniform").pvalue > 1e-3
