"""Ranking and concentration against brute force; ties fair, orders and blocks irrelevant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from clvmodels.decisions import concentration, rank
from clvmodels.decisions.rank import average_ranks, top_count
from clvmodels.errors import ConfigError, DataError
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import Values


def make_values(expected: Any, realised: Any = None, ids: Any = None) -> Values:
    expected = np.asarray(expected, dtype=np.float32)
    realised = expected if realised is None else np.asarray(realised, dtype=np.float32)
    ids = np.array([f"c{i:05d}" for i in range(expected.shape[1])]) if ids is None else np.asarray(ids)
    valued_at = pd.Timestamp("1998-06-30")
    return Values(ids, expected, realised, Economics(0.3, 0.1, 52.0), "week", "USD", valued_at)


def random_values(draws: int = 40, customers: int = 150, seed: int = 1) -> Values:
    """Expected value uncertain about its mean; realised value with many exact zeros."""
    rng = np.random.default_rng(seed)
    expected = rng.gamma(0.6, 30.0, customers) * rng.lognormal(0.0, 0.4, (draws, customers))
    return make_values(expected, rng.poisson(expected / 20) * 20.0)


# rank


def test_ranks_by_brute_force():
    values = random_values()
    got = rank(values, top_share=0.2)
    assert list(got.index) == list(values.customer_id) and got.index.name == "customer_id"
    for kind in ("expected", "realised"):
        draws = getattr(values, kind).astype(float)
        ranks = rankdata(-draws, method="average", axis=1)
        for p in (5, 25, 50, 75, 95):
            np.testing.assert_allclose(got[f"{kind}_q{p}"], np.percentile(draws, p, axis=0), rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(got[f"{kind}_rank_q{p}"], np.percentile(ranks, p, axis=0), rtol=1e-6)
        np.testing.assert_allclose(got[f"{kind}_mean"], draws.mean(axis=0))
        np.testing.assert_allclose(got[f"{kind}_sd"], draws.std(axis=0, ddof=1))
    np.testing.assert_allclose(
        got["expected_odds_top"], (rankdata(-values.expected, axis=1) <= 30).mean(axis=0), atol=1e-12
    )


def test_columns_are_as_stored():
    stats = ["mean", "sd", "q5", "q25", "q50", "q75", "q95"]
    stats += ["rank_q5", "rank_q25", "rank_q50", "rank_q75", "rank_q95", "odds_top"]
    assert list(rank(random_values(5, 4))) == [f"{kind}_{stat}" for kind in ("expected", "realised") for stat in stats]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.33, 1.0])
def test_the_odds_sum_to_the_places(share):
    got = rank(random_values(), top_share=share)
    places = top_count(150, share)
    assert got["expected_odds_top"].sum() == pytest.approx(places)
    assert got["realised_odds_top"].sum() == pytest.approx(places)
    assert got[["expected_odds_top", "realised_odds_top"]].stack().between(0, 1 + 1e-12).all()


def test_ties_at_the_cut_share_the_places():
    got = rank(make_values([[9.0, 5.0, 5.0, 5.0, 0.0]]), top_share=0.4)
    assert got["expected_odds_top"].tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 0])
    assert got["expected_rank_q50"].tolist() == [1, 3, 3, 3, 5]
    assert np.isnan(got["expected_sd"]).all()


def test_a_base_without_value_has_equal_odds():
    got = rank(make_values(np.zeros((3, 10))), top_share=0.2)
    assert got["realised_odds_top"].tolist() == pytest.approx([0.2] * 10)
    assert (got["realised_rank_q5"] == 5.5).all()


def test_comparison_is_within_a_draw():
    """Two customers who rise and fall together: their margins overlap, their order is certain."""
    level = np.linspace(1.0, 100.0, 50)[:, None]
    got = rank(make_values(level * np.array([[1.0, 1.01]])), top_share=0.5)
    assert got["expected_odds_top"].tolist() == [0.0, 1.0]
    assert got["expected_q5"].iloc[1] < got["expected_q95"].iloc[0]


def test_order_blocks_and_files_are_irrelevant():
    values = random_values()
    whole = rank(values)
    order = np.random.default_rng(2).permutation(150)
    moved = make_values(values.expected[:, order], values.realised[:, order], values.customer_id[order])
    pd.testing.assert_frame_equal(rank(moved).loc[whole.index], whole, check_exact=True)
    for block_elements, memory_elements in ((1, 10**9), (333, 0), (10**9, 0)):
        other = rank(values, block_elements=block_elements, memory_elements=memory_elements)
        pd.testing.assert_frame_equal(other, whole, check_exact=True)


def test_the_temporary_file_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = []
    memmap = np.memmap
    monkeypatch.setattr(np, "memmap", lambda path, **options: made.append(Path(path)) or memmap(path, **options))
    rank(random_values(), memory_elements=0)
    assert [path.parent.parent for path in made] == [tmp_path, tmp_path]
    assert not list(tmp_path.iterdir())


def test_average_ranks_are_scipys():
    draw = np.random.default_rng(3).integers(-5, 5, 200) * 1.5
    assert np.array_equal(average_ranks(draw), rankdata(-draw))


def test_the_top_count_is_free_of_rounding():
    assert top_count(100, 0.07) == 7  # 0.07 * 100 is 7.000000000000001
    assert top_count(11, 0.2) == 3
    assert top_count(1, 0.2) == 1
    assert [top_count(n, 0.2) for n in range(5, 1000, 5)] == list(range(1, 200))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match="top_share"):
        rank(random_values(2, 3), top_share=share)


@pytest.mark.parametrize("decide", [rank, concentration])
def test_values_that_cannot_be_ordered_are_refused(decide):
    broken = random_values(3, 4)
    broken.realised[1, 2] = np.nan
    with pytest.raises(DataError, match=r"values\.realised: not all values are finite"):
        decide(broken)
    with pytest.raises(DataError, match=r"values\.expected: value draws do not fit"):
        decide(make_values(np.zeros((3, 4)), ids=["a", "b"]))
    with pytest.raises(DataError, match="at least 1 of each"):
        decide(make_values(np.zeros((0, 4))))


# concentration


def test_concentration_by_brute_force():
    values = random_values()
    got = concentration(values, shares=[0.1, 0.5, 1.0]).set_index("share_of_customers")
    assert list(got["customers"]) == [15, 30, 75, 150]
    for kind in ("expected", "realised"):
        draws = np.sort(getattr(values, kind).astype(float), axis=1)[:, ::-1]
        for share, places in ((0.1, 15), (0.2, 30), (0.5, 75), (1.0, 150)):
            held = draws[:, :places].sum(axis=1) / draws.sum(axis=1)
            for p in (5, 25, 50, 75, 95):
                assert got.loc[share, f"{kind}_q{p}"] == pytest.approx(np.percentile(held, p))


@pytest.mark.parametrize("customers", [1, 2, 50, 119, 120, 150, 3001])
@pytest.mark.parametrize("top_share", [0.2, 0.07])
def test_the_curve_is_bounded_and_has_its_points(customers, top_share):
    got = concentration(random_values(3, customers), top_share=top_share)
    assert len(got) <= 120
    assert got["customers"].is_monotonic_increasing and got["customers"].is_unique
    assert got["customers"].iloc[[0, -1]].tolist() == [0, customers]
    assert top_count(customers, top_share) in set(got["customers"])
    if customers <= 50:
        assert len(got) == customers + 1
    curves = [f"expected_q{p}" for p in (5, 25, 50, 75, 95)]
    assert (got[curves].iloc[0] == 0).all() and got[curves].iloc[-1].tolist() == pytest.approx([1.0] * 5)


def test_the_curve_does_not_depend_on_the_order():
    values = random_values()
    moved = make_values(values.expected[:, ::-1], values.realised[:, ::-1], values.customer_id[::-1])
    pd.testing.assert_frame_equal(concentration(moved), concentration(values), rtol=1e-12)


def test_realised_value_is_the_more_concentrated():
    got = concentration(random_values(400, 500), shares=[0.2]).iloc[0]
    assert got["realised_q50"] > got["expected_q50"]


def test_equal_customers_hold_equal_shares():
    got = concentration(make_values(np.full((4, 60), 3.0)))
    np.testing.assert_allclose(got["expected_q5"], got["share_of_customers"])
    np.testing.assert_allclose(got["expected_q95"], got["share_of_customers"])


def test_losses_carry_the_curve_beyond_the_whole():
    got = concentration(make_values([[6.0, 6.0, -2.0, 0.0]] * 3))
    assert got["expected_q50"].tolist() == pytest.approx([0.0, 0.6, 1.2, 1.2, 1.0])
    assert set(got["expected_to_lose_money"]) == {1}


def test_draws_without_a_positive_total_are_counted_not_averaged():
    realised = np.array([[0.0, 0.0], [3.0, 1.0], [-5.0, 2.0]])
    got = concentration(make_values(np.ones((3, 2)), realised), shares=[0.5])
    assert got["realised_q5"].tolist() == got["realised_q95"].tolist() == [0.75]
    assert got["realised_undefined_draws"].tolist() == [2] and got["expected_undefined_draws"].tolist() == [0]
    nothing = concentration(make_values(np.ones((2, 2)), np.zeros((2, 2))))
    assert nothing["realised_q50"].isna().all() and (nothing["realised_undefined_draws"] == 2).all()


@pytest.mark.parametrize("arguments", [{"points": 2}, {"shares": [0.0]}, {"shares": [1.5]}, {"top_share": 0.0}])
def test_curves_that_cannot_be_told_are_refused(arguments):
    with pytest.raises(ConfigError):
        concentration(random_values(2, 5), **arguments)
