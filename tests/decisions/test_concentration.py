"""Concentration against brute force and by hand; within a draw, without the credit for referrals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.tiny import values
from fakes.worth import make_values, random_values, with_credit

from clvmodels.decisions import concentration
from clvmodels.decisions.rank import top_count
from clvmodels.errors import ConfigError, DataError


def test_ten_customers_by_hand():
    """Of `tiny.worth`: the best two bring 200 + 10 z and 100 + |z| of 550 + 10 z; c9 costs 5."""
    got = concentration(values(), top_share=0.2).set_index("customers")
    assert got.index.tolist() == list(range(11))
    assert got["share_of_customers"].tolist() == pytest.approx([k / 10 for k in range(11)])
    assert got.loc[2, "worth_q5"] == pytest.approx((110 + 109) / 460)  # the second lowest, at z = -9
    assert got.loc[2, "worth_q50"] == pytest.approx(300 / 550)
    assert got.loc[2, "worth_q95"] == pytest.approx((290 + 109) / 640)
    assert got.loc[9, "worth_q50"] == pytest.approx(555 / 550)
    assert set(got["expected_to_lose_money"]) == {1}
    assert set(got["worth_undefined_draws"]) == {0}


def test_the_credit_for_referrals_is_left_out():
    plain = concentration(values(), top_share=0.2)
    found = concentration(values(credit=20.0), top_share=0.2)
    pd.testing.assert_frame_equal(found, plain, rtol=1e-6)
    some = with_credit(make_values([[6.0, 2.0], [6.0, 2.0]]), [[0.0, 9.0], [0.0, 9.0]])
    assert concentration(some, top_share=0.5)["worth_q50"].tolist() == pytest.approx([0, 0.75, 1])


def test_a_customer_that_brings_nothing_loses_nothing():
    got = concentration(make_values([[1.0, 0.0, -1.0], [1.0, 0.0, 0.5]]))
    assert set(got["expected_to_lose_money"]) == {1}  # -0.25 on average; 0 is no loss


def test_a_total_of_nothing_has_no_shares_and_a_small_one_has():
    got = concentration(make_values([[1.0, -1.0], [0.3, 0.1]]), shares=[0.5], top_share=0.5)
    assert got["worth_undefined_draws"].tolist() == [1]
    assert got["worth_q50"].tolist() == pytest.approx([0.75])
    nothing = concentration(make_values([[1.0, -1.0]]))
    assert nothing["worth_q50"].isna().all() and nothing["worth_q50"].dtype == float


def test_the_points_of_a_curve():
    got = concentration(random_values(3, 100), points=3, top_share=0.07)
    assert got["customers"].tolist() == [0, 7, 100]
    got = concentration(random_values(3, 100), points=6, top_share=0.2)
    assert got["customers"].tolist() == [0, 20, 25, 50, 75, 100]
    got = concentration(random_values(3, 100), shares=[0.5, 0.1], top_share=0.2)
    assert got["customers"].tolist() == [10, 20, 50]


def test_concentration_by_brute_force():
    values = random_values()
    got = concentration(values, shares=[0.1, 0.5, 1.0]).set_index("share_of_customers")
    assert list(got["customers"]) == [15, 30, 75, 150]
    for kind in ("worth", "realised"):
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
    curves = [f"worth_q{p}" for p in (5, 25, 50, 75, 95)]
    assert (got[curves].iloc[0] == 0).all() and got[curves].iloc[-1].tolist() == pytest.approx([1.0] * 5)


def test_the_curve_does_not_depend_on_the_order():
    values = random_values()
    moved = make_values(
        values.worth[:, ::-1], values.realised[:, ::-1], values.customer_id[::-1], values.expected[:, ::-1]
    )
    pd.testing.assert_frame_equal(concentration(moved), concentration(values), rtol=1e-12)


def test_realised_value_is_the_more_concentrated():
    got = concentration(random_values(400, 500), shares=[0.2]).iloc[0]
    assert got["realised_q50"] > got["worth_q50"]


def test_equal_customers_hold_equal_shares():
    got = concentration(make_values(np.full((4, 60), 3.0)))
    np.testing.assert_allclose(got["worth_q5"], got["share_of_customers"])
    np.testing.assert_allclose(got["worth_q95"], got["share_of_customers"])


def test_losses_carry_the_curve_beyond_the_whole():
    got = concentration(make_values([[6.0, 6.0, -2.0, 0.0]] * 3))
    assert got["worth_q50"].tolist() == pytest.approx([0.0, 0.6, 1.2, 1.2, 1.0])
    assert set(got["expected_to_lose_money"]) == {1}


def test_draws_without_a_positive_total_are_counted_not_averaged():
    realised = np.array([[0.0, 0.0], [3.0, 1.0], [-5.0, 2.0]])
    got = concentration(make_values(np.ones((3, 2)), realised), shares=[0.5])
    assert got["realised_q5"].tolist() == got["realised_q95"].tolist() == [0.75]
    assert got["realised_undefined_draws"].tolist() == [2] and got["worth_undefined_draws"].tolist() == [0]
    nothing = concentration(make_values(np.ones((2, 2)), np.zeros((2, 2))))
    assert nothing["realised_q50"].isna().all() and (nothing["realised_undefined_draws"] == 2).all()


def test_what_is_wrong_with_a_curve_is_said():
    with pytest.raises(ConfigError) as caught:
        concentration(random_values(2, 5), points=2)
    assert str(caught.value) == "points: a curve needs at least 3 points; got 2"


@pytest.mark.parametrize("arguments", [{"points": 2}, {"shares": [0.0]}, {"shares": [1.5]}, {"top_share": 0.0}])
def test_curves_that_cannot_be_told_are_refused(arguments):
    with pytest.raises(ConfigError):
        concentration(random_values(2, 5), **arguments)


def test_values_that_cannot_be_ordered_are_refused():
    broken = random_values(3, 4)
    broken.realised[1, 2] = np.nan
    with pytest.raises(DataError, match=r"values\.realised: not all values are finite"):
        concentration(broken)
    with pytest.raises(DataError, match=r"values\.worth: value draws do not fit"):
        concentration(make_values(np.zeros((3, 4)), ids=["a", "b"]))
    with pytest.raises(DataError, match="at least 1 of each"):
        concentration(make_values(np.zeros((0, 4))))
