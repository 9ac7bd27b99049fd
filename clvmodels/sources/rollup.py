"""Order lines rolled up to orders, and what an order number leads to: its customer, its day, its rate.

Where a table of orders and its lines both tell an amount they are compared: the order's counts, and differences are
listed. Without a table of orders the lines are the orders.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.sources import reasons, tally
from clvmodels.sources.cleaning import MONEY, amount_number, as_text, exact_sum, id_text
from clvmodels.sources.events import JudgedTable, in_shape, table_day
from clvmodels.sources.identity import LISTED, conflict_table
from clvmodels.sources.opening import OpenTable
from clvmodels.sources.roles import AS_ORDER
from clvmodels.sources.tally import stored
from clvmodels.sources.transactions import Transactions

SAME = 0.005
"""Half a hundredth: sums of rounded amounts differ by less."""


class Lines(NamedTuple):
    """Order lines, judged by themselves, with their sums by order."""

    judged: JudgedTable
    sums: ibis.Table  # order_id, and of amount, cost, discount what the lines tell
    in_result_currency: bool  # else the sums are in the order's


def sum_lines(backend: ibis.BaseBackend, judged: JudgedTable) -> Lines:
    """The lines that can be read, added up by order."""
    names, currency = judged.opened.names, judged.opened.table.currency
    money = {meaning: exact_sum(_[meaning]) for meaning in MONEY if meaning in names}
    sums = judged.used.group_by("order_id").agg(lines=_.count(), **money)
    has_currency = "currency" in names or currency not in (None, AS_ORDER)
    return Lines(judged, stored(backend, "sums", sums), has_currency)


# The orders of a table, before its rows are judged -----------------------------------------------------------------


def order_numbers(backend: ibis.BaseBackend, opened: OpenTable) -> ibis.Table | None:
    """Every order number of a table whose rows know their owners: order_id, its first row, its owners, its rate, and
    how many different rates its rows have.

    The first row is where sums of lines go (`with_sums`), so it is one that may count, if there is one: it has an owner
    and a day, and is no refund.
    """
    if "order_id" not in opened.names:
        return None
    table = opened.raw.table
    may_count = table.owner.notnull() & table_day(opened).notnull()
    if "amount" in opened.names:
        amount = amount_number(table[opened.column("amount")], opened.conventions)
        may_count = may_count & (amount >= 0).fill_null(False)
    if "is_kept" in table.columns:
        may_count = may_count & table.is_kept
    rows = table.select(
        "row",
        "owner",
        order_id=id_text(table[opened.column("order_id")]),
        rate=table.rate if "rate" in table.columns else ibis.literal(1.0),
        may_count=may_count,
    )
    first = ibis.coalesce(_["row"].min(where=_.may_count), _["row"].min())
    orders = rows.filter(_.order_id.notnull()).group_by("order_id")
    numbers = orders.agg(first=first, owners=_.owner.nunique(), rate=_.rate.max(), rates=_.rate.nunique())
    return stored(backend, "numbers", numbers)


def with_sums(opened: OpenTable, numbers: ibis.Table, lines: Lines) -> tuple[OpenTable, tuple[str, ...]]:
    """The table of orders with what only its lines tell, in the first row of each order, and 0 in its others.

    Also the meanings of these that are in the result's currency already. An order of several customers gets nothing.
    """
    added = [meaning for meaning in MONEY if meaning in lines.sums.columns and meaning not in opened.names]
    if not added:
        return opened, ()
    table = opened.raw.table
    sums = numbers.filter(_.owners <= 1).inner_join(lines.sums, "order_id")
    sums = sums.select(first="first", of_order="order_id", **{f"sum_{meaning}": sums[meaning] for meaning in added})
    joined = table.mutate(of_order=id_text(table[opened.column("order_id")])).left_join(sums, "of_order")
    columns, names = {}, dict(opened.names)
    for number, meaning in enumerate(added, start=len(opened.names)):
        total = joined[f"sum_{meaning}"]
        # 0 by a product: where there is no sum the product is null, and the row has no cost rather than none.
        columns[f"c{number}"] = (joined.row == joined["first"]).ifelse(total, total * 0.0)
        names[meaning] = f"{lines.judged.opened.names[meaning]} of {lines.judged.opened.name}"
    raw = opened.raw._replace(table=joined.select(*table.columns, **columns))
    return opened._replace(names=names, raw=raw), tuple(added) if lines.in_result_currency else ()


# What order numbers lead to, once the orders are judged ------------------------------------------------------------


def order_index(backend: ibis.BaseBackend, numbers: ibis.Table, transactions: Transactions) -> ibis.Table:
    """What an order number leads to: order_id, owner, unowned (why it leads to nobody), on_day (null where it is no
    order that counts), and rate; and order_amount, order_cost, order_discount as the orders have them."""
    table = transactions.table
    sums = {f"order_{meaning}": exact_sum(_[meaning]) for meaning in MONEY if meaning in table.columns}
    orders = table.filter(_.order_id.notnull()).group_by("order_id")
    orders = orders.agg(owner=_.customer_id.min(), on_day=_.date.min(), **sums)
    index = numbers.left_join(orders, "order_id").drop("order_id_right")
    if transactions.returns is not None:
        # A negative order is a return and has an owner too, though its number is that of no order that counts.
        returns = transactions.returns.group_by("order_id").agg(returner=_.customer_id.min())
        index = index.left_join(returns, "order_id").drop("order_id_right")
        index = index.mutate(owner=ibis.coalesce(index.owner, index.returner)).drop("returner")
    return _with_unowned(backend, index, ibis.literal(reasons.UNUSED_ORDER))


def joint_index(backend: ibis.BaseBackend, indexes: list[ibis.Table]) -> ibis.Table:
    """The order numbers of several tables, and in how many each is: one that leads to several customers, or to money of
    several currencies, leads to nobody."""
    shared_columns = sorted(set.intersection(*(set(index.columns) for index in indexes)))
    rows = ibis.union(*(index.select(*shared_columns) for index in indexes))
    index = rows.group_by("order_id").agg(
        owners=ibis.greatest(_.owners.max(), _.owner.nunique()),
        owner=_.owner.min(),
        on_day=_.on_day.min(),
        rate=_.rate.max(),
        rates=ibis.greatest(_.rates.max(), _.rate.nunique()),
        why=_.unowned.min(),
        tables=_.count(),
    )
    return _with_unowned(backend, index, index.why).drop("why")


def _with_unowned(backend: ibis.BaseBackend, index: ibis.Table, why_without_owner: ibis.Value) -> ibis.Table:
    """The index with the reason for which a number leads to nobody, and no owner where there is one."""
    unowned = ibis.cases(
        (index.owners > 1, reasons.ORDER_OF_SEVERAL),
        (index.owner.isnull(), why_without_owner),
        (index.rates > 1, reasons.ORDER_AT_RATES),
    )
    index = index.mutate(unowned=unowned)
    owner = index.unowned.isnull().ifelse(index.owner, ibis.null("string"))
    return stored(backend, "orders", index.mutate(owner=owner))


def shared_numbers(index: ibis.Table, counted: str, where: str) -> pd.DataFrame:
    """The conflicts of order numbers of several customers, or in several tables: what the column `counted` counts."""
    table = index.select("order_id", counted).order_by("order_id").limit(LISTED).execute()
    noun = "customers" if counted == "owners" else "tables"
    return conflict_table(
        table.assign(
            what=f"order of several {noun}",
            system="order_id",
            key=table["order_id"],
            values=[[f"{n} {noun}"] for n in table[counted]],
            where=where,
            lines=[[]] * len(table),
        )
    )


def by_order(table: ibis.Table, column: str, index: ibis.Table) -> ibis.Table:
    """The table with `owner`, `unowned` and `order_rate`, by a column of order numbers."""
    # Names that end in _ are of no column of a company.
    orders = index.select(
        order_="order_id",
        owner="owner",
        why_="unowned",
        order_rate="rate",
        order_day="on_day",
        is_known_=ibis.literal(True),
    )
    joined = table.mutate(order_=id_text(table[column])).left_join(orders, "order_")
    unowned = ibis.cases(
        (joined.order_.isnull(), reasons.NO_ORDER),
        (joined.is_known_.isnull(), reasons.UNKNOWN_ORDER),
        else_=joined.why_,
    )
    return joined.select(*table.columns, "owner", "order_rate", "order_day", unowned=unowned)


def with_order_day(table: ibis.Table, column: str, index: ibis.Table) -> ibis.Table:
    """The table with `order_day`, by a column of order numbers; null where a number is of no order that counts."""
    orders = index.select(order_="order_id", order_day="on_day")
    joined = table.mutate(order_=id_text(table[column])).left_join(orders, "order_")
    return joined.select(*table.columns, "order_day")


# Lines beside their orders -----------------------------------------------------------------------------------------


def judge_lines(backend: ibis.BaseBackend, lines: Lines, index: ibis.Table) -> JudgedTable:
    """The lines, judged by what became of their orders too."""
    judged, names = lines.judged, lines.judged.opened.names
    table = by_order(judged.table, "order_id", index)
    reason = ibis.coalesce(table.reason, table.unowned)
    text = as_text({meaning: table[meaning] for meaning in names if meaning in table.columns}, names)
    text = ibis.coalesce(table.text, reason.notnull().ifelse(text, ibis.null("string")))
    table = table.mutate(reason=reason, text=text)
    if judged.marks is not None:
        table = table.anti_join(judged.marks, "row")
    table = stored(backend, "lines", table)
    counts = tally.with_left_out(tally.count(table, judged.raw), judged.marks)
    return judged._replace(table=table, counts=counts)


def differences(lines: Lines, index: ibis.Table, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Orders of which the lines tell another sum than the order itself: the conflicts, and a warning each."""
    conflicts, warnings = [], []
    for meaning in MONEY:
        if meaning not in lines.sums.columns or f"order_{meaning}" not in index.columns:
            continue
        different = _different_sums(lines, index, meaning)
        count = int(different.count().execute())
        if count:
            orders, their = words.counted(count, "order has", "orders have"), words.agreeing(count, "its", "their")
            warnings.append(f"{orders} another {meaning} than {their} lines in {where}: the order's counts")
            table = different.order_by("order_id").limit(LISTED).execute()
            conflicts.append(_sum_conflicts(table, meaning, where))
    return pd.concat(conflicts) if conflicts else pd.DataFrame(), warnings


