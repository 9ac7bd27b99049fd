"""Models that count opportunities: what a customer does at each, and when it leaves, make a model.

Opportunities are numbered 1, 2, ... after the acquisition; ages are numbers of them. Leaving is at the beginning of an
opportunity: who leaves after i of them takes part in 1 to i and never again. Shapes: R rows, D draw, C customer_id,
P period.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Literal

import numpy as np
import pandas as pd
import pytensor.tensor as pt
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.draws import Array
from clvmodels.errors import Problem
from clvmodels.models.contract import PurchaseModel, State
from clvmodels.models.counts import Counts, bernoulli_counts
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.parameters import Graph, Rows, Theta, Value
from clvmodels.models.parts.contract import Component, widened
from clvmodels.randomness import KeyedRandom

MOST_TERMS = 20_000_000
"""Rows times opportunities since the last purchase, of which the gradient keeps a dozen numbers each: 2 GB."""
LOG_DIGITS = 40.0
"""exp(-40) is 4e-18: discounted by that much, what is to come changes no digit of a double."""


class Chances(Component, ABC):
    """What a customer who has not left does at opportunities; what differs between customers is integrated out."""

    certain = False
    """Whether it buys at every one: a contract, where a history without a gap is the only possible one."""

    @abstractmethod
    def log_density(self, rows: Rows[Value], until: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log probability of the purchases seen, and of none at the other opportunities up to `until`. [R]"""

    @abstractmethod
    def log_step(self, rows: Rows[Value], until: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """What one opportunity more without a purchase adds: log_density(until + 1) - log_density(until)."""

    @abstractmethod
    def draw(self, rows: Rows[Array], until: Array, theta: Theta[Array], rng: KeyedRandom) -> Array:
        """Own chance to buy at an opportunity given the history up to `until`. [D, C]"""

    @abstractmethod
    def mean_chance(self, rows: Rows[Array], until: Array, theta: Theta[Array]) -> Array:
        """E[own chance | history up to `until`]. [D, C]"""

    @abstractmethod
    def count_probability(self, rows: Rows[Array], until: Array, theta: Theta[Array], n: Array, m: Array) -> Array:
        """P(n purchases at the m opportunities after `until` | history). [D, C]"""


class DiscreteLifetime(Component, ABC):
    """How many opportunities a customer takes part in; what differs between customers is integrated out."""

    ends = True
    """Whether anybody leaves."""

    @abstractmethod
    def log_survival(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log S(t), S(t) = P(takes part in opportunities 1 to t)."""

    @abstractmethod
    def log_ended(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log of S(t) - S(t + 1): leaves after t opportunities."""

    def log_step(self, t: Value, theta: Theta[Value], xp: ModuleType = pt) -> Value:
        """log_ended(t + 1) - log_ended(t)."""
        return self.log_ended(t + 1.0, theta, xp) - self.log_ended(t, theta, xp)

    @abstractmethod
    def survival_ratio(self, t: Array, k: Array, theta: Theta[Array]) -> Array:
        """S(t + k) / S(t)."""

    @abstractmethod
    def draw_residual(self, t: Array, theta: Theta[Array], rng: KeyedRandom) -> tuple[Array, dict[str, Array]]:
        """Opportunities still taken part in by a customer that has not left at t, and own variables. [D, C]"""

    @abstractmethod
    def draw_ended(self, t: Array, theta: Theta[Array], rng: KeyedRandom) -> dict[str, Array]:
        """Own variables of a customer that left after t opportunities. [D, C]"""

    @abstractmethod
    def own_survival(self, t: Array, k: Array, theta: Theta[Array], variables: Mapping[str, Array]) -> Array:
        """P(takes part in the next k opportunities | the customer's own variables, has not left at t)."""

    def expected_time(self, t: Array, theta: Theta[Array], k: Array) -> Array:
        """Sum over j = 1 to k of S(t + j) / S(t): opportunities that are taken part in, of the next k. [D, C, P]"""
        return _added_up(t, k, lambda j: self.survival_ratio(t, j, theta))

    def own_time(self, t: Array, theta: Theta[Array], variables: Mapping[str, Array], k: Array) -> Array:
        """The same given the customer's own variables. [D, C, P]"""
        return _added_up(t, k, lambda j: self.own_survival(t, j, theta, variables))

    def discounted_time(self, t: Array, theta: Theta[Array], discount: float) -> Array:
        """Sum over j >= 1 of S(t + j) / S(t) (1 + discount)^-j, to the last digits of a double. [D, C]"""
        total: Array = np.zeros(())
        last = int(np.ceil(LOG_DIGITS / np.log1p(discount)))
        for j in range(1, last + 1):
            total = total + self.survival_ratio(t, np.asarray(float(j)), theta) * (1.0 + discount) ** -j
        return total


def _added_up(t: Array, k: Array, survival: Callable[[Array], Array]) -> Array:
    """Sum over j = 1 to k of the survival from t on."""
    total = np.zeros(np.broadcast(t, k).shape)
    for j in range(1, int(np.max(k, initial=0)) + 1):
        total = total + np.where(j <= k, survival(np.asarray(float(j))), 0.0)
    return total


class Discrete(PurchaseModel):
    """Purchases at opportunities until a lifetime ends, the two independent given the population.

    With i the number of opportunities that a customer took part in, P(buys as seen, takes part in 1 to i) in `chances`
    and S in `lifetime`,

        alive:  P(x | n) S(n),          ended:  sum over i = t_x to n - 1 of P(x | i) (S(i) - S(i + 1)).

    Where a purchase is certain (a contract with renewals) there is one way for each history: x = n is alive, x < n has
    left after x.
    """

    def __init__(
        self,
        name: str,
        title: str,
        reference: str,
        chances: Chances,
        lifetime: DiscreteLifetime,
        kernel: Kernel | None = None,
    ):
        self.name, self.title, self.reference = name, title, reference
        self.kernel = kernel
        self.chances, self.lifetime = chances, lifetime
        self.observes = ("frequency", "T") if chances.certain else ("frequency", "recency", "T")
        self.parameters = (*chances.parameters, *lifetime.parameters)
        self.meanings = (*chances.meanings, *lifetime.meanings)
        self.handles = (*chances.handles, *lifetime.handles)
        self.levels = (*chances.levels, *lifetime.levels)
        self.time: Literal["opportunities", "renewals"] = "renewals" if chances.certain else "opportunities"

    @property
    def reads_ahead(self) -> tuple[str, ...]:
        return ("frequency", "T")

    def may_have_left(self, rows: Rows[Array]) -> NDArray[np.bool_]:
        return np.asarray(self.lifetime.ends)

    def branches(self, rows: Rows[Graph], theta: Theta[Graph]) -> tuple[Graph, Graph]:
        x, T = rows["frequency"], rows["T"]
        stayed = self.lifetime.log_survival(T, theta)
        if not self.chances.certain:
            return self.chances.log_density(rows, T, theta) + stayed, self._log_ended(rows, theta)
        # min: an age that the impossible branch can be evaluated at
        ended = self.lifetime.log_ended(pt.minimum(x, T), theta)
        return pt.switch(pt.eq(x, T), stayed, -np.inf), pt.switch(pt.lt(x, T), ended, -np.inf)

    def _log_ended(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log of the sum over i, relative to its first term: the terms fall. Minus infinity where t_x = n. [R]"""
        t_x, silent = rows["recency"], rows["T"] - rows["recency"]
        if not self.lifetime.ends:
            return pt.full_like(silent, -np.inf, dtype="float64")
        first = self.chances.log_density(rows, t_x, theta) + self.lifetime.log_ended(t_x, theta)
        # one term at least: where nobody is silent for two opportunities the sum is over a term that is 0
        most = pt.cast(pt.maximum(pt.max(silent), 2.0), "int64")
        j = pt.arange(most - 1).astype("float64")
        wide_rows, wide_theta = widened(rows), widened(theta)
        at = wide_rows["recency"] + j
        log_steps = self.chances.log_step(wide_rows, at, wide_theta) + self.lifetime.log_step(at, wide_theta)
        relative = pt.exp(pt.cumsum(log_steps, axis=-1))
        terms = pt.switch(pt.lt(j + 1.0, silent[..., None]), relative, 0.0)
        later = pt.cumsum(terms, axis=-1)[..., -1]  # added in order: zeros after the last change no digit
        return pt.switch(pt.gt(silent, 0.0), first + pt.log1p(later), -np.inf)

    def refusals(self, table: pd.DataFrame) -> list[Problem]:
        x, T = table["frequency"], table["T"]
        t_x = table.get("recency", x)
        not_whole = (t_x % 1 != 0) | (T % 1 != 0)
        out_of_order = (x > t_x) | (t_x > T)
        impossible = table.index[not_whole | out_of_order]
        returned = table.index[self.chances.certain & (t_x > x)]
        histories = table[list(self.observes)].drop_duplicates()
        terms = len(histories) * self.width({"recency": t_x, "T": T})
        problems = []
        if len(impossible):
            what = "frequency <= recency <= T must be numbers of opportunities; "
            what += f"of {words.counted(len(impossible), 'customer')} they are not"
            problems.append(Problem(what, "customers", f"first '{impossible[0]}'"))
        if len(returned):
            back = words.counted(len(returned), "customer")
            what = f"{self.title}: an end is for good, and {back} came back after a missed renewal"
            known = "Take them for two contracts, each with its own id; or take bg_bb"
            problems.append(Problem(what, "customers", f"first '{returned[0]}'", known))
        if terms > MOST_TERMS:
            what = f"{self.title} would add up {terms:,} terms, and {MOST_TERMS:,} is the most"
            problems.append(Problem(what, "customers", known="Count longer periods: months or weeks for days"))
        return problems

    def width(self, rows: Rows[Array]) -> int:
        """Terms of the sum: opportunities since the last purchase, at most."""
        if self.chances.certain or not self.lifetime.ends:
            return 1
        return max(1, int(np.max(np.asarray(rows["T"]) - np.asarray(rows["recency"]), initial=0)))

    def draw_alive(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> State:
        chance = self.chances.draw(rows, rows["T"], theta, rng)
        left, variables = self.lifetime.draw_residual(rows["T"], theta, rng)
        alive, any_number = np.ones(rng.shape, dtype=bool), np.full(rng.shape, np.inf)
        return State(alive, chance, left, any_number, variables)

    def draw_ended(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> State:
        took_part = self._draw_taken(rows, theta, rng)
        variables = self.lifetime.draw_ended(took_part, theta, rng)
        chance = self.chances.draw(rows, took_part, theta, rng)
        alive, nothing_left = np.zeros(rng.shape, dtype=bool), np.zeros(rng.shape)
        return State(alive, chance, nothing_left, nothing_left, variables)

    def _draw_taken(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Array:
        """Opportunities taken part in by a customer that has left, by the terms of the sum. [D, C]"""
        if self.chances.certain:  # the first that was missed is the end
            return np.broadcast_to(np.asarray(rows["frequency"], dtype=float), rng.shape)
        if not self.lifetime.ends:  # nobody has left: for draws that nobody takes
            return np.broadcast_to(np.asarray(rows["T"], dtype=float), rng.shape)
        # the terms are made twice: kept, they would be as many arrays as there are opportunities
        weight = 1.0 + sum(self._terms(rows, theta, rng.shape))
        goal = rng.uniform() * weight
        took_part = np.asarray(rows["recency"], dtype=float) + np.zeros(rng.shape)
        passed = np.ones(rng.shape)
        for term in self._terms(rows, theta, rng.shape):
            took_part = took_part + ((goal >= passed) & (term > 0.0))
            passed = passed + term
        return took_part

    def _terms(self, rows: Rows[Array], theta: Theta[Array], shape: tuple[int, ...]) -> Iterator[Array]:
        """The terms of the ended branch after the first, relative to it: 0 beyond a customer's silence. [D, C] each"""
        t_x = np.asarray(rows["recency"], dtype=float)
        silent = rows["T"] - t_x
        term = np.ones(shape)
        for j in range(1, int(np.max(silent, initial=0))):
            at = t_x + (j - 1.0)
            log_step = self.chances.log_step(rows, at, theta, np) + self.lifetime.log_step(at, theta, np)
            term = np.where(j < silent, term * np.exp(log_step), 0.0)
            yield term

    def expected_if_alive(self, rows: Rows[Array], theta: Theta[Array], t: Array) -> Array:
        T = np.asarray(rows["T"], dtype=float)
        chance = np.asarray(self.chances.mean_chance(rows, T, theta))
        return chance[..., None] * self.lifetime.expected_time(T[..., None], widened(theta), whole(t))

    def purchases_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, t: Array) -> Array:
        """The own chance times the opportunities that are taken part in."""
        T = np.asarray(rows["T"], dtype=float)[..., None]
        taken = self.lifetime.own_time(T, widened(theta), widened(state.extra), whole(t))
        return state.purchase_rate[..., None] * taken

    def dert_if_alive(self, rows: Rows[Array], theta: Theta[Array], discount_rate: float) -> Array:
        """Discounted expected residual purchases of a customer alive at T, over all time to come. [D, C]

        The sum over j >= 1 of E[purchases at opportunity T + j] (1 + d)^-j, d = e^discount_rate - 1 per opportunity.
        Times p_alive it is eq. 14 of Fader, Hardie & Shang (2010). Of a contract it is the discounted expected
        residual lifetime: (1 + d) times it is DERL of Fader & Hardie (2010), who look ahead from the moment before the
        next renewal is due.
        """
        T = np.asarray(rows["T"], dtype=float)
        discount = float(np.expm1(discount_rate))
        return self.chances.mean_chance(rows, T, theta) * self.lifetime.discounted_time(T, theta, discount)

    def silence_odds(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        at_last = rows["frequency" if self.chances.certain else "recency"]  # of a contract the last one of all so far
        return self.chances.count_probability(rows, at_last, theta, np.zeros(()), rows["T"] - at_last)

    def count_probability(self, rows: Rows[Array], theta: Theta[Array], n: Array, t: float) -> Array:
        """Sum over k of P(takes part in exactly k of the m opportunities ahead) P(n purchases at k)."""
        n, T, m = np.asarray(n, dtype=float), np.asarray(rows["T"], dtype=float), int(whole(t))
        total, still_there = np.zeros(()), np.ones(())
        for k in range(m + 1):
            # whoever takes part in all m counts for k = m, leaving later or not
            still_there_after = self.lifetime.survival_ratio(T, np.asarray(k + 1.0), theta) if k < m else np.zeros(())
            of_n = self.chances.count_probability(rows, T, theta, n, np.asarray(float(k)))
            total = total + (still_there - still_there_after) * of_n
            still_there = still_there_after
        return total

    def draw_counts(
        self, rows: Rows[Array], theta: Theta[Array], state: State, edges: Array, rng: KeyedRandom
    ) -> Counts:
        """At each of the opportunities that come before the end, with the own chance."""
        return bernoulli_counts(rng, state.purchase_rate, whole(edges), state.residual_lifetime)

    def draw_ages(self, own: Mapping[str, float], until: float, rng: np.random.Generator) -> Array:
        ages: Array = np.arange(int(whole(until)), dtype=np.float64) + 1.0
        return ages[rng.random(len(ages)) < own["purchase_rate"]]


ALMOST = 1e-9
"""What a number of opportunities may lack of a whole one: the rounding of sums and quotients of time units."""


def whole(t: Array | float) -> Array:
    """The number of opportunities in (0, t]; t may be a whole number but for its last digits."""
    return np.floor(np.asarray(t, dtype=float) + ALMOST)
