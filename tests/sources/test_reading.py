"""Workbooks and databases give the rows that a CSV file gives; what cannot be read says where and why."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime

import duckdb
import openpyxl
import pandas as pd
import pytest

from clvmodels.config.experiment import Experiment
from clvmodels.errors import ConfigError, DataError
from clvmodels.sources.transactions import read_transactions

ROWS = [("1", date(2024, 1, 1), 2.5), ("1", date(2024, 1, 9), 1e6 / 3), ("017", date(2024, 2, 29), 0.01)]


def found(transactions) -> list[tuple]:
    frame = transactions.table.execute().sort_values("date")
    return list(zip(frame["customer_id"], pd.to_datetime(frame["date"]).dt.date, frame["amount"], strict=True))


def workbook(path, rows=ROWS, header=("customer_id", "date", "amount"), sheets=("Orders",), above=0):
    book = openpyxl.Workbook()
    book.active.title = sheets[0]
    for _ in range(above):
        book.active.append([])
    book.active.append(header)
    for row in rows:
        book.active.append(row)
    for name in sheets[1:]:
        book.create_sheet(name)
    book.save(path)
    return path


def sqlite(path, dates="iso", tables=("orders",)):
    with sqlite3.connect(path) as connection:
        for table in tables:
            connection.execute(f'CREATE TABLE "{table}" (customer_id TEXT, date {dates}, amount REAL)')
            told = [(customer, day.isoformat(), amount) for customer, day, amount in ROWS]
            connection.executemany(f'INSERT INTO "{table}" VALUES (?, ?, ?)', told)
    connection.close()
    return path


def duck(path):
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE orders (customer_id VARCHAR, date DATE, amount DOUBLE)")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", ROWS)
    return path


def message(*args, **kwargs) -> str:
    with pytest.raises(DataError) as error:
        read_transactions(*args, **kwargs)
    return str(error.value)


@pytest.mark.parametrize("dates", ["TEXT", "DATE"])
def test_sqlite_gives_the_rows(tmp_path, dates):
    assert found(read_transactions(sqlite(tmp_path / "shop.sqlite", dates))) == ROWS


def test_duckdb_gives_the_rows_and_a_sum_of_its_content(tmp_path):
    first = read_transactions(duck(tmp_path / "a.duckdb"))
    assert found(first) == ROWS
    again = read_transactions(duck(tmp_path / "b.duckdb"))
    assert again.sha256 == first.sha256
    with duckdb.connect(tmp_path / "b.duckdb") as connection:
        connection.execute("UPDATE orders SET amount = amount + 1 WHERE customer_id = '017'")
    assert read_transactions(tmp_path / "b.duckdb").sha256 != first.sha256


def test_a_workbook_gives_the_rows_wherever_they_begin(tmp_path):
    path = workbook(tmp_path / "a.xlsx", above=2)
    assert found(read_transactions(path)) == ROWS
    moments = [(customer, datetime(day.year, day.month, day.day, 23, 30), amount) for customer, day, amount in ROWS]
    assert found(read_transactions(workbook(tmp_path / "b.xlsx", moments))) == ROWS


def test_rows_of_a_workbook_are_numbered_as_the_sheet_shows_them(tmp_path):
    rows = [ROWS[0], (None, None, None), ("2", "soon", 1.0), ("3", date(2024, 1, 2), 1.0)]
    path = workbook(tmp_path / "a.xlsx", rows, above=1)
    assert "row 5" in message(path)  # one empty row, the header, a row, an empty row: the fifth


def test_tables_and_sheets_are_chosen_by_name(tmp_path):
    book = workbook(tmp_path / "a.xlsx", sheets=("Orders", "Notes"))
    assert "the workbook has 2 sheets. Name one as table: Orders, Notes" in message(book)
    assert "Unknown sheet 'Order'; did you mean 'Orders'?" in message(book, table="Order")
    assert "the sheet 'Notes' is empty" in message(book, table="Notes")
    assert found(read_transactions(book, table="Orders")) == ROWS
    shop = sqlite(tmp_path / "shop.db", tables=("orders", "old orders"))
    assert "the database has 2 tables. Name one as table: old orders, orders" in message(shop)
    assert "Unknown table 'order'" in message(shop, table="order")
    assert found(read_transactions(shop, table="old orders")) == ROWS
    (tmp_path / "a.csv").write_text("customer_id,date\n1,2024-01-01\n")
    assert "only databases and workbooks have tables by name" in message(tmp_path / "a.csv", table="orders")


def test_what_is_no_database_or_no_table_is_refused(tmp_path):
    (tmp_path / "a.sqlite").write_text("hello, this is text and no database at all")
    (tmp_path / "a.duckdb").write_text("hello, this is text and no database at all")
    assert "as a database" in message(tmp_path / "a.sqlite")
    assert "as a database" in message(tmp_path / "a.duckdb")
    with sqlite3.connect(tmp_path / "empty.db") as connection:
        connection.execute("CREATE TABLE orders (customer_id TEXT, date TEXT)")
    assert "the table has a header and no rows" in message(tmp_path / "empty.db")
    assert "the table has a header and no rows" in message(workbook(tmp_path / "b.xlsx", rows=[]))


def test_a_password_is_shown_nowhere():
    told = message("postgresql://me:secret-word@127.0.0.1:1/shop", table="orders")
    assert "secret-word" not in told and "postgresql://me@127.0.0.1:1/shop" in told
    mapping = {
        "title": "t",
        "models": {"bg_nbd": {"purchases": "bg_nbd"}},
        "data": {"transactions": "postgresql://me:secret-word@127.0.0.1/shop", "table": "orders"},
    }
    with pytest.raises(ConfigError, match="A password does not belong in an experiment"):
        Experiment.from_dict(mapping)
    mapping["data"]["transactions"] = "postgresql://me@127.0.0.1/shop"
    assert Experiment.from_dict(mapping).data.table == "orders"
