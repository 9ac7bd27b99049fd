"""What a model's forecasts of totals have missed by before, and what that says of the next one.

A model of independent customers is far too sure of their sum: what moves all of them at once (a season, a campaign, a
law of buying that is not quite the model's) is in none of its parts. Forecasts of earlier days, each held against what
came after it, show how much that is. With f the median forecast of a window of h weeks, y what came, and v the model's
own variance of log y,

    log(y / f) = b + e + n,   b ~ N(0, bias^2),   e ~ N(0, s^2 (h / 13)^(1/2)),   s ~ half-normal(spread),   n ~ N(0, v)

where e, and n, of windows that overlap are correlated by what they share: of two windows of h and g weeks that share m,
m / (h g)^(1/2), the correlation of sums of independent weeks. The next total is the model's own times exp(b + e). With
no window yet the prior speaks: log errors of such totals on public bases have a standard deviation near 0.2.

Given s all of it is normal, so that b is integrated out exactly and the posterior is a sum over a grid of s.
Shapes: N = window, S = point of the grid, D = draw.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.randomness import keyed_generator

WEEKS = 13.0
"""The length of a window, a quarter, at which the prior of the spread is stated."""
GROWTH = 0.5
"""The power of the horizon with which the variance of errors grows: slower than that of a random walk, 1."""
GRID_POINTS, GRID_REACH = 800, 8.0
"""Points of the grid of s, and how many times the prior's scale it reaches: beyond lie 1e-15 of the prior."""


ANY_DAY = "any"
"""In the place of a day, where none can be looked back from."""


class Prior(NamedTuple):
    """Standard deviation of the bias, and scale of the half-normal of the spread; both of log ratios."""

    bias: float
    spread: float


OF_TOTALS = Prior(bias=0.15, spread=0.2)
OF_RATES = Prior(bias=0.075, spread=0.1)
"""Spend per purchase, margins and returns per spend miss by less than numbers of purchases: half as much. What moves
all customers at once makes them come more or less often; prices and habits of returning stay."""


class Window(NamedTuple):
    """A forecast of an earlier day beside what came. `forecast` is the median, `variance` the model's own variance of
    the log; first (exclusive) and last day."""

    start: pd.Timestamp
    end: pd.Timestamp
    actual: float
    forecast: float
    variance: float

    @property
    def weeks(self) -> float:
        return (self.end - self.start).days / 7

    @property
    def log_error(self) -> float:
        return float(np.log(self.actual / self.forecast))


