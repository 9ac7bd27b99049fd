"""Log score: log probability that the model gave to each customer's held-out count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import DataError, Problem
from clvmodels.metrics.judged import Judged, Metric, Row, mean_interval


def log_probabilities(judged: Judged) -> NDArray[np.float64]:
    """Log probability of each customer's held-out count. [customer_id]

    Raises
    ------
    DataError
        Where the forecast has none, or one is not finite. Minus infinity is not averaged: a probability that is
        averaged over drawn states is never 0, so it means a fault, or counts estimated by frequencies of draws.
    """
    if judged.futures.log_prob is None:
        raise DataError(Problem("the forecast has no log probabilities of held-out counts", "futures.log_prob"))
    log_prob = np.asarray(judged.futures.log_prob, dtype=np.float64)
    infinite = np.flatnonzero(~np.isfinite(log_prob))
    if infinite.size:
        first = infinite[0]
        label = str(judged.futures.customer_id[first])
        message = f"{infinite.size} of {log_prob.size} log probabilities are not finite"
        example = f"{log_prob[first]} for customer {label!r} with {judged.actual[first]} purchases"
        remedy = "Average the exact probability of the count given each drawn state"
        raise DataError(Problem(message, "futures.log_prob", example, remedy))
    return log_prob


def compute(judged: Judged) -> list[Row]:
    """Sum over customers with its 90% interval (standard error sqrt(C var)), and the mean.

    NaN where the forecast carries no log probabilities.
    """
    if judged.futures.log_prob is None:
        return [Row("log_score", float("nan")), Row("log_score_mean", float("nan"))]
    mean = np.array(mean_interval(log_probabilities(judged)))
    total = mean * len(judged.actual)
    return [
        Row("log_score", *total.tolist()),
        Row("log_score_mean", *mean.tolist()),
    ]


LOG_SCORE = Metric("log_score", "Log score: log probability given to the held-out purchases", "higher", compute)
