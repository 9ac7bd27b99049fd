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

from clvmodels.dates import as_day
from clvmodels.errors import DataError, Problem
from clvmodels.sources import attributes, tables
from clvmodels.sources.events import (
    EVENT,
    Judged,
    account_of,
    copies_warning,
    dropped_of,
    events_of,
    in_shape,
    no_events,
    unused_warning,
)
from clvmodels.sources.identity import MERGED_COLUMNS, Identity, no_conflicts
from clvmodels.sources.reading import connect
from clvmodels.sources.reasons import DEFAULT_POLICIES, Policies
from clvmodels.sources.roles import Table, Told
from clvmodels.sources.tables import Found
from clvmodels.sources.tally import stored
from clvmodels.sources.transactions import Transactions

__all__ = ["Company", "Table", "consolidate"]

ORIGIN_COLUMNS = ("column", "source", "own_column", "role")
COST_COLUMNS = ("channel", "month", "amount")


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
        rows are among the used.
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
        origins: list[tuple[str, ...]] = [
            (column, source, own, "orders") for column, own in transactions.columns.items()
        ]
        origins += _return_origins(transactions, source, transactions.columns)
        return cls(
            transactions,
            _returned(transactions, source),
            _costs([]),
            attributes.as_frame(None),
            pd.DataFrame(origins, columns=list(ORIGIN_COLUMNS)),
            _sourced(transactions.account, source),
            _with_source(transactions.dropped, source),
            no_conflicts(),
            _no_merges(),
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
        return f"Company({len(read)} tables: {', '.join(read)})"

    def _repr_html_(self) -> str:
        kinds = ["read", "used", "orphaned", "dropped"]
        counts = self.account.pivot_table(index="source", columns="kind", values="rows", aggfunc="sum", fill_value=0)
        counts = counts.reindex(columns=kinds, fill_value=0).reindex(self.account["source"].unique())
        notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        table = counts.astype("int64").to_html(escape=True, border=0)
        return f"<p><b>{html.escape(repr(self))}</b></p>{table}" + (f"<ul>{notes}</ul>" if notes else "")


def consolidate(
    sources: Mapping[str, Table],
    *,
    folder: str | Path | None = None,
    currency: str | None = None,
    timezone: str = "UTC",
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
    backend = connect()
    base = Path(folder) if folder is not None else Path()
    told = tables.read(backend, sources, base, policies, timezone, (groups, covariates), problems)
    found = tables.judge_all(backend, told, sources, currency, timezone, end, policies, problems)
    if problems:
        raise DataError(problems)
    return _company(backend, told, found, data_end is not None)


def _company(backend: ibis.BaseBackend, told: list[Told], found: Found, end_is_stated: bool) -> Company:
    """The company, from tables that have nothing wrong with them."""
    conflicts, warnings = [*found.conflicts], [*found.warnings]
    values, undecided = [], {}
    for judged in (j for j in found.judged if j.told.table.role == "attributes"):
        table, contradictions, changed = attributes.one_row_each(backend, judged)
        values.append(table)
        conflicts += contradictions
        undecided[judged.told.name] = changed
    known = attributes.joined(backend, values)
    transactions = _with_attributes(backend, _together(backend, found), known, told)
    tables_of_events = [events_of(backend, judged) for judged in found.judged if judged.told.role.is_event]
    tables_of_events += [_returned(one, name) for name, one in found.orders.items() if one.returns is not None]
    tables_of_events += found.ranges
    events = (
        stored(backend, "events", ibis.union(*tables_of_events))
        if tables_of_events[1:]
        else (stored(backend, "events", tables_of_events[0]) if tables_of_events else no_events(backend))
    )
    accounts = {name: one.account for name, one in found.orders.items()}
    left_out = {name: one.dropped for name, one in found.orders.items()}
    for judged in found.judged:
        accounts[judged.told.name] = account_of(judged, undecided.get(judged.told.name))
        left_out[judged.told.name] = dropped_of(backend, judged)
        warnings += (*copies_warning(judged), *unused_warning(judged))
    warnings += _told_twice(events)
    warnings += _no_orders(transactions, events, known, found.identity)
    warnings += [] if end_is_stated else _later(transactions, events)
    contradicting = [c for c in conflicts if len(c)]
    names = [one.name for one in told]
    dropped = [_with_source(left_out[name], name) for name in names]
    merged = found.identity.merged
    return Company(
        transactions,
        events,
        _costs([j for j in found.judged if j.told.table.role == "channel_costs"]),
        attributes.as_frame(known),
        _origins(told, found),
        pd.concat([_sourced(accounts[name], name) for name in names], ignore_index=True),
        stored(backend, "left_out", ibis.union(*dropped) if dropped[1:] else dropped[0]).order_by("source", "line"),
        pd.concat(contradicting, ignore_index=True) if contradicting else no_conflicts(),
        _no_merges() if merged is None else merged,
        (*transactions.warnings, *warnings),
    )


def _together(backend: ibis.BaseBackend, found: Found) -> Transactions:
    """All tables of orders as one."""
    every = [*found.orders.values()]
    if len(every) == 1:
        return dataclasses.replace(every[0], sha256=found.sha256)
    types = {name: kind for one in reversed(every) for name, kind in one.table.schema().items()}
    alike = [_alike(one.table, types) for one in every]
    types_of_returns = {name: EVENT[name] for name in ("line", "customer_id", "date", "amount", "order_id")}
    returns = [_alike(one.returns, types_of_returns) for one in every if one.returns is not None]
    account = pd.concat([one.account for one in every], ignore_index=True)
    account["step"] = range(len(account))
    return dataclasses.replace(
        every[0],
        table=ibis.union(*alike),
        account=account,
        dropped=ibis.union(*(one.dropped for one in every)),
        warnings=tuple(w for one in every for w in one.warnings),
        groups=tuple(dict.fromkeys(g for one in every for g in one.groups)),
        covariates=tuple(dict.fromkeys(c for one in every for c in one.covariates)),
        source=", ".join(one.source for one in every),
        sha256=found.sha256,
        data_start=min(one.data_start for one in every),
        data_end=max(one.data_end for one in every),
        returns=(ibis.union(*returns) if returns[1:] else returns[0]) if returns else None,
    )


def _alike(table: ibis.Table, types: Mapping[str, object]) -> ibis.Table:
    return table.select(**{n: table[n] if n in table.columns else ibis.null(kind) for n, kind in types.items()})


def _with_attributes(
    backend: ibis.BaseBackend, transactions: Transactions, known: ibis.Table | None, told: list[Told]
) -> Transactions:
    """The orders with their customers' attributes beside them."""
    if known is None:
        return dataclasses.replace(transactions, table=stored(backend, "transactions", transactions.table))
    kept = [one.table for one in told if one.table.role == "attributes"]
    table = transactions.table.left_join(known, "customer_id").drop("customer_id_right")
    return dataclasses.replace(
        transactions,
        table=stored(backend, "transactions", table),
        groups=tuple(dict.fromkeys((*transactions.groups, *(g for one in kept for g in one.groups)))),
        covariates=tuple(dict.fromkeys((*transactions.covariates, *(c for one in kept for c in one.covariates)))),
    )


def _returned(transactions: Transactions, source: str) -> ibis.Table:
    """Negative orders as events of returns; none where they are not taken so."""
    if transactions.returns is None:
        return no_events(transactions.backend)
    rows = transactions.returns
    told = {"source": ibis.literal(source), "role": ibis.literal("returns"), "kind": ibis.literal("return")}
    told |= {name: rows[name] for name in ("line", "customer_id", "date", "amount", "order_id") if name in rows.columns}
    return in_shape(rows, told)


def _told_twice(events: ibis.Table) -> list[str]:
    """Returns of one customer, day and amount that several tables tell."""
    back = events.filter(_.role == "returns").group_by(["customer_id", "date", "amount"]).agg(n=_.source.nunique())
    twice = int(back.filter(_.n > 1).count().execute())
    if not twice:
        return []
    what = f"{twice:,} returns stand in several tables, with one customer, day and amount: each counts"
    return [f"{what}; if they are the same, leave one table out, or the policy refunds: returns"]


def _costs(tables_of_costs: Sequence[Judged]) -> pd.DataFrame:
    """Costs by channel and month, those of one month added."""
    rows = [
        j.used.select(channel="channel", month=_.date.truncate("M"), amount="amount").execute() for j in tables_of_costs
    ]
    if not rows:
        types = {"channel": "str", "month": "datetime64[us]", "amount": "float64"}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
    costs = pd.concat(rows, ignore_index=True).astype({"channel": "str", "month": "datetime64[us]"})
    costs = costs.sort_values([*COST_COLUMNS])  # so that sums do not depend on the order of the rows
    return costs.groupby(["channel", "month"], as_index=False)["amount"].sum()


def _with_source(dropped: ibis.Table, source: str) -> ibis.Table:
    return dropped.select(source=ibis.literal(source), where="where", line="line", reason="reason", text="text")


def _sourced(account: pd.DataFrame, source: str) -> pd.DataFrame:
    account = account.copy()
    account.insert(0, "source", source)
    return account


def _no_merges() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="int64" if name == "line" else "str") for name in MERGED_COLUMNS})


