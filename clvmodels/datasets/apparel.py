"""Apparel: the simulated retailer of R's CLVTools, 600 customers who all first bought on 2 January 2005, to the end of
2010; with two covariates that do not change, Gender and Channel (0 or 1), and one that changes by week, High.Season.

CSV files as R writes them: apparelTrans.csv (Id, Date, Price), apparelStaticCov.csv (Id, Gender, Channel) and
apparelDynCov.csv (Id, Cov.Date, High.Season, Gender, Channel: a row a customer and week; .zst and .gz will do). The
package that holds them has no address of its own for them, so nothing is downloaded.

Source: CLVTools, data sets `apparelTrans`, `apparelStaticCov` and `apparelDynCov`, simulated by its authors; GPL-3. The
first two are known by their content.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from clvmodels.datasets.fetch import VARIABLE, cache_folder, check_content, find
from clvmodels.errors import DataError, Problem
from clvmodels.sources.calendars import SuppliedCalendar, read_calendar
from clvmodels.sources.transactions import Transactions, read_transactions

ORDERS, STATIC = "apparel/apparelTrans.csv", "apparel/apparelStaticCov.csv"
WEEKS = "apparel/apparelDynCov.csv"
COVARIATES = ("Gender", "Channel")


class Content(NamedTuple):
    """What the two tables must hold."""

    rows: int
    customers: int
    cents: int
    first: str
    last: str
    gender: int
    channel: int


CONTENT = Content(3187, 600, 12435690, "2005-01-02", "2010-12-20", 296, 228)


def load(seed: int = 0) -> Transactions:
    """All orders with the customer's Gender and Channel, which may be used as covariates or as groups."""
    paths = [_path(name) for name in (ORDERS, STATIC)]
    orders, static = (pd.read_csv(path, dtype={"Id": str}) for path in paths)
    check_content(content(orders, static)._asdict(), CONTENT._asdict(), paths[0])
    transactions = read_transactions(
        orders.merge(static, on="Id", validate="many_to_one"),
        columns={"customer_id": "Id", "date": "Date", "amount": "Price"},
        groups=COVARIATES,
        covariates=COVARIATES,
        name=paths[0].name,
    )
    of_both_files = hashlib.sha256(b"".join(path.read_bytes() for path in paths))
    return replace(transactions, sha256=of_both_files.hexdigest())


def load_calendar(name: str) -> SuppliedCalendar:
    """The weeks of high season, of each customer: the one covariate that changes."""
    path = find(WEEKS + ".zst") or find(WEEKS + ".gz") or _path(WEEKS)
    columns = {"date": "Cov.Date", "customer_id": "Id"}
    return read_calendar(path, name=name, columns=columns, covariates=["High.Season"])


def _path(name: str) -> Path:
    path = find(name)
    if path:
        return path
    table, file = Path(name).stem, Path(name).name
    what = f"{file} is not on this machine, and there is no address to fetch it from"
    advice = (
        f"In R: data('{table}', package = 'CLVTools'); data.table::fwrite({table}, '{file}'). Put the file "
        f"as {name} into a folder of your own and set {VARIABLE} to that folder, or put it into {cache_folder()}"
    )
    raise DataError(Problem(what, "apparel", known=advice))


def content(orders: pd.DataFrame, static: pd.DataFrame) -> Content:
    """Rows, ids, sums and dates of the two tables.

    Raises
    ------
    DataError
        A column is missing, or the two are not of the same customers.
    """
    missing = [
        *_missing_columns("apparelTrans", orders, ("Id", "Date", "Price")),
        *_missing_columns("apparelStaticCov", static, ("Id", *COVARIATES)),
    ]
    if missing:
        raise DataError(missing)
    if set(orders["Id"]) != set(static["Id"]) or static["Id"].duplicated().any():
        raise DataError(Problem("is not one row for each customer with orders", "apparelStaticCov"))
    days = pd.to_datetime(orders["Date"])
    return Content(
        rows=len(orders),
        customers=orders["Id"].nunique(),
        cents=int((orders["Price"] * 100).round().sum()),
        first=f"{days.min():%Y-%m-%d}",
        last=f"{days.max():%Y-%m-%d}",
        gender=int(static["Gender"].sum()),
        channel=int(static["Channel"].sum()),
    )


def _missing_columns(table: str, frame: pd.DataFrame, names: tuple[str, ...]) -> list[Problem]:
    columns = ", ".join(map(str, frame))
    return [Problem(f"has no column {name}", table, columns) for name in names if name not in frame]
