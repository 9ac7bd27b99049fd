"""A polynomial in place of a log density: fitted to some exact values, it says where further ones are worth taking.

It proposes only. Points are drawn from a proposal q and thinned by the polynomial's weight, so that they come from a
density g that is known as exactly as q is; what is returned is weighted by the exact log density less log g.

Shapes: K = coordinates, N = exact values, S = points, B = terms of the polynomial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from math import comb

import numpy as np

from clvmodels.inference.samplers.proposals import Proposal

DEGREES = (2, 3, 4)
"""Of the polynomials that are tried; the one that foretells exact values best when they are left out is taken."""
HIGHEST_DEGREE = 6
"""Of a polynomial that is to be as good as exact."""
VALUES_A_TERM = 2.5
"""Exact values that a polynomial needs for each of its terms: with fewer it follows them and not the density."""
FEWEST_VALUES = 100
"""Exact values to begin with."""
MOST_FOR_A_CUBIC = 250
"""Exact values that a cubic is worth."""
TEMPER = 0.25
"""Exact values count with exp(0.25 (log density - the highest)): those in the tails too, but not as those in the
middle."""
RINGS = 8
"""Rings around the middle in which the polynomial's error is told apart."""
UNKNOWN = 10.0
"""Log units by which a polynomial may be wrong twice as far out as anything it was fitted to."""
DOUBT = 2.0
"""Errors by which points are better taken than left."""
FLOOR = np.log(0.1)
"""Log of the share of proposals that is kept where the polynomial sees no mass."""


@dataclass(frozen=True, eq=False)
class Values:
    """Points u [N, K] with their exact log density [N], finite."""

    u: np.ndarray
    log_density: np.ndarray

    @classmethod
    def of(cls, u: np.ndarray, log_density: np.ndarray) -> Values:
        """Those that are finite: a polynomial can follow no others."""
        finite = np.isfinite(log_density)
        return cls(u[finite], log_density[finite])

    def joined(self, more: Values) -> Values:
        """These and more."""
        return Values(np.concatenate([self.u, more.u]), np.concatenate([self.log_density, more.log_density]))

    @cached_property
    def weights(self) -> np.ndarray:
        """What each counts in a fit. [N]"""
        return np.exp(TEMPER * (self.log_density - self.log_density.max()))


@dataclass(frozen=True, eq=False)
class Polynomial:
    """sum_b coefficient_b prod_k z_k^power_bk of z = factor^-1 (u - centre)."""

    centre: np.ndarray
    inverse_factor: np.ndarray
    terms: tuple[tuple[int, ...], ...]
    coefficients: np.ndarray

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """At points u [S, K]. [S]"""
        return _basis((u - self.centre) @ self.inverse_factor.T, self.terms) @ self.coefficients

    def distance(self, u: np.ndarray) -> np.ndarray:
        """From the middle of what it was fitted to, at points u [S, K]. [S]"""
        return np.sqrt((((u - self.centre) @ self.inverse_factor.T) ** 2).sum(axis=1))


@dataclass(frozen=True, eq=False)
class Doubt:
    """Error of a polynomial, in log units, by distance: never less further out, and large beyond what was seen."""

    distances: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, distances: np.ndarray, left_out: np.ndarray) -> Doubt:
        """From the errors of values left out, in rings of as many values."""
        rings = np.array_split(np.argsort(distances, kind="stable"), RINGS)
        middles = [np.median(distances[ring]) for ring in rings]
        errors_of_rings = [np.sqrt(np.mean(left_out[ring] ** 2)) for ring in rings]
        errors = np.maximum.accumulate(errors_of_rings)
        farthest = distances.max()
        # up to the farthest value the error of the last ring, and at twice as far what is unknown
        places = np.array([*middles, farthest, 2.0 * farthest])
        return cls(places, np.array([*errors, errors[-1], UNKNOWN]))

    def __call__(self, distances: np.ndarray) -> np.ndarray:
        return np.interp(distances, self.distances, self.errors)


@dataclass(frozen=True, eq=False)
class Surrogate:
    """The log weight of a proposal as a polynomial has it, either by itself or as a log density less the proposal's.

    Which of them is smooth depends: that of a Gaussian posterior is the log density, on a curved ridge it is the log
    weight of the mixture that follows it.
    """

    polynomial: Polynomial
    proposal: Proposal
    of_weight: bool
    """Whether the polynomial is of the log weight, not of the log density."""
    error: float
    """Root mean square error of exact values left out of the fit, in log units."""
    doubt: Doubt
    """The same by distance from the middle."""

    @property
    def size(self) -> int:
        """Number of coordinates, K."""
        return len(self.polynomial.centre)

    @property
    def degree(self) -> int:
        """Of the polynomial."""
        return max(map(len, self.polynomial.terms))

    def log_weight(self, u: np.ndarray, log_proposal: np.ndarray) -> np.ndarray:
        """At points u [S, K] of log proposal density [S]. [S]"""
        polynomial = self.polynomial(u)
        return polynomial if self.of_weight else polynomial - log_proposal

    def highest_log_weight(self, u: np.ndarray, log_proposal: np.ndarray) -> np.ndarray:
        """What the exact one hardly exceeds: where the polynomial is no guide, points are better taken. [S]"""
        return self.log_weight(u, log_proposal) + DOUBT * self.doubt(self.polynomial.distance(u))


