"""Files whose bytes have changed: each is read as something, or ends in one of our errors, and never in a library's."""

from __future__ import annotations

import duckdb
import numpy as np
import openpyxl
import pandas as pd
import pytest

from clvmodels.errors import DataError
from clvmodels.sources.reading import open_source
from clvmodels.sources.transactions import read_transactions

DAYS = pd.date_range("2024-01-01", periods=4)
FRAME = pd.DataFrame({"customer_id": list("ABCA"), "date": DAYS, "amount": [1.5, 2, 3, 4]})
CHANGED = 25
"""Files a format: enough that each run meets headers, indexes and data."""


def workbook(path) -> None:
    book = openpyxl.Workbook()
    book.active.append(list(FRAME))
    for row in FRAME.itertuples(index=False):
        book.active.append(list(row))
    book.save(path)


WRITERS = {
    "a.xlsx": workbook,
    "a.parquet": FRAME.to_parquet,
    "a.csv": lambda path: path.write_bytes(FRAME.to_csv(index=False).encode("utf-16")),
    "b.csv.gz": lambda path: FRAME.to_csv(path, index=False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_damaged_file_ends_in_no_error_of_a_library(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    whole = path.read_bytes()
    rng = np.random.default_rng(7)
    refused = 0
    for number in range(CHANGED):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            damaged[place] = int(rng.integers(256))
        path.write_bytes(damaged[: len(damaged) // 2] if number % 5 == 0 else damaged)
        try:
            read_transactions(path)
        except DataError:
            refused += 1
    assert refused, "no byte of these files matters"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (None, "is no table; got None"),
        (7, "is no table; got 7"),
        ("~nobody-of-this-name/orders.csv", "cannot be opened"),
        ("x" * 300, "cannot be opened"),
        ("sqlite:///absent.sqlite", "no such file"),
        ("duckdb:///absent.duckdb", "no such file"),
    ],
)
def test_what_names_no_table_is_told(tmp_path, monkeypatch, source, expected):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=expected):
        open_source(source)
    assert not list(tmp_path.iterdir()), "a database is not made by looking for it"


def test_a_view_of_a_database_reads_no_other_file(tmp_path):
    (tmp_path / "secret.csv").write_text("customer_id,date\nA,2024-01-01\n")
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute(f"CREATE VIEW orders AS SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
    with pytest.raises(DataError, match="cannot be read"):
        read_transactions(tmp_path / "shop.duckdb")
