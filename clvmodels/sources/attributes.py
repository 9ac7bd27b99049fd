"""Attributes of customers, of one or several tables: a row a customer; contradictions are listed, never decided."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import pandas as pd
from ibis import _

from clvmodels.sources import reasons, tally
from clvmodels.sources.events import Judged
from clvmodels.sources.identity import LISTED, conflict_table
from clvmodels.sources.tally import stored


def one_row_each(backend: ibis.BaseBackend, judged: Judged) -> tuple[ibis.Table, list[pd.DataFrame], dict[str, int]]:
    """One table's attributes: a row a customer, the conflicts, and the rows that were changed.

    A value that is told twice counts once; a gap contradicts nothing; of two values neither is taken.
    """
    columns, rows = judged.told.kept, judged.used
    each = rows.group_by("customer_id").agg(
        **{f"n{i}": rows[name].nunique() for i, name in enumerate(columns)},
        **{f"v{i}": rows[name].min() for i, name in enumerate(columns)},
    )
    each = stored(backend, "each", each)
    values = {
        name: (each[f"n{i}"] > 1).ifelse(ibis.null(each[f"v{i}"].type()), each[f"v{i}"])
        for i, name in enumerate(columns)
    }
    if not columns:
        return each.select("customer_id"), [], {}
    several = each.filter(ibis.or_(*(each[f"n{i}"] > 1 for i in range(len(columns)))))
    undecided = int(rows.semi_join(several, "customer_id").count().execute())
    conflicts = [_conflicts(backend, judged, each.filter(each[f"n{i}"] > 1), name) for i, name in enumerate(columns)]
    return each.select("customer_id", **values), conflicts, {reasons.UNDECIDED: undecided}


def _conflicts(backend: ibis.BaseBackend, judged: Judged, several: ibis.Table, name: str) -> pd.DataFrame:
    first = several.select("customer_id").order_by("customer_id").limit(LISTED)
    rows = tally.with_lines(backend, judged.raw, judged.used.semi_join(first, "customer_id"))
    rows = rows.select("customer_id", "line", value=rows[name].cast("string"))
    found = (
        rows.filter(_.value.notnull())
        .group_by("customer_id")
        .agg(values=_.value.collect(distinct=True), lines=_.line.collect(distinct=True))
    )
    table = found.order_by("customer_id").execute()
    told = {"what": f"attribute '{name}'", "system": "customer_id", "where": judged.told.where}
    return conflict_table(table.assign(key=table["customer_id"], **told))


def joined(backend: ibis.BaseBackend, tables: Sequence[ibis.Table]) -> ibis.Table | None:
    """All attributes of all customers that any of the tables has."""
    if not tables:
        return None
    everyone = ibis.union(*(t.select("customer_id") for t in tables), distinct=True) if tables[1:] else tables[0]
    for table in tables if tables[1:] else ():
        everyone = everyone.left_join(table, "customer_id").drop("customer_id_right")
    return stored(backend, "attributes", everyone)


def as_frame(table: ibis.Table | None) -> pd.DataFrame:
    """The attributes by customer, sorted."""
    if table is None:
        return pd.DataFrame(index=pd.Index([], name="customer_id", dtype="str"))
    frame = table.execute().set_index("customer_id").sort_index()
    frame.index = frame.index.astype("str")
    return frame
