"""Futures of each customer, draw by draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Futures:
    """One entry's forecast of a window after the origin, for all customers."""

    customer_id: np.ndarray
    edges: np.ndarray
    purchases: np.ndarray
    period_purchases: np.ndarray
    expected_purchases: np.ndarray
    p_alive: np.ndarray
    p_any: np.ndarray
    log_prob: np.ndarray | None = None
