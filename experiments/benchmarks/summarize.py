"""Read and summarise ten million transactions out of core: time and peak memory of a process of its own.

    python experiments/benchmarks/summarize.py [--rows 10000000] [--customers 800000] [--groups]

Writes the Parquet file in pieces into a temporary folder first; that is not measured.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LIMIT_MIB = 2048


def write(path: Path, rows: int, customers: int, piece: int = 1_000_000) -> None:
    """Orders of two years: timestamps, text ids of ten characters, amounts with returns, a channel; not sorted."""
    rng = np.random.default_rng(1)
    channels = np.array(["Search", "E-mail", "Social", "Referral"])
    writer = None
    for start in range(0, rows, piece):
        n = min(piece, rows - start)
        customer = (customers * rng.beta(0.6, 1.4, n)).astype("int64")
        table = pa.table(
            {
                "order id": pa.array(np.arange(start, start + n)),
                "customer_id": pa.array(np.char.add("C", np.char.zfill(customer.astype(str), 9))),
                "date": pa.array(np.datetime64("2024-01-01", "s") + rng.integers(0, 63_072_000, n)),
                "amount": pa.array(np.round(rng.gamma(2.0, 20.0, n) * np.where(rng.uniform(size=n) < 0.03, -1, 1), 2)),
                "channel": pa.array(channels[customer % 4]),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def measure(path: Path, groups: bool, drop_duplicates: bool) -> None:
    """In the child process: read, summarise, report."""
    from clvmodels.customers.summarize import summarize
    from clvmodels.sources.reasons import Policies
    from clvmodels.sources.transactions import read_transactions

    chosen = ("channel",) if groups else ()
    columns = {"order_id": "order id"} if drop_duplicates else None
    policies = Policies(duplicates="drop" if drop_duplicates else "keep")
    started = time.perf_counter()
    transactions = read_transactions(path, columns=columns, groups=chosen, policies=policies)
    read = time.perf_counter() - started
    split = summarize(transactions, calibration_end="2025-06-30", holdout=26, groups=chosen)
    result = {
        "rows": int(transactions.account["rows"].iloc[0]),
        "used": len(transactions),
        "customers": len(split.customers),
        "read_s": round(read, 1),
        "summarize_s": round(time.perf_counter() - started - read, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "threads": os.cpu_count(),
    }
    print(json.dumps(result))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, default=800_000)
    parser.add_argument("--groups", action="store_true", help="keep a group column too")
    parser.add_argument("--drop-duplicates", action="store_true", help="look for duplicate rows and drop them")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.groups, arguments.drop_duplicates)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transactions.parquet"
        write(path, arguments.rows, arguments.customers)
        flags = ["--groups"] * arguments.groups + ["--drop-duplicates"] * arguments.drop_duplicates
        command = [sys.executable, __file__, "--measure", str(path), *flags]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print("\n".join(f"{key:12} {value}" for key, value in result.items()))
    if result["peak_mib"] > LIMIT_MIB:
        print(f"peak memory is above {LIMIT_MIB} MiB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
