"""Lifetimes that end by the clock, anywhere: the ended branch is one smooth integral over the time of the end.

With g(tau) the density of the purchases seen and none in (t_x, tau), S and f the survival and the density of the
lifetime,

    alive = log g(T) + log S(T),        ended = log of the integral over tau in (t_x, T) of g(tau) f(tau).

A lifetime declares its natural clock, the time in which its density is smooth, and there the rate at which the density
falls and how far it reaches; where the nodes of the integral lie follows from both.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import disconnected_grad

from clvmodels.draws import Array
from clvmodels.models.compiled import compiled
from clvmodels.models.contract import State
from clvmodels.models.parameters import STATUS, Graph, Rows, Theta, Value
from clvmodels.models.parts.contract import (
    NOTHING_LEFT,
    Calendar,
    Lifetime,
    Memoryless,
    OnCalendar,
    Pieces,
    Residual,
    gauss_legendre,
    widened,
)
from clvmodels.models.parts.time_ahead import Stay, between_jumps, expected_operational_time, time_until
from clvmodels.randomness import KeyedRandom

NODES = 32
"""Of the integral over the end: Pareto/NBD's is right to 2e-11 in 160 hard cases, where 24 nodes reach 2e-9."""
CELLS = 64
"""Cells of an ended customer's age at the end: its moments are within 1e-4 of the exact ones."""
NODES_OF_CHANCES = 24
"""Of the chance of a purchase in a window: of 60 hard cases none is wrong by more than 1e-15, with 16 nodes 4e-10."""
LEAST_RATE = 1e-200
"""Who buys more rarely does not buy at all, to the last digit."""
NODES_OF_COUNTS = 64
"""Of the probability of a count whose lifetime ended on the way: its integrand has a peak at each count."""


