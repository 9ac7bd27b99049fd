"""What it costs to win customers: their own costs of acquisition, those of the channels that won them, and what was
paid for prospects who were not won."""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _

from clvmodels.accounts.bench import bench
from clvmodels.customers.table import Customers
from clvmodels.inference.effects import group_labels
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company
from clvmodels.sources.tables import CHANNEL

ACQUISITION = "acquisition"
EVERYBODY = "any channel"
"""Instead of a channel: what prospects of no known channel came by."""
WON_BY = "won_by"
"""The column of the book's people that names the channel."""


def won_by(company: Company, customers_table: pd.DataFrame) -> pd.DataFrame:
    """The channel that won each customer, as a column of people; none where nothing tells it.

    Channels cost what they cost, whether they are groups of the customers' table or not.
    """
    people = customers_table.index
    if CHANNEL in customers_table:
        channel = customers_table[CHANNEL]
    elif CHANNEL in company.attributes:
        channel = company.attributes[CHANNEL].reindex(people)
    else:
        return pd.DataFrame(index=people)
    return pd.DataFrame({WON_BY: channel.astype("str")}, index=people)


def people_of(customers: Customers, columns: pd.DataFrame) -> pd.DataFrame:
    """customer_id, first (day of the first purchase), joined (its month) and these columns, which are by customer."""
    first = customers.table["first_purchase"]
    joined = first.dt.to_period("M").dt.to_timestamp()
    return columns.assign(first=first.dt.date, joined=joined.dt.date).reset_index(names="customer_id")


def events_of(company: Company, people: ibis.Table, source: str, end: pd.Timestamp) -> ibis.Table:
    """Events of the tables of a role, of these people up to a day, none earlier than the first purchase."""
    is_due = _.date.isnull() | (_.date <= ibis.date(end.date()))
    events = company.events.filter(_.role == source, is_due)
    events = events.inner_join(people.select("customer_id", "first"), "customer_id")
    date = ibis.coalesce(events.date, events.first)  # what has no day counts on that of the first purchase
    return events.mutate(date=ibis.greatest(date, events.first))


def channel_spending(company: Company, people: ibis.Table, end: pd.Timestamp) -> pd.DataFrame:
    """Costs of channels up to a day: channel, month, amount, and `won`, how many of these customers they won in it;
    what lost prospects cost is spending that won nobody.

    people: customer_id, first, joined (month of the first purchase), and `WON_BY` where it is known
    """
    has_channels = WON_BY in people.columns
    lost = costs_of_lost(company, end, has_channels).groupby(["channel", "month"], as_index=False)["amount"].sum()
    costs = company.channel_costs
    costs = costs[costs["month"] <= end]
    costs = costs.groupby(["channel", "month"], as_index=False)["amount"].sum()
    if costs.empty or not has_channels:
        return lost.assign(won=0)
    won = people.group_by([WON_BY, "joined"]).agg(won=_.count()).execute()
    won["month"] = pd.to_datetime(won["joined"]).astype("datetime64[us]")
    won = won.rename(columns={WON_BY: "channel"}).drop(columns="joined")
    spending = costs.merge(won, on=["channel", "month"], how="left")
    spending = spending.assign(won=spending["won"].fillna(0).astype(int))
    return pd.concat([spending, lost.assign(won=0)], ignore_index=True) if len(lost) else spending


def prospects(company: Company, end: pd.Timestamp) -> ibis.Table:
    """Those whose winning was paid for up to a day: customer_id, date (of the first cost; null where none tells it),
    channel, cost, and `won`, whether they had ordered by then."""
    first = company.transactions.table.filter(_.date <= ibis.date(end.date())).select("customer_id").distinct()
    costs = company.events.filter(_.role == ACQUISITION, _.date.isnull() | (_.date <= ibis.date(end.date())))
    by_prospect = costs.group_by("customer_id").agg(
        date=_.date.min(), channel=_.detail.min(), cost=_.amount.cast(EXACT).sum().cast("float64")
    )
    joined = by_prospect.left_join(first.mutate(won=ibis.literal(True)), "customer_id")
    return joined.select("customer_id", "date", "channel", "cost", won=joined.won.fill_null(False))


