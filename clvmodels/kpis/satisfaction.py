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
    names = sorted({*map(float, scale), *answers})  # an answer beside the scale counts too, but has no prior
    points = np.array(names)
    counts = np.array([answers.get(point, 0.0) for point in names])
    if counts.sum() == 0:
        return Score(np.nan, np.nan, np.nan)
    on_scale = np.array([point in scale for point in names], dtype=float)
    prior_counts = on_scale * prior / len(scale)
    rng = _generator(points, counts, prior, len(scale))
    # gamma variables over their sum are the shares of a Dirichlet distribution
    weights = rng.standard_gamma(counts + prior_counts, (DRAWS, len(points)))
    means = weights @ points / weights.sum(axis=1)
    lower, upper = np.quantile(means, LEVELS)
    value = float(counts @ points / counts.sum())
    return Score(value, float(lower), float(upper))


def _generator(points: Array, counts: Array, prior: float, size: int) -> np.random.Generator:
    """Keyed by the answers, so that the same answers give the same interval, whatever else is computed."""
    answers = []
    for point, count in zip(points, counts, strict=True):
        if count > 0:
            answers.append(f"{point:g}:{count:g}")
    return keyed_generator(0, "satisfaction", f"{' '.join(answers)} {prior:g} {size}")
