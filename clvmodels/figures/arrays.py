"""Sums and quantiles over arrays [draw, customer_id] that may be larger than memory: worked in blocks of draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clvmodels.draws import Array

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
NAMES = ("q5", "q25", "q50", "q75", "q95")
_BLOCK = 4_000_000


def draw_blocks(draws: int, customers: int) -> Iterator[slice]:
    """Slices over draws, each of at most a few million cells."""
    size = max(1, _BLOCK // max(1, customers))
    return (slice(start, min(start + size, draws)) for start in range(0, draws, size))


def total(values: NDArray) -> Array:
    """Sum over customers in each draw. [D]"""
    blocks = draw_blocks(*values.shape)
    return np.concatenate([np.asarray(values[block]).sum(axis=1, dtype=float) for block in blocks])


def mean_by_customer(values: NDArray) -> Array:
    """Mean over draws of each customer. [C]"""
    blocks = draw_blocks(*values.shape)
    return sum(np.asarray(values[block]).sum(axis=0, dtype=float) for block in blocks) / values.shape[0]


def group_means(values: NDArray, codes: NDArray[np.intp], groups: int) -> Array:
    """Mean over the customers of each group in each draw; `codes` [C] in 0..groups-1. [D, groups]"""
    sizes = np.bincount(codes, minlength=groups)
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums = [
        np.add.reduceat(np.asarray(values[block], dtype=float)[:, order], starts, axis=1)
        for block in draw_blocks(*values.shape)
    ]
    return np.concatenate(sums) / sizes


def quantiles(draws: Array) -> dict[str, float]:
    """The five quantiles of one number's draws, by column name."""
    return dict(zip(NAMES, (float(q) for q in np.quantile(draws, LEVELS)), strict=True))


def inside_count(draws: Array, actual: Array) -> dict[str, float]:
    """How many of several numbers lie inside their 90% intervals, and how many a sound model would hold.

    Weeks, and groups, share rates: they are not independent. What is expected, and the limit (the 1% quantile),
    are those of the count in the model's own draws. draws: [D, N], actual: [N].
    """
    low, high = np.quantile(draws, (0.05, 0.95), axis=0)
    own = ((draws >= low) & (draws <= high)).sum(axis=1)
    found = int(((actual >= low) & (actual <= high)).sum())
    return {
        "actual": found,
        "expected": float(own.mean()),
        "lower_limit": float(np.quantile(own, 0.01, method="lower")),
        "of": draws.shape[1],
    }
