"""Supplied calendars: tables of an index, of holidays, or of covariates that change with time, by week as a rule.

A calendar is a factor on the rate at which active customers buy (`models.steps`); lifetimes stay on calendar time. Each
row of its table begins a step, which lasts until the next row begins; a purchase lies in the step of its day. What is
to be valued or forecast needs rows too: where they end, nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from clvmodels.dates import DAYS_PER_UNIT, Day, as_day
from clvmodels.draws import Array
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.cleaning import id_text
from clvmodels.sources.reading import Raw, connect, open_source

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
        what = [*(["an index"] if self.index is not None else []), *self.covariates]
        whose = "everybody's" if self.patterns is None else f"of {len(self.patterns):,} customers"
        steps = f"{len(self.bounds) - 1:,} steps from {self.bounds[0]:%Y-%m-%d} to {self.until:%Y-%m-%d}"
        return f"calendar '{self.name}' ({', '.join(what)}), {whose}, {steps}"

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
    mapping, where = dict(columns or {}), opened.where
    problems = [unknown("column meaning", key, ("date", "customer_id"), where) for key in mapping if key not in _KEYS]
    wanted = {"date": mapping.get("date", "date")}
    if "customer_id" in mapping or "customer_id" in opened.columns:
        wanted["customer_id"] = mapping.get("customer_id", "customer_id")
    numbers = [*([] if index is None else [index]), *covariates]
    own = [*wanted.values(), *numbers]
    problems += [unknown("column", column, opened.columns, where) for column in own if column not in opened.columns]
    if not numbers:
        problems.append(Problem("a calendar has an index or covariates", where, known="Name a column of the table"))
    twice = sorted({column for column in own if own.count(column) > 1})
    problems += [Problem(f"the column '{column}' is used twice", where) for column in twice]
    ends = None if until is None else as_day(until, "until", problems)
    if problems:
        raise DataError(problems)
    backend = connect()
    try:
        raw = opened.scan(backend, own)
        ids = "c1" if "customer_id" in wanted else None
        table = raw.table.mutate(c1=id_text(raw.table.c1)) if ids else raw.table
        frame = table.order_by("row").execute()
    except duckdb.Error as error:
        raise DataError(Problem("cannot be read", where, str(error).splitlines()[0])) from error
    frame = frame.rename(columns=dict(zip([f"c{i}" for i in range(len(own))], own, strict=True)))
    steps = _checked(frame, raw, where, wanted, index, numbers)
    return _assembled(steps, name, index, tuple(covariates), ends, where)


_KEYS = ("date", "customer_id")


def _checked(
    frame: pd.DataFrame, raw: Raw, where: str, wanted: Mapping[str, str], index: str | None, numbers: Sequence[str]
) -> pd.DataFrame:
    """start, customer_id where there is one, and the numbers; or every problem of the rows."""
    problems: list[Problem] = []

    def refuse(bad: pd.Series, what: str, column: str, known: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            place = int(raw.line_of(frame["row"].to_numpy()[[row]])[0])
            got = f"first {raw.place} {place:,}: {str(frame[column].iloc[row])[:60]!r}"
            problems.append(Problem(f"{int(bad.sum()):,} rows have {what} in '{column}'", where, got, known))

    if frame.empty:
        raise DataError(Problem("the table has a header and no rows", where))
    found = pd.DataFrame({"start": pd.to_datetime(frame[wanted["date"]], format="ISO8601", errors="coerce")})
    found["start"] = found["start"].astype("datetime64[us]").dt.normalize()
    refuse(found["start"].isna(), "no day", wanted["date"], "Days are written YYYY-MM-DD")
    if "customer_id" in wanted:
        found["customer_id"] = frame[wanted["customer_id"]].to_numpy()
        missing = found["customer_id"].isna() | (found["customer_id"] == "")
        refuse(missing, "no id", wanted["customer_id"], "A table without customer_id is everybody's")
    for column in numbers:
        found[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
        finite = np.isfinite(found[column])
        refuse(~finite, "no number", column, "Every step needs one: 0 is no effect of a covariate")
        if column == index:
            refuse(finite & (found[column] <= 0), "a factor that is not positive", column, "1 is a usual week")
        else:
            refuse(finite & (found[column].abs() > MOST), f"a value beyond {MOST:g}", column, "Divide it")
    keys = [key for key in ("customer_id", "start") if key in found]
    again = found.duplicated(keys) & found["start"].notna()
    refuse(again, "a step that is there already", wanted["date"], "One row a step, of each customer")
    if problems:
        raise DataError(problems)
    return found


def _assembled(
    steps: pd.DataFrame,
    name: str,
    index: str | None,
    covariates: tuple[str, ...],
    ends: pd.Timestamp | None,
    where: str,
) -> SuppliedCalendar:
    starts = pd.DatetimeIndex(np.sort(steps["start"].unique()))
    if ends is None and len(starts) < 2:
        raise DataError(Problem("of one step nobody knows how long it lasts", where, known="State until: the last day"))
    if ends is not None and ends < starts[-1]:
        raise DataError(Problem(f"ends before the last step, {starts[-1]:%Y-%m-%d}", "until", f"{ends:%Y-%m-%d}"))
    after = starts[-1] + (starts[-1] - starts[-2]) if ends is None else ends + pd.Timedelta(days=1)
    bounds = starts.append(pd.DatetimeIndex([after]))
    if "customer_id" not in steps:
        ordered = steps.sort_values("start")
        factors = None if index is None else ordered[index].to_numpy()
        return SuppliedCalendar(name, bounds, factors, covariates, ordered[[*covariates]].to_numpy()[None])
    if index is not None:
        known = "Make it a covariate, or supply a table without customer_id"
        raise DataError(Problem("an index is everybody's, and the table has a customer_id", where, index, known))
    people = pd.Index(sorted(steps["customer_id"].unique()), name="customer_id")
    values = np.full((len(people), len(starts), len(covariates)), np.nan)
    place = people.get_indexer(steps["customer_id"]), starts.get_indexer(steps["start"])
    values[place] = steps[[*covariates]].to_numpy()
    begun = np.maximum.accumulate(~np.isnan(values[..., 0]), axis=1)
    gaps = begun & np.isnan(values[..., 0])
    if gaps.any():
        person, step = (int(at[0]) for at in np.nonzero(gaps))
        what = f"{int(gaps.any(axis=1).sum()):,} customers have a gap between their rows, or end before others"
        got = f"first '{people[person]}' without {starts[step]:%Y-%m-%d}"
        raise DataError(Problem(what, where, got, "Supply a row for every step from a customer's first on"))
    unique, pattern = np.unique(np.where(np.isnan(values), 0.0, values), axis=0, return_inverse=True)
    since = pd.Series(starts[begun.argmax(axis=1)], index=people)
    return SuppliedCalendar(name, bounds, None, covariates, unique, pd.Series(pattern.ravel(), index=people), since)


def holiday_weeks(days: Iterable[Day], *, name: str = "holidays") -> SuppliedCalendar:
    """The weeks from Monday to Sunday that hold one of these days, against all others; one coefficient for them.

    The list is taken as complete from the first of January of its first year to the end of its last.

    Raises
    ------
    DataError
        No day, or one that is none.
    """
    problems: list[Problem] = []
    found = [as_day(day, name, problems) for day in days]
    listed = pd.DatetimeIndex([day for day in found if day is not None]).sort_values()
    if not len(listed) and not problems:
        problems.append(Problem("a calendar of holidays lists a day at least", name))
    if problems:
        raise DataError(problems)
    first, last = pd.Timestamp(listed[0].year, 1, 1), pd.Timestamp(listed[-1].year, 12, 31)
    monday = first - pd.Timedelta(days=first.day_of_week)
    starts = pd.date_range(monday, last, freq="7D")
    held = np.isin(starts, listed - pd.to_timedelta(listed.day_of_week, unit="D"))
    bounds = starts.append(pd.DatetimeIndex([last + pd.Timedelta(days=1)]))
    return SuppliedCalendar(name, bounds, None, ("holiday",), held.astype(float)[None, :, None])
