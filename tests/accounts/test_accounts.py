"""Profit made, by hand: small companies whose every cent is known, and the day by day book beside it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, posterior_of
from contracts.purchase import mean_is
from fakes.companies import company_of, customers_of

from clvmodels.accounts.entries import Terms
from clvmodels.accounts.profit_made import profit_made, usual_margin
from clvmodels.customers.experience import experience
from clvmodels.customers.observed import with_costs
from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.inference.fitting import fit
from clvmodels.kpis.indicators import kpis
from clvmodels.models import COSTS, MODELS, get_model
from clvmodels.models.prior import log_normal
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import valuation

HALF = Economics(0.5, 0.1, 52.0)
ORDERS = [
    ("a", "2025-01-10", 100.0, 60.0, "1"),
    ("b", "2025-02-01", 40.0, 20.0, "2"),
    ("b", "2025-03-20", 60.0, 30.0, "3"),
]


def booked(company: Company, customers: Customers, terms: Terms) -> float:
    """The profit of all periods of the KPIs."""
    table = kpis(company, customers, terms=terms)[0]
    return float(table.loc[(table["by"] == "all") & (table["kpi"] == "profit"), "value"].sum())


@pytest.mark.parametrize(
    ("given", "a", "b"),
    [
        ([("a", None, 12.0), ("b", None, 7.0)], 12.0, 7.0),
        ([("a", "2024-11-30", 12.0), ("b", "2025-01-31", 7.0)], 12.0, 7.0),  # before the first order
        ([("a", "2025-02-20", 12.0), ("a", "2025-01-01", 3.0)], 15.0, 0.0),
    ],
)
def test_own_acquisition_counts_whatever_its_day(given, a, b):
    paid = pd.DataFrame(given, columns=["key", "date", "amount"])
    paid = paid if paid["date"].notna().any() else paid.drop(columns="date")
    company = company_of(orders=ORDERS, acquisition=paid)
    customers = customers_of(company)
    made = profit_made(company, customers, HALF)
    assert made["acquisition"].to_dict() == {"a": -a, "b": -b}
    assert made["profit"].sum() == pytest.approx(100 - a - b) == pytest.approx(booked(company, customers, Terms(HALF)))
    assert experience(company, customers)["acquisition_cost"].to_dict() == {"a": a, "b": b}


def test_acquisition_stands_in_the_period_of_its_day():
    company = company_of(orders=ORDERS, acquisition=[("a", 12.0), ("b", 7.0)])
    customers, day = customers_of(company), pd.Timestamp("2025-01-31")
    first = profit_made(company, customers, HALF, end=day)
    second = profit_made(company, customers, HALF, start=day + pd.Timedelta(days=1))
    assert first["acquisition"].to_dict() == {"a": -12.0, "b": 0.0}
    assert second["acquisition"].to_dict() == {"a": 0.0, "b": -7.0}


def test_amounts_in_cents_make_the_same_profit():
    e = Economics(0.5, 0.1, 52.0, cost_per_order=1.0, cost_per_return=2.0, written_off=0.5, payment_fee=0.01)
    cents = [(c, d, 100 * amount, 100 * cost, o) for c, d, amount, cost, o in ORDERS]
    for orders, unit, back in ((ORDERS, 1.0, 60.0), (cents, 0.01, 6000.0)):
        company = company_of(orders=orders, returns=[("3", "2025-03-25", back)], end="2025-12-31")
        customers = summarize(company.transactions, amount_unit=unit).customers
        made = profit_made(company, customers, e, costs=["returns"])
        assert made["revenue"].tolist() == pytest.approx([100.0, 100.0])
        # b: 20 + 30 of margin, all of the last back (its margin and half of its goods), its handling, 2 orders, fees
        assert made["profit"].tolist() == pytest.approx([50 - 1 - 1, 50 - 30 - 0.5 * 30 - 2 - 2 - 1])
        assert made["profit"].sum() == pytest.approx(booked(company, customers, Terms(e, ("returns",))))


def test_goods_that_were_given_away_have_cost_something():
    company = company_of(orders=[*ORDERS, ("a", "2025-03-01", 0.0, 25.0, "9")])
    customers, modelled = customers_of(company), dataclasses.replace(HALF, margin=None)
    made = profit_made(company, customers, modelled)
    assert made["profit"].to_dict() == pytest.approx({"a": 40.0 - 25.0, "b": 50.0})
    assert booked(company, customers, Terms(modelled, ("margin",))) == pytest.approx(65.0)
    assert profit_made(company, customers, HALF)["profit"]["a"] == pytest.approx(50.0)  # a stated margin is of revenue


def test_goods_to_be_given_away_will_cost_what_they_did():
    """Gross margin to come: of the money that is paid, less the goods of free orders at their own mean cost."""
    free = [
        ("a", "2025-02-10", 0.0, 25.0, "8"),
        ("b", "2025-02-11", 0.0, 15.0, "9"),
        ("b", "2025-03-02", 0.0, None, "10"),
    ]
    owed = [("3", "2025-03-25", "bad_debt", 60.0)]
    company = company_of("2025-12-31", orders=[*ORDERS, *free], payments=owed)
    observed = with_costs(company, customers_of(company), ["margin", "bad_debt"])
    columns = observed.table[["free_cost_count", "free_cost_sum"]]
    assert columns.loc["a"].tolist() == [1.0, 25.0] and columns.loc["b"].tolist() == [1.0, 15.0]
    paid = company_of("2025-12-31", orders=ORDERS, payments=owed)
    alone = with_costs(paid, customers_of(paid), ["margin", "bad_debt"])
    assert COSTS["normal_margin"].suited(alone.table) is COSTS["normal_margin"]
    # what is free is not owed
    assert observed.table["billed"].to_dict() == alone.table["billed"].to_dict()
    margin = COSTS["normal_margin"].suited(observed.table)
    priors = {"free_cost": log_normal(20.0, 0.01), "sigma": log_normal(0.1, 0.3), "tau": log_normal(0.1, 0.3)}
    fitted = fit(margin, observed, priors=priors, method="laplace", draws=50, seed=1)
    assert get_model("normal_margin", fitted.model.options) is margin
    assert abs(fitted.stacked("free_cost").mean() - 20.0) < 0.5
    spend = MODELS["lognormal_spend"].suited(observed.table)
    posteriors = {
        "purchases": posterior_of(MODELS["nbd"], CASES["nbd"].theta, 2000),
        "spend": posterior_of(spend, CASES["lognormal_spend"].theta | {"paid": 0.7, "paid_precision": 9.0}, 2000),
        "margin": posterior_of(margin, {"m": 0.4, "tau": 0.1, "sigma": 0.1, "free_cost": 20.0}, 2000),
    }
    economics = Economics(margin=None, annual_discount_rate=0.0, horizon=100.0)
    valuer = valuation(posteriors, observed, economics, seed=1, draws=2000)
    block = valuer.block(observed.table)
    found = valuer.parts(observed.table)["gross margin"]
    mean_is(found.realised - found.expected, 0.0)
    number, paid_number = block.number.expected[..., 0], block.paid.expected[..., 0]
    assert np.all(paid_number < number)
    given_away = (number - paid_number) * posteriors["margin"].stacked("free_cost")[:, None]
    earned = block.amounts.expected[..., 0] * block.margin.expected[..., 0]
    np.testing.assert_allclose(found.expected, earned - given_away, rtol=1e-9)
    assert given_away.mean() > 0.1


def test_the_usual_margin_is_that_of_what_is_paid():
    """Goods that are given away are booked for themselves, not once more in the margin of orders of unknown cost."""
    company = company_of(orders=[*ORDERS, ("a", "2025-03-01", 0.0, 25.0, "9")])
    span = (pd.Timestamp("2025-01-01"), pd.Timestamp("2025-12-31"))
    of_paid = usual_margin(company_of(orders=ORDERS), *span, span[1])
    assert usual_margin(company, *span, span[1]) == of_paid > 0.0


def test_what_comes_back_later_is_not_known_yet():
    company = company_of("2025-12-31", orders=ORDERS, returns=[("3", "2025-04-02", 60.0)])
    customers = customers_of(company, "2025-03-31")
    whole = profit_made(company, customers, HALF, costs=["returns"])
    known = profit_made(company, customers, HALF, costs=["returns"], known_at=customers.observation_end)
    assert whole["profit"].sum() == pytest.approx(70.0)
    assert (
        known["profit"].sum()
        == pytest.approx(100.0)
        == pytest.approx(booked(company, customers, Terms(HALF, ("returns",))))
    )


def test_contacts_are_counted_as_their_costs_are():
    """Free ones are left out where each has its own cost, and count where the economics price them all alike."""
    table = pd.DataFrame(
        [("a", "2025-02-01", "call", 10.0), ("a", "2025-02-02", "call", 0.0), ("b", "2025-03-25", "call", 10.0)],
        columns=["key", "date", "kind", "amount"],
    )
    company = company_of(orders=ORDERS, contacts=table, end="2025-12-31")
    customers = customers_of(company)
    assert with_costs(company, customers, ["contacts"]).table["contacts"].to_dict() == {"a": 2.0, "b": 1.0}
    both = with_costs(company, customers, ["contacts", "handling"]).table
    assert both["contacts"].to_dict() == both["handling_count"].to_dict() == {"a": 1.0, "b": 1.0}


def test_bad_debt_is_of_purchases_not_sent_back_only_where_these_are_told_apart():
    """Four bills: one sent back, one sent back though written off, one written off, one paid."""
    orders = [("a", f"2025-01-{k:02d}", 10.0, 5.0, str(k)) for k in (1, 2, 3, 4)]
    back = [("1", "2025-01-10", 10.0), ("2", "2025-01-10", 10.0)]
    owed = [("2", "2025-02-01", "bad_debt", 10.0), ("3", "2025-02-01", "bad_debt", 10.0)]
    company = company_of("2025-12-31", orders=orders, returns=back, payments=owed)
    customers = customers_of(company)
    alone = with_costs(company, customers, ["bad_debt"]).table.loc["a"]
    beside = with_costs(company, customers, ["bad_debt", "returns"]).table.loc["a"]
    assert (alone["billed"], alone["unpaid"]) == (4.0, 1.0) and (beside["billed"], beside["unpaid"]) == (2.0, 1.0)
