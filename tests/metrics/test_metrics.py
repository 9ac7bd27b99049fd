"""Metrics against brute force and closed forms; calibrated forecasts pass, planted faults are seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes.judging import DAY, make_judged, poisson_judged, reordered, scores
from scipy.special import ive
from scipy.stats import binom, poisson

from clvmodels.customers.table import Holdout
from clvmodels.errors import DataError
from clvmodels.metrics import METRICS, randomised_pit
from clvmodels.metrics.coverage import inclusive_coverage
from clvmodels.metrics.crps import crps_per_customer, fair_crps
from clvmodels.metrics.judged import mean_interval, share_interval

# the registry


def test_registry_names_and_titles():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert 10 < len(metric.title) < 90 and "\n" not in metric.title
        assert metric.better in {"higher", "lower", "near 0", "near nominal"}


def test_rows_are_named_after_their_metric_and_unique():
    judged = poisson_judged(50, 20)
    names = [row.metric for metric in METRICS.values() for row in metric.compute(judged)]
    assert len(set(names)) == len(names)
    for name, metric in METRICS.items():
        rows = [row.metric for row in metric.compute(judged)]
        assert all(row.startswith(name) for row in rows)
        assert metric.headline is None or metric.headline.row in rows


def test_order_of_customers_is_irrelevant():
    judged = poisson_judged(500, 50)
    other = reordered(judged, np.random.default_rng(3).permutation(500))
    for name, row in scores(judged).items():
        np.testing.assert_allclose(scores(other)[name][1:], row[1:], rtol=1e-12, err_msg=name)


def test_blocks_are_irrelevant():
    judged = poisson_judged(101, 30)
    for elements in (1, 30, 217, 10**6):
        assert np.array_equal(crps_per_customer(judged, elements), crps_per_customer(judged))
        assert np.array_equal(randomised_pit(judged, elements), randomised_pit(judged))
        for one, other in zip(
            inclusive_coverage(judged, (0.1, 0.9), elements), inclusive_coverage(judged, (0.1, 0.9)), strict=True
        ):
            assert np.array_equal(one, other)


def test_memory_maps_score_as_arrays(tmp_path):
    judged = poisson_judged(300, 40)
    mapped = np.memmap(tmp_path / "purchases", dtype=np.int32, mode="w+", shape=(40, 300))
    mapped[:] = judged.futures.purchases
    other = dataclasses.replace(judged, futures=dataclasses.replace(judged.futures, purchases=mapped))
    np.testing.assert_equal(scores(other), scores(judged))


# what is refused


def test_a_missing_holdout_is_refused():
    with pytest.raises(DataError, match="there is none"):
        make_judged([[1]], [1], holdout=None)


def test_tables_of_other_customers_are_all_named():
    table = pd.DataFrame({"purchases": [1, 2]}, index=["c000000", "stranger"])
    elpd = pd.DataFrame({"elpd_i": [0.0], "pareto_k": [0.1]}, index=["c000000"])
    with pytest.raises(DataError) as caught:
        make_judged([[1, 2]], [1, 2], holdout=Holdout(table, 39.0, DAY, DAY), elpd=elpd)
    assert [problem.where for problem in caught.value.problems] == ["holdout", "elpd"]
    assert "e.g. 'c000001'" in str(caught.value)


def test_repeated_ids_and_wrong_shapes_are_refused():
    judged = poisson_judged(3, 5)
    with pytest.raises(DataError, match=r"futures\.p_any: shape disagrees"):
        dataclasses.replace(judged, futures=dataclasses.replace(judged.futures, p_any=np.ones(2)))
    twice = np.array(["c000000", "c000000", "c000001"])
    with pytest.raises(DataError, match="more than once"):
        dataclasses.replace(judged, futures=dataclasses.replace(judged.futures, customer_id=twice))


def test_no_draws_are_refused():
    with pytest.raises(DataError, match="nothing to judge"):
        make_judged(np.empty((0, 2)), [1, 2], rates=[1.0, 1.0])


@pytest.mark.parametrize("bad", [-np.inf, np.nan, np.inf])
def test_an_impossible_count_is_refused_by_name(bad):
    judged = make_judged([[1, 0], [2, 1]], [1, 5])
    broken = dataclasses.replace(judged.futures, log_prob=np.array([-1.0, bad]))
    with pytest.raises(DataError, match=r"1 of 2 log probabilities.*'c000001' with 5 purchases"):
        scores(dataclasses.replace(judged, futures=broken), "log_score")


def test_one_draw_has_no_fair_crps_but_all_else():
    judged = make_judged([[0, 2, 1]], [0, 1, 1])
    with pytest.raises(DataError, match="at least 2 draws"):
        scores(judged, "crps")
    got = scores(judged, *(name for name in METRICS if name != "crps"))
    assert got["total_purchases.forecast"][1:] == (3.0, 3.0, 3.0)
    assert got["coverage_90"].value == pytest.approx(2 / 3)


# edges


def test_one_customer_has_scores_without_spread():
    got = scores(make_judged([[0], [1], [2], [3]], [1]))
    assert got["crps"].value == pytest.approx(fair_crps(np.array([[0, 1, 2, 3]]), np.array([1]))[0])
    assert np.isnan(got["crps"].lower) and np.isnan(got["log_score"].upper)
    assert got["coverage_50"].value == 1.0


def test_all_zero_counts():
    got = scores(make_judged(np.zeros((50, 40)), np.zeros(40)))
    assert got["crps"].value == 0.0
    assert got["coverage_90"].value == got["coverage_90_expected"].value == 1.0
    assert got["total_purchases.interval_holds"].value == 1.0
    assert np.isnan(got["total_purchases.bias_percent"].value)
    assert 0.5 < got["pit"].value <= 1.0


def test_what_was_not_computed_is_a_nan_row():
    judged = poisson_judged(5, 5)
    got = scores(dataclasses.replace(judged, futures=dataclasses.replace(judged.futures, log_prob=None)))
    missing = {name for name, row in got.items() if np.isnan(row.value)}
    assert missing == {"log_score", "log_score_mean", "elpd", "elpd_pareto_k_bad"}


# intervals


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (900, 1000)])
def test_the_share_interval_inverts_the_binomial_tails(k, n):
    share, lower, upper = share_interval(np.arange(n) < k)
    assert share == k / n
    assert lower == 0.0 if k == 0 else binom.sf(k - 1, n, lower) == pytest.approx(0.05)
    assert upper == 1.0 if k == n else binom.cdf(k, n, upper) == pytest.approx(0.05)


def test_the_mean_interval_by_hand():
    mean, lower, upper = mean_interval(np.array([1.0, 2.0, 6.0]))
    reach = 1.6448536269514722 * np.sqrt(7.0 / 3)
    assert (mean, lower, upper) == pytest.approx((3.0, 3.0 - reach, 3.0 + reach))


# totals and point errors


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


def test_point_errors_by_hand():
    got = scores(make_judged([[0, 0, 0]] * 4, [0, 3, 1], rates=[0.5, 1.0, 1.0]), "mae", "rmse", "brier")
    assert got["mae"].value == pytest.approx((0.5 + 2.0 + 0.0) / 3)
    assert got["rmse"].value == pytest.approx(np.sqrt((0.25 + 4.0) / 3))
    p = -np.expm1(-np.array([0.5, 1.0, 1.0]))
    assert got["brier"].value == pytest.approx(np.mean((p - [0, 1, 1]) ** 2))
    assert got["rmse"].lower >= 0 and got["rmse"].lower < got["rmse"].value < got["rmse"].upper


# CRPS


def test_crps_is_the_double_sum():
    rng = np.random.default_rng(2)
    draws, actual = rng.poisson(3.0, (25, 40)), rng.poisson(3.0, 25)
    pairs = np.abs(draws[:, :, None] - draws[:, None, :]).sum(axis=(1, 2))
    brute = np.abs(draws - actual[:, None]).mean(axis=1) - pairs / (2 * 40 * 39)
    np.testing.assert_allclose(fair_crps(draws, actual), brute, rtol=1e-13)


def poisson_crps(rate: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Closed form of Wei and Held (2014), Test 23, 787-805."""
    bessel = ive(0, 2 * rate) + ive(1, 2 * rate)  # scaled by exp(-2 rate) already
    return (y - rate) * (2 * poisson.cdf(y, rate) - 1) + 2 * rate * poisson.pmf(y, rate) - rate * bessel


