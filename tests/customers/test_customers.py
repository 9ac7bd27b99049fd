"""Customers, holdout and weeks: equal to established software, to a slow implementation, whatever the rows' order."""

from __future__ import annotations

import datetime
import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.customers.rfm import plain_ids
from clvmodels.customers.statistics import STATISTICS, Statistic
from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers, Split
from clvmodels.customers.window import DAYS_PER_UNIT
from clvmodels.datasets import cdnow
from clvmodels.errors import DataError
from clvmodels.futures import histories
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import Transactions, read_transactions


def transactions(*rows: tuple, groups=(), **options) -> Transactions:
    names = ["customer_id", "date", "amount", *groups]
    return read_transactions(pd.DataFrame(rows, columns=names), groups=groups, **options)


def message(table: Transactions, **options) -> str:
    with pytest.raises(DataError) as caught:
        summarize(table, **options)
    return str(caught.value)


def reference(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name / "summary.csv", dtype={"cust": str}).set_index("cust").sort_index()


def assert_equals_reference(split: Split, expected: pd.DataFrame, periods: float) -> None:
    found, held = split.customers.table, split.holdout.table
    assert found.index.tolist() == expected.index.tolist()
    assert held.index.equals(found.index)
    np.testing.assert_array_equal(found["frequency"], expected["x"])
    np.testing.assert_array_equal(found["recency"], expected["t.x"])
    np.testing.assert_array_equal(found["T"], expected["T.cal"])
    np.testing.assert_array_equal(found["first_purchase"], pd.to_datetime(expected["first"]))
    np.testing.assert_array_equal(held["purchases"], expected["x.star"])
    np.testing.assert_allclose(held["spend"], expected["sales.star"], rtol=1e-14, atol=1e-12)
    np.testing.assert_allclose(found["monetary_value"], expected["gg_mean_repeat"], rtol=1e-14)
    np.testing.assert_allclose(
        found["monetary_value"] * found["frequency"], expected["sales.x"], rtol=1e-13, atol=1e-12
    )
    assert split.holdout.periods == pytest.approx(periods, rel=1e-14)


