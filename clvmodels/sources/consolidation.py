"""The tables of a company, joined on one customer: orders as transactions, everything else as events, attributes and
costs; with the account of every row, the conflicts, and where each column comes from.

Nothing is guessed: a key that no identity table knows is orphaned, one that belongs to two customers is a conflict.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.dates import as_day
from clvmodels.errors import DataError, Problem
from clvmodels.sources import attributes
from clvmodels.sources.cleaning import union_of
from clvmodels.sources.conventions import Conventions, argument_problems
from clvmodels.sources.events import (
    EVENT,
    JudgedTable,
    account_of,
    copies_warning,
    dropped_of,
    events_of,
    in_shape,
    no_events,
    unused_warning,
)
from clvmodels.sources.identity import Identity, no_conflicts, no_merges
from clvmodels.sources.opening import OpenTable, open_tables
from clvmodels.sources.reading import Layout, connect
from clvmodels.sources.reasons import DEFAULT_POLICIES, Policies
from clvmodels.sources.roles import Table
from clvmodels.sources.tables import CHANNEL, JudgedTables, judge_tables
from clvmodels.sources.tally import in_engine, stored
from clvmodels.sources.transactions import Transactions, notes_html

__all__ = ["Company", "Table", "consolidate"]

ORIGIN_COLUMNS = ("column", "source", "own_column", "role")
RETURN_COLUMNS = ("line", "customer_id", "date", "amount", "order_id")
COST_COLUMNS = ("channel", "month", "amount")
CHANNELS_SHOWN = 8
"""How many are named in one warning."""
type Origin = tuple[str, str, str, str]
"""As `ORIGIN_COLUMNS`."""


@dataclass(frozen=True)
class Company:
    """A company's tables, joined on one customer.

    Parameters
    ----------
    transactions
        The orders, their customers resolved, with the attributes of these as groups and covariates.
    events
        In the engine of the transactions: source, role, line (where a row stood), customer_id, date (day; null where
        the table has none), kind, count, amount (in the currency), value (minutes, score, 1 and 0 for yes and no),
        order_id, detail (arm, channel, referred customer).
    channel_costs
        channel, month (its first day), amount (in the currency).
    attributes
        By customer_id: groups (text) and covariates (numbers) of the tables of attributes.
    origins
        column, source, own_column, role: where each column of the result comes from.
    account
        source, step, reason, where, rows, kind. For each source "read" = "used" + "orphaned" + "dropped"; "changed"
        rows are among the used. `customers.unusable` takes from the used what no part of the value can use.
    dropped
        In the engine: source, where, line, reason, text: the rows that do not count, orphans too.
    conflicts
        what, system, key, values, where, lines: what contradicts itself and was not decided; of a kind at most 10,000.
    merged
        customer_id, merged (the id that went into it), where, line.
    warnings
        What a reader should know although nothing was refused.
    """

    transactions: Transactions
    events: ibis.Table = field(repr=False)
    channel_costs: pd.DataFrame = field(repr=False)
    attributes: pd.DataFrame = field(repr=False)
    origins: pd.DataFrame = field(repr=False)
    account: pd.DataFrame = field(repr=False)
    dropped: ibis.Table = field(repr=False)
    conflicts: pd.DataFrame = field(repr=False)
    merged: pd.DataFrame = field(repr=False)
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, transactions: Transactions) -> Company:
        """A company of which only the orders are known, and what they tell of returns."""
        source = transactions.source
        origins: list[Origin] = [(column, source, name, "orders") for column, name in transactions.columns.items()]
        origins += _return_origins(transactions, source, transactions.columns)
        return cls(
            transactions,
            _returns_as_events(transactions, source),
            _channel_costs([]),
            attributes.as_frame(None),
            pd.DataFrame(origins, columns=list(ORIGIN_COLUMNS)),
            _account_with_source(transactions.account, source),
            _with_source(transactions.dropped, source),
            no_conflicts(),
            no_merges(),
            transactions.warnings,
        )

    @property
    def roles(self) -> frozenset[str]:
        """What the company's tables tell of."""
        return frozenset(self.origins["role"]) | {"orders"}

    @property
    def currency(self) -> str | None:
        """Of all amounts."""
        return self.transactions.currency

    def __repr__(self) -> str:
        read = self.account.loc[self.account["kind"] == "read", "source"]
        return f"Company({words.counted(len(read), 'table')}: {', '.join(read)})"

    def _repr_html_(self) -> str:
        counts = self.account.pivot_table(index="source", columns="kind", values="rows", aggfunc="sum", fill_value=0)
        counts = counts.reindex(columns=["read", "used", "orphaned", "dropped"], fill_value=0)
        counts = counts.reindex(self.account["source"].unique()).astype("int64")
        table = counts.to_html(escape=True, border=0)
        return f"<p><b>{html.escape(repr(self))}</b></p>{table}{notes_html(self.warnings)}"


