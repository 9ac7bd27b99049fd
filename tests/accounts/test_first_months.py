"""What customers made in their first days, by hand: what counts, from which day it counts, and who is old enough."""

from __future__ import annotations

import dataclasses

import pytest
from fakes.companies import company_of, customers_of

from clvmodels.accounts.first_months import profit_of_first_days
from clvmodels.customers.windows import Windows
from clvmodels.valuation.economics import Economics

HALF = Economics(0.5, 0.0, 52.0)
ORDERS = [
    ("a", "2025-01-10", 100.0, 60.0, "1"),
    ("a", "2025-01-19", 40.0, 20.0, "2"),
    ("a", "2025-01-20", 900.0, 20.0, "3"),  # the eleventh day
    ("b", "2025-02-01", 60.0, 30.0, "4"),
    ("c", "2025-03-22", 60.0, 30.0, "5"),  # whose ten days end on the last day
    ("d", "2025-03-23", 60.0, 30.0, "6"),
]


def of_ten_days(company, economics=HALF, **more) -> dict[str, float]:
    return profit_of_first_days(company, customers_of(company), economics, 10, **more).to_dict()


def test_each_customers_own_first_days_count_once_they_are_over():
    company = company_of("2025-03-31", orders=ORDERS)
    assert of_ten_days(company) == {"a": 70.0, "b": 30.0, "c": 30.0}


def test_who_may_still_send_something_back_is_not_told_of():
    company = company_of("2025-03-31", orders=ORDERS, returns=[("2", "2025-01-25", 40.0), ("3", "2025-01-25", 900.0)])
    found = of_ten_days(company, costs=["returns"], windows=Windows(returns=9))
    assert found == pytest.approx({"a": 50.0, "b": 30.0})  # what came back later belongs to its purchase


def test_what_it_cost_to_win_them_is_not_in_it():
    company = company_of("2025-03-31", orders=ORDERS, acquisition=[("a", 12.0), ("b", 7.0)])
    assert of_ten_days(company) == {"a": 70.0, "b": 30.0, "c": 30.0}


def test_money_is_worth_what_it_is_on_the_day_of_the_first_purchase():
    company = company_of("2025-03-31", orders=ORDERS)
    found = of_ten_days(company, dataclasses.replace(HALF, annual_discount_rate=0.5))
    assert found["a"] == pytest.approx(50.0 + 20.0 * 1.5 ** (-9 / 365.25)) and found["b"] == 30.0


def test_of_a_young_company_nobody_is_told():
    assert of_ten_days(company_of("2025-01-12", orders=ORDERS[:1])) == {}
