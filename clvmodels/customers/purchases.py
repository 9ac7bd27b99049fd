"""Each purchase with what became of it.

A purchase is a customer's orders of one day, as elsewhere. What comes back is told of the purchase that it belongs to:
by its order's number where there is one, else the customer's last purchase on or before that day; what comes more than
the return window after its purchase is passed over, so that each purchase that is old enough was watched for as long.
Unpaid orders are told in the same way.
"""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _

from clvmodels.customers.windows import LONGEST, Windows
from clvmodels.models.costs.bad_debt import WRITTEN_OFF
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company

MOST_RETURNS = 0.99
"""The share of the returned money that comes within the window of returns, where none is stated."""


def purchases(company: Company, windows: Windows, until: pd.Timestamp) -> ibis.Table:
    """One row a purchase up to that day, in the embedded engine.

    customer_id, date, amount, cost (of the goods; null where not known), returned (value that came back within the
    window, at most the amount), unpaid (whether it was written off within the window).
    """
    orders, days = orders_and_days(company, until)
    events = company.events.filter(_.date <= ibis.date(until.date()))
    back = of_purchases(events.filter(_.role == "returns"), orders, days, windows.days["returns"])
    back = back.group_by(["customer_id", "bought"]).agg(returned=_.amount.cast(EXACT).sum().cast("float64"))
    bills = events.filter(_.role == "payments", _.kind == WRITTEN_OFF)
    bills = of_purchases(bills, orders, days, windows.days["bad_debt"]).select("customer_id", "bought").distinct()
    with_returns = days.left_join(back, [days.customer_id == back.customer_id, days.date == back.bought])
    returned = ibis.least(with_returns.returned.fill_null(0.0), with_returns.amount)
    with_returns = with_returns.select("customer_id", "date", "amount", "cost", returned=returned)
    with_bills = with_returns.left_join(
        bills, [with_returns.customer_id == bills.customer_id, with_returns.date == bills.bought]
    )
    unpaid = with_bills.bought.notnull()
    return with_bills.select("customer_id", "date", "amount", "cost", "returned", unpaid=unpaid)


def orders_and_days(company: Company, until: pd.Timestamp) -> tuple[ibis.Table, ibis.Table]:
    """The orders up to that day, and one row a purchase: customer_id, date, amount, cost (null where not known)."""
    orders = company.transactions.table
    orders = orders.filter(_.date <= ibis.date(until.date()))
    if "amount" not in orders.columns:
        orders = orders.mutate(amount=ibis.null("float64"))
    cost = ibis.null("float64")
    if "cost" in orders.columns:  # of a day with an order of unknown cost, nothing is known
        cost = _.cost.notnull().all().ifelse(_.cost.cast(EXACT).sum().cast("float64"), ibis.null("float64"))
    amount = _.amount.cast(EXACT).sum().cast("float64")
    return orders, orders.group_by(["customer_id", "date"]).agg(amount=amount, cost=cost)


def of_purchases(events: ibis.Table, orders: ibis.Table, days: ibis.Table, window: int) -> ibis.Table:
    """Events with `bought`, the day of the purchase that they belong to, not later than `window` days after it."""
    linked = with_purchase(events.select("customer_id", "date", "amount", "order_id"), orders, days)
    whole = linked.select("customer_id", "date", "amount", "bought")
    return whole.filter(_.date >= _.bought, _.date.delta(_.bought, unit="day") <= window)


def with_purchase(events: ibis.Table, orders: ibis.Table, days: ibis.Table) -> ibis.Table:
    """Events with `bought`, the day of the purchase that they belong to; null where there is none."""
    columns = events.columns
    unnumbered, belonging = events, list[ibis.Table]()
    if "order_id" in orders.columns:
        numbered = orders.filter(_.order_id.notnull())
        numbered = numbered.group_by(["customer_id", "order_id"]).agg(bought=_.date.min())
        belonging.append(events.inner_join(numbered, ["customer_id", "order_id"]))
        unnumbered = events.anti_join(numbered, ["customer_id", "order_id"])
    last = days.select("customer_id", bought=days.date)
    belonging.append(unnumbered.asof_join(last, on=unnumbered.date >= last.bought, predicates="customer_id"))
    parts = [table.select(*columns, "bought") for table in belonging]
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def usual_windows(company: Company, until: pd.Timestamp, **stated: int) -> Windows:
    """How long purchases are watched, as stated; returns, where nothing is, as long as the data say: 99% of the money
    that had come back by that day did so within as many days after the purchase.

    Raises
    ------
    ConfigError
        As `Windows` does.
    """
    if "returns" in stated:
        return Windows(**stated)
    days = _days_of_most_returns(company, until)
    return Windows(**stated) if days is None else Windows(returns=days, **stated)


def _days_of_most_returns(company: Company, until: pd.Timestamp) -> int | None:
    """The least number of days within which most of the returned money came back; None where none came back."""
    orders, days = orders_and_days(company, until)
    returns = company.events.filter(_.role == "returns", _.date <= ibis.date(until.date()), _.amount > 0)
    linked = with_purchase(returns.select("customer_id", "date", "amount", "order_id"), orders, days)
    linked = linked.filter(_.date >= _.bought).mutate(days=_.date.delta(_.bought, unit="day"))
    by_days = linked.group_by("days").agg(money=_.amount.cast(EXACT).sum().cast("float64")).execute()
    if by_days.empty:
        return None
    money = by_days.set_index("days")["money"].sort_index()
    came_back = money.cumsum() / money.sum()
    enough = int(came_back.index[came_back >= MOST_RETURNS][0])
    return min(max(enough, 1), LONGEST)
