"""Economics: from futures to the value of each customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Values:
    """One entry's value of each customer over the horizon, discounted, in the currency."""

    customer_id: np.ndarray
    expected: np.ndarray
    realised: np.ndarray
    horizon: float
    time_unit: str
    currency: str | None
    margin: float
    annual_discount_rate: float
    valued_at: pd.Timestamp
