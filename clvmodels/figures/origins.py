"""Where each column of a customer comes from: the table of one row a customer, by the tables that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

MOST, NAMED = 200, 12
ROLES = {
    "orders": "orders",
    "order_lines": "order lines",
    "attributes": "attributes",
    "bad_debt": "payments",
    "range": "range bought",
    "channel_costs": "costs of channels",
}


def table(run: Run) -> pd.DataFrame | None:
    """column, role, source, own_column, customers (who have it), of the company's consolidated table; None where all of
    it comes from one table."""
    from clvmodels.customers.experience import column_origins  # here: a report of a stored folder needs no models

    if run.company is None or run.consolidated is None:
        return None
    found = column_origins(run.company, run.consolidated)
    return found.head(MOST) if found["source"].nunique() > 1 else None


def heading(table: pd.DataFrame, about: About) -> str:
    return "Where each column of a customer comes from"


def describe(table: pd.DataFrame, about: About) -> Words:
    n = table["column"].nunique()
    caption = (
        f"consolidated.csv holds one row for each of {words.count(about.customers)} customers and {n} columns from "
        f"{table['source'].nunique()} tables, as known at the date of value. Satisfaction, complaints and the like are "
        "associated with what customers do; they are not shown to cause it."
    )
    return Words("", caption, "")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = []
    for (source, role), block in table.groupby(["source", "role"], sort=False):
        names = [str(name) for name in block["column"]]
        named = words.label(", ".join(names[:NAMED]), 240)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        told = ROLES.get(str(role), str(role).replace("_", " "))
        own = words.label(", ".join(dict.fromkeys(", ".join(block["own_column"]).split(", "))), 120)
        low, high = (words.count(n) for n in (block["customers"].min(), block["customers"].max()))
        known = low if low == high else f"{low} to {high}"
        rows.append((f"{words.label(source, 40)}\n{told}: {own}", named + more, known))
    return Numbers(("Table, its columns", "Columns of a customer", "Customers known"), rows)


FIGURE = Figure(
    "origins",
    "where each column of a customer comes from",
    "data",
    "folded",
    heading,
    table,
    describe,
    None,
    numbers,
)
