"""The customers' table, what came after it, and both together: values that `summarize` makes and all stages read."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels import words
from clvmodels.customers.rfm import checked_rfm, doubtful_ids, read_rfm
from clvmodels.dates import DAYS_PER_UNIT, TIMES, Day, Time, as_day, period_end
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.calendars import SuppliedCalendar
from clvmodels.sources.cleaning import EARLIEST

DERIVED_GROUPS = ("first_month",)


@dataclass(frozen=True)
class Customers:
    """One row a customer: the statistics that the models ask for, at the end of observation.

    Parameters
    ----------
    table
        Index customer_id: text, unique, sorted as text. Columns: frequency (whole number of repeat purchases),
        recency and T (in time units), monetary_value (mean amount of the repeat purchases, 0 where there are none),
        amount_count, amount_sum, amount_log_sum, amount_log_ss (of the repeat purchase days that brought money: their
        number, their amounts, the logs of these and their squares about the customer's mean), sum_log_gaps (logs of
        the times between purchase days), first_purchase (day), group columns (text), first_month always among them,
        and covariates (numbers, nan where missing). Without amounts all that is of them is absent. Where the ends of
        customers are known, status (alive or ended), and T of the ended is the age at the end.
    time_unit
        "hour", "day", "week", "month" (365.25 / 12 days), "month30" (30 days), "quarter" or "year" (365.25 days).
    observation_end
        Last day of observation; it belongs to it.
    currency
        Of the amounts, e.g. "EUR".
    amount_unit
        Value of one unit of the amounts in the currency: 0.01 where amounts are in cents.
    warnings
        What a reader should know although nothing was refused.
    time
        "continuous", or "opportunities": frequency, recency and T are numbers of periods.
    experienced
        Columns that `with_experience` has made of the whole time up to the end of observation: who bought more often
        has had more occasion to have one.
    """

    table: pd.DataFrame
    time_unit: str
    observation_end: pd.Timestamp
    currency: str | None = None
    amount_unit: float = 1.0
    warnings: tuple[str, ...] = ()
    time: Time = "continuous"
    experienced: tuple[str, ...] = ()

    @classmethod
    def from_rfm(
        cls,
        frame: pd.DataFrame | str | Path,
        *,
        time_unit: str,
        observation_end: Day,
        columns: Mapping[str, str] | None = None,
        groups: Sequence[str] = (),
        covariates: Sequence[str] = (),
        currency: str | None = None,
        amount_unit: float = 1.0,
        time: Time = "continuous",
    ) -> Customers:
        """From an RFM table as users of lifetimes and PyMC-Marketing have it.

        Parameters
        ----------
        frame
            Or a file or database of it, as `read_rfm` opens them. Columns frequency, recency, T, and monetary_value
            where amounts are known; customer_id, or else the index, where it is more than the numbers of the rows.
            The number and the sum of the amounts follow from their mean; other statistics are kept where given, status
            (unknown, alive or ended; empty is unknown) among them.
        time_unit
            In which recency and T are counted; there is no default.
        observation_end
            The day at which T was taken.
        columns
            From these names to the table's own.
        groups
            Group columns to keep; missing values become "(missing)".
        covariates
            Columns of numbers, true or false to keep; missing values stay missing.
        time
            "opportunities" where recency and T are numbers of periods, at each of which the customer could buy once.

        Raises
        ------
        DataError
            With every violation and the first customers: frequency whole and >= 0, 0 <= recency <= T, recency 0 where
            and only where frequency is 0, monetary_value >= 0 and 0 where frequency is 0, ids unique, sums and logs of
            amounts and gaps such as some purchases have; of opportunities whole numbers, frequency <= recency.
        """
        problems: list[Problem] = []
        if not isinstance(frame, pd.DataFrame):
            frame = read_rfm(frame)
        if time_unit not in DAYS_PER_UNIT:
            problems.append(unknown("time unit", time_unit, DAYS_PER_UNIT))
        if time not in TIMES:
            problems.append(unknown("time", time, TIMES))
        end = as_day(observation_end, "observation_end", problems)
        problems += amount_unit_problems(amount_unit)
        longest = math.inf
        if end is not None and time_unit in DAYS_PER_UNIT:
            longest = (end - pd.Timestamp(EARLIEST)).days / DAYS_PER_UNIT[time_unit]
        try:
            table = checked_rfm(frame, columns or {}, groups, covariates, time, longest)
        except DataError as error:
            raise DataError([*problems, *error.problems]) from error
        if problems or end is None:
            raise DataError(problems)
        first = _first_days(table["T"], end, time_unit, time)
        statistics = [name for name in table if name not in (*groups, *covariates)]
        table.insert(len(statistics), "first_purchase", first)
        if "first_month" not in groups:
            table["first_month"] = first.dt.strftime("%Y-%m").astype("str")
        return cls(table, time_unit, end, currency, float(amount_unit), tuple(doubtful_ids(table)), time=time)

    def __len__(self) -> int:
        return len(self.table)

    def calendar_option(self, calendar: SuppliedCalendar) -> dict[str, Any]:
        """The calendar as models take it: `get_model("pareto_nbd", {"calendar": customers.calendar_option(weeks)})`.

        `summarize` must have been given the calendar too; its index is scaled to mean 1 from the first customer's first
        purchase to the end of observation.
        """
        return calendar.option(self.table["first_purchase"].min(), self.observation_end, self.time_unit)

    @property
    def has_spend(self) -> bool:
        """Whether the amounts are known."""
        return "monetary_value" in self.table.columns

    def __repr__(self) -> str:
        return f"Customers({_sentence(self)})"

    def _repr_html_(self) -> str:
        title = f"<p><b>{html.escape(_sentence(self))}</b></p>"
        head = self.table.head(5).to_html(escape=True, border=0)
        warnings = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        if warnings:
            warnings = f"<ul>{warnings}</ul>"
        return title + head + warnings


def _first_days(T: pd.Series, end: pd.Timestamp, time_unit: str, time: Time) -> pd.Series:
    """The first purchase of customers of these ages; of opportunities the first day of its period."""
    if time == "continuous":
        days = (T * DAYS_PER_UNIT[time_unit]).round()
        first = end - pd.to_timedelta(days, unit="D")
    else:
        end_before = {age: period_end(end, time_unit, -int(age) - 1) for age in T.unique()}
        first = T.map(end_before) + pd.Timedelta(days=1)
    return first.astype("datetime64[us]")


def _sentence(customers: Customers) -> str:
    repeat = int(customers.table["frequency"].sum())
    counted = "opportunities" if customers.time == "opportunities" else "time"
    end = f"{customers.observation_end:%Y-%m-%d}, {counted} in {customers.time_unit}s"
    money = "no amounts"
    if customers.has_spend:
        money = f"amounts in {customers.currency or 'an unnamed currency'}"
    people, purchases = words.counted(len(customers), "customer"), words.counted(repeat, "repeat purchase")
    return f"{people} with {purchases} to {end}, {money}"


@dataclass(frozen=True)
class Holdout:
    """What came after the calibration; no model sees it.

    Parameters
    ----------
    table
        Index as that of the customers. Columns: purchases (distinct purchase days), spend (absent without amounts).
    periods
        Length in time units.
    start, end
        First and last day; both belong to it.
    """

    table: pd.DataFrame
    periods: float
    start: pd.Timestamp
    end: pd.Timestamp

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        purchases = words.counted(self.table["purchases"].sum(), "purchase")
        return f"holdout {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}: {purchases}"


@dataclass(frozen=True)
class Split:
    """Customers at the calibration end, what came after, and the base's purchases by week.

    Parameters
    ----------
    weekly
        start (first day of the week), purchases (repeat purchases of all these customers), held_out. Whole weeks of
        7 days counted back and forth from the calibration end, so that a boundary falls exactly behind it. Where time
        counts opportunities, the periods themselves.
    """

    customers: Customers
    holdout: Holdout | None
    weekly: pd.DataFrame

    def __repr__(self) -> str:
        return f"Split({_sentence(self.customers)}; {self._holdout()})"

    def _repr_html_(self) -> str:
        sentence = "No holdout." if self.holdout is None else repr(self.holdout).capitalize()
        return self.customers._repr_html_() + f"<p>{sentence}</p>"

    def _holdout(self) -> str:
        return "no holdout" if self.holdout is None else repr(self.holdout)


def amount_unit_problems(amount_unit: float) -> list[Problem]:
    """Of what one unit of the amounts is worth."""
    if math.isfinite(amount_unit) and amount_unit > 0:
        return []
    return [Problem("must be a positive number", "amount_unit", str(amount_unit))]