def _different_sums(lines: Lines, index: ibis.Table, meaning: str) -> ibis.Table:
    """order_id, of_order, of_lines: the sums that differ, in the result's currency."""
    sums = lines.sums.select("order_id", of_lines=lines.sums[meaning])
    joined = index.filter(_.owners <= 1, _.owner.notnull()).inner_join(sums, "order_id")
    of_lines = joined.of_lines if lines.in_result_currency else joined.of_lines * joined.rate
    pairs = joined.select("order_id", of_order=joined[f"order_{meaning}"], of_lines=of_lines)
    return pairs.filter((_.of_order - _.of_lines).abs() > SAME)


def _sum_conflicts(table: pd.DataFrame, meaning: str, where: str) -> pd.DataFrame:
    sums = zip(table["of_order"], table["of_lines"], strict=True)
    return conflict_table(
        table.assign(
            what=f"{meaning} of an order and its lines",
            system="order_id",
            key=table["order_id"],
            values=[[f"{of_order:.2f}", f"{of_lines:.2f} (lines)"] for of_order, of_lines in sums],
            where=where,
            lines=[[]] * len(table),
        )
    )


def range_events(backend: ibis.BaseBackend, judged: JudgedTable, lines: Lines, index: ibis.Table) -> ibis.Table:
    """The product groups of each order that counts: an event a group, with its number of lines and their amount."""
    rows = tally.with_lines(backend, judged.raw, judged.used)
    rows = rows.filter(_.product_group.notnull())
    money = exact_sum(rows.amount) if "amount" in rows.columns else ibis.null("float64")
    groups = rows.group_by(["order_id", "product_group"])
    sums = groups.agg(n=rows.count(), line=rows.line.min(), money=money)
    counted_orders = index.filter(_.on_day.notnull(), _.owner.notnull())
    counted_orders = counted_orders.select("order_id", "owner", "on_day", "rate")
    table = sums.inner_join(counted_orders, "order_id")
    amount = table.money if lines.in_result_currency else table.money * table.rate
    place = {"customer_id": table.owner, "date": table.on_day, "line": table.line}
    return _range_events(table, judged.opened.name, amount=amount, **place)


