"""Expected log predictive density by PSIS-LOO on the calibration: no holdout is spent on it."""

from __future__ import annotations

import numpy as np

from clvmodels.metrics.judged import Judged, Metric, Row, mean_interval

PARETO_K_LIMIT = 0.7
"""Above it a customer's importance sampling is not to be trusted (Vehtari et al. 2024, JMLR 25)."""


def compute(judged: Judged) -> list[Row]:
    """Sum of the customers' elpd_i with its 90% interval (standard error sqrt(C var)), and the number with a bad k.

    NaN where it was not computed. Comparable only between models of the same statistics.
    """
    if judged.elpd is None:
        return [Row("elpd", float("nan")), Row("elpd_pareto_k_bad", float("nan"))]
    mean = np.array(mean_interval(judged.elpd["elpd_i"].to_numpy()))
    bad = np.count_nonzero(~(judged.elpd["pareto_k"].to_numpy() <= PARETO_K_LIMIT))
    return [
        Row("elpd", *(mean * len(judged.elpd)).tolist()),
        Row("elpd_pareto_k_bad", float(bad)),
    ]


ELPD = Metric("elpd", "elpd by PSIS-LOO: log density of each history, given all others", "higher", compute)
