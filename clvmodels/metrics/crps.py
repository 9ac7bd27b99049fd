"""Continuous ranked probability score: the distance of a customer's whole forecast from what came, in purchases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.draws import BLOCK_ELEMENTS
from clvmodels.errors import DataError, Problem
from clvmodels.metrics.judged import Headline, Judged, Metric, Row, mean_interval


def fair_crps(draws: NDArray, actual: NDArray) -> NDArray[np.float64]:
    """Fair CRPS of an ensemble: unbiased for the distribution that the draws come from, however few they are.

    mean_i |X_i - y| - 1/(2 D (D - 1)) sum_ij |X_i - X_j|, the double sum from the sorted draws as
    2 sum_k (2 k - D - 1) X_(k) (Ferro 2014, Quarterly Journal of the Royal Meteorological Society 140, eq. 8).

    Parameters
    ----------
    draws
        [customer_id, draw]
    actual
        [customer_id]

    Returns
    -------
    [customer_id], in the unit of the draws; slightly negative values can occur, since it is unbiased.
    """
    count = draws.shape[-1]
    if count < 2:
        raise DataError(Problem("the fair CRPS needs at least 2 draws", "crps", f"{count}"))
    distance = np.abs(draws - actual[:, None]).mean(axis=-1, dtype=np.float64)
    # by the sorted draws: all pairs of them would take draws x draws of memory
    weights = 2.0 * np.arange(1, count + 1) - count - 1
    half_spread = np.sort(draws, axis=-1) @ weights / (count * (count - 1))
    return distance - half_spread


def crps_per_customer(judged: Judged, elements: int = BLOCK_ELEMENTS) -> NDArray[np.float64]:
    """Fair CRPS of each customer's realised purchases. [customer_id]"""
    scores = []
    for _, draws, actual in judged.count_blocks(elements):
        scores.append(fair_crps(draws, actual))
    return np.concatenate(scores)


def compute(judged: Judged) -> list[Row]:
    """Mean fair CRPS over customers."""
    return [Row("crps", *mean_interval(crps_per_customer(judged)))]


CRPS = Metric(
    "crps",
    "CRPS: distance of a customer's forecast distribution from what came",
    "lower",
    compute,
    Headline("crps", "CRPS", lambda purchases: words.number(purchases, 0.001)),
)
