"""The expressions behind `summarize`: purchases merged by day, or by period where time counts opportunities, then one
row a customer, in the embedded engine.

A statistic that a new model asks for is an entry of `STATISTICS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.customers.window import Acquired, Window
from clvmodels.dates import period_end, period_of
from clvmodels.sources.cleaning import EXACT, EXACT_LOG
from clvmodels.sources.transactions import Transactions

MISSING_GROUP = "(missing)"


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
    aggregates: Mapping[str, Callable[[ibis.Table], ibis.Value]] = field(default_factory=dict)
    days: Mapping[str, Callable[[ibis.Table], ibis.Value]] = field(default_factory=dict)
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
    first, count, total = _log(c.first_spend), _amount_count(c, window), _amount_log_sum(c, window)
    squares = (c.squared_logs - (first * first).cast(EXACT_LOG)).cast("float64")
    return (count > 1).ifelse(ibis.greatest(squares - total * total / count.nullif(0), 0.0), 0.0)


def _sum_log_gaps(c: ibis.Table, window: Window) -> ibis.Value:
    in_days = c.log_gaps.fill_null(0).cast("float64")  # null: no gap at all
    return (c.purchases > 1).ifelse(in_days - (c.purchases - 1) * math.log(window.days_per_unit), 0.0)


def _days_since_last(days: ibis.Table) -> ibis.Value:
    """Days since the customer's purchase day before; null on the first."""
    before = days.date.lag().over(ibis.window(group_by=days.customer_id, order_by=days.date))
    return days.date.delta(before, unit="day")


