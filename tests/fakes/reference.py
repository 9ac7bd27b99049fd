"""What established software gives on the same data, and how near to it the project has to be."""

from __future__ import annotations

import numpy as np
import pandas as pd


def close(value, truth, relative=1e-8, floor=1e-3):
    """The project's measure: |error| <= relative * max(|truth|, floor)."""
    value, truth = np.asarray(value, dtype=float), np.asarray(truth, dtype=float)
    excess = np.abs(value - truth) / np.maximum(np.abs(truth), floor)
    worst = int(np.argmax(excess))
    assert np.all(np.isfinite(value)) and excess.max() <= relative, (worst, value.flat[worst], truth.flat[worst])


def cbs(reference, dataset: str) -> pd.DataFrame:
    """The customers of a data set as BTYDplus summarised them."""
    table = pd.read_csv(reference / dataset / "summary.csv", dtype={"cust": str}).set_index("cust").sort_index()
    names = {"x": "frequency", "t.x": "recency", "T.cal": "T", "litt": "sum_log_gaps"}
    return table[list(names)].rename(columns=names).rename_axis("customer_id")
