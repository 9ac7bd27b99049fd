"""Individuals and their futures, draw by draw, in blocks of customers; synthetic histories from known truth.

Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.customers.table import Customers, Holdout
from clvmodels.dates import DAYS_PER_UNIT, period_of
from clvmodels.draws import Array, Progress, array_store, blocks, totals_html
from clvmodels.errors import ConfigError, Problem
from clvmodels.inference.effects import check_columns
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.unique_rows import condense, numbers
from clvmodels.models import PurchaseModel, State
from clvmodels.models.contract import Rows, Theta
from clvmodels.models.evaluate import dert as evaluate_dert
from clvmodels.models.evaluate import p_alive as evaluate_p_alive
from clvmodels.randomness import KeyedRandom


@dataclass(frozen=True)
class Futures:
    """One entry's forecast of a window after the origin, for all customers.

    Parameters
    ----------
    customer_id : [C]
    edges : [P+1]
        Bounds of the whole weeks of the window, in time units after the origin; of opportunities, of the periods.
    purchases : [D, C]
        Realised number of purchases in the window: one future a draw.
    period_purchases : [D, P]
        Realised purchases of the whole base by week, or period.
    expected_purchases : [D, C]
        E[purchases in the window | history, the draw's parameters].
    p_alive : [D, C]
        P(alive at the origin | history, the draw's parameters).
    p_any : [C]
        P(at least one purchase in the window), exact given each drawn state, averaged over draws.
    log_prob : [C] or None
        Log probability of the count that came, exact given each drawn state, averaged over draws.
    """

    customer_id: np.ndarray
    edges: np.ndarray
    purchases: np.ndarray
    period_purchases: np.ndarray
    expected_purchases: np.ndarray
    p_alive: np.ndarray
    p_any: np.ndarray
    log_prob: np.ndarray | None = None

    def __repr__(self) -> str:
        draws, size = self.purchases.shape
        periods = self.period_purchases.shape[1]
        return f"Futures({size:,} customers, {draws:,} draws, {periods:,} periods)"

    def _repr_html_(self) -> str:
        of_the_base = {
            "purchases, realised": self.purchases,
            "purchases, expected": self.expected_purchases,
            "customers alive at the origin, expected": self.p_alive,
        }
        return f"<p><b>{self!r}</b></p>" + totals_html(of_the_base)


@dataclass(frozen=True)
class Present:
    """A block of customers at T, as far as the future needs it. [D, C]

    `if_alive` is drawn given being alive; `state` is the same for those who are, and for the ended there is nothing
    left.
    """

    p_alive: Array
    if_alive: State
    state: State


def rows_of(table: pd.DataFrame, observes: tuple[str, ...]) -> dict[str, Array]:
    """The statistics of a table as rows. [1, C] each"""
    return {name: numbers(table, name)[None] for name in observes}


def present(posterior: Posterior, table: pd.DataFrame, draws: int, seed: int) -> Present:
    """Who is alive at T, alive ~ Bernoulli(p_alive), and what is ahead of them, exactly, for each posterior draw."""
    model = purchase_model(posterior)
    theta, rows, labels = posterior.theta(table, draws), rows_of(table, model.observes), list(table.index)
    size = len(next(iter(theta.values())))
    p_alive = _condensed(posterior, table, draws, lambda rows, theta: evaluate_p_alive(model, rows, theta))
    if_alive = drawn_alive(model, rows, theta, KeyedRandom(seed, "if alive", labels, size))
    alive = KeyedRandom(seed, "alive", labels, size).uniform() < p_alive
    return Present(p_alive, if_alive, _among(if_alive, alive))


def drawn_alive(model: PurchaseModel, rows: Rows, theta: Theta, rng: KeyedRandom) -> State:
    """The model's states of those alive; who leaves at a rate near 0 stays for ever, without a warning."""
    with np.errstate(over="ignore"):
        return model.draw_alive(rows, theta, rng)


def _among(state: State, alive: NDArray[np.bool_]) -> State:
    """The state of those who are alive, and nothing left for the others."""
    time, purchases = (np.where(alive, ahead, 0.0) for ahead in (state.residual_lifetime, state.residual_purchases))
    return State(alive, state.purchase_rate, time, purchases, state.extra)


def individuals(posterior: Posterior, table: pd.DataFrame, draws: int, seed: int) -> State:
    """Each customer's own parameters and state at T given the history, exactly, for each posterior draw.

    As `present`, with the rates of those who have ended drawn given that they have. [D, C]
    """
    model, now = purchase_model(posterior), present(posterior, table, draws, seed)
    alive, labels = now.state.alive, list(table.index)
    theta, rows = posterior.theta(table, draws), rows_of(table, model.observes)
    ended = model.draw_ended(rows, theta, KeyedRandom(seed, "if ended", labels, len(alive)))
    extra = {k: np.where(alive, v, ended.extra[k]) for k, v in now.if_alive.extra.items() if k in ended.extra}
    rate = np.where(alive, now.if_alive.purchase_rate, ended.purchase_rate)
    return State(alive, rate, now.state.residual_lifetime, now.state.residual_purchases, extra)


def purchase_model(posterior: Posterior) -> PurchaseModel:
    """The posterior's model, if it tells of purchases.

    Raises
    ------
    ConfigError
        It is a spend model.
    """
    if not isinstance(posterior.model, PurchaseModel):
        raise ConfigError(Problem("this needs the posterior of a purchase model", got=posterior.model.title))
    return posterior.model


def _condensed(posterior: Posterior, table: pd.DataFrame, draws: int, function, also: tuple[str, ...] = ()) -> Array:
    """A function of rows and theta, evaluated once for equal histories; `also` names further columns. [D, C, ...]"""
    observes = (*posterior.model.observes, *also)
    condensed = condense(table, observes, posterior.effects)
    rows = {name: values[None] for name, values in condensed.rows.items()}
    return function(rows, posterior.theta(table.iloc[condensed.first], draws))[:, condensed.inverse]


def purchase_counts(posterior: Posterior, table: pd.DataFrame, state: State, edges: Array, rng: KeyedRandom) -> Array:
    """Realised purchases in each period of customers in that state. edges: [P+1] or [C, P+1]; result [D, C, P]"""
    model = purchase_model(posterior)
    return model.draw_counts(rows_of(table, model.observes), posterior.theta(table, rng.draws), state, edges, rng)


def expected_counts(posterior: Posterior, table: pd.DataFrame, p_alive: Array, edges: Array, draws: int) -> Array:
    """E[purchases in each period | history, the draw's parameters]. edges: [P+1] from 0; result [D, C, P]"""
    model = purchase_model(posterior)
    upto = _condensed(posterior, table, draws, lambda rows, theta: model.expected_if_alive(rows, theta, edges[1:]))
    return p_alive[..., None] * np.diff(upto, axis=-1, prepend=0.0)


def tracked_length(time_unit: str, time: str = "continuous") -> float:
    """What purchases of the base are tracked by, in time units: a week; where time counts opportunities, one."""
    return 1.0 if time == "opportunities" else 7.0 / DAYS_PER_UNIT[time_unit]


def week_edges(length: float, time_unit: str, time: str = "continuous") -> Array:
    """Bounds of the whole weeks of a window of `length` time units, from 0, and the window's end; where time counts
    opportunities, of the periods."""
    week = tracked_length(time_unit, time)
    edges: Array = week * np.arange(int(np.floor(length / week + 1e-9)) + 1.0)
    return edges if np.isclose(edges[-1], length) else np.concatenate([edges, [length]])


def calibration_weeks(posterior: Posterior, customers: Customers, starts: pd.Series, *, seed: int, draws: int) -> Array:
    """Repeat purchases of the base in weeks of its past, simulated from each customer's first purchase on. [D, P]

    What the model would have expected of new customers: no history is used, only the population's draws. Where time
    counts opportunities `starts` are those of periods.
    """
    table, bounds = customers.table, past_bounds(customers, starts)
    draws = len(posterior.stacked(posterior.model.parameters[0].name, draws))
    total = np.zeros((draws, len(starts)))
    model = purchase_model(posterior)
    for block in blocks(len(table), draws, len(starts)):
        part = table.iloc[block]
        labels, rows = list(part.index), model.blank(rows_of(part, model.observes))
        theta = posterior.theta(part, draws)
        state = drawn_alive(model, rows, theta, KeyedRandom(seed, "past state", labels, draws))
        stays = KeyedRandom(seed, "past stays", labels, draws).uniform() < evaluate_p_alive(model, rows, theta)
        stream = KeyedRandom(seed, "past", labels, draws)
        total += model.draw_counts(rows, theta, _among(state, stays), bounds[block], stream).sum(axis=1)
    return total


def past_bounds(customers: Customers, starts: pd.Series) -> Array:
    """The ages of each customer at which the weeks, or periods, begin and the last one ends, not below 0. [C, P+1]

    A purchase on day d of life lies in (d - 1, d]: a week that begins on day s covers (s - 1, s + 6]; one in the
    a-th period after the first lies in (a - 1, a].
    """
    first = customers.table["first_purchase"]
    if customers.time == "opportunities":
        ages = _moments(starts, customers)[None] - _moments(first, customers)[:, None]
        return np.concatenate([ages - 1.0, ages[:, -1:]], axis=1).clip(0.0)
    days = (starts.to_numpy("datetime64[D]")[None] - first.to_numpy("datetime64[D]")[:, None]).astype(float)
    return np.concatenate([days - 1.0, days[:, -1:] + 6.0], axis=1).clip(0.0) / DAYS_PER_UNIT[customers.time_unit]


def forecast(
    posterior: Posterior,
    customers: Customers,
    length: float,
    *,
    seed: int,
    draws: int = 1000,
    actual: Holdout | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Futures:
    """The purchases of each customer in the `length` time units after the origin.

    Parameters
    ----------
    actual
        What came, for `log_prob`; nothing else reads it.
    folder
        Where the [D, C] arrays are kept; None keeps them in memory.
    """
    table = customers.table
    size, edges = len(table), week_edges(length, customers.time_unit, customers.time)
    weeks = int(np.floor(length / tracked_length(customers.time_unit, customers.time) + 1e-9))
    draws = len(posterior.stacked(posterior.model.parameters[0].name, draws))
    counts = array_store(folder, "purchases", (draws, size), "int32")
    expected = array_store(folder, "expected_purchases", (draws, size), "float32")
    p_alive = array_store(folder, "p_alive", (draws, size), "float32")
    p_any, log_prob, by_week = np.empty(size), np.empty(size), np.zeros((draws, weeks))
    purchase_model(posterior)  # or refuse
    check_columns(posterior.effects, table)
    for block in blocks(size, draws, len(edges)):
        part = table.iloc[block]
        people = present(posterior, part, draws, seed)
        n = purchase_counts(posterior, part, people.state, edges, KeyedRandom(seed, "future", list(part.index), draws))
        counts[:, block], p_alive[:, block] = n.sum(axis=-1), people.p_alive
        expected[:, block] = expected_counts(posterior, part, people.p_alive, edges[[0, -1]], draws)[..., 0]
        by_week += n[..., :weeks].sum(axis=1)
        p_any[block] = 1.0 - probability_of(posterior, part, people.p_alive, np.zeros(len(part)), length)
        if actual is not None:
            came = actual.table["purchases"].to_numpy(dtype=float)[block]
            with np.errstate(divide="ignore"):  # minus infinity is refused by the metric, by name
                log_prob[block] = np.log(probability_of(posterior, part, people.p_alive, came, length))
        if progress is not None:
            progress(block.stop, size)
    ids = table.index.to_numpy()
    return Futures(
        ids, edges[: weeks + 1], counts, by_week, expected, p_alive, p_any, None if actual is None else log_prob
    )


def probability_of(posterior: Posterior, table: pd.DataFrame, p_alive: Array, n: Array, length: float) -> Array:
    """P(n purchases in the window), averaged over draws. n and result: [C]

    Exact given each draw's parameters, the individual integrated out, so that no count that is possible gets 0.
    """
    model = purchase_model(posterior)
    wanted = table.assign(_n=n)
    if_alive = _condensed(
        posterior,
        wanted,
        len(p_alive),
        lambda rows, theta: model.count_probability(rows, theta, rows["_n"][0], length),
        also=("_n",),
    )
    each = p_alive * if_alive + (1.0 - p_alive) * (n == 0)
    return np.ascontiguousarray(each.T).mean(axis=1)


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
        The rate is not positive, or the model does not count time continuously or follows a calendar
        (`clvmodels.models.evaluate.dert`).
    """
    model, table = purchase_model(posterior), customers.table
    draws = len(posterior.stacked(posterior.model.parameters[0].name, draws))
    found = np.empty((draws, len(table)))
    for block in blocks(len(table), draws, 1):
        found[:, block] = _condensed(
            posterior, table.iloc[block], draws, lambda rows, theta: evaluate_dert(model, rows, theta, discount_rate)
        )
    return found


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
    moments, born = (_moments(days, customers) for days in (track, customers.table["first_purchase"]))
    untold = {name: "unknown" if name == "status" else 0.0 for name in model.observes if name not in model.traits}
    table = customers.table.assign(**untold, _born=born)
    cohorts = condense(table, (*model.observes, "_born"), posterior.effects)
    theta = posterior.theta(table.iloc[cohorts.first], draws)
    draws = len(next(iter(theta.values())))
    total = np.zeros((draws, len(moments)))
    for block in blocks(len(cohorts.weights), draws, len(moments)):
        rows = {name: values[None, block] for name, values in cohorts.rows.items()}
        own = {name: value[:, block] if value.shape[1] > 1 else value for name, value in theta.items()}
        ages = (moments - rows["_born"][0][:, None]).clip(0.0)
        expected = evaluate_p_alive(model, rows, own)[..., None] * model.expected_if_alive(rows, own, ages)
        total += (expected * cohorts.weights[block, None]).sum(axis=1)
    return total


def _moments(dates: pd.DatetimeIndex | pd.Series, customers: Customers) -> Array:
    """Time units since 1970; where time counts opportunities, the period counted from the last one observed."""
    days = pd.DatetimeIndex(dates)
    if customers.time == "opportunities":
        place, each = days.factorize()
        periods = [period_of(day, customers.observation_end, customers.time_unit) for day in each]
        return np.array(periods, dtype=float)[place]
    return ((days - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy(dtype=float) / DAYS_PER_UNIT[customers.time_unit]
