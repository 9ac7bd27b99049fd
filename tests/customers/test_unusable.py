"""Rows and money that no part of the value can use are told; how long returns are watched follows from the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.companies import company_of, customers_of

from clvmodels.customers.observed import with_costs
from clvmodels.customers.purchases import usual_windows
from clvmodels.customers.unusable import with_unusable
from clvmodels.customers.windows import Windows
from clvmodels.inference.fitting import fit
from clvmodels.sources.consolidation import Table, consolidate
from clvmodels.sources.reasons import Policies

END = pd.Timestamp("2024-12-31")


@pytest.fixture(scope="module")
def late():
    """Three of ten purchases come back, each second of them after more than a month. EUR 10 a purchase."""
    rng = np.random.default_rng(3)
    start = pd.Timestamp("2023-01-01")
    orders, returns = [], []
    for number in range(3000):
        day = start + pd.Timedelta(days=int(rng.integers(0, 600)))
        orders.append((f"c{number % 600:03}", day, 10.0, 5.0, f"o{number}"))
        if rng.random() < 0.3:
            delay = rng.integers(1, 30) if rng.random() < 0.5 else rng.integers(31, 80)
            returns.append((f"o{number}", day + pd.Timedelta(days=int(delay)), 10.0))
    return company_of(str(END.date()), orders=orders, returns=returns)


def rate(customers) -> float:
    return float(customers.table["returned"].sum() / customers.table["returnable"].sum())


def test_the_window_of_returns_follows_from_the_data(late):
    customers = customers_of(late)
    assert rate(with_costs(late, customers, ["returns"], windows=Windows())) == pytest.approx(0.15, abs=0.02)  # wrong
    watched = with_costs(late, customers, ["returns"])
    assert rate(watched) == pytest.approx(0.30, abs=0.02)
    assert 70 <= usual_windows(late, END).days["returns"] <= 79
    posterior = fit("beta_binomial_returns", watched, method="laplace", draws=200)
    assert posterior.stacked("mu").mean() == pytest.approx(0.30, abs=0.02)


def test_a_stated_window_stays_and_nothing_returned_leaves_the_usual_one(late):
    assert usual_windows(late, END, returns=30, bad_debt=60).days == {"returns": 30, "bad_debt": 60}
    assert usual_windows(late, pd.Timestamp("2022-01-01")).days == {"returns": 30, "bad_debt": 90}


def test_99_percent_are_of_money_and_look_no_further_than_the_day():
    orders = [("a", f"2024-01-{day:02}", 100.0, 50.0, str(day)) for day in range(1, 11)]
    returns = [("1", "2024-01-06", 90.0), ("2", "2024-02-11", 9.0), ("3", "2024-06-01", 0.9), ("4", "2024-01-04", 0.1)]
    company = company_of("2024-12-31", orders=orders, returns=returns)
    assert usual_windows(company, END).days["returns"] == 40
    assert usual_windows(company, pd.Timestamp("2024-02-01")).days["returns"] == 5


ORDERS = [
    ("a", "2024-01-01", 50.0, 20.0, "1"),
    ("a", "2024-03-01", 80.0, 30.0, "2"),
    ("b", "2024-02-01", 40.0, 10.0, "3"),
]


def test_rows_and_money_that_no_part_can_use_are_told():
    returns = [
        ("1", "2024-01-10", 50.0),  # the whole
        ("1", "2024-01-12", 20.0),  # more than was paid
        ("2", "2024-03-10", 60.0),
        ("2", "2024-03-11", 30.0),  # of which 20 are left to come back
        ("3", "2024-05-01", 40.0),  # too late
        ("3", "2024-01-15", 5.0),  # before its purchase
    ]
    payments = [("3", "2024-12-01", "bad_debt", 40.0), ("2", "2024-04-01", "bad_debt", 80.0)]
    company = company_of("2024-12-31", orders=ORDERS, returns=returns, payments=payments)
    told = with_unusable(company, Windows(), ["returns", "bad_debt"])
    rows = told.account.set_index(["source", "reason"])
    assert rows.loc["returns", ["rows", "kind", "amount"]].dropna().to_dict("index") == {
        "is above what was paid for its purchase, counted up to that": {"rows": 1, "kind": "changed", "amount": 10.0},
        "belongs to no purchase": {"rows": 1, "kind": "unusable", "amount": 5.0},
        "came more than 30 days after its purchase": {"rows": 1, "kind": "unusable", "amount": 40.0},
        "is above what was paid for its purchase": {"rows": 1, "kind": "unusable", "amount": 20.0},
    }
    assert rows.loc[("payments", "came more than 90 days after its purchase"), "amount"] == 40.0
    for source, block in told.account.groupby("source"):
        sums = block.groupby("kind")["rows"].sum()
        assert sums["read"] == sums.get("used", 0) + sums.get("unusable", 0), source
        assert block["step"].tolist() == list(range(len(block)))
    assert rows.loc[("returns", "rows used"), "rows"] == 3
    left_out = told.dropped.execute().query("source == 'returns'")
    assert sorted(left_out["line"]) == [2, 5, 6] and "b, 2024-05-01, 40.0, 3" in set(left_out["text"])
    # what the account says is what the cost models count
    observed = with_costs(company, customers_of(company), ["returns", "bad_debt"], windows=Windows()).table
    assert observed["returned"].to_dict() == {"a": 2.0, "b": 0.0}


def test_where_all_is_used_the_account_says_the_same():
    company = company_of("2024-12-31", orders=ORDERS, returns=[("1", "2024-01-10", 50.0)])
    told = with_unusable(company, Windows(), ["returns"])
    pd.testing.assert_frame_equal(told.account.drop(columns="amount"), company.account)
    assert with_unusable(company, Windows(), ["contacts"]) is company


def test_refunds_that_were_taken_as_returns_are_told_among_the_orders():
    orders = pd.DataFrame(
        {"key": "a", "date": ["2024-01-01", "2024-04-01"], "amount": [50.0, -50.0], "order_id": ["1", "1"]}
    )
    table = Table(frame=orders, role="orders", policies=Policies(refunds="returns"))
    company = consolidate({"shop": table}, currency="EUR", data_end="2024-12-31")
    account = with_unusable(company, Windows(), ["returns"]).account.set_index("reason")
    assert account.loc["came more than 30 days after its purchase", ["rows", "amount"]].tolist() == [1, 50.0]
    assert account.loc["rows used", "rows"] == 1