def costs_of_lost(company: Company, end: pd.Timestamp, has_channels: bool) -> pd.DataFrame:
    """What prospects cost up to a day who never ordered: channel, month, amount. No customer's entry tells it, as none
    tells what a channel cost in a month that won nobody; what has no day counts in the first month of the data."""
    nobody = pd.DataFrame(
        {"channel": pd.Series(dtype="str"), "month": pd.Series(dtype="datetime64[us]"), "amount": 0.0}
    )
    if ACQUISITION not in company.roles:
        return nobody
    # Who orders after that day is no lost prospect: what it cost counts on the day of its first order.
    everybody = company.transactions.table
    lost = prospects(company, end).filter(_.cost != 0).anti_join(everybody, "customer_id").execute()
    if lost.empty:
        return nobody
    day = pd.to_datetime(lost["date"]).fillna(company.transactions.data_start)
    month = day.dt.to_period("M").dt.to_timestamp().astype("datetime64[us]")
    channel = lost["channel"].astype(object).where(lost["channel"].notna() & has_channels, EVERYBODY)
    return pd.DataFrame({"channel": channel.astype("str"), "month": month, "amount": lost["cost"].astype(float)})


def shares(people: ibis.Table, spending: pd.DataFrame) -> ibis.Table:
    """People with `share`: a channel's cost of a month over those whom it won in it. customer_id, first, share"""
    shared = spending[spending["won"] > 0]
    share = (shared["amount"] / shared["won"]).astype(float)
    if share.empty:  # the engine has no columns without a type
        return people.select("customer_id", "first", share=ibis.literal(0.0)).limit(0)
    channel = shared["channel"].astype("str")
    month = shared["month"].dt.date
    rows = pd.DataFrame({WON_BY: channel, "joined": month, "share": share})
    won = people.inner_join(ibis.memtable(rows), [WON_BY, "joined"])
    return won.select("customer_id", "first", "share")


def costs_to_win(company: Company, customers: Customers) -> pd.DataFrame:
    """By channel: customers, and cost to win one: own costs, those of the channel and of the prospects that it did not
    win, over the customers won. Without channels everybody is one.

    The channel's costs are those of all months from the first to the last in which one of these customers was won,
    though a month may have won nobody; so are those of lost prospects, where other customers were won before or after
    these. What lost prospects of no known channel cost is shared out to all alike.
    """
    table = customers.table
    has_channels = CHANNEL in table
    label = group_labels(table[CHANNEL]) if has_channels else pd.Series(EVERYBODY, index=table.index)
    size = label.value_counts()
    month = table["first_purchase"].dt.to_period("M").dt.to_timestamp()
    lost = costs_of_lost(company, customers.observation_end, has_channels)
    if len(lost):
        lost = lost[_while_they_were_won(lost["month"], month, company, customers.observation_end)]
    lost = lost.groupby("channel")["amount"].sum()
    in_these_months = company.channel_costs["month"].between(month.min(), month.max())
    by_channel = company.channel_costs[in_these_months].groupby("channel")["amount"].sum()
    spent = by_channel.reindex(size.index, fill_value=0.0)
    if ACQUISITION in company.roles:
        own_costs = _own_costs(company, customers).reindex(table.index).fillna(0.0)
        by_channel = own_costs.groupby(label).sum()
        spent = spent + by_channel.reindex(size.index, fill_value=0.0)
    spent = spent + lost.reindex(size.index, fill_value=0.0)
    if has_channels:
        spent = spent + lost.get(EVERYBODY, 0.0) * size / len(table)
    return pd.DataFrame({"customers": size, "cost": spent / size}).rename_axis("channel")


def _while_they_were_won(month: pd.Series, won: pd.Series, company: Company, end: pd.Timestamp) -> pd.Series:
    """Which months lie between the first and the last in which customers were `won`; on a side where nobody else was
    won up to `end`, all months, since what was spent for nobody there was spent for these."""
    days = company.transactions.table.filter(_.date <= ibis.date(end.date()))
    by_customer = days.group_by("customer_id").agg(first=_.date.min())
    earliest, latest = by_customer.aggregate(earliest=_.first.min(), latest=_.first.max()).execute().iloc[0]
    is_early = (month < won.min()) & (pd.Timestamp(earliest) < won.min())
    is_late = (month > won.max()) & (pd.Timestamp(latest) >= won.max() + pd.offsets.MonthBegin())
    return ~(is_early | is_late)


def _own_costs(company: Company, customers: Customers) -> pd.Series:
    """What winning each customer has cost beside the channel's costs, up to the customers' end of observation."""
    no_columns = pd.DataFrame(index=customers.table.index)
    with bench(company.transactions.backend) as workbench:
        people = workbench.keep(people_of(customers, no_columns))
        events = events_of(company, people, ACQUISITION, customers.observation_end)
        by_customer = events.group_by("customer_id").agg(cost=_.amount.cast(EXACT).sum())
        costs = by_customer.execute()
    return costs.set_index("customer_id")["cost"].astype(float)
