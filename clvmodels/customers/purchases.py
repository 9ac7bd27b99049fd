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

from clvmodels.customers.windows import Windows
from clvmodels.models.costs.bad_debt import WRITTEN_OFF
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company


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
    events = events.select("customer_id", "date", "amount", "order_id")
    unnumbered, belonging = events, list[ibis.Table]()
    if "order_id" in orders.columns:
        numbered = orders.filter(_.order_id.notnull())
        numbered = numbered.group_by(["customer_id", "order_id"]).agg(bought=_.date.min())
        belonging.append(events.inner_join(numbered, ["customer_id", "order_id"]))
        unnumbered = events.anti_join(numbered, ["customer_id", "order_id"])
    last = days.select("customer_id", bought=days.date)
    latest = unnumbered.asof_join(last, on=unnumbered.date >= last.bought, predicates="customer_id")
    belonging.append(latest.filter(_.bought.notnull()))
    parts = [table.select("customer_id", "date", "amount", "bought") for table in belonging]
    whole = ibis.union(*parts) if len(parts) > 1 else parts[0]
    return whole.filter(_.date >= _.bought, _.date.delta(_.bought, unit="day") <= window)
