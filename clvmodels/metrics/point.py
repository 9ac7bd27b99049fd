"""Point errors, MAE and RMSE, of each customer's expected purchases (the mean over draws)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels.metrics.judged import Judged, Metric, Row, mean_interval


def point_errors(judged: Judged) -> NDArray[np.float64]:
    """Expected purchases, averaged over draws, less the actual ones. [customer_id]"""
    expected = np.mean(judged.futures.expected_purchases, axis=0, dtype=np.float64)
    return expected - judged.actual


def compute_mae(judged: Judged) -> list[Row]:
    """Mean absolute error |E[purchases] - actual|.

    The mean minimises the squared error, the median the absolute one: with many customers who buy nothing, a forecast
    of zero for all can have the lower MAE. Read it beside the bias.
    """
    return [Row("mae", *mean_interval(np.abs(point_errors(judged))))]


def compute_rmse(judged: Judged) -> list[Row]:
    """Root of the mean squared error; the interval is the root of the mean squared error's."""
    squared = np.array(mean_interval(point_errors(judged) ** 2))
    squared = np.maximum(squared, 0.0)  # with few customers the lower bound of a square may be negative
    return [Row("rmse", *np.sqrt(squared).tolist())]


MAE = Metric("mae", "Mean absolute error of a customer's expected purchases", "lower", compute_mae)
RMSE = Metric("rmse", "Root mean squared error of a customer's expected purchases", "lower", compute_rmse)
