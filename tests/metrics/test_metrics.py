"""What holds of every metric: names, order, blocks, and what cannot be computed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes.judging import make_judged, poisson_judged, reordered, scores, with_money

from clvmodels.errors import DataError
from clvmodels.metrics import METRICS, randomised_pit
from clvmodels.metrics.coverage import inclusive_coverage
from clvmodels.metrics.crps import crps_per_customer, fair_crps

# the registry


def test_registry_names_and_titles():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert 10 < len(metric.title) < 90 and "\n" not in metric.title
        assert metric.better in {"higher", "lower", "near 0", "near nominal"}


def test_rows_are_named_after_their_metric_and_unique():
    judged = with_money(poisson_judged(50, 20))
    names = [row.score for metric in METRICS.values() for row in metric.compute(judged)]
    assert len(set(names)) == len(names)
    for name, metric in METRICS.items():
        rows = [row.score for row in metric.compute(judged)]
        assert all(row.startswith(name) for row in rows)
        assert metric.headline is None or metric.headline.row in rows


def test_order_of_customers_is_irrelevant():
    judged = with_money(poisson_judged(500, 50))
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
    of_money = {"log_score_money", "log_score_money.of_amounts"}
    assert missing == {"log_score", "log_score_mean", "elpd", "elpd_pareto_k_bad", *of_money}
