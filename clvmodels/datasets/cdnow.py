"""CDNOW: every purchase of 23,570 customers who first bought in January to March 1997, to the end of June 1998.

Fixed-width text. The sample (1 customer in 10) has two id columns, the id in the master and the id in the sample, and
no header; the master has one id column; copies of it with a header line are about. Lines end in CRLF.

Source: Fader & Hardie, http://www.brucehardie.com/datasets. The sample is pinned by the sha256 of CDNOW_sample.txt;
the master by its content, read from a copy of CDNOW_master.txt with a header line.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from clvmodels.datasets.fetch import Remote, check_content, download, find
from clvmodels.errors import DataError, Problem
from clvmodels.sources.transactions import Transactions, read_transactions

RECORD = r"^\s*(?P<master_id>\d+)\s+(?:(?P<sample_id>\d+)\s+)?(?P<date>\d{8})\s+(?P<cds>\d+)\s+(?P<amount>[\d.]+)\s*$"
LICENCE = "free for research, no licence stated (Fader & Hardie)"
SAMPLE = Remote(
    path="cdnow/CDNOW_sample.txt",
    url="http://www.brucehardie.com/datasets/CDNOW_sample.zip",
    member="CDNOW_sample.txt",
    licence=LICENCE,
    sha256="6fae10155c0b0ba363c2c386e30f77990d22328220efd862a5edd1443420d94a",
)
MASTER = Remote(
    path="cdnow/CDNOW_master.txt",
    url="http://www.brucehardie.com/datasets/CDNOW_master.zip",
    member="CDNOW_master.txt",
    licence=LICENCE,
)


class Content(NamedTuple):
    """What the table must hold after parsing."""

    rows: int
    customers: int
    cds: int
    cents: int
    first: str
    last: str


SAMPLE_CONTENT = Content(6919, 2357, 16479, 24409194, "1997-01-01", "1998-06-30")
MASTER_CONTENT = Content(69659, 23570, 167881, 250031563, "1997-01-01", "1998-06-30")


def load_sample(seed: int = 0) -> Transactions:
    """The 1/10 sample, 2,357 customers. Ids are those of the sample, without leading zeros."""
    return _load(find(SAMPLE.path) or download(SAMPLE), SAMPLE_CONTENT)


def load_master(seed: int = 0) -> Transactions:
    """The whole cohort, 23,570 customers. Ids without leading zeros."""
    return _load(find(MASTER.path) or download(MASTER), MASTER_CONTENT)


def _load(path: Path, expected: Content) -> Transactions:
    orders = read_fixed_width(path)
    check_content(content(orders)._asdict(), expected._asdict(), path)
    transactions = read_transactions(orders, date_format="%Y%m%d", currency="USD", name=path.name)
    return replace(transactions, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def read_fixed_width(path: Path) -> pd.DataFrame:
    """Either layout, with or without a header, as text: customer_id (the last id column), date, cds, amount."""
    lines = pd.Series(path.read_text(encoding="ascii", errors="replace").splitlines(), dtype="str")
    if len(lines) and not lines[0].lstrip()[:1].isdigit():
        lines = lines.drop(0)
    fields = lines.str.extract(RECORD)
    wrong = fields["date"].isna() & (lines.str.strip() != "")
    if wrong.any() or fields.empty:
        first = int(wrong.idxmax()) + 1 if wrong.any() else 1
        what = f"{int(wrong.sum())} of {len(lines)} lines are no records, first at line {first}"
        advice = "A record is: id, perhaps a second id, YYYYMMDD, CDs, dollars"
        raise DataError(Problem(what, path.name, known=advice))
    fields["customer_id"] = fields["sample_id"].fillna(fields["master_id"]).str.lstrip("0")
    records = fields.dropna(subset=["date"])  # blank lines go
    return records[["customer_id", "date", "cds", "amount"]].reset_index(drop=True)


def content(orders: pd.DataFrame) -> Content:
    """Rows, ids, sums and dates of a parsed table."""
    cents = (pd.to_numeric(orders["amount"]) * 100).round().sum()
    days = pd.to_datetime(orders["date"], format="%Y%m%d")
    return Content(
        rows=len(orders),
        customers=orders["customer_id"].nunique(),
        cds=int(pd.to_numeric(orders["cds"]).sum()),
        cents=int(cents),
        first=f"{days.min():%Y-%m-%d}",
        last=f"{days.max():%Y-%m-%d}",
    )
