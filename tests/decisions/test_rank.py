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
from clvmodels.decisions.rank import best_first, top_count
from clvmodels.errors import ConfigError, DataError
from clvmodels.randomness import keyed_bits, keyed_streams


def test_ten_customers_by_hand():
    """Of `tiny.worth`: c0 first, c1 and c2 by halves second, c3 to c9 in their order; by luck c3 before c0 at times."""
    got = rank(values(), top_share=0.2)
    assert list(got.index) == PEOPLE
    assert got["worth_odds_top"].tolist() == pytest.approx([1, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0])
    # in the middle draw c1 and c2 are tied: the lot says whose median is 2 and whose 3
    assert sorted(got["worth_rank_q50"]) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert got["worth_rank_q50"].drop(["c1", "c2"]).tolist() == [1, 4, 5, 6, 7, 8, 9, 10]
    assert got["worth_rank_q5"].tolist() == [1, 2, 2, 4, 5, 6, 7, 8, 9, 10]
    assert got["worth_rank_q95"].tolist() == [1, 3, 3, 4, 5, 6, 7, 8, 9, 10]
    assert got.loc["c1", ["worth_q5", "worth_q95", "worth_mean"]].tolist() == [91, 109, 100]
    assert got.loc["c1", ["expected_q5", "expected_q95", "expected_mean"]].tolist() == [100, 100, 100]
    assert got.loc["c0", ["expected_q5", "expected_q25", "expected_q50"]].tolist() == [110, 150, 200]
    assert got.loc["c0", ["expected_q75", "expected_q95", "expected_mean"]].tolist() == [250, 290, 200]
    assert got.loc["c0", "expected_sd"] == pytest.approx(10 * np.sqrt(38.5))  # of -10 .. 10: 770 / 20
    assert got.loc["c3", "realised_odds_top"] == pytest.approx(3 / 21)
    assert got.loc["c0", "realised_odds_top"] == pytest.approx(18 / 21)
    assert got.loc["c0", "realised_rank_q95"] in (4, 5)  # tied with c4 in one of the three draws
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
    for kind in ("expected", "worth", "realised"):
        draws = getattr(values, kind).astype(float)
        for p in (5, 25, 50, 75, 95):
            np.testing.assert_allclose(got[f"{kind}_q{p}"], np.percentile(draws, p, axis=0), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(got[f"{kind}_mean"], draws.mean(axis=0))
        np.testing.assert_allclose(got[f"{kind}_sd"], draws.std(axis=0, ddof=1))
    ranks = rankdata(-values.worth, axis=1)  # no two are worth the same
    np.testing.assert_allclose(got["worth_odds_top"], (ranks <= 30).mean(axis=0), atol=1e-12)
    lots = [rankdata(keyed_bits(keys_of(values), d)) for d in range(len(values.realised))]
    by_lot = np.array(
        [np.lexsort((lot, -draw)).argsort() + 1.0 for lot, draw in zip(lots, values.realised, strict=True)]
    )
    for kind, of_kind in (("worth", ranks), ("realised", by_lot)):
        for p in (5, 25, 50, 75, 95):
            np.testing.assert_allclose(got[f"{kind}_rank_q{p}"], np.percentile(of_kind, p, axis=0), rtol=1e-6)


def keys_of(values):
    """What the lots of a base are made of."""
    return keyed_streams(42, "rank", list(values.customer_id))[:, 0]


def test_columns_are_as_stored():
    stats = ["mean", "sd", "q5", "q25", "q50", "q75", "q95"]
    of_ranks = ["rank_q5", "rank_q25", "rank_q50", "rank_q75", "rank_q95", "odds_top"]
    columns = [f"expected_{stat}" for stat in stats]
    columns += [f"{kind}_{stat}" for kind in ("worth", "realised") for stat in (*stats, *of_ranks)]
    assert list(rank(random_values(5, 4))) == columns


@pytest.mark.parametrize("share", [0.05, 0.2, 0.33, 1.0])
def test_the_odds_sum_to_the_places(share):
    got = rank(random_values(), top_share=share)
    places = top_count(150, share)
    assert got["worth_odds_top"].sum() == pytest.approx(places)
    assert got["realised_odds_top"].sum() == pytest.approx(places)
    assert got[["worth_odds_top", "realised_odds_top"]].stack().between(0, 1 + 1e-12).all()


def test_ties_at_the_cut_share_the_places():
    got = rank(make_values([[9.0, 5.0, 5.0, 5.0, 0.0]]), top_share=0.4)
    assert got["worth_odds_top"].tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 0])
    assert got["worth_rank_q50"].iloc[[0, 4]].tolist() == [1, 5] and sorted(got["worth_rank_q50"]) == [1, 2, 3, 4, 5]
    assert np.isnan(got["expected_sd"]).all()


