"""Total purchases of the base: does the forecast's sum hit, and does its interval hold what came?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.metrics.judged import Headline, Judged, Metric, Row


def total_draws(judged: Judged) -> NDArray[np.int64]:
    """Realised purchases of all customers, summed within each draw. [draw]"""
    return np.sum(judged.futures.purchases, axis=1, dtype=np.int64)


def compute(judged: Judged) -> list[Row]:
    """The actual total, the forecast with its 90% interval, the bias in percent, and whether the interval holds.

    bias = 100 (forecast - actual) / actual, positive where the forecast is too high; NaN where nothing was bought.
    Intervals are equal-tailed over draws; `.interval_holds` is 1 where the 90% interval holds the actual, else 0.
    """
    totals = total_draws(judged)
    actual = int(judged.actual.sum())
    lower, upper = np.quantile(totals, [0.05, 0.95])
    forecast = np.array([totals.mean(), lower, upper])
    bias = np.full(3, np.nan)
    if actual:
        bias = 100 * (forecast - actual) / actual
    return [
        Row("total_purchases.actual", float(actual)),
        Row("total_purchases.forecast", *forecast.tolist()),
        Row("total_purchases.bias_percent", *bias.tolist()),
        Row("total_purchases.interval_holds", float(lower <= actual <= upper)),
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
