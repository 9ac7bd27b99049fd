"""Importance sampling where one Gaussian does not fit: a mixture of Laplace approximations along one coordinate.

Two cases. A between-group sd runs off to 0 at the joint mode, and around that funnel no single Gaussian fits; a ridge
(Pareto/NBD's s and beta) is curved and skewed. Given the one coordinate, though, everything else is close to Gaussian.
So the mode and covariance of the rest are found at points along it, each weighted by Laplace's approximation of its
mass (Rue, Martino & Chopin 2009, section 3), and their mixture is the proposal; importance weights correct what is
left, and k-hat says whether they can.

Shapes: K = coordinates, S = proposals, M = components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import interpolate

from clvmodels.errors import FitError, Problem
from clvmodels.inference.samplers.counted import Counted
from clvmodels.inference.samplers.laplace import LaplaceDraws, LaplaceRefused, Thinning, weigh
from clvmodels.inference.samplers.marginal import Marginal
from clvmodels.inference.samplers.mode import Mode, Summit, find_mode, invert, polish
from clvmodels.inference.samplers.plane import Plane
from clvmodels.inference.samplers.proposals import Component, Mixture, student_t
from clvmodels.inference.target import Conditional, Target

LOG_SD_POINTS = np.linspace(np.log(0.001), np.log(3.0), 9)
"""Places along the log of a between-group sd at which the rest's mode is looked for, of a half-normal prior of scale
0.5; below the first lies 0.2% of it. Those of another prior are moved by its own scale."""
LOG_SD_GRID = np.linspace(np.log(0.001), np.log(3.0), 17)
"""Where the components are, between those places too."""
LOG_SD_STEP, LOG_SD_NEGLIGIBLE = 1.0, 7.0
"""Steps of the lattice over the logs of two between-group sds, and the log units of mass below which it ends: towards 0
a log sd loses one with each step only, and nothing there depends on it."""
RIDGE_POINTS = np.arange(-6.0, 6.01, 1.5)
"""Places along a ridge, in standard deviations from the mode: a skewed tail reaches further than the curvature says."""
RIDGE_GRID = np.arange(-6.5, 6.51, 0.5)
OVERLAP = 0.7
"""Width of a component along the coordinate, in distances between points: Gaussians so wide add up to a density that is
flat to one in ten thousand between the points, and no wider than the points can follow."""
NEGLIGIBLE = 15.0
"""Log units of mass below the heaviest component at which one is left out: a share of 3e-7."""
ROUGHLY = 0.1
"""Log units to gain at which a step towards the rest's mode is the last: a proposal needs no more."""
FEWEST_PLACES = 5
"""Places that a spline takes for a skewed curve."""


def laplace_along_scale(target: Target, scale: int, draws: int, seed: int, unit: float = 1.0) -> LaplaceDraws:
    """Draws from a target of which one coordinate is the log of a between-group sd, its coefficients centred.

    Where the mixture along it is refused, another coordinate is skewed given the sd (how alike customers are, when few
    have had anything come back): then both are followed, over a plane.

    Parameters
    ----------
    unit
        Median of the sd's prior, in medians of the usual one: a margin differs by hundredths, a log rate by tenths.

    Raises
    ------
    FitError
        No mode given the sd, or two of them.
    LaplaceRefused
        Weights too uneven to trust.
    """
    target = Counted.of(target)
    rng = np.random.default_rng(seed)
    mixture = _along_scale(target, scale, unit)
    try:
        return _drawn_from(mixture, target, draws, rng)
    except LaplaceRefused:
        if target.size == 2:  # nothing else is left that could be skewed
            raise
    plane = _over_scale_and_ridge(target, scale, _mode_of(mixture)).mixture()
    return _drawn_from(plane, target, draws, rng)


def _along_scale(target: Counted, scale: int, unit: float) -> Mixture:
    """The mixture along the log of a between-group sd."""
    places, grid = LOG_SD_POINTS + np.log(unit), LOG_SD_GRID + np.log(unit)
    middle = float(np.median(places))
    free = np.delete(np.arange(target.size), scale)
    rest = Conditional.of(target, np.full(target.size, middle), free)
    mode = find_mode(rest)  # from several starts: two modes are refused here
    summit = Summit(mode.u, mode.value, np.linalg.inv(mode.covariance), 0.0)
    path = _follow(target, scale, places, middle, summit, np.zeros(len(free)))
    return _mixture(scale, path, grid)


