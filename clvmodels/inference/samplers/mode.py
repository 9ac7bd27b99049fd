"""The mode of a target, from several starts, with the covariance that its curvature implies.

Shapes: K = coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import linalg, optimize

from clvmodels.errors import FitError, Problem
from clvmodels.inference.target import Target

CONVERGED = 1e-6
"""Largest log units still to be gained (half the Newton decrement) at a point that counts as stationary."""
FLAT = 1e3
"""Standard deviation of an unconstrained coordinate above which the density counts as flat."""
SINGULAR = 1e-9
"""Smallest eigenvalue, after scaling to a unit diagonal, that central differences can tell from zero."""
APART = 3.0
"""Distance of two modes, in approximate standard deviations of the narrower one, above which they are two."""
FARTHEST = 25.0
"""How far from its start a climb may go along a coordinate, a factor of 7e10 on a log scale; beyond, log densities
that subtract log gammas are rounding errors, which may look like a summit."""
NEGLIGIBLE = 20.0
"""Log units of mass (value + log det covariance / 2) by which a second mode may be smaller and still matter."""
AS_HIGH = 1e-6
"""Log units by which summits differ that are one, climbed from two sides: the better polished one is taken."""
LEANING = 0.3
"""Share of a coordinate in a direction, from which on the direction is told by its name."""

LBFGS = {"maxiter": 1000, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-7}
SLOW = 1e-3
"""Log units that an iteration of L-BFGS must gain to be worth another: Newton steps begin anywhere near the summit."""
ARRIVED = 0.5
"""Distance from a summit, in its standard deviations, at which another climb has come to it: what it may still gain is
told by the summit's curvature."""
NEWTON_STEPS = 40
MANY = 20
"""Coordinates beyond which a Newton step by Cholesky's factor is worth a second way to it."""
LAST_STEP = 1e-7
"""Log units to gain at which a Newton step is the last: the next, quadratically smaller, would move rounding errors."""
FIRST_STEP, STEP = 1e-4, 1e-3
"""Steps of the central differences: the first for coordinates of order one, then in standard deviations."""
LONGEST_STEP = 5.0
"""How far a Newton step may go along a coordinate: a quadratic tells nothing of what lies a factor of 150 away."""
HALVINGS = 30
"""A step of 1e-9 of the first one that still loses is no step."""


@dataclass(frozen=True, eq=False)
class Mode:
    """The highest point of a target.

    Parameters
    ----------
    u : [K]
        Where it is, unconstrained.
    value
        The log density there.
    covariance : [K, K]
        Inverse of the negative Hessian, positive definite.
    starts
        What became of each start: value, log_units_left, maximum (bool), distance (in approximate standard
        deviations of the mode), log_mass, problem.
    """

    u: np.ndarray
    value: float
    covariance: np.ndarray
    starts: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Summit:
    """Where one climb ended: u [K], value, curvature [K, K] (negative Hessian), log units left to gain."""

    u: np.ndarray
    value: float
    curvature: np.ndarray
    left: float

    def problem(self, names: Sequence[str], converged: float = CONVERGED) -> str:
        """Why this is no maximum with a curvature to invert, with no more left to gain; empty if it is one."""
        if not np.isfinite(self.value):
            return "the log density or its gradient is not finite at any start"
        if not np.isfinite(self.curvature).all():
            return "the curvature is not finite"
        diagonal = np.diag(self.curvature)
        flat = diagonal < FLAT**-2
        if flat.any():
            return f"the density is flat or curved upwards along {_listed(names, flat)}"
        scale = np.sqrt(diagonal)
        scaled = self.curvature / np.outer(scale, scale)
        if not _is_positive(scaled - SINGULAR * np.eye(len(scale))):
            _, vectors = np.linalg.eigh(scaled)
            leaning = np.abs(vectors[:, 0]) > LEANING
            return f"the Hessian is singular or indefinite, along {_listed(names, leaning)}"
        if self.left >= converged:
            return f"the climb did not converge, {self.left:.2g} log units are left"
        return ""

    def log_mass(self) -> float:
        """Laplace's approximation of the log mass around the summit, up to a constant."""
        return self.value - 0.5 * self._log_det

    @cached_property
    def _log_det(self) -> float:
        return float(np.linalg.slogdet(self.curvature)[1])


def find_mode(target: Target) -> Mode:
    """The mode of a target: L-BFGS from each start, the summits polished by Newton steps, on unconstrained coordinates.

    Starts that end in stationary points more than 3 approximate standard deviations apart, by the narrower of the
    two, have found two modes; unless the second holds less than exp(-20) of the first's mass by Laplace's
    approximation, the posterior is refused, for one of them cannot stand for it.

    Raises
    ------
    FitError
        No start ends in a maximum, the Hessian at the highest point is singular or indefinite, or there are two modes.
    """
    summits = climb_all(target)
    problems = [summit.problem(target.names) for summit in summits]
    best = highest(summits, problems)
    if problems[best]:
        raise FitError(_no_mode(target, summits[best], problems[best]))
    top = summits[best]
    table = _starts_table(summits, problems, top)
    matters = table["log_mass"] > table["log_mass"][best] - NEGLIGIBLE
    others = table[table["maximum"] & (table["distance"] > APART) & matters]
    if len(others):
        second = summits[others.index[0]]
        raise FitError(_two_modes(target, top, second, others["distance"].iloc[0]))
    return Mode(top.u, top.value, invert(top.curvature), table)


