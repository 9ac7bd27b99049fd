"""Who the best customers are, and how sure that is: the whole base ranked within each draw.

Ranked is by worth, which knows how little we know of each customer, and by realised value, which knows luck too. By
expected value nobody is ranked in a draw: each customer's own unknown rate is integrated out of it, so that its ranks
hardly move, and nearly every place would be called sure. Its mean is the order in which customers are listed.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import BLOCK_ELEMENTS, LEVELS, QUANTILES, slices
from clvmodels.errors import ConfigError, DataError, Problem
from clvmodels.randomness import keyed_bits, keyed_streams
from clvmodels.valuation.valuation import KINDS, Values

RANKED = ("worth", "realised")
"""The readings of value by which customers are compared within a draw."""
MEMORY_ELEMENTS = 2**27
"""Ranks up to this many (512 MiB) are held in memory, more in a temporary file."""


def rank(
    values: Values,
    *,
    top_share: float = 0.2,
    seed: int = 42,
    block_elements: int = BLOCK_ELEMENTS,
    memory_elements: int = MEMORY_ELEMENTS,
) -> pd.DataFrame:
    """Rank customers by worth and by realised value, one ranking of the whole base for each draw.

    Rank 1 is the best. The tied (all who have left are worth 0 in a draw) take their ranks by lot, and a place at the
    cut is split evenly among those tied for it: lots belong to the customers, so that no order of the rows favours
    anyone, and the odds sum to ceil(top_share C). Values are compared in single precision, as they are kept. Comparing
    within a draw keeps what customers share (parameters, calendar) out of the doubt about who is better.

    Parameters
    ----------
    values
        Value draws, [draw, customer_id]; may be memory maps.
    top_share
        Share of customers that counts as the top, in (0, 1]; ceil(top_share C) places.
    seed
        Of the lots.
    block_elements
        Draws times customers worked on at once.
    memory_elements
        Draws times customers whose ranks are held in memory; beyond it they lie in a temporary file.

    Returns
    -------
    pandas.DataFrame
        Index customer_id, in the order of `values`. For expected_, worth_ and realised_ each: mean, sd, q5, q25, q50,
        q75, q95 of the value (in the currency; sd is NaN for a single draw); for worth_ and realised_ also rank_q5 ...
        rank_q95 (rank_q5 is the better end), and odds_top, the share of draws in which the customer is at the top.

    Raises
    ------
    ConfigError
        If top_share is outside (0, 1].
    DataError
        If a value is not finite, or there are none.
    """
    top = top_count(len(values.customer_id), top_share)
    keys = keyed_streams(seed, "rank", [str(label) for label in values.customer_id])[:, 0]
    columns: dict[str, NDArray] = {}
    for kind in KINDS:
        draws = value_draws(values, kind)
        for name, column in _value_columns(draws, block_elements, kind).items():
            columns[f"{kind}_{name}"] = column
        if kind not in RANKED:
            continue
        with _scratch(draws.shape, memory_elements) as ranks:
            odds = _fill_ranks(draws, ranks, top, kind, keys)
            rank_quantiles = _quantiles(ranks, block_elements)
            del ranks  # the file must have no reader left when its folder is removed
        for name, column in rank_quantiles.items():
            columns[f"{kind}_rank_{name}"] = column
        columns[f"{kind}_odds_top"] = odds
    return pd.DataFrame(columns, index=pd.Index(values.customer_id, name="customer_id"))


def top_count(customers: int, share: float) -> int:
    """Number of customers in the top share: ceil(share C), free of rounding (7% of 100 is 7, not 8)."""
    if not 0 < share <= 1:
        raise ConfigError(Problem("must be a share above 0, at most 1", "top_share", f"{share}"))
    return math.ceil(round(share * customers, 9))


def value_draws(values: Values, kind: str) -> NDArray:
    """Draws of one kind, [draw, customer_id], refused where there are none or their shape is another."""
    draws = getattr(values, kind)
    customers = len(values.customer_id)
    if draws.ndim != 2 or draws.shape[1] != customers or 0 in draws.shape:
        needs = f"Needs draws of {customers} customers, at least 1 of each"
        raise DataError(
            Problem("value draws do not fit the customers", f"values.{kind}", f"shape {draws.shape}", needs)
        )
    return draws


def finite(draw: NDArray, kind: str) -> NDArray:
    """The values of one draw, or of some customers, refused where one is not finite: it could not be ordered."""
    if not np.isfinite(draw).all():
        raise DataError(Problem("not all values are finite", f"values.{kind}"))
    return draw


def _blocks(draws: NDArray, elements: int) -> Iterator[tuple[slice, NDArray]]:
    """Blocks of customers and their draws [customer_id, draw].

    Contiguous, so that each customer's draws are summed in the same order, to the same last bit, in every block.
    """
    count, customers = draws.shape
    for block in slices(customers, elements // count):
        yield block, np.ascontiguousarray(draws[:, block].T)


def _value_columns(draws: NDArray, elements: int, kind: str) -> dict[str, NDArray]:
    """Mean, sd and quantiles over draws of each customer. [customer_id] each"""
    count, customers = draws.shape
    mean, sd = np.empty(customers), np.full(customers, np.nan)
    for block, rows in _blocks(draws, elements):
        mean[block] = finite(rows, kind).mean(axis=1, dtype=np.float64)
        if count > 1:
            sd[block] = rows.std(axis=1, ddof=1, dtype=np.float64)
    return {"mean": mean, "sd": sd} | _quantiles(draws, elements)


def _quantiles(draws: NDArray, elements: int) -> dict[str, NDArray[np.float64]]:
    """Quantiles over draws of each customer, linear between draws, by name. [customer_id] each"""
    count, customers = draws.shape
    position = LEVELS * (count - 1)  # among the draws in their order, from 0; mostly between two of them
    low = np.floor(position).astype(int)
    high = np.ceil(position).astype(int)
    share = position - low
    by_level = np.empty((len(LEVELS), customers))
    for block, rows in _blocks(draws, elements):
        ordered = np.sort(rows, axis=1)  # of float32 rows, 3 times as fast as np.quantile
        below = ordered[:, low].astype(np.float64)
        above = ordered[:, high].astype(np.float64)
        by_level[:, block] = (below + (above - below) * share).T
    return dict(zip(QUANTILES, by_level, strict=True))


def best_first(draw: NDArray, lots: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Places of the values, the highest first, the tied by their lots. [customer_id]

    By one sort of whole numbers: the value's own bits, which are ordered as the values are once those of negative ones
    are turned, before 32 bits of the lot.
    """
    negated = 0.0 - draw.astype(np.float32)  # 0 - 0 is 0, where -0 would come before it
    bits = negated.view(np.int32).astype(np.int64)
    ordered = np.where(bits < 0, bits ^ 0x7FFF_FFFF, bits)
    low_bits = (lots >> np.uint64(32)).astype(np.int64)
    return np.argsort((ordered << 32) | low_bits)


