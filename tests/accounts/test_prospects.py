"""Prospects whose winning was paid for and who never bought: their costs are part of what one who was won has cost."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy.stats import beta

from clvmodels.accounts.entries import Terms
from clvmodels.accounts.profit_made import profit_made
from clvmodels.accounts.winning import EVERYBODY, costs_to_win
from clvmodels.customers.summarize import summarize
from clvmodels.kpis.indicators import kpis
from clvmodels.sources.consolidation import Company, Table, consolidate
from clvmodels.valuation.economics import Economics

ORDERS = pd.DataFrame(
    {
        "prospect": ["p1", "p1", "p3"],
        "day": ["2024-01-05", "2024-03-01", "2024-01-09"],
        "amount": [200.0, 210.0, 90.0],
        "channel": ["mail", "mail", "fair"],
    }
)
COSTS = pd.DataFrame(
    {
        "prospect": ["p1", "p2", "p3", "p4", "p5"],
        "day": ["2024-01-05", "2024-01-05", "2024-01-09", "2024-01-09", "2024-01-12"],
        "cost": [120.0, 80.0, 150.0, 90.0, 60.0],
        "by": ["mail", "mail", "fair", "fair", None],
    }
)
ECONOMICS = Economics(margin=0.5, annual_discount_rate=0.1, horizon=52)


def company(has_channels: bool) -> Company:
    columns = {"key": "prospect", "date": "day", "amount": "cost"} | ({"channel": "by"} if has_channels else {})
    orders = Table(frame=ORDERS, columns={"key": "prospect", "date": "day"}, groups=["channel"] if has_channels else [])
    return consolidate({"orders": orders, "winning": Table(frame=COSTS, role="acquisition", columns=columns)})


def test_their_cost_is_told_and_counts_in_the_cost_of_one_who_was_won():
    of_all = company(False)
    assert (
        "3 prospects of these were not won, and what that cost, 230.00, is part of the cost of one who was"
        in of_all.warnings[0]
    )
    customers = summarize(of_all.transactions).customers
    won = costs_to_win(of_all, customers)
    assert won.loc[EVERYBODY].tolist() == [2, 250.0]
    made = profit_made(of_all, customers, ECONOMICS)
    assert made["acquisition"].sum() == pytest.approx(-270.0), "a customer's entries are its own"
    table, _ = kpis(of_all, customers, terms=Terms(ECONOMICS))
    rows = table[(table["by"] == "all") & (table["period"] == "2024 Q1")].set_index("kpi")
    assert rows.loc["cost to win", "value"] == 250.0 and rows.loc["spent to win", "value"] == 500.0
    assert rows.loc["prospects", "value"] == 5
    told = rows.loc["conversion", ["value", "lower", "upper", "n"]].tolist()
    assert told == pytest.approx([0.4, *beta.ppf([0.05, 0.95], 2.5, 3.5), 5])


def test_a_channel_bears_what_it_did_not_win_and_all_bear_what_is_of_none():
    by_channel = company(True)
    customers = summarize(by_channel.transactions, groups=["channel"]).customers
    won = costs_to_win(by_channel, customers)["cost"]
    assert won.to_dict() == {"mail": 120 + 80 + 30, "fair": 150 + 90 + 30}
    made = profit_made(by_channel, customers, ECONOMICS)
    assert made["acquisition"].to_dict() == pytest.approx({"p1": -120.0, "p3": -150.0})


def test_customers_of_a_time_bear_what_was_spent_in_it():
    """What was spent for nobody before and after, while others were won, is no cost of winning these."""
    later = pd.DataFrame({"prospect": ["p6", "p7"], "day": ["2024-03-05", "2024-05-02"], "amount": 50.0})
    spent = pd.DataFrame({"prospect": ["p8", "p9"], "day": ["2024-03-07", "2024-05-01"], "cost": [40.0, 70.0]})
    columns = {"key": "prospect", "date": "day"}
    orders = Table(frame=pd.concat([ORDERS, later]), columns=columns)
    costs = Table(frame=pd.concat([COSTS, spent]), role="acquisition", columns={**columns, "amount": "cost"})
    whole = consolidate({"orders": orders, "winning": costs})
    costs_of = {}
    for between in ((None, None), (None, "2024-01-31"), ("2024-03-01", "2024-04-30"), ("2024-03-01", None)):
        acquired_between = None if between == (None, None) else between
        customers = summarize(whole.transactions, acquired_between=acquired_between).customers
        won = costs_to_win(whole, customers).loc[EVERYBODY]
        costs_of[between] = won["customers"] * won["cost"]
    assert list(costs_of.values()) == pytest.approx([610.0, 500.0, 40.0, 110.0])
