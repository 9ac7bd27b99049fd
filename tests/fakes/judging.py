"""Made-up entries to judge, shared by the tests of metrics and of comparison."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import poisson

from clvmodels.customers.table import Customers, Holdout
from clvmodels.futures.forecast import Futures
from clvmodels.metrics import METRICS, Judged

DAY = pd.Timestamp("1997-09-30")


def make_judged(purchases: Any, actual: Any, rates: Any = None, ids: Any = None, **changes: Any) -> Judged:
    """A judged entry with Poisson log probabilities at `rates` (by default the draws' mean)."""
    purchases, actual = np.asarray(purchases, dtype=np.int32), np.asarray(actual)
    draws, count = purchases.shape
    ids = np.array([f"c{i:06d}" for i in range(count)]) if ids is None else np.asarray(ids)
    rates = purchases.mean(axis=0) + 0.01 if rates is None else np.asarray(rates)
    futures = Futures(
        customer_id=ids,
        edges=np.array([0.0, 39.0]),
        purchases=purchases,
        period_purchases=purchases.sum(axis=1, keepdims=True),
        expected_purchases=np.tile(rates, (draws, 1)).astype(np.float32),
        p_alive=np.ones((draws, count), dtype=np.float32),
        p_any=-np.expm1(-rates),
        log_prob=poisson.logpmf(actual, rates),
    )
    table = pd.DataFrame({"purchases": actual}, index=pd.Index(ids, name="customer_id")).sort_index()
    customers = Customers(pd.DataFrame({"frequency": 0}, index=table.index), "week", DAY)
    given = {"customers": customers, "holdout": Holdout(table, 39.0, DAY, DAY), "futures": futures, "seed": 7}
    return Judged(**(given | {"weekly": pd.DataFrame()} | changes))


def poisson_judged(count: int = 4000, draws: int = 200, factor: float = 1.0, seed: int = 1) -> Judged:
    """Customers who buy at gamma-distributed rates, forecast at `factor` times their true rate."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.7, 2.0, count)
    actual = rng.poisson(rates)
    return make_judged(rng.poisson(factor * rates, (draws, count)), actual, factor * rates)


def scores(judged: Judged, *names: str) -> dict[str, Any]:
    return {row.score: row for name in names or METRICS for row in METRICS[name].compute(judged)}


def reordered(judged: Judged, order: np.ndarray) -> Judged:
    """The same forecast with its customers in another order; the holdout keeps its own."""
    f = judged.futures
    by_customer = {name: getattr(f, name)[order] for name in ("customer_id", "p_any", "log_prob")}
    by_draw = {name: getattr(f, name)[:, order] for name in ("purchases", "expected_purchases", "p_alive")}
    return dataclasses.replace(judged, futures=dataclasses.replace(f, **by_customer, **by_draw))


def with_log_prob(judged: Judged, log_prob: np.ndarray) -> Judged:
    return dataclasses.replace(judged, futures=dataclasses.replace(judged.futures, log_prob=log_prob))
