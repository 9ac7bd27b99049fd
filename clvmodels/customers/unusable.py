"""Rows of a company's tables that are sound and that no part of the value can use, with their money.

A return, or a bill that is written off, counts to the purchase that it belongs to, for as long as its window says. What
comes later, what belongs to no purchase, and what is above the amount of its purchase adds nothing to any part. The
account of the tables says so, in place of counting such rows among those used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.customers.purchases import orders_and_days, with_purchase
from clvmodels.customers.windows import Windows
from clvmodels.models import Cost, get_costs
from clvmodels.models.costs.bad_debt import WRITTEN_OFF
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company
from clvmodels.sources.reasons import RETURNED, USED
from clvmodels.sources.tally import stored

UNUSABLE = "unusable"
"""The kind of rows in the account that no part of the value can use."""
CUT = "changed"
"""The kind of those that are counted in part."""
WITHOUT_PURCHASE = "belongs to no purchase"
ABOVE = "is above what was paid for its purchase"
IN_PART = "is above what was paid for its purchase, counted up to that"
NOTHING = 1e-9
"""Money that is but the rounding of a sum."""


def with_unusable(company: Company, windows: Windows, costs: Collection[str | Cost]) -> Company:
    """The company whose account tells, of the tables that these costs read, rows and money that no part can use.

    `account` gets a column `amount` (in the unit of the amounts, where money is lost to the value) and rows of the kind
    "unusable": "read" = "used" + "orphaned" + "dropped" + "unusable" in each source. `dropped` gets these rows too.
    """
    linked = list(_losses(company, windows, get_costs(costs)))
    if not linked:
        return company
    backend = company.transactions.backend
    lost = stored(backend, "unusable", ibis.union(*linked) if len(linked) > 1 else linked[0])
    by_reason = lost.group_by(["source", "reason", "kind"]).agg(rows=_.count(), amount=_.lost.cast(EXACT).sum())
    counts = by_reason.execute().astype({"amount": float}).sort_values(["source", "kind", "reason"])
    blocks = [
        _with_counts(block, counts[counts["source"] == source])
        for source, block in company.account.groupby("source", sort=False)
    ]
    files = dict(company.account.groupby("source")["where"].first())
    unused = lost.filter(_.kind == UNUSABLE)
    columns = {"source": unused.source, "where": unused.source.cases(*files.items()), "line": unused.line}
    unused = unused.select(**columns, reason=unused.reason, text=_text(unused)).cast(company.dropped.schema())
    dropped = stored(backend, "left_out", ibis.union(company.dropped, unused))
    account = pd.concat(blocks, ignore_index=True)
    return replace(company, account=account, dropped=dropped.order_by("source", "line"))


def _with_counts(block: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """The account of a source with rows of these counts, taken from the rows that were counted as used."""
    block = block.assign(amount=np.nan)
    if counts.empty:
        return block
    use = RETURNED if RETURNED in set(block["reason"]) else USED
    is_used = (block["reason"] == use) & (block["kind"] == "used")
    block.loc[is_used, "rows"] -= int(counts.loc[counts["kind"] == UNUSABLE, "rows"].sum())
    where = block["where"].iloc[0]
    told = counts.assign(where=where, step=0)[["step", "reason", "where", "rows", "kind", "amount", "source"]]
    is_last = block["kind"] == "used"
    whole = pd.concat([block[~is_last], told, block[is_last]], ignore_index=True)
    return whole.assign(step=np.arange(len(whole)))[list(block)]


def _losses(company: Company, windows: Windows, costs: Collection[str]) -> Iterator[ibis.Table]:
    """Rows of the tables that some money of is lost, by cost: source, line, customer_id, date, order_id, amount, lost,
    reason, kind."""
    orders, days = orders_and_days(company, company.transactions.data_end)
    events = company.events.select("role", "kind", "source", "line", "customer_id", "date", "amount", "order_id")
    if "returns" in costs and "returns" in company.roles:
        returns = with_purchase(events.filter(_.role == "returns").drop("role", "kind"), orders, days)
        yield _lost(_passed_over(returns, windows.days["returns"]))
        yield _lost(_above(returns, days, windows.days["returns"]))
    if "bad_debt" in costs and "payments" in company.roles:
        bills = events.filter(_.role == "payments", _.kind == WRITTEN_OFF).drop("role", "kind")
        yield _lost(_passed_over(with_purchase(bills, orders, days), windows.days["bad_debt"]))


def _lost(rows: ibis.Table) -> ibis.Table:
    names = ("source", "line", "customer_id", "date", "order_id", "amount", "lost", "reason", "kind")
    return rows.select(*names)


def _belongs(rows: ibis.Table) -> ibis.Value:
    return rows.bought.notnull() & (rows.date >= rows.bought)


def _passed_over(rows: ibis.Table, window: int) -> ibis.Table:
    """Those without a purchase on or before their day, and those later than the window."""
    belongs = _belongs(rows).fill_null(False)
    is_late = rows.date.delta(rows.bought, unit="day") > window
    reason = belongs.ifelse(f"came more than {window} days after its purchase", WITHOUT_PURCHASE)
    passed_over = rows.mutate(lost=rows.amount.fill_null(0.0), reason=reason, kind=ibis.literal(UNUSABLE))
    return passed_over.filter(~belongs | is_late)


def _above(rows: ibis.Table, days: ibis.Table, window: int) -> ibis.Table:
    """Those that with what had come back before are above the amount of the purchase."""
    is_in_time = rows.date.delta(rows.bought, unit="day") <= window
    rows = rows.filter(_belongs(rows), is_in_time)
    so_far = ibis.cumulative_window(group_by=["customer_id", "bought"], order_by=["date", "source", "line"])
    until = rows.amount.cast(EXACT).sum().over(so_far)
    rows = rows.mutate(until=until.cast("float64"))
    paid = days.select("customer_id", bought=days.date, paid=days.amount)
    rows = rows.inner_join(paid, ["customer_id", "bought"])
    # of a purchase no more than was paid can come back: with this row, and without it
    with_row = ibis.least(rows.until, rows.paid)
    without_row = ibis.least(rows.until - rows.amount, rows.paid)
    rows = rows.mutate(lost=rows.amount - (with_row - without_row))
    is_lost_whole = rows.amount - rows.lost <= NOTHING
    reason = is_lost_whole.ifelse(ABOVE, IN_PART)
    rows = rows.mutate(reason=reason, kind=is_lost_whole.ifelse(UNUSABLE, CUT))
    return rows.filter((_.amount > 0) & (_.lost > NOTHING))


def _text(rows: ibis.Table) -> ibis.Value:
    """A row in words: the row as it stood is not kept of rows that are sound."""
    cells = (rows.customer_id, rows.date.cast("string"), rows.amount.cast("string"), rows.order_id)
    return ibis.literal(", ").join([cell.fill_null("") for cell in cells])