def climb_all(target: Target) -> list[Summit]:
    """Where each start leads. A climb ends where it comes to a summit that an earlier one has found already."""
    summits: list[Summit] = []
    for start in target.starts:
        maxima = [summit for summit in summits if not summit.problem(target.names)]
        summits.append(climb(target, start, maxima))
    return summits


def climb(target: Target, start: np.ndarray, maxima: Sequence[Summit] = ()) -> Summit:
    """From a start [K] up to a stationary point, or to one of `maxima`: L-BFGS, then Newton steps."""
    ascent = _Ascent(target, start, maxima)
    if not np.isfinite(ascent.value):
        return Summit(start, -np.inf, np.full((target.size, target.size), np.nan), np.inf)
    ascent.run()
    return ascent.summit_reached() or polish(target, start, ascent.u)


def highest(summits: Sequence[Summit], problems: Sequence[str]) -> int:
    """The highest summit; of those equal within 1e-6 log units, one without a problem."""
    top = max(summit.value for summit in summits)
    # Where no start is finite all are equal: minus infinity, from which nothing can be taken.
    as_high = [i for i, summit in enumerate(summits) if summit.value >= top - AS_HIGH]
    sound = [i for i in as_high if not problems[i]]
    return max(sound or as_high, key=lambda i: summits[i].value)


def invert(curvature: np.ndarray) -> np.ndarray:
    """The covariance [K, K] of a curvature, scaled to a unit diagonal first so that units do not matter."""
    scale = np.sqrt(np.diag(curvature))
    covariance = np.linalg.inv(curvature / np.outer(scale, scale)) / np.outer(scale, scale)
    return (covariance + covariance.T) / 2


