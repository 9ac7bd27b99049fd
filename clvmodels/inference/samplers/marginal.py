"""A target with the coefficients of a group's labels integrated out, exactly; and these drawn again, given the others.

Given everything else labels are independent of each other, so that the integral over all of them is a product of
integrals over a line each. What is left to be sampled by importance is a handful of coordinates, whatever the number of
labels: the weights of 500 coefficients at once would be far too uneven.

Each integral is a trapezoid sum over steps of 1.2 standard deviations of the coefficient given the others, from 6 below
its place to 6 above. Of what is as smooth as a Gaussian such a sum is wrong by 2 exp(-2 pi^2 / 1.2^2), a millionth.

Shapes: K = coordinates, G = siblings (those integrated out), N = nodes, S = points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy.interpolate import BarycentricInterpolator

from clvmodels.errors import FitError, Problem
from clvmodels.inference.target import Siblings, Target

STEP = 1.2
NODES = STEP * np.arange(-5, 6)
"""In standard deviations of a coefficient given the others."""
MIDDLE = slice(len(NODES) // 2 - 1, len(NODES) // 2 + 2)
"""The three nodes in the middle."""
AT_ENDS = 1e-5
"""Largest share of an integral that the two outermost nodes may have: of a Gaussian in its place it is 1e-8."""
FARTHEST, WIDE_NODES = 8.0, (65, 801)
"""Between-group sds, and fewest and most nodes, over which what is no single hill is integrated: a half of the prior,
say, where a label's customers tell only that they buy little."""
CELL = 0.02
CELLS = np.arange(NODES[0] + CELL / 2, NODES[-1], CELL)
"""Middles of the cells that a coefficient is drawn from; their width changes a variance by a thirty thousandth."""
AROUND = np.array([-1.0, 0.0, 1.0])
"""Where a parabola is laid through the log density, to place the nodes."""
FIRST_WIDTH = 0.2
"""Standard deviation of a coefficient with which the first search begins: groups that differ by a fifth."""
ROUNDS = 40
"""Parabolas after which a place is given up."""
PATIENT, SHARE_LEFT = 6, 0.25
"""After so many parabolas a place is no nearer to its bounds than this share of what is between them."""
PLACED = 0.5
"""Largest step, in standard deviations, at which nodes are well placed: their ends are then 5 of them away."""
LONGEST, NARROWER, WIDER = 5.0, 20.0, 4.0
"""Of one parabola: how far its vertex is followed, in the width that it was laid over, and by what factors that width
changes."""
SAME_WIDTH = 1.25
"""Factor between two widths that are as good as equal."""
CLOSE = 0.05
"""Largest root mean square error, in log units, of the density that coefficients are drawn from."""


NEIGHBOURS = 3
"""Points, for each coordinate and one more, by which a placement is foretold."""
MOST_AROUND = 400
"""Points that were searched at and by which others are foretold: a few hundred lie wherever the density has mass."""


class Placement(NamedTuple):
    """Where each sibling is, about, given the others: place and standard deviation. [G] each"""

    place: np.ndarray
    width: np.ndarray

    def at(self, nodes: np.ndarray) -> np.ndarray:
        """Values of each sibling at nodes [N], standard deviations from its place. [G, N]"""
        return self.place[:, None] + self.width[:, None] * nodes


class Covered(NamedTuple):
    """The log density at the nodes around a placement, as `rest` and `parts` [G, N], and whether all of a sibling lies
    between its outermost nodes [G]."""

    placement: Placement
    rest: float
    parts: np.ndarray
    is_whole: np.ndarray

    @property
    def is_well_placed(self) -> bool:
        """Whether a search would have come to rest here: all of each sibling lies between its outermost nodes, and a
        parabola through the middle ones has its vertex in their middle, as wide as they say."""
        if not self.is_whole.all():
            return False
        in_widths = Placement(np.zeros(len(self.parts)), np.full(len(self.parts), STEP))
        vertex = _vertex(in_widths, self.parts[:, MIDDLE])
        is_as_wide = np.maximum(vertex.width, 1 / vertex.width) < SAME_WIDTH
        return bool((is_as_wide & (np.abs(vertex.place) < PLACED)).all())


