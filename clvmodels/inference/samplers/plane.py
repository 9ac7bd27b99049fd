"""Importance sampling where the rest is Gaussian only given two coordinates: a mixture over a plane of them.

Two cases. Two between-group sds make two funnels; and a ridge may be broad in two directions (the Gompertz lifetime's b
and beta). The mode and covariance of the rest are found at the points of a lattice, each weighted by Laplace's
approximation of its mass, outwards from the middle as far as there is mass (the grid strategy of Rue, Martino & Chopin
2009, section 3.1).

Shapes: K = coordinates; A = 2, the coordinates of the plane.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from clvmodels.errors import FitError, Problem
from clvmodels.inference.samplers.mode import Mode, Summit, invert, polish
from clvmodels.inference.samplers.proposals import Component, Mixture
from clvmodels.inference.target import Conditional, Target

STEP = 1.0
"""Distance of the lattice's points along its axes, which are standard deviations where these are known."""
OVERLAP = 0.7
"""Width of a component along an axis, in steps: so wide they add up to a density that is flat between the points."""
NEGLIGIBLE = 10.0
"""A share of 5e-5; the components' heavy tails reach further."""
FARTHEST = 8
"""Steps from the middle at which the lattice ends anyway."""
ROUGHLY = 0.1
"""Log units to gain at which a step towards the rest's mode is the last: a proposal needs no more."""

Place = tuple[int, int]
DIRECTIONS: tuple[Place, ...] = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True, eq=False)
class Plane:
    """Two coordinates of a target, and a lattice over them.

    Parameters
    ----------
    pair : [A]
        Positions of the two coordinates.
    middle : [A]
        Where the lattice begins.
    axes : [A, A]
        Its steps, as columns.
    summit
        The rest's mode at the middle.
    slope : [K - 2, A]
        How the rest's mode moves there with the two.
    negligible
        Log units of mass below the heaviest point from which on the lattice is not followed further.
    """

    target: Target
    pair: np.ndarray
    middle: np.ndarray
    axes: np.ndarray
    summit: Summit
    slope: np.ndarray
    negligible: float = NEGLIGIBLE

    @classmethod
    def around(cls, target: Target, mode: Mode) -> Plane:
        """The two coordinates that a mode's covariance leaves widest."""
        covariance = mode.covariance
        pair = np.sort(np.argsort(np.diag(covariance))[-2:])
        free = np.delete(np.arange(target.size), pair)
        of_pair = covariance[np.ix_(pair, pair)]
        slope = covariance[np.ix_(free, pair)] @ np.linalg.inv(of_pair)
        axes = STEP * np.linalg.cholesky(of_pair)
        curvature = np.linalg.inv(covariance)[np.ix_(free, free)]
        summit = Summit(mode.u[free], mode.value, curvature, 0.0)
        return cls(target, pair, mode.u[pair], axes, summit, slope)

    @property
    def free(self) -> np.ndarray:
        """Positions of the rest."""
        return np.delete(np.arange(self.target.size), self.pair)

    def at(self, place: Place) -> np.ndarray:
        """The two coordinates at a point of the lattice. [A]"""
        return self.middle + self.axes @ np.array(place)

    def mixture(self) -> Mixture:
        """A component at each point that has mass.

        Raises
        ------
        FitError
            Nowhere but in the middle has the rest a mode.
        """
        summits = self._summits()
        heaviest = max(summit.log_mass() for summit in summits.values())
        weighty = {at: summit for at, summit in summits.items() if summit.log_mass() > heaviest - self.negligible}
        return Mixture(tuple(self._component(place, summits) for place in weighty))

    def _summits(self) -> dict[Place, Summit]:
        """The rest's mode at each point, begun from its neighbour's, outwards as far as there is mass."""
        summits = {(0, 0): self.summit}
        heaviest = self.summit.log_mass()
        border = deque([(0, 0)])
        while border:
            here = border.popleft()
            if summits[here].log_mass() < heaviest - self.negligible:
                continue
            for direction in DIRECTIONS:
                there = _moved(here, direction)
                if there in summits or max(map(abs, there)) > FARTHEST:
                    continue
                summit = self._climb(there, self._ahead(here, direction, summits))
                if not summit.problem(self.target.names, ROUGHLY):
                    summits[there] = summit
                    heaviest = max(heaviest, summit.log_mass())
                    border.append(there)
        return summits

    def _climb(self, place: Place, ahead: np.ndarray) -> Summit:
        point = np.zeros(self.target.size)
        point[self.pair] = self.at(place)
        return polish(Conditional.of(self.target, point, self.free), ahead, ahead, last_step=ROUGHLY)

    def _ahead(self, here: Place, direction: Place, summits: dict[Place, Summit]) -> np.ndarray:
        """Where the rest's mode may be one step on: as far again as it came, or as the first slope says."""
        behind = summits.get((here[0] - direction[0], here[1] - direction[1]))
        if behind is None:
            return summits[here].u + self.slope @ self.axes @ np.array(direction)
        return 2 * summits[here].u - behind.u

    def _component(self, place: Place, summits: dict[Place, Summit]) -> Component:
        """Gaussian of `OVERLAP` steps along the axes, and given those the rest's own, its mode moving with them."""
        summit = summits[place]
        along_axes = np.stack([self._movement(place, axis, summits) for axis in ((1, 0), (0, 1))], axis=1)
        of_pair = OVERLAP**2 * self.axes @ self.axes.T
        of_rest = invert(summit.curvature) + OVERLAP**2 * along_axes @ along_axes.T
        of_both = OVERLAP**2 * along_axes @ self.axes.T
        covariance = np.block([[of_rest, of_both], [of_both.T, of_pair]])
        centre = np.concatenate([summit.u, self.at(place)])
        # from the rest and then the pair to the order of the target's coordinates
        order = np.argsort(np.concatenate([self.free, self.pair]))
        scale = np.linalg.cholesky(covariance[np.ix_(order, order)])
        return Component(centre[order], scale, summit.log_mass())

    def _movement(self, place: Place, axis: Place, summits: dict[Place, Summit]) -> np.ndarray:
        """How far the rest's mode moves with one step along an axis. [K - 2]"""
        ahead = summits.get(_moved(place, axis))
        behind = summits.get((place[0] - axis[0], place[1] - axis[1]))
        if ahead is not None and behind is not None:
            return (ahead.u - behind.u) / 2
        if ahead is not None:
            return ahead.u - summits[place].u
        if behind is not None:
            return summits[place].u - behind.u
        raise FitError(Problem("the rest has a mode in the middle of the lattice only", known="Use method='nuts'"))


def _moved(place: Place, direction: Place) -> Place:
    return place[0] + direction[0], place[1] + direction[1]
