"""Equal histories once, with weights: what fit, leave-one-out scores and p_alive are computed of.

Shapes: R = unique rows, C = customer_id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.draws import Array
from clvmodels.inference.effects import Effect, keys
from clvmodels.models.parameters import STATUS


class UniqueRows(NamedTuple):
    """Customers of whom no two have the same history and are treated alike by every effect.

    Parameters
    ----------
    rows : [R] each
        The statistics that a model observes.
    weights : [R]
        How many customers have that history.
    inverse : [C]
        The place of each customer's row.
    first : [R]
        The place in the table of one customer of each row.
    """

    rows: Mapping[str, Array]
    weights: Array
    inverse: np.ndarray
    first: np.ndarray


def numbers(table: pd.DataFrame, name: str) -> Array:
    """A statistic as a model reads it; a contract's status by its code. [C]"""
    column = table[name].map(STATUS) if name == "status" else table[name]
    return column.to_numpy(dtype=float)


def condense(table: pd.DataFrame, observes: Sequence[str], effects: Sequence[Effect] = ()) -> UniqueRows:
    """Unique rows of the statistics that a model observes and of what its effects read.

    Rows come out sorted, so that a permuted table gives the same density to the last bit.
    """
    statistics = [numbers(table, name) for name in observes]
    columns = np.column_stack([*statistics, *keys(effects, table)])
    unique, first, inverse, counts = np.unique(
        columns, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    rows = {name: np.ascontiguousarray(unique[:, k]) for k, name in enumerate(observes)}
    return UniqueRows(rows, counts.astype(float), inverse.reshape(-1), first)
