"""Profit that was made: what the tables say of each customer between two days, in the parts that value has.

profit to date + residual value = lifetime value. Amounts are in the currency, costs negative, not discounted. What
comes with a purchase (a return, an unpaid bill) counts on the purchase's day, as in the forecast; contacts, campaigns
and fees on their own; own costs of acquisition on the first purchase, where they have no later day. What is still to
come back of the latest purchases is in neither the profit made nor the residual value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.customers.ledger import FEE, cost_of_contacts, purchases
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.draws import Array
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.parts import CREDIT, PARTS
from clvmodels.valuation.valuation import Values

ACQUISITION = "acquisition"
ACCOUNTS = (*(name for name in PARTS if name != CREDIT), ACQUISITION)
"""The parts of profit made. What customers brought is in the accounts of those who were brought."""
CHANNEL = "channel"
"""The group column that costs by channel and month are shared out by."""


@dataclass(frozen=True)
class _Ledger:
    """What is summed up: purchases and events of the customers between two days."""

    company: Company
    customers: Customers
    economics: Economics
    bought: ibis.Table
    start: pd.Timestamp
    end: pd.Timestamp

    def events(self, role: str) -> ibis.Table:
        return self.company.events.filter(_.role == role, self.between(_.date))

    def between(self, date: ibis.Value) -> ibis.Value:
        return date.between(ibis.date(self.start.date()), ibis.date(self.end.date()))


def profit_made(
    company: Company,
    customers: Customers,
    economics: Economics,
    *,
    roles: Iterable[str] = (),
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
    known_at: pd.Timestamp | None = None,
    windows: Windows | None = None,
) -> pd.DataFrame:
    """Profit of each customer from `start` to `end`, both days included, by part.

    Parameters
    ----------
    roles
        Of the cost models in use: the parts returns and service, and bad debt among the payments, are told where their
        role is among these, as in the forecast.
    start, end
        By default the first day of the data, and the customers' end of observation.
    known_at
        The day up to which returns and unpaid bills are known; by default the end of the data.
    windows
        How long a purchase is watched for what comes back; of late purchases not all is known yet.

    Returns
    -------
    DataFrame
        By customer_id, in the customers' order: a column a part of `ACCOUNTS` that these economics know of, `revenue`
        (the amounts), `purchases` and `profit`, the sum of the parts.
    """
    first, last = start or company.transactions.data_start, end or customers.observation_end
    bought = purchases(company, windows or Windows(), known_at or company.transactions.data_end)
    bought = bought.filter(_.date.between(ibis.date(first.date()), ibis.date(last.date())))
    money = {name: bought[name] * customers.amount_unit for name in ("amount", "cost", "returned")}
    told = _Ledger(company, customers, economics, _with_margin(bought.mutate(**money), economics), first, last)
    roles, people = set(roles), customers.table.index
    parts: dict[str, pd.Series] = {}
    for name in ACCOUNTS:
        found = _ACCOUNTS[name](told, roles)
        if found is not None:
            parts[name] = found.reindex(people, fill_value=0.0).astype(float)
    table = pd.DataFrame(parts, index=people)
    extent = _sums(told.bought, revenue=_.amount.cast(EXACT).sum(), purchases=_.count())
    extent = extent.reindex(people, fill_value=0.0).astype(float)
    return pd.DataFrame(
        {**table, "revenue": extent["revenue"], "purchases": extent["purchases"], "profit": table.sum(axis=1)}
    )


def lifetime_value(made: pd.DataFrame, values: Values, kind: str = "realised") -> Array:
    """Profit made up to the date of value plus what is left of the relation. [D, C]"""
    return made["profit"].reindex(values.customer_id).to_numpy()[None] + getattr(values, kind)


def _with_margin(bought: ibis.Table, economics: Economics) -> ibis.Table:
    """Purchases with `margin`, their rate: the stated one, or what the goods' cost leaves; where that is not known,
    what it leaves of all purchases together. And `given_away`: what goods cost for which nothing was paid."""
    if economics.margin is not None:
        return bought.mutate(margin=ibis.literal(economics.margin), given_away=0.0)
    known = bought.filter(_.cost.notnull())
    all_in_all = known.aggregate(amount=_.amount.sum(), cost=_.cost.sum()).execute().iloc[0]
    rate = 1.0 - float(all_in_all.cost) / float(all_in_all.amount) if all_in_all.amount else 0.0
    own = 1.0 - bought.cost / bought.amount.nullif(0)
    free = (bought.amount == 0).ifelse(bought.cost, 0.0).fill_null(0.0)
    return bought.mutate(margin=ibis.coalesce(own, rate), given_away=free)


def _sums(table: ibis.Table, **aggregates: ibis.Value) -> pd.DataFrame:
    return table.group_by("customer_id").agg(**aggregates).execute().set_index("customer_id")


def _sum(table: ibis.Table, value: ibis.Value) -> pd.Series:
    """Sum of an expression by customer, in whole millionths, whatever the order of the rows."""
    each = table.select("customer_id", value=value.cast(EXACT))
    return _sums(each, value=_.value.sum())["value"].astype(float)


def _gross_margin(told: _Ledger, roles: set[str]) -> pd.Series:
    t = told.bought
    return _sum(t, t.amount * t.margin - t.given_away)


def _returns(told: _Ledger, roles: set[str]) -> pd.Series | None:
    if "returns" not in roles:
        return None
    e, t = told.economics, told.bought
    lost = (1.0 - e.resold) * t.margin + e.written_off * (1.0 - t.margin)
    return -_sum(t, t.returned * lost + e.cost_per_return * (t.returned > 0).cast("float64"))


def _fulfilment(told: _Ledger, roles: set[str]) -> pd.Series | None:
    cost = told.economics.cost_per_order
    return -_sums(told.bought, n=_.count())["n"] * cost if cost else None


def _service(told: _Ledger, roles: set[str]) -> pd.Series | None:
    if "contacts" not in roles:
        return None
    events = told.events("contacts")
    if "handling" in roles:
        return -_sum(events, cost_of_contacts(events, told.economics.cost_per_minute).fill_null(0.0))
    return -_sum(events, events["count"] * told.economics.cost_per_contact)


def _payments(told: _Ledger, roles: set[str]) -> pd.Series | None:
    e, t = told.economics, told.bought
    fees = told.company.events.filter(_.role == "payments", _.kind == FEE)
    paid = _sum(t, t.amount * 0.0)
    if int(fees.count().execute()):
        each = told.events("payments").filter(_.kind == FEE)
        paid = paid.add(_sum(each, each.amount), fill_value=0.0)
    elif e.payment_fee or e.payment_fee_per_order:
        paid = paid + _sum(t, t.amount * e.payment_fee + e.payment_fee_per_order)
    elif "bad_debt" not in roles:
        return None
    if "bad_debt" in roles:
        paid = paid + _sum(t, (t.unpaid & (t.returned == 0)).cast("float64") * t.amount * (1.0 - e.recovered))
    return -paid


def _retention(told: _Ledger, roles: set[str]) -> pd.Series | None:
    rule = told.economics.retention
    if rule is None:
        return None
    events = told.events("campaigns")
    events = events.filter(_.kind.isin(rule.campaigns)) if rule.campaigns else events
    return -_sum(events, events.amount.fill_null(0.0))


def _acquisition(told: _Ledger, roles: set[str]) -> pd.Series | None:
    """Own costs, and the share of what the channel cost in the month of the first purchase."""
    by_channel, found = told.company.channel_costs, None
    if ACQUISITION in told.company.roles:
        own = acquisition_events(told.company, told.customers)
        own = own.filter(told.between(own.date))
        found = -_sum(own, own.amount)
    if len(by_channel) and CHANNEL in told.customers.table:
        share = -acquisition_shares(told.customers, by_channel, told.start, told.end)
        found = share if found is None else found.add(share, fill_value=0.0)
    return found


def acquisition_events(company: Company, customers: Customers) -> ibis.Table:
    """Own costs of acquisition, each on its day, or on the first purchase where it has none or an earlier one."""
    first = customers.table["first_purchase"].dt.date.rename("first").rename_axis("customer_id").reset_index()
    people = ibis.memtable(first.astype({"customer_id": "str"}))
    events = company.events.filter(_.role == ACQUISITION, _.amount.notnull()).inner_join(people, "customer_id")
    return events.mutate(date=ibis.greatest(ibis.coalesce(events.date, events.first), events.first))


def acquisition_shares(
    customers: Customers, channel_costs: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp
) -> pd.Series:
    """What winning each customer has cost: the channel's cost of the month over the customers that it brought then.

    Months that brought nobody are shared by nobody; `channel_costs` says what they cost.
    """
    table = customers.table
    month = table["first_purchase"].dt.to_period("M").dt.to_timestamp()
    group = pd.MultiIndex.from_arrays([table[CHANNEL].astype("str"), month], names=["channel", "month"])
    cost = channel_costs.groupby(["channel", "month"])["amount"].sum()
    brought = pd.Series(1.0, index=group).groupby(level=[0, 1]).sum()
    each = (cost / brought).reindex(group).fillna(0.0).to_numpy()
    within = table["first_purchase"].between(start, end).to_numpy()
    return pd.Series(np.where(within, each, 0.0), index=table.index)


_ACCOUNTS: dict[str, Callable[[_Ledger, set[str]], pd.Series | None]] = {
    "gross margin": _gross_margin,
    "returns": _returns,
    "fulfilment": _fulfilment,
    "service": _service,
    "payments": _payments,
    "retention": _retention,
    ACQUISITION: _acquisition,
}