@dataclass(frozen=True, eq=False)
class Marginal(Target):
    """The log density of the coordinates that are no siblings, with its gradient.

    Where siblings were found to be is remembered, and the next search for them begins there: gradients are asked for
    one after the other, from one place to its neighbour. Values are asked for all over the density, and where siblings
    are is foretold by the points around.
    """

    joint: Target
    out: Siblings
    remembered: list[tuple[np.ndarray, Placement]] = field(default_factory=list)
    around: list[tuple[np.ndarray, Placement]] = field(default_factory=list)

    @classmethod
    def of(cls, joint: Target) -> Marginal:
        """The target without its siblings."""
        others = np.delete(np.arange(joint.size), joint.independent)
        names = tuple(joint.names[k] for k in others)
        if joint.siblings is None:
            raise FitError(Problem("no coordinates can be integrated out", got=joint.describe(joint.starts[0])))
        return cls(names, joint.graph, joint.starts[:, others], joint, joint.siblings)

    @property
    def others(self) -> np.ndarray:
        """Positions of the coordinates that are left."""
        return np.delete(np.arange(self.joint.size), self.joint.independent)

    def value_and_grad(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """The log density at u [K - G] and its gradient; minus infinity where the siblings have no place."""
        placement, is_settled = self._placed(u)
        if placement is None or not is_settled.all():
            return -np.inf, np.zeros(self.size)
        self.remembered.append((u.copy(), placement))
        arguments = placement.at(NODES), np.log(STEP * placement.width)
        value, grad = self._call(lambda point: self._total_and_grad(point, *arguments), u)
        return float(value), np.asarray(grad)

    def value_many(self, u: np.ndarray) -> np.ndarray:
        """The log density at each row of u [S, K - G], as [S]; minus infinity where it is not a number."""
        values = np.array([self._value(row) for row in u])
        return np.where(np.isnan(values) | (values == np.inf), -np.inf, values)

    def complete(self, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Points [S, K] of the joint target, siblings drawn given the others u [S, K - G].

        Raises
        ------
        FitError
            A sibling is no single hill given the others; or the density between the nodes is not what a polynomial
            through them says.
        """
        points = np.empty((len(u), self.joint.size))
        errors = np.empty((len(u), len(self.joint.independent)))
        points[:, self.others] = u
        for s, row in enumerate(u):
            points[s, self.joint.independent], errors[s] = self._drawn(row, rng)
        worst = float(np.sqrt(np.mean(errors**2, axis=0)).max())
        if not worst <= CLOSE:
            got = f"a root mean square error of {worst:.2g} log units (at most {CLOSE})"
            raise FitError(Problem("coefficients of a group are not as smooth as their nodes", got=got))
        return points

    def _value(self, row: np.ndarray) -> float:
        covered = self._covered(row)
        if covered is None:
            return -np.inf
        log_integrals = np.logaddexp.reduce(covered.parts, axis=1) + np.log(STEP * covered.placement.width)
        if not covered.is_whole.all():
            log_integrals = np.where(covered.is_whole, log_integrals, self._over_prior(row, covered))
        return float(covered.rest + log_integrals.sum())

    def _over_prior(self, row: np.ndarray, covered: Covered) -> np.ndarray:
        """The log integrals over all that the prior allows, in steps as fine as the places that were found. [G]"""
        size = len(self.joint.independent)
        prior_sd = np.exp(row[self._scale])
        narrowest = covered.placement.width[~covered.is_whole].min()
        count = int(np.clip(2 * FARTHEST * prior_sd / (STEP * narrowest), *WIDE_NODES))
        nodes, step = np.linspace(-FARTHEST, FARTHEST, count, retstep=True)
        of_prior = Placement(np.zeros(size), np.full(size, prior_sd))
        _, parts = self._separate(row, of_prior.at(nodes))
        return np.logaddexp.reduce(parts, axis=1) + np.log(step * prior_sd)

    def _drawn(self, row: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A value of each sibling [G] given the others, and how wrong the log density is there that it is drawn from.

        That one is Gaussian but for a factor, whose log is a polynomial through the nodes.
        """
        covered = self._covered(row)
        if covered is None or not covered.is_whole.all():
            what = "the coefficients of a group are no single hill given everything else"
            raise FitError(Problem(what, got=self.describe(row), known="Use method='nuts'"))
        placement, parts = covered.placement, covered.parts
        log_density = (parts + NODES**2 / 2) @ _between_nodes() - CELLS**2 / 2
        highest = log_density.max(axis=1, keepdims=True)
        cumulative = np.cumsum(np.exp(log_density - highest), axis=1)
        level = cumulative[:, -1] * rng.uniform(size=len(cumulative))
        cell = np.minimum((cumulative < level[:, None]).sum(axis=1), len(CELLS) - 1)
        middle = placement.place + placement.width * CELLS[cell]
        _, exact = self._separate(row, middle[:, None])
        errors = exact[:, 0] - np.take_along_axis(log_density, cell[:, None], axis=1)[:, 0]
        within = CELL * (rng.uniform(size=len(cell)) - 0.5)
        return middle + placement.width * within, errors

    def _covered(self, row: np.ndarray) -> Covered | None:
        """The log density at the nodes; None where it is nothing.

        Where siblings are as the remembered points foretell, no search for them is needed: the nodes themselves tell.
        """
        foretold = self._foretold(row)
        if foretold is not None:
            covered = self._around(row, foretold)
            if covered.is_well_placed:
                return covered
        placement, is_settled = self._placed(row)
        if placement is None:
            return None
        if is_settled.all() and len(self.around) < MOST_AROUND:
            self.around.append((row.copy(), placement))
        covered = self._around(row, placement)
        return covered._replace(is_whole=is_settled & covered.is_whole)

    def _around(self, row: np.ndarray, placement: Placement) -> Covered:
        rest, parts = self._separate(row, placement.at(NODES))
        with np.errstate(invalid="ignore"):  # far from what is foretold all may be nothing, of which no share is known
            at_ends = np.logaddexp(parts[:, 0], parts[:, -1]) - np.logaddexp.reduce(parts, axis=1)
        return Covered(placement, rest, parts, at_ends < np.log(AT_ENDS))

    def _placed(self, row: np.ndarray) -> tuple[Placement | None, np.ndarray]:
        """Where each sibling is, by parabolas between what lies below it and what above, and whether it was found there
        [G]; None where the density is nothing."""
        guess = self._guess(row)
        here, bounds = guess, Bounds.none(len(guess.place))
        settled = np.zeros(len(guess.place), dtype=bool)
        for number in range(ROUNDS):
            _, parts = self._separate(row, here.at(AROUND))
            if not np.isfinite(parts).all():
                return None, settled
            bounds = bounds.narrowed(here, parts)
            place, width = _vertex(here, parts)
            place = bounds.bring_back(place, 0.0 if number < PATIENT else SHARE_LEFT)
            is_near = np.abs(place - here.place) < PLACED * width
            is_as_wide = np.maximum(width / here.width, here.width / width) < SAME_WIDTH
            here = Placement(np.where(settled, here.place, place), np.where(settled, here.width, width))
            settled |= is_near & is_as_wide
            if settled.all():
                break
        return here, settled

    @cached_property
    def _scale(self) -> int:
        return int(np.searchsorted(self.others, self.out.log_sd))

    def _guess(self, row: np.ndarray) -> Placement:
        """Where the siblings were at the nearest point that is remembered."""
        if not self.remembered:
            size = len(self.joint.independent)
            return Placement(np.zeros(size), np.full(size, FIRST_WIDTH))
        return _nearest(self.remembered, row, 1)[0][1]

    def _foretold(self, row: np.ndarray) -> Placement | None:
        """Where the siblings are by a plane through the nearest points around; None with too few."""
        count = NEIGHBOURS * (self.size + 1)
        if len(self.around) < count:
            return None
        points, placements = zip(*_nearest(self.around, row, count), strict=True)
        design = np.column_stack([np.ones(count), np.array(points) - row])
        # at the row itself all but the first column are 0: what is foretold there is the intercept
        to_intercept = np.linalg.pinv(design)[0]
        place = to_intercept @ np.array([placement.place for placement in placements])
        log_width = to_intercept @ np.log([placement.width for placement in placements])
        return Placement(place, np.exp(log_width))

    def _separate(self, row: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
        """The log density as a sum of `rest` and `parts` [G, N] (`Siblings`)."""
        rest, parts = self._call(lambda point: self._compiled(point, np.ascontiguousarray(z)), row)
        return float(rest), np.where(np.isnan(parts), -np.inf, parts)

    @cached_property
    def _compiled(self):
        v, z = self._variables()
        return self._function([v, z], self.out.graph(v, z, False))

    @cached_property
    def _total_and_grad(self):
        """The nodes stay where they are when the others move: an integral does not depend on where they lie."""
        v, z = self._variables()
        log_steps = pt.vector("log_steps", dtype="float64")
        rest, parts = self.out.graph(v, z, True)
        total = rest + pt.sum(pt.logsumexp(parts, axis=1) + log_steps)
        return self._function([v, z, log_steps], [total, pt.grad(total, v)])

    def _variables(self) -> tuple[pt.TensorVariable, pt.TensorVariable]:
        v = pt.vector("v", shape=(self.size,), dtype="float64")
        return v, pt.matrix("z", shape=(len(self.joint.independent), None), dtype="float64")

    @staticmethod
    def _function(inputs, outputs):
        return pytensor.function(inputs, outputs, mode="NUMBA", trust_input=True)


class Bounds(NamedTuple):
    """Between which places each summit lies; infinite where nothing has told yet. [G] each"""

    below: np.ndarray
    above: np.ndarray

    @classmethod
    def none(cls, size: int) -> Bounds:
        """Nothing is known."""
        return cls(np.full(size, -np.inf), np.full(size, np.inf))

    def narrowed(self, here: Placement, parts: np.ndarray) -> Bounds:
        """By log densities [G, 3] around a place: it goes up from the lower of two to a single summit."""
        lower, middle, higher = parts.T
        below = np.where(higher > middle, here.place, here.place - here.width)
        above = np.where(lower > middle, here.place, here.place + here.width)
        is_rising, is_falling = higher > middle, lower > middle
        return Bounds(
            np.where(is_falling, self.below, np.maximum(self.below, below)),
            np.where(is_rising, self.above, np.minimum(self.above, above)),
        )

    def bring_back(self, place: np.ndarray, share: float) -> np.ndarray:
        """To the middle where a place is outside, or nearer to a bound than that share of what is between them. [G]"""
        is_bounded = np.isfinite(self.below) & np.isfinite(self.above)
        below, above = np.where(is_bounded, self, 0.0)
        margin = share * (above - below)
        is_outside = (place <= below + margin) | (place >= above - margin)
        return np.where(is_bounded & is_outside, (below + above) / 2, place)


def _nearest(
    remembered: Sequence[tuple[np.ndarray, Placement]], row: np.ndarray, count: int
) -> list[tuple[np.ndarray, Placement]]:
    points = np.array([point for point, _ in remembered])
    order = np.argsort(((points - row) ** 2).sum(axis=1), kind="stable")
    return [remembered[place] for place in order[:count]]


def _vertex(here: Placement, parts: np.ndarray) -> Placement:
    """The vertex and the width of parabolas through log densities [G, 3] around a place, not too far from there."""
    below, middle, above = parts.T
    slope = (above - below) / (2 * here.width)
    flattest = (WIDER * here.width) ** -2
    steepest = (here.width / NARROWER) ** -2
    curvature = np.clip((2 * middle - above - below) / here.width**2, flattest, steepest)
    longest = LONGEST * here.width
    step = np.clip(slope / curvature, -longest, longest)
    return Placement(here.place + step, 1 / np.sqrt(curvature))


@cache
def _between_nodes() -> np.ndarray:
    """What each node adds to a polynomial through all of them, at the cells. [N, cells]"""
    return BarycentricInterpolator(NODES, np.eye(len(NODES)))(CELLS).T
