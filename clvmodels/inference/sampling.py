"""Which sampler finds a posterior, and what it falls back on: from a density of some customers to draws with checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from clvmodels.draws import Array
from clvmodels.errors import FitError, Problem
from clvmodels.inference import checks
from clvmodels.inference.along import laplace_along_ridge, laplace_along_scale
from clvmodels.inference.density import Density
from clvmodels.inference.laplace import LaplaceDraws
from clvmodels.inference.mle import MleResult, mle
from clvmodels.inference.mode import Mode, climb, find_mode, invert
from clvmodels.inference.nuts import NutsDraws, nuts
from clvmodels.inference.target import Given

Progress = Callable[[int, int], None]
EM_ROUNDS = 4
SMALLEST_AND_LARGEST = 0.02**2, 3.0**2
"""Bounds of a between-group variance while it is looked for."""


class Chains(NamedTuple):
    """How much to draw, and how long that may take."""

    draws: int
    chains: int
    tune: int
    timeout_seconds: float
    progress: Progress | None


class Fitted(NamedTuple):
    """Draws u [chain, draw, K] in a structure's coordinates, what the sampler says of them, what was refused before."""

    structure: Density
    u: Array
    found: LaplaceDraws | NutsDraws | MleResult
    method: str
    checks: list[dict[str, Any]]
    attempts: list[dict[str, Any]]


def sample(structure: Density, method: str, how: Chains, seed: int) -> Fitted:
    """By the method asked for; auto goes from laplace, where that is refused, to nuts."""
    target = structure.target
    if method == "mle":
        found = mle(target)
        judged = [check._asdict() for check in checks.mle_checks(found)]
        return Fitted(structure, found.u[None, None, :], found, "mle", judged, [])
    attempts: list[dict[str, Any]] = []
    if method in ("auto", "laplace"):
        try:
            drawn = _laplace(structure, how.draws, seed)
            judged = [check._asdict() for check in checks.laplace_checks(drawn)]
            return Fitted(structure, drawn.u[None], drawn, "laplace", judged, attempts)
        except FitError as error:
            if method == "laplace":
                raise
            attempts.append({"method": "laplace", "reason": str(error)})
    chained = nuts(
        target,
        how.draws,
        how.chains,
        seed,
        tune=how.tune,
        mode=_whitening(structure),
        progress=how.progress,
        timeout_seconds=how.timeout_seconds,
        target_accept=0.97 if structure.scale_coordinates() else 0.9,
    )
    judged = [check._asdict() for check in checks.nuts_checks(chained, target.names)]
    return Fitted(structure, chained.u, chained, "nuts", judged, attempts)


def _laplace(structure: Density, draws: int, seed: int) -> LaplaceDraws:
    """Around the mode, or along the ridge it lies on; with one pooled group along its between-group sd."""
    scales, target = structure.scale_coordinates(), structure.target
    if len(scales) > 1:
        text = f"{len(scales)} pooled groups: importance sampling follows one between-group sd only"
        raise FitError(Problem(text, known="Use method='nuts'"))
    if scales:
        return laplace_along_scale(target, scales[0], draws, seed)
    return laplace_along_ridge(target, draws, seed)


def _whitening(structure: Density) -> Mode | None:
    """A centre and a covariance to whiten by; from here on each group's coefficient is as centred as suits the data.

    With pooled groups the mode is no guide (it lies where the between-group sd is 0), but the mode given the sds is
    one to everything else, and some rounds of the EM algorithm find the sds: sd^2 = mean of c_g^2 + var c_g. The
    variance of log sd itself is taken for 1. A help, not a need: without a mode NUTS adapts by itself.
    """
    target, scales = structure.target, structure.scale_coordinates()
    free = np.setdiff1d(np.arange(target.size), scales)
    pooled = [structure.slices[term.name] for term in structure.terms if term.scale is not None]
    centre, covariance = target.starts[0].copy(), np.eye(target.size)
    try:
        mode = find_mode(Given.of(target, centre, free))
    except FitError:
        return None
    centre[free], covariance[np.ix_(free, free)] = mode.u, mode.covariance
    for _ in range(EM_ROUNDS if scales else 0):
        for block in pooled:
            own = np.arange(block.start + 1, block.stop)
            square = np.mean(centre[own] ** 2 + covariance[own, own])
            centre[block.start] = 0.5 * np.log(np.clip(square, *SMALLEST_AND_LARGEST))
        summit = climb(Given.of(target, centre, free), centre[free])
        if summit.problem(target.names):
            return None
        centre[free], covariance[np.ix_(free, free)] = summit.u, invert(summit.curvature)
    unit = _centre(structure, centre, covariance)
    return Mode(centre * unit, mode.value, covariance * np.outer(unit, unit), mode.starts)


def _centre(structure: Density, centre: Array, covariance: Array) -> Array:
    """Centre each coefficient by how much the data narrow it, 1 - var c_g / sd^2; what this multiplies coordinates by.

    Where they narrow it to a point its own place is known, not its place among the groups: centred sampling is even
    whatever the sd. Where they say nothing it follows the sd: standardised it does not.
    """
    unit = np.ones(len(centre))
    for term in structure.terms:
        if term.scale is not None:
            block = structure.slices[term.name]
            own, sd = np.arange(block.start + 1, block.stop), np.exp(centre[block.start])
            centring = np.clip(1.0 - covariance[own, own] / sd**2, 0.0, 1.0)
            structure.centre(term, centring)
            unit[own] = sd ** (centring - 1.0)
    return unit
