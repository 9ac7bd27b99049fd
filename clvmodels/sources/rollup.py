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

from clvmodels.sources import reasons, tally
from clvmodels.sources.cleaning import EXACT, MONEY, amount_number, as_text, id_text
from clvmodels.sources.events import Judged, in_shape
from clvmodels.sources.identity import LISTED, conflict_table
from clvmodels.sources.roles import Told
from clvmodels.sources.tally import stored
from clvmodels.sources.transactions import Transactions

SAME = 0.005  # half a hundredth: sums of rounded amounts differ by less


class Lines(NamedTuple):
    """Order lines, judged by themselves, with their sums by order."""

    judged: Judged
    sums: ibis.Table  # order_id, and of amount, cost, discount what the lines tell
    own_currency: bool  # the sums are in the result's currency already, not in the order's


def sum_lines(backend: ibis.BaseBackend, judged: Judged) -> Lines:
    """The lines that can be read, added up by order."""
    told = [name for name in MONEY if name in judged.told.names]
    sums = judged.used.group_by("order_id").agg(
        lines=_.count(), **{name: _[name].cast(EXACT).sum().cast("float64") for name in told}
    )
    own = "currency" in judged.told.names or judged.told.table.currency not in (None, "order")
    return Lines(judged, stored(backend, "sums", sums), own)


def known_orders(backend: ibis.BaseBackend, told: Told, day: ibis.Value) -> ibis.Table | None:
    """Every order number of a table whose rows know their owners: order_id, its first row, its owners, its rate, and
    how many different rates its rows have. The first row is one that may count, if there is one: it has an owner and a
    day, and is no refund."""
    if "order_id" not in told.names:
        return None
    table = told.raw.table
    rate = table.rate if "rate" in table.columns else ibis.literal(1.0)
    good = table.owner.notnull() & day.notnull()
    if "amount" in told.names:
        good = good & (amount_number(table[told.column("amount")]) >= 0).fill_null(False)
    rows = table.select("row", "owner", order_id=id_text(table[told.column("order_id")]), rate=rate, good=good)
    known = (
        rows.filter(_.order_id.notnull())
        .group_by("order_id")
        .agg(
            first=ibis.coalesce(_["row"].min(where=_.good), _["row"].min()),
            owners=_.owner.nunique(),
            rate=_.rate.max(),
            rates=_.rate.nunique(),
        )
    )
    return stored(backend, "known", known)


def with_sums(told: Told, known: ibis.Table, lines: Lines) -> tuple[Told, tuple[str, ...]]:
    """The table of orders with what only its lines tell, in the first row of each order, and 0 in its others; and which
    meanings of these are in the result's currency already. An order of several customers gets nothing."""
    new = [name for name in MONEY if name in lines.sums.columns and name not in told.names]
    if not new:
        return told, ()
    width = len(told.names)
    found = known.filter(_.owners <= 1).inner_join(lines.sums, "order_id")
    found = found.select(first="first", of_order="order_id", **{f"sum_{name}": found[name] for name in new})
    table = told.raw.table.mutate(of_order=id_text(told.raw.table[told.column("order_id")]))
    met = table.left_join(found, "of_order")
    sums = {
        f"c{width + i}": (met.row == met["first"]).ifelse(met[f"sum_{n}"], met[f"sum_{n}"] * 0.0)
        for i, n in enumerate(new)
    }
    raw = told.raw._replace(table=met.select(*told.raw.table.columns, **sums))
    names = told.names | {name: f"{lines.judged.told.names[name]} of {lines.judged.told.name}" for name in new}
    return told._replace(names=names, raw=raw), tuple(new) if lines.own_currency else ()


