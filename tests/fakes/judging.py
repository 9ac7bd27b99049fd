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
from clvmodels.metrics.money import Money

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


def money_of(judged: Judged, name: str = "spend", amount: float = 20.0, seed: int = 2) -> Money:
    """What the purchases of a judged entry bring: gamma amounts of that mean, in the forecast as in what came."""
    rng = np.random.default_rng(seed)
    f = judged.futures
    realised, came = (
        amount * rng.gamma(3.0 * np.maximum(n, 1e-9)) / 3.0 * (n > 0) for n in (f.purchases, judged.actual)
    )
    mean = amount * f.expected_purchases.mean(axis=0, dtype=float)
    return Money(name, f.customer_id, realised.astype(np.float32), mean, came, DAY, judged.seed)


def with_money(judged: Judged) -> Judged:
    """The entry with what its purchases bring, and with made-up densities of their amounts."""
    density = pd.Series(-4.0 * judged.actual, index=judged.futures.customer_id)
    money = {name: money_of(judged, name) for name in ("spend", "profit")}
    return dataclasses.replace(judged, money=money, amounts_log_prob=density)


def scores(judged: Judged, *names: str) -> dict[str, Any]:
    return {row.score: row for name in names or METRICS for row in METRICS[name].compute(judged)}


def reordered(judged: Judged, order: np.ndarray) -> Judged:
    """The same forecast with its customers in another order; the holdout keeps its own."""
    f = judged.futures
    by_customer = {name: getattr(f, name)[order] for name in ("customer_id", "p_any", "log_prob")}
    by_draw = {name: getattr(f, name)[:, order] for name in ("purchases", "expected_purchases", "p_alive")}
    money = {}
    for name, kind in judged.money.items():
        of_money = {key: getattr(kind, key)[order] for key in ("customer_id", "mean", "actual")}
        money[name] = dataclasses.replace(kind, realised=kind.realised[:, order], **of_money)
    return dataclasses.replace(judged, futures=dataclasses.replace(f, **by_customer, **by_draw), money=money)


def with_log_prob(judged: Judged, log_prob: np.ndarray) -> Judged:
    return dataclasses.replace(judged, futures=dataclasses.replace(judged.futures, log_prob=log_prob))