def _origins(told: list[Told], found: Found) -> pd.DataFrame:
    rows: list[tuple[str, ...]] = []
    for one in told:
        for meaning, own in one.names.items():
            column = (
                "customer_id"
                if meaning == "key" and one.table.role != "identity"
                else one.role.to.get(meaning, meaning)
            )
            role = "range" if meaning == "product_group" else one.table.role
            rows.append(("kind" if meaning == "product_group" else column, one.name, own, role))
        if one.name in found.orders:
            rows += _return_origins(found.orders[one.name], one.name, one.names)
    return pd.DataFrame(rows, columns=list(ORIGIN_COLUMNS))


def _return_origins(transactions: Transactions, source: str, names: Mapping[str, str]) -> list[tuple[str, ...]]:
    if transactions.returns is None:
        return []
    return [("amount", source, names.get("amount", "amount"), "returns")]


def _no_orders(
    transactions: Transactions, events: ibis.Table, known: ibis.Table | None, identity: Identity
) -> list[str]:
    """How many customers the tables know of who never ordered."""
    ids = [events.select("customer_id")]
    ids += [] if known is None else [known.select("customer_id")]
    ids += [] if identity.keys is None else [identity.keys.select("customer_id")]
    everyone = ibis.union(*ids, distinct=True) if ids[1:] else ids[0].distinct()
    n = int(everyone.filter(_.customer_id.notnull()).anti_join(transactions.table, "customer_id").count().execute())
    return [f"{n:,} customers of the tables have no order: they are in no model"] if n else []


def _later(transactions: Transactions, events: ibis.Table) -> list[str]:
    last = transactions.data_end
    n = int(events.filter(_.date > ibis.date(last.date())).count().execute())
    if not n:
        return []
    return [f"{n:,} events lie after the last order, {last:%Y-%m-%d}; where the tables cover more days, state data_end"]