@pytest.mark.parametrize(("rate", "y"), [(0.3, 0), (0.3, 2), (5.0, 4), (40.0, 55)])
def test_crps_tends_to_the_closed_form_of_a_poisson(rate, y):
    draws = np.random.default_rng(5).poisson(rate, (1, 400_000))
    # Of the mean distance and of half the mean difference, each with a standard error below sd / sqrt(D).
    tolerance = 4 * np.sqrt(rate / 400_000) * 2
    assert fair_crps(draws, np.array([y]))[0] == pytest.approx(poisson_crps(np.array(rate), np.array(y)), abs=tolerance)


def test_crps_is_fair_with_three_draws():
    """Unbiased for the distribution however few the draws: the plain ensemble form would be far off."""
    rng = np.random.default_rng(6)
    got = fair_crps(rng.poisson(2.0, (200_000, 3)), np.full(200_000, 3))
    se = got.std() / np.sqrt(len(got))
    truth = poisson_crps(np.array(2.0), np.array(3))
    assert abs(got.mean() - truth) < 4.5 * se
    assert se < 0.01 * truth


def test_crps_prefers_the_truth():
    assert scores(poisson_judged())["crps"].value < scores(poisson_judged(factor=1.5))["crps"].value


# PIT


@pytest.mark.parametrize("draws", [1, 9, 100])
def test_the_pit_of_an_exchangeable_outcome_is_uniform(draws):
    rng = np.random.default_rng(8)
    n = 20_000
    rates = rng.gamma(0.5, 1.0, n)
    u = randomised_pit(make_judged(rng.poisson(rates, (draws, n)), rng.poisson(rates)))
    assert u.min() > 0 and u.max() < 1
    counts = np.histogram(u, bins=20, range=(0, 1))[0]
    assert np.abs(counts - n / 20).max() < 4.5 * np.sqrt(n * 0.05 * 0.95)


