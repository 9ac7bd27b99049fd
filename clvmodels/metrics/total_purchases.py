"""Total purchases of the base: does the forecast's sum hit, and does its interval hold what came?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.metrics.judged import Headline, Judged, Metric, Row


def total_draws(judged: Judged) -> NDArray:
    """Realised purchases of all customers, summed within each draw; times its factor, where totals have learned from
    earlier forecasts. [draw]"""
    counts = np.sum(judged.futures.purchases, axis=1, dtype=np.int64)
    return counts if judged.factor is None else counts * judged.factor


def compute(judged: Judged) -> list[Row]:
    """The actual total, the model's own forecast with its 90% interval, the bias in percent, and whether the interval
    holds; and where totals have learned from earlier forecasts, that forecast and whether its interval does.

    bias = 100 (forecast - actual) / actual, positive where the forecast is too high; NaN where nothing was bought.
    Intervals are equal-tailed over draws; `.interval_holds` is 1 where the 90% interval holds the actual, else 0.
    """
    totals = np.sum(judged.futures.purchases, axis=1, dtype=np.int64)
    actual = int(judged.actual.sum())
    lower, upper = np.quantile(totals, [0.05, 0.95])
    forecast = np.array([totals.mean(), lower, upper])
    bias = np.full(3, np.nan)
    if actual:
        bias = 100 * (forecast - actual) / actual
    rows = [
        Row("total_purchases.actual", float(actual)),
        Row("total_purchases.forecast", *forecast.tolist()),
        Row("total_purchases.bias_percent", *bias.tolist()),
        Row("total_purchases.interval_holds", float(lower <= actual <= upper)),
    ]
    if judged.factor is not None:
        rows += backtested_rows("total_purchases", total_draws(judged), actual)
    return rows


def backtested_rows(name: str, draws: NDArray, actual: float) -> list[Row]:
    """The forecast of a total that has learned from earlier ones, and whether its 90% interval holds what came."""
    lower, upper = map(float, np.quantile(draws, [0.05, 0.95]))
    return [
        Row(f"{name}.backtested", float(draws.mean()), lower, upper),
        Row(f"{name}.backtested_holds", float(lower <= actual <= upper)),
    ]


def percent(bias: float) -> str:
    """A bias to the whole percent, with its sign; a dash where nothing was bought."""
    if np.isnan(bias):
        return words.number(bias)
    return f"{words.signed(bias, 1.0)}%"


TOTAL_PURCHASES = Metric(
    "total_purchases",
    "Total purchases: forecast beside what came, bias",
    "near 0",
    compute,
    Headline("total_purchases.bias_percent", "Bias of total", percent),
)
