"""Importance sampling where one scale has no mode worth the name: a mixture of Laplace approximations along it.

A between-group sd runs off to 0 at the joint mode, and around that funnel no single Gaussian fits. Given the sd,
though, everything else is close to Gaussian. So the mode and covariance of the rest are found at points along log sd,
each weighted by Laplace's approximation of its mass (Rue, Martino & Chopin 2009, section 3), and the mixture of them
is the proposal; importance weights correct what is left, and k-hat says whether they can.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from clvmodels.errors import FitError, Problem
from clvmodels.inference.laplace import DEGREES_OF_FREEDOM, SCALE, LaplaceDraws, weigh
from clvmodels.inference.mode import Mode, climb, find_mode, invert
from clvmodels.inference.target import Target

GRID = np.linspace(np.log(0.003), np.log(3.0), 15)
"""Points of log sd."""
WIDTH = 0.7 * (GRID[1] - GRID[0])
NEGLIGIBLE = 15.0
"""Log units below the heaviest component at which one is left out."""


class Component(NamedTuple):
    """One part of the mixture: centre [K], Cholesky factor [K, K] and log mass."""

    centre: np.ndarray
    factor: np.ndarray
    log_mass: float


def laplace_over_scale(
    target: Target, scale: int, draws: int, seed: int, *, proposals_per_draw: int = 10
) -> LaplaceDraws:
    """Draws from a target with one coordinate, a log scale, along which no mode is a guide.

    Parameters
    ----------
    target
        The log density, the coefficients that the scale governs in centred form.
    scale
        Position of the log scale among the coordinates.
    draws, seed, proposals_per_draw
        As in `laplace`.

    Raises
    ------
    FitError
        No mode given the scale, or two of them.
    LaplaceRefused
        Weights too uneven to trust.
    """
    components = _components(target, scale)
    rng = np.random.default_rng(seed)
    log_share = np.array([c.log_mass for c in components])
    log_share -= np.logaddexp.reduce(log_share)
    share = 0.95 * np.exp(log_share) + 0.05 / len(components)
    size = max(draws * proposals_per_draw, 1000)
    of = rng.choice(len(components), size=size, p=share)
    z = rng.standard_normal((size, target.size))
    z *= SCALE * np.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM, (size, 1)))
    centres, factors = (np.stack([c[k] for c in components]) for k in (0, 1))
    proposals = centres[of] + np.einsum("sij,sj->si", factors[of], z)
    log_parts = np.stack([_log_density(proposals, c) for c in components], axis=1) + np.log(share)
    top = components[int(np.argmax(log_share))]
    mode = Mode(top.centre, top.log_mass, top.factor @ top.factor.T, _no_starts(target, top))
    return weigh(target, proposals, np.logaddexp.reduce(log_parts, axis=1), draws, rng, mode)


def _log_density(u: np.ndarray, component: Component) -> np.ndarray:
    """Student t density of a component at u [S, K], up to a constant that all share. [S]"""
    z = np.linalg.solve(component.factor, (u - component.centre).T) / SCALE
    log_det = np.log(np.diag(component.factor)).sum()
    k = len(component.centre)
    return -log_det - 0.5 * (DEGREES_OF_FREEDOM + k) * np.log1p((z**2).sum(axis=0) / DEGREES_OF_FREEDOM)


def _components(target: Target, scale: int) -> list[Component]:
    """The rest's mode and covariance at each point of the scale, with the slope of the mode between points."""
    rest = np.delete(np.arange(target.size), scale)
    fixed = pytensor.shared(float(np.log(0.2)), name="log_scale")

    def graph(u):
        whole = pt.set_subtensor(pt.zeros(target.size)[rest], u)
        return target.graph(pt.set_subtensor(whole[scale], fixed))

    conditional = Target(tuple(target.names[k] for k in rest), graph, target.starts[:, rest])
    start = find_mode(conditional).u  # several starts: two modes are refused here
    summits = []
    for point in GRID[::-1]:
        fixed.set_value(point)
        summit = climb(conditional, start)
        if problem := summit.problem(conditional.names):
            raise FitError(
                Problem(f"no mode was found given sd = {np.exp(point):.3g}: {problem}", known="Use method='nuts'")
            )
        summits.append(summit)
        start = summit.u
    summits.reverse()
    slopes = np.gradient(np.stack([s.u for s in summits]), GRID, axis=0)
    found = [_component(s, point, slope, rest, scale) for s, point, slope in zip(summits, GRID, slopes, strict=True)]
    heaviest = max(c.log_mass for c in found)
    return [c for c in found if c.log_mass > heaviest - NEGLIGIBLE]


def _component(summit, point: float, slope: np.ndarray, rest: np.ndarray, scale: int) -> Component:
    size = len(rest) + 1
    centre, covariance = np.empty(size), np.zeros((size, size))
    centre[rest], centre[scale] = summit.u, point
    covariance[np.ix_(rest, rest)] = invert(summit.curvature) + WIDTH**2 * np.outer(slope, slope)
    covariance[rest, scale] = covariance[scale, rest] = WIDTH**2 * slope
    covariance[scale, scale] = WIDTH**2
    return Component(centre, np.linalg.cholesky(covariance), summit.log_mass())


def _no_starts(target: Target, top: Component):
    """The table of starts that a `Mode` carries: here the heaviest component stands alone."""
    import pandas as pd

    return pd.DataFrame({"value": [top.log_mass], "maximum": [True], "problem": [""]})
