"""Online Retail (UCI 352): the invoice lines of a British online shop for gifts, December 2010 to December 2011.

Real dirt: a quarter of the lines has no customer, cancellations ("C...") are lines with negative quantities, prices
may be zero or negative. A line's amount is quantity x unit price. UCI ships a spreadsheet, which is read once (a minute
or two) and kept as Parquet in the cache; a CSV of the same columns, compressed or not, is read as well.

Source: Chen, Sain & Guo (2012), https://archive.ics.uci.edu/dataset/352; CC BY 4.0. Pinned by its content, taken from
a CSV copy, online_retail.csv.zst, since UCI's archive gives no sum.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pandas as pd
import pyarrow as pa

from clvmodels.datasets.fetch import Remote, cache_folder, check_content, download, find
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import Transactions, read_transactions

WORKBOOK = Remote(
    path="online_retail/Online Retail.xlsx",
    url="https://archive.ics.uci.edu/static/public/352/online+retail.zip",
    member="Online Retail.xlsx",
    licence="CC BY 4.0 (Chen, Sain & Guo 2012)",
)
PATHS = ("online_retail/online_retail.csv.zst", "online_retail/online_retail.csv", WORKBOOK.path)
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


class Content(NamedTuple):
    """What the table must hold after parsing."""

    rows: int
    customers: int
    without_customer: int
    pieces: int
    pence: int
    first: str
    last: str


CONTENT = Content(541909, 4372, 135080, 5176450, 974774793, "2010-12-01 08:26", "2011-12-09 12:50")


def load(seed: int = 0) -> Transactions:
    """The lines with a customer and a positive amount, free items dropped; what is cancelled or sent back is kept as
    returns; groups: country."""
    path = find(*PATHS) or download(WORKBOOK)
    lines = read_workbook(path) if path.suffix == ".xlsx" else read_csv(path)
    check_content(content(lines)._asdict(), CONTENT._asdict(), path)
    transactions = read_transactions(
        lines,
        columns={"order_id": "order_line", "customer_id": "CustomerID", "date": "InvoiceDate"},
        currency="GBP",
        groups=("country",),
        policies=Policies(zero_amounts="drop", refunds="returns"),
        name=path.name,
    )
    return replace(transactions, sha256=_sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_csv(path: Path) -> pd.DataFrame:
    """The lines from a CSV with UCI's columns; dates as M/D/YYYY H:MM."""
    with pa.input_stream(str(path), compression="detect") as stream:
        lines = pd.read_csv(stream, dtype=str, keep_default_na=False)
    return _typed(lines, path, "%m/%d/%Y %H:%M")


def read_workbook(path: Path) -> pd.DataFrame:
    """The lines from UCI's spreadsheet, kept as Parquet in the cache for the next time."""
    parquet = cache_folder() / "online_retail" / f"{_sha256(path)[:16]}.parquet"
    if parquet.exists():
        return pd.read_parquet(parquet)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(Problem("is no spreadsheet, or a damaged one", path.name, str(error))) from error
    rows = book.worksheets[0].iter_rows(values_only=True)
    header = [str(cell) for cell in next(rows, ())]
    typed = _typed(pd.DataFrame(rows, columns=header, dtype=object), path, None)
    book.close()
    parquet.parent.mkdir(parents=True, exist_ok=True)
    fresh = parquet.with_name(parquet.name + ".new")
    typed.to_parquet(fresh)
    fresh.replace(parquet)
    return typed


def _typed(lines: pd.DataFrame, path: Path, date_format: str | None) -> pd.DataFrame:
    """Text, numbers and times; the amount of a line in pounds."""
    if missing := [name for name in COLUMNS if name not in lines]:
        raise DataError([unknown("column", name, lines.columns, path.name) for name in missing])
    try:
        return _meanings(lines, date_format)
    except (ValueError, TypeError) as error:
        raise DataError(Problem("holds other values than it should", path.name, str(error))) from error


def _meanings(lines: pd.DataFrame, date_format: str | None) -> pd.DataFrame:
    quantity, price = pd.to_numeric(lines["Quantity"]), pd.to_numeric(lines["UnitPrice"])
    return pd.DataFrame(
        {
            "order_line": lines["InvoiceNo"].astype("str") + " " + lines["StockCode"].astype("str"),
            "CustomerID": pd.to_numeric(lines["CustomerID"]).astype("Int64"),
            "InvoiceDate": pd.to_datetime(lines["InvoiceDate"], format=date_format),
            "country": lines["Country"].astype("str"),
            "quantity": quantity.astype("int64"),
            "amount": (quantity * price).astype("float64").round(4),
        }
    )


def content(lines: pd.DataFrame) -> Content:
    """Rows, ids, sums and dates of the parsed lines."""
    return Content(
        rows=len(lines),
        customers=int(lines["CustomerID"].nunique()),
        without_customer=int(lines["CustomerID"].isna().sum()),
        pieces=int(lines["quantity"].sum()),
        pence=round(float(lines["amount"].sum()) * 100),
        first=f"{lines['InvoiceDate'].min():%Y-%m-%d %H:%M}",
        last=f"{lines['InvoiceDate'].max():%Y-%m-%d %H:%M}",
    )
