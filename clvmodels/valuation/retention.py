"""Retention contacts: who is contacted, by the rule that a customer is as long as silence has not lasted too long.

At each contact date (T, T + `every`, T + 2 `every`, ..., before the horizon) a customer is contacted who has bought
within the last `until_silent`, before T or after; gone or not, which the firm does not see. Every contact date begins a
period (`discounting.period_edges`), and a contact belongs to the period that it begins.

Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaincc

from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.futures import individuals
from clvmodels.inference.posterior import Posterior
from clvmodels.models.contract import State
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Retention

NEAR = 1e-6
"""How far from a multiple of `every`, relative to it, a contact date may be: rounding, and no more."""
STATES = 8
"""States of a customer that the mean is taken over in each posterior draw; given a state it is exact."""


def check_rule(posterior: Posterior) -> None:
    """Refuse purchase models whose silences have no closed form given a customer's state.

    Raises
    ------
    ConfigError
        Purchases that are no Poisson process while the customer stays: opportunities, Erlang k, a calendar.
    """
    model = posterior.model
    if model.time != "continuous" or model.options.get("k", 1) != 1 or model.traits:
        remedy = "Take a model of Poisson purchases without a calendar, such as pareto_nbd or bg_nbd"
        raise ConfigError(Problem("retention by silence does not go with this model", "economics", model.title, remedy))


def contacts_of(counts: Array, silence: Array, edges: Array, rule: Retention) -> Array:
    """1 in each period at whose beginning the customer is contacted, 0 elsewhere. counts and result: [D, C, P]

    silence: time from the last purchase to T. [C]
    """
    nothing = np.zeros_like(counts[..., :1])
    bought_by_edge = np.concatenate([nothing, np.cumsum(counts, axis=-1)], axis=-1)
    # the contact date `until_silent` before each is an edge itself; it must not be missed by rounding
    window_start = edges[:-1] - rule.until_silent - NEAR * rule.every
    first_edge = np.searchsorted(edges, window_start)
    bought_lately = bought_by_edge[..., :-1] > bought_by_edge[..., first_edge]
    is_contacted = bought_lately | _remembered(silence, edges, rule)
    return np.where(contact_dates(edges, rule), is_contacted, 0.0)


def expected_contacts(
    posterior: Posterior, table: pd.DataFrame, p_alive: Array, silence: Array, edges: Array, rule: Retention, seed: int
) -> Array:
    """P(contacted at the beginning of each period | history, parameters). p_alive: [D, C]; result [D, C, P]

    Given that a customer is alive and the state (own rate, end) the chance of a purchase in a window is exact; it is
    averaged over several states drawn for each posterior draw.
    """
    check_rule(posterior)
    draws = len(p_alive)
    model = individuals.purchase_model(posterior)
    rows = individuals.rows_of(table, model.observes)
    theta = posterior.theta(table, draws)
    is_date = contact_dates(edges, rule)
    total = np.zeros((*p_alive.shape, len(edges) - 1))
    for k in range(STATES):
        stream = KeyedRandom(seed, f"retention {k}", list(table.index), draws)
        state = individuals.drawn_alive(model, rows, theta, stream)
        for p in np.flatnonzero(is_date):
            start = max(edges[p] - rule.until_silent, 0.0)  # what was before T is in `silence`
            total[..., p] += chance_of_purchase(state, start, edges[p])
    bought_lately = p_alive[..., None] * total / STATES
    chance = np.where(_remembered(silence, edges, rule), 1.0, bought_lately)
    return np.where(is_date, chance, 0.0)


def chance_of_purchase(state: State, start: float, end: float) -> Array:
    """P(a purchase in (T + start, T + end] | state), Poisson at the own rate until the clock or the coin ends it.

    Until the clock's end, 1 - exp(-rate x time left of the window); a coin that falls after R purchases leaves the
    window to those who have made fewer by its start: P(Poisson(rate x start) < R). [D, C]
    """
    since = state.purchase_rate * np.minimum(start, state.residual_lifetime)
    until = state.purchase_rate * np.minimum(end, state.residual_lifetime)
    bought: Array = -np.expm1(since - until)
    most = state.residual_purchases
    if np.isinf(most).all():
        return bought
    is_counted = np.isfinite(most) & (most > 0)
    fewer_before = gammaincc(np.where(is_counted, most, 1.0), since)  # P(Poisson(since) < most)
    not_counted = (most > 0) * 1.0  # 0 left: gone; infinitely many: no coin
    return bought * np.where(is_counted, fewer_before, not_counted)


def contact_dates(edges: Array, rule: Retention) -> NDArray[np.bool_]:
    """Which periods begin at a contact date, a multiple of `every`, 0 too. [P]"""
    steps = edges[:-1] / rule.every
    return np.abs(steps - np.round(steps)) < NEAR


def _remembered(silence: Array, edges: Array, rule: Retention) -> NDArray[np.bool_]:
    """Whether the last purchase before T still counts at the beginning of each period. [C, P]"""
    return silence[:, None] + edges[:-1] < rule.until_silent
