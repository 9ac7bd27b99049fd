"""Ranking against brute force and by hand; ties fair, orders and blocks irrelevant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.tiny import PEOPLE, values
from fakes.worth import make_values, random_values
from scipy.stats import rankdata

from clvmodels.decisions import rank
from clvmodels.decisions.rank import average_ranks, top_count
from clvmodels.errors import ConfigError, DataError


def test_ten_customers_by_hand():
    """Of `tiny.worth`: c0 first, c1 and c2 by halves second, c3 to c9 in their order; by luck c3 before c0 at times."""
    got = rank(values(), top_share=0.2)
    assert list(got.index) == PEOPLE
    assert got["expected_odds_top"].tolist() == pytest.approx([1, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0])
    assert got["expected_rank_q50"].tolist() == [1, 2.5, 2.5, 4, 5, 6, 7, 8, 9, 10]
    assert got["expected_rank_q5"].tolist() == [1, 2, 2, 4, 5, 6, 7, 8, 9, 10]
    assert got["expected_rank_q95"].tolist() == [1, 3, 3, 4, 5, 6, 7, 8, 9, 10]
    assert got.loc["c0", ["expected_q5", "expected_q25", "expected_q50"]].tolist() == [110, 150, 200]
    assert got.loc["c0", ["expected_q75", "expected_q95", "expected_mean"]].tolist() == [250, 290, 200]
    assert got.loc["c0", "expected_sd"] == pytest.approx(10 * np.sqrt(38.5))  # of -10 .. 10: 770 / 20
    assert got.loc["c3", "realised_odds_top"] == pytest.approx(3 / 21)
    assert got.loc["c0", "realised_odds_top"] == pytest.approx(18 / 21)
    assert got.loc["c0", "realised_rank_q95"] == 4.5  # shared with c4 in one of the three draws
    assert got.loc["c3", "realised_mean"] == pytest.approx(50 + 3 * 250 / 21)


def test_columns_in_blocks_are_those_of_all_at_once():
    """A block of one customer, and one that ends with the customers."""
    whole = rank(values(), top_share=0.2)
    for elements in (1, 21, 22, 63, 210, 211):
        pd.testing.assert_frame_equal(rank(values(), top_share=0.2, block_elements=elements), whole, check_exact=True)


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


def test_values_that_cannot_be_ordered_are_refused():
    broken = random_values(3, 4)
    broken.realised[1, 2] = np.nan
    with pytest.raises(DataError, match=r"values\.realised: not all values are finite"):
        rank(broken)
    with pytest.raises(DataError, match=r"values\.expected: value draws do not fit"):
        rank(make_values(np.zeros((3, 4)), ids=["a", "b"]))
    with pytest.raises(DataError, match="at least 1 of each"):
        rank(make_values(np.zeros((0, 4))))


def test_what_is_wrong_with_values_is_said():
    with pytest.raises(ConfigError) as caught:
        rank(random_values(2, 3), top_share=1.5)
    assert str(caught.value) == "top_share: must be a share above 0, at most 1; got 1.5"
    with pytest.raises(DataError) as caught:
        rank(make_values(np.zeros((3, 4)), ids=["a", "b"]))
    needs = "Needs draws of 2 customers, at least 1 of each"
    assert str(caught.value) == f"values.expected: value draws do not fit the customers; got shape (3, 4). {needs}"
    broken = random_values(3, 4)
    broken.expected[1, 2] = np.nan
    with pytest.raises(DataError) as caught:
        rank(broken)
    assert str(caught.value) == "values.expected: not all values are finite"
    with pytest.raises(DataError, match="do not fit"):
        rank(make_values(np.zeros((3, 0))))


def test_two_draws_have_a_standard_deviation_and_one_has_none():
    assert rank(make_values([[1.0, 5.0], [3.0, 5.0]]))["expected_sd"].tolist() == pytest.approx([2**0.5, 0])
    assert rank(make_values([[1.0, 5.0]]))["expected_sd"].isna().all()