@dataclass(frozen=True, eq=False)
class Thinned:
    """Proposals q, each kept with probability clip(exp(surrogate's highest log weight - cap), 0.1, 1).

    What is kept has the density g(u) ~ q(u) clip(...), exactly, however wrong the surrogate is. The floor of 0.1 bounds
    the exact weights by ten times those of the proposal: a defensive mixture (Owen & Zhou 2000, section 2).
    """

    surrogate: Surrogate
    cap: float
    plain: bool = False
    """Kept by the surrogate's log weight itself, without a floor: what is kept has the surrogate's own density."""

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Independent points. [S, K]"""
        return self.draw_with_rest(size, rng)[0]

    def draw_with_rest(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points [S, K], and the surrogate's log weights of the proposals that were left out among them."""
        points, left_out = np.empty((0, self.surrogate.size)), np.empty(0)
        while len(points) < size:
            u = self.surrogate.proposal.draw(2 * size, rng)
            log_proposal = self.surrogate.proposal.log_density(u)
            keep = -rng.exponential(size=len(u)) < self._log_kept(u, log_proposal)
            # As many as are needed, and what was left out up to the last of them.
            upto = np.searchsorted(np.cumsum(keep), size - len(points)) + 1
            log_weights = self.surrogate.log_weight(u[:upto], log_proposal[:upto])
            points = np.concatenate([points, u[:upto][keep[:upto]]])
            left_out = np.concatenate([left_out, log_weights[~keep[:upto]]])
        return points, left_out

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Log density at u [S, K], up to a constant. [S]"""
        log_proposal = self.surrogate.proposal.log_density(u)
        return log_proposal + self._log_kept(u, log_proposal)

    def of_surrogate(self) -> Thinned:
        """The same proposals thinned to the surrogate's own density."""
        return replace(self, plain=True)

    def _log_kept(self, u: np.ndarray, log_proposal: np.ndarray) -> np.ndarray:
        if self.plain:
            return np.minimum(self.surrogate.log_weight(u, log_proposal) - self.cap, 0.0)
        return np.clip(self.surrogate.highest_log_weight(u, log_proposal) - self.cap, FLOOR, 0.0)


def values_needed(size: int) -> int:
    """Exact values for a first polynomial of K coordinates: of degree 3 where that takes no more than 250, else 2."""
    for_square, for_cubic = (values_of_degree(size, degree) for degree in (2, 3))
    return max(FEWEST_VALUES, for_cubic if for_cubic <= MOST_FOR_A_CUBIC else for_square)


def values_of_degree(size: int, degree: int) -> int:
    """Exact values that a polynomial of K coordinates needs."""
    return int(np.ceil(VALUES_A_TERM * comb(size + degree, degree)))


def thin(proposal: Proposal, values: Values, degrees: Sequence[int] = DEGREES) -> Thinned:
    """A proposal thinned by the best of the polynomials that exact values allow.

    The weight is capped at the largest exact one: beyond what was seen a polynomial may say anything.
    """
    log_proposal = proposal.log_density(values.u)
    fits = [
        _fit(proposal, values, log_proposal, degree, of_weight)
        for degree in degrees
        if degree == degrees[0] or values_of_degree(values.u.shape[1], degree) <= len(values.u)
        for of_weight in (False, True)
    ]
    surrogate = min(fits, key=lambda fit: fit.error)
    return Thinned(surrogate, float(np.max(values.log_density - log_proposal)))


def _fit(proposal: Proposal, values: Values, log_proposal: np.ndarray, degree: int, of_weight: bool) -> Surrogate:
    """Weighted least squares, with the error of each value when it is left out: e_i / (1 - leverage_i)."""
    weights = values.weights / values.weights.sum()
    centre = weights @ values.u
    apart = values.u - centre
    inverse_factor = np.linalg.inv(np.linalg.cholesky((apart.T * weights) @ apart))
    terms = _terms(values.u.shape[1], degree)
    basis = _basis(apart @ inverse_factor.T, terms)
    aim = values.log_density - log_proposal if of_weight else values.log_density
    level = aim.max()  # so that sums of squares do not round away what is fitted
    root = np.sqrt(weights)[:, None]
    orthonormal, triangle = np.linalg.qr(root * basis)
    projected = orthonormal.T @ (root[:, 0] * (aim - level))
    coefficients = np.linalg.solve(triangle, projected)
    leverage = (orthonormal**2).sum(axis=1)
    left_out = (aim - level - basis @ coefficients) / np.maximum(1.0 - leverage, 1e-3)
    coefficients[0] += level
    error = float(np.sqrt(weights @ left_out**2))
    polynomial = Polynomial(centre, inverse_factor, terms, coefficients)
    return Surrogate(polynomial, proposal, of_weight, error, Doubt.of(polynomial.distance(values.u), left_out))


def _terms(size: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Each term as the coordinates that it multiplies: (), (0,), (0, 0), (0, 1) ...; the constant comes first."""
    terms: list[tuple[int, ...]] = []
    for power in range(degree + 1):
        terms += combinations_with_replacement(range(size), power)
    return tuple(terms)


def _basis(z: np.ndarray, terms: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Every term at points z [S, K]; each is its shorter neighbour times one coordinate. [S, B]"""
    place = {term: b for b, term in enumerate(terms)}
    basis = np.ones((len(terms), len(z)))
    for b, term in enumerate(terms[1:], start=1):
        basis[b] = basis[place[term[:-1]]] * z[:, term[-1]]
    return basis.T