def _fill_ranks(draws: NDArray, ranks: NDArray, top: int, kind: str, keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Write each draw's ranks [draw, customer_id] and return the odds of the top [customer_id]."""
    odds = np.zeros(draws.shape[1])
    in_order = np.arange(1, draws.shape[1] + 1)
    for d, raw in enumerate(draws):
        draw = finite(np.asarray(raw), kind)
        order = best_first(draw, keyed_bits(keys, d))
        ranks[d, order] = in_order
        cut = draw[order[top - 1]]  # the value of the last place at the top
        is_above, is_tied = draw > cut, draw == cut
        places_left = top - np.count_nonzero(is_above)
        odds += is_above
        odds[is_tied] += places_left / np.count_nonzero(is_tied)
    return odds / len(draws)


@contextmanager
def _scratch(shape: tuple[int, int], memory_elements: int) -> Iterator[NDArray[np.float32]]:
    """Room for the ranks; float32 holds them exactly up to 16 million customers."""
    if shape[0] * shape[1] <= memory_elements:
        yield np.empty(shape, dtype=np.float32)
        return
    with tempfile.TemporaryDirectory(prefix="clvmodels-ranks-") as folder:
        yield np.memmap(Path(folder) / "ranks", dtype=np.float32, mode="w+", shape=shape)
