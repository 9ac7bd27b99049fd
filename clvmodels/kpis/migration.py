"""How customers move between groups of value from one period, or date, to the next.

Group 1 is the most valuable. In a period those who bought are ranked by profit (ties by id, so that the groups are of
one size), and those who did not are a group of their own; so are those who were not customers yet.
"""

from __future__ import annotations

import itertools

import ibis
import pandas as pd
from ibis import _

from clvmodels.accounts.bench import Bench
from clvmodels.kpis.cells import Sums
from clvmodels.kpis.periods import Period

NEW, SILENT = "new", "silent"
"""Not yet a customer in the first period; did not buy in it."""
COLUMNS = (
    *("of", "from_period", "to_period", "from_group", "to_group", "from_place", "to_place"),
    *("customers", "share", "whole"),
)


def migration_of(sums: Sums, groups: int, bench: Bench) -> pd.DataFrame:
    """Customers by group of profit in a period and in the next one.

    Returns
    -------
    DataFrame
        of ("profit"), from_period, to_period, from_group, to_group (their names), from_place, to_place (the best group
        is the first; after the last come those who did not buy, then those who are new), customers, share (of the
        customers of the first group), whole (whether the data cover both periods); only cells that hold somebody.
    """
    nobody = pd.DataFrame({name: [] for name in COLUMNS})
    if sums.money is None or len(sums.periods) < 2:
        return nobody
    grouped = bench.keep(_groups_of_profit(sums.extent, sums.money, groups))
    tables = []
    for before, now in itertools.pairwise(enumerate(sums.periods)):
        tables.append(_moved(sums.people, grouped, before, now, groups))
    return pd.concat(tables, ignore_index=True)


def _groups_of_profit(extent: ibis.Table, money: ibis.Table, groups: int) -> ibis.Table:
    """customer_id, period, place (1 is the most profitable group) of those who bought in the period."""
    earned = extent.left_join(money, ["customer_id", "period"])
    earned = earned.select("customer_id", "period", profit=_.profit.fill_null(0.0))
    best_first = ibis.window(group_by=earned.period, order_by=[earned.profit.desc(), earned.customer_id])
    group = ibis.ntile(groups).over(best_first)  # counted from 0
    return earned.select("customer_id", "period", place=group + 1)


def place_of_silent(groups: int) -> int:
    """The place of those who did not buy: after the last group."""
    return groups + 1


def place_of_new(groups: int) -> int:
    """The place of those who were not customers yet: the last of all."""
    return groups + 2


def _moved(
    people: ibis.Table, grouped: ibis.Table, before: tuple[int, Period], now: tuple[int, Period], groups: int
) -> pd.DataFrame:
    """From one period to the next, of all who are customers at its end."""
    (earlier_number, from_period), (later_number, to_period) = before, now
    customers = people.filter(_.first <= ibis.date(to_period.end.date())).select("customer_id", "first")
    earlier = grouped.filter(_.period == earlier_number).select("customer_id", from_place=_.place)
    later = grouped.filter(_.period == later_number).select("customer_id", to_place=_.place)
    moves = customers.left_join(earlier, "customer_id").drop("customer_id_right")
    moves = moves.left_join(later, "customer_id")
    is_new = moves.first > ibis.date(from_period.end.date())
    silent = place_of_silent(groups)
    moves = moves.select(
        from_place=is_new.ifelse(place_of_new(groups), moves.from_place.fill_null(silent)),
        to_place=moves.to_place.fill_null(silent),
    )
    counts = moves.group_by(["from_place", "to_place"]).agg(customers=_.count()).execute()
    whole = from_period.whole and to_period.whole
    return as_table(counts, groups, "profit", from_period.name, to_period.name, whole)


def as_table(counts: pd.DataFrame, groups: int, of: str, from_period: str, to_period: str, whole: bool) -> pd.DataFrame:
    """Cells of from_place, to_place and customers, with the groups' names and shares, in the groups' order."""
    names = {place: str(place) for place in range(1, groups + 1)}
    names |= {place_of_silent(groups): SILENT, place_of_new(groups): NEW}
    counts = counts.astype({"from_place": int, "to_place": int})
    named = {"from_group": counts["from_place"].map(names), "to_group": counts["to_place"].map(names)}
    group_size = counts.groupby("from_place")["customers"].transform("sum")
    share = counts["customers"] / group_size
    table = counts.assign(of=of, from_period=from_period, to_period=to_period, share=share, whole=whole, **named)
    return table.sort_values(["from_place", "to_place"])[list(COLUMNS)].reset_index(drop=True)