def laplace_without_labels(target: Target, scale: int, draws: int, seed: int, unit: float = 1.0) -> LaplaceDraws:
    """Draws from a target with so many labels in a group that their coefficients are integrated out (`Marginal`).

    What is left is sampled along the log of the between-group sd; or where it has a ridge beside that, over a plane.

    Parameters
    ----------
    unit
        As of `laplace_along_scale`.

    Raises
    ------
    FitError
        No mode given the sd, or two of them; coefficients that have no one place given everything else.
    LaplaceRefused
        Weights too uneven to trust.
    """
    joint = Counted.of(target)
    marginal = Marginal.of(joint.joint)
    counted = Counted.of(marginal, joint.cost)
    rng = np.random.default_rng(seed)
    place = int(np.searchsorted(marginal.others, scale))
    mixture = _along_scale(counted, place, unit)
    mode = _mode_of(mixture)
    drawn: LaplaceDraws | None
    if counted.size == 2:  # nothing else is left that could be a ridge
        drawn = _drawn_from(mixture, counted, draws, rng)
    else:
        drawn = Thinning(counted, mode, draws, rng).draw(mixture, patience=0)
    if drawn is None:
        plane = _over_scale_and_ridge(counted, place, mode).mixture()
        drawn = _drawn_from(plane, counted, draws, rng)
    return replace(drawn, u=marginal.complete(drawn.u, rng))


def _over_scale_and_ridge(target: Counted, scale: int, mode: Mode) -> Plane:
    """A plane of the log of a between-group sd and of the coordinate that is widest beside it, around a mode given the
    sd."""
    width = np.sqrt(np.diag(mode.covariance))
    width[scale] = 0.0
    widest = int(np.argmax(width))
    pair = np.array([scale, widest])
    free = np.delete(np.arange(target.size), pair)
    summit = polish(Conditional.of(target, mode.u, free), mode.u[free], mode.u[free])
    slope = np.zeros((len(free), 2))
    slope[:, 1] = mode.covariance[free, widest] / mode.covariance[widest, widest]
    axes = np.diag([LOG_SD_STEP, width[widest]])
    return Plane(target, pair, mode.u[pair], axes, summit, slope, LOG_SD_NEGLIGIBLE)


def laplace_over_scales(
    target: Target, scales: Sequence[int] | np.ndarray, near: np.ndarray, draws: int, seed: int
) -> LaplaceDraws:
    """Draws from a target of which two coordinates are the logs of between-group sds.

    Parameters
    ----------
    near : [K]
        Where the lattice begins: the sds of the EM algorithm, say, and the rest's mode given them.

    Raises
    ------
    FitError
        No mode given the sds.
    LaplaceRefused
        Weights too uneven to trust.
    """
    target = Counted.of(target)
    pair = np.array(scales)
    free = np.delete(np.arange(target.size), pair)
    summit = polish(Conditional.of(target, near, free), near[free], near[free])
    if problem := summit.problem(target.names):
        raise FitError(Problem(f"no mode was found given the between-group sds: {problem}", known="Use method='nuts'"))
    axes = LOG_SD_STEP * np.eye(len(pair))
    slope = np.zeros((len(free), len(pair)))
    mixture = Plane(target, pair, near[pair], axes, summit, slope, LOG_SD_NEGLIGIBLE).mixture()
    return _drawn_from(mixture, target, draws, np.random.default_rng(seed))


def laplace_over_scales_without_labels(
    target: Target, scales: Sequence[int], near: np.ndarray, draws: int, seed: int
) -> LaplaceDraws:
    """`laplace_over_scales` of a target of two pooled groups, one of them with so many labels that their coefficients
    are integrated out (`Marginal`).

    Raises
    ------
    FitError
        No mode given the sds; coefficients that have no one place given everything else.
    LaplaceRefused
        Weights too uneven to trust.
    """
    joint = Counted.of(target)
    marginal = Marginal.of(joint.joint)
    counted = Counted.of(marginal, joint.cost)
    places = np.searchsorted(marginal.others, scales)
    drawn = laplace_over_scales(counted, places, near[marginal.others], draws, seed)
    (of_labels,) = np.random.SeedSequence(seed).spawn(1)
    return replace(drawn, u=marginal.complete(drawn.u, np.random.default_rng(of_labels)))


def _drawn_from(mixture: Mixture, target: Counted, draws: int, rng: np.random.Generator) -> LaplaceDraws:
    mode = _mode_of(mixture)
    return Thinning(target, mode, draws, rng).draw(mixture) or weigh(target, mixture, draws, rng, mode)