def lines_as_orders(
    backend: ibis.BaseBackend, transactions: Transactions, name: str
) -> tuple[Transactions, ibis.Table | None]:
    """Transactions of lines as transactions of orders, and the events of their product groups."""
    table = transactions.table
    sums = {meaning: exact_sum(_[meaning]) for meaning in MONEY if meaning in table.columns}
    of_customer = [*transactions.groups, *transactions.covariates]
    if "ended" in table.columns:
        of_customer.append("ended")
    orders = table.group_by(["customer_id", "date", "order_id"])
    orders = orders.agg(**sums, **{column: _[column].min() for column in dict.fromkeys(of_customer)})
    ranges = _ranges_of_lines(table, name) if "product_group" in table.columns else None
    return dataclasses.replace(transactions, table=stored(backend, "orders", orders)), ranges


def _ranges_of_lines(table: ibis.Table, name: str) -> ibis.Table:
    money = exact_sum(_.amount) if "amount" in table.columns else ibis.null("float64")
    groups = table.filter(_.product_group.notnull()).group_by(["customer_id", "date", "order_id", "product_group"])
    rows = groups.agg(n=_.count(), money=money)
    # The lines have been added up: none of them is the event's own.
    place = {"customer_id": rows.customer_id, "date": rows.date, "line": ibis.null("int64")}
    return _range_events(rows, name, amount=rows.money, **place)


def _range_events(rows: ibis.Table, source: str, **columns: ibis.Value) -> ibis.Table:
    """Events of the role `range`: the product group is their kind, its number of lines their count."""
    columns |= {"source": ibis.literal(source), "role": ibis.literal("range")}
    columns |= {"kind": rows.product_group, "count": rows.n, "order_id": rows.order_id}
    return in_shape(rows, columns)
