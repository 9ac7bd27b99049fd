"""How sure a mean of answers is, when answers are few.

The shares of the possible answers have a Dirichlet posterior; a mean score and a net promoter score are means of points
over these shares. The prior is worth one answer, spread evenly over the scale, unless another weight is stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from clvmodels.draws import Array
from clvmodels.randomness import keyed_generator

PRIOR_ANSWERS = 1.0
LEVELS = (0.05, 0.95)
DRAWS = 4000
SCALES = {"nps": range(11), "csat": range(1, 6), "ces": range(1, 8)}
PROMOTER, DETRACTOR = 8.5, 6.5
"""Between the answers: 9 and 10 promote, 7 and 8 are passive, 0 to 6 detract."""


class Score(NamedTuple):
    """What was answered, and the 90% interval of what all would answer."""

    value: float
    lower: float
    upper: float


def net_promoter_score(answers: Mapping[float, float], prior: float = PRIOR_ANSWERS) -> Score:
    """From -100 to 100: percent of promoters less percent of detractors. `answers` are counts by score."""
    groups = {100.0: 0.0, 0.0: 0.0, -100.0: 0.0}
    for score, n in answers.items():
        groups[_points(score)] += n
    return mean_score(groups, groups, prior)


def _points(score: float) -> float:
    """What an answer adds to a net promoter score, in percent."""
    if score > PROMOTER:
        return 100.0
    return 0.0 if score >= DETRACTOR else -100.0


def mean_score(answers: Mapping[float, float], scale: Mapping[float, float] | range, prior: float) -> Score:
    """The mean of the answers, counted by score, on a scale of these points."""
    points = sorted({*map(float, scale), *answers})
    counts = np.array([answers.get(point, 0.0) for point in points])
    if counts.sum() == 0:
        return Score(np.nan, np.nan, np.nan)
    even = np.array([point in scale for point in points], dtype=float) * prior / len(scale)
    weights = _dirichlet_weights(points, counts, even, prior, len(scale))
    means = weights @ np.array(points) / weights.sum(axis=1)
    value = float(counts @ np.array(points) / counts.sum())
    lower, upper = np.quantile(means, LEVELS)
    return Score(value, float(lower), float(upper))


def _dirichlet_weights(points: list[float], counts: Array, even: Array, prior: float, size: int) -> Array:
    """Shares of the answers but for their sum, drawn: keyed by the counts, so that the same answers give the same
    interval, whatever else is computed. [draw, point]"""
    answered = " ".join(f"{point:g}:{n:g}" for point, n in zip(points, counts, strict=True) if n)
    rng = keyed_generator(0, "satisfaction", f"{answered} {prior:g} {size}")
    return rng.standard_gamma(counts + even, (DRAWS, len(points)))