def laplace_along_ridge(target: Target, draws: int, seed: int) -> LaplaceDraws:
    """Draws from a target by a Student t around its mode, or where that is too far from it, by a mixture along a ridge:
    the coordinate that the mode's covariance leaves widest.

    Raises
    ------
    FitError
        No mode, two of them, or none given that coordinate.
    LaplaceRefused
        Weights too uneven to trust.
    """
    target = Counted.of(target)
    mode = find_mode(target)
    rng = np.random.default_rng(seed)
    thinning = Thinning(target, mode, draws, rng)
    around_mode = student_t(mode.u, mode.covariance)
    if target.size == 1:  # nothing is left to be Gaussian
        return thinning.draw(around_mode) or weigh(target, around_mode, draws, rng, mode)
    if drawn := thinning.draw(around_mode, patience=0):
        return drawn
    ridge = _along_ridge(target, mode)
    if target.size == 2:
        return thinning.draw(ridge) or weigh(target, ridge, draws, rng, mode)
    if drawn := thinning.draw(ridge, patience=1):
        return drawn
    plane = Plane.around(target, mode).mixture()
    return thinning.draw(plane) or weigh(target, plane, draws, rng, mode)


def _along_ridge(target: Target, mode: Mode) -> Mixture:
    """The mixture along the widest coordinate; the rest's mode moves with it at first as the joint curvature says."""
    width = np.sqrt(np.diag(mode.covariance))
    widest = int(np.argmax(width))
    free = np.delete(np.arange(target.size), widest)
    curvature = np.linalg.inv(mode.covariance)
    slope = mode.covariance[free, widest] / mode.covariance[widest, widest]
    summit = Summit(mode.u[free], mode.value, curvature[np.ix_(free, free)], 0.0)
    places = mode.u[widest] + width[widest] * RIDGE_POINTS
    path = _follow(target, widest, places, mode.u[widest], summit, slope)
    return _mixture(widest, path, mode.u[widest] + width[widest] * RIDGE_GRID)


def _follow(
    target: Target, coordinate: int, places: np.ndarray, middle: float, summit: Summit, slope: np.ndarray
) -> dict[float, Summit]:
    """The rest's mode at places along the coordinate, from one to its neighbour, until the mass is negligible.

    Parameters
    ----------
    middle, summit
        The place to begin at, and the rest's mode there.
    slope : [K - 1]
        How the rest's mode moves there.
    """
    free = np.delete(np.arange(target.size), coordinate)
    path = {middle: summit}
    for side in (places[places > middle], places[places < middle][::-1]):
        before, here, moving = middle, summit, slope
        for place in side:
            rest = Conditional.of(target, np.full(target.size, place), free)
            ahead = here.u + (place - before) * moving
            there = polish(rest, ahead, ahead, last_step=ROUGHLY)
            if problem := there.problem(rest.names, ROUGHLY):
                what = f"no mode was found given {target.names[coordinate]} = {place:.3g}: {problem}"
                raise FitError(Problem(what, known="Use method='nuts'"))
            path[place] = there
            moving = (there.u - here.u) / (place - before)
            before, here = place, there
            heaviest = max(summit.log_mass() for summit in path.values())
            if there.log_mass() < heaviest - NEGLIGIBLE and len(path) >= FEWEST_PLACES:
                break
    return dict(sorted(path.items()))


def _mixture(coordinate: int, path: Mapping[float, Summit], grid: np.ndarray) -> Mixture:
    """A component at each point of a grid, between the places that were looked at by cubic splines.

    It is Gaussian of sd `OVERLAP` grid steps along the coordinate, and given that the rest's own, its mode moving by
    the spline's slope.
    """
    places = np.array(list(path))
    grid = grid[(grid > places[0] - 1e-9) & (grid < places[-1] + 1e-9)]
    modes = interpolate.CubicSpline(places, [summit.u for summit in path.values()])
    factors = np.linalg.cholesky([invert(summit.curvature) for summit in path.values()])
    factor = interpolate.CubicSpline(places, factors)
    log_mass = interpolate.CubicSpline(places, [summit.log_mass() for summit in path.values()])
    size = factors.shape[1] + 1
    free = np.delete(np.arange(size), coordinate)
    width = OVERLAP * (grid[1] - grid[0])
    components = []
    for point in grid:
        centre, covariance = np.empty(size), np.zeros((size, size))
        centre[free], centre[coordinate] = modes(point), point
        leaning = width * modes(point, 1)
        covariance[np.ix_(free, free)] = factor(point) @ factor(point).T + np.outer(leaning, leaning)
        covariance[free, coordinate] = covariance[coordinate, free] = width * leaning
        covariance[coordinate, coordinate] = width**2
        components.append(Component(centre, np.linalg.cholesky(covariance), float(log_mass(point))))
    heaviest = max(component.log_mass for component in components)
    return Mixture(tuple(c for c in components if c.log_mass > heaviest - NEGLIGIBLE))


def _mode_of(mixture: Mixture) -> Mode:
    """The heaviest component in place of a joint mode, which a funnel has at its end only."""
    heaviest = max(mixture.components, key=lambda component: component.log_mass)
    starts = pd.DataFrame({"value": [heaviest.log_mass], "maximum": [True], "problem": [""]})
    return Mode(heaviest.centre, heaviest.log_mass, heaviest.factor @ heaviest.factor.T, starts)
