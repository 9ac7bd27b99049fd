"""One vocabulary of arrays: what they are made of, which quantiles tell of them, how much is worked on at once,
where they are kept, how they are told.

Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
QUANTILES = {"q5": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
"""The quantiles that tell of draws, by their names in every table: the ends of the 90% and of the 50% interval, and the
median."""
LEVELS = np.array(list(QUANTILES.values()))
BLOCK_ELEMENTS = 2**18
"""Numbers of one array of a block, 2 MiB as float64: a few dozen such arrays are alive at once on each core, most of
them in its cache."""
Progress = Callable[[int, int], None]
"""Called with how many customers are done, and of how many."""


def quantiles(draws: NDArray) -> dict[str, float]:
    """The five quantiles of one number's draws, by name. [D]"""
    found = np.quantile(draws, LEVELS)
    return dict(zip(QUANTILES, map(float, found), strict=True))


def slices(size: int, width: int) -> Iterator[slice]:
    """Consecutive slices of at most `width`, which together cover `size`."""
    width = max(1, width)
    return (slice(start, min(start + width, size)) for start in range(0, size, width))


def in_threads[T, S](work: Callable[[T], S], tasks: Iterable[T]) -> Iterator[S]:
    """What `work` makes of each task, in their order: on all cores, only a few tasks ahead of what is taken."""
    waiting: deque[Future[S]] = deque()
    remaining = iter(tasks)
    with ThreadPoolExecutor(cores()) as pool:
        for task in islice(remaining, cores() + 1):
            waiting.append(pool.submit(work, task))
        while waiting:
            result = waiting.popleft().result()
            for task in islice(remaining, 1):
                waiting.append(pool.submit(work, task))
            yield result


def cores() -> int:
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def blocks(size: int, draws: int, periods: int) -> Iterator[slice]:
    """Slices of customers whose [D, C, P] arrays stay within BLOCK_ELEMENTS."""
    return slices(size, BLOCK_ELEMENTS // (draws * max(periods, 1)))


def draw_blocks(draws: int, customers: int) -> Iterator[slice]:
    """Slices of draws whose [D, C] arrays stay within BLOCK_ELEMENTS: of memory maps larger than memory."""
    return slices(draws, BLOCK_ELEMENTS // max(1, customers))


def total(values: NDArray) -> Array:
    """Sum over customers within each draw. [D, C] -> [D]"""
    sums = [np.asarray(values[block]).sum(axis=1, dtype=float) for block in draw_blocks(*values.shape)]
    return np.concatenate(sums)


def mean_by_customer(values: NDArray) -> Array:
    """Mean over draws of each customer. [D, C] -> [C]"""
    sums = (np.asarray(values[block]).sum(axis=0, dtype=float) for block in draw_blocks(*values.shape))
    return sum(sums) / values.shape[0]


def group_means(values: NDArray, codes: NDArray[np.intp], groups: int) -> Array:
    """Mean over the customers of each group within each draw. [D, C] -> [D, groups]

    Parameters
    ----------
    values
        [D, C]
    codes
        The group of each customer, 0..groups-1; none is empty. [C]
    """
    sizes = np.bincount(codes, minlength=groups)
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums = []
    for block in draw_blocks(*values.shape):
        by_group = np.asarray(values[block], dtype=float)[:, order]
        sums.append(np.add.reduceat(by_group, starts, axis=1))
    return np.concatenate(sums) / sizes


def totals_html(of_the_base: Mapping[str, np.ndarray]) -> str:
    """A small table for notebooks: 5, 50 and 95% of sums over customers, made within each draw. [D, C] each"""
    totals = {name: values.sum(axis=1, dtype=float) for name, values in of_the_base.items()}
    rows = {name: np.quantile(draws, [0.05, 0.5, 0.95]) for name, draws in totals.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["5%", "50%", "95%"])
    return "<p>All customers together:</p>" + table.to_html(float_format=_few_digits, border=0)


def _few_digits(total: float) -> str:
    return f"{total:,.0f}" if abs(total) >= 1000 else f"{total:.4g}"


def array_store(folder: Path | None, name: str, shape: tuple[int, int], dtype: str) -> np.ndarray:
    """An array in memory, or in a file of that folder where there is one: memory stays bounded."""
    if folder is None:
        return np.empty(shape, dtype=dtype)
    folder.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)


def let_go(*stores: np.ndarray) -> None:
    """Give back the memory of what was written to the files of `array_store`: the files keep it, and it comes back when
    it is read. Of an array in memory nothing is given back."""
    for store in stores:
        if isinstance(store, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
            store._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
