"""What is said of a summary: who is left out, and a table that begins in the middle of lives."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.purchases import transactions

from clvmodels.customers.summarize import summarize
from clvmodels.sources.transactions import Transactions, read_transactions


def test_who_is_left_out_is_counted():
    rows = [("a", "2024-01-01", 1), ("b", "2024-02-15", 1), ("c", "2024-03-15", 1), ("d", "2024-01-20", 1)]
    split = summarize(transactions(*rows), calibration_end="2024-02-01", holdout="2024-03-01")
    assert split.customers.table.index.tolist() == ["a", "d"]
    assert "1 transaction after 2024-03-01 is not used" in split.customers.warnings
    assert "1 customer first bought after the calibration end, 2024-02-01, and is left out" in split.customers.warnings
    split = summarize(transactions(*rows), acquired_between=("2024-01-20", "2024-02-15"))
    assert split.customers.table.index.tolist() == ["b", "d"]
    assert "2 customers first bought outside acquired_between and are left out" in split.customers.warnings
    assert len(summarize(transactions(*rows), acquired_between=(None, "2024-01-01")).customers) == 1


def acquired(*numbers: int) -> Transactions:
    days = [
        pd.Timestamp("2024-01-01") + pd.Timedelta(days=30 * m + i % 30) for m, n in enumerate(numbers) for i in range(n)
    ]
    return read_transactions(pd.DataFrame({"customer_id": range(len(days)), "date": days}))


@pytest.mark.parametrize(
    ("numbers", "suspicious"),
    [
        ((90, 30, 30, 30, 30), True),  # a table that begins in the middle of the customers' lives
        ((55, 30, 30, 30, 30), False),
        ((30, 30, 30, 30, 30), False),
        ((12, 1, 1, 1, 30), False),  # too few to say
        ((500,), False),  # one cohort
        ((300, 280, 290), False),  # a cohort of three months, as CDNOW
    ],
)
def test_left_truncation_is_suspected_by_the_stated_rule(numbers, suspicious):
    table = acquired(*numbers)
    assert any("before the table begins" in w for w in summarize(table).customers.warnings) == suspicious
    quiet = summarize(table, acquired_between=("2024-01-01", None)).customers.warnings
    assert not any("before the table begins" in w for w in quiet)


def test_customers_who_buy_on_most_days_are_told_of_with_what_to_take():
    daily = pd.DataFrame({"customer_id": "daily", "date": pd.date_range("2024-01-01", periods=40)})
    weekly = pd.DataFrame({"customer_id": "weekly", "date": pd.date_range("2024-01-01", periods=6, freq="7D")})
    transactions = read_transactions(pd.concat([daily, weekly]))
    for unit in ("day", "week"):
        told = [note for note in summarize(transactions, time_unit=unit).customers.warnings if "third" in note]
        assert len(told) == 1 and told[0].startswith("1 customer buys on more than a third of their days")
        assert "Take time: opportunities with time_unit: day, and bg_bb" in told[0]
    followed = summarize(transactions, time_unit="day", time="opportunities").customers
    assert not [note for note in followed.warnings if "third" in note]
