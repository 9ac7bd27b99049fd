"""The simulated retailer's raw tables as files, each in its department's format, and how an experiment names them."""

from __future__ import annotations

import re
import sqlite3
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd

SOURCES: dict[str, dict[str, Any]] = {
    "customers": {
        "path": "crm.sqlite",
        "table": "customers",
        "role": "attributes",
        "system": "crm",
        "columns": {"key": "crm_id"},
        "groups": ["channel", "segment"],
    },
    "identity": {
        "path": "crm.sqlite",
        "table": "identity",
        "role": "identity",
        "columns": {"system": "system", "key": "key", "customer_id": "crm_id"},
        "rules": {"email": "email", "card": "digits"},
    },
    "orders": {
        "path": "orders.csv",
        "role": "orders",
        "system": "shop",
        "columns": {
            "key": "account",
            "date": "ordered_at",
            "amount": "paid",
            "discount": "discount",
            "order_id": "order_no",
            "currency": "currency",
        },
        "date_format": "%d.%m.%Y %H:%M",
        "delimiter": ";",
        "policies": {"duplicates": "drop"},
    },
    "order_lines": {
        "path": "order_lines.parquet",
        "role": "order_lines",
        "currency": "EUR",
        "columns": {"order_id": "order_no", "product_group": "product_group", "amount": "amount", "cost": "cost"},
    },
    "returns": {
        "path": "returns.xlsx",
        "role": "returns",
        "columns": {"order_id": "order_no", "date": "returned_on", "amount": "refund"},
    },
    "payments": {
        "path": "finance.duckdb",
        "table": "payments",
        "role": "payments",
        "columns": {"order_id": "order_no", "date": "day", "kind": "status", "amount": "amount"},
        "kinds": {"paid_late": "late", "written_off": "bad_debt", "fee": "fee"},
    },
    "service": {
        "path": "service.csv",
        "role": "contacts",
        "system": "email",
        "columns": {"key": "e_mail", "date": "day", "kind": "topic", "minutes": "minutes"},
        "date_format": "%d/%m/%Y",
        "encoding": "latin-1",
    },
    "surveys": {
        "path": "surveys.csv.gz",
        "role": "surveys",
        "system": "email",
        "columns": {"key": "e_mail", "date": "asked_on", "kind": "survey", "score": "score"},
    },
    "referrals": {
        "path": "referrals.csv",
        "role": "referrals",
        "system": "card",
        "columns": {"key": "card", "date": "day", "referred": "new_card"},
    },
    "campaigns": {
        "path": "campaigns.parquet",
        "role": "campaigns",
        "system": "crm",
        "columns": {
            "key": "crm_id",
            "date": "sent_on",
            "kind": "campaign",
            "arm": "arm",
            "responded": "responded",
            "amount": "cost",
        },
    },
    "marketing": {
        "path": "marketing.xlsx",
        "role": "channel_costs",
        "columns": {"channel": "channel", "date": "month", "amount": "eur"},
    },
    "rates": {
        "path": "rates.csv",
        "role": "rates",
        "columns": {"currency": "currency", "date": "date", "rate": "rate"},
    },
}
"""The raw tables as `sources:` of an experiment, paths relative to the folder that `write` fills."""


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """All files of `SOURCES`; those that are there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in {source["path"] for source in SOURCES.values()}:
        (folder / name).unlink(missing_ok=True)
    for name, source in SOURCES.items():
        path = folder / source["path"]
        _WRITERS[path.suffix](tables[name], path, source)


def _write_csv(table: pd.DataFrame, path: Path, source: Mapping[str, Any]) -> None:
    table.to_csv(
        path,
        index=False,
        sep=source.get("delimiter", ","),
        encoding=source.get("encoding", "utf-8"),
        date_format=source.get("date_format", "%Y-%m-%d"),
        lineterminator="\n",
        # The file's own time would make the bytes differ.
        compression={"method": "gzip", "mtime": 1} if path.suffix == ".gz" else None,
    )


def _write_parquet(table: pd.DataFrame, path: Path, source: Mapping[str, Any]) -> None:
    table.to_parquet(path, index=False)


def _write_excel(table: pd.DataFrame, path: Path, source: Mapping[str, Any]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(path.stem)
    sheet.append(list(table.columns))
    for row in table.astype(object).itertuples(index=False):
        sheet.append([value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for value in row])
    book.save(path)
    _without_time(path)


def _without_time(path: Path) -> None:
    """The same bytes whenever a workbook is written: what is read from it is known by them."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts["docProps/core.xml"] = re.sub(
        rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"2025-12-28T20:00:00Z", parts["docProps/core.xml"]
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _write_sqlite(table: pd.DataFrame, path: Path, source: Mapping[str, Any]) -> None:
    days = {name: table[name].dt.strftime("%Y-%m-%d") for name in table.select_dtypes("datetime")}
    connection = sqlite3.connect(path)
    table.assign(**days).to_sql(source["table"], connection, index=False)
    connection.close()


def _write_duckdb(table: pd.DataFrame, path: Path, source: Mapping[str, Any]) -> None:
    days = ", ".join(f"{name}::DATE AS {name}" for name in table.select_dtypes("datetime"))
    with duckdb.connect(path) as connection:
        connection.register("incoming", table)
        connection.execute(f"CREATE TABLE {source['table']} AS SELECT * REPLACE ({days}) FROM incoming")


_WRITERS = {
    ".csv": _write_csv,
    ".gz": _write_csv,
    ".parquet": _write_parquet,
    ".xlsx": _write_excel,
    ".sqlite": _write_sqlite,
    ".duckdb": _write_duckdb,
}
