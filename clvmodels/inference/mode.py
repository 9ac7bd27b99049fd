"""The mode of a target, from several starts, with the covariance that its curvature implies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize

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

    def problem(self, names: Sequence[str]) -> str:
        """Why this is no maximum with a curvature to invert; empty if it is one."""
        if not np.isfinite(self.value):
            return "the log density or its gradient is not finite at any start"
        if not np.isfinite(self.curvature).all():
            return "the curvature is not finite"
        diagonal = np.diag(self.curvature)
        flat = diagonal < FLAT**-2
        if flat.any():
            return f"the density is flat or curved upwards along {_listed(names, flat)}"
        scale = np.sqrt(diagonal)
        eigenvalues, vectors = np.linalg.eigh(self.curvature / np.outer(scale, scale))
        if eigenvalues[0] < SINGULAR:
            return f"the Hessian is singular or indefinite, along {_listed(names, np.abs(vectors[:, 0]) > 0.3)}"
        return "" if self.left < CONVERGED else f"the climb did not converge, {self.left:.2g} log units are left"

    def log_mass(self) -> float:
        """Laplace's approximation of the log mass around the summit, up to a constant."""
        return self.value - 0.5 * np.linalg.slogdet(self.curvature)[1]


def find_mode(target: Target) -> Mode:
    """The mode of a target: L-BFGS from each start, polished by Newton steps, on unconstrained coordinates.

    Starts that end in stationary points more than 3 approximate standard deviations apart, by the narrower of the
    two, have found two modes; unless the second holds less than exp(-20) of the first's mass by Laplace's
    approximation, the posterior is refused, for one of them cannot stand for it.

    Raises
    ------
    FitError
        No start ends in a maximum, the Hessian at the highest point is singular or indefinite, or there are two modes.
    """
    summits = [climb(target, start) for start in target.starts]
    problems = [summit.problem(target.names) for summit in summits]
    best = highest(summits, problems)
    if problems[best]:
        raise FitError(_no_mode(target, summits[best], problems[best]))
    table = _starts_table(summits, problems, best)
    second = table[table.maximum & (table.distance > APART) & (table.log_mass > table.log_mass[best] - NEGLIGIBLE)]
    if len(second):
        raise FitError(_two_modes(target, summits[best], summits[second.index[0]], second.distance.iloc[0]))
    top = summits[best]
    return Mode(top.u, top.value, invert(top.curvature), table)


def climb(target: Target, start: np.ndarray) -> Summit:
    """From a start [K] up to a stationary point: L-BFGS, then Newton steps until nothing is left to gain."""
    value, _ = _evaluate(target, start)
    if not np.isfinite(value):
        return Summit(start, -np.inf, np.full((target.size, target.size), np.nan), np.inf)
    return _polish(target, start, _lbfgs(target, start))


def highest(summits: Sequence[Summit], problems: Sequence[str]) -> int:
    """The highest summit; of those equal within 1e-6 log units, one without a problem."""
    top = max(summit.value for summit in summits)
    return min(
        range(len(summits)),
        key=lambda i: (
            not summits[i].value >= top - 1e-6,
            bool(problems[i]),
            -summits[i].value,
            i,
        ),
    )


def invert(curvature: np.ndarray) -> np.ndarray:
    """The covariance [K, K] of a curvature, scaled to a unit diagonal first so that units do not matter."""
    scale = np.sqrt(np.diag(curvature))
    covariance = np.linalg.inv(curvature / np.outer(scale, scale)) / np.outer(scale, scale)
    return (covariance + covariance.T) / 2


def _evaluate(target: Target, u: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient; where either is not finite the value is minus infinity."""
    value, grad = target.value_and_grad(u)
    return (value, grad) if np.isfinite(value) and np.isfinite(grad).all() else (-np.inf, grad)


def _lbfgs(target: Target, start: np.ndarray) -> np.ndarray:
    best_u, best_value = start, _evaluate(target, start)[0]

    def loss(u):
        nonlocal best_u, best_value
        value, grad = _evaluate(target, u)
        if np.isfinite(value):
            if value > best_value:
                best_u, best_value = u.copy(), value
            return -value, -grad
        # Not finite: a bowl around the best point so far sends the line search back into the finite region.
        back = u - best_u
        return 1.0 + back @ back - best_value, 2 * back

    options = {"maxiter": 1000, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-7}
    bounds = optimize.Bounds(start - FARTHEST, start + FARTHEST)
    optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return best_u


def _polish(target: Target, start: np.ndarray, u: np.ndarray, rounds: int = 40) -> Summit:
    """Newton steps with backtracking; along directions that curve upwards the step goes up too, not to the saddle."""
    value, grad = _evaluate(target, u)
    steps = np.full(target.size, 1e-4)
    for _ in range(rounds):
        curvature = _curvature(target, u, steps)
        if not np.isfinite(curvature).all():
            return Summit(u, value, curvature, np.inf)
        step = _newton_step(curvature, grad)
        left = 0.5 * grad @ step
        summit = Summit(u, value, curvature, left)
        steps = 1e-3 / np.sqrt(np.clip(np.diag(curvature), 1e-4, 1e6))
        if left < 1e-14:
            break
        moved = _backtrack(target, u, value, np.clip(u + step, start - FARTHEST, start + FARTHEST) - u)
        if moved is None:
            break
        u, value, grad = moved
    return summit


def _newton_step(curvature: np.ndarray, grad: np.ndarray, longest: float = 5.0) -> np.ndarray:
    eigenvalues, vectors = np.linalg.eigh(curvature)
    size = np.abs(eigenvalues)
    step = vectors @ ((vectors.T @ grad) / np.maximum(size, 1e-12 * size.max() + 1e-300))
    return step * min(1.0, longest / max(np.abs(step).max(), 1e-300))


def _backtrack(target: Target, u, value, step) -> tuple[np.ndarray, float, np.ndarray] | None:
    """The first of the step, its half, its quarter ... that does not lose more than rounding."""
    rounding = 1e-10 + 1e-13 * abs(value)
    for halving in range(30):
        there = u + step * 0.5**halving
        found, grad = _evaluate(target, there)
        if found >= value - rounding:
            return there, found, grad
    return None


def _curvature(target: Target, u: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Negative Hessian [K, K] by central differences of the gradient, 2 K evaluations."""
    rows = np.empty((target.size, target.size))
    for i, step in enumerate(steps):
        shift = np.zeros(target.size)
        shift[i] = step
        rows[i] = (target.value_and_grad(u - shift)[1] - target.value_and_grad(u + shift)[1]) / (2 * step)
    return (rows + rows.T) / 2


def _starts_table(summits: Sequence[Summit], problems: Sequence[str], best: int) -> pd.DataFrame:
    top = summits[best]

    def distance(summit: Summit) -> float:
        apart = summit.u - top.u
        return float(np.sqrt(max(apart @ top.curvature @ apart, apart @ summit.curvature @ apart)))

    maximum = [not problem for problem in problems]
    return pd.DataFrame(
        {
            "value": [summit.value for summit in summits],
            "log_units_left": [summit.left for summit in summits],
            "maximum": maximum,
            "distance": [distance(s) if good else np.nan for s, good in zip(summits, maximum, strict=True)],
            "log_mass": [s.log_mass() if good else np.nan for s, good in zip(summits, maximum, strict=True)],
            "problem": list(problems),
        }
    )


def _listed(names: Sequence[str], chosen: np.ndarray) -> str:
    return ", ".join(name for name, yes in zip(names, chosen, strict=True) if yes)


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
