"""How customers move between groups of value from one period, or date, to the next.

Group 1 is the most valuable. In a period those who bought are ranked by profit (ties by id, so that the groups are of
one size), and those who did not are a group of their own; so are those who were not customers yet.
"""

from __future__ import annotations

import itertools

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.accounts.bench import Bench
from clvmodels.kpis.cells import Sums
from clvmodels.kpis.periods import Period

NEW, SILENT = "new", "silent"
"""Not yet a customer in the first period; did not buy in it."""
_WITHOUT_NUMBER = {SILENT: 1000, NEW: 1001}
"""Their places in the order of groups: behind all that have a number."""
COLUMNS = ("of", "from_period", "to_period", "from_group", "to_group", "customers", "share", "whole")


def migration_of(sums: Sums, groups: int, bench: Bench) -> pd.DataFrame:
    """Customers by group of profit in a period and in the next one.

    Returns
    -------
    DataFrame
        of ("profit"), from_period, to_period, from_group, to_group, customers, share (of the customers of the first
        group), whole (whether the data cover both periods); only cells that hold somebody.
    """
    nobody = pd.DataFrame({name: [] for name in COLUMNS})
    if sums.money is None or len(sums.periods) < 2:
        return nobody
    grouped = bench.keep(_groups_of_profit(sums.extent, sums.money, groups))
    tables = []
    for before, now in itertools.pairwise(enumerate(sums.periods)):
        tables.append(_moved(sums.people, grouped, before, now))
    return pd.concat(tables, ignore_index=True)


def _groups_of_profit(extent: ibis.Table, money: ibis.Table, groups: int) -> ibis.Table:
    """customer_id, period, group ("1" is the most profitable) of those who bought in the period."""
    earned = extent.left_join(money, ["customer_id", "period"])
    earned = earned.select("customer_id", "period", profit=_.profit.fill_null(0.0))
    best_first = ibis.window(group_by=earned.period, order_by=[earned.profit.desc(), earned.customer_id])
    place = ibis.ntile(groups).over(best_first)  # counted from 0
    return earned.select("customer_id", "period", group=(place + 1).cast("string"))


def _moved(
    people: ibis.Table, grouped: ibis.Table, before: tuple[int, Period], now: tuple[int, Period]
) -> pd.DataFrame:
    """From one period to the next, of all who are customers at its end."""
    (from_place, from_period), (to_place, to_period) = before, now
    customers = people.filter(_.first <= ibis.date(to_period.end.date())).select("customer_id", "first")
    earlier = grouped.filter(_.period == from_place).select("customer_id", from_group=_.group)
    later = grouped.filter(_.period == to_place).select("customer_id", to_group=_.group)
    moves = customers.left_join(earlier, "customer_id").drop("customer_id_right")
    moves = moves.left_join(later, "customer_id")
    is_new = moves.first > ibis.date(from_period.end.date())
    moves = moves.select(
        from_group=is_new.ifelse(NEW, moves.from_group.fill_null(SILENT)),
        to_group=moves.to_group.fill_null(SILENT),
    )
    counts = moves.group_by(["from_group", "to_group"]).agg(customers=_.count()).execute()
    whole = from_period.whole and to_period.whole
    return as_table(counts, "profit", from_period.name, to_period.name, whole)


def as_table(counts: pd.DataFrame, of: str, from_period: str, to_period: str, whole: bool) -> pd.DataFrame:
    """Cells of from_group, to_group and customers, with their shares, in the groups' order."""
    group_size = counts.groupby("from_group")["customers"].transform("sum")
    share = counts["customers"] / group_size
    table = counts.assign(of=of, from_period=from_period, to_period=to_period, share=share, whole=whole)
    to_place = table["to_group"].map(_place)
    from_place = table["from_group"].map(_place)
    order = np.lexsort([to_place, from_place])  # by the last key first
    return table.iloc[order][list(COLUMNS)].reset_index(drop=True)


def _place(group: str) -> int:
    """Groups by their number, and then those without one."""
    if group in _WITHOUT_NUMBER:
        return _WITHOUT_NUMBER[group]
    return int(group)
