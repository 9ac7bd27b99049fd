"""Months and quarters of the calendar, as KPIs are told by them."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import ibis
import pandas as pd

Length = Literal["month", "quarter"]
LENGTHS: tuple[Length, ...] = get_args(Length)
_MONTHS = {"month": 1, "quarter": 3}


class Period(NamedTuple):
    """One month or quarter: `2025-03` or `2025 Q1`. `whole`: whether the data cover it to its last day."""

    name: str
    start: pd.Timestamp
    end: pd.Timestamp
    whole: bool


def periods(first: pd.Timestamp, last: pd.Timestamp, length: Length) -> list[Period]:
    """Those from the one that holds the first day to the one that holds the last."""
    span = pd.period_range(first, last, freq="M" if length == "month" else "Q")
    starts, ends = span.start_time.normalize(), span.end_time.normalize()
    return [
        Period(f"{p.year}-{p.month:02d}" if length == "month" else f"{p.year} Q{p.quarter}", start, end, end <= last)
        for p, start, end in zip(span, starts, ends, strict=True)
    ]


def quarter_names(days: pd.Series) -> pd.Series:
    """The quarter of each day: `2025 Q1`."""
    return (days.dt.year.astype("str") + " Q" + days.dt.quarter.astype("str")).astype("str")


def place(day: ibis.Value, first: pd.Timestamp, length: Length) -> ibis.Value:
    """The place of a day's period, counted from the one that holds the first day."""
    months = 12 * (day.year().cast("int64") - first.year) + day.month().cast("int64") - 1
    step = _MONTHS[length]
    return (months / step).floor().cast("int64") - (first.month - 1) // step
