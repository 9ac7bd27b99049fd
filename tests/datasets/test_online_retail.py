"""Online Retail: every line accounted for, as a CSV and as the spreadsheet."""

from __future__ import annotations

import openpyxl
import pandas as pd
import pytest
from fakes.datasets import defaults_fit

from clvmodels.customers.summarize import summarize
from clvmodels.datasets import DATASETS, online_retail
from clvmodels.errors import DataError


@pytest.fixture(scope="module")
def table(shared_data):
    """Half a million lines, read and cleaned once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLVMODELS_DATA", str(shared_data))
        return DATASETS["online_retail"].load()


def test_its_defaults_fit_the_data(table):
    defaults_fit("online_retail", table)


def test_online_retail_accounts_for_every_line(table):
    rows = dict(zip(table.account["reason"], table.account["rows"], strict=True))
    assert rows == {
        "rows read": 541_909,
        "no customer id": 135_080,
        "zero amount": 40,
        "negative amount, taken as a return": 8_905,
        "rows used": 397_884,
    }
    assert table.dropped.count().execute() == 135_080 + 40 and table.returns.count().execute() == 8_905
    split = summarize(table, groups=("country",))
    assert split.customers.table["country"].nunique() == 37
    assert any("before the table begins" in w for w in split.customers.warnings)


def workbook(path, rows, header=online_retail.COLUMNS):
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


ROWS = [
    (536365, "85123A", "HEART", 6, pd.Timestamp("2010-12-01 08:26").to_pydatetime(), 2.55, 17850, "United Kingdom"),
    ("C536366", 22752, None, -2, pd.Timestamp("2010-12-02 09:00").to_pydatetime(), 7.65, None, "EIRE"),
]


def test_the_spreadsheet_is_read_as_uci_ships_it(tmp_path, monkeypatch):
    monkeypatch.setattr(online_retail, "cache_folder", lambda: tmp_path / "cache")
    path = tmp_path / online_retail.WORKBOOK.path
    workbook(path, ROWS)
    lines = online_retail.read_workbook(path)
    assert online_retail.content(lines) == online_retail.Content(2, 1, 1, 4, 0, "2010-12-01 08:26", "2010-12-02 09:00")
    assert lines["order_line"].tolist() == ["536365 85123A", "C536366 22752"]
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path))
    monkeypatch.setattr(online_retail, "CONTENT", online_retail.content(lines))
    table = online_retail.load()
    assert len(list((tmp_path / "cache").rglob("*.parquet"))) == 1
    monkeypatch.setattr(online_retail.openpyxl, "load_workbook", None)
    assert online_retail.read_workbook(path).equals(lines)  # from the Parquet file, not from the spreadsheet
    assert table.table.execute().to_numpy().tolist()[0][0] == "17850"
    assert table.source == "Online Retail.xlsx"


def test_a_spreadsheet_with_other_columns_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(online_retail, "cache_folder", lambda: tmp_path / "cache")
    path = tmp_path / "Online Retail.xlsx"
    workbook(path, ROWS, ("Invoice", *online_retail.COLUMNS[1:6], "Customer ID", "Country"))
    with pytest.raises(DataError, match="Unknown column 'InvoiceNo'; did you mean 'Invoice'") as caught:
        online_retail.read_workbook(path)
    assert len(caught.value.problems) == 2
    workbook(path, [(*ROWS[0][:3], "six", *ROWS[0][4:])])
    with pytest.raises(DataError, match="holds other values than it should"):
        online_retail.read_workbook(path)
    path.write_text("hello")
    with pytest.raises(DataError, match="is no spreadsheet"):
        online_retail.read_workbook(path)