def test_the_tied_take_their_ranks_by_lot():
    """All worth 0 but one: in 4,000 draws each of the others has each rank as often, whatever its place in the rows;
    and a loss comes after nothing."""
    worth = np.zeros((4000, 12))
    worth[:, 3], worth[:, 7] = 2.0, -1.0
    got = rank(make_values(worth), top_share=0.25)
    tied = got.drop(index=["c00003", "c00007"])
    assert (got.loc["c00003", ["worth_rank_q5", "worth_rank_q95"]] == 1).all()
    assert (got.loc["c00007", ["worth_rank_q5", "worth_rank_q95"]] == 12).all()
    assert (tied["worth_rank_q5"] == 2).all() and (tied["worth_rank_q95"] == 11).all()
    assert tied["worth_rank_q25"].isin([4, 5]).all() and tied["worth_rank_q75"].isin([8, 9]).all()
    assert tied["worth_odds_top"].tolist() == pytest.approx([0.2] * 10)
    other = rank(make_values(worth), top_share=0.25, seed=1)
    assert not other.equals(got) and other["worth_odds_top"].equals(got["worth_odds_top"])


def test_a_base_without_value_has_equal_odds():
    got = rank(make_values(np.zeros((3, 10))), top_share=0.2)
    assert got["realised_odds_top"].tolist() == pytest.approx([0.2] * 10)
    assert got["realised_rank_q50"].between(1, 10).all() and got["realised_rank_q50"].nunique() > 1


def test_comparison_is_within_a_draw():
    """Two customers who rise and fall together: their margins overlap, their order is certain."""
    level = np.linspace(1.0, 100.0, 50)[:, None]
    got = rank(make_values(level * np.array([[1.0, 1.01]])), top_share=0.5)
    assert got["worth_odds_top"].tolist() == [0.0, 1.0]
    assert got["worth_q5"].iloc[1] < got["worth_q95"].iloc[0]


def test_order_blocks_and_files_are_irrelevant():
    values = random_values()
    whole = rank(values)
    order = np.random.default_rng(2).permutation(150)
    readings = (of_kind[:, order] for of_kind in (values.worth, values.realised))
    moved = make_values(*readings, values.customer_id[order], values.expected[:, order])
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


def test_the_order_is_that_of_the_values():
    """Of any signs and sizes, two zeros alike: by SciPy's ranks where no two are tied."""
    rng = np.random.default_rng(3)
    draw = (rng.permutation(np.linspace(-1, 1, 201)) * 10.0 ** rng.integers(-30, 30, 201)).astype(np.float32)
    lots = rng.integers(0, 2**64, 201, dtype=np.uint64)
    assert len(set(draw)) == 201
    assert np.array_equal(best_first(draw, lots).argsort() + 1.0, rankdata(-draw))
    zeros = np.array([0.0, -0.0, 0.0, -0.0], dtype=np.float32)
    assert best_first(zeros, np.array([3, 1, 2, 0], dtype=np.uint64) << np.uint64(32)).tolist() == [3, 1, 2, 0]


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
