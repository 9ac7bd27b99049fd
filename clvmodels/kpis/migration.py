"""How customers move between groups of value from one period, or date, to the next.

Group 1 is the most valuable. In a period those who bought are ranked by profit (ties by id, so that the groups are of
one size), and those who did not are a group of their own; so are those who were not customers yet.
"""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.kpis.cells import Sums
from clvmodels.kpis.engine import Bench

NEW, SILENT = "new", "silent"
"""Not yet a customer in the first period; did not buy in it."""
COLUMNS = ("of", "from_period", "to_period", "from_group", "to_group", "customers", "share", "whole")


def migration_of(sums: Sums, groups: int, bench: Bench) -> pd.DataFrame:
    """Customers by group of profit in a period and in the next one.

    Returns
    -------
    DataFrame
        of ("profit"), from_period, to_period, from_group, to_group, customers, share (of the customers of the first
        group), whole (whether the data cover both periods); only cells that hold somebody.
    """
    if sums.money is None:
        return pd.DataFrame({name: [] for name in COLUMNS})
    earned = sums.extent.left_join(sums.money, ["customer_id", "period"])
    earned = earned.select("customer_id", "period", profit=_.profit.fill_null(0.0))
    rank = ibis.window(group_by=earned.period, order_by=[earned.profit.desc(), earned.customer_id])
    ranked = bench.keep(earned.mutate(group=(ibis.ntile(groups).over(rank) + 1).cast("string")))
    return pd.concat(
        [_moved(sums, ranked, place) for place in range(1, len(sums.periods))]
        or [pd.DataFrame({name: [] for name in COLUMNS})],
        ignore_index=True,
    )


def _moved(sums: Sums, ranked: ibis.Table, place: int) -> pd.DataFrame:
    """From the period before to this one, of all who are customers at its end."""
    before, now = sums.periods[place - 1], sums.periods[place]
    people = sums.people.filter(_.first <= ibis.date(now.end.date())).select("customer_id", "first")
    one, two = (
        ranked.filter(ranked.period == p).select("customer_id", **{name: ranked.group})
        for p, name in ((place - 1, "a"), (place, "b"))
    )
    both = people.left_join(one, "customer_id").drop("customer_id_right").left_join(two, "customer_id")
    unknown = both.first > ibis.date(before.end.date())
    both = both.select(from_group=unknown.ifelse(NEW, both.a.fill_null(SILENT)), to_group=both.b.fill_null(SILENT))
    found = both.group_by(["from_group", "to_group"]).agg(customers=_.count()).execute()
    return as_table(found, "profit", before.name, now.name, before.whole and now.whole)


def as_table(found: pd.DataFrame, of: str, before: str, now: str, whole: bool) -> pd.DataFrame:
    """Cells of from_group, to_group and customers, with their shares, in the groups' order."""
    share = found["customers"] / found.groupby("from_group")["customers"].transform("sum")
    table = found.assign(of=of, from_period=before, to_period=now, share=share, whole=whole)
    order = [*(table[name].map(_place) for name in ("from_group", "to_group"))]
    return table.iloc[np.lexsort(order[::-1])][list(COLUMNS)].reset_index(drop=True)


def _place(group: str) -> int:
    return {SILENT: 1000, NEW: 1001}.get(group) or int(group)