def _evaluate(target: Target, u: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient; where either is not finite the value is minus infinity."""
    value, grad = target.value_and_grad(u)
    if np.isfinite(value) and np.isfinite(grad).all():
        return value, grad
    return -np.inf, grad


class _Ascent:
    """L-BFGS from a start: the highest point that it came to, which need not be its last."""

    def __init__(self, target: Target, start: np.ndarray, maxima: Sequence[Summit]):
        self.target, self.start, self.maxima = target, start, maxima
        self.u = start
        self.value, self.grad = _evaluate(target, start)
        self._value_before = -np.inf

    def run(self) -> None:
        """Until an iteration gains next to nothing, or a summit is reached that was found before."""
        bounds = optimize.Bounds(self.start - FARTHEST, self.start + FARTHEST)
        optimize.minimize(
            self._loss,
            self.start,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options=LBFGS,
            callback=self._stop_in_time,
        )

    def summit_reached(self) -> Summit | None:
        """The maximum that this point belongs to, if it is one of those found before."""
        return next((summit for summit in self.maxima if self._has_come_to(summit)), None)

    def _has_come_to(self, summit: Summit) -> bool:
        apart = self.u - summit.u
        if apart @ summit.curvature @ apart > ARRIVED**2:
            return False
        # At a place near a summit that is another one's slope the gradient is not what the curvature foretells.
        surprise = self.grad + summit.curvature @ apart
        return 0.5 * surprise @ np.linalg.solve(summit.curvature, surprise) < ARRIVED**2 / 2

    def _loss(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        at_start = np.array_equal(u, self.start)
        value, grad = (self.value, self.grad) if at_start and self.u is self.start else _evaluate(self.target, u)
        if np.isfinite(value):
            if value > self.value:
                self.u, self.value, self.grad = u.copy(), value, grad
            return -value, -grad
        # Not finite: a bowl around the best point so far sends the line search back into the finite region.
        away = u - self.u
        return 1.0 + away @ away - self.value, 2 * away

    def _stop_in_time(self, intermediate_result: optimize.OptimizeResult) -> None:
        if self.value - self._value_before < SLOW or self.summit_reached():
            raise StopIteration
        self._value_before = self.value


def polish(target: Target, start: np.ndarray, u: np.ndarray, last_step: float = LAST_STEP) -> Summit:
    """Newton steps with backtracking; along directions that curve upwards the step goes up too, not to the saddle.

    Parameters
    ----------
    start : [K]
        Steps stay within 25 of it along each coordinate.
    u : [K]
        Where to begin.
    last_step
        Log units to gain at which a step is the last.
    """
    value, grad = _evaluate(target, u)
    steps = np.full(target.size, FIRST_STEP)
    for _ in range(NEWTON_STEPS):
        curvature = _curvature(target, u, steps)
        if not np.isfinite(curvature).all():
            return Summit(u, value, curvature, np.inf)
        step = _newton_step(curvature, grad)
        left = 0.5 * grad @ step
        summit = Summit(u, value, curvature, left)
        # Clipped, so that neither a flat nor a very narrow coordinate makes steps that differences cannot use.
        steps = STEP / np.sqrt(np.clip(np.diag(curvature), 1e-4, 1e6))
        within = np.clip(u + step, start - FARTHEST, start + FARTHEST)
        higher = _backtrack(target, u, value, within - u)
        if higher is None:
            break
        u, value, grad = higher
        if left < last_step:
            return Summit(u, value, curvature, left)
    return summit


def _newton_step(curvature: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """Up along every eigenvector, by the gradient over the size of the curvature, whatever its sign."""
    if len(grad) > MANY and _is_positive(curvature):
        return _no_longer_than(LONGEST_STEP, linalg.cho_solve(linalg.cho_factor(curvature), grad))
    eigenvalues, vectors = np.linalg.eigh(curvature)
    size = np.abs(eigenvalues)
    # Curvatures that are rounding errors of the largest are taken for its 1e-12th; 1e-300 keeps 0 / 0 away.
    bounded = np.maximum(size, 1e-12 * size.max() + 1e-300)
    return _no_longer_than(LONGEST_STEP, vectors @ ((vectors.T @ grad) / bounded))


def _no_longer_than(longest: float, step: np.ndarray) -> np.ndarray:
    """The step, shortened where it goes further along a coordinate."""
    return step * min(1.0, longest / max(np.abs(step).max(), 1e-300))


def _is_positive(matrix: np.ndarray) -> bool:
    """Whether a symmetric matrix is positive definite: a tenth of the time that its eigenvalues take."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _backtrack(target: Target, u, value, step) -> tuple[np.ndarray, float, np.ndarray] | None:
    """The first of the step, its half, its quarter ... that does not lose more than rounding."""
    rounding = 1e-10 + 1e-13 * abs(value)
    for halving in range(HALVINGS):
        there = u + step * 0.5**halving
        value_there, grad = _evaluate(target, there)
        if value_there >= value - rounding:
            return there, value_there, grad
    return None


def _curvature(target: Target, u: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Negative Hessian [K, K] by central differences of the gradient, two for each coordinate.

    Those that are independent given the others are moved together: each feels its own step only.
    """
    together = target.independent
    alone = np.setdiff1d(np.arange(target.size), together)
    curvature = np.zeros((target.size, target.size))
    for i in alone:
        curvature[i] = _fall_of_gradient(target, u, np.array([i]), steps) / (2 * steps[i])
    if len(together):
        curvature[np.ix_(together, alone)] = curvature[np.ix_(alone, together)].T
        fall = _fall_of_gradient(target, u, together, steps)[together]
        curvature[together, together] = fall / (2 * steps[together])
    return (curvature + curvature.T) / 2


def _fall_of_gradient(target: Target, u: np.ndarray, moved: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """By how much the gradient falls from one step before u to one step behind it. [K]"""
    shift = np.zeros(target.size)
    shift[moved] = steps[moved]
    _, grad_below = target.value_and_grad(u - shift)
    _, grad_above = target.value_and_grad(u + shift)
    return grad_below - grad_above


def _starts_table(summits: Sequence[Summit], problems: Sequence[str], top: Summit) -> pd.DataFrame:
    """What became of each start; a distance and a mass are those of a maximum only."""
    rows = []
    for summit, problem in zip(summits, problems, strict=True):
        row = {
            "value": summit.value,
            "log_units_left": summit.left,
            "maximum": not problem,
            "distance": np.nan if problem else _distance(summit, top),
            "log_mass": np.nan if problem else summit.log_mass(),
            "problem": problem,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _distance(summit: Summit, top: Summit) -> float:
    """In approximate standard deviations of the narrower one."""
    apart = summit.u - top.u
    squares = apart @ top.curvature @ apart, apart @ summit.curvature @ apart
    return float(np.sqrt(max(squares)))


def _listed(names: Sequence[str], chosen: np.ndarray) -> str:
    return ", ".join(np.array(names)[chosen])


def _no_mode(target: Target, summit: Summit, problem: str) -> Problem:
    return Problem(
        f"no mode was found: {problem}",
        got=f"log density {summit.value:.6g} at {target.describe(summit.u)}",
        known="Stronger priors give it a maximum; method='nuts' needs none",
    )


def _two_modes(target: Target, first: Summit, second: Summit, distance: float) -> Problem:
    return Problem(
        f"two modes were found, {distance:.1f} approximate standard deviations apart",
        got=f"log density {first.value:.6g} at {target.describe(first.u)}, "
        f"and {second.value:.6g} at {target.describe(second.u)}",
        known="One mode cannot stand for the posterior: use method='nuts' and look whether its chains agree",
    )