def consolidate(
    sources: Mapping[str, Table],
    *,
    folder: str | Path | None = None,
    currency: str | None = None,
    timezone: str | None = None,
    data_end: str | pd.Timestamp | None = None,
    policies: Policies = DEFAULT_POLICIES,
    groups: Sequence[str] = (),
    covariates: Sequence[str] = (),
) -> Company:
    """Read the tables of a company and join them on one customer; no row is lost without being counted.

    Parameters
    ----------
    sources
        The tables by name; see `Table`. One of them at least has the role orders, or order_lines with keys and dates.
    folder
        Where relative paths start.
    currency
        Of the result. By default the only one that the tables name.
    timezone, data_end
        As in `read_transactions`; events after the stated end are left out too.
    policies
        What is done with rows that are not as they should be, in tables that have no policies of their own.
    groups, covariates
        Columns that the result must have. One that no table's own groups and covariates name is taken from the only
        table of orders or attributes that has a column of this name.

    Notes
    -----
    Amounts without a currency are in the result's; those of order lines are in their order's.

    Raises
    ------
    DataError
        With every problem of every table, before anything is computed of them.
    """
    problems: list[Problem] = []
    end = None if data_end is None else as_day(data_end, "data_end", problems)
    conventions = Conventions(None, timezone, end, policies)
    problems += argument_problems(conventions, Layout())
    place = Path(folder) if folder is not None else Path()

    def read() -> Company:
        backend = connect()
        opened = open_tables(backend, sources, place, conventions, groups, covariates, problems)
        judged = judge_tables(backend, opened, sources, currency, problems)
        if problems:
            raise DataError(problems)
        return _company(backend, opened, judged, end_is_stated=data_end is not None)

    return in_engine("sources", read)


def _company(
    backend: ibis.BaseBackend, opened: Sequence[OpenTable], judged: JudgedTables, end_is_stated: bool
) -> Company:
    """The company, from tables that have nothing wrong with them."""
    conflicts, warnings = [*judged.conflicts], [*judged.warnings]
    values, undecided = [], {}
    for table in _of_role(judged, "attributes"):
        rows, table_conflicts, undecided[table.opened.name] = attributes.one_row_each(backend, table)
        values.append(rows)
        conflicts += table_conflicts
    known_attributes = attributes.joined(backend, values)
    transactions = _with_attributes(backend, _all_orders(judged), known_attributes, opened)
    events = _all_events(backend, judged)
    accounts = {name: orders.account for name, orders in judged.orders.items()}
    left_out = {name: orders.dropped for name, orders in judged.orders.items()}
    for table in judged.others:
        name = table.opened.name
        accounts[name] = account_of(table, undecided.get(name))
        left_out[name] = dropped_of(backend, table)
        warnings += (*table.raw.notes, *copies_warning(table), *unused_warning(table))
    channel_costs = _channel_costs(_of_role(judged, "channel_costs"))
    warnings += _channels_of_nobody(channel_costs, transactions)
    warnings += _twice_told_returns(events)
    warnings += _customers_without_orders(transactions, events, known_attributes, judged.identity)
    if not end_is_stated:
        warnings += _events_after_orders(transactions, events)
    names = [table.name for table in opened]
    dropped = union_of([_with_source(left_out[name], name) for name in names])
    some_conflicts = [table for table in conflicts if len(table)]
    merged = judged.identity.merged
    return Company(
        transactions,
        events,
        channel_costs,
        attributes.as_frame(known_attributes),
        _origins(opened, judged),
        pd.concat([_account_with_source(accounts[name], name) for name in names], ignore_index=True),
        stored(backend, "left_out", dropped).order_by("source", "line"),
        pd.concat(some_conflicts, ignore_index=True) if some_conflicts else no_conflicts(),
        no_merges() if merged is None else merged,
        (*transactions.warnings, *warnings),
    )


def _of_role(judged: JudgedTables, role: str) -> list[JudgedTable]:
    return [table for table in judged.others if table.opened.table.role == role]


# Orders -----------------------------------------------------------------------------------------------------------


