"""Which sampler finds a posterior, and what it falls back on: from a density of some customers to draws with checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from clvmodels.draws import Array
from clvmodels.errors import FitError, Problem
from clvmodels.inference.attempts import Attempt
from clvmodels.inference.density import Density
from clvmodels.inference.samplers.along import (
    laplace_along_ridge,
    laplace_along_scale,
    laplace_over_scales,
    laplace_over_scales_without_labels,
    laplace_without_labels,
)
from clvmodels.inference.samplers.checks import Check, laplace_checks, mle_checks, nuts_checks
from clvmodels.inference.samplers.laplace import LaplaceDraws
from clvmodels.inference.samplers.mle import MleResult, mle
from clvmodels.inference.samplers.mode import Mode, climb, find_mode, invert
from clvmodels.inference.samplers.nuts import NutsDraws, nuts
from clvmodels.inference.target import Conditional

Progress = Callable[[int, int], None]
EM_ROUNDS = 4
"""Whitening is a help, no estimate: after four rounds the sds are near enough."""
SMALLEST_AND_LARGEST = 0.02**2, 3.0**2
"""Bounds of a between-group variance while it is looked for: at 0 the coefficients are 0 too, and it would stay there;
coefficients of 3 are factors of 20 between groups."""
MOST_COORDINATES = 100
"""Coordinates beyond which importance weights are too uneven: with 500 labels two in a hundred were effective. The
labels of one group can be integrated out."""
TARGET_ACCEPT, TARGET_ACCEPT_POOLED = 0.9, 0.97
"""Pooled groups are a funnel, whose neck only short steps enter without diverging."""


class Effort(NamedTuple):
    """How much to draw, and how long that may take."""

    draws: int
    chains: int
    tune: int
    timeout_seconds: float
    progress: Progress | None


class Sampled(NamedTuple):
    """Draws u [chain, draw, K] in a structure's coordinates, what the sampler says of them, what was refused before."""

    u: Array
    outcome: LaplaceDraws | NutsDraws | MleResult
    method: str
    checks: Sequence[Check]
    attempts: Sequence[Attempt] = ()


def sample(structure: Density, method: str, effort: Effort, seed: int) -> Sampled:
    """By the method asked for; auto goes from laplace, where that is refused, to nuts.

    Raises
    ------
    FitError
        No posterior that can be trusted.
    """
    if method == "mle":
        return _by_likelihood(structure)
    attempts = []
    if method in ("auto", "laplace"):
        try:
            return _by_laplace(structure, effort.draws, seed)
        except FitError as refusal:
            if method == "laplace":
                raise
            attempts.append(Attempt("laplace", str(refusal)))
    return _by_nuts(structure, effort, seed)._replace(attempts=attempts)


def _by_likelihood(structure: Density) -> Sampled:
    maximum = mle(structure.target)
    return Sampled(maximum.u[None, None, :], maximum, "mle", mle_checks(maximum))


def _by_laplace(structure: Density, draws: int, seed: int) -> Sampled:
    """Around the mode, or along the ridge it lies on; with pooled groups along or over their between-group sds."""
    scales = structure.scale_coordinates()
    if len(scales) > 2:
        what = f"{len(scales)} pooled groups: importance sampling follows two between-group sds at most"
        raise FitError(Problem(what, known="Use method='nuts'"))
    is_large = structure.target.size > MOST_COORDINATES
    without_labels = structure.target.size - len(structure.target.independent)
    if without_labels > MOST_COORDINATES:
        what = f"{without_labels} coordinates beside the labels of a group: importance sampling is for"
        raise FitError(Problem(f"{what} {MOST_COORDINATES} at most", known="Use method='nuts'"))
    if len(scales) == 2:
        near = _near_scales(structure) if is_large else _whitening(structure)
        if near is None:
            raise FitError(Problem("no mode was found given the between-group sds", known="Use method='nuts'"))
        over_scales = laplace_over_scales_without_labels if is_large else laplace_over_scales
        weighted = over_scales(structure.target, scales, near.u, draws, seed)
    elif scales and is_large:
        weighted = laplace_without_labels(structure.target, scales[0], draws, seed, structure.scale_units()[0])
    elif scales:
        weighted = laplace_along_scale(structure.target, scales[0], draws, seed, structure.scale_units()[0])
    else:
        weighted = laplace_along_ridge(structure.target, draws, seed)
    return Sampled(weighted.u[None], weighted, "laplace", laplace_checks(weighted))