@dataclass(frozen=True)
class Discrepancy:
    """The posterior of bias and spread, given forecasts that were held against what came.

    Parameters
    ----------
    prior
        What is believed without any.
    windows
        In any order, each once.
    """

    prior: Prior
    windows: tuple[Window, ...] = ()

    @cached_property
    def spreads(self) -> Array:
        """Middles of the cells of the grid. [S]"""
        width = GRID_REACH * self.prior.spread / GRID_POINTS
        return width * (np.arange(GRID_POINTS, dtype=np.float64) + 0.5)

    @cached_property
    def _given_spread(self) -> tuple[Array, Array, Array]:
        """Log density of the errors, and mean and variance of the bias, given each spread. [S] each"""
        errors = np.array([window.log_error for window in self.windows])
        shared = overlaps(self.windows)
        own_sd = np.sqrt([window.variance for window in self.windows])
        of_model = shared * np.outer(own_sd, own_sd)
        growth_sd = np.sqrt([growth(window.weeks) for window in self.windows])
        of_spread = shared * np.outer(growth_sd, growth_sd)
        if not len(errors):
            nothing = np.zeros(GRID_POINTS)
            return nothing, nothing, np.full(GRID_POINTS, self.prior.bias**2)
        covariance = of_model + self.spreads[:, None, None] ** 2 * of_spread
        cholesky = np.linalg.cholesky(covariance)
        both = np.stack([errors, np.ones(len(errors))], axis=1)
        white = np.linalg.solve(cholesky, np.broadcast_to(both, (GRID_POINTS, *both.shape)))
        white_errors, white_ones = white[..., 0], white[..., 1]
        precision = self.prior.bias**-2 + (white_ones**2).sum(axis=1)
        weighted_error = (white_ones * white_errors).sum(axis=1)
        log_roots = np.log(np.diagonal(cholesky, axis1=1, axis2=2)).sum(axis=1)
        log_density = -log_roots - 0.5 * (white_errors**2).sum(axis=1)
        # the bias integrated out: the density above is that of errors about 0
        log_density += 0.5 * weighted_error**2 / precision - 0.5 * np.log(precision * self.prior.bias**2)
        return log_density, weighted_error / precision, 1.0 / precision

    @cached_property
    def weights(self) -> Array:
        """Posterior probability of each cell of the grid. [S]"""
        log_prior = -0.5 * (self.spreads / self.prior.spread) ** 2
        log_posterior = log_prior + self._given_spread[0]
        weights: Array = np.exp(log_posterior - log_posterior.max())
        weights /= weights.sum()
        return weights

    def bias_and_spread(self, uniform: Array, normal: Array) -> tuple[Array, Array]:
        """Draws of the bias and the spread, made of uniform and standard normal numbers. [D] each"""
        ends = np.concatenate([[0.0], np.cumsum(self.weights)])
        cell = np.searchsorted(ends, uniform, side="right") - 1
        cell = np.minimum(cell, GRID_POINTS - 1)  # rounding may leave the last end below a number
        weight = np.maximum(self.weights[cell], np.finfo(float).tiny)
        share = np.clip((uniform - ends[cell]) / weight, 0.0, 1.0)
        width = self.spreads[1] - self.spreads[0]
        spread = self.spreads[cell] + width * (share - 0.5)
        _, means, variances = self._given_spread
        bias = means[cell] + np.sqrt(variances[cell]) * normal
        return bias, spread

    def log_factors(self, weeks: float, draws: int, seed: int, name: str) -> Array:
        """b + e of a window of so many weeks that begins when all of `windows` are over. [D]

        Draws of one seed and name are made of the same random numbers whatever the window, so that a longer one is as
        lucky as a shorter.
        """
        rng = keyed_generator(seed, "discrepancy", name)
        uniform = rng.random(draws)
        of_bias, of_error = rng.standard_normal((2, draws))
        bias, spread = self.bias_and_spread(uniform, of_bias)
        return bias + spread * np.sqrt(growth(weeks)) * of_error


@dataclass(frozen=True)
class Learned:
    """What an entry's forecasts of earlier days say of its next.

    Parameters
    ----------
    discrepancies
        By quantity, of `QUANTITIES`: those that the entry forecasts.
    left_out
        Earlier days of which nothing could be said, as ISO text or `ANY_DAY`, and why.
    """

    discrepancies: Mapping[str, Discrepancy]
    left_out: tuple[tuple[str, str], ...] = ()

    def factor(self, quantities: Collection[str], weeks: float, draws: int, seed: int) -> Array:
        """What the product of some quantities over a window of so many weeks is to be multiplied by, draw by draw.

        One that the entry does not forecast, such as a stated margin, is certain. [D]
        """
        log_factor = np.zeros(draws)
        for name in quantities:
            if name in self.discrepancies:
                log_factor += self.discrepancies[name].log_factors(weeks, draws, seed, name)
        return np.exp(log_factor)


QUANTITIES = {"purchases": OF_TOTALS, "spend": OF_RATES, "margin": OF_RATES, "returns": OF_RATES}
"""What is learned of, with its prior: purchases in total; spend per purchase; margin and cost of returns per spend."""


def growth(weeks: float) -> float:
    """The variance of the error of a window of so many weeks, in units of s^2."""
    return float((weeks / WEEKS) ** GROWTH)


def overlaps(windows: Sequence[Window]) -> NDArray[np.float64]:
    """The correlation of sums of independent days over each two windows: shared days over the root of both lengths.

    [N, N]; positive definite where no window is listed twice and none is made up of others, as windows that all end
    on one day are not.
    """
    starts = np.array([window.start.toordinal() for window in windows])
    ends = np.array([window.end.toordinal() for window in windows])
    days = ends - starts
    shared = np.minimum.outer(ends, ends) - np.maximum.outer(starts, starts)
    correlation: NDArray[np.float64] = np.maximum(shared, 0) / np.sqrt(np.outer(days, days))
    return correlation
