"""Random numbers of many streams, compiled: whoever draws for a million customers draws here.

A stream is xoshiro256++ (Blackman & Vigna 2021, Scrambled Linear Pseudorandom Number Generators, ACM TOMS 47(4)): four
words of 64 bits, a row of `streams`. Each law is written twice: of one number, for compiled code of other modules
(`gamma(streams, c, shape)`), and of an array (`gammas`), where column j is drawn from stream columns[j], row after row.
An array's function says whether its parameters could be meant; where they could not, nothing is to be read from `out`.

A stream's numbers depend on its words and on the calls before, on nothing else: not on other streams, nor on threads,
of which several may draw at once where they share no stream. Shapes: S = stream, M and N of what is drawn.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types

from clvmodels.draws import Array

STREAMS = types.Array(types.uint64, 2, "C")
"""[S, 4]"""
COLUMNS = types.Array(types.int64, 1, "C", readonly=True)
"""The stream of each column. [N]"""
GIVEN = types.Array(types.float64, 2, "A", readonly=True)
"""Parameters, [M, N], of any strides: what is broadcast is not copied."""
OUT = types.Array(types.float64, 2, "C")
"""[M, N]"""

scalar = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
"""Compiles a function of single numbers into those that call it: a call by Numba costs as much as a number. Division by
0 is NumPy's."""


def loop(*parameters: types.Type, returns: types.Type = types.boolean):
    """Compiles a function of arrays when it is defined, for these types alone; kept on disk, without Python's lock."""
    signature = returns(*parameters)
    return numba.njit(signature, cache=True, nogil=True, error_model="numpy")


def drawing(parameters: int):
    """Compiles a loop (streams, columns, parameters, out) -> whether the parameters can be meant."""
    return loop(STREAMS, COLUMNS, *([GIVEN] * parameters), OUT)


# One number ------------------------------------------------------------------------------------------------------

WORD = np.uint64
LAYERS = 256


def _layers() -> tuple[Array, Array]:
    """Bounds of 256 layers of equal area under exp(-x^2 / 2), x > 0, and its values there. [257] each

    Marsaglia & Tsang (2000), The Ziggurat Method for Generating Random Variables, Journal of Statistical Software 5(8).
    The lowest layer has the tail beyond x[1]; x[0] is the width of a box of its area.
    """
    last = 3.6541528853610088
    density = lambda x: math.exp(-(x**2) / 2)  # noqa: E731
    area = last * density(last) + math.sqrt(math.pi / 2) * math.erfc(last / math.sqrt(2))
    bounds = [area / density(last), last]
    while len(bounds) < LAYERS:
        bounds.append(math.sqrt(-2 * math.log(density(bounds[-1]) + area / bounds[-1])))
    x = np.array([*bounds, 0.0])
    return x, np.exp(-(x**2) / 2)


BOUND, DENSITY = _layers()


@scalar
def _rotated(word, by):  # pragma: no cover - compiled
    return (word << WORD(by)) | (word >> WORD(64 - by))


@scalar
def word(streams, c):  # pragma: no cover - compiled
    """The next 64 bits of stream c."""
    a, b, x, y = streams[c, 0], streams[c, 1], streams[c, 2], streams[c, 3]
    bits = _rotated(a + y, 23) + a
    shifted = b << WORD(17)
    x ^= a
    y ^= b
    b ^= x
    a ^= y
    x ^= shifted
    streams[c, 0], streams[c, 1], streams[c, 2], streams[c, 3] = a, b, x, _rotated(y, 45)
    return bits


@scalar
def uniform(streams, c):  # pragma: no cover - compiled
    """On [0, 1): 53 bits."""
    return np.float64(word(streams, c) >> WORD(11)) * 2.0**-53


@scalar
def exponential(streams, c):  # pragma: no cover - compiled
    """By the inverse of its distribution function."""
    return -math.log(1.0 - uniform(streams, c))  # the difference is exact


