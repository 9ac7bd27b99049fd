"""Expected log predictive density by PSIS-LOO on the calibration: no holdout is spent on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clvmodels.metrics.judged import Judged, Metric, Row, mean_interval

if TYPE_CHECKING:
    import pandas as pd

PARETO_K_LIMIT = 0.7
"""Above it a customer's importance sampling is not to be trusted (Vehtari et al. 2024, JMLR 25)."""


def compute(judged: Judged) -> list[Row]:
    """Sum of the customers' elpd_i with its 90% interval (standard error sqrt(C var)), and the number with a bad k.

    NaN where it was not computed. Comparable only between models of the same statistics.
    """
    if judged.elpd is None:
        return [Row("elpd", float("nan")), Row("elpd_pareto_k_bad", float("nan"))]
    return rows_of("elpd", judged.elpd)


def compute_spend(judged: Judged) -> list[Row]:
    """The same of the spend model, whose density is that of each customer's amounts; no row where there is none.

    A model of the mean amounts is a density of other data: its rows bear another name, elpd_spend_of_means, so that
    no table sets them beside those of the amounts.
    """
    if judged.spend_elpd is None:
        return []
    name = "elpd_spend" if judged.spend_density_of == "amounts" else "elpd_spend_of_means"
    return rows_of(name, judged.spend_elpd)


def rows_of(name: str, elpd: pd.DataFrame) -> list[Row]:
    """The sum of leave-one-out scores with its interval, and the number of a bad k, under that name."""
    mean = np.array(mean_interval(elpd["elpd_i"].to_numpy()))
    total = mean * len(elpd)
    return [Row(name, *total.tolist()), Row(f"{name}_pareto_k_bad", float(uncertain(elpd)))]


def uncertain(elpd: pd.DataFrame) -> int:
    """Customers whose score PSIS cannot estimate: Pareto k above 0.7, or not a number."""
    is_sure = elpd["pareto_k"].to_numpy() <= PARETO_K_LIMIT
    return int(np.count_nonzero(~is_sure))  # "not sure" rather than "above": what is no number is above nothing


ELPD = Metric("elpd", "elpd by PSIS-LOO: log density of each history, given all others", "higher", compute)
ELPD_SPEND = Metric(
    "elpd_spend",
    "elpd of spend by PSIS-LOO: log density of each customer's amounts, given all others",
    "higher",
    compute_spend,
)
