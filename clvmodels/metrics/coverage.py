"""Inclusive coverage of customers' intervals, beside the coverage that the model itself expects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.draws import BLOCK_ELEMENTS
from clvmodels.metrics.judged import Headline, Judged, Metric, Row, share_interval

TAILS = {50: (0.25, 0.75), 80: (0.1, 0.9), 90: (0.05, 0.95)}


def inclusive_coverage(
    judged: Judged, tails: tuple[float, float], elements: int = BLOCK_ELEMENTS
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each actual count lies in its interval, ends included, and the share of its own draws that do.

    The interval's ends are counts: the smallest whose share of draws up to it reaches the lower and the upper tail
    (the inverse of the draws' distribution function). Counts are discrete, so an interval holds more than its nominal
    share, most where few purchases are expected: the second array says how much. [customer_id] each
    """
    is_inside = np.empty(len(judged.actual), dtype=bool)
    expected = np.empty(len(judged.actual))
    for place, draws, actual in judged.count_blocks(elements):
        lower, upper = np.quantile(draws, tails, axis=1, method="inverted_cdf")
        is_inside[place] = (lower <= actual) & (actual <= upper)
        draws_inside = (lower[:, None] <= draws) & (draws <= upper[:, None])
        expected[place] = draws_inside.mean(axis=1)
    return is_inside, expected


def compute(judged: Judged) -> list[Row]:
    """Share of customers inside their equal-tailed 50, 80 and 90% intervals, and the share the model expects.

    The interval of a share is exact binomial (Clopper-Pearson), 90%.
    """
    rows = []
    for level, tails in TAILS.items():
        is_inside, expected = inclusive_coverage(judged, tails)
        rows.append(Row(f"coverage_{level}", *share_interval(is_inside)))
        rows.append(Row(f"coverage_{level}_expected", float(expected.mean())))
    return rows


COVERAGE = Metric(
    "coverage",
    "Customers inside their 50, 80 and 90% intervals, beside the model's own",
    "near nominal",
    compute,
    Headline("coverage_90", "90% coverage", words.probability),
)
