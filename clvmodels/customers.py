"""Transactions to customers: one row a customer, the calibration/holdout split, the holdout truth."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

DAYS_PER_UNIT = {"day": 1.0, "week": 7.0, "month": 365.25 / 12}


@dataclass(frozen=True)
class Customers:
    """One row a customer: the statistics that the models ask for, at the end of observation."""

    table: pd.DataFrame
    time_unit: str
    observation_end: pd.Timestamp
    currency: str | None = None
    amount_unit: float = 1.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Holdout:
    """What came after the calibration; no model sees it."""

    table: pd.DataFrame
    periods: float
    start: pd.Timestamp
    end: pd.Timestamp


@dataclass(frozen=True)
class Split:
    """Customers at the calibration end, what came after, and the base's purchases by week."""

    customers: Customers
    holdout: Holdout | None
    weekly: pd.DataFrame