def order_index(backend: ibis.BaseBackend, known: ibis.Table, transactions: Transactions) -> ibis.Table:
    """What an order number leads to: order_id, owner, unowned, on_day (null where it is no order that counts), and
    rate."""
    used = transactions.table.filter(_.order_id.notnull()).group_by("order_id")
    sums = {
        f"order_{name}": _[name].cast(EXACT).sum().cast("float64")
        for name in MONEY
        if name in transactions.table.columns
    }
    orders = used.agg(owner=_.customer_id.min(), on_day=_.date.min(), **sums)
    index = known.left_join(orders, "order_id").drop("order_id_right")
    if transactions.returns is not None:
        back = transactions.returns.group_by("order_id").agg(returner=_.customer_id.min())
        index = index.left_join(back, "order_id").drop("order_id_right")
        index = index.mutate(owner=ibis.coalesce(index.owner, index.returner)).drop("returner")
    why = ibis.cases(
        (index.owners > 1, reasons.ORDER_OF_SEVERAL),
        (index.owner.isnull(), reasons.UNUSED_ORDER),
        (index.rates > 1, reasons.ORDER_AT_RATES),
    )
    index = index.mutate(unowned=why)
    return stored(
        backend, "orders", index.mutate(owner=index.unowned.isnull().ifelse(index.owner, ibis.null("string")))
    )


def together(backend: ibis.BaseBackend, each: list[ibis.Table]) -> ibis.Table:
    """The order numbers of several tables, and in how many each is: one that leads to several customers, or to money of
    several currencies, leads to nobody."""
    shared = sorted(set.intersection(*(set(one.columns) for one in each)))
    rows = ibis.union(*(one.select(*shared) for one in each)).group_by("order_id")
    found = rows.agg(
        owners=ibis.greatest(_.owners.max(), _.owner.nunique()),
        owner=_.owner.min(),
        on_day=_.on_day.min(),
        rate=_.rate.max(),
        rates=ibis.greatest(_.rates.max(), _.rate.nunique()),
        why=_.unowned.min(),
        tables=_.count(),
    )
    unowned = ibis.cases(
        (found.owners > 1, reasons.ORDER_OF_SEVERAL),
        (found.owner.isnull(), found.why),
        (found.rates > 1, reasons.ORDER_AT_RATES),
    )
    found = found.mutate(unowned=unowned).drop("why")
    return stored(
        backend, "orders", found.mutate(owner=found.unowned.isnull().ifelse(found.owner, ibis.null("string")))
    )


def conflicts(several: ibis.Table, of: str, where: str) -> pd.DataFrame:
    """Order numbers of several customers, or in several tables: what the column `of` counts."""
    table = several.select("order_id", of).order_by("order_id").limit(LISTED).execute()
    what = "customers" if of == "owners" else "tables"
    told = {"what": f"order of several {what}", "system": "order_id", "where": where}
    values = [[f"{n} {what}"] for n in table[of]]
    return conflict_table(table.assign(key=table["order_id"], values=values, lines=[[]] * len(table), **told))


def by_order(table: ibis.Table, column: str, index: ibis.Table) -> ibis.Table:
    """The table with `owner`, `unowned` and `order_rate`, by a column of order numbers."""
    known = index.select(order_="order_id", owner="owner", why_="unowned", order_rate="rate", is_=ibis.literal(True))
    rows = table.mutate(order_=id_text(table[column]))
    found = rows.left_join(known, "order_")
    why = ibis.cases(
        (found.order_.isnull(), reasons.NO_ORDER), (found.is_.isnull(), reasons.UNKNOWN_ORDER), else_=found.why_
    )
    return found.select(*table.columns, "owner", "order_rate", unowned=why)


def lines_met(backend: ibis.BaseBackend, lines: Lines, index: ibis.Table) -> Judged:
    """The lines, judged by what became of their orders too."""
    judged, names = lines.judged, lines.judged.told.names
    met = by_order(judged.table, "order_id", index)
    told = as_text({name: met[name] for name in names if name in met.columns}, names)
    reason = ibis.coalesce(met.reason, met.unowned)
    table = met.mutate(reason=reason, text=ibis.coalesce(met.text, reason.notnull().ifelse(told, ibis.null("string"))))
    table = stored(backend, "lines", table if judged.marks is None else table.anti_join(judged.marks, "row"))
    counts = tally.count(table, judged.raw)
    if judged.marks is not None:
        more = judged.marks.group_by("reason").agg(rows=_.count()).execute().set_index("reason")["rows"]
        counts = counts.add(more, fill_value=0).reindex(counts.index).astype("int64")
    return judged._replace(table=table, counts=counts)


