"""Retention contacts: who is contacted, by the rule that a customer is as long as silence has not lasted too long.

At each contact date (T, T + `every`, T + 2 `every`, ..., before the horizon) a customer is contacted who has bought
within the last `until_silent`, before T or after; gone or not, which the firm does not see. Every contact date begins a
period (`discounting.period_edges`), and a contact belongs to the period that it begins.

Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numba import types
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.futures import individuals
from clvmodels.futures.expectations import Places, by_living
from clvmodels.futures.individuals import by_history
from clvmodels.inference.posterior import Posterior
from clvmodels.models.contract import State
from clvmodels.models.counts import PLACES, Counts
from clvmodels.models.parameters import Rows, Theta
from clvmodels.valuation.economics import Retention
from clvmodels.variates import GIVEN, loop

NEAR = 1e-6
"""How far from a multiple of `every`, relative to it, a contact date may be: rounding, and no more."""


def check_rule(posterior: Posterior) -> None:
    """Refuse purchase models whose silences have no closed form given a customer's state.

    Raises
    ------
    ConfigError
        Purchases that are no Poisson process while the customer stays: opportunities, Erlang k, a calendar.
    """
    model = posterior.model
    if model.time != "continuous" or model.options.get("k", 1) != 1 or model.traits:
        remedy = "Take a model of Poisson purchases without a calendar, such as pareto_nbd or mbg_nbd"
        raise ConfigError(Problem("retention by silence does not go with this model", "economics", model.title, remedy))


def contacts_of(counts: Counts, silence: Array, edges: Array, rule: Retention, weights: Array) -> Array:
    """Contacts, summed by the weights of the periods that they begin. weights: [P, Q]; result [D, C, Q]

    silence: time from the last purchase to T. [C]
    """
    # the contact date `until_silent` before each is an edge itself; it must not be missed by rounding
    window_start = edges[:-1] - rule.until_silent - NEAR * rule.every
    first_edge = np.searchsorted(edges, window_start)
    # a purchase is remembered at the beginnings of the periods after its own, up to the last whose window holds it
    last = np.searchsorted(first_edge, np.arange(len(first_edge)), side="right") - 1
    # nobody is forgotten and remembered again without a purchase: it is the first periods in which the last one counts
    remembered = _remembered(silence, edges, rule).sum(axis=1)
    at_dates = np.where(contact_dates(edges, rule)[:, None], weights, 0.0)
    contacts = np.zeros((*counts.shape[:2], weights.shape[1]))
    _add_contacts(counts.draw, counts.customer, counts.period, last, remembered, at_dates, contacts)
    return contacts


@loop(PLACES, PLACES, PLACES, PLACES, PLACES, GIVEN, types.Array(types.float64, 3, "C"), returns=types.void)
def _add_contacts(draw, customer, period, last, remembered, weights, contacts):  # pragma: no cover - compiled
    """Each customer is contacted at the dates at which the last purchase before T, or one after, is remembered."""
    for d in range(contacts.shape[0]):
        for c in range(contacts.shape[1]):
            for p in range(remembered[c]):
                for q in range(weights.shape[1]):
                    contacts[d, c, q] += weights[p, q]
    for e in range(len(draw)):
        d, c = draw[e], customer[e]
        start = max(period[e] + 1, remembered[c])
        if e > 0 and draw[e - 1] == d and customer[e - 1] == c:
            start = max(start, last[period[e - 1]] + 1)
        for p in range(start, last[period[e]] + 1):
            for q in range(weights.shape[1]):
                contacts[d, c, q] += weights[p, q]


def expected_contacts(
    posterior: Posterior,
    table: pd.DataFrame,
    p_alive: Array,
    silence: Array,
    edges: Array,
    rule: Retention,
    weights: Array,
) -> Array:
    """P(contacted at the beginning of each period | history, parameters), summed by the periods' weights. p_alive:
    [D, C], weights: [P, Q]; result [D, C, Q]

    For sure as long as the last purchase before T is remembered; from then on if the customer buys in the window.
    """
    check_rule(posterior)
    model = individuals.purchase_model(posterior)
    dates = np.flatnonzero(contact_dates(edges, rule))
    remembered = _remembered(silence, edges, rule).sum(axis=1)

    def of_alive(rows: Rows[Array], theta: Theta[Array]) -> Array:
        total: Array = np.zeros((1, 1, 1))
        for p in dates:
            start = max(edges[p] - rule.until_silent, 0.0)  # what was before T is in `silence`
            chance = model.chance_of_purchase(rows, theta, start, edges[p])
            is_forgotten = rows[REMEMBERED] <= p
            total = total + (chance * is_forgotten)[..., None] * weights[p]
        return total

    marked = table.assign(**{REMEMBERED: remembered})
    later = by_history(posterior, marked, len(p_alive), of_alive, (*model.reads_ahead, REMEMBERED))
    return _of_remembered(remembered, dates, weights) + p_alive[..., None] * later


def contacts_given_own(
    posterior: Posterior,
    table: pd.DataFrame,
    state: State,
    silence: Array,
    edges: Array,
    rule: Retention,
    weights: Array,
) -> Array:
    """`expected_contacts` given the customer's own parameters. weights: [P, Q]; result [D, C, Q]"""
    model = individuals.purchase_model(posterior)
    dates = np.flatnonzero(contact_dates(edges, rule))
    remembered = _remembered(silence, edges, rule).sum(axis=1)

    def of_living(rows: Rows[Array], theta: Theta[Array], people: State, place: Places) -> Array:
        total = np.zeros((*people.alive.shape, weights.shape[1]))
        for p in dates[dates >= remembered.min()]:
            start = max(edges[p] - rule.until_silent, 0.0)  # what was before T is in `silence`
            chance = model.chance_given_own(rows, theta, people, start, edges[p])
            is_forgotten = remembered[place] <= p
            total += (chance * is_forgotten)[..., None] * weights[p]
        return total

    later = by_living(posterior, table, state, of_living, weights.shape)
    return _of_remembered(remembered, dates, weights) + later


def _of_remembered(remembered: NDArray[np.intp], dates: NDArray[np.intp], weights: Array) -> Array:
    """The weights of the dates at which the last purchase before T still counts. [C, Q]"""
    of_dates = np.zeros_like(weights)
    of_dates[dates] = weights[dates]
    first = np.append(np.zeros_like(weights[:1]), np.cumsum(of_dates, axis=0), axis=0)
    return first[remembered]


REMEMBERED = "_remembered"
"""A column beside a customer's history: at the beginnings of how many periods the last purchase still counts."""


def contact_dates(edges: Array, rule: Retention) -> NDArray[np.bool_]:
    """Which periods begin at a contact date, a multiple of `every`, 0 too. [P]"""
    steps = edges[:-1] / rule.every
    return np.abs(steps - np.round(steps)) < NEAR


def _remembered(silence: Array, edges: Array, rule: Retention) -> NDArray[np.bool_]:
    """Whether the last purchase before T still counts at the beginning of each period. [C, P]"""
    return silence[:, None] + edges[:-1] < rule.until_silent
