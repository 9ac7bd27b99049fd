"""Futures: the purchases of each customer after the origin, one future a draw, in blocks of customers.

Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.customers.table import Customers, Holdout
from clvmodels.draws import Array, Progress, array_store, blocks, in_threads, let_go, totals_html
from clvmodels.futures.expectations import chance_of_any, expected_counts, probability_of
from clvmodels.futures.individuals import among, blocks_of_alike, drawn_alive, present, purchase_model, rows_of
from clvmodels.futures.windows import past_bounds, week_edges, whole_weeks
from clvmodels.inference.effect_problems import check_columns
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.posteriors import allowed_failures
from clvmodels.models import State
from clvmodels.models.counts import Counts
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
    failed_checks
        Sampling checks that the posterior failed, and was allowed to.
    """

    customer_id: np.ndarray
    edges: np.ndarray
    purchases: np.ndarray
    period_purchases: np.ndarray
    expected_purchases: np.ndarray
    p_alive: np.ndarray
    p_any: np.ndarray
    log_prob: np.ndarray | None = None
    failed_checks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        draws, size = self.purchases.shape
        periods = self.period_purchases.shape[1]
        failed = f", FAILED: {', '.join(self.failed_checks)}" if self.failed_checks else ""
        return f"Futures({size:,} customers, {draws:,} draws, {periods:,} periods{failed})"

    def _repr_html_(self) -> str:
        of_the_base = {
            "purchases, realised": self.purchases,
            "purchases, expected": self.expected_purchases,
        }
        # a model that lets nobody leave before a second purchase says nothing of those who bought once
        may_have_left = (self.p_alive < 1.0).any(axis=0)
        if may_have_left.any():
            whose = words.counted(int(may_have_left.sum()), "customer")
            alive = f"alive at the origin, of {whose} who may have left, expected"
            of_the_base[alive] = self.p_alive[:, may_have_left]
        return f"<p><b>{self!r}</b></p>" + totals_html(of_the_base)


def purchase_counts(posterior: Posterior, table: pd.DataFrame, state: State, edges: Array, rng: KeyedRandom) -> Counts:
    """Realised purchases in periods of customers in that state. edges: [P+1] or [C, P+1]"""
    model = purchase_model(posterior)
    return model.draw_counts(rows_of(table, model.observes), posterior.theta(table, rng.draws), state, edges, rng)


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
    allow_failed: Collection[str] = (),
) -> Futures:
    """The purchases of each customer in the `length` time units after the origin.

    Parameters
    ----------
    actual
        What came, for `log_prob`; nothing else reads it.
    folder
        Where the [D, C] arrays are kept; None keeps them in memory.
    allow_failed
        Sampling checks that the posterior may have failed.

    Raises
    ------
    FitError
        The posterior failed another sampling check.
    """
    purchase_model(posterior)  # or refuse
    failed = allowed_failures({"purchases": posterior}, allow_failed)
    table, size = customers.table, len(customers.table)
    check_columns(posterior.effects, table)
    edges = week_edges(length, customers.time_unit, customers.time)
    weeks = whole_weeks(length, customers.time_unit, customers.time)
    draws = len(posterior.stacked(posterior.model.parameters[0].name, draws))
    purchases = array_store(folder, "purchases", (draws, size), "int32")
    expected = array_store(folder, "expected_purchases", (draws, size), "float32")
    p_alive = array_store(folder, "p_alive", (draws, size), "float32")
    by_week, p_any, log_prob = np.zeros((draws, weeks)), np.empty(size), np.empty(size)
    came = None if actual is None else actual.table["purchases"].to_numpy(dtype=float)

    def forecast_of(block: NDArray[np.intp]) -> Array:
        """Fills the columns of some customers; their purchases together, by week. [D, P]"""
        part = table.iloc[block]
        people = present(posterior, part, draws, seed)
        stream = KeyedRandom(seed, "future", list(part.index), draws)
        counts = purchase_counts(posterior, part, people.state, edges, stream)
        purchases[:, block] = counts.total()
        p_alive[:, block] = people.p_alive
        expected[:, block] = expected_counts(posterior, part, people.p_alive, edges[[0, -1]], draws)[..., 0]
        p_any[block] = chance_of_any(posterior, part, people.p_alive, length)
        if came is not None:
            with np.errstate(divide="ignore"):  # minus infinity is refused by the metric, by name
                log_prob[block] = np.log(probability_of(posterior, part, people.p_alive, came[block], length))
        return counts.of_all(weeks)

    done = 0
    of_alike = list(blocks_of_alike(posterior, table, draws))
    for block, of_block in zip(of_alike, in_threads(forecast_of, of_alike), strict=True):
        by_week += of_block
        done += len(block)
        let_go(purchases, expected, p_alive)
        if progress is not None:
            progress(done, size)
    return Futures(
        customer_id=table.index.to_numpy(),
        edges=edges[: weeks + 1],
        purchases=purchases,
        period_purchases=by_week,
        expected_purchases=expected,
        p_alive=p_alive,
        p_any=p_any,
        log_prob=None if actual is None else log_prob,
        failed_checks=failed,
    )


def calibration_weeks(posterior: Posterior, customers: Customers, starts: pd.Series, *, seed: int, draws: int) -> Array:
    """Repeat purchases of the base in weeks of its past, simulated from each customer's first purchase on. [D, P]

    What the model would have expected of new customers: no history is used, only the population's draws. Where time
    counts opportunities `starts` are those of periods.
    """
    model, table = purchase_model(posterior), customers.table
    bounds = past_bounds(customers, starts)
    draws = len(posterior.stacked(posterior.model.parameters[0].name, draws))
    total = np.zeros((draws, len(starts)))
    for block in blocks(len(table), draws, len(starts)):
        part = table.iloc[block]
        labels, theta = list(part.index), posterior.theta(part, draws)
        rows = model.blank(rows_of(part, model.observes))
        if_alive = drawn_alive(model, rows, theta, KeyedRandom(seed, "past state", labels, draws))
        stays = KeyedRandom(seed, "past stays", labels, draws).uniform() < evaluate_p_alive(model, rows, theta)
        stream = KeyedRandom(seed, "past", labels, draws)
        counts = model.draw_counts(rows, theta, among(if_alive, stays), bounds[block], stream)
        total += counts.of_all(len(starts))
    return total