@pytest.fixture
def real(shared_data, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    return shared_data


def test_cdnow_equals_the_published_summary_customer_by_customer(real, shared_reference):
    split = summarize(cdnow.load_sample(), calibration_end="1997-09-30", holdout=39)
    assert_equals_reference(split, reference(shared_reference, "cdnow"), 39)
    table, held = split.customers.table, split.holdout.table
    assert (table["frequency"].sum(), (table["frequency"] == 0).sum()) == (2457, 1411)
    assert held["purchases"].sum() == 1882
    assert held["spend"].sum() == pytest.approx(70976.39, abs=1e-6)
    assert (split.holdout.start, split.holdout.end) == (pd.Timestamp("1997-10-01"), pd.Timestamp("1998-06-30"))
    weeks = split.weekly
    assert len(weeks) == 78 and weeks["held_out"].sum() == 39
    assert weeks.loc[weeks["held_out"], "start"].iloc[0] == split.holdout.start
    assert weeks.groupby("held_out")["purchases"].sum().tolist() == [2457, 1882]
    assert not any("before the table begins" in w for w in split.customers.warnings)


def test_cdnow_master_totals(real):
    split = summarize(cdnow.load_master(), calibration_end="1997-09-30", holdout=39)
    table, held = split.customers.table, split.holdout.table
    assert len(table) == 23_570
    assert (table["frequency"].sum(), (table["frequency"] == 0).sum()) == (24_337, 14_119)
    assert held["purchases"].sum() == 19_684
    assert held["spend"].sum() == pytest.approx(776_961.13, abs=1e-6)


def test_apparel_as_a_file_of_the_users_own(real, shared_reference):
    columns = {"customer_id": "Id", "date": "Date", "amount": "Price"}
    table = read_transactions(real / "apparel" / "apparelTrans.csv", columns=columns)
    split = summarize(table, calibration_end=datetime.date(2006, 12, 31), holdout="2010-12-20")
    assert_equals_reference(split, reference(shared_reference, "apparel"), 1450 / 7)


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


def test_money_is_added_exactly_whatever_the_order():
    rng = np.random.default_rng(5)
    amounts = np.round(rng.gamma(1, 30, 3000), 2)
    rows = pd.DataFrame({"customer_id": "a", "date": "2024-01-01", "amount": amounts})
    rows = pd.concat([rows, rows.assign(date="2024-02-01"), rows.assign(date="2024-03-01")])
    values = {
        summarize(read_transactions(rows.sample(frac=1, random_state=seed))).customers.table.loc["a", "monetary_value"]
        for seed in range(4)
    }
    assert values == {round(float(np.round(amounts * 100).sum())) / 100}


def test_day_merged_purchases_and_the_end_day():
    table = transactions(("a", "2024-01-01", 5), ("a", "2024-01-08", 1), ("a", "2024-01-08", 2), ("a", "2024-01-15", 9))
    split = summarize(table, calibration_end="2024-01-08", holdout=1)
    row = split.customers.table.loc["a"]
    assert (row["frequency"], row["recency"], row["T"], row["monetary_value"]) == (1, 1.0, 1.0, 3.0)
    assert split.holdout.table.loc["a"].tolist() == [1, 9.0]
    assert split.holdout.end == pd.Timestamp("2024-01-15")


def test_time_units():
    table = transactions(("a", "2024-01-01", 5), ("a", "2024-03-01", 1))
    in_units = {unit: summarize(table, time_unit=unit).customers.table.loc["a", "recency"] for unit in DAYS_PER_UNIT}
    assert in_units == {"day": 60.0, "week": 60 / 7, "month": 60 / (365.25 / 12), "year": 60 / 365.25}


def test_amounts_of_repeat_days_that_brought_something():
    days = [("a", "2024-01-01", 0.0), ("a", "2024-01-02", 1e6), ("a", "2024-01-04", 0.0), ("a", "2024-01-08", 0.01)]
    customers = summarize(transactions(*days, ("b", "2024-01-05", 7.0))).customers
    assert "1 repeat purchases brought no money: models of the amounts leave them out" in customers.warnings
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


def test_holdout_of_whole_days_in_months():
    table = transactions(("a", "2024-01-01", 5), ("a", "2024-12-31", 1))
    split = summarize(table, calibration_end="2024-06-30", holdout=3, time_unit="month")
    assert split.holdout.end == pd.Timestamp("2024-09-29")
    assert split.holdout.periods == pytest.approx(91 / (365.25 / 12))


def test_without_amounts():
    table = read_transactions(pd.DataFrame({"customer_id": ["a", "a"], "date": ["2024-01-01", "2024-01-09"]}))
    split = summarize(table, calibration_end="2024-01-05", holdout=4 / 7)
    assert not split.customers.has_spend
    known = ["frequency", "recency", "T", "sum_log_gaps", "first_purchase", "first_month"]
    assert split.customers.table.columns.tolist() == known
    assert split.holdout.table.columns.tolist() == ["purchases"]
    assert split.holdout.table["purchases"].tolist() == [1]


def test_without_holdout_the_whole_data_is_observed():
    split = summarize(transactions(("a", "2024-01-01", 5), ("a", "2024-01-20", 1)))
    assert split.holdout is None
    assert split.customers.observation_end == pd.Timestamp("2024-01-20")
    assert split.weekly["start"].tolist() == [pd.Timestamp("2024-01-07"), pd.Timestamp("2024-01-14")]
    assert split.weekly["purchases"].tolist() == [0, 1]


def test_groups_are_the_first_known_value_before_the_calibration_end():
    rows = [
        ("a", "2024-01-02", 1, "web"),
        ("a", "2024-01-01", 1, None),
        ("a", "2024-01-03", 1, "shop"),
        ("b", "2024-01-01", 1, None),
        ("b", "2024-02-01", 1, "late"),
        ("c", "2024-01-05", 1, "<b>"),
    ]
    table = transactions(*rows, groups=("channel",))
    split = summarize(table, calibration_end="2024-01-31", holdout=1 / 7, groups=("channel", "first_month"))
    assert split.customers.table["channel"].to_dict() == {"a": "web", "b": "(missing)", "c": "<b>"}
    assert split.customers.table["first_month"].unique().tolist() == ["2024-01"]
    assert "1 customers have several values of 'channel': the first by date counts" in split.customers.warnings
    assert "<b>&lt;b&gt;" not in split._repr_html_() and "&lt;b&gt;" in split._repr_html_()


def test_who_is_left_out_is_counted():
    rows = [("a", "2024-01-01", 1), ("b", "2024-02-15", 1), ("c", "2024-03-15", 1), ("d", "2024-01-20", 1)]
    split = summarize(transactions(*rows), calibration_end="2024-02-01", holdout="2024-03-01")
    assert split.customers.table.index.tolist() == ["a", "d"]
    assert "1 transactions after 2024-03-01 are not used" in split.customers.warnings
    assert (
        "1 customers first bought after the calibration end, 2024-02-01, and are left out" in split.customers.warnings
    )
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


def test_all_problems_of_arguments_at_once():
    table = transactions(("a", "2024-01-01", 1), ("a", "2024-03-01", 1))
    text = message(
        table,
        calibration_end="2023-12-01",
        holdout="2023-11-01",
        groups=("chanel",),
        amount_unit=0,
        acquired_between=("2024-02-01", "2024-01-01"),
        statistics=("frequencey",),
    )
    for expected in (
        "6 problems:",
        "calibration_end: lies before the first purchase; got 2023-12-01. The data cover 2024-01-01 to",
        "holdout: must end after the calibration",
        "Unknown group 'chanel'",
        "amount_unit: must be a positive number",
        "acquired_between: ends before it begins",
        "Unknown statistic 'frequencey'; did you mean 'frequency'?",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"time_unit": "weeks"}, "did you mean 'week'?"),
        ({"calibration_end": "2024-04-01"}, "calibration_end: lies after the data"),
        ({"calibration_end": "31 Feb"}, "calibration_end: is no day"),
        ({"calibration_end": 19970930}, "calibration_end: is no day"),
        ({"holdout": 3}, "a holdout needs a calibration end"),
        ({"calibration_end": "2024-02-01", "holdout": 5}, "would end on 2024-03-07, after the data; got 5."),
        ({"calibration_end": "2024-02-01", "holdout": 5}, "at most 4.14 weeks"),
        ({"calibration_end": "2024-02-01", "holdout": 0}, "must last a day at least"),
        ({"calibration_end": "2024-02-01", "holdout": float("nan")}, "must last a day at least"),
        ({"acquired_between": "2024-01-01"}, "takes two days"),
        ({"acquired_between": ("2024-02-01", None)}, "no customer is left. First purchases lie in 2024-01-01 to"),
    ],
)
def test_arguments_that_do_not_fit(options, expected):
    table = transactions(("a", "2024-01-01", 1), ("a", "2024-03-01", 1))
    assert expected in message(table, **options)


