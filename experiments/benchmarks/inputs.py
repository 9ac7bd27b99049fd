"""What is measured on: tables written once into a scratch folder, so that all libraries read the same file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

VERSION = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
FOLDER = Path(__file__).parents[2] / "results" / "benchmarks" / f"inputs-{VERSION}"
"""Of this file as it is: tables that it wrote before it was changed are not read."""
CALIBRATION_END = "1997-09-30"
"""Of CDNOW, as in the literature: 39 weeks before it and 39 after."""
LABELS = {"five": 5, "forty": 40, "five_hundred": 500}
"""Group columns, dealt by chance: column -> number of labels."""
TRUTH = {"r": 0.55, "alpha": 10.6, "s": 0.61, "beta": 11.7}
"""Of simulated customers: the published estimates of Pareto/NBD on CDNOW (Fader, Hardie and Lee 2005), in weeks."""
MONTHS = 18
"""For how long simulated customers came in, until half a year before the end of observation."""
PIECE = 1_000_000
"""Rows of transactions that are made at a time."""


def table(name: str) -> Path:
    """The file of that name, written where it does not exist: one of `TABLES`, or `transactions_N` of N rows."""
    path = FOLDER / f"{name}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".tmp")
        _writer(name)(part)
        part.replace(path)
    return path


def _writer(name: str) -> Callable[[Path], None]:
    kind, _, size = name.rpartition("_")
    if kind == "transactions":
        return partial(write_transactions, rows=int(size), customers=max(1, int(size) // 12))
    make = {
        "cdnow": partial(cdnow, size),
        "whole_days": partial(simulated, size, whole_days=True),
        "fractional": partial(simulated, size, whole_days=False),
        "donations": donations,
    }[kind or name]
    return lambda path: make().to_parquet(path, index=False)


def cdnow(which: str) -> pd.DataFrame:
    """Customers of the sample (2,357) or the master (23,570) at the calibration end."""
    from clvmodels.customers.summarize import summarize
    from clvmodels.datasets import DATASETS

    transactions = DATASETS["cdnow" if which == "sample" else "cdnow_master"].load()
    customers = summarize(transactions, calibration_end=CALIBRATION_END).customers.table.reset_index()
    return with_groups(customers.drop(columns=["first_purchase", "first_month"]))


def donations() -> pd.DataFrame:
    """11,104 donors and six yearly opportunities."""
    from clvmodels.datasets.donations import CELLS, YEARS

    cells = pd.DataFrame(list(CELLS), columns=["frequency", "recency"])
    donors = cells.loc[cells.index.repeat(list(CELLS.values()))].reset_index(drop=True)
    return donors.assign(T=YEARS, customer_id=np.arange(len(donors)).astype(str))


def simulated(size: str, whole_days: bool) -> pd.DataFrame:
    """Customers of a Pareto/NBD, `size` of them, in weeks; of whole days many histories are equal, of others none."""
    customers = int(size)
    rng = np.random.default_rng(1)
    rate = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], customers)
    leaving = rng.gamma(TRUTH["s"], 1 / TRUTH["beta"], customers)
    age = rng.uniform(26, 26 + MONTHS * 365.25 / 12 / 7, customers)
    active = np.minimum(rng.exponential(1 / leaving), age)
    purchases = rng.poisson(rate * active)
    # The last of n purchases that fall anywhere in the active time.
    last = active * rng.uniform(size=customers) ** (1 / np.maximum(purchases, 1))
    spend = rng.gamma(6.0, 1 / rng.gamma(3.7, 1 / 15.4, customers)) / 6.0
    if whole_days:
        age, last = np.ceil(7 * age) / 7, np.ceil(7 * last) / 7
        purchases = np.minimum(purchases, np.rint(7 * last).astype(int))  # one a day
    bought_again = purchases > 0
    frame = pd.DataFrame(
        {
            "customer_id": np.arange(customers).astype(str),
            "frequency": purchases,
            "recency": np.where(bought_again, last, 0.0),
            "T": age,
            "monetary_value": np.where(bought_again, spend, 0.0),
        }
    )
    return with_groups(frame)


def with_groups(customers: pd.DataFrame) -> pd.DataFrame:
    """With the group columns `LABELS`."""
    rng = np.random.default_rng(2)
    dealt = {column: rng.integers(0, labels, len(customers)) for column, labels in LABELS.items()}
    return customers.assign(**{column: pd.Series(label).map("g{}".format) for column, label in dealt.items()})


def write_transactions(path: Path, rows: int, customers: int) -> None:
    """Orders of two years: timestamps, text ids of ten characters, amounts with refunds, a channel; not sorted."""
    rng = np.random.default_rng(1)
    channels = np.array(["Search", "E-mail", "Social", "Referral"])
    writer = None
    for start in range(0, rows, PIECE):
        count = min(PIECE, rows - start)
        customer = (customers * rng.beta(0.6, 1.4, count)).astype("int64")
        refunded = rng.uniform(size=count) < 0.03
        amount = np.round(rng.gamma(2.0, 20.0, count) * np.where(refunded, -1, 1), 2)
        piece = pa.table(
            {
                "order id": pa.array(np.arange(start, start + count)),  # no name that is read unasked
                "customer_id": pa.array(np.char.add("C", np.char.zfill(customer.astype(str), 9))),
                "date": pa.array(np.datetime64("2024-01-01", "s") + rng.integers(0, 63_072_000, count)),
                "amount": pa.array(amount),
                "channel": pa.array(channels[customer % 4]),
            }
        )
        writer = writer or pq.ParquetWriter(path, piece.schema)
        writer.write_table(piece)
    if writer is not None:
        writer.close()
