"""The monthly job reads as the fit did: what a posterior remembers of its table, and what options say otherwise."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clvmodels.cli.arguments import joined, read_acquired, read_policies
from clvmodels.config.experiment import Experiment
from clvmodels.errors import ConfigError, DataError
from clvmodels.runs.inputs import read as read_company
from clvmodels.runs.inputs import read_calendars, splits
from clvmodels.runs.reading import in_words, read_as, reading_of

END = "2024-06-30"
AS_OF: dict[str, Any] = {"time_unit": "week", "time": "continuous", "end": END, "effects": []}
DAYS = pd.date_range("2024-01-01", periods=60, freq="3D")


def orders() -> pd.DataFrame:
    """Twenty customers; every sixth order is refunded on its day."""
    rows = pd.DataFrame({"cust": [f"C{k % 20:02}" for k in range(60)], "day": DAYS, "sales": 1250.5})
    refunds = rows[rows.index % 6 == 0].assign(sales=-1250.5)
    return pd.concat([rows, refunds]).assign(region="NA")


def experiment(folder: Path, **data: Any) -> Experiment:
    stated = {"columns": {"customer_id": "cust", "date": "day", "amount": "sales"}, "data_end": END, **data}
    return Experiment.from_dict({"title": "t", "data": stated, "models": {"bg": {"purchases": "bg_nbd"}}})


def of_experiment(stated: Experiment, folder: Path) -> pd.DataFrame:
    split, _ = splits(stated, read_company(stated, folder, folder), read_calendars(stated, folder))
    return split.customers.table


def scored(reading: dict[str, Any], table: str | Path) -> pd.DataFrame:
    customers, _ = read_as(reading, table, **AS_OF)
    return customers.table


WAYS = {
    "policies": ({"policies": {"refunds": "net"}}, {}),
    "a delimiter and a decimal comma": ({"delimiter": ";", "decimal": ","}, {"sep": ";", "decimal": ","}),
    "an encoding": ({"encoding": "utf-16"}, {"encoding": "utf-16"}),
    "who was acquired": ({"acquired_between": ["2024-01-01", "2024-01-20"]}, {}),
    "a format of days": ({"date_format": "%d.%m.%Y"}, {"date_format": "%d.%m.%Y"}),
    "cents": ({"currency": "EUR", "amount_unit": 0.01}, {}),
    "ids": ({"policies": {"ids": {"same": "casefold"}, "empty": ["c05"]}}, {}),
    "rows that are kept": ({"where": {"sales": ["1250.5"]}}, {}),
}


@pytest.mark.parametrize(("stated", "written"), WAYS.values(), ids=WAYS)
def test_a_table_is_read_as_the_experiment_read_it(tmp_path, stated, written):
    orders().to_csv(tmp_path / "orders.csv", index=False, **written)
    of_fit = experiment(tmp_path, transactions="orders.csv", **stated)
    reading = reading_of(of_fit)
    assert set(reading["data"]) == {"columns", *stated}
    pd.testing.assert_frame_equal(scored(reading, tmp_path / "orders.csv"), of_experiment(of_fit, tmp_path))
    pd.testing.assert_frame_equal(scored(reading, f"file://{tmp_path}/orders.csv"), of_experiment(of_fit, tmp_path))


def test_what_is_left_out_is_told_and_options_say_otherwise(tmp_path):
    orders().to_csv(tmp_path / "orders.csv", index=False)
    reading = reading_of(experiment(tmp_path, transactions="orders.csv", policies={"refunds": "net"}))
    assert "policies: {refunds: net}" in in_words(reading)
    customers, notes = read_as(reading, tmp_path / "orders.csv", **AS_OF)
    assert any("20 rows of 70 left out" in note and "refunded in full" in note for note in notes)
    kept = joined(reading, {"data": {"policies": {"refunds": "drop"}}})
    again, _ = read_as(kept, tmp_path / "orders.csv", **AS_OF)
    assert (customers.table["frequency"].sum(), again.table["frequency"].sum()) == (30, 40)


def test_several_tables_and_a_table_of_a_database(tmp_path):
    frame = orders().rename(columns={"cust": "key", "day": "date", "sales": "amount"})
    frame["date"] = frame["date"].dt.strftime("%Y-%m-%d")
    with sqlite3.connect(tmp_path / "shop.db") as database:
        frame.to_sql("orders", database, index=False)
        frame.to_sql("other", database, index=False)
    people = pd.DataFrame({"system": "shop", "key": [f"C{k:02}" for k in range(20)]})
    people.assign(customer_id=[f"P{k // 2}" for k in range(20)]).to_csv(tmp_path / "people.csv", index=False)
    sources = {
        "orders": {"path": "shop.db", "table": "orders", "role": "orders", "system": "shop"},
        "people": {"path": "people.csv", "role": "identity"},
    }
    of_fit = Experiment.from_dict(
        {"title": "t", "data": {"data_end": END}, "sources": sources, "models": {"bg": {"purchases": "bg_nbd"}}}
    )
    expected = of_experiment(of_fit, tmp_path)
    assert len(expected) == 10
    for table in (tmp_path, tmp_path / "shop.db"):
        pd.testing.assert_frame_equal(scored(reading_of(of_fit), table), expected)
    two = {"data": {}, "sources": {**sources, "more": sources["orders"]}}
    with pytest.raises(ConfigError, match=r"the fit read 3 tables, 2 of them of orders.*Name the folder"):
        scored(two, tmp_path / "shop.db")


def test_words_of_the_command_line():
    assert read_policies("refunds: net, empty: [NULL, guest], ids: {same: casefold}") == {
        "refunds": "net",
        "empty": [None, "guest"],
        "ids": {"same": "casefold"},
    }
    assert read_acquired("2024-01-01, 2024-12-31") == ["2024-01-01", "2024-12-31"]
    for wrong in ("refunds", "refunds: [", "refunds:"):
        with pytest.raises(ConfigError):
            read_policies(wrong)
    with pytest.raises(ConfigError, match="Not two days"):
        read_acquired("2024-01-01")


def test_a_database_that_is_not_there_is_refused_and_not_made(tmp_path):
    for scheme in ("sqlite", "duckdb", "file"):
        with pytest.raises(DataError, match="no such file"):
            scored({"data": {}}, f"{scheme}://{tmp_path}/new.db")
    assert list(tmp_path.iterdir()) == []
