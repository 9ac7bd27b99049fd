"""Each purchase with what became of it, and what cost models observe of a customer at a day.

A purchase is a customer's orders of one day, as elsewhere. What comes back is told of the purchase that it belongs to:
by its order's number where there is one, else the customer's last purchase on or before that day; what comes more than
the return window after its purchase is passed over, so that each purchase that is old enough was watched for as long.
Unpaid orders are told in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.models.costs.contract import ROLES
from clvmodels.models.costs.returns import WHOLE
from clvmodels.sources.cleaning import EXACT, EXACT_LOG
from clvmodels.sources.consolidation import Company

BAD_DEBT, FEE = "bad_debt", "fee"
"""Kinds of payments."""


def purchases(company: Company, windows: Windows, until: pd.Timestamp) -> ibis.Table:
    """One row a purchase up to that day, in the embedded engine.

    customer_id, date, amount, cost (of the goods; null where not known), returned (value that came back within the
    window, at most the amount), unpaid (whether it was written off within the window).
    """
    table, days = orders_and_days(company, until)
    events = company.events.filter(_.date <= ibis.date(until.date()))
    back = of_purchases(events.filter(_.role == "returns"), table, days, windows.returns)
    back = back.group_by(["customer_id", "bought"]).agg(returned=_.amount.cast(EXACT).sum().cast("float64"))
    owed = events.filter(_.role == "payments", _.kind == BAD_DEBT)
    owed = of_purchases(owed, table, days, windows.bad_debt).select("customer_id", "bought").distinct()
    joined = days.left_join(back, [days.customer_id == back.customer_id, days.date == back.bought])
    joined = joined.select(
        "customer_id", "date", "amount", "cost", returned=ibis.least(joined.returned.fill_null(0.0), joined.amount)
    )
    both = joined.left_join(owed, [joined.customer_id == owed.customer_id, joined.date == owed.bought])
    return both.select("customer_id", "date", "amount", "cost", "returned", unpaid=both.bought.notnull())


def orders_and_days(company: Company, until: pd.Timestamp) -> tuple[ibis.Table, ibis.Table]:
    """The orders up to that day, and one row a purchase: customer_id, date, amount, cost (null where not known)."""
    table = company.transactions.table
    table = table.filter(_.date <= ibis.date(until.date()))
    table = table if "amount" in table.columns else table.mutate(amount=ibis.null("float64"))
    columns = {"amount": _.amount.cast(EXACT).sum().cast("float64")}
    known = _.cost.notnull().all().ifelse(_.cost.cast(EXACT).sum().cast("float64"), ibis.null("float64"))
    columns["cost"] = known if "cost" in table.columns else ibis.null("float64")
    days = table.group_by(["customer_id", "date"]).agg(**columns)
    return table, days


def of_purchases(events: ibis.Table, orders: ibis.Table, days: ibis.Table, window: int) -> ibis.Table:
    """Events with `bought`, the day of the purchase that they belong to, not later than `window` days after it."""
    events = events.select("customer_id", "date", "amount", "order_id")
    last = days.select("customer_id", bought=days.date)
    rest = events
    found = []
    if "order_id" in orders.columns:
        known = orders.filter(_.order_id.notnull()).group_by(["customer_id", "order_id"]).agg(bought=_.date.min())
        found.append(events.inner_join(known, ["customer_id", "order_id"]))
        rest = events.anti_join(known, ["customer_id", "order_id"])
    latest = rest.asof_join(last, on=rest.date >= last.bought, predicates="customer_id")
    found.append(latest.filter(_.bought.notnull()))
    told = [table.select("customer_id", "date", "amount", "bought") for table in found]
    whole = ibis.union(*told) if told[1:] else told[0]
    return whole.filter(_.date >= _.bought, _.date.delta(_.bought, unit="day") <= window)


# --------------------------------------------------------------------------------------- what cost models observe


def with_costs(
    company: Company,
    customers: Customers,
    roles: Iterable[str],
    *,
    windows: Windows | None = None,
    cost_per_minute: float = 0.0,
) -> Customers:
    """The customers with the statistics of these cost models, up to their own end of observation.

    purchases (of all kinds of days, the first too); returnable, returned, returned_whole, returned_log_sum,
    returned_log1m_sum (purchases old enough to tell, those sent back, those sent back whole, logs of the shares of the
    others and of what is left of them); billed, unpaid (old enough and, beside returns, not sent back; written off);
    contacts (beside handling those that cost something); referrals; handling_count, handling_log_sum, handling_log_ss
    (contacts that cost something, the logs of their costs and their squares about the mean); margin_count, margin_sum,
    margin_ss (purchases whose margin rate is known, the rates and their squares about the mean).

    Parameters
    ----------
    roles
        Of `clvmodels.models.ROLES`.
    cost_per_minute
        Of contacts that are told in minutes, in the currency.

    Raises
    ------
    ConfigError
        An unknown role.
    DataError
        A role that the company's tables tell nothing of.
    """
    roles = list(dict.fromkeys(roles))
    if problems := [unknown("role of a cost model", role, ROLES) for role in roles if role not in ROLES]:
        raise ConfigError(problems)
    if problems := [problem for role in roles if (problem := _untold(company, role))]:
        raise DataError(problems)
    windows = windows or Windows()
    bought = purchases(company, windows, customers.observation_end)
    seen = _Seen(company, customers, bought, windows, cost_per_minute, frozenset(roles))
    people = pd.Index(customers.table.index)
    columns: dict[str, pd.Series] = {}
    for role in roles:
        columns |= _STATISTICS[role](seen)
    table = customers.table.assign(**{name: c.reindex(people, fill_value=0.0) for name, c in columns.items()})
    return replace(customers, table=table)


def _untold(company: Company, role: str) -> Problem | None:
    """Why a role's statistics cannot be made, where they cannot."""
    needed = {
        "returns": "returns",
        "bad_debt": "payments",
        "contacts": "contacts",
        "handling": "contacts",
        "referrals": "referrals",
    }
    if role == "margin":
        missing = "cost" not in company.transactions.table.columns
        known = "Name the column of the goods' cost: columns: {cost: ...} of orders or order lines"
        return Problem("no margin can be made", "costs: margin", "no cost of the goods", known) if missing else None
    if needed[role] in company.roles:
        return None
    known = f"Add a table with role: {needed[role]} to the sources"
    return Problem(f"no table tells of {ROLES[role]}", f"costs: {role}", known=known)