def _by_nuts(structure: Density, effort: Effort, seed: int) -> Sampled:
    chains = nuts(
        structure.target,
        effort.draws,
        effort.chains,
        seed,
        tune=effort.tune,
        mode=_whitening(structure),
        progress=effort.progress,
        timeout_seconds=effort.timeout_seconds,
        target_accept=TARGET_ACCEPT_POOLED if structure.scale_coordinates() else TARGET_ACCEPT,
    )
    return Sampled(chains.u, chains, "nuts", nuts_checks(chains, structure.target.names))


def _whitening(structure: Density) -> Mode | None:
    """A centre and a covariance to whiten by; from here on each group's coefficient is as centred as suits the data.

    Whitened, Pareto/NBD needs 6 to 7 steps a draw; unwhitened its ridge of s and beta takes hundreds. With pooled
    groups the mode is no guide (it lies where the between-group sd is 0), but the mode given the sds is one to
    everything else, and some rounds of the EM algorithm find the sds: sd^2 = mean of c_g^2 + var c_g. The variance of
    log sd itself is taken for 1. A help, not a need: without a mode NUTS adapts by itself.
    """
    near = _near_scales(structure)
    if near is None:
        return None
    unit = _centre(structure, near.u, near.covariance)
    return Mode(near.u * unit, near.value, near.covariance * np.outer(unit, unit), near.starts)


def _near_scales(structure: Density) -> Mode | None:
    """The between-group sds of the EM algorithm, and the mode and covariance of everything else given them; every
    coefficient is centred, since the EM steps are of the coefficients themselves."""
    target, scales = structure.target, structure.scale_coordinates()
    for term in structure.terms:
        structure.centre(term, np.ones(len(term.labels)))
    free = np.setdiff1d(np.arange(target.size), scales)
    centre, covariance = target.starts[0].copy(), np.eye(target.size)
    try:
        mode = find_mode(Conditional.of(target, centre, free))
    except FitError:
        return None
    centre[free], covariance[np.ix_(free, free)] = mode.u, mode.covariance
    for _ in range(EM_ROUNDS if scales else 0):
        _move_scales(structure, centre, covariance)
        summit = climb(Conditional.of(target, centre, free), centre[free])
        if summit.problem(target.names):
            return None
        centre[free], covariance[np.ix_(free, free)] = summit.u, invert(summit.curvature)
    return Mode(centre, mode.value, covariance, mode.starts)


def _move_scales(structure: Density, centre: Array, covariance: Array) -> None:
    """One M step: each between-group log sd in `centre` to where its coefficients' second moments put it."""
    for term in structure.terms:
        if term.scale is None:
            continue
        scale, groups = _places(structure.slices[term.name])
        second_moments = centre[groups] ** 2 + covariance[groups, groups]
        centre[scale] = 0.5 * np.log(np.clip(np.mean(second_moments), *SMALLEST_AND_LARGEST))


def _centre(structure: Density, centre: Array, covariance: Array) -> Array:
    """Centre each coefficient by how much the data narrow it, 1 - var c_g / sd^2; what this multiplies coordinates by.

    Where they narrow it to a point its own place is known, not its place among the groups: centred sampling is even
    whatever the sd. Where they say nothing it follows the sd: standardised it does not.
    """
    unit = np.ones(len(centre))
    for term in structure.terms:
        if term.scale is None:
            continue
        scale, groups = _places(structure.slices[term.name])
        sd = np.exp(centre[scale])
        centring = np.clip(1.0 - covariance[groups, groups] / sd**2, 0.0, 1.0)
        structure.centre(term, centring)
        unit[groups] = sd ** (centring - 1.0)
    return unit


def _places(block: slice) -> tuple[int, np.ndarray]:
    """Of a pooled group's block: the coordinate of its log sd, and those of its coefficients."""
    return block.start, np.arange(block.start + 1, block.stop)
