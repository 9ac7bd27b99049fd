"""The book: what each purchase, return, contact and campaign brought or cost each customer.

An entry has two days. `date` is the day on which it is entered, when it has become known: a return when it comes, so
that no period is changed by what comes after it. `bought` is the day of the purchase that it belongs to, or the same
day where it belongs to none. Sums by `date` say what a period brought; sums by `bought` say what the purchases of a
period brought, as it was known on the last day of the book.

Amounts are in the currency, costs negative, not discounted, in whole millionths, so that sums do not depend on the
order of the rows; but for shares of a channel's cost, which add up to what was spent. What was spent on somebody
before the first purchase is entered on the day of the first purchase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import ibis
import pandas as pd
from ibis import _

from clvmodels.accounts.bench import Bench
from clvmodels.accounts.winning import ACQUISITION, channel_spending, events_of, people_of, shares
from clvmodels.customers.purchases import of_purchases, orders_and_days
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.models import COSTS, Cost, get_costs
from clvmodels.models.costs.contract import Entries, modelled
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.parts import part_names

FEE = "fee"
"""The kind of payment that tells of a fee."""
RETENTION = "retention"
NOTHING = 1e-9
"""Value that had come back before, where it is but the rounding of a sum."""
Usual = Callable[[ibis.Table], ibis.Table]
"""Adds `usual` to purchases: the margin rate of those whose goods' cost is not known."""


@dataclass(frozen=True)
class Terms:
    """How the book is kept.

    Parameters
    ----------
    economics
        None where only revenue is to be told.
    costs
        Those in use, by name: what came back, service and bad debt are entered where their cost is among these, as in
        the forecast.
    windows
        How long a purchase is watched for what comes back; of late purchases not all is known yet.
    without
        Campaigns whose costs are told apart.
    """

    economics: Economics | None = None
    costs: Iterable[str | Cost] = ()
    windows: Windows = field(default_factory=Windows)
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Book:
    """The book of a company's customers, in the embedded engine.

    Parameters
    ----------
    people
        customer_id, first (day of the first purchase), joined (its month) and the columns that were asked for.
    days
        One row a purchase: customer_id, date, revenue.
    entries
        customer_id, date, bought, part, amount; None without economics.
    spending
        channel, month, amount (positive), won: costs of channels, and how many customers they won in the month.
    parts
        The parts of profit that these terms and tables know of, be it that there is no entry of them.
    """

    people: ibis.Table
    days: ibis.Table
    entries: ibis.Table | None
    spending: pd.DataFrame
    parts: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp

    @property
    def earned(self) -> ibis.Table:
        """The entries of a book that has economics.

        Raises
        ------
        ValueError
            It has none.
        """
        if self.entries is None:
            raise ValueError("a book without economics has no entries")
        return self.entries

    @property
    def idle(self) -> pd.DataFrame:
        """Costs of channels in months in which they won nobody: no customer's entry tells them."""
        return self.spending[self.spending["won"] == 0]


def keep_book(
    company: Company,
    customers: Customers,
    terms: Terms,
    columns: pd.DataFrame,
    bench: Bench,
    usual: Usual,
    until: pd.Timestamp | None = None,
) -> Book:
    """The book of these customers up to a day, by default their end of observation, on the bench.

    `columns`, by customer, go into people; `usual` says at which margin purchases of unknown cost count.
    """
    end, start = until or customers.observation_end, company.transactions.data_start
    people = bench.keep(people_of(customers, columns))
    orders, days = orders_and_days(company, end)
    days = days.semi_join(people, "customer_id").mutate(revenue=_.amount * customers.amount_unit)
    if terms.economics is None:
        days = bench.keep(days.select("customer_id", "date", "revenue"))
        return Book(people, days, None, channel_spending(company, people, end), (), start, end)
    days = bench.keep(with_margin(days, terms.economics, usual))
    desk = _Desk(company, terms, terms.economics, people, orders, days, customers.amount_unit, end)
    by_maker = list(desk.all_entries())
    entries = bench.keep(ibis.union(*(entries.table for entries in by_maker)))
    parts = account_names(entries.part for entries in by_maker)
    return Book(people, days, entries, desk.spending, parts, start, end)


def account_names(parts: Iterable[str]) -> tuple[str, ...]:
    """Parts of profit made, each once, in the order of the parts of value; those of no registered cost follow, and
    acquisition, which is sunk for these customers, comes last."""
    names = set(parts)
    parts_of_value = part_names(COSTS.values())
    unregistered = sorted(names - {ACQUISITION, *parts_of_value})
    order = (*parts_of_value, *unregistered, ACQUISITION)
    return tuple(name for name in order if name in names)


def with_margin(days: ibis.Table, economics: Economics, usual: Usual) -> ibis.Table:
    """Purchases with `margin`, their rate: the stated one, or what the goods' cost leaves; where that is not known, the
    usual one. And `given_away`: what goods cost for which nothing was paid."""
    if economics.margin is not None:
        return days.mutate(margin=ibis.literal(economics.margin), given_away=0.0)
    days = usual(days)
    is_gift = days.amount == 0  # a rate of nothing: its cost is an amount of its own
    given_away = is_gift.ifelse(days.cost, 0.0).fill_null(0.0)
    rate = 1.0 - days.cost / days.amount.nullif(0)
    margin = ibis.coalesce(rate, days.usual)
    return days.mutate(margin=margin, given_away=given_away).drop("usual")


