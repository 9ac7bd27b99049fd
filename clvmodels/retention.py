"""Retention contacts: who is contacted, by the rule that a customer is as long as silence has not lasted too long.

At each contact date t_1, t_2, ... (multiples of `every` after T) a customer is contacted who has bought within the
last `until_silent`, before T or after; gone or not, which the firm does not see. Periods end at the contact dates.

Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import gammaincc

from clvmodels import simulation
from clvmodels.economics import Retention
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.contract import Array, State
from clvmodels.posterior import Posterior
from clvmodels.randomness import KeyedRandom

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
        known = "Take a model of Poisson purchases without a calendar, such as pareto_nbd or bg_nbd"
        raise ConfigError(Problem("retention by silence does not go with this model", "economics", model.title, known))


def contacts_of(counts: Array, silence: Array, edges: Array, rule: Retention) -> Array:
    """1 in each period at whose end the customer is contacted, 0 elsewhere. counts and result: [D, C, P]

    silence: time from the last purchase to T. [C]
    """
    recent = np.zeros(counts.shape)
    for back in range(min(rule.memory, counts.shape[-1])):
        recent[..., back:] += counts[..., : counts.shape[-1] - back]
    before = silence[:, None] + edges[1:] < rule.until_silent
    return ((recent > 0) | before) * _full(edges, rule)


def expected_contacts(
    posterior: Posterior, table: pd.DataFrame, p_alive: Array, silence: Array, edges: Array, rule: Retention, seed: int
) -> Array:
    """P(contacted at the end of each period | history, parameters). p_alive: [D, C]; result [D, C, P]

    Given that a customer is alive and the state (own rate, end) the chance of a purchase in a window is exact; it is
    averaged over several states drawn for each posterior draw.
    """
    check_rule(posterior)
    model, draws = simulation.purchase_model(posterior), len(p_alive)
    rows, theta = simulation.rows_of(table, model.observes), posterior.theta(table, draws)
    total = np.zeros((*p_alive.shape, len(edges) - 1))
    for k in range(STATES):
        state = model.draw_alive(rows, theta, KeyedRandom(seed, f"retention {k}", list(table.index), draws))
        total += chances_of_purchase(state, edges, rule.until_silent)
    before = silence[:, None] + edges[1:] < rule.until_silent
    return np.where(before, 1.0, p_alive[..., None] * total / STATES) * _full(edges, rule)


def chances_of_purchase(state: State, edges: Array, window: float) -> Array:
    """P(a purchase in (T + t - window, T + t] | state) at the end t of each period, none before T counted. [D, C, P]

    Poisson at the own rate until the clock or the coin ends it: 1 - exp(-rate x time left of the window) until the
    clock's end; a coin that falls after R purchases leaves the window to those who have made fewer by its start, and
    P(Poisson(rate x start) < R) is a regularised gamma function.
    """
    chances = np.empty((*state.purchase_rate.shape, len(edges) - 1))
    most = state.residual_purchases
    coin = bool(np.isfinite(most).any())
    for p, end in enumerate(edges[1:]):
        start = max(end - window, 0.0)
        since = state.purchase_rate * np.minimum(start, state.residual_lifetime)
        until = state.purchase_rate * np.minimum(end, state.residual_lifetime)
        chances[..., p] = -np.expm1(since - until)
        if coin:
            counted = np.isfinite(most) & (most > 0)
            chances[..., p] *= np.where(counted, gammaincc(np.where(counted, most, 1.0), since), most > 0)
    return chances


def _full(edges: Array, rule: Retention) -> Array:
    """1 for periods that end at a contact date; the last may be cut short by the horizon. [P]"""
    return np.where(np.isclose(np.diff(edges), rule.every), 1.0, 0.0)
