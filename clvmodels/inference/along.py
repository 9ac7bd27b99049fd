"""Importance sampling where one Gaussian does not fit: a mixture of Laplace approximations along one coordinate.

Two cases. A between-group sd runs off to 0 at the joint mode, and around that funnel no single Gaussian fits; a ridge
(Pareto/NBD's s and beta) is curved and skewed. Given the one coordinate, though, everything else is close to Gaussian.
So the mode and covariance of the rest are found at points along it, each weighted by Laplace's approximation of its
mass (Rue, Martino & Chopin 2009, section 3), and their mixture is the proposal; importance weights correct what is
left, and k-hat says whether they can.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.errors import FitError, Problem
from clvmodels.inference.laplace import DEGREES_OF_FREEDOM, FEWEST, SCALE, LaplaceDraws, laplace, weigh
from clvmodels.inference.mode import Mode, Summit, climb, find_mode, invert
from clvmodels.inference.target import Given, Target

LOG_SD_GRID = np.linspace(np.log(0.001), np.log(3.0), 17)
"""Points along the log of a between-group sd; below the first lies 0.2% of its prior."""
RIDGE = np.arange(-3.5, 6.51, 0.5)
"""Points along a ridge, in standard deviations from the mode; a skewed tail reaches further on one side."""
OVERLAP = 0.7
"""Width of a component along the coordinate, in distances between points."""
NEGLIGIBLE = 15.0
"""Log units of mass below the heaviest component at which one is left out."""


class Component(NamedTuple):
    """One part of the mixture: centre [K], Cholesky factor [K, K] and log mass."""

    centre: np.ndarray
    factor: np.ndarray
    log_mass: float


def laplace_along_scale(target: Target, scale: int, draws: int, seed: int) -> LaplaceDraws:
    """Draws from a target of which one coordinate is the log of a between-group sd, its coefficients centred.

    Raises
    ------
    FitError
        No mode given the sd, or two of them.
    LaplaceRefused
        Weights too uneven to trust.
    """
    return _draw(target, _components(target, scale, LOG_SD_GRID, target.starts), draws, seed)


def laplace_along_ridge(target: Target, draws: int, seed: int) -> LaplaceDraws:
    """Draws from a target by a mixture along the coordinate that its mode's covariance leaves widest.

    Raises
    ------
    FitError
        No mode, two of them, or none given that coordinate.
    LaplaceRefused
        Weights too uneven to trust.
    """
    mode = find_mode(target)
    if target.size == 1:
        return laplace(target, draws, seed, mode=mode)
    width = np.sqrt(np.diag(mode.covariance))
    widest = int(np.argmax(width))
    grid = np.concatenate([mode.u[widest] + width[widest] * side for side in (RIDGE, -RIDGE)])
    return _draw(target, _components(target, widest, np.unique(grid.round(12)), mode.u[None]), draws, seed)


def _draw(target: Target, components: list[Component], draws: int, seed: int) -> LaplaceDraws:
    rng = np.random.default_rng(seed)
    log_share = np.array([c.log_mass for c in components])
    log_share -= np.logaddexp.reduce(log_share)
    share = 0.95 * np.exp(log_share) + 0.05 / len(components)
    size = max(10 * draws, FEWEST)
    of = rng.choice(len(components), size=size, p=share)
    z = rng.standard_normal((size, target.size))
    z *= SCALE * np.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM, (size, 1)))
    centres, factors = np.stack([c.centre for c in components]), np.stack([c.factor for c in components])
    proposals = centres[of] + np.einsum("sij,sj->si", factors[of], z)
    log_parts = np.stack([_log_density(proposals, c) for c in components], axis=1) + np.log(share)
    top = components[int(np.argmax(log_share))]
    starts = pd.DataFrame({"value": [top.log_mass], "maximum": [True], "problem": [""]})
    mode = Mode(top.centre, top.log_mass, top.factor @ top.factor.T, starts)
    return weigh(target, proposals, np.logaddexp.reduce(log_parts, axis=1), draws, rng, mode)


def _log_density(u: np.ndarray, component: Component) -> np.ndarray:
    """Student t density of a component at u [S, K], up to a constant that all share. [S]"""
    z = np.linalg.solve(component.factor, (u - component.centre).T) / SCALE
    log_det = np.log(np.diag(component.factor)).sum()
    k = len(component.centre)
    return -log_det - 0.5 * (DEGREES_OF_FREEDOM + k) * np.log1p((z**2).sum(axis=0) / DEGREES_OF_FREEDOM)


def _components(target: Target, coordinate: int, grid: np.ndarray, starts: np.ndarray) -> list[Component]:
    """The rest's mode and covariance at each point of the coordinate, and how the mode moves from point to point."""
    rest, centre = np.delete(np.arange(target.size), coordinate), float(np.median(grid))

    def given(point: float) -> Given:
        held = np.full(target.size, point)
        return Given.of(target, held, rest, starts[:, rest])

    middle = find_mode(given(centre)).u  # several starts: two modes are refused here
    summits: dict[float, Summit] = {}
    for side in (grid[grid >= centre], grid[grid < centre][::-1]):
        start = middle
        for point in side:
            conditional = given(point)
            summits[point] = climb(conditional, start)
            start = summits[point].u
            if problem := summits[point].problem(conditional.names):
                where = f"given {target.names[coordinate]} = {point:.3g}"
                raise FitError(Problem(f"no mode was found {where}: {problem}", known="Use method='nuts'"))
    ordered = [summits[point] for point in grid]
    slopes = np.gradient(np.stack([s.u for s in ordered]), grid, axis=0)
    width = OVERLAP * np.gradient(grid)
    places = zip(ordered, grid, slopes, width, strict=True)
    found = [_component(summit, point, slope, w, rest, coordinate) for summit, point, slope, w in places]
    heaviest = max(c.log_mass for c in found)
    return [c for c in found if c.log_mass > heaviest - NEGLIGIBLE]


def _component(
    summit: Summit, point: float, slope: np.ndarray, width: float, rest: np.ndarray, coordinate: int
) -> Component:
    size = len(rest) + 1
    centre, covariance = np.empty(size), np.zeros((size, size))
    centre[rest], centre[coordinate] = summit.u, point
    covariance[np.ix_(rest, rest)] = invert(summit.curvature) + width**2 * np.outer(slope, slope)
    covariance[rest, coordinate] = covariance[coordinate, rest] = width**2 * slope
    covariance[coordinate, coordinate] = width**2
    return Component(centre, np.linalg.cholesky(covariance), summit.log_mass())
