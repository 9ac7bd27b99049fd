"""The tables behind `summarize`, in the embedded engine: purchases merged by day, or by period where time counts
opportunities, then one row a customer; and the base's purchases by week."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import pandas as pd
from ibis import _

from clvmodels.customers.statistics import STATISTICS, Statistic
from clvmodels.customers.summary_window import Window
from clvmodels.dates import period_end, period_of
from clvmodels.sources.cleaning import EXACT
from clvmodels.words import MISSING_GROUP


def purchase_days(table: ibis.Table, window: Window, groups: Sequence[str]) -> ibis.Table:
    """One row a customer and day up to the window's last: customer_id, date, observed, spend, lowest and highest
    value of each group column. Where time counts opportunities it is one row a customer and period, of which `date` is
    the first purchase's."""
    purchases = table.filter(_.date <= ibis.date(window.until.date()))
    merged_by = ["customer_id", "date"]
    aggregates = {}
    if "amount" in table.columns:
        aggregates["spend"] = _.amount.cast(EXACT).sum()
    if "ended" in table.columns:
        aggregates["ended"] = _.ended.max()
    for i, group in enumerate(groups):
        aggregates |= {f"low{i}": table[group].min(), f"high{i}": table[group].max()}
    if window.time == "opportunities":
        purchases = purchases.mutate(period=window.number(purchases.date))
        merged_by = ["customer_id", "period"]
        aggregates["date"] = _.date.min()
    days = purchases.group_by(merged_by).agg(**aggregates)
    return days.mutate(observed=days.date <= window.end_day)


def by_customer(days: ibis.Table, window: Window, groups: Sequence[str], statistics: Sequence[str]) -> ibis.Table:
    """One row for every customer of `days`, those first seen after the end of observation too: customer_id,
    first_purchase, the statistics, held_purchases, held_spend, group columns g0, ... and conflict0, ..."""
    computable = _computable(statistics, days, window)
    for statistic in computable.values():
        days = days.mutate(**{name: column(days) for name, column in statistic.days.items()})
    aggregates = _purchase_aggregates(days)
    for i in range(len(groups)):
        aggregates |= _group_aggregates(days, i)
    for statistic in computable.values():
        aggregates |= {name: aggregate(days) for name, aggregate in statistic.aggregates.items()}
    customers = days.group_by("customer_id").agg(**aggregates)
    end = window.end_day
    customers = customers.mutate(seen_until=ibis.least(customers.ended, end) if "ended" in customers.columns else end)
    columns = ["customer_id", "first_purchase", "held_purchases"]
    if "held_spend" in customers.columns:
        columns.append("held_spend")
        # Here and not by whoever reads it: decimals come as Python's, one object each.
        customers = customers.mutate(held_spend=customers.held_spend.cast("float64"))
    for i in range(len(groups)):
        columns += [f"g{i}", f"conflict{i}"]
    values = {name: statistic.of(customers, window) for name, statistic in computable.items()}
    return customers.select(*columns, **values)


def _computable(names: Sequence[str], days: ibis.Table, window: Window) -> dict[str, Statistic]:
    """The statistics of these names, without those that need what the days do not tell."""
    has_amount = "spend" in days.columns
    has_times = window.time == "continuous"
    has_end = "ended" in days.columns
    statistics = {}
    for name in names:
        statistic = STATISTICS[name]
        amount_told = has_amount or not statistic.needs_amount
        times_told = has_times or not statistic.needs_times
        end_told = has_end or not statistic.needs_end
        if amount_told and times_told and end_told:
            statistics[name] = statistic
    return statistics


def _purchase_aggregates(days: ibis.Table) -> dict[str, ibis.Value]:
    """What all statistics may read of a customer's days."""
    aggregates = {
        "first_purchase": days.date.min(),
        "last": days.date.max(where=days.observed),
        "purchases": days.count(where=days.observed),
        "held_purchases": days.count(where=~days.observed),
    }
    if "spend" in days.columns:
        aggregates |= {
            "spend": days.spend.sum(where=days.observed),
            "first_spend": days.spend.argmin(days.date),
            "held_spend": days.spend.sum(where=~days.observed).fill_null(0),
        }
    if "ended" in days.columns:
        aggregates["ended"] = days.ended.max()
    return aggregates


def _group_aggregates(days: ibis.Table, i: int) -> dict[str, ibis.Value]:
    """Of group column i its first value by date that is not missing, and whether the customer has several."""
    low, high = days[f"low{i}"], days[f"high{i}"]
    present = days.observed & low.notnull()
    first = low.argmin(days.date, where=present)
    if first.type().is_string():
        first = first.fill_null(MISSING_GROUP)
    several = low.min(where=present) != high.max(where=present)
    return {f"g{i}": first, f"conflict{i}": several.fill_null(False)}


def tracked_purchases(days: ibis.Table, customers: ibis.Table, window: Window) -> pd.DataFrame:
    """Repeat purchases of these customers by whole weeks counted back and forth from the end of observation, or by
    period where time counts opportunities, from the one after the first customer's on."""
    counted = window if window.time == "opportunities" else window._replace(time_unit="week")
    firsts = customers.select("customer_id", "first_purchase")
    repeat = days.inner_join(firsts, "customer_id").filter(_.date > _.first_purchase)
    counts = repeat.group_by(number=counted.number(repeat.date)).agg(purchases=_.count()).execute()
    numbers = _tracked_numbers(window, pd.Timestamp(customers.first_purchase.min().execute()))
    last_days_before = [period_end(window.end, counted.time_unit, number - 1) for number in numbers]
    return pd.DataFrame(
        {
            "start": [day + pd.Timedelta(days=1) for day in last_days_before],
            "purchases": counts.set_index("number")["purchases"].reindex(numbers, fill_value=0).to_numpy("int64"),
            "held_out": numbers > 0,
        }
    )


def _tracked_numbers(window: Window, first_day: pd.Timestamp) -> pd.RangeIndex:
    """The whole weeks or periods from the first customer's day on; 0 is the last that is observed."""
    if window.time == "opportunities":
        first_period = period_of(first_day, window.end, window.time_unit)
        return pd.RangeIndex(first_period + 1, int(window.holdout) + 1)
    observed = (window.end - first_day).days + 1
    held_out = (window.until - window.end).days
    return pd.RangeIndex(1 - observed // 7, held_out // 7 + 1)
