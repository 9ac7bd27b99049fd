"""Months and quarters of the calendar, as KPIs are told by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray

Length = Literal["month", "quarter"]
LENGTHS: tuple[Length, ...] = get_args(Length)
_MONTHS = {"month": 1, "quarter": 3}
_FREQUENCIES = {"month": "M", "quarter": "Q"}


class Period(NamedTuple):
    """One month or quarter: `2025-03` or `2025 Q1`. `whole`: whether the data cover it to its last day."""

    name: str
    start: pd.Timestamp
    end: pd.Timestamp
    whole: bool


def periods(first: pd.Timestamp, last: pd.Timestamp, length: Length) -> list[Period]:
    """Those from the one that holds the first day to the one that holds the last."""
    calendar = []
    for period in pd.period_range(first, last, freq=_FREQUENCIES[length]):
        start = period.start_time.normalize()
        end = period.end_time.normalize()  # the last day, not its last nanosecond: days are compared with it
        calendar.append(Period(_name(period, length), start, end, whole=end <= last))
    return calendar


def _name(period: pd.Period, length: Length) -> str:
    if length == "month":
        return f"{period.year}-{period.month:02d}"
    return f"{period.year} Q{period.quarter}"


def quarter_names(days: pd.Series) -> pd.Series:
    """The quarter of each day: `2025 Q1`."""
    year = days.dt.year.astype("str")
    quarter = days.dt.quarter.astype("str")
    return (year + " Q" + quarter).astype("str")


def quarter_of(names: pd.Series) -> pd.Series:
    """The quarter of each period, by the name of the month (`2025-03`) or of the quarter itself."""
    is_month = names.str.fullmatch(r"\d{4}-\d{2}")
    month = pd.to_numeric(names.where(is_month, "0000-01").str[5:7])
    quarter = (month + 2) // 3
    of_month = names.str[:4] + " Q" + quarter.astype("str")
    return of_month.where(is_month, names)


def place(day: ibis.Value, first: pd.Timestamp, length: Length) -> ibis.Value:
    """The place of a day's period, counted from the one that holds the first day."""
    years = day.year().cast("int64") - first.year
    month = day.month().cast("int64") - 1
    step = _MONTHS[length]
    # from January of the first year on, so that quarters begin where those of the calendar do
    since_january = ((12 * years + month) / step).floor().cast("int64")
    return since_january - (first.month - 1) // step


def places(days: pd.Series, among: Sequence[Period]) -> NDArray[np.int64]:
    """The same of days in memory; -1 before the first period."""
    starts = np.array([period.start for period in among], dtype="datetime64[us]")
    dates = pd.to_datetime(days).to_numpy("datetime64[us]")
    return np.searchsorted(starts, dates, side="right") - 1  # "right": the first day of a period is its own
