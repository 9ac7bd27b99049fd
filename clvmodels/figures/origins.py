"""Where each column of a customer comes from: the table of one row a customer, by the tables that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

MOST, NAMED = 200, 12
ROLE_NOUNS = {
    "orders": "orders",
    "order_lines": "order lines",
    "attributes": "attributes",
    "bad_debt": "payments",
    "range": "range bought",
    "channel_costs": "costs of channels",
}
"""What a reader calls a role of a table; of the others their names say it."""


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
    customers = words.counted(about.customers, "customer")
    columns = words.counted(table["column"].nunique(), "column")
    tables = words.counted(table["source"].nunique(), "table")
    caption = (
        f"consolidated.csv holds one row for each of {customers} and {columns} from {tables}, as known at the date of "
        "value. Satisfaction, complaints and the like are "
        "associated with what customers do; they are not shown to cause it."
    )
    return Words("", caption, "")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    """A row a table and role: what it is called there, what it became, and of how many customers it is known."""
    rows = []
    for (source, role), block in table.groupby(["source", "role"], sort=False):
        title = ROLE_NOUNS.get(str(role), str(role).replace("_", " "))
        # a column of a customer may be made of several of the table's: each is named once
        source_columns = dict.fromkeys(name for names in block["own_column"] for name in names.split(", "))
        named = f"{words.label(source, 40)}\n{title}: {words.label(', '.join(source_columns), 120)}"
        rows.append((named, _columns(block["column"]), _customers(block["customers"])))
    return Numbers(("Table, its columns", "Columns of a customer", "Customers known"), rows)


def _columns(names: pd.Series) -> str:
    """The first twelve, and how many more."""
    named = words.label(", ".join(map(str, names[:NAMED])), 240)
    more = len(names) - NAMED
    return f"{named} and {more} more" if more > 0 else named


def _customers(counts: pd.Series) -> str:
    """Of the columns, the fewest and the most."""
    fewest, most = words.count(counts.min()), words.count(counts.max())
    return fewest if fewest == most else f"{fewest} to {most}"


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
