"""One vocabulary of time: units and their days, what may be given as a day, the periods of a calendar.

Time is continuous, or counted in opportunities: calendar years, quarters or months, days, or weeks and periods of 30
days, of which the last ends with the observation.
"""

from __future__ import annotations

import datetime
import math
from typing import Literal, get_args

import pandas as pd

from clvmodels.errors import Problem

DAYS_PER_YEAR = 365.25
DAYS_PER_UNIT = {
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month30": 30.0,
    "month": DAYS_PER_YEAR / 12,
    "quarter": DAYS_PER_YEAR / 4,
    "year": DAYS_PER_YEAR,
}
"""month30 is what is called a month where every one has 30 days."""
FIXED = ("day", "week", "month30")
"""Units whose periods, as opportunities, are counted back from the end; those of the others are the calendar's."""
MONTHS_PER_UNIT = {"month": 1, "quarter": 3, "year": 12}
type Day = str | datetime.date  # a pandas Timestamp is a date too
Time = Literal["continuous", "opportunities"]
TIMES: tuple[Time, ...] = get_args(Time)


def as_day(value: object, where: str, problems: list[Problem]) -> pd.Timestamp | None:
    """A day given as text, date or timestamp."""
    try:
        day = pd.Timestamp(value)
    except (ValueError, TypeError):
        day = pd.NaT
    if isinstance(value, int | float) or day is pd.NaT or day.tzinfo is not None:
        problems.append(Problem("is no day", where, repr(value), "Days are written YYYY-MM-DD"))
        return None
    return day.normalize()


def period_end(day: pd.Timestamp, time_unit: str, later: int = 0) -> pd.Timestamp:
    """Last day of the period that holds a day, or of one so many periods later; a week's is the day itself."""
    if time_unit == "year":
        return pd.Timestamp(day.year + later, 12, 31)
    if time_unit == "quarter":
        return day + pd.offsets.QuarterEnd(0) + pd.offsets.QuarterEnd(later)
    if time_unit == "month":
        return day + pd.offsets.MonthEnd(0) + pd.offsets.MonthEnd(later)
    return day + pd.Timedelta(days=later * DAYS_PER_UNIT[time_unit])


def period_of(day: pd.Timestamp, end: pd.Timestamp, time_unit: str) -> int:
    """The period of a day, counted from the one that `end` ends."""
    if time_unit in FIXED:
        return -math.floor((end - day).days / DAYS_PER_UNIT[time_unit])
    return _number(day, time_unit) - _number(end, time_unit)


def _number(day: pd.Timestamp, time_unit: str) -> int:
    """The calendar's periods up to the one of a day."""
    return (12 * day.year + day.month - 1) // MONTHS_PER_UNIT[time_unit]