@scalar
def normal(streams, c):  # pragma: no cover - compiled
    """By the ziggurat of `_layers`: the lowest 8 bits choose the layer, the highest 53 the place in it."""
    while True:
        bits = word(streams, c)
        layer = np.int64(bits & WORD(LAYERS - 1))
        share = np.float64(bits >> WORD(11)) * 2.0**-52 - 1.0
        x = share * BOUND[layer]
        if abs(x) < BOUND[layer + 1]:
            return x
        if layer == 0:
            return math.copysign(_tail(streams, c), share)
        low, high = DENSITY[layer], DENSITY[layer + 1]
        if low + uniform(streams, c) * (high - low) < math.exp(-x * x / 2):
            return x


@scalar
def _tail(streams, c):  # pragma: no cover - compiled
    """A normal number beyond the lowest layer's box: Marsaglia (1964), Technometrics 6(1)."""
    while True:
        beyond = exponential(streams, c) / BOUND[1]
        if 2.0 * exponential(streams, c) > beyond * beyond:
            return BOUND[1] + beyond


@scalar
def _gamma_from_1(streams, c, shape):  # pragma: no cover - compiled
    """Marsaglia & Tsang (2000), A Simple Method for Generating Gamma Variables, ACM TOMS 26(3); shape >= 1."""
    d = shape - 1.0 / 3.0
    width = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(streams, c)
        root = 1.0 + width * x
        if root <= 0.0:
            continue
        v = root * root * root
        u = uniform(streams, c)
        if u < 1.0 - 0.0331 * x**4:
            return d * v
        if math.log(u) < x * x / 2.0 + d * (1.0 - v + math.log(v)):
            return d * v


@scalar
def gamma(streams, c, shape):  # pragma: no cover - compiled
    """Of scale 1; 0 for shape 0. Below 1 it is Gamma(shape + 1) U^(1 / shape)."""
    if shape >= 1.0:
        return _gamma_from_1(streams, c, shape)
    if shape == 0.0:
        return 0.0
    return _gamma_from_1(streams, c, shape + 1.0) * math.exp(-exponential(streams, c) / shape)


@scalar
def beta(streams, c, a, b):  # pragma: no cover - compiled
    """X / (X + Y), X and Y gamma; by their logs where both may underflow."""
    if a >= 1.0 or b >= 1.0:
        x, y = gamma(streams, c, a), gamma(streams, c, b)
        return x / (x + y)
    log_x = math.log(_gamma_from_1(streams, c, a + 1.0)) - exponential(streams, c) / a
    log_y = math.log(_gamma_from_1(streams, c, b + 1.0)) - exponential(streams, c) / b
    return 1.0 / (1.0 + math.exp(log_y - log_x))


FEW = 10.0
"""A mean below which counts are drawn by adding up their probabilities."""
MOST_OF_FEW = 200.0
"""Beyond it there is no digit of the probability of a count whose mean is below 10."""


@scalar
def poisson(streams, c, mean):  # pragma: no cover - compiled
    """By inversion, or by Hoermann's transformed rejection with squeeze (PTRS): The Transformed Rejection Method for
    Generating Poisson Random Variables, Insurance: Mathematics and Economics 12 (1993)."""
    if mean < FEW:
        n, p = 0.0, math.exp(-mean)
        goal = uniform(streams, c)
        while goal >= p and n < MOST_OF_FEW:
            goal -= p
            n += 1.0
            p *= mean / n
        return n
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = uniform(streams, c) - 0.5
        v = 1.0 - uniform(streams, c)  # its log is finite
        inside = 0.5 - abs(u)
        n = math.floor((2.0 * a / inside + b) * u + mean + 0.43)
        if inside >= 0.07 and v <= squeeze:
            return n
        if n < 0.0 or (inside < 0.013 and v > inside):
            continue
        if math.log(v * inverse_alpha / (a / (inside * inside) + b)) <= _log_poisson(n, mean):
            return n