def test_netted_refunds_reduce_the_days_amount():
    rows = [("a", "2024-01-01", 5), ("a", "2024-01-08", 10), ("a", "2024-01-08", -4)]
    table = transactions(*rows, policies=Policies(refunds="net"))
    assert summarize(table).customers.table.loc["a", "monetary_value"] == 6.0


def test_shown_in_a_notebook_and_escaped():
    split = summarize(transactions(("<script", "2024-01-01", 5), ("b", "2024-01-09", 1), currency="<USD>"))
    assert "<script" not in split._repr_html_() and "&lt;script" in split._repr_html_()
    assert "<USD>" not in split._repr_html_() and "No holdout" in split._repr_html_()
    assert repr(split.customers).startswith("Customers(2 customers with 0 repeat purchases to 2024-01-09")


RFM = {
    "customer_id": [17, 3, 5.0],
    "frequency": [0, 1, 2.0],
    "recency": [0, 2.5, 3],
    "T": [4.0, 4, 8],
    "monetary_value": [0, 5, 6.5],
}


def test_rfm_tables():
    frame = pd.DataFrame(RFM).assign(channel=["web", None, "shop"])
    customers = Customers.from_rfm(
        frame, time_unit="week", observation_end="2024-01-29", groups=("channel",), currency="EUR", amount_unit=0.01
    )
    table = customers.table
    assert table.index.tolist() == ["17", "3", "5"] and table.index.name == "customer_id"
    assert table["frequency"].tolist() == [0, 1, 2] and table["frequency"].dtype == "int64"
    assert table["channel"].tolist() == ["web", "(missing)", "shop"]
    assert table["first_purchase"].iloc[0] == pd.Timestamp("2024-01-01")
    assert table["first_month"].tolist() == ["2024-01", "2024-01", "2023-12"]
    assert (customers.currency, customers.amount_unit, customers.has_spend) == ("EUR", 0.01, True)


def test_the_number_and_the_sum_of_amounts_follow_from_their_mean():
    rfm = {name: [*values, *more] for (name, values), more in zip(RFM.items(), ([4], [3], [2], [8], [0]), strict=True)}
    table = Customers.from_rfm(pd.DataFrame(rfm), time_unit="week", observation_end="2024-01-29").table
    assert table["amount_count"].to_dict() == {"17": 0, "3": 1, "4": 0, "5": 2}
    assert table["amount_sum"].to_dict() == {"17": 0.0, "3": 5.0, "4": 0.0, "5": 13.0}
    assert not {"amount_log_sum", "amount_log_ss", "sum_log_gaps"} & {*table.columns}


