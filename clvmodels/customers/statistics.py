"""What models read of a customer's purchases: each statistic by its name, from tables and from simulated histories.

A statistic that a new model asks for is an entry of `STATISTICS`. Expressions are the embedded engine's: c is a table
of customers, days a table of their purchase days (see `aggregation`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import ibis
import numpy as np
import pandas as pd

from clvmodels.customers.summary_window import Window
from clvmodels.sources.cleaning import EXACT_LOG

NONE: Mapping = MappingProxyType({})


@dataclass(frozen=True)
class Statistic:
    """A statistic of a customer's observed purchases, from the tables and from a simulated history.

    Parameters
    ----------
    of
        From a table of customers (first_purchase, last: days; seen_until: the end of observation, or the customer's own
        before it; purchases: their number; spend, first_spend: money; and what `aggregates` adds) and the window to the
        statistic.
    simulated
        The same from a table with one row a purchase: customer_id, age (the first of each customer at 0), T (the age
        at the end of observation), amount where amounts are known, and whatever else the simulator tells. By
        customer_id; customers that are left out have 0.
    aggregates
        Further columns of the table of customers: name -> aggregate over a customer's days (date, spend, observed, and
        what `days` adds).
    days
        Further columns of the table of days: name -> value in each row.
    needs_amount
        Left out where the amounts are unknown.
    needs_times
        Left out where time counts opportunities.
    needs_end
        Left out where no column tells the customers' ends.
    """

    of: Callable[[ibis.Table, Window], ibis.Value]
    simulated: Callable[[pd.DataFrame], pd.Series]
    aggregates: Mapping[str, Callable[[ibis.Table], ibis.Value]] = NONE
    days: Mapping[str, Callable[[ibis.Table], ibis.Value]] = NONE
    needs_amount: bool = False
    needs_times: bool = False
    needs_end: bool = False


def _mean_repeat_spend(c: ibis.Table, window: Window) -> ibis.Value:
    repeat = c.purchases - 1
    return (repeat > 0).ifelse((c.spend - c.first_spend).cast("float64") / repeat, 0.0)


def _log(money: ibis.Value) -> ibis.Value:
    """The logarithm of an amount, 0 where there is none: it adds nothing to a sum, as a day that brought nothing."""
    return (money > 0).ifelse(money.cast("float64"), 1.0).ln()


def _amount_count(c: ibis.Table, window: Window) -> ibis.Value:
    return (c.paid_days - (c.first_spend > 0).cast("int64")).cast("int64")


def _amount_log_sum(c: ibis.Table, window: Window) -> ibis.Value:
    return (c.logs - _log(c.first_spend).cast(EXACT_LOG)).cast("float64")


def _amount_log_ss(c: ibis.Table, window: Window) -> ibis.Value:
    """Sum of squares less its mean's share: both sums are exact to 15 decimals, so that the difference is good."""
    first = _log(c.first_spend)
    count = _amount_count(c, window)
    total = _amount_log_sum(c, window)
    squares = (c.squared_logs - (first * first).cast(EXACT_LOG)).cast("float64")
    about_mean = squares - total * total / count.nullif(0)
    # Rounding may leave a little less than nothing; one amount has no spread.
    return (count > 1).ifelse(ibis.greatest(about_mean, 0.0), 0.0)


def _sum_log_gaps(c: ibis.Table, window: Window) -> ibis.Value:
    """In logs of time units: each gap, of days, less the log of a unit's days."""
    in_days = c.log_gaps.fill_null(0).cast("float64")  # null: no gap at all
    of_units = (c.purchases - 1) * math.log(window.days_per_unit)
    return (c.purchases > 1).ifelse(in_days - of_units, 0.0)


def _days_since_last(days: ibis.Table) -> ibis.Value:
    """Days since the customer's purchase day before; null on the first."""
    by_date = ibis.window(group_by=days.customer_id, order_by=days.date)
    return days.date.delta(days.date.lag().over(by_date), unit="day")


def _sum_of_logs(logs: ibis.Value, days: ibis.Table) -> ibis.Value:
    """Exact, so that the order of the days changes nothing."""
    return logs.cast(EXACT_LOG).sum(where=days.observed)


def _paid_days(days: ibis.Table) -> ibis.Value:
    return (days.observed & (days.spend > 0)).sum()


def _paid(purchases: pd.DataFrame) -> pd.api.typing.DataFrameGroupBy:
    """Simulated repeat purchases that brought money, with the log and its squared distance from the customer's mean."""
    paid = purchases[(purchases["age"] > 0) & (purchases["amount"] > 0)]
    paid = paid.assign(log=np.log(paid["amount"]))
    mean = paid.groupby("customer_id")["log"].transform("mean")
    return paid.assign(square=(paid["log"] - mean) ** 2).groupby("customer_id")


def _log_gaps(purchases: pd.DataFrame) -> pd.Series:
    ordered = purchases.sort_values(["customer_id", "age"])
    gaps = ordered.groupby("customer_id")["age"].diff()  # nan on the first
    return np.log(gaps).groupby(ordered["customer_id"]).sum()


STATISTICS = {
    "frequency": Statistic(
        lambda c, window: (c.purchases - 1).cast("int64"),
        lambda p: p.groupby("customer_id").size() - 1,
    ),
    "recency": Statistic(
        lambda c, window: window.between(c.first_purchase, c.last),
        lambda p: p.groupby("customer_id")["age"].max(),
    ),
    "T": Statistic(
        lambda c, window: window.between(c.first_purchase, c.seen_until),
        lambda p: p.groupby("customer_id")["T"].first(),
    ),
    "monetary_value": Statistic(
        _mean_repeat_spend,
        lambda p: p[p["age"] > 0].groupby("customer_id")["amount"].mean(),
        needs_amount=True,
    ),
    "first_amount": Statistic(
        lambda c, window: c.first_spend.cast("float64"),
        lambda p: p[p["age"] == 0].groupby("customer_id")["amount"].first(),
        needs_amount=True,
    ),
    # of the repeat purchase days that brought money: their number, their amounts, the logs of these
    "amount_count": Statistic(
        _amount_count,
        lambda p: _paid(p).size(),
        {"paid_days": _paid_days},
        needs_amount=True,
    ),
    "amount_sum": Statistic(
        lambda c, window: (c.spend - c.first_spend).cast("float64"),
        lambda p: _paid(p)["amount"].sum(),
        needs_amount=True,
    ),
    "amount_log_sum": Statistic(
        _amount_log_sum,
        lambda p: _paid(p)["log"].sum(),
        {"logs": lambda days: _sum_of_logs(days.log, days)},
        {"log": lambda days: _log(days.spend)},
        needs_amount=True,
    ),
    "amount_log_ss": Statistic(
        _amount_log_ss,
        lambda p: _paid(p)["square"].sum(),
        {
            "paid_days": _paid_days,
            "logs": lambda days: _sum_of_logs(days.log, days),
            "squared_logs": lambda days: _sum_of_logs(days.log * days.log, days),
        },
        {"log": lambda days: _log(days.spend)},
        needs_amount=True,
    ),
    "sum_log_gaps": Statistic(
        _sum_log_gaps,
        _log_gaps,
        {"log_gaps": lambda days: _sum_of_logs(days.gap.cast("float64").ln(), days)},
        {"gap": _days_since_last},
        needs_times=True,
    ),
    # a contract's: whether it ended within the observation, and then T is the age at the end
    "status": Statistic(
        lambda c, window: (c.ended <= window.end_day).fill_null(False).ifelse("ended", "alive"),
        lambda p: p.groupby("customer_id")["status"].first(),
        needs_end=True,
    ),
}