def _all_orders(judged: JudgedTables) -> Transactions:
    """All tables of orders as one."""
    tables = [*judged.orders.values()]
    if len(tables) == 1:
        return dataclasses.replace(tables[0], sha256=judged.sha256)
    # A column has the type of the first table that has it; what a table lacks is null in its rows.
    types = {name: kind for orders in reversed(tables) for name, kind in orders.table.schema().items()}
    return_types = {name: EVENT[name] for name in RETURN_COLUMNS}
    returns = [_with_columns(orders.returns, return_types) for orders in tables if orders.returns is not None]
    account = pd.concat([orders.account for orders in tables], ignore_index=True)
    account["step"] = range(len(account))
    return dataclasses.replace(
        tables[0],
        table=union_of([_with_columns(orders.table, types) for orders in tables]),
        account=account,
        dropped=union_of([orders.dropped for orders in tables]),
        warnings=tuple(warning for orders in tables for warning in orders.warnings),
        doubts=tuple(doubt for orders in tables for doubt in orders.doubts),
        groups=tuple(dict.fromkeys(group for orders in tables for group in orders.groups)),
        covariates=tuple(dict.fromkeys(name for orders in tables for name in orders.covariates)),
        source=", ".join(orders.source for orders in tables),
        sha256=judged.sha256,
        data_start=min(orders.data_start for orders in tables),
        data_end=max(orders.data_end for orders in tables),
        returns=union_of(returns) if returns else None,
    )


def _with_columns(table: ibis.Table, types: Mapping[str, object]) -> ibis.Table:
    """The table with these columns alone; those that it lacks are null."""
    columns = {}
    for name, kind in types.items():
        columns[name] = table[name] if name in table.columns else ibis.null(kind)
    return table.select(**columns)


def _with_attributes(
    backend: ibis.BaseBackend,
    transactions: Transactions,
    known_attributes: ibis.Table | None,
    opened: Sequence[OpenTable],
) -> Transactions:
    """The orders with their customers' attributes beside them."""
    if known_attributes is None:
        return dataclasses.replace(transactions, table=stored(backend, "transactions", transactions.table))
    tables = [table.table for table in opened if table.table.role == "attributes"]
    groups = [group for table in tables for group in table.groups]
    covariates = [name for table in tables for name in table.covariates]
    joined = transactions.table.left_join(known_attributes, "customer_id").drop("customer_id_right")
    return dataclasses.replace(
        transactions,
        table=stored(backend, "transactions", joined),
        groups=tuple(dict.fromkeys((*transactions.groups, *groups))),
        covariates=tuple(dict.fromkeys((*transactions.covariates, *covariates))),
    )


# Events and costs -------------------------------------------------------------------------------------------------


def _all_events(backend: ibis.BaseBackend, judged: JudgedTables) -> ibis.Table:
    """The events of all tables, the negative orders that are returns, and the product groups of orders."""
    events = [events_of(backend, table) for table in judged.others if table.opened.role.is_event]
    for name, orders in judged.orders.items():
        if orders.returns is not None:
            events.append(_returns_as_events(orders, name))
    events += judged.ranges
    return stored(backend, "events", union_of(events)) if events else no_events(backend)


def _returns_as_events(transactions: Transactions, source: str) -> ibis.Table:
    """Negative orders as events of returns; none where they are not taken so."""
    rows = transactions.returns
    if rows is None:
        return no_events(transactions.backend)
    columns = {name: rows[name] for name in RETURN_COLUMNS if name in rows.columns}
    columns |= {"source": ibis.literal(source), "role": ibis.literal("returns"), "kind": ibis.literal("return")}
    return in_shape(rows, columns)


def _channel_costs(tables: Sequence[JudgedTable]) -> pd.DataFrame:
    """Costs by channel and month, those of one month added."""
    if not tables:
        types = {"channel": "str", "month": "datetime64[us]", "amount": "float64"}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
    rows = [
        table.used.select(channel="channel", month=_.date.truncate("M"), amount="amount").execute() for table in tables
    ]
    costs = pd.concat(rows, ignore_index=True).astype({"channel": "str", "month": "datetime64[us]"})
    costs = costs.sort_values([*COST_COLUMNS])  # so that sums do not depend on the order of the rows
    return costs.groupby(["channel", "month"], as_index=False)["amount"].sum()


