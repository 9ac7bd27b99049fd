"""Time that counts opportunities: calendar periods, splits at their ends, tracking, RFM tables; observed ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.errors import DataError
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import read_transactions

GIFTS = [
    ("a", "1995-03-01", 10),
    ("a", "1995-11-30", 5),  # twice in the first year
    ("a", "1996-12-31", 7),
    ("a", "1997-01-01", 9),  # a day apart, two years
    ("a", "1999-06-01", 1),
    ("a", "1999-06-02", 2),
    ("b", "1996-02-29", 3),
    ("c", "1995-01-01", 1),
    ("c", "1998-07-01", 4),
]


def transactions(rows=GIFTS, **options):
    return read_transactions(pd.DataFrame(rows, columns=["customer_id", "date", "amount"]), currency="USD", **options)


def yearly(rows=GIFTS, data_end="1999-12-31", **options):
    return summarize(transactions(rows, data_end=data_end), time_unit="year", time="opportunities", **options)


def problems(**options):
    with pytest.raises(DataError) as caught:
        yearly(**options)
    return str(caught.value)


def test_the_purchases_of_a_calendar_year_are_one_and_ages_are_years():
    split = yearly()
    table, customers = split.customers.table, split.customers
    assert table["frequency"].to_dict() == {"a": 3, "b": 0, "c": 1}
    assert table["recency"].to_dict() == {"a": 4, "b": 0, "c": 3}
    assert table["T"].to_dict() == {"a": 4, "b": 3, "c": 4}
    assert table["monetary_value"].to_dict() == {"a": pytest.approx((7 + 9 + 3) / 3), "b": 0, "c": 4}
    assert "sum_log_gaps" not in table and customers.time == "opportunities"
    assert "opportunities in years" in repr(customers)
    assert any(text.startswith("2 purchase days fall in a year in which") for text in customers.warnings)


def test_a_split_falls_between_periods_and_tracking_counts_them():
    split = yearly(calibration_end="1996-12-31", holdout=2)
    table, holdout = split.customers.table, split.holdout
    assert table[["frequency", "recency", "T"]].to_numpy().tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 1]]
    assert holdout.periods == 2 and holdout.end == pd.Timestamp("1998-12-31")
    assert holdout.table["purchases"].to_dict() == {"a": 1, "b": 0, "c": 1}
    assert split.weekly["start"].dt.strftime("%Y-%m-%d").tolist() == ["1996-01-01", "1997-01-01", "1998-01-01"]
    assert split.weekly["purchases"].tolist() == [1, 1, 1] and split.weekly["held_out"].tolist() == [False, True, True]
    by_date = yearly(calibration_end="1996-12-31", holdout="1998-12-31")
    pd.testing.assert_frame_equal(by_date.holdout.table, holdout.table)


def test_days_that_cut_a_period_are_refused_with_those_that_do_not():
    assert "1996-06-30. Opportunities are whole years: 1995-12-31 or 1996-12-31" in problems(
        calibration_end="1996-06-30"
    )
    found = problems(calibration_end="1996-12-31", holdout="1998-06-30")
    assert "1998-06-30. Opportunities are whole years: 1997-12-31 or 1998-12-31" in found
    assert "opportunities are whole years; got 1.5" in problems(calibration_end="1996-12-31", holdout=1.5)
    assert "at most 3 years" in problems(calibration_end="1996-12-31", holdout=4)
    with pytest.raises(DataError, match="Unknown time 'discrete'"):
        summarize(transactions(), time="discrete")


def test_a_last_period_that_the_data_do_not_cover_counts_whole_and_is_told():
    split = yearly(data_end=None)
    assert split.customers.observation_end == pd.Timestamp("1999-12-31") and split.customers.table.loc["a", "T"] == 4
    note = next(text for text in split.customers.warnings if "whole opportunity" in text)
    assert "the data end on 1999-06-02" in note and "say data_end: 1999-12-31" in note
    assert not [text for text in yearly().customers.warnings if "whole opportunity" in text]


@pytest.mark.parametrize("unit", ["day", "week", "month", "year"])
def test_each_unit_agrees_with_a_slow_count(unit):
    """Periods by pandas: those of days and weeks counted back from the end, months and years of the calendar."""
    rng = np.random.default_rng(1)
    days = pd.Timestamp("2023-02-25") + pd.to_timedelta(rng.integers(0, 700, 400), unit="D")
    frame = pd.DataFrame({"customer_id": rng.integers(0, 40, 400).astype(str), "date": days, "amount": 1.0})
    end = pd.Timestamp("2024-12-31")
    found = summarize(read_transactions(frame, data_end=end), time_unit=unit, time="opportunities").customers.table
    kept = frame[frame["date"] <= end]
    if unit in ("month", "year"):
        period = lambda dates: pd.PeriodIndex(dates, freq=unit[0].upper()).astype("int64")  # noqa: E731
    else:
        period = lambda dates: -((end - dates).days // {"day": 1, "week": 7}[unit])  # noqa: E731
    number = pd.Series(np.asarray(period(pd.DatetimeIndex(kept["date"]))), index=kept.index)
    last = int(period(pd.DatetimeIndex([end]))[0])
    for customer, own in number.groupby(kept["customer_id"]):
        expected = [own.nunique() - 1, own.max() - own.min(), last - own.min()]
        assert found.loc[customer, ["frequency", "recency", "T"]].tolist() == expected


def test_an_rfm_table_of_opportunities():
    frame = pd.DataFrame({"frequency": [0, 2], "recency": [0, 3], "T": [5, 5]}, index=["a", "b"])
    end = {"time_unit": "month", "observation_end": "2024-06-30"}
    customers = Customers.from_rfm(frame, time="opportunities", **end)
    assert customers.time == "opportunities" and customers.table["first_month"].tolist() == ["2024-01", "2024-01"]
    assert customers.table["first_purchase"].tolist() == [pd.Timestamp("2024-01-01")] * 2
    wrong = frame.assign(frequency=[0, 4], T=[5.5, 5])
    with pytest.raises(DataError) as caught:
        Customers.from_rfm(wrong, time="opportunities", **end)
    assert "recency and T must be whole numbers" in str(caught.value)
    assert "frequency must be at most recency" in str(caught.value)
    assert Customers.from_rfm(wrong, **end).time == "continuous"


# ---------------------------------------------------------------------------------------------- observed ends

ENDS = pd.DataFrame(
    {
        "customer_id": ["a", "a", "b", "c", "c", "d"],
        "date": ["2024-01-01", "2024-02-05", "2024-01-08", "2024-01-01", "2024-03-01", "2024-01-02"],
        "cancelled": ["2024-02-26", "", None, "2024-06-03", "2024-06-03", "2024-01-02"],
    }
)


def test_an_end_within_the_observation_is_an_age_and_a_later_one_is_not_seen():
    read = read_transactions(ENDS, columns={"ended": "cancelled"})
    table = summarize(read, calibration_end="2024-03-01").customers.table
    assert table["status"].to_dict() == {"a": "ended", "b": "alive", "c": "alive", "d": "ended"}
    days = (table["T"] * 7).round().to_dict()
    assert days == {"a": 56, "b": 53, "c": 60, "d": 0}
    assert table["recency"].le(table["T"]).all()


def test_a_table_that_names_no_end_has_no_status():
    for frame in (ENDS, ENDS.rename(columns={"cancelled": "ended"})):
        assert "status" not in summarize(read_transactions(frame)).customers.table


def test_orders_after_ones_own_end_are_refused_or_dropped():
    late = pd.concat([ENDS, pd.DataFrame({"customer_id": ["a"], "date": ["2024-02-27"], "cancelled": [""]})])
    with pytest.raises(DataError, match=r"1 of 7 rows lie after the customer's own end, first at row 7.*after_ended"):
        read_transactions(late, columns={"ended": "cancelled"})
    read = read_transactions(late, columns={"ended": "cancelled"}, policies=Policies(after_ended="drop"))
    account = read.account.set_index("reason")["rows"]
    assert account["after the customer's own end"] == 1 and account["rows used"] == 6


def test_ends_that_cannot_be_read_are_refused_and_several_are_told():
    with pytest.raises(DataError, match=r"1 of 6 rows have an end that cannot be read, first at row 3.*Ends are dates"):
        read_transactions(
            ENDS.assign(cancelled=ENDS["cancelled"].where(ENDS["customer_id"] != "b", "never")),
            columns={"ended": "cancelled"},
        )
    several = ENDS.assign(cancelled=["2024-02-26", "2024-03-26", None, "2024-06-03", "2024-06-03", "2024-01-02"])
    read = read_transactions(several, columns={"ended": "cancelled"})
    assert "1 customer has several end dates: the last counts" in read.warnings
    table = summarize(read, calibration_end="2024-03-01").customers.table
    assert table.loc["a", "status"] == "alive"


def test_the_day_of_an_end_needs_continuous_time():
    read = read_transactions(ENDS, columns={"ended": "cancelled"})
    with pytest.raises(DataError, match=r"the day of an end needs continuous time.*Leave 'ended' out"):
        summarize(read, time="opportunities", time_unit="month")


def test_an_rfm_table_may_have_a_status():
    frame = pd.DataFrame(
        {"frequency": [0, 2, 0], "recency": [0, 3, 0], "T": [5, 5, 1], "state": ["Alive", "ended ", None]},
        index=["a", "b", "c"],
    )
    options = {"time_unit": "month", "observation_end": "2024-06-30", "columns": {"status": "state"}}
    assert Customers.from_rfm(frame, **options).table["status"].tolist() == ["alive", "ended", "unknown"]
    with pytest.raises(DataError, match=r"status must be one of three words; not so for 1 of 3.*unknown, alive, ended"):
        Customers.from_rfm(frame.assign(state=["alive", "gone", ""]), **options)


@pytest.mark.parametrize(("unit", "expected"), [("quarter", (2, 3.0, 3.0)), ("month30", (2, 8.0, 8.0))])
def test_opportunities_may_be_quarters_or_30_days(unit, expected):
    days = ["2023-05-20", "2023-12-31", "2024-02-01", "2024-02-02"]
    frame = pd.DataFrame({"customer_id": "a", "date": pd.to_datetime(days)})
    end = pd.Timestamp("2024-03-31") if unit == "quarter" else pd.Timestamp("2024-02-02")
    table = summarize(read_transactions(frame, data_end=end), time_unit=unit, time="opportunities").customers.table
    frequency, recency, T = expected
    assert table.loc["a", ["frequency", "recency", "T"]].tolist() == [frequency, recency, T]


def test_an_hour_is_a_unit_of_continuous_time_alone():
    frame = pd.DataFrame({"customer_id": "a", "date": pd.to_datetime(["2024-01-01", "2024-01-03"])})
    assert summarize(read_transactions(frame), time_unit="hour").customers.table.loc["a", "T"] == 48.0
    with pytest.raises(DataError, match="opportunities last a day at least"):
        summarize(read_transactions(frame), time_unit="hour", time="opportunities")
