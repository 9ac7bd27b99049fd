"""A value held against the accounts of the last year: shares of revenue and cohorts, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels.metrics.account_check_rows import cohorts, part_shares


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