def test_the_pit_by_hand():
    u = randomised_pit(make_judged([[0, 0], [1, 0], [1, 0], [3, 0]], [1, 2]))
    assert 1 / 5 < u[0] < 4 / 5  # 1 below, 2 tied: (1 + V 3) / 5
    assert 4 / 5 < u[1] < 1  # all below: (4 + V) / 5


def test_the_pit_is_keyed_by_seed_and_customer():
    judged = poisson_judged(200, 20)
    order = np.random.default_rng(4).permutation(200)
    u = randomised_pit(judged)
    assert np.array_equal(randomised_pit(reordered(judged, order)), u[order])
    assert not np.array_equal(randomised_pit(dataclasses.replace(judged, seed=8)), u)


def test_the_pit_share_sees_a_forecast_too_narrow():
    sound = scores(poisson_judged(), "pit")["pit"]
    assert sound.lower < 0.9 < sound.upper
    rng = np.random.default_rng(9)
    rates = rng.gamma(2.0, 5.0, 4000)
    narrow = np.rint(rates + 0.3 * np.sqrt(rates) * rng.standard_normal((200, 4000)))
    assert scores(make_judged(narrow, rng.poisson(rates)), "pit")["pit"].upper < 0.6


# coverage


def test_coverage_by_hand():
    draws = np.array([[0] * 6 + [1] * 3 + [5], list(range(10))]).T  # 10 draws of 2 customers
    held, expected = inclusive_coverage(make_judged(draws, [1, 9]), (0.25, 0.75))
    assert held.tolist() == [True, False]  # [0, 1] and [2, 7]
    assert expected.tolist() == pytest.approx([0.9, 0.6])


