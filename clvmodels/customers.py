"""Transactions to customers: one row a customer, the calibration/holdout split, the holdout truth.

The conventions are those of the literature and of CLVTools, BTYD and lifetimes: orders of a customer on one day are
one purchase with their amounts added; frequency counts purchases after the first; recency is the age at the last
purchase and T the age at the end of observation, both in fractional time units; the end day belongs to observation.

Where time counts opportunities, those of the discrete models: all orders of a customer in a period (a calendar year or
month, a week counted back from the end, a day) are one purchase, ages are numbers of periods since that of the first.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import pandas as pd
from ibis import _
from pandas.api.types import is_numeric_dtype

from clvmodels.calendars import SuppliedCalendar
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.rfm import checked_rfm
from clvmodels.sources.cleaning import id_text
from clvmodels.sources.transactions import Transactions
from clvmodels.summary import STATISTICS, by_customer, notes, purchase_days, tracked_purchases
from clvmodels.window import (
    DAYS_PER_UNIT,
    TIMES,
    Acquired,
    Day,
    Time,
    Window,
    as_acquired,
    as_day,
    as_window,
    period_end,
)

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
        "day", "week", "month" (365.25 / 12 days) or "year" (365.25 days).
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
    """

    table: pd.DataFrame
    time_unit: str
    observation_end: pd.Timestamp
    currency: str | None = None
    amount_unit: float = 1.0
    warnings: tuple[str, ...] = ()
    time: Time = "continuous"

    @classmethod
    def from_rfm(
        cls,
        frame: pd.DataFrame,
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
            Columns frequency, recency, T, and monetary_value where amounts are known; customer_id, or else the index.
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
        if time_unit not in DAYS_PER_UNIT:
            problems.append(unknown("time unit", time_unit, DAYS_PER_UNIT))
        problems += [] if time in TIMES else [unknown("time", time, TIMES)]
        end = as_day(observation_end, "observation_end", problems)
        problems += _amount_unit_problems(amount_unit)
        try:
            table = checked_rfm(frame, columns or {}, groups, covariates, time)
        except DataError as error:
            raise DataError([*problems, *error.problems]) from error
        if problems or end is None:
            raise DataError(problems)
        first = _first_days(table["T"], end, time_unit, time)
        statistics = [c for c in table if c not in (*groups, *covariates)]
        table.insert(len(statistics), "first_purchase", first)
        if "first_month" not in groups:
            table["first_month"] = first.dt.strftime("%Y-%m").astype("str")
        return cls(table, time_unit, end, currency, float(amount_unit), time=time)

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
        notes = "".join(f"<li>{html.escape(w)}</li>" for w in self.warnings)
        head = self.table.head(5).to_html(escape=True, border=0)
        return f"<p><b>{html.escape(_sentence(self))}</b></p>{head}" + (f"<ul>{notes}</ul>" if notes else "")


def _first_days(T: pd.Series, end: pd.Timestamp, time_unit: str, time: Time) -> pd.Series:
    """The first purchase of customers of these ages; of opportunities the first day of its period."""
    if time == "opportunities":
        first = T.map({age: period_end(end, time_unit, -int(age) - 1) + pd.Timedelta(days=1) for age in T.unique()})
    else:
        first = end - pd.to_timedelta((T * DAYS_PER_UNIT[time_unit]).round(), unit="D")
    return first.astype("datetime64[us]")


def _sentence(customers: Customers) -> str:
    repeat = int(customers.table["frequency"].sum())
    money = f", amounts in {customers.currency or 'an unnamed currency'}" if customers.has_spend else ", no amounts"
    counted = "opportunities" if customers.time == "opportunities" else "time"
    end = f"{customers.observation_end:%Y-%m-%d}, {counted} in {customers.time_unit}s"
    return f"{len(customers):,} customers with {repeat:,} repeat purchases to {end}{money}"


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
        return f"holdout {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}: {self.table['purchases'].sum():,} purchases"


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
        held = "no holdout" if self.holdout is None else repr(self.holdout)
        return f"Split({_sentence(self.customers)}; {held})"

    def _repr_html_(self) -> str:
        if self.holdout is None:
            return self.customers._repr_html_() + "<p>No holdout.</p>"
        h = self.holdout
        text = f"Holdout {h.start:%Y-%m-%d} to {h.end:%Y-%m-%d}: {h.table['purchases'].sum():,} purchases"
        return self.customers._repr_html_() + f"<p>{text}</p>"


def summarize(
    transactions: Transactions,
    *,
    calibration_end: Day | None = None,
    holdout: float | Day | None = None,
    time_unit: str = "week",
    groups: Sequence[str] = (),
    covariates: Sequence[str] = (),
    acquired_between: tuple[Day | None, Day | None] | None = None,
    amount_unit: float = 1.0,
    statistics: Sequence[str] | None = None,
    time: Time = "continuous",
    calendars: Sequence[SuppliedCalendar] = (),
) -> Split:
    """One row a customer at the calibration end, and what came after it.

    Parameters
    ----------
    calibration_end
        Last day of observation. By default the last day of the data, and then there is no holdout.
    holdout
        Length of the holdout in time units (rounded to whole days), or its last day.
    groups
        Columns of the transactions, constant per customer: the first value by date that is not missing, "(missing)"
        where there is none; customers with several values are counted in the warnings.
    covariates
        Columns of the transactions that were read as covariates; the same rule, missing values stay missing.
    acquired_between
        First and last day (either may be None) on which a customer's first purchase in the table must lie.
    amount_unit
        Value of one unit of the amounts in the currency.
    statistics
        Names from `STATISTICS`; all of them by default.
    time
        "opportunities" counts a customer's later periods (time units) as chances to buy, and the purchases of one
        period once. Then the calibration and the holdout end with the last day of a period, and the last one of the
        data counts as whole.
    calendars
        Whose columns models on them read; they must cover all days used.

    Notes
    -----
    Customers first seen after the calibration end are left out and counted in the warnings, as are transactions after
    the last day used. Money is added in whole millionths, so the order of the rows changes nothing.

    Without `acquired_between` a warning says where the table seems to begin in the middle of the customers' lives
    (their first order in it is not their first): if its first 30 days hold more than twice as many first purchases,
    and at least 20 more, as the median of the later 30-day periods (3 or more) up to the last first purchase.

    Raises
    ------
    DataError
        With every argument that does not fit the data.
    """
    problems: list[Problem] = []
    covers = (transactions.data_start, transactions.data_end)
    window = as_window(covers, calibration_end, holdout, time_unit, problems, time)
    acquired = as_acquired(acquired_between, problems)
    problems += [
        unknown("group", g, (*transactions.groups, *DERIVED_GROUPS)) for g in groups if not _known(transactions, g)
    ]
    problems += [
        unknown("covariate", c, transactions.covariates) for c in covariates if c not in transactions.covariates
    ]
    statistics = tuple(STATISTICS) if statistics is None else statistics
    problems += [unknown("statistic", s, STATISTICS) for s in statistics if s not in STATISTICS]
    problems += _amount_unit_problems(amount_unit)
    if time == "opportunities" and "ended" in transactions.table.columns:
        known = "Leave 'ended' out of the columns: of renewals, a period without one tells the end"
        problems.append(Problem("the day of an end needs continuous time", "time", "opportunities", known))
    if time == "opportunities" and calendars:
        problems.append(Problem("a calendar goes with continuous time", "calendars", calendars[0].name))
    if problems or window is None:
        raise DataError(problems)
    words = [group for group in groups if group not in (*DERIVED_GROUPS, *covariates)]
    own, table = [*words, *covariates], transactions.table
    table = table.mutate(**{name: id_text(table[name]) for name in words if name in transactions.covariates})
    backend, name = transactions.backend, ibis.util.gen_name("days")
    days = backend.create_table(name, purchase_days(table, window, own), temp=True)
    everyone = backend.create_table(f"{name}_c", by_customer(days, window, own, statistics), temp=True)
    try:
        return _split(transactions, window, days, everyone, acquired, own, amount_unit, calendars)
    finally:
        backend.drop_table(f"{name}_c")
        backend.drop_table(name)


def _amount_unit_problems(amount_unit: float) -> list[Problem]:
    if math.isfinite(amount_unit) and amount_unit > 0:
        return []
    return [Problem("must be a positive number", "amount_unit", str(amount_unit))]


def _known(transactions: Transactions, group: str) -> bool:
    return group in transactions.groups or group in DERIVED_GROUPS


def _split(
    transactions: Transactions, window: Window, days: ibis.Table, everyone: ibis.Table, acquired: Acquired | None,
    groups: Sequence[str], amount_unit: float, calendars: Sequence[SuppliedCalendar],
) -> Split:  # fmt: skip
    kept = everyone.filter(everyone.first_purchase <= window.end_day)
    kept = acquired.filter(kept) if acquired else kept
    table = kept.execute().set_index("customer_id").sort_index()
    if table.empty:
        raise DataError(_nobody(everyone, window, acquired))
    table.index = table.index.astype("str")
    warnings = (*transactions.warnings, *notes(transactions, window, everyone, table, acquired, groups))
    held = table[["held_purchases", *(["held_spend"] if transactions.has_amount else [])]]
    held = held.rename(columns={"held_purchases": "purchases", "held_spend": "spend"})
    held = held.astype({c: "int64" if c == "purchases" else "float64" for c in held})
    own = _finished(table, groups)
    if problems := [problem for calendar in calendars for problem in calendar.problems(own, window)]:
        raise DataError(problems)
    for calendar in calendars:
        own = own.assign(**calendar.columns(own, days, window))
    customers = Customers(
        own, window.time_unit, window.end, transactions.currency, float(amount_unit), warnings,
        window.time,
    )  # fmt: skip
    holdout = None
    if window.until > window.end:
        holdout = Holdout(held, window.holdout, window.end + pd.Timedelta(days=1), window.until)
    return Split(customers, holdout, tracked_purchases(days, kept, window))


def _nobody(everyone: ibis.Table, window: Window, acquired: Acquired | None) -> Problem:
    ends = everyone.aggregate(first=_.first_purchase.min(), last=_.first_purchase.max()).execute()
    span = " to ".join(f"{pd.Timestamp(day):%Y-%m-%d}" for day in ends.iloc[0])
    asked = "acquired_between" if acquired else f"calibration_end {window.end:%Y-%m-%d}"
    return Problem("no customer is left", asked, known=f"First purchases lie in {span}")


def _finished(table: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """Statistics, first_purchase, groups: the columns of `Customers.table`."""
    statistics = [name for name in STATISTICS if name in table]
    first = pd.to_datetime(table["first_purchase"]).astype("datetime64[us]")
    columns = {group: table[f"g{i}"] for i, group in enumerate(groups)}
    own = {name: c.astype("float64" if is_numeric_dtype(c) else "str") for name, c in columns.items()}
    derived = {"first_month": first.dt.strftime("%Y-%m").astype("str")}
    return table[statistics].assign(first_purchase=first, **own, **derived)
