"""Which sampler finds a posterior, and what it falls back on: from a density of some customers to draws with checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from clvmodels.density import Density
from clvmodels.errors import FitError, Problem
from clvmodels.inference import checks
from clvmodels.inference.along import laplace_along_ridge, laplace_along_scale
from clvmodels.inference.laplace import LaplaceDraws
from clvmodels.inference.mle import MleResult, mle
from clvmodels.inference.mode import Mode, find_mode
from clvmodels.inference.nuts import NutsDraws, nuts
from clvmodels.inference.target import Given
from clvmodels.models.contract import Array

Progress = Callable[[int, int], None]


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
    attempts: list[dict[str, str]]


def sample(structure: Callable[[bool], Density], method: str, how: Chains, seed: int) -> Fitted:
    """By the method asked for; auto goes from laplace, where that is refused, to nuts."""
    if method == "mle":
        plain = structure(False)
        found = mle(plain.target)
        return Fitted(plain, found.u[None, None, :], found, "mle", [], [])
    attempts: list[dict[str, str]] = []
    if method in ("auto", "laplace"):
        try:
            centred = structure(True)
            drawn = _laplace(centred, how.draws, seed)
            judged = [check._asdict() for check in checks.laplace_checks(drawn)]
            return Fitted(centred, drawn.u[None], drawn, "laplace", judged, attempts)
        except FitError as error:
            if method == "laplace":
                raise
            attempts.append({"method": "laplace", "reason": str(error)})
    plain = structure(False)
    chained = nuts(
        plain.target, how.draws, how.chains, seed, tune=how.tune, mode=_whitening(plain), progress=how.progress,
        timeout_seconds=how.timeout_seconds, target_accept=0.97 if plain.effects else 0.9,
    )  # fmt: skip
    judged = [check._asdict() for check in checks.nuts_checks(chained, plain.target.names)]
    return Fitted(plain, chained.u, chained, "nuts", judged, attempts)


def _laplace(structure: Density, draws: int, seed: int) -> LaplaceDraws:
    """Around the mode, or along the ridge it lies on; with one pooled group along its between-group sd."""
    scales, target = structure.scale_coordinates(), structure.target
    if len(scales) > 1:
        text = f"{len(scales)} effects: importance sampling follows one between-group sd only"
        raise FitError(Problem(text, known="Use method='nuts'"))
    if scales:
        return laplace_along_scale(target, scales[0], draws, seed)
    return laplace_along_ridge(target, draws, seed)


def _whitening(structure: Density) -> Mode | None:
    """A centre and a covariance to whiten by: a help, not a need, so without a mode NUTS adapts by itself.

    With pooled groups the mode is no guide (it lies where the between-group sd is 0), but the mode given sd = 0.2 is
    one to everything else; log sd itself is given unit variance.
    """
    target, fixed = structure.target, structure.scale_coordinates()
    free = np.setdiff1d(np.arange(target.size), fixed)
    centre, covariance = target.starts[0].copy(), np.eye(target.size)
    try:
        mode = find_mode(Given.of(target, centre, free))
    except FitError:
        return None
    centre[free] = mode.u
    covariance[np.ix_(free, free)] = mode.covariance
    return Mode(centre, mode.value, covariance, mode.starts)
