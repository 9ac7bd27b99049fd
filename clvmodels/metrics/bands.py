"""Bands: how far what came may lie from a forecast by chance alone, if the forecast is sound.

Figures read their rules here, and the command line reads figures: what loads slowly is imported where it is used.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

from clvmodels.draws import Array

CHANCE = 0.99
"""Level at which is drawn, and judged, what chance alone does in a sound model."""
ONE_SIDED, LOW, HIGH = 0.01, 0.005, 0.995
"""Its tail where only too few is bad, and its two ends where too much is bad as well."""
BAND_SIMULATIONS = 4_000
CONSISTENCY_RESAMPLES = 1_000
MOST_PREDICTIONS = 2_000
"""Different predictions that an isotonic fit tells apart; near ones are taken together beyond that many."""
SLACK = 1e-9
"""A curve that touches its band is inside it, whatever rounding does."""


class InsideCount(NamedTuple):
    """How many of several numbers lie inside their 90% intervals, beside what a sound model would show."""

    actual: int
    expected: float
    lower_limit: float
    of: int

    @property
    def holds(self) -> bool:
        """Whether as many are inside as in all but 1% of the model's own draws."""
        return bool(self.actual >= self.lower_limit)


def inside_count(draws: NDArray, actual: NDArray) -> InsideCount:
    """Count the numbers inside their 90% intervals.

    Weeks, and groups, share rates: they are not independent. What is expected, and the limit (the 1% quantile),
    are those of the count in the model's own draws.

    Parameters
    ----------
    draws
        [draw, number]
    actual
        [number]
    """
    low, high = np.quantile(draws, (0.05, 0.95), axis=0)
    is_inside = (actual >= low) & (actual <= high)
    draws_inside = (draws >= low) & (draws <= high)
    count_in_draws = draws_inside.sum(axis=1)
    # "lower": a count that occurs, so that as many inside are enough
    limit = float(np.quantile(count_in_draws, ONE_SIDED, method="lower"))
    expected = float(count_in_draws.mean())
    return InsideCount(int(is_inside.sum()), expected, limit, draws.shape[1])


def how_far_beyond_chance(draws: NDArray, actual: NDArray) -> float:
    """How far the farthest of several numbers lies from its mean, in standard deviations of its own, over what the
    farthest of them does in all but 1% of the model's own draws; 1 is at that limit.

    Parameters
    ----------
    draws
        [draw, number]
    actual
        [number]
    """
    mean, spread = draws.mean(axis=0), draws.std(axis=0)
    varies = spread > SLACK * np.abs(mean)
    if not np.allclose(actual[~varies], mean[~varies]):
        return math.inf  # where the model is sure, and wrong
    if not varies.any():
        return 0.0
    distance_in_draws = np.abs(draws - mean)[:, varies] / spread[varies]
    distance = np.abs(actual - mean)[varies] / spread[varies]
    return float(distance.max() / np.quantile(distance_in_draws.max(axis=1), CHANCE))


def points_outside(curve: pd.Series, lower: pd.Series, upper: pd.Series) -> pd.Series:
    """Which points of a curve leave its band; a point that is not known does not."""
    return (curve < lower - SLACK) | (curve > upper + SLACK)


def uniform_band(customers: int, places: Array, level: float = CHANCE) -> tuple[Array, Array]:
    """Simultaneous band of the distribution function of `customers` uniform numbers.

    The pointwise binomial probability is lowered until `level` of simulated uniform samples stay inside everywhere
    (Saeilynoja, Buerkner & Vehtari 2022, Statistics and Computing 32). The samples are drawn as multinomial counts
    between the places, so that their cost does not grow with the base.

    Parameters
    ----------
    customers
        Size of the sample.
    places
        Inner places, rising, in (0, 1). [place]

    Returns
    -------
    (lower, upper), as shares of the customers; not to be changed. [place] each
    """
    return _uniform_band(customers, tuple(places.tolist()), level)


@lru_cache(maxsize=64)  # groups of the same customers are judged for each entry, by a check and by a figure
def _uniform_band(customers: int, inner_places: tuple[float, ...], level: float) -> tuple[Array, Array]:
    """`uniform_band`, kept."""
    from scipy.stats import binom

    places = np.array(inner_places)
    rng = np.random.default_rng(20220401)  # the same band whenever it is asked for
    gaps = np.diff(np.concatenate([[0.0], places, [1.0]]))
    counts = rng.multinomial(customers, gaps, size=BAND_SIMULATIONS)
    below = counts.cumsum(axis=1)[:, :-1]  # without the last place, 1, below which all are
    at_most = bdtr(below, customers, places)
    # P(X >= 0) is 1; the function of the upper tail has no place for -1
    at_least = np.where(below > 0, bdtrc(np.maximum(below - 1, 0), customers, places), 1.0)
    smallest = np.minimum(at_most, at_least).min(axis=1)
    tail = np.quantile(smallest, 1 - level)
    lower = binom.ppf(tail, customers, places) / customers
    upper = binom.isf(tail, customers, places) / customers
    for end in (lower, upper):
        end.flags.writeable = False
    return lower, upper


class IsotonicLine(NamedTuple):
    """The share of customers who bought by what was predicted, and its consistency band. [grid] each"""

    bought: Array
    lower: Array
    upper: Array


def isotonic_line(predicted: Array, bought: NDArray[np.bool_], grid: Array) -> IsotonicLine:
    """The non-decreasing fit of an event to its predicted probability, read at a grid.

    CORP reliability (Dimitriadis, Gneiting & Jordan 2021, PNAS 118). The band holds the line pointwise in 99% of
    resamples in which the event happens with exactly the predicted probability.

    Parameters
    ----------
    predicted
        Probabilities. [customer_id]
    bought
        Whether the event happened. [customer_id]
    grid
        Probabilities at which the line is read. [grid]
    """
    places, weight, events = _condense(predicted, bought)
    line = _isotonic(places, events / weight, weight, grid)
    rng = np.random.default_rng(20210301)  # the same band whenever it is asked for
    lines = []
    for _ in range(CONSISTENCY_RESAMPLES):
        resampled_events = rng.binomial(weight, places)
        lines.append(_isotonic(places, resampled_events / weight, weight, grid))
    lower, upper = np.quantile(np.array(lines), (LOW, HIGH), axis=0)
    return IsotonicLine(line, lower, upper)


def _condense(predicted: Array, bought: NDArray[np.bool_]) -> tuple[Array, NDArray[np.int64], Array]:
    """Equal predictions to one row with its number of customers; of very many, near ones too (their mean)."""
    keys = predicted
    if len(np.unique(predicted)) > MOST_PREDICTIONS:
        keys = np.round(predicted * MOST_PREDICTIONS)
    _, codes, weight = np.unique(keys, return_inverse=True, return_counts=True)
    places = np.bincount(codes, predicted) / weight
    events = np.bincount(codes, bought)
    return places, weight, events


def _isotonic(places: Array, rate: Array, weight: NDArray, grid: Array) -> Array:
    from scipy.optimize import isotonic_regression

    fitted = isotonic_regression(rate, weights=weight.astype(float)).x
    return np.interp(grid, places, fitted)