def test_coverage_agrees_with_the_exact_quantiles_of_a_poisson():
    rate, n = 1.3, 30_000
    rng = np.random.default_rng(10)
    judged = make_judged(rng.poisson(rate, (999, 1)) * np.ones((1, n)), rng.poisson(rate, n))
    got = scores(judged, "coverage")
    for level, tails in ((50, (0.25, 0.75)), (80, (0.1, 0.9)), (90, (0.05, 0.95))):
        low, high = poisson.ppf(tails, rate)
        exact = poisson.cdf(high, rate) - poisson.cdf(low - 1, rate)
        assert got[f"coverage_{level}"].value == pytest.approx(exact, abs=4.5 * np.sqrt(exact * (1 - exact) / n))
        assert got[f"coverage_{level}_expected"].value == pytest.approx(exact, abs=0.07)
        assert exact > level / 100


def test_coverage_meets_what_the_model_expects_only_if_it_is_right():
    sound, shifted = poisson_judged(draws=1000), poisson_judged(draws=1000, factor=3.0)
    for level in (50, 80, 90):
        got = scores(sound, "coverage")
        assert got[f"coverage_{level}"].lower < got[f"coverage_{level}_expected"].value < got[f"coverage_{level}"].upper
        got = scores(shifted, "coverage")
        assert got[f"coverage_{level}"].upper < got[f"coverage_{level}_expected"].value


# log score, elpd


def test_log_score_by_hand():
    judged = make_judged([[1, 0, 2]] * 3, [1, 0, 2], rates=[1.0, 0.5, 2.0])
    terms = poisson.logpmf([1, 0, 2], [1.0, 0.5, 2.0])
    got = scores(judged, "log_score")
    reach = 1.6448536269514722 * np.sqrt(3 * terms.var(ddof=1))
    assert got["log_score"][1:] == pytest.approx((terms.sum(), terms.sum() - reach, terms.sum() + reach))
    assert got["log_score_mean"].value == pytest.approx(terms.mean())


def test_elpd_sums_customers_and_counts_bad_k():
    elpd = pd.DataFrame(
        {"elpd_i": [-1.0, -2.0, -6.0, -3.0], "pareto_k": [0.1, 0.71, np.nan, 0.7]},
        index=[f"c{i:06d}" for i in range(4)],
    )
    got = scores(make_judged([[1] * 4] * 2, [1] * 4, elpd=elpd), "elpd")
    reach = 1.6448536269514722 * np.sqrt(4 * np.var([1, 2, 6, 3], ddof=1))
    assert got["elpd"][1:] == pytest.approx((-12.0, -12.0 - reach, -12.0 + reach))
    assert got["elpd_pareto_k_bad"].value == 2.0


def test_elpd_of_spend_is_named_by_the_data_that_it_is_a_density_of():
    judged = make_judged([[1] * 4] * 2, [1] * 4)
    assert scores(judged, "elpd_spend") == {}
    elpd = pd.DataFrame(
        {"elpd_i": [0.0, -2.0, -7.5, 0.0], "pareto_k": [-np.inf, 0.1, 0.9, -np.inf]},
        index=[f"c{i:06d}" for i in range(4)],
    )
    for of, name in (("amounts", "elpd_spend"), ("means", "elpd_spend_of_means")):
        got = scores(dataclasses.replace(judged, spend_elpd=elpd, spend_density_of=of), "elpd_spend")
        assert list(got) == [name, f"{name}_pareto_k_bad"]
        assert (got[name].value, got[f"{name}_pareto_k_bad"].value) == (-9.5, 1.0)
        assert got[name].lower < -9.5 < got[name].upper
