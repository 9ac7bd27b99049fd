"""The days of a summary: calibration, holdout and acquisition, as asked for and as the data allow; and its time.

A customer's opportunities are the periods after the one of the first purchase.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import ibis
import pandas as pd
from ibis import _

from clvmodels.dates import DAYS_PER_UNIT, FIXED, MONTHS_PER_UNIT, TIMES, Day, Time, as_day, period_end, period_of
from clvmodels.errors import Problem, unknown

COVERS_MORE = "or say data_end, where they were exported later than the last purchase"


class Window(NamedTuple):
    """The days of a summary: observed up to `end`, held out from the next day to `until` (both belong to it).

    Where time counts opportunities both are the last days of periods.
    """

    end: pd.Timestamp
    until: pd.Timestamp
    time_unit: str
    time: Time = "continuous"

    @property
    def days_per_unit(self) -> float:
        """Days in a time unit, on average."""
        return DAYS_PER_UNIT[self.time_unit]

    @property
    def end_day(self) -> ibis.Value:
        """The end of observation, for expressions."""
        return ibis.date(self.end.date())

    @property
    def holdout(self) -> float:
        """Length of the holdout in time units."""
        if self.time == "opportunities":
            return float(period_of(self.until, self.end, self.time_unit))
        return (self.until - self.end).days / self.days_per_unit

    def number(self, date: ibis.Value) -> ibis.Value:
        """The period of a day: 0 is the last one observed, those before are negative."""
        if self.time_unit in FIXED:
            return -(self.end_day.delta(date, unit="day") / self.days_per_unit).floor().cast("int64")
        months = 12 * date.year().cast("int64") + date.month().cast("int64") - 1
        last_month = 12 * self.end.year + self.end.month - 1
        length = MONTHS_PER_UNIT[self.time_unit]
        return (months / length).floor().cast("int64") - last_month // length

    def between(self, start: ibis.Value, stop: ibis.Value) -> ibis.Value:
        """Time units from one day to another: whole periods where time counts opportunities."""
        if self.time == "opportunities":
            return (self.number(stop) - self.number(start)).cast("float64")
        return stop.delta(start, unit="day") / self.days_per_unit


class Acquired(NamedTuple):
    """First and last day on which a customer's first purchase must lie; None: no bound."""

    start: pd.Timestamp | None
    stop: pd.Timestamp | None

    def filter(self, customers: ibis.Table) -> ibis.Table:
        """Those whose first_purchase lies between."""
        if self.start is not None:
            customers = customers.filter(_.first_purchase >= ibis.date(self.start.date()))
        if self.stop is not None:
            customers = customers.filter(_.first_purchase <= ibis.date(self.stop.date()))
        return customers


def as_window(
    covers: tuple[pd.Timestamp, pd.Timestamp],
    calibration_end: Day | None,
    holdout: float | Day | None,
    time_unit: str,
    problems: list[Problem],
    time: Time = "continuous",
) -> Window | None:
    """The days of the summary of data that cover a first to a last day; what is wrong is added to `problems`."""
    start, last = covers
    span = f"The data cover {start:%Y-%m-%d} to {last:%Y-%m-%d}"
    vocabulary = [unknown("time", time, TIMES)] if time not in TIMES else []
    if time_unit not in DAYS_PER_UNIT:
        vocabulary.append(unknown("time unit", time_unit, DAYS_PER_UNIT))
    if time == "opportunities" and time_unit == "hour":
        known = "Orders are of days: take day, or a longer one"
        vocabulary.append(Problem("opportunities last a day at least", "time_unit", "hour", known))
    problems += vocabulary
    if vocabulary:
        return None
    if calibration_end is None and holdout is not None:
        problems.append(Problem("a holdout needs a calibration end", "calibration_end", known=span))
    if time == "opportunities":  # the last period of the data may be one that is not over
        last = period_end(last, time_unit)
    end = last if calibration_end is None else as_day(calibration_end, "calibration_end", problems)
    if end is None:
        return None
    if time == "opportunities":
        problems += _cut_period(end, end, time_unit, "calibration_end")
    if end < start:
        problems.append(Problem("lies before the first purchase", "calibration_end", f"{end:%Y-%m-%d}", span))
    if end > last:
        problems.append(Problem("lies after the data", "calibration_end", f"{end:%Y-%m-%d}", span))
    until = _holdout_end(holdout, end, time_unit, time, problems)
    if until is not None and until > last and end <= last:
        longest = Window(end, last, time_unit, time).holdout
        # rounded up it would not fit
        advice = f"{span}: at most {math.floor(longest * 100) / 100:g} {time_unit}s; {COVERS_MORE}"
        problems.append(Problem(f"would end on {until:%Y-%m-%d}, after the data", "holdout", str(holdout), advice))
    return Window(end, until or end, time_unit, time)


def _cut_period(day: pd.Timestamp, end: pd.Timestamp, time_unit: str, where: str) -> list[Problem]:
    """The problem of a day that cuts an opportunity in two, periods being counted from the one of `end`."""
    period = period_of(day, end, time_unit)
    before, after = period_end(end, time_unit, period - 1), period_end(end, time_unit, period)
    if day in (before, after):
        return []
    advice = f"Opportunities are whole {time_unit}s: {before:%Y-%m-%d} or {after:%Y-%m-%d}"
    return [Problem(f"must be the last day of a {time_unit}", where, f"{day:%Y-%m-%d}", advice)]


def _holdout_end(
    holdout: float | Day | None, end: pd.Timestamp, time_unit: str, time: Time, problems: list[Problem]
) -> pd.Timestamp | None:
    if holdout is None:
        return None
    if isinstance(holdout, int | float) and not isinstance(holdout, bool):
        return _end_after(holdout, end, time_unit, time, problems)
    until = as_day(holdout, "holdout", problems)
    if until is None:
        return None
    if until <= end:
        advice = f"Calibration ends on {end:%Y-%m-%d}"
        problems.append(Problem("must end after the calibration", "holdout", f"{until:%Y-%m-%d}", advice))
    elif time == "opportunities":
        problems += _cut_period(until, end, time_unit, "holdout")
    return until


def _end_after(
    length: float, end: pd.Timestamp, time_unit: str, time: Time, problems: list[Problem]
) -> pd.Timestamp | None:
    """The last day of a holdout of so many time units: whole days, or whole periods."""
    days = length * DAYS_PER_UNIT[time_unit]
    if not (math.isfinite(length) and round(days) >= 1):
        problems.append(Problem("must last a day at least", "holdout", str(length)))
        return None
    if time == "continuous":
        return end + pd.Timedelta(days=round(days))
    if length % 1:
        problems.append(Problem(f"opportunities are whole {time_unit}s", "holdout", str(length)))
        return None
    return period_end(end, time_unit, int(length))


def as_acquired(between: tuple[Day | None, Day | None] | None, problems: list[Problem]) -> Acquired | None:
    """Two days, either of which may be None; what is wrong with them is added to `problems`."""
    if between is None:
        return None
    if isinstance(between, str) or len(between) != 2:
        problems.append(Problem("takes two days, from and to", "acquired_between", repr(between)))
        return None
    first, last = between
    start = None if first is None else as_day(first, "acquired_between", problems)
    stop = None if last is None else as_day(last, "acquired_between", problems)
    if start is not None and stop is not None and start > stop:
        problems.append(Problem("ends before it begins", "acquired_between", repr(between)))
    return Acquired(start, stop)
