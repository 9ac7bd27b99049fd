"""Ratios of beta functions, to the last digits where differences of log gammas lose them: what discrete models are
made of. One compiled function of three numbers, for NumPy's arrays and, as an operation with its own gradient, for
PyTensor's graphs, which it keeps small.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key
from pytensor.scalar.basic import ScalarOp, lt, switch, upgrade_to_float
from pytensor.scalar.math import tri_gamma
from pytensor.tensor.elemwise import Elemwise

from clvmodels.models.kernels import kernel
from clvmodels.models.parameters import Value

SHIFT = 8
"""Steps of the recurrence: beyond 8 Stirling's series, to z^-11, is right to 1e-12."""
SLOPE_BELOW = 1e-3
"""An a so small that a difference over it loses more digits than its slope at the middle, whose error is a^2."""


def log_beta_ratio(a: Value, z: Value, h: Value, xp: ModuleType = np) -> Value:
    """log B(a, z + h) / B(a, z) = log of Gamma(z + a) Gamma(z + h) / (Gamma(z) Gamma(z + a + h)).

    With theta ~ Beta(a, z) it is log E[(1 - theta)^h]: below 0 for a > 0, h > 0, symmetric in the two, and 0 where one
    of them is. `xp` is NumPy or PyTensor's tensor; z > 0, h >= 0, a > -z.

    By the recurrence to z + 8, every step log1p of a positive number, then by Stirling's series, whose terms are
    joined so that none is a difference of large ones: the relative error stays near 1e-14, the gradient's too.
    Abramowitz & Stegun (1964), Handbook of Mathematical Functions, eq. 6.1.40 and 6.3.18.
    """
    return _of_arrays(a, z, h) if xp is np else _OF_GRAPHS(a, z, h)


@kernel("float64(float64)")
def _stirling(z):
    """What Stirling's series adds to (z - 1/2) log z - z + log(2 pi) / 2 + 1 / (12 z)."""
    square = 1.0 / (z * z)
    series = -1 / 360 + square * (1 / 1260 + square * (-1 / 1680 + square * (1 / 1188 - square * (691 / 360360))))
    return square / z * series


@kernel("float64(float64)")
def _digamma_series(u):
    """What the series of digamma adds to log u - 1 / (2 u) - 1 / (12 u^2)."""
    square = 1.0 / (u * u)
    return square * square * (1 / 120 + square * (-1 / 252 + square * (1 / 240 - square * (1 / 132))))


@kernel("float64(float64, float64)")
def _digamma_difference(u, v):
    """digamma(u + v) - digamma(u), as exact."""
    recurrence = 0.0
    for step in range(SHIFT):
        recurrence += v / (u + step) / (u + step + v)
    u = u + SHIFT
    w = u + v
    ratio = v / u / w  # 1 / u - 1 / w
    series = _digamma_series(w) - _digamma_series(u)
    return recurrence + np.log1p(v / u) + ratio / 2.0 + ratio * (1.0 / u + 1.0 / w) / 12.0 + series


@kernel("float64(float64, float64, float64)")
def _second_difference(z, a, h):
    """What is left of Stirling's series at z + a and z + h, less at z and z + a + h; by its slope if one is small."""
    if abs(a) > abs(h):
        a, h = h, a
    if abs(a) < SLOPE_BELOW:
        return a * (_digamma_series(z + a / 2.0) - _digamma_series(z + h + a / 2.0))
    return (_stirling(z + a) - _stirling(z)) - (_stirling(z + a + h) - _stirling(z + h))


@kernel("float64(float64, float64, float64)")
def _log_beta_ratio(a, z, h):
    recurrence = 0.0
    for step in range(SHIFT):
        recurrence += np.log1p((a / (z + step)) * (h / (z + step + a + h)))
    z = z + SHIFT
    s = z + a + h
    # (z - 1/2) log z - z of the four gamma functions, as logs of what is near 1
    of_z = (z - 0.5) * np.log1p((a / z) * (h / s))
    of_h = h * np.log1p(a / (z + h))
    of_a = a * np.log1p(h / (z + a))
    main = of_z - of_h - of_a
    # 1 / (12 z) of the four
    middle = (2.0 * z + a + h) / (z * s)
    first = -(a / (z + a)) * (h / (z + h)) * middle / 12.0
    return main + first + _second_difference(z, a, h) - recurrence


@numba.vectorize(["float64(float64, float64, float64)"], cache=True)
def _of_arrays(a, z, h):
    """`_log_beta_ratio` of arrays that broadcast."""
    return _log_beta_ratio(a, z, h)


class LogBetaRatio(ScalarOp):
    """`log_beta_ratio` in a graph."""

    nin, compiled = 3, _log_beta_ratio

    def impl(self, a, z, h):
        return _log_beta_ratio(float(a), float(z), float(h))

    def pullback(self, inputs, outputs, cotangents):
        (a, z, h), (up,) = inputs, cotangents
        # symmetric in a and h: the difference over the smaller one keeps more digits
        smaller = switch(lt(a, h), a, h)
        larger = switch(lt(a, h), h, a)
        by_z = digamma_difference(z, smaller) - digamma_difference(z + larger, smaller)
        # by a and by h it falls
        fall_by_a = digamma_difference(z + a, h)
        fall_by_h = digamma_difference(z + h, a)
        return [-up * fall_by_a, up * by_z, -up * fall_by_h]


class DigammaDifference(ScalarOp):
    """digamma(u + v) - digamma(u) in a graph."""

    nin, compiled = 2, _digamma_difference

    def impl(self, u, v):
        return _digamma_difference(float(u), float(v))

    def pullback(self, inputs, outputs, cotangents):
        (u, v), (up,) = inputs, cotangents
        return [up * (tri_gamma(u + v) - tri_gamma(u)), up * tri_gamma(u + v)]


def _funcify(op, node, **_):
    function = op.compiled

    if op.nin == 3:

        @numba_njit
        def call(a, z, h):
            return function(a, z, h)
    else:

        @numba_njit
        def call(u, v):
            return function(u, v)

    # PyTensor keeps the compiled code on disk, where it refers to this module by name: the key has to change with it.
    name = f"{__name__}.{type(op).__name__}"
    return call, hashlib.sha256(name.encode() + Path(__file__).read_bytes()).hexdigest()


for _op in (LogBetaRatio, DigammaDifference):
    register_funcify_and_cache_key(_op)(_funcify)
digamma_difference = DigammaDifference(upgrade_to_float, name="digamma_difference")
_OF_GRAPHS = Elemwise(LogBetaRatio(upgrade_to_float, name="log_beta_ratio"))
