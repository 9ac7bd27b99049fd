"""RFM tables of the user: read by other names, completed, and refused with every violation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.purchases import transactions

from clvmodels.customers.rfm import plain_ids
from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.errors import DataError
from clvmodels.sources.transactions import read_transactions

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
    assert len(caught.value.problems) == 4, "frequency, recency, T, and whose they are"
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


AS_OF = {"time_unit": "week", "observation_end": "2024-06-25"}


def test_row_numbers_are_no_ids(tmp_path):
    frame = pd.DataFrame(RFM).astype({"customer_id": int}).rename(columns={"customer_id": "CustomerID"})
    frame.to_csv(tmp_path / "rfm.csv", index=False)
    for source in (frame, tmp_path / "rfm.csv"):
        with pytest.raises(DataError, match=r"Unknown column 'customer_id'; did you mean 'CustomerID'.*say which"):
            Customers.from_rfm(source, **AS_OF)
    by_name = Customers.from_rfm(tmp_path / "rfm.csv", columns={"customer_id": "CustomerID"}, **AS_OF)
    by_index = Customers.from_rfm(frame.set_index("CustomerID"), **AS_OF)
    pd.testing.assert_frame_equal(by_name.table, by_index.table)


def test_a_file_a_workbook_a_database_and_a_frame_are_one_rfm_table(tmp_path):
    import sqlite3

    frame = pd.DataFrame({**RFM, "customer_id": ["007", "NA", "7"], "region": ["NA", "null", None]})
    frame.to_csv(tmp_path / "rfm.csv", index=False)
    frame.to_csv(tmp_path / "semicolons.csv", index=False, sep=";")
    frame.to_parquet(tmp_path / "rfm.parquet")
    frame.to_excel(tmp_path / "rfm.xlsx", index=False)
    with sqlite3.connect(tmp_path / "rfm.sqlite") as database:
        frame.to_sql("rfm", database, index=False)
    expected = Customers.from_rfm(frame, groups=["region"], **AS_OF).table
    assert expected["region"].to_dict() == {"007": "NA", "7": "(missing)", "NA": "null"}
    for name in ("rfm.csv", "semicolons.csv", "rfm.parquet", "rfm.xlsx", "rfm.sqlite"):
        read = Customers.from_rfm(tmp_path / name, groups=["region"], **AS_OF)
        pd.testing.assert_frame_equal(read.table, expected)


def test_ids_are_read_as_those_of_orders_are():
    ids = ["Ann\u00a0", "\u200bann", "jose\u0301", "  x", 17, 17.5, "17.0", "１７", None]
    frame = pd.DataFrame({"customer_id": ids, "date": "2024-01-01"})
    read = set(read_transactions(frame).table.customer_id.execute())
    assert {*plain_ids(frame["customer_id"]).dropna()} == read


def test_words_for_nobody_are_told_of_an_rfm_table():
    frame = pd.DataFrame(RFM).assign(customer_id=["17", "NULL", "18"])
    (told,) = Customers.from_rfm(frame, **AS_OF).warnings
    assert told.startswith("1 of 3 ids are words that may mean nobody, such as NULL")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("frequency", 1e18, "frequency must be at most 1,000,000"),
        ("T", 1e9, "the first purchase would lie before 1700"),
        ("T", 1e300, "the first purchase would lie before 1700"),
        ("recency", float("inf"), "recency must be a finite number"),
        ("frequency", 2**70, "frequency must be at most"),
        ("T", "soon", "T must be a finite number"),
        ("T", pd.Timestamp("2024-01-01"), "T must be a finite number"),
        ("frequency", True, "frequency must be a finite number"),
        ("monetary_value", 1e300, "monetary_value must be below 1e+15"),
    ],
)
def test_numbers_that_no_customer_has_are_refused(column, value, words):
    frame = pd.DataFrame(RFM).astype(object)
    frame.loc[2, column] = value
    with pytest.raises(DataError, match=words.replace("+", r"\+")):
        Customers.from_rfm(frame, **AS_OF)
