"""Purchases to come, as they are drawn: of each draw and customer the periods in which there are any.

Most customers buy in few of the periods ahead, if at all, so that what a future costs, in time and memory, is what it
holds. Shapes: D = draw, C = customer_id, P = period, E = entry, Q = column of weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import types
from numpy.typing import NDArray

from clvmodels import variates
from clvmodels.draws import Array
from clvmodels.randomness import KeyedRandom
from clvmodels.variates import GIVEN, OUT, STREAMS, loop

INDEX = types.Array(types.int64, 1, "C")
NUMBERS = types.Array(types.float64, 1, "C")
ENTRY_NUMBERS = types.Array(types.float64, 1, "A", readonly=True)
PLACES = types.Array(types.int64, 1, "A", readonly=True)
BOUNDS = types.Array(types.float64, 3, "A", readonly=True)


@dataclass(frozen=True)
class Counts:
    """How much there is of each draw, customer and period; an entry wherever there is any. [E] each

    Entries are in the order of draws, then of customers, then of periods: what is drawn of them one after the other
    is drawn of each customer in an order of its own.
    """

    shape: tuple[int, int, int]
    draw: NDArray[np.int64]
    customer: NDArray[np.int64]
    period: NDArray[np.int64]
    number: Array

    def at(self, values: Array) -> Array:
        """What is of draws and customers, at each entry. [D, C], or broadcast to it -> [E]"""
        return np.broadcast_to(values, self.shape[:2])[self.draw, self.customer]

    def weighted(self, values: Array, weights: Array) -> Array:
        """Sum over the entries of each draw and customer of value x the weights of its period. values: [E], weights:
        [P, Q]; result [D, C, Q]"""
        draws, customers, _ = self.shape
        total = np.zeros((draws * customers, weights.shape[1]))
        cell = self.draw * customers + self.customer
        wide = np.broadcast_to(np.asarray(values, dtype=float), self.number.shape)
        _add_up(cell, self.period, wide, np.asarray(weights, dtype=float), total)
        return total.reshape(draws, customers, -1)

    def with_first(self) -> Counts:
        """With one of everybody at once, in a period of its own before the others."""
        draws, customers, periods = self.shape
        first_draw = np.repeat(np.arange(draws), customers)
        first_customer = np.tile(np.arange(customers), draws)
        draw = np.concatenate([first_draw, self.draw])
        customer = np.concatenate([first_customer, self.customer])
        period = np.concatenate([np.zeros_like(first_draw), self.period + 1])
        number = np.concatenate([np.ones(len(first_draw)), self.number])
        # stable: of one customer in one draw the first stays before the others
        order = np.argsort(draw * customers + customer, kind="stable")
        shape = (draws, customers, periods + 1)
        return Counts(shape, draw[order], customer[order], period[order], number[order])

    def total(self) -> Array:
        """Of all periods. [D, C]"""
        return self.weighted(self.number, np.ones((self.shape[2], 1)))[..., 0]

    def by_period(self) -> Array:
        """With 0 where there is none. [D, C, P]"""
        return self.weighted(self.number, np.eye(self.shape[2]))

    def of_all(self, periods: int) -> Array:
        """All customers together, in the first periods. [D, P]"""
        place = self.draw * self.shape[2] + self.period
        total = np.bincount(place, self.number, minlength=self.shape[0] * self.shape[2])
        return total.reshape(self.shape[0], -1)[:, :periods]


def poisson_counts(
    rng: KeyedRandom,
    rate: Array,
    edges: Array,
    until: Array,
    most: Array | float = np.inf,
    stages: int = 1,
    phase: Array | float = 0.0,
) -> Counts:
    """Purchases of customers in periods, at every `stages`-th event of a Poisson process that ends.

    First the number of events in the time that is left, then the place of each: who has none costs one number.

    Parameters
    ----------
    rate : [D, C]
        Of the events, per unit of time.
    edges : [P+1], [C, P+1] or [D, C, P+1]
        Bounds of the periods, increasing, in the time of the rate.
    until : [D, C]
        When the process ends.
    most : [D, C]
        After how many purchases it ends before that.
    phase : [D, C]
        Events before the first edge that count towards the first purchase.

    Raises
    ------
    ValueError
        A mean number of events that is no number or beyond 1e18.
    """
    bounds = np.broadcast_to(edges, (*rng.shape, np.shape(edges)[-1]))
    periods = bounds.shape[-1] - 1
    ends = np.minimum(until, bounds[..., -1])
    mean = rate * np.maximum(ends - bounds[..., 0], 0.0)
    if not mean.max(initial=0.0) <= variates.MOST_COUNTED:
        raise ValueError("poisson_counts: more purchases than can be counted")
    is_few = mean < _ONE_BY_ONE
    events = rng.poisson(np.where(is_few, mean, 0.0))
    # at most as many entries as events or periods
    most_entries = np.where(is_few, np.minimum(events, periods), periods)
    entries = _Entries(int(most_entries.sum()))
    parameters = (rate, ends, np.where(is_few, events, -1.0), most, phase)
    wide = [_of_everybody(values, rng) for values in parameters]
    size = _place_events(rng.streams, bounds, *wide, float(stages), *entries.arrays)
    return entries.counts((*rng.shape, periods), size)


def bernoulli_counts(rng: KeyedRandom, chance: Array, edges: Array, until: Array) -> Counts:
    """Purchases of customers in periods, with the same chance at each opportunity.

    From one purchase to the next: opportunities without one cost nothing.

    Parameters
    ----------
    chance : [D, C]
    edges : [P+1] or [C, P+1]
        Bounds of the periods, whole numbers of opportunities, increasing.
    until : [D, C]
        How many opportunities are taken part in.
    """
    bounds = np.broadcast_to(edges, (*rng.shape, np.shape(edges)[-1]))
    periods = bounds.shape[-1] - 1
    ends = np.minimum(until, bounds[..., -1])
    opportunities = np.maximum(ends - bounds[..., 0], 0.0)
    # at most as many entries as opportunities or periods
    most_entries = np.minimum(opportunities, periods)
    entries = _Entries(int(most_entries.sum()))
    chances, last_chances = _of_everybody(chance, rng), _of_everybody(ends, rng)
    size = _place_purchases(rng.streams, bounds, chances, last_chances, *entries.arrays)
    return entries.counts((*rng.shape, periods), size)


def _of_everybody(values: Array | float, rng: KeyedRandom) -> Array:
    """Numbers of some shape as those of each customer in each draw. [D, C]"""
    return np.broadcast_to(np.asarray(values, dtype=float), rng.shape)


class _Entries:
    """Room for entries, not all of which may be needed."""

    def __init__(self, room: int):
        self.draw, self.customer, self.period = (np.empty(room, np.int64) for _ in range(3))
        self.number = np.empty(room)
        self.arrays = (self.draw, self.customer, self.period, self.number)

    def counts(self, shape: tuple[int, int, int], size: int) -> Counts:
        """The first `size` of them."""
        return Counts(shape, self.draw[:size], self.customer[:size], self.period[:size], self.number[:size])


_ONE_BY_ONE = 64.0
"""A mean number of events beyond which those of each period are drawn at once, instead of the place of each event."""


@loop(PLACES, PLACES, ENTRY_NUMBERS, GIVEN, OUT, returns=types.void)
def _add_up(cell, period, values, weights, total):  # pragma: no cover - compiled
    for e in range(len(cell)):
        for q in range(weights.shape[1]):
            total[cell[e], q] += values[e] * weights[period[e], q]


@loop(STREAMS, BOUNDS, *([GIVEN] * 5), types.float64, INDEX, INDEX, INDEX, NUMBERS, returns=types.int64)
def _place_events(
    streams, edges, rate, ends, events, most, phase, stages, draw, customer, period, number
):  # pragma: no cover - compiled
    """Fills the entries, and says how many they are. `events` is negative where those of each period are drawn."""
    size, periods = 0, edges.shape[2] - 1
    in_period = np.zeros(periods)
    for d in range(rate.shape[0]):
        for c in range(rate.shape[1]):
            if events[d, c] == 0.0:
                continue
            if events[d, c] > 0.0:
                start = edges[d, c, 0]
                length = ends[d, c] - start
                for _ in range(int(events[d, c])):
                    at = start + length * variates.uniform(streams, c)
                    p = 0
                    while p < periods - 1 and at >= edges[d, c, p + 1]:
                        p += 1
                    in_period[p] += 1.0
            else:
                for p in range(periods):
                    length = min(edges[d, c, p + 1], ends[d, c]) - edges[d, c, p]
                    if length > 0.0:
                        in_period[p] = variates.poisson(streams, c, rate[d, c] * length)
            passed, bought = phase[d, c], 0.0
            for p in range(periods):
                if in_period[p] == 0.0:
                    continue
                passed += in_period[p]
                in_period[p] = 0.0
                upto = passed if stages == 1.0 else np.floor(passed / stages)
                # the purchase after which the coin falls is the last
                upto = min(upto, most[d, c])
                if upto > bought:
                    draw[size], customer[size], period[size], number[size] = d, c, p, upto - bought
                    size += 1
                    bought = upto
    return size


@loop(STREAMS, BOUNDS, GIVEN, GIVEN, INDEX, INDEX, INDEX, NUMBERS, returns=types.int64)
def _place_purchases(streams, edges, chance, ends, draw, customer, period, number):  # pragma: no cover - compiled
    """Fills the entries, and says how many they are."""
    size = 0
    for d in range(chance.shape[0]):
        for c in range(chance.shape[1]):
            if chance[d, c] == 0.0:
                continue
            log_pass = np.log1p(-chance[d, c])
            at, p, last = edges[d, c, 0], 0, -1
            while True:
                if chance[d, c] < 1.0:
                    at += np.floor(np.log(1.0 - variates.uniform(streams, c)) / log_pass)
                at += 1.0
                if not at <= ends[d, c]:
                    break
                while at > edges[d, c, p + 1]:
                    p += 1
                if p == last:
                    number[size - 1] += 1.0
                    continue
                draw[size], customer[size], period[size], number[size] = d, c, p, 1.0
                size += 1
                last = p
    return size
