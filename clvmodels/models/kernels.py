"""Kernels: compiled functions of numbers and of a customer's times, and their loop over all draws and customers.

What Numba makes by `guvectorize` cannot be kept on disk where two processes compile at once: of each function it keeps
two files, and one process's with another's ends the interpreter. `njit` keeps one, whole in itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np

from clvmodels.draws import Array


def kernel(signature: str) -> Callable[[Callable], Callable]:
    """Compiles a function when it is defined, for these types alone; kept on disk, and without Python's lock. Division
    by 0 is NumPy's."""
    return numba.njit(signature, cache=True, nogil=True, error_model="numpy")


ALIKE = 1e-12
"""By how much of itself a step may differ from the one before and still count as of the same length: rounding."""


@kernel("void(float64, float64[::1], float64[::1])")
def time_at_hazard(hazard, t, out):  # pragma: no cover - compiled
    """Integrals over (0, t) of e^(-hazard u), t increasing: (1 - e^(-hazard t)) / hazard, and t where it is 0.

    From each time to the next, so that steps of one length cost one exponential.
    """
    lasting, passed, start, step, in_step = 1.0, 0.0, 0.0, 0.0, 0.0
    for p in range(t.size):
        length = t[p] - start
        if abs(length - step) > ALIKE * step:
            step = length
            in_step = step if hazard == 0.0 else -math.expm1(-hazard * step) / hazard
        passed += lasting * in_step
        lasting *= 1.0 - hazard * in_step
        start = t[p]
        out[p] = passed


@kernel("void(float64[::1], float64[:, ::1], float64[:, ::1])")
def times_at_hazards(hazard, t, out):  # pragma: no cover - compiled
    """`time_at_hazard` of every row."""
    for i in range(len(out)):
        time_at_hazard(hazard[i], t[i], out[i])


def over_times(loop: Callable[..., None], *numbers: Array | float, t: Array) -> Array:
    """What a compiled loop(*numbers, t, out) makes of numbers [D, C] and times [P], or [D, C, P]. [D, C, P]

    The loop gets each number as [N], t and out as [N, P], and fills out; N counts draws times customers.
    """
    t = np.asarray(t, dtype=float)
    shape = np.broadcast_shapes(*(np.shape(number) for number in numbers), t.shape[:-1])
    out = np.empty((*shape, t.shape[-1]))
    size = math.prod(shape)
    # copies, contiguous and of floats: what the loop was compiled for
    flat_numbers = [
        np.array(np.broadcast_to(number, shape), dtype=float, order="C").reshape(size) for number in numbers
    ]
    flat_t = np.array(np.broadcast_to(t, out.shape), order="C").reshape(size, t.shape[-1])
    loop(*flat_numbers, flat_t, out.reshape(flat_t.shape))
    return out