@scalar
def _log_poisson(n, mean):  # pragma: no cover - compiled
    """log P(n); by Stirling's formula where large terms would cancel."""
    if n < FEW:
        return n * math.log(mean) - mean - math.lgamma(n + 1.0)
    off = (mean - n) / n
    series = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / (n * n)) / (n * n)) / n
    return -n * (off - math.log1p(off)) - series - math.log(2.0 * math.pi * n) / 2.0


@scalar
def binomial(streams, c, n, p):  # pragma: no cover - compiled
    """By inversion, or by transformed rejection (BTRS): Hoermann (1993), The Generation of Binomial Random Variates,
    Journal of Statistical Computation and Simulation 46."""
    q = min(p, 1.0 - p)
    k = _binomial_of_rarer(streams, c, n, q) if q > 0.0 else 0.0
    return k if p <= 0.5 else n - k


@scalar
def _binomial_of_rarer(streams, c, n, p):  # pragma: no cover - compiled
    odds = p / (1.0 - p)
    if n * p < FEW:
        k, p_k = 0.0, math.exp(n * math.log1p(-p))
        goal = uniform(streams, c)
        while goal >= p_k and k < n:
            goal -= p_k
            k += 1.0
            p_k *= (n - k + 1.0) / k * odds
        return k
    spread = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha = (2.83 + 5.1 / b) * spread
    squeeze = 0.92 - 4.2 / b
    mode = math.floor((n + 1.0) * p)
    log_ways = math.lgamma(mode + 1.0) + math.lgamma(n - mode + 1.0)
    while True:
        u = uniform(streams, c) - 0.5
        v = 1.0 - uniform(streams, c)  # its log is finite
        inside = 0.5 - abs(u)
        k = math.floor((2.0 * a / inside + b) * u + n * p + 0.5)
        if inside >= 0.07 and v <= squeeze:
            return k
        if k < 0.0 or k > n:
            continue
        log_v = math.log(v * alpha / (a / (inside * inside) + b))
        log_p = log_ways - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0) + (k - mode) * math.log(odds)
        if log_v <= log_p:
            return k


# Arrays ----------------------------------------------------------------------------------------------------------


@drawing(0)
def uniforms(streams, columns, out):  # pragma: no cover - compiled
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = uniform(streams, columns[j])
    return True


@drawing(0)
def normals(streams, columns, out):  # pragma: no cover - compiled
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = normal(streams, columns[j])
    return True


@drawing(0)
def exponentials(streams, columns, out):  # pragma: no cover - compiled
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = exponential(streams, columns[j])
    return True


@drawing(1)
def gammas(streams, columns, shape, out):  # pragma: no cover - compiled
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            if not 0.0 <= shape[i, j] < np.inf:
                return False
            out[i, j] = gamma(streams, columns[j], shape[i, j])
    return True


@drawing(2)
def betas(streams, columns, a, b, out):  # pragma: no cover - compiled
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            if not (0.0 < a[i, j] < np.inf and 0.0 < b[i, j] < np.inf):
                return False
            out[i, j] = beta(streams, columns[j], a[i, j], b[i, j])
    return True


MOST_COUNTED = 1e18
"""A mean beyond which a count is none any more: the next number but one is no double."""


@drawing(1)
def poissons(streams, columns, mean, out):  # pragma: no cover - compiled
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            if not 0.0 <= mean[i, j] <= MOST_COUNTED:
                return False
            out[i, j] = poisson(streams, columns[j], mean[i, j])
    return True


@drawing(2)
def binomials(streams, columns, n, p, out):  # pragma: no cover - compiled
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            if not (0.0 <= n[i, j] <= MOST_COUNTED and 0.0 <= p[i, j] <= 1.0):
                return False
            out[i, j] = binomial(streams, columns[j], n[i, j], p[i, j])
    return True
