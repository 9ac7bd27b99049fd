"""What each purchase, return, contact and campaign brought or cost, on the day on which it was known.

The accounting is that of `accounts.profit_made`, of which this is the day by day account: the entries up to a day add
up to the profit made up to then, as it was known then. A return is entered when it comes, so that no period is changed
by what comes after it. `bought` is the day of the purchase that an entry belongs to.

What was spent on somebody before the first purchase is entered on the day of the first purchase.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.accounts.profit_made import ACQUISITION
from clvmodels.customers.ledger import BAD_DEBT, FEE, cost_of_contacts, of_purchases, orders_and_days
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.kpis.engine import Bench
from clvmodels.kpis.periods import Length, place
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics

COLUMNS = ("customer_id", "date", "bought", "part", "amount")
WON_BY = "won_by"
"""The column of people by which costs of channels are shared."""
KEEPING = ("service", "retention")
"""The parts that are spent to keep customers."""


@dataclass(frozen=True)
class Terms:
    """How the book is kept.

    Parameters
    ----------
    economics
        None where only revenue is to be told.
    roles
        Of the cost models in use; see `accounts.profit_made`.
    windows
        How long a purchase is watched for what comes back.
    without
        Campaigns whose costs are told apart.
    """

    economics: Economics | None = None
    roles: Collection[str] = ()
    windows: Windows = field(default_factory=Windows)
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Book:
    """The book of a company's customers, in the embedded engine.

    Parameters
    ----------
    people
        customer_id, first (day of the first purchase) and the columns that were asked for.
    days
        One row a purchase: customer_id, date, revenue.
    entries
        customer_id (null where a channel's cost won nobody), date, bought, part, amount: profit, costs negative;
        None without economics.
    idle
        channel, month, amount (positive): costs of channels in months in which they won nobody.
    told
        The parts that are spent to win and to keep customers of which the tables tell, be it that nothing was spent.
    """

    people: ibis.Table
    days: ibis.Table
    entries: ibis.Table | None
    idle: pd.DataFrame
    told: frozenset[str]
    start: pd.Timestamp
    end: pd.Timestamp


def keep_book(
    company: Company, customers: Customers, terms: Terms, columns: pd.DataFrame, bench: Bench, length: Length = "month"
) -> Book:
    """The book of these customers up to their end of observation, on the bench.

    `columns` go into people. Where the cost of goods is not known, the margin is what it leaves of all purchases up to
    the end of the period.
    """
    end = customers.observation_end
    first = customers.table["first_purchase"]
    frame = columns.assign(first=first.dt.date, joined=first.dt.to_period("M").dt.to_timestamp().dt.date)
    people = bench.keep(frame.reset_index(names="customer_id"))
    orders, days = orders_and_days(company, end)
    unit = customers.amount_unit
    days = days.semi_join(people, "customer_id").mutate(revenue=_.amount * unit)
    start = company.transactions.data_start
    if terms.economics is None:
        told = bench.keep(days.select("customer_id", "date", "revenue"))
        return Book(people, told, None, _no_idle(), frozenset(), start, end)
    days = bench.keep(_with_margin(days, terms.economics, start, length))
    made = _Making(company, terms, terms.economics, people, orders, days, unit, end)
    shares, idle = made.channel_costs()
    parts = [*made.of_purchases(), *made.of_customers(), *shares]
    entries = bench.keep(ibis.union(*parts) if parts[1:] else parts[0])
    return Book(people, days, entries, idle, made.told(), start, end)


def _no_idle() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": pd.Series(dtype="str"),
            "month": pd.Series(dtype="datetime64[us]"),
            "amount": pd.Series(dtype=float),
        }
    )


def _with_margin(days: ibis.Table, economics: Economics, start: pd.Timestamp, length: Length) -> ibis.Table:
    """Purchases with `margin`, their rate, as in `profit_made` but for purchases of unknown cost: no look ahead."""
    if economics.margin is not None:
        return days.mutate(margin=ibis.literal(economics.margin), given_away=0.0)
    days = days.mutate(period=place(_.date, start, length))
    known = days.filter(_.cost.notnull()).group_by("period").agg(a=_.amount.sum(), c=_.cost.sum()).execute()
    sums = known.set_index("period").sort_index().cumsum()
    last = int(days.period.max().execute())
    sums = sums.reindex(range(last + 1)).ffill().fillna(0.0)
    rate = np.where(sums["a"] > 0, 1.0 - sums["c"] / sums["a"].where(sums["a"] > 0, 1.0), 0.0)
    rates = ibis.memtable(pd.DataFrame({"period": np.arange(last + 1), "usual": rate}))
    joined = days.inner_join(rates, "period")
    free = (joined.amount == 0).ifelse(joined.cost, 0.0).fill_null(0.0)
    margin = ibis.coalesce(1.0 - joined.cost / joined.amount.nullif(0), joined.usual)
    return joined.mutate(margin=margin, given_away=free).drop("period", "usual")


def _entry(table: ibis.Table, part: str, amount: ibis.Value, date: str = "date", bought: str = "date") -> ibis.Table:
    return table.select(
        customer_id="customer_id",
        date=table[date],
        bought=table[bought],
        part=ibis.literal(part),
        amount=amount.cast("float64"),
    )


@dataclass(frozen=True)
class _Making:
    """What entries are made of."""

    company: Company
    terms: Terms
    economics: Economics
    people: ibis.Table
    orders: ibis.Table
    days: ibis.Table
    unit: float
    end: pd.Timestamp

    def events(self, role: str) -> ibis.Table:
        """A role's events of these customers up to the end, none earlier than the first purchase."""
        until = ibis.date(self.end.date())
        dated = self.company.events.filter(_.role == role, _.date.isnull() | (_.date <= until))
        dated = dated.inner_join(self.people.select("customer_id", "first"), "customer_id")
        return dated.mutate(date=ibis.greatest(ibis.coalesce(dated.date, dated.first), dated.first))

    def told(self) -> frozenset[str]:
        """See `Book`."""
        by_channel = len(self.company.channel_costs) > 0 and WON_BY in self.people.columns
        parts = {
            "service": "contacts" in self.terms.roles,
            "retention": self.economics.retention is not None,
            ACQUISITION: ACQUISITION in self.company.roles or by_channel,
        }
        return frozenset(name for name, there in parts.items() if there)

    # ------------------------------------------------------------------------------------------ with a purchase

    def of_purchases(self) -> list[ibis.Table]:
        """Margin and fulfilment, and of the roles in use what came back and what was not paid."""
        e, days = self.economics, self.days
        found = [_entry(days, "gross margin", _.revenue * _.margin - _.given_away * self.unit)]
        if e.cost_per_order:
            found.append(_entry(days, "fulfilment", ibis.literal(-e.cost_per_order)))
        back = self._returned() if {"returns", "bad_debt"} & set(self.terms.roles) else None
        if "returns" in self.terms.roles and back is not None:
            lost = (1.0 - e.resold) * _.margin + e.written_off * (1.0 - _.margin)
            cost = -(_.more * self.unit * lost + e.cost_per_return * _.is_first.cast("float64"))
            found.append(_entry(back, "returns", cost, bought="bought"))
        if "bad_debt" in self.terms.roles and back is not None:
            found += self._unpaid(back)
        return found + self._fees()

    def _dated(self, role: str, window: int, kind: str | None = None) -> ibis.Table:
        events = self.company.events.filter(_.role == role, _.date <= ibis.date(self.end.date()))
        events = events if kind is None else events.filter(_.kind == kind)
        days = self.days.select("customer_id", "date")
        return of_purchases(events.semi_join(self.people, "customer_id"), self.orders, days, window)

    def _returned(self) -> ibis.Table:
        """Returns by day with `more`, what they add to what had come back of the purchase, at most its amount."""
        back = self._dated("returns", self.terms.windows.returns)
        back = back.group_by(["customer_id", "bought", "date"]).agg(own=_.amount.cast(EXACT).sum())
        so_far = ibis.cumulative_window(group_by=["customer_id", "bought"], order_by="date")
        back = back.mutate(known=back.own.sum().over(so_far).cast("float64"), own=back.own.cast("float64"))
        days = self.days.select("customer_id", "amount", "margin", bought="date")
        back = back.inner_join(days, ["customer_id", "bought"])
        before = ibis.greatest(ibis.least(back.known - back.own, back.amount), 0.0)
        back = back.mutate(more=ibis.least(back.known, back.amount) - before, before=before)
        return back.mutate(is_first=(back.before <= 1e-9) & (back.more > 0))

    def _unpaid(self, back: ibis.Table) -> list[ibis.Table]:
        """Bills written off; taken back where the goods came back after all, which is told among the returns."""
        owed = self._dated("payments", self.terms.windows.bad_debt, BAD_DEBT)
        owed = owed.group_by(["customer_id", "bought"]).agg(date=_.date.min())
        days = self.days.select("customer_id", "revenue", bought="date")
        first = back.filter(_.is_first).select("customer_id", "bought", returned=_.date)
        owed = owed.inner_join(days, ["customer_id", "bought"])
        owed = owed.left_join(first, ["customer_id", "bought"]).drop("customer_id_right", "bought_right")
        loss = _.revenue * (1.0 - self.economics.recovered)
        written = owed.filter(_.returned.isnull() | (_.returned > _.date))
        again = written.filter(_.returned.notnull())
        return [
            _entry(written, "payments", -loss, bought="bought"),
            _entry(again, "payments", loss, date="returned", bought="bought"),
        ]

    def _fees(self) -> list[ibis.Table]:
        e, told = self.economics, self.company.events.filter(_.role == "payments", _.kind == FEE)
        if int(told.count().execute()):
            return [_entry(self.events("payments").filter(_.kind == FEE), "payments", -_.amount)]
        if e.payment_fee or e.payment_fee_per_order:
            return [_entry(self.days, "payments", -(_.revenue * e.payment_fee + e.payment_fee_per_order))]
        return []

    # ------------------------------------------------------------------------------------------ on their own day

    def of_customers(self) -> list[ibis.Table]:
        """Service, campaigns that keep customers, and own costs of acquisition."""
        e, found = self.economics, []
        if "contacts" in self.terms.roles:
            events = self.events("contacts")
            by_minute = cost_of_contacts(events, e.cost_per_minute).fill_null(0.0)
            cost = by_minute if "handling" in self.terms.roles else events["count"] * e.cost_per_contact
            found.append(_entry(events, "service", -cost))
        if e.retention is not None:
            events, kinds = self.events("campaigns"), e.retention.campaigns
            events = events.filter(_.kind.isin(kinds)) if kinds else events
            events = events.filter(_.kind.notin(self.terms.without)) if self.terms.without else events
            found.append(_entry(events, "retention", -_.amount.fill_null(0.0)))
        if ACQUISITION in self.company.roles:
            found.append(_entry(self.events(ACQUISITION), ACQUISITION, -_.amount.fill_null(0.0)))
        return found

    def channel_costs(self) -> tuple[list[ibis.Table], pd.DataFrame]:
        """A channel's cost of a month shared by those whom it won in it; and what won nobody, by channel and month."""
        costs = self.company.channel_costs
        if costs.empty or WON_BY not in self.people.columns:
            return [], _no_idle()
        costs = costs[costs["month"] <= self.end].groupby(["channel", "month"], as_index=False)["amount"].sum()
        won = self.people.group_by([WON_BY, "joined"]).agg(n=_.count()).execute()
        won["month"] = pd.to_datetime(won["joined"]).astype("datetime64[us]")
        both = costs.merge(won.rename(columns={WON_BY: "channel"}), on=["channel", "month"], how="left")
        idle = both.loc[both["n"].isna(), ["channel", "month", "amount"]]
        shared = both[both["n"].notna()]
        if shared.empty:
            return [], idle
        each = pd.DataFrame(
            {WON_BY: shared["channel"], "joined": shared["month"].dt.date, "share": shared["amount"] / shared["n"]}
        )
        told = self.people.inner_join(ibis.memtable(each), [WON_BY, "joined"])
        return [_entry(told, ACQUISITION, -_.share, date="first", bought="first")], idle
