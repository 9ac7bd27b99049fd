"""What is to be expected of customers, one number for each posterior draw: the individual is integrated out.

Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from numba import types
from numpy.typing import NDArray

from clvmodels.customers.table import Customers
from clvmodels.draws import Array, blocks
from clvmodels.errors import ConfigError, Problem
from clvmodels.futures.individuals import by_history, purchase_model, rows_of
from clvmodels.futures.windows import moments
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.unique_rows import condense
from clvmodels.models.contract import State
from clvmodels.models.counts import BOUNDS
from clvmodels.models.evaluate import dert as evaluate_dert
from clvmodels.models.evaluate import p_alive as evaluate_p_alive
from clvmodels.models.parameters import Rows, Theta
from clvmodels.variates import GIVEN, loop


def expected_counts(posterior: Posterior, table: pd.DataFrame, p_alive: Array, edges: Array, draws: int) -> Array:
    """E[purchases in each period | history, the draw's parameters]. edges: [P+1] from 0; result [D, C, P]"""
    return weighted_counts(posterior, table, p_alive, edges, np.eye(len(edges) - 1), draws)


def weighted_counts(
    posterior: Posterior, table: pd.DataFrame, p_alive: Array, edges: Array, weights: Array, draws: int
) -> Array:
    """Expected purchases summed over the periods by weights. edges: [P+1] from 0, weights: [P, Q]; result [D, C, Q]

    With X_p the purchases until the end of period p, the sum of (X_p - X_{p-1}) w_p is that of X_p (w_p - w_{p+1}).
    """
    model, falls = purchase_model(posterior), _falls(weights)

    def of_alive(rows: Rows[Array], theta: Theta[Array]) -> Array:
        until = model.expected_if_alive(rows, theta, edges[1:])
        total = np.zeros((*until.shape[:-1], falls.shape[1]))
        _add_up_periods(until, falls, total)
        return total

    return p_alive[..., None] * by_history(posterior, table, draws, of_alive, model.reads_ahead)


def counts_given_own(posterior: Posterior, table: pd.DataFrame, state: State, edges: Array, weights: Array) -> Array:
    """E[purchases | the customer's own parameters], summed over the periods by weights: 0 of those who have ended.
    edges: [P+1] from 0, weights: [P, Q]; result [D, C, Q]"""
    model, falls = purchase_model(posterior), _falls(weights)

    def of_living(rows: Rows[Array], theta: Theta[Array], people: State, place: Places) -> Array:
        until = model.purchases_given_own(rows, theta, people, edges[1:])
        total = np.zeros((*until.shape[:-1], falls.shape[1]))
        _add_up_periods(until, falls, total)
        return total

    return by_living(posterior, table, state, of_living, weights.shape)


type Places = NDArray[np.intp]
"""Which customers of a block, one for each living draw of one."""


def by_living(
    posterior: Posterior,
    table: pd.DataFrame,
    state: State,
    function: Callable[[Rows[Array], Theta[Array], State, Places], Array],
    shape: tuple[int, int],
) -> Array:
    """A function of rows, theta and own parameters of those who are alive, 0 of the others. [D, C, Q]

    Each draw of a customer stands for itself: what the function gets has the shape [1, E], E the draws of customers
    that are alive, or some of them, so that its arrays of the `shape` [P, Q] of periods stay bounded.
    """
    model = purchase_model(posterior)
    rows = rows_of(table, model.observes)
    theta = posterior.theta(table, len(state.alive))
    total = np.zeros((*state.alive.shape, shape[1]))
    draw, customer = np.nonzero(state.alive)
    for part in blocks(len(draw), 1, max(shape)):
        at = draw[part], customer[part]
        people = State(
            alive=np.ones((1, len(at[0])), dtype=bool),
            purchase_rate=state.purchase_rate[at][None],
            residual_lifetime=LUCK,
            residual_purchases=LUCK,
            extra={name: values[at][None] for name, values in state.extra.items()},
        )
        total[at] = function(ReadAt(rows, at), ReadAt(theta, at), people, at[1])[0]
    return total


LUCK = np.full((1, 1), np.nan)
"""In place of what is left of a customer: what is true given the own parameters must not read it."""


class ReadAt(Mapping[str, Array]):
    """Values by name, [D, C] or broadcast to it, read at draws of customers when they are asked for. [1, E]"""

    def __init__(self, values: Mapping[str, Array], at: tuple[Places, Places]):
        self.values_of_block, self.at = values, at

    def __getitem__(self, name: str) -> Array:
        values, (draw, customer) = self.values_of_block[name], self.at
        first = draw if values.shape[0] > 1 else 0
        second = customer if values.shape[1] > 1 else 0
        return np.broadcast_to(values[first, second], draw.shape)[None]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of_block)

    def __len__(self) -> int:
        return len(self.values_of_block)


def _falls(weights: Array) -> Array:
    """By how much each weight is larger than that of the next period, the last one's whole. [P, Q]"""
    return weights - np.append(weights[1:], np.zeros_like(weights[:1]), axis=0)


