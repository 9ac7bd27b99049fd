"""Supplied calendars: tables of an index, of holidays, or of covariates that change with time, by week as a rule.

A calendar is a factor on the rate at which active customers buy (`models.steps`); lifetimes stay on calendar time. Each
row of its table begins a step, which lasts until the next row begins; a purchase lies in the step of its day. What is
to be valued or forecast needs rows too: where they end, nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.dates import DAYS_PER_UNIT, Day, as_day
from clvmodels.draws import Array
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.cleaning import id_text
from clvmodels.sources.reading import Raw, Source, connect, no_rows, open_source

MOST = 100.0
"""The largest covariate: beyond, a coefficient of ordinary size would be a factor without bound."""


@dataclass(frozen=True)
class SuppliedCalendar:
    """An index, or covariates with coefficients to be estimated, or both, in consecutive steps.

    Parameters
    ----------
    name
        Its columns in the customers' table begin with it.
    bounds : [W+1]
        First day of each step, and the day after the last.
    index : [W] or None
        Factors as supplied; a fit scales them to mean 1 over its calibration.
    covariates : [K]
        Names, the parameters being `calendar_{name}`.
    values : [patterns, W, K]
        Of the covariates, read against 0; customers with equal values share a pattern.
    patterns, since
        customer_id -> pattern, and -> first day of the customer's own rows; None where the table is everybody's.
    """

    name: str
    bounds: pd.DatetimeIndex
    index: Array | None
    covariates: tuple[str, ...]
    values: Array
    patterns: pd.Series | None = None
    since: pd.Series | None = None

    @property
    def until(self) -> pd.Timestamp:
        """The last day that it covers."""
        return self.bounds[-1] - pd.Timedelta(days=1)

    def __repr__(self) -> str:
        contents = self.covariates if self.index is None else ("an index", *self.covariates)
        owner = "everybody's"
        if self.patterns is not None:
            owner = f"of {words.counted(len(self.patterns), 'customer')}"
        steps = words.counted(len(self.bounds) - 1, "step")
        days = f"from {self.bounds[0]:%Y-%m-%d} to {self.until:%Y-%m-%d}"
        return f"calendar '{self.name}' ({', '.join(contents)}), {owner}, {steps} {days}"

    def option(self, first: pd.Timestamp, last: pd.Timestamp, time_unit: str) -> dict[str, Any]:
        """What `get_model(name, {"calendar": ...})` takes, the index scaled to mean 1 from a first day to a last.

        `Customers.calendar_option` gives it for a table of customers.
        """
        unit = DAYS_PER_UNIT[time_unit]
        return {
            "name": self.name,
            "bounds": (days_since_1970(self.bounds) / unit).tolist(),
            "log_index": None if self.index is None else np.log(self.index).tolist(),
            "log_mean": 0.0 if self.index is None else math.log(self._mean(first, last)),
            "covariates": list(self.covariates),
            "values": self.values.tolist(),
            "until": f"{self.until:%Y-%m-%d}",
        }

    def _mean(self, first: pd.Timestamp, last: pd.Timestamp) -> float:
        """Mean of the index over the days from the first to the last."""
        days = days_since_1970(self.bounds.to_series().clip(first, last + pd.Timedelta(days=1)))
        lengths = np.diff(days)
        return float(np.sum(np.asarray(self.index) * lengths) / np.sum(lengths))


def days_since_1970(moments: Any) -> Array:
    """Days since the beginning of 1970."""
    return np.asarray(moments).astype("datetime64[D]").astype(float)


def read_calendar(
    source: str | Path | pd.DataFrame,
    *,
    name: str,
    columns: Mapping[str, str] | None = None,
    index: str | None = None,
    covariates: Sequence[str] = (),
    until: Day | None = None,
) -> SuppliedCalendar:
    """Read a table with one row a step, or one row a customer and step.

    Parameters
    ----------
    source
        A CSV file (plain, .gz or .zst), a Parquet file, or a DataFrame. Its `date` is the first day of a step.
    name
        What the calendar is called.
    columns
        From date and customer_id to the table's own names. A table without customer_id is everybody's; a customer's
        steps are the table's, from the customer's own first row on.
    index
        The column of a known factor on the purchase rate.
    covariates
        Columns whose coefficients are estimated: a unit of a covariate multiplies the rate by exp(coefficient).
    until
        The last day that the table covers; by default the last step is as long as the one before it.

    Raises
    ------
    DataError
        With every problem found, and the first rows: columns and dates that are missing, an index that is not positive,
        covariates that are not numbers or larger than 100, a step given twice, gaps between a customer's rows.
    """
    opened = open_source(source, name=name if isinstance(source, pd.DataFrame) else "")
    columns = columns or {}
    names = {"date": columns.get("date", "date")}
    if "customer_id" in columns or "customer_id" in opened.columns:
        names["customer_id"] = columns.get("customer_id", "customer_id")
    numbers = [*covariates] if index is None else [index, *covariates]
    problems = _column_problems(opened, columns, list(names.values()), numbers)
    last_day = None if until is None else as_day(until, "until", problems)
    if problems:
        raise DataError(problems)
    frame, raw = _read_rows(opened, [*names.values(), *numbers], has_ids="customer_id" in names)
    steps = _steps(frame, raw, opened.where, names, index, numbers)
    bounds = _bounds(steps, last_day, opened.where)
    if "customer_id" not in names:
        return _everybodys(steps, name, bounds, index, tuple(covariates))
    if index is not None:
        known = "Make it a covariate, or supply a table without customer_id"
        raise DataError(Problem("an index is everybody's, and the table has a customer_id", opened.where, index, known))
    return _of_customers(steps, name, bounds, tuple(covariates), opened.where)


_MEANINGS = ("date", "customer_id")


def _column_problems(
    opened: Source, columns: Mapping[str, str], keys: Sequence[str], numbers: Sequence[str]
) -> list[Problem]:
    where, used = opened.where, [*keys, *numbers]
    problems = [unknown("column meaning", key, _MEANINGS, where) for key in columns if key not in _MEANINGS]
    problems += [unknown("column", name, opened.columns, where) for name in used if name not in opened.columns]
    if not numbers:
        problems.append(Problem("a calendar has an index or covariates", where, known="Name a column of the table"))
    twice = sorted({name for name in used if used.count(name) > 1})
    problems += [Problem(f"the column '{name}' is used twice", where) for name in twice]
    return problems


def _read_rows(opened: Source, names: Sequence[str], has_ids: bool) -> tuple[pd.DataFrame, Raw]:
    """The rows in their order, by the table's own names; ids, in the second column, as text."""
    backend = connect()
    try:
        raw = opened.scan(backend, names)
        table = raw.table.mutate(c1=id_text(raw.table.c1)) if has_ids else raw.table
        frame = table.order_by("row").execute()
    except duckdb.Error as error:
        raise DataError(Problem("cannot be read", opened.where, str(error).splitlines()[0])) from error
    return frame.rename(columns={f"c{i}": name for i, name in enumerate(names)}), raw