def differences(lines: Lines, index: ibis.Table, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Orders of which the lines tell another sum than the order itself: the conflicts, and a warning each."""
    listed, warnings = [], []
    for name in (n for n in MONEY if n in lines.sums.columns and f"order_{n}" in index.columns):
        sums = lines.sums.select("order_id", theirs=lines.sums[name])
        both = index.filter(_.owners <= 1, _.owner.notnull()).inner_join(sums, "order_id")
        own, theirs = both[f"order_{name}"], both.theirs if lines.own_currency else both.theirs * both.rate
        found = both.select("order_id", own=own, theirs=theirs).filter((_.own - _.theirs).abs() > SAME)
        n = int(found.count().execute())
        if n:
            warnings.append(f"{n:,} orders have another {name} than their lines in {where}: the order's counts")
            table = found.order_by("order_id").limit(LISTED).execute()
            values = [[f"{a:.2f}", f"{b:.2f} (lines)"] for a, b in zip(table["own"], table["theirs"], strict=True)]
            table = table.assign(what=f"{name} of an order and its lines", system="order_id", key=table["order_id"])
            listed.append(conflict_table(table.assign(values=values, where=where, lines=[[]] * len(table))))
    return pd.concat(listed) if listed else pd.DataFrame(), warnings


def range_events(backend: ibis.BaseBackend, met: Judged, lines: Lines, index: ibis.Table) -> ibis.Table:
    """The product groups of each order that counts: an event a group, with its number of lines and their amount."""
    rows = tally.with_lines(backend, met.raw, met.used).filter(_.product_group.notnull())
    money = rows.amount.cast(EXACT).sum().cast("float64") if "amount" in rows.columns else ibis.null("float64")
    each = rows.group_by(["order_id", "product_group"]).agg(n=rows.count(), line=rows.line.min(), money=money)
    orders = index.filter(_.on_day.notnull(), _.owner.notnull()).select("order_id", "owner", "on_day", "rate")
    found = each.inner_join(orders, "order_id")
    amount = found.money if lines.own_currency else found.money * found.rate
    return in_shape(found, _range(found, met.told.name, found.owner, found.on_day, amount, found.line))


def lines_as_orders(
    backend: ibis.BaseBackend, transactions: Transactions, name: str
) -> tuple[Transactions, ibis.Table | None]:
    """Transactions of lines as transactions of orders, and the events of their product groups."""
    table = transactions.table
    money = {m: _[m].cast(EXACT).sum().cast("float64") for m in MONEY if m in table.columns}
    kept = dict.fromkeys((*transactions.groups, *transactions.covariates))
    kept |= dict.fromkeys(["ended"] if "ended" in table.columns else [])
    orders = table.group_by(["customer_id", "date", "order_id"]).agg(**money, **{k: _[k].min() for k in kept})
    ranges = None
    if "product_group" in table.columns:
        amount = _.amount.cast(EXACT).sum().cast("float64") if "amount" in table.columns else ibis.null("float64")
        each = table.filter(_.product_group.notnull()).group_by(["customer_id", "date", "order_id", "product_group"])
        each = each.agg(n=_.count(), money=amount)
        ranges = in_shape(each, _range(each, name, each.customer_id, each.date, each.money, ibis.null("int64")))
    return dataclasses.replace(transactions, table=stored(backend, "orders", orders)), ranges


def _range(
    rows: ibis.Table, source: str, owner: ibis.Value, day: ibis.Value, amount: ibis.Value, line: ibis.Value
) -> dict[str, ibis.Value]:
    return {
        "source": ibis.literal(source),
        "role": ibis.literal("range"),
        "line": line,
        "customer_id": owner,
        "date": day,
        "kind": rows.product_group,
        "count": rows.n,
        "amount": amount,
        "order_id": rows.order_id,
    }
