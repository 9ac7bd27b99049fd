"""A purchase process, a lifetime and a calendar make a model; everything a model owes follows from the parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from copy import copy
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import disconnected_grad

from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.contract import STATUS, Model, PurchaseModel, Rows, State, Theta
from clvmodels.models.parts.contract import Calendar, ClockLifetime, CoinLifetime, Pieces, Purchases
from clvmodels.models.parts.steps import Steps
from clvmodels.randomness import KeyedRandom


class Composed(PurchaseModel):
    """Purchases until a lifetime ends, the two independent given the population.

    The lifetime's `kind` decides how the end enters: 'clock' (anywhere in (t_x, T): one smooth integral over the
    death time), 'coin' (right after the last purchase: a closed form) or 'none' (never). Purchases run in the
    calendar's operational time, lifetimes in calendar time.

    Parameters
    ----------
    observes_end
        The customers' table has a `status`: unknown, alive, or ended, and then T is the age at the end.

    Raises
    ------
    ConfigError
        The purchase process lacks what the lifetime or the calendar asks of it.
    """

    def __init__(
        self,
        name: str,
        title: str,
        reference: str,
        purchases: Purchases,
        lifetime: ClockLifetime | CoinLifetime,
        calendar: Calendar | None = None,
        observes_end: bool = False,
        lacks: tuple[str, ...] = (),
    ):
        self.name, self.title, self.reference = name, title, reference
        self.purchases, self.calendar = purchases, calendar or Calendar()
        self.lifetime: Any = lifetime  # its kind says which of the two it is
        _check_parts(title, purchases, lifetime, self.calendar)
        parts = (purchases, lifetime, self.calendar)
        status = ("status",) if observes_end else ()
        self.observes = tuple(dict.fromkeys((*(name for part in parts for name in part.observes), *status)))
        self.parameters = tuple(parameter for part in parts for parameter in part.parameters)
        self.meanings = tuple(meaning for part in parts for meaning in part.meanings)
        self.handles = tuple(handle for part in parts for handle in part.handles)
        self.traits = self.calendar.traits
        self.lacks = frozenset(lacks)

    def given(self, **options: Any) -> Model:
        """The variant with a calendar, of the numbers that `Steps` takes.

        Raises
        ------
        ConfigError
            Its purchases do not go with a calendar, or it has no such option.
        """
        numbers = options.pop("calendar", None)
        super().given(**options)
        if numbers is None:
            return self
        made = copy(self)
        Composed.__init__(
            made,
            self.name,
            self.title,
            self.reference,
            self.purchases,
            self.lifetime,
            Steps(**numbers),
            "status" in self.observes,
            tuple(self.lacks),
        )
        made.options = MappingProxyType({**self.options, "calendar": numbers})
        return made

    def simulated(self, purchases: pd.DataFrame) -> dict[str, pd.Series]:
        return self.calendar.simulated(purchases)

    def branches(self, rows: Rows, theta: Theta) -> tuple[pt.TensorVariable, pt.TensorVariable]:
        until = self.calendar.elapsed(rows, 0.0, rows["T"], theta)
        factors = self.calendar.log_intensity(rows, theta)
        seen = self.purchases.log_density(rows, until, theta) + factors
        if self.lifetime.kind == "coin":
            until_last = self.calendar.elapsed(rows, 0.0, rows["recency"], theta)
            left = self.purchases.log_density(rows, until_last, theta) + factors
            alive, ended = seen + self.lifetime.log_survival(rows, theta), left + self.lifetime.log_ended(rows, theta)
        elif self.lifetime.kind == "clock":
            alive = seen + self.lifetime.log_survival(rows["T"], theta)
            ended = log_ended_by_clock(self, rows, theta) + factors
        else:
            alive, ended = seen, pt.full_like(seen, -np.inf)
        if "status" not in self.observes:
            return alive, ended
        if self.lifetime.kind == "clock":
            at_end = seen + self.lifetime.log_density(rows["T"], theta)
            ended = pt.switch(pt.eq(rows["status"], STATUS["ended"]), at_end, ended)
        impossible = -np.inf
        return (
            pt.switch(pt.eq(rows["status"], STATUS["ended"]), impossible, alive),
            pt.switch(pt.eq(rows["status"], STATUS["alive"]), impossible, ended),
        )

    def draw_alive(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
        rate, own = self.purchases.draw(rows, self._age(rows, rows["T"], theta), theta, rng)
        left, extra = self.lifetime.draw_residual(rows, theta, rng)
        endless, alive = np.full(rng.shape, np.inf), np.ones(rng.shape, dtype=bool)
        if self.lifetime.kind == "coin":
            return State(alive, rate, endless, left, own | extra)
        return State(alive, rate, left, endless, own | extra)

    def draw_ended(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
        if self.lifetime.kind == "clock":
            death = draw_death_age(self, rows, theta, rng)
            extra = self.lifetime.draw_ended(death, theta, rng)
        else:
            death = np.broadcast_to(rows["recency"], rng.shape)
            extra = self.lifetime.draw_ended(rows, theta, rng)
        rate, own = self.purchases.draw(rows, self._age(rows, death, theta), theta, rng)
        nothing = np.zeros(rng.shape)
        return State(nothing.astype(bool), rate, nothing, nothing, own | extra)

    def expected_if_alive(self, rows: Rows, theta: Theta, t: Array) -> Array:
        t, until = np.asarray(t, dtype=float), self._age(rows, rows["T"], theta)
        if self.lifetime.kind == "coin":
            ahead = self._ahead(rows, t, theta)
            return self.lifetime.expected_purchases(self.purchases, rows, until, theta, ahead)
        rate = np.asarray(self.purchases.mean_rate(rows, until, theta))
        return rate[..., None] * self._expected_time(rows, theta, t)

    def _expected_time(self, rows: Rows, theta: Theta, t: Array) -> Array:
        """E[operational time of (T, T + min(residual lifetime, t)) | alive at T]. [D, C, P]

        The integral over u in (0, t) of m(T + u) S(T + u) / S(T), added up by parts between the times and the jumps of
        m; `t` increases along its last dimension. In closed form where m is constant between jumps and the lifetime has
        one; otherwise by nodes, which in the first part are bunched towards 0, where a survival may fall with infinite
        slope (T = 0).
        """
        upto, place = self._between_jumps(rows, t)
        start = np.concatenate([np.zeros_like(upto[..., :1]), upto[..., :-1]], axis=-1)
        wide_rows, wide = _widened(rows), _widened(theta)
        closed = self.lifetime.expected_time(rows, theta, upto) if self.calendar.steady else None
        if closed is not None:
            pace = self.calendar.pace(wide_rows, wide_rows["T"] + (start + upto) / 2.0, wide, np)
            held = pace * np.diff(closed, axis=-1, prepend=0.0)
        else:
            nodes, weights = np.polynomial.legendre.leggauss(self.calendar.nodes(32))
            bunched = np.where(start == 0.0, 4.0, 1.0)
            held = 0.0
            for node, weight in zip((nodes + 1.0) / 2.0, weights / 2.0, strict=True):
                u = start + (upto - start) * node**bunched
                slope = weight * (upto - start) * bunched * node ** (bunched - 1.0)
                pace = self.calendar.pace(wide_rows, wide_rows["T"] + u, wide, np)
                held = held + slope * pace * self.lifetime.survival_ratio(wide_rows["T"], u, wide)
        total = np.cumsum(held, axis=-1)
        return total if place is None else _at(total, place)

    def _between_jumps(self, rows: Rows, t: Array) -> tuple[Array, NDArray[np.intp] | None]:
        """The times and the jumps of the calendar's factor before the last of them, in order; and where the times
        stand among them, None where there is no jump. 2 x [..., P + jumps]"""
        jumps = self.calendar.jumps(rows)
        met = (jumps > 0.0) & (jumps < np.max(t, initial=0.0))
        jumps = jumps[..., met.any(axis=tuple(range(jumps.ndim - 1)))]
        if not jumps.shape[-1]:
            return t, None
        around = np.broadcast_shapes(t.shape[:-1], jumps.shape[:-1])
        times, jumps = (np.broadcast_to(each, (*around, each.shape[-1])) for each in (t, jumps.clip(0.0)))
        both = np.concatenate([times, np.minimum(jumps, times[..., -1:])], axis=-1)
        order = np.argsort(both, axis=-1, kind="stable")
        return _at(both, order), np.argsort(order, axis=-1, kind="stable")[..., : t.shape[-1]]

    def count_probability(self, rows: Rows, theta: Theta, n: Array, t: float) -> Array:
        n, until = np.asarray(n, dtype=float), self._age(rows, rows["T"], theta)
        whole = self._ahead(rows, np.asarray([t]), theta)[..., 0]
        held = self.purchases.count_probability(rows, until, theta, n, whole)
        if self.lifetime.kind == "coin":
            fell = self.purchases.count_tail(rows, until, theta, n, whole)
            fell = fell * self.lifetime.falls(rows, theta, np.maximum(n, 1.0))
            return held * self.lifetime.survives(rows, theta, n) + np.where(n > 0, fell, 0.0)
        if self.lifetime.kind == "none":
            return held
        lasting = self.lifetime.survival_ratio(rows["T"], np.asarray(t), theta)
        return held * lasting + self._count_before_the_end(rows, theta, n, t, until)

    def _count_before_the_end(self, rows: Rows, theta: Theta, n: Array, t: float, until: Array) -> Array:
        """Integral over tau in (0, t) of P(n purchases in tau) f(T + tau) / S(T). [D, C]

        In e = -log(S(T + tau) / S(T)), the cumulative hazard of the end, the lifetime's part is exp(-e) whatever its
        law; nodes are placed in y = log1p(e c), c large where purchases are soon, from each jump of the calendar's
        factor to the next, and end where e is 45.
        """
        upto, _place = self._between_jumps(rows, np.asarray([t]))
        bounds = np.concatenate([np.zeros_like(upto[..., :1]), upto], axis=-1)
        passed = lambda tau: -np.log(self.lifetime.survival_ratio(rows["T"], tau, theta))  # noqa: E731
        phase = next(iter(self.purchases.phases(rows, until, theta)))
        with np.errstate(divide="ignore"):  # a survival that underflows to 0 is beyond the 45
            c = 1.0 + 1.0 / np.maximum(passed(phase.exposure / (phase.shape + 1.0)), 1e-12)
            y = [np.log1p(c * np.minimum(passed(bounds[..., edge]), 45.0)) for edge in range(bounds.shape[-1])]
        total: Any = 0.0
        nodes, weights = np.polynomial.legendre.leggauss(self.calendar.nodes(64))
        for low, high in itertools.pairwise(y):
            for node, weight in zip((nodes + 1.0) / 2.0, weights / 2.0, strict=True):
                at = low + (high - low) * node
                e = np.expm1(at) / c
                tau = np.minimum(self.lifetime.residual_at(rows["T"], np.exp(-e), theta), t)
                ahead = self.calendar.elapsed(rows, rows["T"], tau, theta, np)
                of_n = self.purchases.count_probability(rows, until, theta, n, ahead)
                total = total + weight * (high - low) * np.exp(at - e) / c * of_n
        return np.asarray(total)

    def draw_counts(self, rows: Rows, theta: Theta, state: State, edges: Array, rng: KeyedRandom) -> Array:
        ends = np.minimum(edges, state.residual_lifetime[..., None])
        counts = self.purchases.draw_counts(state, np.diff(self._ahead(rows, ends, theta), axis=-1), rng)
        if np.isinf(state.residual_purchases).all():
            return counts
        capped = np.minimum(np.cumsum(counts, axis=-1), state.residual_purchases[..., None])
        return np.diff(capped, axis=-1, prepend=0.0)

    def draw_ages(self, own: Mapping[str, float], until: float, rng: np.random.Generator) -> Array:
        rows = {name: np.asarray(own[name]) for name in self.observes if name in own}
        length = float(self.calendar.elapsed(rows, np.asarray(0.0), np.asarray(until), own, np))
        return self.calendar.age_at(own, self.purchases.draw_ages(own, length, rng))

    def _age(self, rows: Rows, age: Array, theta: Theta) -> Array:
        """Operational age. NumPy, [D, C]"""
        return self.calendar.elapsed(rows, np.zeros_like(age), age, theta, np)

    def _ahead(self, rows: Rows, t: Array, theta: Theta) -> Array:
        """Operational time in (T, T + t]. t: [P], [C, P] or [D, C, P]; result broadcastable to [D, C, P]"""
        wide_rows = _widened(rows)
        return self.calendar.elapsed(wide_rows, wide_rows["T"], t, _widened(theta), np)


ASKED = {"calendar": "a calendar", "clock": "a lifetime that ends by the clock", "coin": "a coin", "none": "no end"}


def _check_parts(title: str, purchases: Purchases, lifetime: ClockLifetime | CoinLifetime, calendar: Calendar) -> None:
    """Refuse parts that do not go together."""
    asked = {lifetime.kind} if type(calendar) is Calendar else {lifetime.kind, "calendar"}
    if missing := [text for part, text in ASKED.items() if part in asked & purchases.lacks]:
        known = " or ".join(text for part, text in ASKED.items() if part not in purchases.lacks)
        what = f"{title}: its purchases do not go with {' or '.join(missing)}"
        raise ConfigError(Problem(what, known=f"They go with {known}"))


def _at(values: Array, place: NDArray[np.intp]) -> Array:
    """The values at these places of the last dimension."""
    return np.take_along_axis(values, np.broadcast_to(place, (*values.shape[:-1], place.shape[-1])), axis=-1)


def _widened(values: Mapping[str, Any]) -> dict[str, Any]:
    """With a last dimension more, for nodes or periods."""
    return {name: value[..., None] if getattr(value, "ndim", 0) else value for name, value in values.items()}


def log_ended_by_clock(model: Composed, rows: Rows, theta: Theta) -> pt.TensorVariable:
    """log of the integral over the death time tau in (t_x, T) of g(tau) f(tau). [R]

    Gauss-Legendre in y = log1p(u h), u the lifetime's natural clock since t_x and h the integrand's decay rate there,
    up to where nothing is left, relative to the value at t_x; from each of the calendar's jumps to the next. The
    integral does not depend on where its nodes lie, so no gradient flows through h and the cut; it does through the
    bounds, which parameters move where the natural clock depends on them. Where t_x = T it is minus infinity with
    gradient 0.
    """
    open_end = pt.gt(rows["T"], rows["recency"])
    pieces = model.calendar.pieces(rows, theta)
    h, first, length = _spans(model, rows, theta, pieces, open_end)
    top = pt.log1p(length * h)
    nodes, weights = np.polynomial.legendre.leggauss(model.calendar.nodes(model.lifetime.nodes))
    place, power = (nodes + 1.0) / 2.0, model.lifetime.bunched
    y = top[..., None] * place**power
    share = np.log(weights / 2.0 * power * place ** (power - 1))
    exponent = share + y + _log_relative(model, rows, theta, pieces, first[..., None] + pt.expm1(y) / h[..., None])
    last = model.calendar.elapsed(rows, 0.0, rows["recency"], theta)
    at_last = model.purchases.log_density(rows, last, theta) + model.lifetime.log_density(rows["recency"], theta)
    each = pt.log(pt.switch(pt.gt(length, 0.0), top / h, 1.0)) + pt.logsumexp(exponent, axis=-1)
    inside = at_last + pt.logsumexp(pt.switch(pt.gt(length, 0.0), each, -np.inf), axis=-1)
    return pt.switch(open_end, inside, -np.inf)


def _log_relative(model: Composed, rows: Rows, theta: Theta, pieces: Pieces, u: pt.TensorVariable) -> pt.TensorVariable:
    """log g(tau) f(tau), where the natural clock has moved by u since t_x, less that at t_x. u: [R, pieces, N]"""
    wide_rows, wide = _widened(_widened(rows)), _widened(_widened(theta))
    t_x = wide_rows["recency"]
    passed = model.calendar.within(rows, pieces, model.lifetime.advance(t_x, u, wide), theta)
    start = model.calendar.elapsed(rows, 0.0, rows["recency"], theta)[..., None, None]
    return model.purchases.log_ratio(wide_rows, start, passed, wide) + model.lifetime.log_ratio(t_x, u, wide)


def _spans(model: Composed, rows: Rows, theta: Theta, pieces: Pieces, open_end: Any) -> tuple[Any, Any, Any]:
    """For each piece of (t_x, T): decay rate at its beginning, without gradient; its first and its length, in the
    lifetime's natural clock since t_x, cut where nothing is left. 3 x [R, pieces]

    Where t_x = T the pieces have length 1, so that no log and no gradient is infinite.
    """
    calendar, purchases, lifetime = model.calendar, model.purchases, model.lifetime
    length = pt.switch(open_end[..., None], pieces.length, 1.0)
    wide_rows, wide = _widened(rows), _widened(theta)
    t_x = wide_rows["recency"]
    begin = t_x + pieces.offset
    start = calendar.elapsed(rows, 0.0, rows["recency"], theta)[..., None] + pieces.before
    fall = pieces.pace * purchases.decay(wide_rows, start, wide)
    h = 1.0 / lifetime.between(begin, 1.0 / fall, wide) + lifetime.decay(begin, wide)
    enough = purchases.reach(wide_rows, start, wide) / pieces.slowest
    reach = pt.minimum(lifetime.reach(begin, wide), lifetime.between(begin, enough, wide))
    first, whole = lifetime.between(t_x, pieces.offset, wide), lifetime.between(begin, length, wide)
    return disconnected_grad(h), first, pt.minimum(whole, disconnected_grad(reach))


CELLS = 64


def draw_death_age(model: Composed, rows: Rows, theta: Theta, rng: KeyedRandom) -> Array:
    """Age at death given that it fell in (t_x, T), by inverse CDF. [D, C]

    The density is log-linear between 65 points in the natural clock, equally spaced in y = log1p(u h) (fewer from each
    of the calendar's jumps to the next); its moments are within 1e-4 of the exact ones. A customer with t_x = T cannot
    have ended: the age is T. Where the end was observed it is T.
    """
    h, first, y, log_density = _death_curve(model)(rows, theta)
    step = y[..., 1:] - y[..., :-1]
    slope = log_density[..., 1:] - log_density[..., :-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        mass = np.exp(log_density[..., :-1]) * np.where(np.abs(slope) < 1e-8, 1.0, np.expm1(slope) / slope) * step
    mass = mass / h[..., None]
    flat = lambda values: values.reshape(*values.shape[:-2], -1)  # noqa: E731  (all pieces' cells in one row)
    cumulative = np.cumsum(flat(mass), axis=-1)
    goal = rng.uniform() * cumulative[..., -1]
    cell = np.minimum((cumulative < goal[..., None]).sum(axis=-1), cumulative.shape[-1] - 1)
    pick, pick_piece = _picker(cell), _picker(cell // mass.shape[-1])
    below = np.where(cell > 0, _picker(np.maximum(cell - 1, 0))(cumulative), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip((goal - below) / pick(flat(mass)), 0.0, 1.0)
        k = pick(flat(slope))
        within = np.where(np.abs(k) < 1e-8, share, np.log1p(share * np.expm1(k)) / k)
    u = pick_piece(first) + np.expm1(pick(flat(y[..., :-1])) + within * pick(flat(step))) / pick_piece(h)
    age = rows["recency"] + model.lifetime.advance(np.asarray(rows["recency"]), u, theta, np)
    seen = (rows["T"] <= rows["recency"]) | (np.asarray(rows.get("status", 0.0)) == STATUS["ended"])
    return np.where(seen, rows["T"], np.minimum(age, rows["T"]))


def _picker(cell: np.ndarray) -> Callable[[Array], Array]:
    return lambda values: np.take_along_axis(values, cell[..., None], axis=-1)[..., 0]


def _death_curve(model: Composed):
    """Compiled: (rows, theta) -> h and first [D, C, pieces], y and log density [D, C, pieces, 65], relative to t_x."""
    from clvmodels.models.evaluate import compiled  # the graph is compiled there, once a model

    def graph(rows: Rows, theta: Theta):
        pieces = model.calendar.pieces(rows, theta)
        h, first, length = _spans(model, rows, theta, pieces, pt.gt(rows["T"], rows["recency"]))
        y = pt.log1p(length * h)[..., None] * np.linspace(0.0, 1.0, model.calendar.nodes(CELLS) + 1)
        relative = _log_relative(model, rows, theta, pieces, first[..., None] + pt.expm1(y) / h[..., None])
        return h, first, y, y + relative

    return compiled((model, "death"), graph, model.observes, tuple(p.name for p in model.parameters))