@dataclass(frozen=True)
class _Desk:
    """What entries are made of: `costs.contract.Desk`."""

    company: Company
    terms: Terms
    economics: Economics
    people: ibis.Table
    orders: ibis.Table
    purchases: ibis.Table
    amount_unit: float
    end: pd.Timestamp

    @cached_property
    def costs(self) -> dict[str, Cost]:
        return get_costs(self.terms.costs)

    @cached_property
    def spending(self) -> pd.DataFrame:
        return channel_spending(self.company, self.people, self.end)

    def modelled(self, key: str) -> Cost | None:
        """The cost that tells a key of the economics in place of a stated number, where one does."""
        return modelled(self.costs, key)

    # ------------------------------------------------------------------------------------------ what tables tell

    def events(self, source: str) -> ibis.Table:
        """Events of the tables of a role, of these customers up to the end, none earlier than the first purchase."""
        return events_of(self.company, self.people, source, self.end)

    def belonging(self, source: str, cost: str, kind: str | None = None) -> ibis.Table:
        """Events with `bought`, the day of the purchase that they belong to, within the window of a cost."""
        events = self.company.events.filter(_.role == source, _.date <= ibis.date(self.end.date()))
        if kind is not None:
            events = events.filter(_.kind == kind)
        days = self.purchases.select("customer_id", "date")
        events = events.semi_join(self.people, "customer_id")
        return of_purchases(events, self.orders, days, self.terms.windows.days[cost])

    def coming_back(self) -> ibis.Table:
        """What came back of each purchase, by the day on which it came: `value` in the currency, what it adds to what
        had come back before, together at most the amount; `margin` of the purchase; `is_first` of its days."""
        by_day = self.belonging("returns", "returns").group_by(["customer_id", "bought", "date"])
        returns = by_day.agg(on_day=_.amount.cast(EXACT).sum())
        so_far = ibis.cumulative_window(group_by=["customer_id", "bought"], order_by="date")
        # summed up exactly, and only then made floating: the day's own part is found again by a difference
        until = returns.on_day.sum().over(so_far)
        returns = returns.mutate(until=until.cast("float64"), on_day=returns.on_day.cast("float64"))
        purchases = self.purchases.select("customer_id", "amount", "margin", bought="date")
        returns = returns.inner_join(purchases, ["customer_id", "bought"])
        # more than was paid cannot come back, though returns may state higher prices
        value_until = ibis.least(returns.until, returns.amount)
        value_before = ibis.greatest(ibis.least(returns.until - returns.on_day, returns.amount), 0.0)
        added = value_until - value_before
        is_first = (value_before <= NOTHING) & (added > 0)  # a purchase that comes back in pieces is handled once
        value = added * self.amount_unit
        return returns.select("customer_id", "bought", "date", "margin", value=value, is_first=is_first)

    def entries(
        self, part: str, table: ibis.Table, amount: ibis.Value, date: str = "date", bought: str = "date"
    ) -> Entries:
        """Entries of one part: a row of the table each, its amount in whole millionths."""
        millionths = amount.cast("float64").cast(EXACT)
        return _entries(part, table, millionths.cast("float64"), date, bought)

    # ------------------------------------------------------------------------------------------ the entries

    def all_entries(self) -> Iterator[Entries]:
        """Of the economics alone, of each cost in use, and of acquisition."""
        yield self._gross_margin()
        yield from self._fulfilment()
        yield from self._fees()
        yield from self._retention()
        for cost in self.costs.values():
            yield from cost.entries(self)
        yield from self._acquisition()

    def _gross_margin(self) -> Entries:
        days = self.purchases
        given_away = days.given_away * self.amount_unit  # revenue is in the currency already
        return self.entries("gross margin", days, days.revenue * days.margin - given_away)

    def _fulfilment(self) -> Iterator[Entries]:
        cost = self.economics.cost_per_order
        if cost:
            yield self.entries("fulfilment", self.purchases, ibis.literal(-cost))

    def _fees(self) -> Iterator[Entries]:
        """As the tables tell them; where they tell of none at all, by the rates of the economics."""
        share = self.economics.payment_fee
        per_order = self.economics.payment_fee_per_order
        # of anybody at any time: these customers may have had none, where the tables do tell of fees
        all_fees = self.company.events.filter(_.role == "payments", _.kind == FEE)
        if int(all_fees.count().execute()):
            fees = self.events("payments").filter(_.kind == FEE)
            yield self.entries("payments", fees, -fees.amount)
        elif share or per_order:
            fee = self.purchases.revenue * share + per_order
            yield self.entries("payments", self.purchases, -fee)

    def _retention(self) -> Iterator[Entries]:
        rule = self.economics.retention
        if rule is None:
            return
        events = self.events("campaigns")
        if rule.campaigns:
            events = events.filter(_.kind.isin(rule.campaigns))
        if self.terms.without:
            events = events.filter(_.kind.notin(self.terms.without))
        yield self.entries(RETENTION, events, -events.amount.fill_null(0.0))

    def _acquisition(self) -> Iterator[Entries]:
        """Own costs, and the share of what the channel cost in the month of the first purchase."""
        if ACQUISITION in self.company.roles:
            events = self.events(ACQUISITION)
            yield self.entries(ACQUISITION, events, -events.amount.fill_null(0.0))
        if (self.spending["won"] > 0).any():
            won = shares(self.people, self.spending)
            yield _entries(ACQUISITION, won, -won.share, "first", "first")


def _entries(part: str, table: ibis.Table, amount: ibis.Value, date: str, bought: str) -> Entries:
    columns: Mapping[str, ibis.Value] = {
        "date": table[date],
        "bought": table[bought],
        "part": ibis.literal(part),
        "amount": amount,
    }
    return Entries(part, table.select("customer_id", **columns))
