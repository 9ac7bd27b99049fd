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
    given = judged.futures.log_prob
    if given is None:
        raise DataError(Problem("the forecast has no log probabilities of held-out counts", "futures.log_prob"))
    log_prob = np.asarray(given, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(log_prob))
    if bad.size:
        first = bad[0]
        label = str(judged.futures.customer_id[first])
        got = f"{log_prob[first]} for customer {label!r} with {judged.actual[first]} purchases"
        known = "Average the exact probability of the count given each drawn state"
        raise DataError(
            Problem(f"{bad.size} of {log_prob.size} log probabilities are not finite", "futures.log_prob", got, known)
        )
    return log_prob


def compute(judged: Judged) -> list[Row]:
    """Sum over customers with its 90% interval (standard error sqrt(C var)), and the mean.

    NaN where the forecast carries no log probabilities.
    """
    if judged.futures.log_prob is None:
        return [Row("log_score", float("nan")), Row("log_score_mean", float("nan"))]
    mean = np.array(mean_interval(log_probabilities(judged)))
    return [
        Row("log_score", *(mean * len(judged.actual)).tolist()),
        Row("log_score_mean", *mean.tolist()),
    ]


LOG_SCORE = Metric("log_score", "Log score: log probability given to the held-out purchases", "higher", compute)
