"""A purchase process and a lifetime make a model; everything a model owes follows from the two parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad

from clvmodels.models.contract import Array, PurchaseModel, Rows, State, Theta
from clvmodels.randomness import KeyedRandom


class Composed(PurchaseModel):
    """Purchases until a lifetime ends, the two independent given the population.

    The lifetime's `kind` decides how the end enters: 'clock' (anywhere in (t_x, T): one smooth integral over the
    death time) or 'coin' (right after the last purchase: a closed form).
    """

    def __init__(self, name: str, title: str, reference: str, purchases, lifetime):
        self.name, self.title, self.reference = name, title, reference
        self.purchases, self.lifetime = purchases, lifetime
        self.observes = tuple(dict.fromkeys(purchases.observes + lifetime.observes))
        self.parameters = purchases.parameters + lifetime.parameters
        self.meanings = purchases.meanings + lifetime.meanings

    def branches(self, rows: Rows, theta: Theta) -> tuple[pt.TensorVariable, pt.TensorVariable]:
        seen = self.purchases.log_density(rows, rows["T"], theta)
        if self.lifetime.kind == "coin":
            until_last = self.purchases.log_density(rows, rows["recency"], theta)
            survived, fell = self.lifetime.log_survival(rows, theta), self.lifetime.log_ended(rows, theta)
            return seen + survived, until_last + fell
        alive = seen + self.lifetime.log_survival(rows["T"], theta)
        return alive, log_ended_by_clock(self.purchases, self.lifetime, rows, theta)

    def draw_alive(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
        rate = self.purchases.draw(rows, rows["T"], theta, rng)
        left, extra = self.lifetime.draw_residual(rows, theta, rng)
        endless = np.full(rng.shape, np.inf)
        alive = np.ones(rng.shape, dtype=bool)
        if self.lifetime.kind == "coin":
            return State(alive, rate, endless, left, extra)
        return State(alive, rate, left, endless, extra)

    def draw_ended(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
        if self.lifetime.kind == "coin":
            death = np.broadcast_to(rows["recency"], rng.shape)
            extra = self.lifetime.draw_ended(rows, theta, rng)
        else:
            death = draw_death_age(self.purchases, self.lifetime, rows, theta, rng)
            extra = self.lifetime.draw_ended(death, theta, rng)
        rate = self.purchases.draw(rows, death, theta, rng)
        nothing = np.zeros(rng.shape)
        return State(nothing.astype(bool), rate, nothing, nothing, extra)

    def expected_if_alive(self, rows: Rows, theta: Theta, t: Array) -> Array:
        t = np.asarray(t, dtype=float)
        if self.lifetime.kind == "coin":
            shape, exposure = self.purchases.shape_and_exposure(rows, theta)
            return self.lifetime.expected_purchases(shape, exposure, rows, theta, t)
        rate = np.asarray(self.purchases.mean_rate(rows, rows["T"], theta))
        return rate[..., None] * self.lifetime.expected_time(rows, theta, t)

    def count_probability(self, state: State, n: Array, t: float) -> Array:
        if self.lifetime.kind == "coin":
            return self.lifetime.count_probability(n, state.purchase_rate * t, state.extra)
        return super().count_probability(state, n, t)


def log_ended_by_clock(purchases, lifetime, rows: Rows, theta: Theta) -> pt.TensorVariable:
    """log of the integral over the death time tau in (t_x, T) of g(tau) f(tau). [R]

    Gauss-Legendre in y = log1p((tau - t_x) h), h the integrand's decay rate at t_x, up to where nothing is left,
    relative to the value at t_x. The integral does not depend on where its nodes lie, so no gradient flows through
    them. Where t_x = T it is minus infinity with gradient 0.
    """
    gap = rows["T"] - rows["recency"]
    open_end = pt.gt(gap, 0.0)
    h, length = _span(purchases, lifetime, rows, theta, pt.switch(open_end, gap, 1.0))
    top = pt.log1p(length * h)
    nodes, weights = np.polynomial.legendre.leggauss(lifetime.nodes)
    y = top[..., None] * ((nodes + 1.0) / 2.0)
    tau = pt.expm1(y) / h[..., None]
    wide_rows = {name: value[..., None] for name, value in rows.items()}
    wide = {name: value[..., None] if getattr(value, "ndim", 0) else value for name, value in theta.items()}
    exponent = (
        np.log(weights / 2.0)
        + y
        + purchases.log_ratio(wide_rows, tau, wide)
        + lifetime.log_ratio(wide_rows["recency"], tau, wide)
    )
    at_last = purchases.log_density(rows, rows["recency"], theta) + lifetime.log_density(rows["recency"], theta)
    inside = at_last + pt.log(top / h) + pt.logsumexp(exponent, axis=-1)
    return pt.switch(open_end, inside, -np.inf)


def _span(purchases, lifetime, rows: Rows, theta: Theta, gap: pt.TensorVariable):
    """Decay rate at t_x and the length of (t_x, T) that matters, both without gradient."""
    h = purchases.decay(rows, theta) + lifetime.decay(rows["recency"], theta)
    reach = pt.minimum(purchases.reach(rows, theta), lifetime.reach(rows["recency"], theta))
    return disconnected_grad(h), disconnected_grad(pt.minimum(gap, reach))


CELLS = 64


def draw_death_age(purchases, lifetime, rows: Rows, theta: Theta, rng: KeyedRandom) -> Array:
    """Age at death given that it fell in (t_x, T), by inverse CDF. [D, C]

    The density is log-linear between 65 points equally spaced in y = log1p((tau - t_x) h); its moments are within
    1e-4 of the exact ones. A customer with t_x = T cannot have ended: the age is T.
    """
    curve = _death_curve(purchases, lifetime)
    start, y, log_density = curve(rows, theta)
    step = y[..., 1:] - y[..., :-1]
    slope = log_density[..., 1:] - log_density[..., :-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        mass = np.exp(log_density[..., :-1]) * np.where(np.abs(slope) < 1e-8, 1.0, np.expm1(slope) / slope) * step
    cumulative = np.cumsum(mass, axis=-1)
    goal = rng.uniform() * cumulative[..., -1]
    cell = np.minimum((cumulative < goal[..., None]).sum(axis=-1), CELLS - 1)
    pick = _picker(cell)
    below = np.where(cell > 0, _picker(np.maximum(cell - 1, 0))(cumulative), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip((goal - below) / pick(mass), 0.0, 1.0)
        k = pick(np.broadcast_to(slope, mass.shape))
        within = np.where(np.abs(k) < 1e-8, share, np.log1p(share * np.expm1(k)) / k)
    h = start
    age = rows["recency"] + np.expm1(pick(y[..., :-1]) + within * pick(step)) / h
    return np.where(rows["T"] > rows["recency"], np.minimum(age, rows["T"]), rows["T"])


def _picker(cell: np.ndarray) -> Callable[[Array], Array]:
    return lambda values: np.take_along_axis(values, cell[..., None], axis=-1)[..., 0]


def _death_curve(purchases, lifetime):
    """Compiled: (rows, theta) -> decay h [D, C], points y and log density [D, C, 65], relative to t_x."""
    from clvmodels.models.evaluate import compiled  # the graph is compiled there, once a model

    def graph(rows: Rows, theta: Theta):
        gap = rows["T"] - rows["recency"]
        h, length = _span(purchases, lifetime, rows, theta, pt.switch(pt.gt(gap, 0.0), gap, 1.0))
        y = pt.log1p(length * h)[..., None] * np.linspace(0.0, 1.0, CELLS + 1)
        tau = pt.expm1(y) / h[..., None]
        wide_rows = {name: value[..., None] for name, value in rows.items()}
        wide = {name: value[..., None] for name, value in theta.items()}
        log_density = y + purchases.log_ratio(wide_rows, tau, wide)
        return h, y, log_density + lifetime.log_ratio(wide_rows["recency"], tau, wide)

    parameters = tuple(p.name for p in purchases.parameters + lifetime.parameters)
    observes = tuple(dict.fromkeys(purchases.observes + lifetime.observes))
    return compiled((purchases, lifetime, "death"), graph, observes, parameters)