class ClockLifetime(Lifetime[Memoryless], ABC):
    """A lifetime that ends by the clock, anywhere; what differs between customers is integrated out.

    Its natural clock is the time in which its density is smooth: calendar time unless `between` and `advance` say
    otherwise. Densities, decays and reaches are in units of that clock.
    """

    title = "a lifetime that ends by the clock"
    nodes = NODES
    bunched = 1
    """Power by which the nodes are bunched towards t_x, for clocks in which time itself is not smooth there."""

    def between(self, t: Value, tau: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """Units of the natural clock in the ages (t, t + tau)."""
        return tau

    def advance(self, t: Value, u: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """The time after age t in which the natural clock moves by u."""
        return u

    @abstractmethod
    def log_survival(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """log S(t)."""

    @abstractmethod
    def log_density(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """log of the density of the end at age t, per unit of the natural clock."""

    @abstractmethod
    def log_ratio(self, t: Graph, u: Graph, theta: Theta[Graph]) -> Graph:
        """log of that density when the clock has moved by u after t, less that at t."""

    @abstractmethod
    def decay(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """Rate at which the density falls at t."""

    @abstractmethod
    def reach(self, t: Graph, theta: Theta[Graph]) -> Graph:
        """Units of the clock after t beyond which the density has fallen by exp(-45)."""

    @abstractmethod
    def survival_ratio(self, t: Array, tau: Array, theta: Theta[Array]) -> Array:
        """S(t + tau) / S(t)."""

    @abstractmethod
    def residual_at(self, t: Array, survived: Array, theta: Theta[Array]) -> Array:
        """The tau at which S(t + tau) / S(t) has fallen to `survived`, in (0, 1]."""

    @abstractmethod
    def draw_residual(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Time left of a customer alive at T, and own variables. [D, C]"""

    @abstractmethod
    def draw_ended(self, death: Array, theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """Own variables of a customer who ended at age `death`. [D, C]"""

    @abstractmethod
    def own_survival(self, rows: Rows[Array], theta: Theta[Array], state: State, tau: Array) -> Array:
        """P(lasts for tau after T | the customer's own variables, alive at T). tau: [D, C, P]; result [D, C, P]"""

    def expected_time(self, rows: Rows[Array], theta: Theta[Array], t: Array) -> Array:
        """E[min(residual lifetime, t) | alive at T], t increasing: by quadrature where no closed form is written.
        [D, C, P]"""
        T = np.asarray(rows["T"])[..., None]
        return time_until(t, lambda tau: self.survival_ratio(T, tau, widened(theta)))

    def own_time(self, rows: Rows[Array], theta: Theta[Array], state: State, t: Array) -> Array:
        """The same given the customer's own variables: by quadrature where no closed form is written. [D, C, P]"""
        return time_until(t, lambda tau: self.own_survival(rows, theta, state, tau))

    # What follows -----------------------------------------------------------------------------------------------

    def branches(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Graph], theta: Theta[Graph]
    ) -> tuple[Graph, Graph]:
        factors = purchases.calendar.log_intensity(rows, theta)
        alive = purchases.log_density(rows, rows["T"], theta) + factors + self.log_survival(rows["T"], theta)
        ended = log_ended(self, purchases, rows, theta) + factors
        return alive, ended

    def log_ended_at_T(self, purchases: OnCalendar[Memoryless], rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        factors = purchases.calendar.log_intensity(rows, theta)
        return purchases.log_density(rows, rows["T"], theta) + factors + self.log_density(rows["T"], theta)

    def draw_left(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Residual:
        time, variables = self.draw_residual(rows, theta, rng)
        return Residual(time, np.full(rng.shape, np.inf), variables)

    def draw_end(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom
    ) -> tuple[Array, dict[str, Array]]:
        death = draw_age_at_end(self, purchases, rows, theta, rng)
        return death, self.draw_ended(death, theta, rng)

    def expected_purchases(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], t: Array
    ) -> Array:
        """E[own rate] E[operational time until the end, or t]: the two are independent given the history."""
        age = purchases.operational_age(rows, rows["T"], theta)
        rate = np.asarray(purchases.process.mean_rate(rows, age, theta))
        T, wide_theta = np.asarray(rows["T"])[..., None], widened(theta)
        stay = Stay(
            lambda until: self.expected_time(rows, theta, until),
            lambda tau: self.survival_ratio(T, tau, wide_theta),
        )
        return rate[..., None] * expected_operational_time(stay, purchases, rows, theta, t)

    def purchases_given_own(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], state: State, t: Array
    ) -> Array:
        """The own rate times E[operational time until the end, or t]."""
        rate = state.purchase_rate[..., None]
        if type(purchases.calendar) is Calendar:
            return rate * self.own_time(rows, theta, state, t)
        stay = Stay(
            lambda until: self.own_time(rows, theta, state, until),
            lambda tau: self.own_survival(rows, theta, state, tau),
        )
        return rate * expected_operational_time(stay, purchases, rows, theta, t)

    def count_probability(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], n: Array, t: float
    ) -> Array:
        """Lasts beyond t with n purchases in t, or ends before with n purchases until then."""
        age = purchases.operational_age(rows, rows["T"], theta)
        ahead = purchases.ahead(rows, np.asarray([t]), theta)[..., 0]
        of_n = purchases.process.count_probability(rows, age, theta, n, ahead)
        lasting = self.survival_ratio(rows["T"], np.asarray(t), theta)
        return of_n * lasting + count_before_the_end(self, purchases, rows, theta, n, t)

    def chance_of_purchase(
        self, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], start: float, end: float
    ) -> Array:
        """The first purchase after `start` comes before `end`, and before the customer leaves.

        In y = -log P(none in u) = shape log(1 + u / exposure) it is the integral of exp(-y) S(T + start + u) / S(T);
        nodes are placed in z = log1p(y), and end where y is 45.
        """
        age = purchases.operational_age(rows, rows["T"], theta)
        phase = next(iter(purchases.process.phases(rows, age, theta)))  # memoryless purchases have but one
        last = phase.shape * np.log1p((end - start) / phase.exposure)

        def stays(y: Array) -> Array:
            first_purchase = phase.exposure * np.expm1(y / phase.shape)
            return self.survival_ratio(rows["T"], start + first_purchase, theta)

        return _chance_before_the_end(np.log1p(np.minimum(last, NOTHING_LEFT)), stays)

    def chance_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, start: float, end: float) -> Array:
        """As `chance_of_purchase`, in y = lambda u: by the same nodes, where no closed form is written."""
        rate = np.maximum(state.purchase_rate, LEAST_RATE)

        def stays(y: Array) -> Array:
            return self.own_survival(rows, theta, state, (start + y / rate)[..., None])[..., 0]

        return _chance_before_the_end(np.log1p(np.minimum(rate * (end - start), NOTHING_LEFT)), stays)


def _chance_before_the_end(top: Array, stays: Callable[[Array], Array]) -> Array:
    """Integral of exp(-y) stays(y) from y = 0, by nodes in z = log1p(y) up to `top`. [D, C]"""
    total: Array = np.zeros(())
    for node, weight in zip(*gauss_legendre(NODES_OF_CHANCES), strict=True):
        z = top * node
        y = np.expm1(z)
        total = total + weight * np.exp(z - y) * stays(y)
    return top * total


# The density of a history that has ended -------------------------------------------------------------------------


class Spans(NamedTuple):
    """Where nodes are placed in each piece of (t_x, T). [R, pieces] each

    The integrand's decay rate at the beginning of the piece; how far the piece begins after t_x and its length, both in
    the lifetime's natural clock, cut where nothing is left.
    """

    decay: Graph
    first: Graph
    length: Graph


def log_ended(
    lifetime: ClockLifetime, purchases: OnCalendar[Memoryless], rows: Rows[Graph], theta: Theta[Graph]
) -> Graph:
    """log of the integral over the end tau in (t_x, T) of g(tau) f(tau), without the calendar's factors at the
    purchases. [R]

    Gauss-Legendre in y = log1p(u h), u the lifetime's natural clock since t_x and h the integrand's decay rate there,
    up to where nothing is left, relative to the value at t_x; from each of the calendar's jumps to the next. In tau
    itself the integral of a heavy buyer, whose g falls within days, would be wrong by thousands of log units. Where
    t_x = T it is minus infinity with gradient 0.
    """
    calendar = purchases.calendar
    open_end = pt.gt(rows["T"], rows["recency"])
    pieces = calendar.pieces(rows, theta)
    spans = _spans(lifetime, purchases, rows, theta, pieces, open_end)
    place, weights = gauss_legendre(calendar.nodes(lifetime.nodes))
    power = lifetime.bunched
    top = pt.log1p(spans.length * spans.decay)
    y = top[..., None] * place**power
    u = spans.first[..., None] + pt.expm1(y) / spans.decay[..., None]
    # du = exp(y) dy / h, and the place of a bunched node moves by power * place^(power - 1)
    log_weight = np.log(weights * power * place ** (power - 1))
    exponent = log_weight + y + _log_relative(lifetime, purchases, rows, theta, pieces, u)
    t_x = rows["recency"]
    at_last = purchases.log_density(rows, t_x, theta) + lifetime.log_density(t_x, theta)
    # pieces that the gap does not reach have length 0: 1 before the log, so that no gradient is infinite times 0
    reached = pt.gt(spans.length, 0.0)
    log_piece = pt.log(pt.switch(reached, top / spans.decay, 1.0)) + pt.logsumexp(exponent, axis=-1)
    inside = at_last + pt.logsumexp(pt.switch(reached, log_piece, -np.inf), axis=-1)
    return pt.switch(open_end, inside, -np.inf)


def _log_relative(
    lifetime: ClockLifetime,
    purchases: OnCalendar[Memoryless],
    rows: Rows[Graph],
    theta: Theta[Graph],
    pieces: Pieces,
    u: Graph,
) -> Graph:
    """log g(tau) f(tau), where the natural clock has moved by u since t_x, less that at t_x. u: [R, pieces, N]"""
    wide_rows, wide_theta = widened(widened(rows)), widened(widened(theta))
    t_x = wide_rows["recency"]
    tau = lifetime.advance(t_x, u, wide_theta)
    passed = purchases.calendar.within(rows, pieces, tau, theta)
    start = purchases.calendar.elapsed(rows, 0.0, rows["recency"], theta)[..., None, None]
    of_purchases = purchases.process.log_ratio(wide_rows, start, passed, wide_theta)
    return of_purchases + lifetime.log_ratio(t_x, u, wide_theta)


def _spans(
    lifetime: ClockLifetime,
    purchases: OnCalendar[Memoryless],
    rows: Rows[Graph],
    theta: Theta[Graph],
    pieces: Pieces,
    open_end: Graph,
) -> Spans:
    """Where the nodes lie. Where t_x = T the pieces have length 1, so that no log and no gradient is infinite.

    The integral does not depend on where its nodes lie, so no gradient flows through the decay and the cut; it does
    through the bounds, which parameters move where the natural clock depends on them.
    """
    process = purchases.process
    length = pt.switch(open_end[..., None], pieces.length, 1.0)
    wide_rows, wide_theta = widened(rows), widened(theta)
    t_x = wide_rows["recency"]
    begin = t_x + pieces.offset
    start = purchases.calendar.elapsed(rows, 0.0, rows["recency"], theta)[..., None] + pieces.before
    # g falls e-fold in 1 / fall; on the natural clock that is so many units, and f falls beside it
    fall = pieces.pace * process.decay(wide_rows, start, wide_theta)
    decay = 1.0 / lifetime.between(begin, 1.0 / fall, wide_theta) + lifetime.decay(begin, wide_theta)
    # g may fall as slowly as the least factor of the piece lets it
    enough = process.reach(wide_rows, start, wide_theta) / pieces.slowest
    reach = pt.minimum(lifetime.reach(begin, wide_theta), lifetime.between(begin, enough, wide_theta))
    first = lifetime.between(t_x, pieces.offset, wide_theta)
    whole_length = lifetime.between(begin, length, wide_theta)
    return Spans(disconnected_grad(decay), first, pt.minimum(whole_length, disconnected_grad(reach)))


# The age at the end, given that it has come ----------------------------------------------------------------------


def draw_age_at_end(
    lifetime: ClockLifetime,
    purchases: OnCalendar[Memoryless],
    rows: Rows[Array],
    theta: Theta[Array],
    rng: KeyedRandom,
) -> Array:
    """Age at the end given that it fell in (t_x, T), by inverse CDF. [D, C]

    The density is log-linear between 65 points in the natural clock, equally spaced in y = log1p(u h) (fewer from each
    of the calendar's jumps to the next); its moments are within 1e-4 of the exact ones. A customer with t_x = T cannot
    have ended: the age is T. Where the end was observed it is T.
    """
    decay, first, y, log_density = _curve(lifetime, purchases)(rows, theta)
    width, slope = np.diff(y, axis=-1), np.diff(log_density, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # the mean of exp over a cell; where the curve is flat, 0 / 0 but for its limit
        mean_growth = np.where(np.abs(slope) < FLAT, 1.0, np.expm1(slope) / slope)
        mass = np.exp(log_density[..., :-1]) * mean_growth * width
    mass = _in_one_row(mass / decay[..., None])
    cumulative = np.cumsum(mass, axis=-1)
    goal = rng.uniform() * cumulative[..., -1]
    # rounding may leave the goal at the very end: the last cell
    cell = np.minimum((cumulative < goal[..., None]).sum(axis=-1), cumulative.shape[-1] - 1)
    piece = cell // width.shape[-1]
    before = np.where(cell > 0, _picked(cumulative, np.maximum(cell - 1, 0)), 0.0)
    k = _picked(_in_one_row(slope), cell)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip((goal - before) / _picked(mass, cell), 0.0, 1.0)
        within = np.where(np.abs(k) < FLAT, share, np.log1p(share * np.expm1(k)) / k)
    y_at_end = _picked(_in_one_row(y[..., :-1]), cell) + within * _picked(_in_one_row(width), cell)
    u = _picked(first, piece) + np.expm1(y_at_end) / _picked(decay, piece)
    age = rows["recency"] + lifetime.advance(np.asarray(rows["recency"]), u, theta, np)
    was_seen = np.asarray(rows.get("status", 0.0)) == STATUS["ended"]
    at_T = (rows["T"] <= rows["recency"]) | was_seen
    return np.where(at_T, rows["T"], np.minimum(age, rows["T"]))


FLAT = 1e-8
"""Slope of the log density over a cell below which expm1(slope) / slope is 1 to half the digits of a double."""


def _in_one_row(values: Array) -> Array:
    """The cells of all pieces one after the other. [D, C, pieces, cells] -> [D, C, pieces * cells]"""
    return values.reshape(*values.shape[:-2], -1)


def _picked(values: Array, place: NDArray[np.intp]) -> Array:
    """The value at that place of the last dimension. [D, C]"""
    return np.take_along_axis(values, place[..., None], axis=-1)[..., 0]


def _curve(lifetime: ClockLifetime, purchases: OnCalendar[Memoryless]) -> Callable[..., tuple[Array, ...]]:
    """Compiled: (rows, theta) -> decay and first [D, C, pieces], y and log density [D, C, pieces, 65], relative to
    t_x."""

    def graph(rows: Rows[Graph], theta: Theta[Graph]) -> tuple[Graph, ...]:
        pieces = purchases.calendar.pieces(rows, theta)
        open_end = pt.gt(rows["T"], rows["recency"])
        decay, first, length = _spans(lifetime, purchases, rows, theta, pieces, open_end)
        points = np.linspace(0.0, 1.0, purchases.calendar.nodes(CELLS) + 1)
        y = pt.log1p(length * decay)[..., None] * points
        u = first[..., None] + pt.expm1(y) / decay[..., None]
        return decay, first, y, y + _log_relative(lifetime, purchases, rows, theta, pieces, u)

    components = (purchases.process, lifetime, purchases.calendar)
    observes = tuple(dict.fromkeys(name for component in components for name in component.observes))
    parameters = tuple(parameter.name for component in components for parameter in component.parameters)
    return compiled((lifetime, purchases, "age at the end"), graph, observes, parameters)


# A count whose lifetime ends on the way -------------------------------------------------------------------------


def count_before_the_end(
    lifetime: ClockLifetime,
    purchases: OnCalendar[Memoryless],
    rows: Rows[Array],
    theta: Theta[Array],
    n: Array,
    t: float,
) -> Array:
    """Integral over tau in (0, t) of P(n purchases in tau) f(T + tau) / S(T). [D, C]

    In e = -log(S(T + tau) / S(T)), the cumulative hazard of the end, the lifetime's part is exp(-e) whatever its
    law; nodes are placed in y = log1p(e c), c large where purchases are soon, from each jump of the calendar's
    factor to the next, and end where e is 45.
    """
    process, calendar = purchases.process, purchases.calendar
    age = purchases.operational_age(rows, rows["T"], theta)
    upto, _ = between_jumps(purchases, rows, np.asarray([t]))
    bounds = np.concatenate([np.zeros_like(upto[..., :1]), upto], axis=-1)
    hazard_until = lambda tau: -np.log(lifetime.survival_ratio(rows["T"], tau, theta))  # noqa: E731
    phase = next(iter(process.phases(rows, age, theta)))  # memoryless purchases have but one
    with np.errstate(divide="ignore"):  # a survival that underflows to 0 is beyond the 45
        first_purchase = phase.exposure / (phase.shape + 1.0)
        # at least 1e-12, so that c is a number where nobody leaves before the first purchase
        c = 1.0 + 1.0 / np.maximum(hazard_until(first_purchase), 1e-12)
        y = [
            np.log1p(c * np.minimum(hazard_until(bounds[..., edge]), NOTHING_LEFT)) for edge in range(bounds.shape[-1])
        ]
    total: Array = np.zeros(())
    nodes, weights = gauss_legendre(calendar.nodes(NODES_OF_COUNTS))
    for low, high in itertools.pairwise(y):
        for node, weight in zip(nodes, weights, strict=True):
            y_here = low + (high - low) * node
            e = np.expm1(y_here) / c
            tau = np.minimum(lifetime.residual_at(rows["T"], np.exp(-e), theta), t)
            ahead = calendar.elapsed(rows, rows["T"], tau, theta, np)
            of_n = process.count_probability(rows, age, theta, n, ahead)
            total = total + weight * (high - low) * np.exp(y_here - e) / c * of_n
    return total
