"""What draws are proposed from: a Student t around a point, and mixtures of them.

Shapes: K = coordinates, S = proposals, M = components.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from scipy import linalg

DEGREES_OF_FREEDOM = 7
SCALE = 1.1
"""A proposal is a Student t with these: wider and heavier-tailed than the Gaussian of the Hessian, so that weights
stay bounded where the posterior's tail is the heavier one; but not by much, or most proposals would be wasted. On CDNOW
the efficiency is 0.6 to 0.9 and k-hat below 0.3."""
DEFENSIVE = 0.05
"""Share of a mixture's proposals that is dealt out evenly: Laplace's mass of a component may be far too small where the
rest is skewed, and the few proposals from it would carry all the weight."""


class Proposal(Protocol):
    """Anything that points can be drawn from, of a density that is known up to a constant."""

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Independent points. [S, K]"""

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Log density at u [S, K], up to a constant. [S]"""


class Component(NamedTuple):
    """One part of a mixture: centre [K], Cholesky factor [K, K] and log mass."""

    centre: np.ndarray
    factor: np.ndarray
    log_mass: float


@dataclass(frozen=True, eq=False)
class Mixture:
    """Student t components, drawn from in proportion to their mass; one component is a plain Student t."""

    components: tuple[Component, ...]

    @cached_property
    def shares(self) -> np.ndarray:
        """Of the proposals, how many come from each component. [M]"""
        log_share = np.array([component.log_mass for component in self.components])
        log_share -= np.logaddexp.reduce(log_share)
        return (1.0 - DEFENSIVE) * np.exp(log_share) + DEFENSIVE / len(self.components)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Independent points. [S, K]"""
        origin = rng.choice(len(self.components), size=size, p=self.shares)
        centres = np.stack([component.centre for component in self.components])
        factors = np.stack([component.factor for component in self.components])
        z = rng.standard_normal((size, centres.shape[1]))
        z *= SCALE * np.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM, (size, 1)))
        return centres[origin] + np.einsum("sij,sj->si", factors[origin], z)

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Log density at u [S, K], up to a constant that all components share. [S]"""
        log_parts = [_log_student_t(u, component) for component in self.components]
        return np.logaddexp.reduce(np.stack(log_parts, axis=1) + np.log(self.shares), axis=1)


def student_t(centre: np.ndarray, covariance: np.ndarray) -> Mixture:
    """The proposal of one mode: centre [K], covariance [K, K]."""
    return Mixture((Component(centre, np.linalg.cholesky(covariance), 0.0),))


def _log_student_t(u: np.ndarray, component: Component) -> np.ndarray:
    """Density of a component at u [S, K], up to a constant that all share. [S]"""
    z = linalg.solve_triangular(component.factor, (u - component.centre).T, lower=True, check_finite=False) / SCALE
    log_det = np.log(np.diag(component.factor)).sum()
    exponent = -0.5 * (DEGREES_OF_FREEDOM + len(component.centre))
    squares = (z**2).sum(axis=0)
    return -log_det + exponent * np.log1p(squares / DEGREES_OF_FREEDOM)