@loop(BOUNDS, GIVEN, types.Array(types.float64, 3, "C"), returns=types.void)
def _add_up_periods(values, weights, total):  # pragma: no cover - compiled
    """Sums over periods, added in their order: the last digit of a matrix product would depend on the block's size."""
    for d in range(values.shape[0]):
        for c in range(values.shape[1]):
            for q in range(weights.shape[1]):
                for p in range(values.shape[2]):
                    total[d, c, q] += values[d, c, p] * weights[p, q]


def chance_of_any(posterior: Posterior, table: pd.DataFrame, p_alive: Array, length: float) -> Array:
    """P(a purchase in the window), exact given each draw's parameters, averaged over draws. [C]"""
    model = purchase_model(posterior)

    def of_alive(rows: Rows[Array], theta: Theta[Array]) -> Array:
        return model.chance_of_purchase(rows, theta, 0.0, length)

    return _mean_over_draws(p_alive * by_history(posterior, table, len(p_alive), of_alive, model.reads_ahead))


def probability_of(posterior: Posterior, table: pd.DataFrame, p_alive: Array, n: Array, length: float) -> Array:
    """P(n purchases in the window), averaged over draws. n and result: [C]

    Exact given each draw's parameters, the individual integrated out, so that no count that is possible gets 0.
    """
    model = purchase_model(posterior)

    def of_n(rows: Rows[Array], theta: Theta[Array]) -> Array:
        return model.count_probability(rows, theta, rows["_n"][0], length)

    if_alive = by_history(posterior, table.assign(_n=n), len(p_alive), of_n, (*model.reads_ahead, "_n"))
    return _mean_over_draws(p_alive * if_alive + (1.0 - p_alive) * (n == 0))


def _mean_over_draws(by_draw: Array) -> Array:
    """A mean along contiguous draws: its last digit does not depend on how many customers are in the block. [D, C] ->
    [C]"""
    return np.ascontiguousarray(by_draw.T).mean(axis=1)


def dert(posterior: Posterior, customers: Customers, *, discount_rate: float, draws: int = 1000) -> Array:
    """Discounted expected residual transactions of each customer. [D, C]

    Parameters
    ----------
    discount_rate
        Per time unit of the customers, compounded continuously; there is no default, since it goes with the unit:
        15% a year is log(1.15) / 365.25 for days and 7 times that for weeks.

    Raises
    ------
    ConfigError
        The rate is not positive, or the model follows a calendar (`clvmodels.models.evaluate.dert`).
    """
    model, table = purchase_model(posterior), customers.table
    draws = len(posterior.stacked(posterior.model.parameters[0].name, draws))
    transactions = np.empty((draws, len(table)))

    def of_block(rows: Rows[Array], theta: Theta[Array]) -> Array:
        return evaluate_dert(model, rows, theta, discount_rate)

    for block in blocks(len(table), draws, 1):
        transactions[:, block] = by_history(posterior, table.iloc[block], draws, of_block)
    return transactions


def expected_cumulative(
    posterior: Posterior, customers: Customers, dates: Iterable[pd.Timestamp], *, draws: int = 1000
) -> Array:
    """Expected repeat purchases of the cohort, from each customer's first purchase to the end of each date. [D, P]

    The sum over customers of E[X(date - first purchase) | the draw's parameters], of new customers: no history is
    used. It is what a model says of the cohort's track, without the realised track's randomness.

    Raises
    ------
    ConfigError
        The dates are missing or not in order.
    """
    model, track = purchase_model(posterior), pd.DatetimeIndex(list(dates))
    if not len(track) or not track.is_monotonic_increasing or track.hasnans:
        raise ConfigError(Problem("the dates of a track are missing or not in order", "dates", f"{len(track)} of them"))
    table = _without_histories(model.observes, model.traits, customers)
    cohorts = condense(table, (*model.observes, "_born"), posterior.effects)
    theta = posterior.theta(table.iloc[cohorts.first], draws)
    draws, until = len(next(iter(theta.values()))), moments(track, customers)
    total = np.zeros((draws, len(until)))
    for block in blocks(len(cohorts.weights), draws, len(until)):
        rows = {name: values[None, block] for name, values in cohorts.rows.items()}
        of_block = {name: value[:, block] if value.shape[1] > 1 else value for name, value in theta.items()}
        ages = (until - rows["_born"][0][:, None]).clip(0.0)
        alive = evaluate_p_alive(model, rows, of_block)[..., None]
        expected = alive * model.expected_if_alive(rows, of_block, ages)
        total += (expected * cohorts.weights[block, None]).sum(axis=1)
    return total


def _without_histories(observes: tuple[str, ...], traits: tuple[str, ...], customers: Customers) -> pd.DataFrame:
    """The customers as they were when they came, and when that was."""
    columns: dict[str, object] = {name: 0.0 for name in observes if name not in traits}
    if "status" in columns:
        columns["status"] = "unknown"
    born = moments(customers.table["first_purchase"], customers)
    return customers.table.assign(**columns, _born=born)
