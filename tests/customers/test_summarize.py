"""Customers, holdout and weeks: equal to established software; days, units, groups, and wrong arguments."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.purchases import message, transactions

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Split
from clvmodels.datasets import cdnow
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import read_transactions


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
    days = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month30": 30.0, "month": 365.25 / 12}
    days |= {"quarter": 365.25 / 4, "year": 365.25}
    assert in_units == pytest.approx({unit: 60 / length for unit, length in days.items()})


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
    assert "1 customer has several values of 'channel': the first by date counts" in split.customers.warnings
    assert "<b>&lt;b&gt;" not in split._repr_html_() and "&lt;b&gt;" in split._repr_html_()


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
