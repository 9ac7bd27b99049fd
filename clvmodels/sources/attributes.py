"""Attributes of customers, of one or several tables: a row a customer; contradictions are listed, never decided."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import pandas as pd
from ibis import _

from clvmodels.sources import reasons
from clvmodels.sources.events import JudgedTable
from clvmodels.sources.identity import LISTED, conflict_table
from clvmodels.sources.tally import stored, with_lines


def one_row_each(
    backend: ibis.BaseBackend, judged: JudgedTable
) -> tuple[ibis.Table, list[pd.DataFrame], dict[str, int]]:
    """One table's attributes: a row a customer, the conflicts, and the rows that were changed.

    A value that is told twice counts once; a gap contradicts nothing; of two values neither is taken.
    """
    names, rows = judged.opened.extra, judged.used
    if not names:
        return stored(backend, "customers", rows.select("customer_id").distinct()), [], {}
    # n0, n1, ... and v0, v1, ... are of no column that a table can have beside customer_id: names may be anything.
    counts = {f"n{i}": rows[name].nunique() for i, name in enumerate(names)}
    values = {f"v{i}": rows[name].min() for i, name in enumerate(names)}
    customers = stored(backend, "customers", rows.group_by("customer_id").agg(**counts, **values))
    is_contradicted = {name: customers[f"n{i}"] > 1 for i, name in enumerate(names)}
    decided = {}
    for i, name in enumerate(names):
        value = customers[f"v{i}"]
        decided[name] = is_contradicted[name].ifelse(ibis.null(value.type()), value)
    contradicted = customers.filter(ibis.or_(*is_contradicted.values()))
    changed_rows = int(rows.semi_join(contradicted, "customer_id").count().execute())
    conflicts = [_conflicts(backend, judged, customers.filter(is_contradicted[name]), name) for name in names]
    return customers.select("customer_id", **decided), conflicts, {reasons.UNDECIDED: changed_rows}


def _conflicts(backend: ibis.BaseBackend, judged: JudgedTable, contradicted: ibis.Table, name: str) -> pd.DataFrame:
    """The customers of whom the table tells several values of one attribute, with these and their lines."""
    listed = contradicted.select("customer_id").order_by("customer_id").limit(LISTED)
    rows = with_lines(backend, judged.raw, judged.used.semi_join(listed, "customer_id"))
    rows = rows.select("customer_id", "line", value=rows[name].cast("string")).filter(_.value.notnull())
    values = rows.group_by("customer_id").agg(
        values=_.value.collect(distinct=True), lines=_.line.collect(distinct=True)
    )
    table = values.order_by("customer_id").execute()
    return conflict_table(
        table.assign(
            what=f"attribute '{name}'", system="customer_id", key=table["customer_id"], where=judged.opened.where
        )
    )


def joined(backend: ibis.BaseBackend, tables: Sequence[ibis.Table]) -> ibis.Table | None:
    """All attributes of all customers that any of the tables has."""
    if not tables:
        return None
    if len(tables) == 1:
        return stored(backend, "attributes", tables[0])
    customers = ibis.union(*(table.select("customer_id") for table in tables), distinct=True)
    for table in tables:
        customers = customers.left_join(table, "customer_id").drop("customer_id_right")
    return stored(backend, "attributes", customers)


def as_frame(table: ibis.Table | None) -> pd.DataFrame:
    """The attributes by customer, sorted."""
    if table is None:
        return pd.DataFrame(index=pd.Index([], name="customer_id", dtype="str"))
    frame = table.execute().set_index("customer_id").sort_index()
    frame.index = frame.index.astype("str")
    return frame
