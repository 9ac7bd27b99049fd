"""Importance sampling where one Gaussian does not fit: a mixture of Laplace approximations along one coordinate.

Two cases. A between-group sd runs off to 0 at the joint mode, and around that funnel no single Gaussian fits; a ridge
(Pareto/NBD's s and beta) is curved and skewed. Given the one coordinate, though, everything else is close to Gaussian.
So the mode and covariance of the rest are found at points along it, each weighted by Laplace's approximation of its
mass (Rue, Martino & Chopin 2009, section 3), and their mixture is the proposal; importance weights correct what is
left, and k-hat says whether they can.

Shapes: K = coordinates, S = proposals, M = components.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.errors import FitError, Problem
from clvmodels.inference.samplers.laplace import (
    DEGREES_OF_FREEDOM,
    FEWEST,
    PROPOSALS_PER_DRAW,
    SCALE,
    LaplaceDraws,
    laplace,
    weigh,
)
from clvmodels.inference.samplers.mode import Mode, Summit, climb, find_mode, invert
from clvmodels.inference.target import Conditional, Target

LOG_SD_GRID = np.linspace(np.log(0.001), np.log(3.0), 17)
"""Points along the log of a between-group sd; below the first lies 0.2% of its prior."""
RIDGE = np.arange(-6.5, 6.51, 0.5)
"""Points along a ridge, in standard deviations from the mode: a skewed tail reaches further than the curvature says."""
OVERLAP = 0.7
"""Width of a component along the coordinate, in distances between points: Gaussians so wide add up to a density that is
flat to one in ten thousand between the points, and no wider than the points can follow."""
DEFENSIVE = 0.05
"""Share of the proposals that is dealt out evenly: Laplace's mass of a component may be far too small where the rest is
skewed, and the few proposals from it would carry all the weight."""
NEGLIGIBLE = 15.0
"""Log units of mass below the heaviest component at which one is left out: a share of 3e-7."""


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
    components = _components(target, scale, LOG_SD_GRID, target.starts)
    return _draw(target, components, draws, seed)


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
    if target.size == 1:  # nothing is left to be Gaussian
        return laplace(target, draws, seed, mode=mode)
    width = np.sqrt(np.diag(mode.covariance))
    widest = int(np.argmax(width))
    grid = mode.u[widest] + width[widest] * RIDGE
    components = _components(target, widest, grid.round(12), mode.u[None])
    return _draw(target, components, draws, seed)


def _draw(target: Target, components: Sequence[Component], draws: int, seed: int) -> LaplaceDraws:
    rng = np.random.default_rng(seed)
    shares = _shares(components)
    proposals = _propose(components, shares, max(PROPOSALS_PER_DRAW * draws, FEWEST), rng)
    log_parts = np.stack([_log_density(proposals, component) for component in components], axis=1) + np.log(shares)
    log_proposal = np.logaddexp.reduce(log_parts, axis=1)
    return weigh(target, proposals, log_proposal, draws, rng, _mode_of(components))


def _shares(components: Sequence[Component]) -> np.ndarray:
    """How many of the proposals come from each component. [M]"""
    log_share = np.array([component.log_mass for component in components])
    log_share -= np.logaddexp.reduce(log_share)
    return (1.0 - DEFENSIVE) * np.exp(log_share) + DEFENSIVE / len(components)


def _propose(components: Sequence[Component], shares: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Student t proposals from the mixture. [S, K]"""
    origin = rng.choice(len(components), size=size, p=shares)
    centres = np.stack([component.centre for component in components])
    factors = np.stack([component.factor for component in components])
    z = rng.standard_normal((size, centres.shape[1]))
    z *= SCALE * np.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM, (size, 1)))
    return centres[origin] + np.einsum("sij,sj->si", factors[origin], z)


def _log_density(u: np.ndarray, component: Component) -> np.ndarray:
    """Student t density of a component at u [S, K], up to a constant that all share. [S]"""
    z = np.linalg.solve(component.factor, (u - component.centre).T) / SCALE
    log_det = np.log(np.diag(component.factor)).sum()
    exponent = -0.5 * (DEGREES_OF_FREEDOM + len(component.centre))
    squares = (z**2).sum(axis=0)
    return -log_det + exponent * np.log1p(squares / DEGREES_OF_FREEDOM)


def _mode_of(components: Sequence[Component]) -> Mode:
    """The heaviest component in place of a joint mode, which a funnel has at its end only."""
    heaviest = components[int(np.argmax([component.log_mass for component in components]))]
    starts = pd.DataFrame({"value": [heaviest.log_mass], "maximum": [True], "problem": [""]})
    return Mode(heaviest.centre, heaviest.log_mass, heaviest.factor @ heaviest.factor.T, starts)


def _components(target: Target, coordinate: int, grid: np.ndarray, starts: np.ndarray) -> list[Component]:
    """A component at each point of the coordinate, leaning as the rest's mode moves from point to point."""
    summits = _summits(target, coordinate, grid, starts)
    slopes = np.gradient(np.stack([summit.u for summit in summits]), grid, axis=0)
    widths = OVERLAP * np.gradient(grid)
    along_grid = zip(summits, grid, slopes, widths, strict=True)
    components = [_component(coordinate, *at_point) for at_point in along_grid]
    heaviest = max(component.log_mass for component in components)
    return [component for component in components if component.log_mass > heaviest - NEGLIGIBLE]


def _summits(target: Target, coordinate: int, grid: np.ndarray, starts: np.ndarray) -> list[Summit]:
    """The rest's mode at each point: each climb starts from its neighbour's, from the middle of the grid outwards."""
    free = np.delete(np.arange(target.size), coordinate)

    def rest_given(point: float) -> Conditional:
        return Conditional.of(target, np.full(target.size, point), free, starts[:, free])

    middle = float(np.median(grid))
    mode = find_mode(rest_given(middle))  # from several starts: two modes are refused here
    upwards, downwards = grid[grid >= middle], grid[grid < middle][::-1]
    summits: dict[float, Summit] = {}
    for side in (upwards, downwards):
        start = mode.u
        for point in side:
            rest = rest_given(point)
            summit = climb(rest, start)
            if problem := summit.problem(rest.names):
                what = f"no mode was found given {target.names[coordinate]} = {point:.3g}: {problem}"
                raise FitError(Problem(what, known="Use method='nuts'"))
            summits[point] = summit
            start = summit.u
    return [summits[point] for point in grid]


def _component(coordinate: int, summit: Summit, point: float, slope: np.ndarray, width: float) -> Component:
    """Gaussian of sd `width` along the coordinate, and given that the rest's own, its mode moving by `slope`."""
    size = len(summit.u) + 1
    free = np.delete(np.arange(size), coordinate)
    centre, covariance = np.empty(size), np.zeros((size, size))
    centre[free], centre[coordinate] = summit.u, point
    covariance[np.ix_(free, free)] = invert(summit.curvature) + width**2 * np.outer(slope, slope)
    covariance[free, coordinate] = covariance[coordinate, free] = width**2 * slope
    covariance[coordinate, coordinate] = width**2
    return Component(centre, np.linalg.cholesky(covariance), summit.log_mass())
