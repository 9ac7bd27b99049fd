"""Kernels over many rows and draws: in blocks, so that memory is bounded, on all cores, with the same result on any.

Shapes: R = rows, O = statistics of a row, K = parameters, D = draws, M = R or 1 (all rows share the parameters).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numba
import numpy as np

from clvmodels.draws import Array, cores, slices

ROWS_AT_ONCE = 2048
"""A third of a millisecond of Pareto/NBD's: what handing a block to a thread costs is a tenth of that. Sums over rows
are added by block, so that this number is part of the result's last digit, and the number of threads is not."""
NUMBERS_AT_ONCE = 2**17
"""Of a block of draws and rows: 1 MiB, which stays in a core's cache."""
LOG_PROB, P_ALIVE, LEADING = 0, 1, 2
"""Places of a row: log density, P(alive), and how many those are before the derivatives."""


class Kernel(NamedTuple):
    """A model's log density as a compiled loop (`histories`), and the numbers that tell its variant."""

    loop: Any
    variant: tuple[int, ...] = ()

    def each(self, rows: Array, theta: Array, derivatives: bool = False) -> Array:
        """Log density, P(alive) and, if asked for, the derivatives by the parameters, of every draw and row.

        rows [R, O], theta [D, M, K], both contiguous; result [D, R, 2] or [D, R, 2 + K]
        """
        places = LEADING + (theta.shape[2] if derivatives else 0)
        out = np.empty((len(theta), len(rows), places))
        self.loop(rows, theta, self.variant, out)
        return out

    def totals(self, rows: Array, weights: Array, theta: Array) -> Array:
        """The weighted sum over rows of the log density, of each draw. theta [D, K], shared by all rows; result [D]"""
        row_blocks = list(slices(len(rows), ROWS_AT_ONCE))
        draws_at_once = NUMBERS_AT_ONCE // (LEADING * min(len(rows), ROWS_AT_ONCE))
        draw_blocks = list(slices(len(theta), draws_at_once))
        partial = np.empty((len(row_blocks), len(theta)))

        def add_up(block: tuple[slice, tuple[int, slice]]) -> None:
            of_draws, (place, of_rows) = block
            each = self.each(rows[of_rows], theta[of_draws, None])
            partial[place, of_draws] = _weighted(each, weights[of_rows])[:, 0]

        in_threads(add_up, list(product(draw_blocks, enumerate(row_blocks))))
        return partial.sum(axis=0)

    def total_with_slopes(self, rows: Array, weights: Array, theta: Array) -> tuple[float, Array]:
        """The weighted sum over rows of the log density, and its derivatives. theta [K]; result a number, [K]"""

        def add_up(of_rows: slice) -> Array:
            each = self.each(rows[of_rows], theta[None, None], derivatives=True)
            return _weighted(each, weights[of_rows])[0]

        sums = np.sum(in_threads(add_up, list(slices(len(rows), ROWS_AT_ONCE))), axis=0)
        return float(sums[0]), sums[1:]

    def over_draws(self, rows: Mapping[str, Array], theta: Mapping[str, Array], place: int) -> Array:
        """The log density (LOG_PROB) or P(alive) (P_ALIVE) of rows and theta that broadcast to [D, C]. [D, C]"""
        statistics = [np.atleast_2d(np.asarray(values, dtype=float)) for values in rows.values()]
        parameters = [np.atleast_2d(np.asarray(values, dtype=float)) for values in theta.values()]
        shape = np.broadcast_shapes(*(values.shape for values in (*statistics, *parameters)))
        result = np.empty(shape)
        if max(len(values) for values in statistics) > 1:  # another history in each draw: every cell is a row
            cells = _side_by_side(statistics, shape).reshape(-1, len(statistics))
            of_cells = _side_by_side(parameters, shape).reshape(1, -1, len(parameters))
            self._fill(cells, of_cells, place, result.reshape(1, -1))
            return result
        shared = max(values.shape[1] for values in parameters) == 1
        of_draws = _side_by_side(parameters, (shape[0], 1 if shared else shape[1]))
        self._fill(_side_by_side(statistics, (1, shape[1]))[0], of_draws, place, result)
        return result

    def _fill(self, rows: Array, theta: Array, place: int, result: Array) -> None:
        """result [D, R] from rows [R, O] and theta [D, M, K]."""
        # rows of equal x one after the other, whose log gammas are the same
        order = np.argsort(rows[:, 0], kind="stable")
        row_blocks = [order[block] for block in slices(len(rows), ROWS_AT_ONCE)]
        draws_at_once = NUMBERS_AT_ONCE // (LEADING * max(1, min(len(rows), ROWS_AT_ONCE)))

        def evaluate(block: tuple[slice, np.ndarray]) -> None:
            of_draws, of_rows = block
            own = theta[of_draws] if theta.shape[1] == 1 else theta[of_draws][:, of_rows]
            each = self.each(rows[of_rows], np.ascontiguousarray(own))
            result[of_draws, of_rows] = each[..., place]

        in_threads(evaluate, list(product(slices(len(theta), draws_at_once), row_blocks)))


def _side_by_side(arrays: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """Arrays as the last dimension of one, contiguous and writable, as the loops are compiled for. [*shape, arrays]"""
    together = np.empty((*shape, len(arrays)))
    for place, values in enumerate(arrays):
        together[..., place] = values
    return together


def as_rows(statistics: Sequence[Array]) -> Array:
    """Statistics [R] each as the rows of a kernel. [R, O]"""
    return _side_by_side(statistics, np.shape(statistics[0]))


@numba.njit(cache=True, nogil=True)
def _weighted(each, weights):  # pragma: no cover - compiled
    """Weighted sums over rows of the log density and of what follows P(alive), row by row. [D, 1 or 1 + K]"""
    draws, rows, places = each.shape
    sums = np.zeros((draws, places - 1))
    for d in range(draws):
        for i in range(rows):
            sums[d, 0] += weights[i] * each[d, i, 0]
            for place in range(2, places):
                sums[d, place - 1] += weights[i] * each[d, i, place]
    return sums


# Threads --------------------------------------------------------------------------------------------------------


def in_threads[T, S](work: Callable[[T], S], tasks: Sequence[T]) -> list[S]:
    """What `work` makes of each task, in their order; on all cores, where there is more than one of both.

    A pool that stays (`draws.in_threads` makes one anew): tasks are of a third of a millisecond here, and a search asks
    a thousand times. A thread that works beside others already does all of its tasks itself. Threads and not Numba's
    own loops in parallel, whose layers of threads end a process that forks, or that calls them from two threads at
    once.
    """
    beside_others = threading.current_thread() is not threading.main_thread()
    if len(tasks) == 1 or cores() == 1 or beside_others:
        return [work(task) for task in tasks]
    return list(_pool(os.getpid()).map(work, tasks))


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """One a process: a forked one has none of its parent's threads."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="densities")