def _row_problems(
    frame: pd.DataFrame, raw: Raw, where: str, is_wrong: pd.Series, what: str, column: str, known: str
) -> list[Problem]:
    """The problem of the rows that are wrong in a column, with their number and the first; none if there are none."""
    if not is_wrong.any():
        return []
    first = int(np.flatnonzero(is_wrong)[0])
    line = int(raw.line_of(frame["row"].to_numpy()[[first]])[0])
    got = f"first {raw.place} {line:,}: {str(frame[column].iloc[first])[:60]!r}"
    rows = words.counted(is_wrong.sum(), "row has", "rows have")
    return [Problem(f"{rows} {what} in '{column}'", where, got, known)]


def _steps(
    frame: pd.DataFrame, raw: Raw, where: str, names: Mapping[str, str], index: str | None, numbers: Sequence[str]
) -> pd.DataFrame:
    """start, customer_id where there is one, and the numbers; or every problem of the rows."""
    if frame.empty:
        raise DataError(no_rows(where))
    problems: list[Problem] = []
    refused = partial(_row_problems, frame, raw, where)
    days = pd.to_datetime(frame[names["date"]], format="ISO8601", errors="coerce")
    steps = pd.DataFrame({"start": days.astype("datetime64[us]").dt.normalize()})
    problems += refused(steps["start"].isna(), "no day", names["date"], "Days are written YYYY-MM-DD")
    if "customer_id" in names:
        steps["customer_id"] = frame[names["customer_id"]].to_numpy()
        is_missing = steps["customer_id"].isna() | (steps["customer_id"] == "")
        problems += refused(is_missing, "no id", names["customer_id"], "A table without customer_id is everybody's")
    for column in numbers:
        numbers_of_column = steps[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
        is_finite = np.isfinite(numbers_of_column)
        problems += refused(~is_finite, "no number", column, "Every step needs one: 0 is no effect of a covariate")
        if column == index:
            is_wrong = is_finite & (numbers_of_column <= 0)
            problems += refused(is_wrong, "a factor that is not positive", column, "1 is a usual week")
        else:
            is_wrong = is_finite & (numbers_of_column.abs() > MOST)
            problems += refused(is_wrong, f"a value beyond {MOST:g}", column, "Divide it")
    keys = [key for key in ("customer_id", "start") if key in steps]
    is_repeated = steps.duplicated(keys) & steps["start"].notna()
    problems += refused(is_repeated, "a step that is there already", names["date"], "One row a step, of each customer")
    if problems:
        raise DataError(problems)
    return steps


def _bounds(steps: pd.DataFrame, last_day: pd.Timestamp | None, where: str) -> pd.DatetimeIndex:
    """First day of each step, and the day after the last: as stated, else as far as the last step is from the one
    before."""
    starts = pd.DatetimeIndex(np.sort(steps["start"].unique()))
    if last_day is not None:
        if last_day < starts[-1]:
            what = f"ends before the last step, {starts[-1]:%Y-%m-%d}"
            raise DataError(Problem(what, "until", f"{last_day:%Y-%m-%d}"))
        return starts.append(pd.DatetimeIndex([last_day + pd.Timedelta(days=1)]))
    if len(starts) < 2:
        raise DataError(Problem("of one step nobody knows how long it lasts", where, known="State until: the last day"))
    return starts.append(pd.DatetimeIndex([starts[-1] + (starts[-1] - starts[-2])]))


def _everybodys(
    steps: pd.DataFrame, name: str, bounds: pd.DatetimeIndex, index: str | None, covariates: tuple[str, ...]
) -> SuppliedCalendar:
    steps = steps.sort_values("start")
    factors = None if index is None else steps[index].to_numpy()
    values = steps[[*covariates]].to_numpy()[None]  # one pattern, which all customers share
    return SuppliedCalendar(name, bounds, factors, covariates, values)


def _of_customers(
    steps: pd.DataFrame, name: str, bounds: pd.DatetimeIndex, covariates: tuple[str, ...], where: str
) -> SuppliedCalendar:
    """Each customer's own covariates; those who have the same share a pattern."""
    starts = bounds[:-1]
    customers = pd.Index(sorted(steps["customer_id"].unique()), name="customer_id")
    values = np.full((len(customers), len(starts), len(covariates)), np.nan)
    cell = customers.get_indexer(steps["customer_id"]), starts.get_indexer(steps["start"])
    values[cell] = steps[[*covariates]].to_numpy()
    is_absent = np.isnan(values[..., 0])  # a row has all its numbers, or it was refused
    has_begun = np.maximum.accumulate(~is_absent, axis=1)
    is_gap = has_begun & is_absent
    if is_gap.any():
        customer, step = (int(place[0]) for place in np.nonzero(is_gap))
        count = int(is_gap.any(axis=1).sum())
        customers, end = words.counted(count, "customer has", "customers have"), words.agreeing(count, "ends", "end")
        what = f"{customers} a gap between their rows, or {end} before others"
        got = f"first '{customers[customer]}' without {starts[step]:%Y-%m-%d}"
        raise DataError(Problem(what, where, got, "Supply a row for every step from a customer's first on"))
    # Before a customer's first step nothing is read of the pattern, so that 0 there joins more customers in one.
    unique, pattern = np.unique(np.where(np.isnan(values), 0.0, values), axis=0, return_inverse=True)
    since = pd.Series(starts[has_begun.argmax(axis=1)], index=customers)
    patterns = pd.Series(pattern.ravel(), index=customers)
    return SuppliedCalendar(name, bounds, None, covariates, unique, patterns, since)


def holiday_weeks(days: Iterable[Day], *, name: str = "holidays") -> SuppliedCalendar:
    """The weeks from Monday to Sunday that hold one of these days, against all others; one coefficient for them.

    The list is taken as complete from the first of January of its first year to the end of its last.

    Raises
    ------
    DataError
        No day, or one that is none.
    """
    problems: list[Problem] = []
    read_days = [as_day(day, name, problems) for day in days]
    holidays = pd.DatetimeIndex([day for day in read_days if day is not None]).sort_values()
    if not len(holidays) and not problems:
        problems.append(Problem("a calendar of holidays lists a day at least", name))
    if problems:
        raise DataError(problems)
    first, last = pd.Timestamp(holidays[0].year, 1, 1), pd.Timestamp(holidays[-1].year, 12, 31)
    first_monday = first - pd.Timedelta(days=first.day_of_week)
    mondays = pd.date_range(first_monday, last, freq="7D")
    has_holiday = np.isin(mondays, holidays - pd.to_timedelta(holidays.day_of_week, unit="D"))
    bounds = mondays.append(pd.DatetimeIndex([last + pd.Timedelta(days=1)]))
    return SuppliedCalendar(name, bounds, None, ("holiday",), has_holiday.astype(float)[None, :, None])