@dataclass(frozen=True)
class _Seen:
    """What statistics are made of: the purchases of the customers up to their end of observation, and the events."""

    company: Company
    customers: Customers
    bought: ibis.Table
    windows: Windows
    cost_per_minute: float
    roles: frozenset[str]

    def old(self, days: int) -> ibis.Table:
        """Purchases that were watched for so many days."""
        return self.bought.filter(
            _.date <= ibis.date((self.customers.observation_end - pd.Timedelta(days=days)).date())
        )

    def since_first(self, role: str) -> ibis.Table:
        """A role's events from the customer's first purchase to the end of observation: what the exposure speaks of."""
        first = self.bought.group_by("customer_id").agg(first=_.date.min())
        until = ibis.date(self.customers.observation_end.date())
        events = self.company.events.filter(_.role == role, _.date <= until)
        return events.inner_join(first, "customer_id").filter(_.date >= _.first)

    def purchases(self) -> dict[str, pd.Series]:
        return _by_customer(self.bought, purchases=_.count())


def _returns(seen: _Seen) -> dict[str, pd.Series]:
    old = seen.old(seen.windows.returns).filter(_.amount > 0)
    share = old.returned / old.amount
    back, part = share > 0, (share > 0) & (share < WHOLE)
    log = part.ifelse(share, 1.0).ln().cast(EXACT_LOG)
    log1m = part.ifelse(1.0 - share, 1.0).ln().cast(EXACT_LOG)
    marked = old.select("customer_id", back=back, whole=share >= WHOLE, log=log, log1m=log1m)
    return _by_customer(
        marked,
        returnable=_.count(),
        returned=_.back.sum(),
        returned_whole=_.whole.sum(),
        returned_log_sum=_.log.sum(),
        returned_log1m_sum=_.log1m.sum(),
    )


