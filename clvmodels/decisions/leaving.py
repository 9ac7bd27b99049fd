"""Who is late for their own rhythm, who may leave, and how much worth may leave with them.

    silence odds     P(no purchase in (t_x, T] | history up to t_x, there all the time): small of those who are late
    odds of leaving  1 - P(a customer at T + t | history): gone already, or gone by then
    value at risk    worth x odds of leaving: nothing of those who are surely gone, and little of those who surely stay
    next purchase    when the first purchase of the horizon comes, if one does

The worth counts the chance that the customer is gone already. The odds of a silence are the model's closed form; who
stays and when the next purchase comes are read from futures of customers drawn given that they are there, each with the
weight of that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.customers.table import Customers
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.decisions.concentration import own_draws
from clvmodels.draws import Array, in_threads, mean_by_customer
from clvmodels.errors import ConfigError, DataError, Problem
from clvmodels.futures.forecast import purchase_counts
from clvmodels.futures.individuals import Present, blocks_of_alike, by_history, present, purchase_model
from clvmodels.futures.windows import ALMOST, week_edges
from clvmodels.inference.posterior import Posterior
from clvmodels.models.counts import Counts
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.scoring import known_p_alive
from clvmodels.valuation.valuation import Values

LATE = 0.1
"""Whose silence is longer than nine of ten of such a customer's would be is late."""
NEXT = {"q5": 0.05, "q50": 0.5, "q95": 0.95}
"""The quantiles of when the next purchase comes."""


class Leaving(NamedTuple):
    """Who may leave."""

    within: float
    """How far ahead it is asked who has left, in time units."""
    customers: pd.DataFrame
    """By customer_id, the most value at risk first: silence (time units since the last purchase), silence_odds,
    p_alive, p_alive_then (at T + within), odds_of_leaving, p_purchase (a purchase within the horizon), next_q5,
    next_q50 and next_q95 (time units until the next purchase, where one comes within the horizon; missing where none
    does), worth (the mean, without credit for referrals), value_at_risk. P(alive), and what follows from it, is missing
    where the model cannot know it."""


def quarter(time_unit: str) -> float:
    """A quarter of a year in time units; at least one of them."""
    return max(1.0, float(np.rint(3 * DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[time_unit])))


def leaving(
    posterior: Posterior, customers: Customers, values: Values, *, seed: int, within: float | None = None
) -> Leaving:
    """Customers by the value that is at risk with them, the most first.

    Parameters
    ----------
    posterior
        Of the purchases that the values were made of.
    customers
        Those who are valued.
    within
        How far ahead it is asked who has left, in time units; by default a quarter of a year, or the horizon where that
        is shorter.

    Raises
    ------
    ConfigError
        `within` is not above 0, or beyond the horizon of the values.
    DataError
        Other customers are valued.
    """
    table, horizon = customers.table, values.horizon
    if not np.array_equal(table.index.to_numpy(dtype=str), np.asarray(values.customer_id, dtype=str)):
        raise DataError(Problem("the values are of other customers", "customers", f"{len(table)} of them"))
    ahead = min(quarter(customers.time_unit), horizon) if within is None else within
    if not 0 < ahead <= horizon:
        known = f"Above 0, and at most the horizon, {horizon:g}"
        raise ConfigError(Problem("not a time within the horizon", "within", f"{ahead:g}", known))
    edges = _edges(horizon, customers, ahead)
    draws = len(values.worth)

    def of_block(places: NDArray[np.intp]) -> pd.DataFrame:
        part = table.iloc[places]
        return _of_customers(posterior, part, edges, ahead, draws, seed)

    parts = list(in_threads(of_block, blocks_of_alike(posterior, table, draws)))
    found = pd.concat(parts).loc[table.index]
    p_alive = known_p_alive(posterior, table, found["p_alive"].to_numpy()[None])
    is_known = np.isfinite(p_alive)
    worth = np.asarray(sum(own_draws(values, "worth"))) / draws
    silence = (table["T"] - table["recency"]).to_numpy(dtype=float)
    found.insert(0, "silence", silence)
    found["p_alive"] = p_alive
    found["p_alive_then"] = found["p_alive_then"].where(is_known)
    found.insert(4, "odds_of_leaving", 1.0 - found["p_alive_then"])
    found["worth"] = worth
    found["value_at_risk"] = worth.clip(0.0) * found["odds_of_leaving"]
    best_first = found.sort_values("value_at_risk", ascending=False, kind="stable")
    return Leaving(ahead, best_first.rename_axis("customer_id"))


def _edges(horizon: float, customers: Customers, within: float) -> Array:
    """Bounds of days for four weeks and of weeks after them, up to the horizon; of opportunities where time counts
    them. `within` is one of them."""
    edges = week_edges(horizon, customers.time_unit, customers.time)
    if customers.time == "continuous":
        days = np.arange(1, 29) / DAYS_PER_UNIT[customers.time_unit]
        edges = np.append(edges, days[days < horizon])
    return np.unique(np.round(np.append(edges, within), 9))  # a week and seven days are one bound


def _of_customers(
    posterior: Posterior, part: pd.DataFrame, edges: Array, within: float, draws: int, seed: int
) -> pd.DataFrame:
    """What is true of some customers whatever they are worth."""
    model = purchase_model(posterior)
    people = present(posterior, part, draws, seed)
    stream = KeyedRandom(seed, "leaving", list(part.index), len(people.p_alive))
    counts = purchase_counts(posterior, part, people.if_alive, edges, stream)
    silence_odds = by_history(posterior, part, draws, model.silence_odds)
    columns = {
        "silence_odds": mean_by_customer(np.broadcast_to(silence_odds, people.p_alive.shape)),
        "p_alive": mean_by_customer(people.p_alive),
        "p_alive_then": mean_by_customer(people.p_alive * _stays(people, counts, edges, within)),
    }
    return pd.DataFrame(columns | _next_purchase(people, counts, edges), index=part.index)


def _stays(people: Present, counts: Counts, edges: Array, within: float) -> NDArray[np.bool_]:
    """Who of those who are there is so later: neither has the time run out, nor was that purchase made after which the
    coin falls. [D, C]"""
    is_before = (edges[1:] <= within + ALMOST)[:, None]
    bought = counts.weighted(counts.number, is_before.astype(float))[..., 0]
    return (people.if_alive.residual_lifetime >= within) & (bought < people.if_alive.residual_purchases)


def _next_purchase(people: Present, counts: Counts, edges: Array) -> dict[str, Array]:
    """The chance of a purchase within the horizon, and quantiles of when the first one comes, if one does. [C] each"""
    draws, customers, periods = counts.shape
    cell = counts.draw * customers + counts.customer
    _, first = np.unique(cell, return_index=True)  # entries are in the order of the periods
    draw, customer, period = counts.draw[first], counts.customer[first], counts.period[first]
    came = np.zeros((customers, periods))
    np.add.at(came, (customer, period), people.p_alive[draw, customer] / draws)
    until = np.concatenate([np.zeros((customers, 1)), came.cumsum(axis=1)], axis=1)
    columns = {"p_purchase": until[:, -1]}
    for name, level in NEXT.items():
        columns[f"next_{name}"] = np.array([_time(level, row, edges) for row in until])
    return columns


def _time(level: float, until: Array, edges: Array) -> float:
    """When a share of the chance of a purchase has come, evenly within a period; missing where there is none."""
    goal = level * until[-1]
    if goal <= 0:
        return np.nan
    end = int(np.searchsorted(until, goal))
    share = (goal - until[end - 1]) / (until[end] - until[end - 1])
    return float(edges[end - 1] + share * (edges[end] - edges[end - 1]))
