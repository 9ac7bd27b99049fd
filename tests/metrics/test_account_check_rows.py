"""A value held against the accounts of the last year: shares of revenue and cohorts, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels.metrics.account_check_rows import cohorts, part_shares, past_of_channels


def accounts(revenue, **parts) -> pd.DataFrame:
    columns = {"revenue": revenue, "was_customer": True, **parts}
    return pd.DataFrame(columns, index=[f"c{k:03d}" for k in range(len(revenue))])


def test_shares_of_revenue_by_hand():
    """100 customers who all bring 10, with a margin of 4 each: no chance, so that one point of revenue is allowed."""
    made = accounts(np.full(100, 10.0), **{"gross margin": 4.0, "returns": -0.5})
    sales = np.full(100, 20.0)
    forecast = {"gross margin": np.full(100, 8.1), "returns": np.full(100, -0.7), "unknown": np.zeros(100)}
    margin, returns = part_shares(forecast, sales, made)
    assert (margin.result, margin.value) == ("passed", pytest.approx(0.405))
    assert (margin.at_least, margin.at_most) == pytest.approx((0.39, 0.41))
    assert (returns.result, returns.value) == ("look", pytest.approx(-0.035))
    assert "more of returns" in returns.consequence
    assert part_shares(forecast, sales, accounts(np.zeros(100))) == []


def test_what_chance_does_to_a_share_is_allowed():
    """The standard error is that of a bootstrap of customers."""
    rng = np.random.default_rng(1)
    revenue = rng.gamma(0.5, 40.0, 200)
    returns = -revenue * (rng.random(200) < 0.2)
    (row,) = part_shares({"returns": returns}, revenue, accounts(revenue, returns=returns))
    picks = rng.integers(200, size=(4000, 200))
    shares = returns[picks].sum(axis=1) / revenue[picks].sum(axis=1)
    assert row.result == "passed"
    assert (row.at_most - row.at_least) / 2 == pytest.approx(2.576 * shares.std(), rel=0.05)


def test_cohorts_by_hand():
    """Three quarters of 40 customers; the first is to bring half of its last year's 400, the second twice as much."""
    first = pd.Series(pd.to_datetime(np.repeat(["2023-02-01", "2023-05-01", "2025-01-01"], 40)))
    made = accounts(np.full(120, 10.0))
    made["was_customer"] = np.repeat([True, True, False], 40)
    row = cohorts(2 * np.repeat([5.0, 20.0, 90.0], 40), 2.0, first, made)
    assert (row.result, row.value, row.of, row.at_most) == ("look", 1, 2, 0)
    assert row.note == "most: 2023Q2, 2.00 times its last year"
    row = cohorts(2 * np.repeat([5.0, 9.9, 90.0], 40), 2.0, first, made)
    assert (row.result, row.value) == ("passed", 0)


def test_small_and_young_cohorts_are_not_judged():
    first = pd.Series(pd.to_datetime(["2023-02-01"] * 29 + ["2024-02-01"] * 40))
    made = accounts(np.full(69, 10.0))
    made["was_customer"] = np.repeat([True, False], [29, 40])
    row = cohorts(np.full(69, 90.0), 1.0, first, made)
    assert (row.result, row.consequence) == ("not applicable", "No cohort of 30 customers is older than a year")


def test_chance_is_allowed_to_a_cohort():
    """Among 40 customers one brought all: the next year may see two of them."""
    first = pd.Series(pd.to_datetime(["2023-02-01"] * 40))
    lumpy = np.zeros(40)
    lumpy[0] = 400.0
    assert cohorts(np.full(40, 20.0), 1.0, first, accounts(lumpy)).result == "passed"


def channels(**columns) -> pd.DataFrame:
    """Three channels of which new customers are told to be worth 40 to 60 in twelve months."""
    told = {"cohort": 100, "made_error": 3.0, "rule": 12.0, "horizon": 12.0}
    told |= {"most_q5": 40.0, "most_q50": 50.0, "most_q95": 60.0}
    return pd.DataFrame({"channel": ["A", "B", "C"], **told, **columns})


def test_past_customers_of_channels_beside_what_is_told_of_new_ones():
    """What is allowed: 10 and 1.645 standard errors of 3 together, 11.15."""
    row = past_of_channels(channels(made=[50.0, 61.0, 39.0]))
    assert (row.result, row.value, row.of, row.at_least, row.note) == ("passed", 3, 3, 1, "")
    row = past_of_channels(channels(made=[50.0, 62.0, 30.5]))  # up to 50 - 2.94 / 1.645 * 11.15 = 30.1 by chance
    assert (row.result, row.value, row.note) == ("passed", 1, "farthest: C")
    one_far, all_outside = ([50.0, 50.0, 21.0], [62.0, 62.0, 38.0])
    for made in (one_far, all_outside):
        row = past_of_channels(channels(made=made))
        assert row.result == "failed" and "do not pay by it" in row.consequence


def test_channels_of_few_past_customers_or_of_a_longer_time_are_not_compared():
    assert past_of_channels(channels(made=0.0, cohort=29)) is None
    assert past_of_channels(channels(made=0.0, horizon=24.0)) is None
    assert past_of_channels(channels(made=0.0, most_q50=np.nan)) is None
    assert past_of_channels(channels(made=[50.0, 50.0, 0.0], cohort=[100, 100, 0])).of == 2
