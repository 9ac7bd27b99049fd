"""Transactions to customers: one row a customer, the calibration/holdout split, the holdout truth.

The conventions are those of the literature and of CLVTools, BTYD and lifetimes: orders of a customer on one day are
one purchase with their amounts added; frequency counts purchases after the first; recency is the age at the last
purchase and T the age at the end of observation, both in fractional time units; the end day belongs to observation.

Where time counts opportunities, those of the discrete models: all orders of a customer in a period (a calendar year or
month, a week counted back from the end, a day) are one purchase, ages are numbers of periods since that of the first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import ibis
import pandas as pd
from ibis import _
from pandas.api.types import is_numeric_dtype

from clvmodels.customers.aggregation import by_customer, purchase_days, tracked_purchases
from clvmodels.customers.calendars import calendar_columns, calendar_problems
from clvmodels.customers.notes import notes
from clvmodels.customers.statistics import STATISTICS
from clvmodels.customers.summary_window import Acquired, Window, as_acquired, as_window
from clvmodels.customers.table import DERIVED_GROUPS, Customers, Holdout, Split, amount_unit_problems
from clvmodels.dates import Day, Time
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.calendars import SuppliedCalendar
from clvmodels.sources.cleaning import id_text
from clvmodels.sources.transactions import Transactions


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
    names = tuple(STATISTICS) if statistics is None else statistics
    problems: list[Problem] = []
    covers = (transactions.data_start, transactions.data_end)
    window = as_window(covers, calibration_end, holdout, time_unit, problems, time)
    acquired = as_acquired(acquired_between, problems)
    problems += _unknown_names(transactions, groups, covariates, names)
    problems += amount_unit_problems(amount_unit)
    if time == "opportunities":
        problems += _continuous_only(transactions, calendars)
    if problems or window is None:
        raise DataError(problems)
    of_words = [group for group in groups if group not in (*DERIVED_GROUPS, *covariates)]
    columns = [*of_words, *covariates]
    table = transactions.table
    # A covariate that is used as a group is a word like the others: 1.0 and 1 are one group.
    table = table.mutate(**{name: id_text(table[name]) for name in of_words if name in transactions.covariates})
    backend, name = transactions.backend, ibis.util.gen_name("days")
    days = backend.create_table(name, purchase_days(table, window, columns), temp=True)
    everyone = backend.create_table(f"{name}_c", by_customer(days, window, columns, names), temp=True)
    try:
        return _split(transactions, window, days, everyone, acquired, columns, amount_unit, calendars)
    finally:
        backend.drop_table(f"{name}_c")
        backend.drop_table(name)


def _unknown_names(
    transactions: Transactions, groups: Sequence[str], covariates: Sequence[str], statistics: Sequence[str]
) -> Iterator[Problem]:
    known_groups = (*transactions.groups, *DERIVED_GROUPS)
    for kind, names, known in (
        ("group", groups, known_groups),
        ("covariate", covariates, transactions.covariates),
        ("statistic", statistics, STATISTICS),
    ):
        yield from (unknown(kind, name, known) for name in names if name not in known)


def _continuous_only(transactions: Transactions, calendars: Sequence[SuppliedCalendar]) -> Iterator[Problem]:
    """What opportunities do not go with."""
    if "ended" in transactions.table.columns:
        advice = "Leave 'ended' out of the columns: of renewals, a period without one tells the end"
        yield Problem("the day of an end needs continuous time", "time", "opportunities", advice)
    if calendars:
        yield Problem("a calendar goes with continuous time", "calendars", calendars[0].name)


def _split(
    transactions: Transactions,
    window: Window,
    days: ibis.Table,
    everyone: ibis.Table,
    acquired: Acquired | None,
    groups: Sequence[str],
    amount_unit: float,
    calendars: Sequence[SuppliedCalendar],
) -> Split:
    used = everyone.filter(everyone.first_purchase <= window.end_day)
    if acquired:
        used = acquired.filter(used)
    table = used.execute().set_index("customer_id").sort_index()
    if table.empty:
        raise DataError(_nobody(everyone, window, acquired))
    table.index = table.index.astype("str")
    columns = _columns(table, groups)
    problems = [problem for calendar in calendars for problem in calendar_problems(calendar, columns, window)]
    if problems:
        raise DataError(problems)
    for calendar in calendars:
        columns = columns.assign(**calendar_columns(calendar, columns, days, window))
    warnings = (*transactions.warnings, *notes(transactions, window, everyone, table, acquired, groups))
    customers = Customers(
        columns,
        window.time_unit,
        window.end,
        transactions.currency,
        float(amount_unit),
        warnings,
        window.time,
    )
    return Split(customers, _holdout(table, window), tracked_purchases(days, used, window))


def _holdout(table: pd.DataFrame, window: Window) -> Holdout | None:
    if window.until <= window.end:
        return None
    actual = pd.DataFrame({"purchases": table["held_purchases"].astype("int64")})
    if "held_spend" in table:
        actual["spend"] = table["held_spend"].astype("float64")
    return Holdout(actual, window.holdout, window.end + pd.Timedelta(days=1), window.until)


def _nobody(everyone: ibis.Table, window: Window, acquired: Acquired | None) -> Problem:
    ends = everyone.aggregate(first=_.first_purchase.min(), last=_.first_purchase.max()).execute()
    span = " to ".join(f"{pd.Timestamp(day):%Y-%m-%d}" for day in ends.iloc[0])
    where = "acquired_between" if acquired else f"calibration_end {window.end:%Y-%m-%d}"
    return Problem("no customer is left", where, known=f"First purchases lie in {span}")


def _columns(table: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """Statistics, first_purchase, groups: the columns of `Customers.table`."""
    first = pd.to_datetime(table["first_purchase"]).astype("datetime64[us]")
    columns = table[[name for name in STATISTICS if name in table]].assign(first_purchase=first)
    for i, group in enumerate(groups):
        values = table[f"g{i}"]
        columns[group] = values.astype("float64" if is_numeric_dtype(values) else "str")
    columns["first_month"] = first.dt.strftime("%Y-%m").astype("str")
    return columns


class _Stage(ModuleType):
    """The module may be called as its function: it is what `from clvmodels.customers import summarize` gives."""

    def __call__(self, *args: Any, **kwargs: Any) -> Split:
        return summarize(*args, **kwargs)


sys.modules[__name__].__class__ = _Stage