def test_what_no_purchases_have_is_refused():
    wrong = {
        "amount_count": [0, 1.5, 3],
        "amount_sum": [1, -5, 13],
        "amount_log_sum": [0, 1.6, 10],
        "amount_log_ss": [2, 0, -1],
        "sum_log_gaps": [1, 0.9, 5],
    }
    with pytest.raises(DataError) as caught:
        Customers.from_rfm(pd.DataFrame(RFM | wrong), time_unit="week", observation_end="2024-01-29")
    text = str(caught.value)
    for expected in (
        "8 problems:",
        "amount_count must be a whole number 0 to frequency; not so for 2",
        "amount_sum must be 0",
        "amount_log_ss must be 0",
        "amount_sum must be >= 0",
        "amount_log_ss must be >= 0",
        "amount_log_sum is above that of any amounts of this number and sum; not so for 1 of 3 customers; got first",
        "sum_log_gaps must be 0 where frequency is 0",
        "sum_log_gaps is above that of any gaps that add up to recency",
    ):
        assert expected in text


def test_rfm_by_index_and_other_names():
    frame = pd.DataFrame(RFM).set_index("customer_id").rename(columns={"frequency": "x", "T": "age"})
    frame = frame.drop(columns="monetary_value")
    customers = Customers.from_rfm(
        frame, time_unit="day", observation_end="2024-01-29", columns={"frequency": "x", "T": "age"}
    )
    assert customers.table.index.tolist() == ["17", "3", "5"]
    assert not customers.has_spend


def test_rfm_of_a_summary_is_that_summary():
    rows = [("a", "2024-01-01", 5), ("a", "2024-01-09", 2), ("b", "2024-01-05", 1), ("b", "2024-03-05", 4)]
    table = summarize(transactions(*rows)).customers.table
    again = Customers.from_rfm(table.reset_index(), time_unit="week", observation_end="2024-03-05").table
    pd.testing.assert_frame_equal(again, table)


def test_every_violation_of_an_rfm_table_is_listed():
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", None, "d", "e", "f"],
            "frequency": [0, 1.5, -2, 0, 2, 1],
            "recency": [1, 2, 9, np.nan, 0, 1],
            "T": [4, 4, 4, 3, 5, 6],
            "monetary_value": [3, np.inf, -6, 0, 1, "x"],
        }
    )
    with pytest.raises(DataError) as caught:
        Customers.from_rfm(frame, time_unit="weeks", observation_end="never", amount_unit=-1)
    text = str(caught.value)
    for expected in (
        "13 problems:",
        "amount_unit: must be a positive number",
        "did you mean 'week'?",
        "observation_end: is no day",
        "1 of 6 rows have no customer id, first at row 3",
        "customer_id must be unique; not so for 1 of 5 customers; got first 'a'",
        "recency must be a finite number; not so for 1 of 6 customers; got first 'd'",
        "monetary_value must be a finite number; not so for 2 of 6 customers; got first 'a', 'f'",
        "frequency must be a whole number >= 0; not so for 2",
        "recency must lie in 0 <= recency <= T",
        "recency must be 0 where frequency is 0",
        "recency must be above 0 where frequency is",
        "monetary_value must be >= 0",
        "monetary_value must be 0 where frequency is 0",
    ):
        assert expected in text


def test_rfm_columns_that_are_missing():
    with pytest.raises(DataError, match="Unknown column 'recency'") as caught:
        Customers.from_rfm(pd.DataFrame({"Frequency": [1]}), time_unit="week", observation_end="2024-01-01")
    assert len(caught.value.problems) == 3
    with pytest.raises(DataError, match="the table has no rows"):
        Customers.from_rfm(pd.DataFrame(RFM).iloc[:0], time_unit="week", observation_end="2024-01-01")


def test_rfm_ids_follow_the_rule_of_transactions():
    columns = [
        [17.0, np.nan, 5.0],
        [17, None, 5],
        ["17", None, " 5"],
        pd.Categorical([17, None, 5]),
        pd.Categorical([17.0, None, 5.0]),
    ]
    for values in columns:
        ids = pd.Series(values, dtype=object if isinstance(values, list) else None)
        days = pd.DataFrame({"customer_id": ids, "date": "2024-01-01"})
        read = read_transactions(days).table.execute()["customer_id"]
        assert plain_ids(ids).dropna().tolist() == sorted(read) == ["17", "5"]