def _paid(purchases: pd.DataFrame) -> pd.api.typing.DataFrameGroupBy:
    """Simulated repeat purchases that brought money, with the log and its squared distance from the customer's mean."""
    paid = purchases[(purchases["age"] > 0) & (purchases["amount"] > 0)]
    paid = paid.assign(log=np.log(paid["amount"]))
    off = paid["log"] - paid.groupby("customer_id")["log"].transform("mean")
    return paid.assign(square=off**2).groupby("customer_id")


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
    # of the repeat purchase days that brought money: their number, their amounts, the logs of these
    "amount_count": Statistic(
        _amount_count,
        lambda p: _paid(p).size(),
        {"paid_days": lambda days: (days.observed & (days.spend > 0)).sum()},
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
        {"logs": lambda days: days.log.cast(EXACT_LOG).sum(where=days.observed)},
        {"log": lambda days: _log(days.spend)},
        needs_amount=True,
    ),
    "amount_log_ss": Statistic(
        _amount_log_ss,
        lambda p: _paid(p)["square"].sum(),
        {
            "paid_days": lambda days: (days.observed & (days.spend > 0)).sum(),
            "logs": lambda days: days.log.cast(EXACT_LOG).sum(where=days.observed),
            "squared_logs": lambda days: (days.log * days.log).cast(EXACT_LOG).sum(where=days.observed),
        },
        {"log": lambda days: _log(days.spend)},
        needs_amount=True,
    ),
    "sum_log_gaps": Statistic(
        _sum_log_gaps,
        _log_gaps,
        {"log_gaps": lambda days: days.gap.cast("float64").ln().cast(EXACT_LOG).sum(where=days.observed)},
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


def purchase_days(table: ibis.Table, window: Window, groups: Sequence[str]) -> ibis.Table:
    """One row a customer and day up to the window's last: customer_id, date, observed, spend, lowest and highest
    value of each group column. Where time counts opportunities it is one row a customer and period, of which `date` is
    the first purchase's."""
    aggregates, merged = {}, ["customer_id", "date"]
    if "amount" in table.columns:
        aggregates["spend"] = _.amount.cast(EXACT).sum()
    if "ended" in table.columns:
        aggregates["ended"] = _.ended.max()
    for i, group in enumerate(groups):
        aggregates |= {f"low{i}": table[group].min(), f"high{i}": table[group].max()}
    seen = table.filter(_.date <= ibis.date(window.until.date()))
    if window.time == "opportunities":
        seen, merged = seen.mutate(period=window.number(seen.date)), ["customer_id", "period"]
        aggregates["date"] = _.date.min()
    days = seen.group_by(merged).agg(**aggregates)
    return days.mutate(observed=days.date <= window.end_day)


def by_customer(days: ibis.Table, window: Window, groups: Sequence[str], statistics: Sequence[str]) -> ibis.Table:
    """One row for every customer of `days`, those first seen after the end of observation too: customer_id,
    first_purchase, the statistics, held_purchases, held_spend, group columns g0, ... and conflict0, ..."""
    has_amount, continuous = "spend" in days.columns, window.time == "continuous"
    chosen = {n: STATISTICS[n] for n in statistics if has_amount or not STATISTICS[n].needs_amount}
    chosen = {n: s for n, s in chosen.items() if continuous or not s.needs_times}
    chosen = {n: s for n, s in chosen.items() if "ended" in days.columns or not s.needs_end}
    days = days.mutate(**{name: column(days) for s in chosen.values() for name, column in s.days.items()})
    aggregates = {
        "first_purchase": days.date.min(),
        "last": days.date.max(where=days.observed),
        "purchases": days.observed.sum(),
        "held_purchases": (~days.observed).sum(),
    }
    if has_amount:
        aggregates |= {
            "spend": days.spend.sum(where=days.observed),
            "first_spend": days.spend.argmin(days.date),
            "held_spend": days.spend.sum(where=~days.observed).fill_null(0),
        }
    for i, _group in enumerate(groups):
        known = days.observed & days[f"low{i}"].notnull()
        first = days[f"low{i}"].argmin(days.date, where=known)
        aggregates[f"g{i}"] = first.fill_null(MISSING_GROUP) if first.type().is_string() else first
        low, high = days[f"low{i}"].min(where=known), days[f"high{i}"].max(where=known)
        aggregates[f"conflict{i}"] = (low != high).fill_null(False)
    for statistic in chosen.values():
        aggregates |= {name: aggregate(days) for name, aggregate in statistic.aggregates.items()}
    if "ended" in days.columns:
        aggregates["ended"] = days.ended.max()
    customers = days.group_by("customer_id").agg(**aggregates)
    until = ibis.least(customers.ended, window.end_day) if "ended" in days.columns else window.end_day
    customers = customers.mutate(seen_until=until)
    held = ["held_purchases", *(["held_spend"] if has_amount else [])]
    kept = [f"{kind}{i}" for i in range(len(groups)) for kind in ("g", "conflict")]
    values = {name: statistic.of(customers, window) for name, statistic in chosen.items()}
    return customers.select("customer_id", "first_purchase", *held, *kept, **values)


def tracked_purchases(days: ibis.Table, kept: ibis.Table, window: Window) -> pd.DataFrame:
    """Repeat purchases of the kept customers by whole weeks counted back and forth from the end of observation, or by
    period where time counts opportunities, from the one after the first customer's on."""
    firsts = kept.select("customer_id", "first_purchase")
    repeat = days.inner_join(firsts, "customer_id").filter(_.date > _.first_purchase)
    start = pd.Timestamp(kept.first_purchase.min().execute())
    if window.time == "opportunities":
        periods = pd.RangeIndex(period_of(start, window.end, window.time_unit) + 1, int(window.holdout) + 1)
        number = window.number(repeat.date)
    else:  # the last week that is observed is 0, as the last period is
        weeks = window._replace(time_unit="week")
        observed, held = (window.end - start).days + 1, (window.until - window.end).days
        periods = pd.RangeIndex(1 - observed // 7, held // 7 + 1)
        number = weeks.number(repeat.date)
    counts = repeat.group_by(number=number).agg(purchases=_.count()).execute()
    unit = window.time_unit if window.time == "opportunities" else "week"
    return pd.DataFrame(
        {
            "start": [period_end(window.end, unit, number - 1) + pd.Timedelta(days=1) for number in periods],
            "purchases": counts.set_index("number")["purchases"].reindex(periods, fill_value=0).to_numpy("int64"),
            "held_out": periods > 0,
        }
    )


def notes(
    transactions: Transactions,
    window: Window,
    everyone: ibis.Table,
    table: pd.DataFrame,
    acquired: Acquired | None,
    groups: Sequence[str],
) -> list[str]:
    """What was left out, and what gives reason for doubt."""
    found = []
    later = int(transactions.table.filter(_.date > ibis.date(window.until.date())).count().execute())
    if later:
        found.append(f"{later:,} transactions after {window.until:%Y-%m-%d} are not used")
    new = int(everyone.filter(_.first_purchase > window.end_day).count().execute())
    if new:
        found.append(
            f"{new:,} customers first bought after the calibration end, {window.end:%Y-%m-%d}, and are left out"
        )
    if window.time == "opportunities":
        found += _merged(transactions, window)
    both = {"frequency", "amount_count"} <= {*table.columns}
    if both and (free := int((table["frequency"] - table["amount_count"]).sum())):
        found.append(f"{free:,} repeat purchases brought no money: models of the amounts leave them out")
    for i, group in enumerate(groups):
        if conflicts := int(table[f"conflict{i}"].sum()):
            found.append(f"{conflicts:,} customers have several values of '{group}': the first by date counts")
    if acquired is None:
        found += _left_truncation(everyone, window)
    elif outside := int(everyone.filter(_.first_purchase <= window.end_day).count().execute()) - len(table):
        found.append(f"{outside:,} customers first bought outside acquired_between and are left out")
    return found


def _merged(transactions: Transactions, window: Window) -> list[str]:
    """What counting opportunities makes of purchases, and of a last period that the data do not cover."""
    found, unit = [], window.time_unit
    seen = transactions.table.filter(_.date <= ibis.date(window.until.date()))
    each = seen.select("customer_id", "date", period=window.number(seen.date))
    days, periods = (int(each.select("customer_id", kind).distinct().count().execute()) for kind in ("date", "period"))
    merged = days - periods
    if merged:
        found.append(
            f"{merged:,} purchase days fall in a {unit} in which the customer had bought before; it counts once"
        )
    if transactions.data_end < window.until:
        covered = f"{transactions.data_end:%Y-%m-%d}"
        found.append(
            f"the last {unit} is taken as a whole opportunity, but the data end on {covered}: who buys later in it "
            f"counts as not having bought. Where the table covers the {unit}, say data_end: {window.until:%Y-%m-%d}"
        )
    return found


def _left_truncation(everyone: ibis.Table, window: Window) -> list[str]:
    """The rule is in the notes of `summarize`."""
    firsts = everyone.filter(_.first_purchase <= window.end_day).group_by("first_purchase").agg(n=_.count()).execute()
    day = pd.to_datetime(firsts["first_purchase"])
    period = (day - day.min()).dt.days // 30
    whole = (int((day.max() - day.min()).days) + 1) // 30
    counts = firsts.groupby(period)["n"].sum().reindex(range(whole), fill_value=0)
    if whole < 4:
        return []
    usual = counts.iloc[1:].median()
    if counts.iloc[0] <= 2 * usual or counts.iloc[0] < usual + 20:
        return []
    return [
        f"the first 30 days hold {counts.iloc[0]:,} first purchases, later 30 days about {usual:,.0f}: many of these "
        "customers may have bought before the table begins; acquired_between leaves them out"
    ]
