"""Statistics of purchases: equal to a slow implementation, exact, and only those asked for."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from fakes.purchases import transactions
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.customers.statistics import STATISTICS, Statistic
from clvmodels.customers.summarize import summarize
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.futures import histories
from clvmodels.sources.transactions import read_transactions


def slow_logs(seen: pd.Series, unit: float) -> dict[str, float]:
    """Of a customer's days and their amounts: the sums that spend and regular buyers are judged by."""
    paid = [amount for amount in seen.iloc[1:] if amount > 0]
    logs = [math.log(amount) for amount in paid]
    mean = math.fsum(logs) / max(len(logs), 1)
    gaps = [(late - early).days / unit for early, late in itertools.pairwise(seen.index)]
    return {
        "amount_count": len(paid),
        "amount_sum": math.fsum(paid),
        "amount_log_sum": math.fsum(logs),
        "amount_log_ss": math.fsum((value - mean) ** 2 for value in logs),
        "sum_log_gaps": math.fsum(math.log(gap) for gap in gaps),
    }


def slow(rows: pd.DataFrame, end: pd.Timestamp, until: pd.Timestamp, unit: float) -> pd.DataFrame:
    """The conventions once more, customer by customer in pandas."""
    out = {}
    for customer, own in rows.groupby("customer_id"):
        days = own.groupby("date")["amount"].sum()
        seen = days[days.index <= end]
        if len(seen) == 0:
            continue
        first = days.index.min()
        held = days[(days.index > end) & (days.index <= until)]
        out[customer] = {
            "frequency": len(seen) - 1,
            "recency": (seen.index.max() - first).days / unit,
            "T": (end - first).days / unit,
            "monetary_value": seen.iloc[1:].mean() if len(seen) > 1 else 0.0,
            **slow_logs(seen, unit),
            "purchases": len(held),
            "spend": held.sum(),
        }
    return pd.DataFrame(out).T.sort_index()


DAY = st.integers(0, 70).map(lambda d: pd.Timestamp("2024-01-01") + pd.Timedelta(days=d))
ROW = st.tuples(st.sampled_from(["10", "2", "a", "Z"]), DAY, st.integers(0, 99_999).map(lambda c: c / 100))


@settings(max_examples=8, deadline=None)
@given(
    rows=st.lists(ROW, min_size=1, max_size=25),
    unit=st.sampled_from(list(DAYS_PER_UNIT)),
    calibration=st.integers(0, 60),
    days=st.integers(1, 30),
    order=st.randoms(use_true_random=False),
)
def test_equals_a_slow_implementation_whatever_the_order(rows, unit, calibration, days, order):
    frame = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    end = frame["date"].min() + pd.Timedelta(days=calibration)
    until = end + pd.Timedelta(days=days)
    options = {"calibration_end": end, "holdout": until, "time_unit": unit}
    split = summarize(read_transactions(frame, data_end="2024-12-31"), **options)
    expected = slow(frame, end, until, DAYS_PER_UNIT[unit])
    found = split.customers.table.join(split.holdout.table)[expected.columns]
    assert found.index.tolist() == expected.index.tolist() == sorted(expected.index)
    np.testing.assert_allclose(found.to_numpy(float), expected.to_numpy(float), rtol=1e-12, atol=1e-9)
    order.shuffle(rows)
    permuted = summarize(read_transactions(pd.DataFrame(rows, columns=frame.columns), data_end="2024-12-31"), **options)
    pd.testing.assert_frame_equal(split.customers.table, permuted.customers.table, check_exact=True)
    pd.testing.assert_frame_equal(split.holdout.table, permuted.holdout.table, check_exact=True)
    pd.testing.assert_frame_equal(split.weekly, permuted.weekly)


def test_amounts_of_repeat_days_that_brought_something():
    days = [("a", "2024-01-01", 0.0), ("a", "2024-01-02", 1e6), ("a", "2024-01-04", 0.0), ("a", "2024-01-08", 0.01)]
    customers = summarize(transactions(*days, ("b", "2024-01-05", 7.0))).customers
    said = "1 repeat purchase brought no money: of those to come some are taken to bring none"
    assert said in customers.warnings
    row = customers.table.loc["a"]
    assert (row["frequency"], row["amount_count"], row["amount_sum"]) == (3, 2, 1_000_000.01)
    assert row["monetary_value"] == 1_000_000.01 / 3
    assert row["amount_log_sum"] == pytest.approx(math.log(1e4), rel=1e-14)
    assert row["amount_log_ss"] == pytest.approx(math.log(1e8) ** 2 / 2, rel=1e-14)
    assert row["sum_log_gaps"] == pytest.approx(math.log(1 * 2 * 4) - 3 * math.log(7), rel=1e-14)


def test_logs_of_equal_amounts_do_not_differ_and_one_amount_has_no_spread():
    start, rows = pd.Timestamp("2024-01-01"), []
    for amount, customer in ((19.99, "a"), (1e6, "b"), (0.01, "c")):
        rows += [(customer, start + pd.Timedelta(days=d), amount) for d in range(300)]
    table = summarize(transactions(*rows, ("d", start, 5.0), ("d", "2024-02-01", 3.0))).customers.table
    assert table["amount_log_ss"].max() < 1e-10 and table["amount_log_ss"].min() >= 0
    assert table.loc["d", ["amount_log_ss", "amount_count"]].tolist() == [0.0, 1]
    assert table.loc["d", "amount_log_sum"] == pytest.approx(math.log(3), rel=1e-14)


def test_only_what_is_asked_for_is_computed():
    table = transactions(("a", "2024-01-01", 5), ("a", "2024-01-08", 1))
    for name in (name for name, statistic in STATISTICS.items() if not statistic.needs_end):
        found = summarize(table, statistics=(name,)).customers.table
        assert found.columns.tolist() == [name, "first_purchase", "first_month"]


def test_a_statistic_of_ones_own_is_computed_from_tables_and_from_simulated_histories(monkeypatch):
    """Registered by one entry: the day of the week of the last purchase, counted from the first."""
    weekday = Statistic(
        lambda c, window: c.last.delta(c.first_purchase, unit="day") % 7,
        lambda p: (p.groupby("customer_id")["age"].max() * 7).round() % 7,
    )
    monkeypatch.setitem(STATISTICS, "weekday", weekday)
    table = transactions(("a", "2024-01-01", 5), ("a", "2024-01-12", 1), ("b", "2024-01-03", 1))
    assert summarize(table).customers.table["weekday"].to_dict() == {"a": 4, "b": 0}
    purchases = pd.DataFrame({"customer_id": ["a", "a", "b"], "age": [0.0, 11 / 7, 0.0]})
    assert histories.statistics(purchases, np.array([2.0, 2.0]))["weekday"].to_dict() == {"a": 4, "b": 0}