def _bad_debt(seen: _Seen) -> dict[str, pd.Series]:
    """Of purchases not sent back, where a returns model says how many these are; else of all."""
    old = seen.old(seen.windows.bad_debt)
    old = old.mutate(unpaid=old.unpaid & (old.returned == 0))
    if "returns" in seen.roles:
        old = old.filter(_.returned == 0)
    return _by_customer(old, billed=_.count(), unpaid=_.unpaid.sum())


def _contacts(seen: _Seen) -> dict[str, pd.Series]:
    """Where handling is modelled, of those that cost something: what one costs is the mean of these."""
    events = seen.since_first("contacts")
    if "handling" in seen.roles:
        events = events.filter(cost_of_contacts(events, seen.cost_per_minute) > 0)
    return seen.purchases() | _by_customer(events, contacts=_["count"].sum())


def _referrals(seen: _Seen) -> dict[str, pd.Series]:
    brought = seen.since_first("referrals")
    if bool(brought.detail.notnull().any().execute()):  # the table tells whom: an invitation alone brings nobody
        brought = brought.filter(_.detail.notnull())
    return seen.purchases() | _by_customer(brought, referrals=_["count"].sum())


def _handling(seen: _Seen) -> dict[str, pd.Series]:
    events = seen.since_first("contacts")
    cost = cost_of_contacts(events, seen.cost_per_minute) / seen.customers.amount_unit
    each = events.select("customer_id", cost=cost).filter(_.cost > 0).mutate(log=_.cost.ln())
    if not int(each.count().execute()):
        known = "Name columns: {minutes: ...} and say economics: cost_per_minute, or columns: {amount: ...}"
        raise DataError(Problem("no contact costs anything", "costs: handling", known=known))
    return _about_mean(each, "log", "handling_count", "handling_log_sum", "handling_log_ss")


def cost_of_contacts(events: ibis.Table, cost_per_minute: float) -> ibis.Value:
    """In the currency: as it is told, else by the minute."""
    return ibis.coalesce(events.amount, events.value * cost_per_minute)


def _margin(seen: _Seen) -> dict[str, pd.Series]:
    known = seen.bought.filter(_.amount > 0, _.cost.notnull())
    each = known.select("customer_id", rate=1.0 - known.cost / known.amount)
    return _about_mean(each, "rate", "margin_count", "margin_sum", "margin_ss")


def _about_mean(each: ibis.Table, name: str, count: str, total: str, squares: str) -> dict[str, pd.Series]:
    """Number, sum and sum of squares about the customer's mean of a column; sums of decimals, whatever the order."""
    value = each[name].cast(EXACT_LOG)
    mean = each.group_by("customer_id").agg(mean=value.sum().cast("float64") / each.count())
    off = each.inner_join(mean, "customer_id")
    off = off.mutate(own=off[name].cast(EXACT_LOG), square=((off[name] - off.mean) ** 2).cast(EXACT_LOG))
    return _by_customer(off, **{count: _.count(), total: _.own.sum(), squares: _.square.sum()})


def _by_customer(table: ibis.Table, **aggregates: ibis.Value) -> dict[str, pd.Series]:
    found = table.group_by("customer_id").agg(**aggregates).execute().set_index("customer_id")
    return {name: found[name].astype(np.float64) for name in aggregates}


_STATISTICS = {
    "returns": _returns,
    "bad_debt": _bad_debt,
    "contacts": _contacts,
    "handling": _handling,
    "referrals": _referrals,
    "margin": _margin,
}
