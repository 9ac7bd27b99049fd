"""Payback of a channel: months to cover the cost to win, and what may be paid, against numbers made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest

from clvmodels.accounts.winning import channel_spending, costs_to_win, people_of, shares, won_by
from clvmodels.customers.table import Customers
from clvmodels.decisions.payback import by_size, payback_rows, reached
from clvmodels.valuation.parts import DATED, Summed

WEEKS_A_MONTH = 365.25 / 12 / 7
LEVELS = [5, 25, 50, 75, 95]


def made(
    first: np.ndarray, later: np.ndarray, weeks: float = 52.0, periods: int = 4, weight: float = 1.0, dated: float = 0.0
):
    """In place of a valuation: a new customer brings `first` at once and `later` evenly over the horizon, in two parts,
    and costs `dated` at the beginning of each period; half of the customers nothing of it, half twice as much.
    first, later: [D]"""

    def new_customers(size, group):
        assert size >= 2 and set(group) == {"channel"}
        flow = np.concatenate([first[:, None], np.repeat(later[:, None] / periods, periods, axis=1)], axis=1)[:, None]
        flow, of_each = np.repeat(flow, size, axis=1), np.linspace(0.0, 2.0, size)[None, :, None]
        kept = -dated * of_each * np.append(0.0, np.ones(periods)) * np.ones((len(first), 1, 1))
        return None, {
            "gross margin": Summed(*[2 * flow] * 3),
            "returns": Summed(*[-flow] * 3),
            DATED: Summed(*[kept] * 3),
        }

    edges, weights = np.linspace(0, weeks, periods + 1), np.full(periods, weight)
    starts = np.append(1.0, weights[:-1])
    return SimpleNamespace(edges=edges, weights=weights, starts=starts, new_customers=new_customers)


def won(**costs: tuple[int, float]) -> pd.DataFrame:
    """channel=(customers, cost to win one)."""
    rows = [{"channel": name, "customers": n, "cost": cost} for name, (n, cost) in costs.items()]
    return pd.DataFrame(rows).set_index("channel")


def judged(newcomers, **costs: tuple[int, float]) -> pd.DataFrame:
    """The rows of the channels that are large enough."""
    large, _ = by_size(won(**costs))
    return payback_rows(newcomers, large, "week")


def test_the_cost_is_covered_when_the_cumulated_profit_reaches_it():
    one = judged(made(np.full(100, 4.0), np.full(100, 52.0)), A=(50, 30.0)).iloc[0]
    months = (30 - 4) / WEEKS_A_MONTH  # a euro a week after the first order
    assert [one[f"q{p}"] for p in LEVELS] == pytest.approx([months] * 5)
    assert one["most_q5"] == one["most_q95"] == pytest.approx(56)
    assert one["rule"] == one["horizon"] == pytest.approx(52 / WEEKS_A_MONTH)
    assert one["odds"] == 1


def test_money_to_come_is_discounted_and_the_first_order_is_not():
    one = judged(made(np.full(9, 4.0), np.full(9, 52.0), weight=0.5), A=(50, 30.0)).iloc[0]
    assert one["most_q50"] == pytest.approx(4 + 26)
    assert one["q50"] == pytest.approx(52 / WEEKS_A_MONTH)


def test_contacts_are_paid_at_the_beginning_of_their_period_and_averaged_over_customers():
    one = judged(made(np.full(9, 4.0), np.full(9, 52.0), weight=0.5, dated=2.0), A=(50, 30.0)).iloc[0]
    assert one["most_q50"] == pytest.approx(4 + 26 - 2.0 * (1 + 3 * 0.5))


def test_a_first_order_may_pay_at_once_and_some_never_do():
    later = np.r_[np.full(60, 104.0), np.full(40, 1.0)]
    table = judged(made(np.full(100, 4.0), later), A=(50, 3.0), B=(40, 30.0), C=(30, 900.0))
    at_once, often, never = (table.iloc[k] for k in range(3))
    assert [at_once[f"q{p}"] for p in LEVELS] == [0] * 5
    assert often["odds"] == pytest.approx(0.6)
    assert often["q50"] == pytest.approx(13 / WEEKS_A_MONTH)
    assert np.isinf(often["q75"]) and np.isinf(often["q95"])
    assert np.isinf(never["q5"]) and never["odds"] == 0


def test_later_losses_do_not_undo_what_was_covered():
    total = np.array([[0.0, 10.0, 8.0, 12.0], [0.0, -5.0, -6.0, -7.0], [9.5, 8.0, 8.0, 8.0]])
    assert reached(total, 9.0, np.arange(4.0)).tolist() == [0.9, np.inf, 0.0]


def test_small_channels_are_counted_and_not_judged():
    large, small = by_size(won(A=(19, 10.0), B=(20, 5.0), C=(1, 30.0)))
    assert list(large["channel"]) == ["B"] and list(small["channel"]) == ["A", "C"]


def base(first: list[str], channel: list[str]) -> Customers:
    table = pd.DataFrame({"first_purchase": pd.to_datetime(first), "channel": channel})
    table.index = pd.Index([f"c{k}" for k in range(len(first))], name="customer_id")
    return Customers(table, "week", pd.Timestamp("2025-06-30"), "EUR")


COSTS = pd.DataFrame(
    [
        ("A", "2025-01-01", 60.0),
        ("A", "2025-02-01", 40.0),
        ("A", "2025-03-01", 20.0),
        ("B", "2025-03-01", 9.0),
        ("A", "2024-12-01", 1e6),
        ("A", "2025-04-01", 1e6),
    ],
    columns=["channel", "month", "amount"],
).astype({"month": "datetime64[us]"})


def test_the_cost_to_win_counts_months_that_brought_nobody_and_none_outside():
    customers = base(["2025-01-05", "2025-01-20", "2025-03-31", "2025-03-01"], ["A", "A", "A", "B"])
    found = costs_to_win(SimpleNamespace(channel_costs=COSTS, roles=frozenset()), customers)
    assert found["customers"].to_dict() == {"A": 3, "B": 1}
    assert found["cost"].to_dict() == pytest.approx({"A": 120 / 3, "B": 9.0})


def test_shares_of_a_month_are_those_of_its_customers():
    customers = base(["2025-01-05", "2025-01-20", "2025-03-31", "2025-03-01"], ["A", "A", "A", "B"])
    company = SimpleNamespace(channel_costs=COSTS, roles=frozenset())
    people = ibis.memtable(people_of(customers, won_by(company, customers.table)))
    spending = channel_spending(company, people, pd.Timestamp("2025-03-31"))
    assert spending["won"].tolist() == [0, 2, 0, 1, 1]
    assert shares(people, spending).order_by("customer_id").execute()["share"].tolist() == [30, 30, 20, 9]
