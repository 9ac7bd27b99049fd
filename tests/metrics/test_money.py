"""Money of the holdout: each metric by hand or against another way to compute it, and red where a fault is planted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes.judging import DAY, make_judged, money_of, poisson_judged, scores, with_money
from scipy import stats

from clvmodels.errors import DataError
from clvmodels.metrics.crps import fair_crps
from clvmodels.metrics.money import Money, crps_of_draws
from clvmodels.metrics.money_check_rows import best_named, money_fifths, money_total, of_customers


def by_hand() -> Money:
    """Ten customers, c0 to c9; in the draws 0, 1 and 2 customer k brings 10 k, 20 k and 30 k."""
    k = np.arange(10.0)
    ids = np.array([f"c{i}" for i in range(10)])
    actual = np.array([0.0, 0, 10, 0, 90, 200, 0, 100, 200, 400])
    return Money("spend", ids, np.outer([10.0, 20.0, 30.0], k), 20 * k, actual, DAY)


def judged_with(money: Money):
    judged = make_judged(np.ones((len(money.realised), len(money.actual))), np.ones(len(money.actual)))
    ids = judged.futures.customer_id
    return dataclasses.replace(judged, money={money.name: dataclasses.replace(money, customer_id=ids)})


# ------------------------------------------------------------------------------------------------------- by hand


def test_the_total_and_its_bias_by_hand():
    got = scores(judged_with(by_hand()), "money_total")
    assert got["money_total.spend.actual"].value == 1000.0
    # totals of the draws: 450, 900, 1350
    assert got["money_total.spend.forecast"][1:] == pytest.approx((900.0, 495.0, 1305.0))
    assert got["money_total.spend.bias_percent"][1:] == pytest.approx((-10.0, -50.5, 30.5))
    assert got["money_total.spend.interval_holds"].value == 1.0


def test_the_bias_of_a_loss_has_the_sign_of_the_difference():
    money = dataclasses.replace(by_hand(), actual=np.full(10, -50.0), name="profit")
    got = scores(judged_with(money), "money_total")
    assert got["money_total.profit.bias_percent"].value == pytest.approx(100 * (900 + 500) / 500)
    assert got["money_total.profit.interval_holds"].value == 0.0


def test_fifths_by_hand():
    fifths = by_hand().fifths
    assert [row["customers"] for row in fifths.groups] == [2] * 5
    assert [row["actual"] for row in fifths.groups] == [0.0, 5.0, 145.0, 50.0, 300.0]
    assert [row["q50"] for row in fifths.groups] == [10.0, 50.0, 90.0, 130.0, 170.0]
    # 90% of three draws a, 2 a, 3 a: 1.1 a to 2.9 a
    assert [row["side"] for row in fifths.groups] == ["below", "below", "above", "below", "above"]
    got = scores(judged_with(by_hand()), "money_fifths")
    assert got["money_fifths.spend.inside"].value == 0.0
    assert got["money_fifths.spend.best_over_forecast"].value == pytest.approx(300 / 170)


def test_customers_that_do_not_divide_by_five_lie_in_fifths_of_nearly_one_size():
    money = by_hand()
    few = dataclasses.replace(
        money,
        customer_id=money.customer_id[:7],
        realised=money.realised[:, :7],
        mean=money.mean[:7],
        actual=money.actual[:7],
    )
    assert [row["customers"] for row in few.fifths.groups] == [2, 1, 2, 1, 1]


def test_capture_by_hand():
    money = by_hand()
    tenth, fifth = money.capture(0.1), money.capture(0.2)
    assert (tenth.actual, tenth.best) == (0.4, 0.4)
    assert (fifth.actual, fifth.best) == (0.6, 0.6)
    assert fifth.draws == pytest.approx([17 / 45] * 3)  # in every draw c8 and c9 bring 17 of 45
    curve = money.capture_curve.set_index("share")
    assert curve.loc[0.0].tolist() == [0.0] * 5 and curve.loc[1.0].tolist() == pytest.approx([1.0] * 5)
    assert curve.loc[0.5, ["actual", "best"]].tolist() == pytest.approx([0.9, 0.99])
    assert curve.loc[0.5, ["q5", "q50", "q95"]].tolist() == pytest.approx([35 / 45] * 3)


def test_the_interval_of_a_captured_share_is_that_of_a_bootstrap_of_customers():
    money = money_of(poisson_judged(800, 40))
    got = scores(judged_with(money), "money_capture")["money_capture.spend.top_20"]
    rng = np.random.default_rng(4)
    is_best = np.isin(np.arange(800), money.top(0.2))
    picks = rng.integers(800, size=(4000, 800))
    shares = (is_best * money.actual)[picks].sum(axis=1) / money.actual[picks].sum(axis=1)
    assert got.value == pytest.approx(money.capture(0.2).actual)
    assert [got.lower, got.upper] == pytest.approx(np.quantile(shares, [0.05, 0.95]), abs=0.01)


def test_shares_of_what_may_be_a_loss_are_not_told():
    for money in (
        dataclasses.replace(by_hand(), actual=np.full(10, -1.0)),
        dataclasses.replace(by_hand(), realised=by_hand().realised - np.array([[100.0], [0], [0]])),
    ):
        got = scores(judged_with(money), "money_capture")
        assert all(np.isnan(row.value) for row in got.values())
        results = {row.result for row in of_customers(money) if row.code == "money_capture"}
        assert results == {"not applicable"}


# ------------------------------------------------------------------------------------------------------- otherwise


def test_the_crps_is_the_integral_of_the_squared_distance_of_distributions():
    """With many draws the fair CRPS is the integral of (F(x) - [y <= x])^2, here of a gamma distribution."""
    law = stats.gamma(3.0, scale=10.0)
    draws = law.ppf((np.arange(20_000) + 0.5) / 20_000)
    for actual in (0.0, 12.0, 80.0):
        x = np.linspace(0, 300, 300_001)
        integral = np.trapezoid((law.cdf(x) - (actual <= x)) ** 2, x)
        money = Money("spend", np.array(["a"]), draws[:, None], np.array([30.0]), np.array([actual]), DAY)
        assert money.crps[0] == pytest.approx(integral, abs=2e-3)


def test_a_draw_scored_by_all_the_others_is_what_leaving_it_out_gives():
    rng = np.random.default_rng(3)
    draws = rng.gamma(0.5, 20.0, (4, 30)) * (rng.random((4, 30)) < 0.6)  # with ties, of 0
    scored = crps_of_draws(draws)
    for k in range(30):
        distance = np.abs(np.delete(draws, k, axis=1) - draws[:, [k]]).mean(axis=1)
        spread = np.abs(draws[:, :, None] - draws[:, None, :]).sum(axis=(1, 2)) / (30 * 29)
        assert scored[:, k] == pytest.approx(distance - spread / 2)
    # over the draws its mean is the half spread, which the fair CRPS of an outcome like them has too
    outcomes = [fair_crps(np.delete(draws, k, axis=1), draws[:, k]) for k in range(30)]
    assert scored.mean(axis=1) == pytest.approx(np.mean(outcomes, axis=0))


def test_the_pit_of_a_sound_forecast_is_uniform_though_most_bring_nothing():
    money = money_of(poisson_judged(4000, 99))
    assert (money.actual == 0).mean() > 0.4
    assert stats.kstest(money.pit, "uniform").pvalue > 0.01
    paying = money.actual > 0
    rank = (money.realised[:, paying] < money.actual[paying]).sum(axis=0)
    # one of a hundred places; one more where a draw is the same in single precision
    assert np.abs(money.pit[paying] - rank / 100).max() <= 0.02


def test_blocks_and_memory_maps_are_irrelevant(tmp_path):
    money = money_of(poisson_judged(101, 30))
    mapped = np.memmap(tmp_path / "money", dtype=np.float32, mode="w+", shape=(30, 101))
    mapped[:] = money.realised
    other = dataclasses.replace(money, realised=mapped)
    assert np.array_equal(other.pit, money.pit) and np.array_equal(other.crps, money.crps)
    assert np.array_equal(other.own_crps, money.own_crps) and other.total == money.total
    parts = [place for place, *_ in money.blocks(217)]
    assert [part.start for part in parts[:2]] == [0, 7] and parts[-1].stop == 101


def test_the_joint_log_score_is_that_of_counts_plus_that_of_amounts():
    judged = with_money(poisson_judged(200, 20))
    got = scores(judged, "log_score", "log_score_money")
    amounts = -4.0 * judged.actual.sum()
    assert got["log_score_money"].value == pytest.approx(got["log_score"].value + amounts)
    assert got["log_score_money.of_amounts"].value == pytest.approx(amounts)
    per_customer = judged.futures.log_prob - 4.0 * judged.actual
    reach = 1.6448536 * np.sqrt(200 * per_customer.var(ddof=1))
    assert got["log_score_money"].upper == pytest.approx(got["log_score_money"].value + reach)


# ------------------------------------------------------------------------------------------------------- checks


def results(money: Money) -> dict[str, set[str]]:
    rows = [money_total(money), money_fifths(money), *of_customers(money)]
    return {code: {row.result for row in rows if row.code == code} for code in dict.fromkeys(row.code for row in rows)}


def test_a_sound_forecast_passes_and_three_tenths_of_the_money_turn_its_checks_red():
    money = money_of(poisson_judged(3000, 300))
    assert set.union(*results(money).values()) == {"passed"}
    cut = dataclasses.replace(money, actual=0.3 * money.actual)
    red = results(cut)
    assert {code for code, found in red.items() if "failed" in found} == {
        "money_total",
        "money_fifths",
        "money_pit",
        "money_pit_share",
    }
    assert "70% below" in money_total(cut).consequence
    assert red["money_crps"] == {"passed"}  # less money is nearer to its forecast, in the currency
    assert red["money_capture"] == {"passed"}  # the same customers hold the same share of less
    assert "failed" in results(dataclasses.replace(money, actual=3.0 * money.actual))["money_crps"]


def test_money_that_the_best_do_not_bring_turns_fifths_and_capture_red():
    money = money_of(poisson_judged(3000, 300))
    evened = dataclasses.replace(money, actual=np.random.default_rng(1).permutation(money.actual))
    red = results(evened)
    assert red["money_total"] == {"passed"}
    assert red["money_fifths"] == red["money_capture"] == {"failed"}


def test_money_of_other_customers_is_refused():
    judged = poisson_judged(20, 5)
    money = money_of(judged)
    wrong = dataclasses.replace(money, customer_id=money.customer_id[::-1])
    with pytest.raises(DataError, match="not the customers that are forecast, in their order"):
        dataclasses.replace(judged, money={"spend": wrong})


def test_who_was_named_and_who_brought_most_by_hand():
    """Of the two forecast best one was among the two who brought most; who brought nothing is among nobody."""
    ids = np.array(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])
    actual = np.array([9.0, 1.0, 5.0, 0, 0, 0, 0, 0, 0, 0])
    realised = np.array([actual, [8.0, 7.0, 0, 0, 0, 0, 0, 0, 0, 0], np.r_[np.zeros(9), 3.0]])
    named = Money("spend", ids, realised, np.arange(10.0)[::-1], actual, DAY).named(0.2)
    assert (named.size, named.actual, named.draws.tolist()) == (2, 1, [1, 2, 0])


def test_the_best_by_chance_turn_the_check_of_their_names_red():
    sound = money_of(poisson_judged(count=1500))
    (row,) = best_named(sound)
    assert row.result == "passed" and row.of == 300
    shuffled = np.random.default_rng(3).permutation(sound.actual)
    (row,) = best_named(dataclasses.replace(sound, actual=shuffled))
    assert row.result == "failed" and "do not rely on single names" in row.consequence
    assert best_named(dataclasses.replace(sound, actual=np.zeros(1500))) == []


def test_one_fifth_that_lies_farther_off_than_chance_takes_it_fails():
    """Though as many lie inside as have to."""
    sound = money_of(poisson_judged(count=1500))
    assert sound.fifths.beyond <= 1.0 and money_fifths(sound).result == "passed"
    best = sound.top(0.2)
    actual = sound.actual.copy()
    actual[best] *= 1.5
    row = money_fifths(dataclasses.replace(sound, actual=actual))
    assert row.value == 4 and row.at_least <= 4
    assert row.result == "failed" and "times as far off as by chance" in row.note