def _channels_of_nobody(costs: pd.DataFrame, transactions: Transactions) -> list[str]:
    """Channels that cost something and won no customer: so does one that the two tables spell in two ways."""
    if costs.empty:
        return []
    channels = transactions.table.select(CHANNEL).distinct().execute()[CHANNEL]
    spent = costs[~costs["channel"].isin(channels)].groupby("channel")["amount"].sum()
    if spent.empty:
        return []
    many = words.counted(len(spent), "channel that costs something has", "channels that cost something have")
    shown = [words.label(name, 40) for name in spent.index[:CHANNELS_SHOWN]]
    more = len(spent) - len(shown)
    names = words.listing([*shown, *([f"{more} more"] if more else [])])
    return [f"{many} no customer, and no customer bears the cost: {names}. Are they spelled as in '{CHANNEL}'?"]


# The account ------------------------------------------------------------------------------------------------------


def _with_source(dropped: ibis.Table, source: str) -> ibis.Table:
    return dropped.select(source=ibis.literal(source), where="where", line="line", reason="reason", text="text")


def _account_with_source(account: pd.DataFrame, source: str) -> pd.DataFrame:
    account = account.copy()
    account.insert(0, "source", source)
    return account


def _origins(opened: Sequence[OpenTable], judged: JudgedTables) -> pd.DataFrame:
    """Where each column of the result comes from."""
    rows: list[Origin] = []
    for table in opened:
        for meaning, name in table.names.items():
            column, role = _result_column(table, meaning)
            rows.append((column, table.name, name, role))
        if table.name in judged.orders:
            rows += _return_origins(judged.orders[table.name], table.name, table.names)
    return pd.DataFrame(rows, columns=list(ORIGIN_COLUMNS))


def _result_column(table: OpenTable, meaning: str) -> tuple[str, str]:
    """The column of the result that a column of a table becomes, and the role of what it is a column of."""
    role = table.table.role
    if meaning == "product_group":  # events of the role range, which no table has
        return "kind", "range"
    if meaning == "key" and role != "identity":
        return "customer_id", role
    return table.role.event_columns.get(meaning, meaning), role


def _return_origins(transactions: Transactions, source: str, names: Mapping[str, str]) -> list[Origin]:
    if transactions.returns is None:
        return []
    return [("amount", source, names.get("amount", "amount"), "returns")]


# What a reader should know ----------------------------------------------------------------------------------------


def _twice_told_returns(events: ibis.Table) -> list[str]:
    """Returns of one customer, day and amount that several tables tell."""
    returns = events.filter(_.role == "returns").group_by(["customer_id", "date", "amount"])
    count = int(returns.agg(n=_.source.nunique()).filter(_.n > 1).count().execute())
    if not count:
        return []
    returns = words.counted(count, "return stands", "returns stand")
    what = f"{returns} in several tables, with one customer, day and amount: each counts"
    return [f"{what}; if they are the same, leave one table out, or the policy refunds: returns"]


def _customers_without_orders(
    transactions: Transactions, events: ibis.Table, known_attributes: ibis.Table | None, identity: Identity
) -> list[str]:
    """How many customers the tables know of who never ordered."""
    tables = [events, *(table for table in (known_attributes, identity.keys) if table is not None)]
    customers = union_of([table.select("customer_id") for table in tables]).distinct()
    customers = customers.filter(_.customer_id.notnull())
    count = int(customers.anti_join(transactions.table, "customer_id").count().execute())
    if not count:
        return []
    have, they_are = words.agreeing(count, "has", "have"), words.agreeing(count, "it is", "they are")
    text = f"{words.counted(count, 'customer')} of the tables {have} no order: {they_are} in no model"
    lost = events.filter(_.role == "acquisition").anti_join(transactions.table, "customer_id")
    cost = lost.aggregate(prospects=lost.customer_id.nunique(), cost=lost.amount.sum().fill_null(0.0)).execute()
    prospects, spent = int(cost["prospects"].iloc[0]), float(cost["cost"].iloc[0])
    if spent:
        were = words.agreeing(prospects, "was", "were")
        text += f"; {words.counted(prospects, 'prospect')} of these {were} not won, and what that cost, {spent:,.2f}, "
        text += "is part of the cost of one who was"
    return [text]


def _events_after_orders(transactions: Transactions, events: ibis.Table) -> list[str]:
    """Events after the last order, which ends the data where nobody states the end."""
    last = transactions.data_end
    count = int(events.filter(_.date > ibis.date(last.date())).count().execute())
    if not count:
        return []
    what = f"{words.counted(count, 'event lies', 'events lie')} after the last order, {last:%Y-%m-%d}"
    return [f"{what}; where the tables cover more days, state data_end"]
