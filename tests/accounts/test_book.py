"""The one book: the profit made is the sum of its entries, on whatever day one looks."""

from __future__ import annotations

import dataclasses
import functools

import pandas as pd
import pytest
from fakes.companies import company_of, customers_of, cut
from ibis import _

from clvmodels.accounts.bench import bench
from clvmodels.accounts.entries import Terms, keep_book
from clvmodels.accounts.profit_made import profit_made
from clvmodels.accounts.winning import won_by
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.kpis.margins import usual_so_far
from clvmodels.models.costs.returns import lost_share
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics, Retention

ECONOMICS = Economics(
    None,
    0.1,
    52.0,
    cost_per_order=1.0,
    cost_per_return=5.0,
    cost_per_contact=2.0,
    written_off=0.25,
    payment_fee=0.02,
    recovered=0.1,
    retention=Retention(1.0, 4.0, 8.0, ("mail",)),
)
TERMS = Terms(ECONOMICS, ("returns", "bad_debt", "contacts", "margin"), Windows(returns=60, bad_debt=90))
ROWS = {
    "orders": [
        ("a", "2025-01-10", 100.0, 60.0, "1"),
        ("b", "2025-02-01", 40.0, 20.0, "2"),
        ("b", "2025-03-20", 60.0, 30.0, "3"),
        ("a", "2025-04-05", 50.0, 30.0, "4"),
        ("c", "2025-04-10", 80.0, 40.0, "5"),
        ("a", "2025-06-02", 20.0, 10.0, "6"),
    ],
    "returns": [
        ("3", "2025-04-02", 20.0),
        ("3", "2025-04-12", 30.0),
        ("3", "2025-04-20", 99.0),
        ("5", "2025-05-30", 8.0),
    ],
    "contacts": [("a", "2025-01-12", "question"), ("c", "2025-04-01", "question"), ("c", "2025-05-01", "question")],
    "campaigns": [("a", "2025-04-01", "mail", None, 1.0), ("b", "2025-04-01", "call", None, 9.0)],
    "payments": [("1", "2025-03-20", "bad_debt", 100.0), ("5", "2025-05-20", "bad_debt", 80.0)],
    "channel_costs": [("web", "2025-01-15", 30.0), ("web", "2025-02-01", 10.0), ("shop", "2025-04-01", 7.0)],
    "attributes": [("a", "web", "x"), ("b", "web", "y"), ("c", "shop", "x")],
    "acquisition": [("a", 4.0), ("c", 3.0)],
}


@functools.cache
def company() -> Company:
    return company_of("2025-07-31", **ROWS)


def entered(of: Company, customers: Customers, day: str, terms: Terms = TERMS) -> pd.DataFrame:
    """The entries that stand in the book on a day, of a book that is kept to the end of the data."""
    with bench(of.transactions.backend) as kept:
        people, usual = won_by(of, customers.table), usual_so_far(of.transactions.data_start)
        book = keep_book(of, customers, terms, people, kept, usual, until=of.transactions.data_end)
        return book.entries.filter(_.date <= pd.Timestamp(day).date()).execute()


DAYS = ("2025-01-10", "2025-03-19", "2025-04-02", "2025-04-15", "2025-05-20", "2025-05-30", "2025-07-31")


@pytest.mark.parametrize("margin", [None, 0.4])
@pytest.mark.parametrize("day", DAYS)
def test_profit_made_is_the_sum_of_the_entries_on_any_day(day, margin):
    """Of all purchases up to the day, as they were known on it: in whole, by part and by customer."""
    economics = dataclasses.replace(ECONOMICS, margin=margin)
    costs = [name for name in TERMS.costs if margin is None or name != "margin"]
    terms, known = dataclasses.replace(TERMS, economics=economics, costs=costs), customers_of(company(), day)
    made = profit_made(company(), known, economics, costs=costs, windows=terms.windows, known_at=known.observation_end)
    entries = entered(company(), known, day, terms)
    parts = entries.pivot_table(index="customer_id", columns="part", values="amount", aggfunc="sum").fillna(0.0)
    for name in parts:
        pd.testing.assert_series_equal(made[name], parts[name], check_names=False, atol=1e-9)
    others = set(made) - set(parts) - {"revenue", "purchases", "profit"}
    assert (made[list(others)] == 0).all(axis=None)
    assert made["profit"].sum() == pytest.approx(entries["amount"].sum(), abs=1e-9)


@pytest.mark.parametrize("day", DAYS)
def test_what_comes_later_changes_no_entry_of_before(day):
    then = cut(company(), day)
    known = customers_of(company(), day)
    columns = ["customer_id", "date", "bought", "part", "amount"]
    before, later = (entered(of, known, day).sort_values(columns).reset_index(drop=True) for of in (then, company()))
    pd.testing.assert_frame_equal(before[columns], later[columns])


def test_a_return_in_pieces_is_entered_by_the_day_and_is_no_more_than_the_purchase():
    """20, 30 and 99 came back of 60: 20, 30 and 10 are lost, the handling once."""
    entries = entered(company(), customers_of(company()), "2025-07-31")
    back = entries[(entries["part"] == "returns") & (entries["customer_id"] == "b")].sort_values("date")
    lost = lost_share(0.5, ECONOMICS)
    assert back["amount"].tolist() == pytest.approx([-20 * lost - 5, -30 * lost, -10 * lost])
    assert (pd.to_datetime(back["bought"]) == pd.Timestamp("2025-03-20")).all()
    assert lost == pytest.approx(0.5 + 0.25 * 0.5)
