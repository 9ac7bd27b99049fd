"""The time ahead of customers who end by the clock: how much of it they stay, as a calendar counts it.

E[operational time of (T, T + min(residual lifetime, t))] is an integral of a survival, taken from each of the times and
of the calendar's jumps to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.models.parameters import Rows, Theta
from clvmodels.models.parts.contract import Memoryless, OnCalendar, gauss_legendre, widened

NODES_OF_TIME = 32
"""Of the expected time left, from each of the times and jumps to the next."""


class Stay(NamedTuple):
    """How long a customer who is alive at T stays: E[min(residual lifetime, t)], and P(lasts for tau). Functions of
    times, [D, C, P] as they are"""

    time: Callable[[Array], Array]
    survival: Callable[[Array], Array]


def expected_operational_time(
    stay: Stay, purchases: OnCalendar[Memoryless], rows: Rows[Array], theta: Theta[Array], t: Array
) -> Array:
    """E[operational time of (T, T + min(residual lifetime, t)) | alive at T]. [D, C, P]

    The integral over u in (0, t) of m(T + u) P(lasts for u), m the calendar's factor, added up by parts between the
    times and the jumps of m; `t` increases along its last dimension. From `Stay.time` where m is constant between
    jumps, otherwise by nodes.
    """
    calendar = purchases.calendar
    end, place = between_jumps(purchases, rows, t)
    start = np.concatenate([np.zeros_like(end[..., :1]), end[..., :-1]], axis=-1)
    wide_rows, wide_theta = widened(rows), widened(theta)
    if calendar.steady:
        pace = calendar.pace(wide_rows, wide_rows["T"] + (start + end) / 2.0, wide_theta)
        steps = pace * np.diff(stay.time(end), axis=-1, prepend=0.0)
    else:
        number = calendar.nodes(NODES_OF_TIME)
        paced = lambda tau: calendar.pace(wide_rows, wide_rows["T"] + tau, wide_theta) * stay.survival(tau)  # noqa: E731
        steps = _integrals(paced, start, end, number)
    total = np.cumsum(steps, axis=-1)
    return total if place is None else _at(total, place)


def time_until(t: Array, survival: Callable[[Array], Array]) -> Array:
    """Integrals over (0, t) of a survival, t increasing. [D, C, P]"""
    start = np.concatenate([np.zeros_like(t[..., :1]), t[..., :-1]], axis=-1)
    return np.cumsum(_integrals(survival, start, t, NODES_OF_TIME), axis=-1)


def _integrals(function: Callable[[Array], Array], start: Array, end: Array, number: int) -> Array:
    """Integral over u from each start to its end of a function that falls as a survival does, by so many nodes.
    [D, C, P]

    In the first part, which starts at 0, nodes are bunched towards it, where a survival may fall with infinite slope
    (T = 0).
    """
    bunched = np.where(start == 0.0, 4.0, 1.0)
    total: Array = np.zeros(())
    for node, weight in zip(*gauss_legendre(number), strict=True):
        u = start + (end - start) * node**bunched
        slope = weight * (end - start) * bunched * node ** (bunched - 1.0)
        total = total + slope * function(u)
    return total


def between_jumps(
    purchases: OnCalendar[Memoryless], rows: Rows[Array], t: Array
) -> tuple[Array, NDArray[np.intp] | None]:
    """The times and the jumps of the calendar's factor before the last of them, in order; and where the times
    stand among them, None where there is no jump. 2 x [..., P + jumps]"""
    jumps = purchases.calendar.jumps(rows)
    ahead = (jumps > 0.0) & (jumps < np.max(t, initial=0.0))
    of_anybody = ahead.any(axis=tuple(range(jumps.ndim - 1)))
    jumps = jumps[..., of_anybody]
    if not jumps.shape[-1]:
        return t, None
    around = np.broadcast_shapes(t.shape[:-1], jumps.shape[:-1])
    times = np.broadcast_to(t, (*around, t.shape[-1]))
    # jumps that are behind a customer or beyond its last time become parts of length 0
    jumps = np.broadcast_to(jumps.clip(0.0), (*around, jumps.shape[-1]))
    times_and_jumps = np.concatenate([times, np.minimum(jumps, times[..., -1:])], axis=-1)
    order = np.argsort(times_and_jumps, axis=-1, kind="stable")
    place = np.argsort(order, axis=-1, kind="stable")[..., : t.shape[-1]]
    return _at(times_and_jumps, order), place


def _at(values: Array, place: NDArray[np.intp]) -> Array:
    """The values at these places of the last dimension."""
    return np.take_along_axis(values, np.broadcast_to(place, (*values.shape[:-1], place.shape[-1])), axis=-1)
