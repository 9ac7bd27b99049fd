"""One vocabulary of arrays: what they are made of, how many customers are worked on at once, where they are kept, how
they are told.

Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLOCK_BYTES = 2**26
"""Size of one [D, C, P] array of a block: a handful of them are alive at once."""
Progress = Callable[[int, int], None]
"""Called with how many customers are done, and of how many."""


def totals_html(of_the_base: Mapping[str, np.ndarray]) -> str:
    """A small table for notebooks: 5, 50 and 95% of sums over customers, made within each draw. [D, C] each"""
    totals = {name: values.sum(axis=1, dtype=float) for name, values in of_the_base.items()}
    rows = {name: np.quantile(draws, [0.05, 0.5, 0.95]) for name, draws in totals.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["5%", "50%", "95%"])
    return "<p>All customers together:</p>" + table.to_html(float_format=_few_digits, border=0)


def _few_digits(total: float) -> str:
    return f"{total:,.0f}" if abs(total) >= 1000 else f"{total:.4g}"


def blocks(size: int, draws: int, periods: int) -> Iterator[slice]:
    """Slices of customers whose [D, C, P] arrays stay within BLOCK_BYTES."""
    step = max(1, BLOCK_BYTES // (8 * draws * max(periods, 1)))
    return (slice(at, min(at + step, size)) for at in range(0, size, step))


def array_store(folder: Path | None, name: str, shape: tuple[int, int], dtype: str) -> np.ndarray:
    """An array in memory, or in a file of that folder where there is one: memory stays bounded."""
    if folder is None:
        return np.empty(shape, dtype=dtype)
    folder.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)
