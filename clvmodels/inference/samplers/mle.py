"""The maximum of a likelihood, without a prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clvmodels.errors import FitError, Problem
from clvmodels.inference.samplers.mode import climb_all, highest, invert
from clvmodels.inference.target import Target


@dataclass(frozen=True, eq=False)
class MleResult:
    """The highest point that several starts found.

    Parameters
    ----------
    u : [K]
        Where it is, unconstrained.
    value
        The log likelihood there.
    covariance : [K, K] or None
        Inverse of the observed information; None where that cannot be inverted, or the climb did not converge.
    converged
        Whether it is a maximum: gradient zero and information positive definite.
    problem
        Why not; empty if converged.
    """

    u: np.ndarray
    value: float
    covariance: np.ndarray | None
    converged: bool
    problem: str


def mle(target: Target) -> MleResult:
    """The maximum of a log likelihood from several starts, L-BFGS polished by Newton steps.

    Newton steps end with the one that gains less than 1e-7 log units, and leaves the square of that, or where rounding
    hides the rest: estimates are good to far less than a millionth of their standard errors. Of several maxima the
    highest is returned.

    Raises
    ------
    FitError
        The likelihood is finite at no start.
    """
    summits = climb_all(target)
    problems = [summit.problem(target.names) for summit in summits]
    best = highest(summits, problems)
    top, problem = summits[best], problems[best]
    if not np.isfinite(top.value):
        raise FitError(Problem(f"no maximum of the likelihood was found: {problem}"))
    covariance = None if problem else invert(top.curvature)
    return MleResult(top.u, top.value, covariance, not problem, problem)
