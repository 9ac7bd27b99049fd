"""The days of a summary: calibration, holdout and acquisition, as asked for and as the data allow."""

from __future__ import annotations

import datetime
import math
from typing import NamedTuple

import ibis
import pandas as pd

from clvmodels.errors import Problem, unknown

DAYS_PER_UNIT = {"day": 1.0, "week": 7.0, "month": 365.25 / 12}
type Day = str | datetime.date  # a pandas Timestamp is a date too


class Window(NamedTuple):
    """The days of a summary: observed up to `end`, held out from the next day to `until` (both belong to it)."""

    end: pd.Timestamp
    until: pd.Timestamp
    days_per_unit: float

    @property
    def end_day(self) -> ibis.Value:
        """The end of observation, for expressions."""
        return ibis.date(self.end.date())


class Acquired(NamedTuple):
    """First and last day on which a customer's first purchase must lie; None: no bound."""

    start: pd.Timestamp | None
    stop: pd.Timestamp | None

    def filter(self, customers: ibis.Table) -> ibis.Table:
        """Those whose first_purchase lies between."""
        first = customers.first_purchase
        customers = customers if self.start is None else customers.filter(first >= ibis.date(self.start.date()))
        return customers if self.stop is None else customers.filter(first <= ibis.date(self.stop.date()))


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


def as_window(
    covers: tuple[pd.Timestamp, pd.Timestamp], calibration_end: Day | None, holdout: float | Day | None,
    time_unit: str, problems: list[Problem],
) -> Window | None:  # fmt: skip
    """The days of the summary of data that cover a first to a last day; what is wrong is added to `problems`."""
    start, last = covers
    span = f"The data cover {start:%Y-%m-%d} to {last:%Y-%m-%d}"
    if time_unit not in DAYS_PER_UNIT:
        problems.append(unknown("time unit", time_unit, DAYS_PER_UNIT))
        return None
    unit = DAYS_PER_UNIT[time_unit]
    if calibration_end is None and holdout is not None:
        problems.append(Problem("a holdout needs a calibration end", "calibration_end", known=span))
    end = last if calibration_end is None else as_day(calibration_end, "calibration_end", problems)
    if end is None:
        return None
    if end < start:
        problems.append(Problem("lies before the first purchase", "calibration_end", f"{end:%Y-%m-%d}", span))
    if end > last:
        problems.append(Problem("lies after the data", "calibration_end", f"{end:%Y-%m-%d}", span))
    until = _holdout_end(holdout, end, unit, problems)
    if until is not None and until > last and end <= last:
        most = f"{span}: at most {math.floor((last - end).days / unit * 100) / 100:g} {time_unit}s"
        problems.append(Problem(f"would end on {until:%Y-%m-%d}, after the data", "holdout", str(holdout), most))
    return Window(end, until or end, unit)


def _holdout_end(
    holdout: float | Day | None, end: pd.Timestamp, unit: float, problems: list[Problem]
) -> pd.Timestamp | None:
    if holdout is None:
        return None
    if isinstance(holdout, int | float) and not isinstance(holdout, bool):
        if not (math.isfinite(holdout) and round(holdout * unit) >= 1):
            problems.append(Problem("must last a day at least", "holdout", str(holdout)))
            return None
        return end + pd.Timedelta(days=round(holdout * unit))
    until = as_day(holdout, "holdout", problems)
    if until is not None and until <= end:
        known = f"Calibration ends on {end:%Y-%m-%d}"
        problems.append(Problem("must end after the calibration", "holdout", f"{until:%Y-%m-%d}", known))
    return until


def as_acquired(between: tuple[Day | None, Day | None] | None, problems: list[Problem]) -> Acquired | None:
    """Two days, either of which may be None; what is wrong with them is added to `problems`."""
    if between is None:
        return None
    if isinstance(between, str) or len(between) != 2:
        problems.append(Problem("takes two days, from and to", "acquired_between", repr(between)))
        return None
    start, stop = (None if day is None else as_day(day, "acquired_between", problems) for day in between)
    if start is not None and stop is not None and start > stop:
        problems.append(Problem("ends before it begins", "acquired_between", repr(between)))
    return Acquired(start, stop)
