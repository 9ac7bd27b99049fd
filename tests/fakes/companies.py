"""Small companies for tests: tables as frames, joined as an experiment joins them."""

from __future__ import annotations

import dataclasses

import ibis
import pandas as pd
from ibis import _

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.sources.consolidation import Company, Table, consolidate

COLUMNS = {
    "orders": ("key", "date", "amount", "cost", "order_id"),
    "returns": ("order_id", "date", "amount"),
    "contacts": ("key", "date", "kind"),
    "campaigns": ("key", "date", "kind", "arm", "amount"),
    "surveys": ("key", "date", "kind", "score"),
    "payments": ("order_id", "date", "kind", "amount"),
    "channel_costs": ("channel", "date", "amount"),
    "attributes": ("key", "channel", "segment"),
    "acquisition": ("key", "amount"),
}


def company_of(end: str | None = None, **rows: list[tuple] | pd.DataFrame) -> Company:
    """A company from rows of these columns, one table a role."""
    tables = {}
    for role, given in rows.items():
        frame = given if isinstance(given, pd.DataFrame) else pd.DataFrame(given, columns=list(COLUMNS[role]))
        empty = [name for name in frame if frame[name].isna().all()]
        frame = frame.astype(dict.fromkeys(empty, "str"))  # the engine has no columns without a type
        columns = {name: name for name in ("cost",) if name in frame}
        groups = tuple(name for name in ("channel", "segment") if name in frame and role in ("orders", "attributes"))
        tables[role] = Table(frame=frame, role=role, columns=columns, groups=groups)
    return consolidate(tables, currency="EUR", data_end=end)


def customers_of(
    company: Company, day: str | None = None, groups: tuple[str, ...] = ("channel", "segment")
) -> Customers:
    """The customers known at a day, the last of the data by default."""
    known = tuple(group for group in ("channel", "segment") if group in company.transactions.groups)
    return summarize(company.transactions, calibration_end=day, groups=known).customers


def cut(company: Company, day: str) -> Company:
    """What was known of a company at a day."""
    end = ibis.date(day)
    orders = company.transactions
    orders = dataclasses.replace(orders, table=orders.table.filter(_.date <= end), data_end=pd.Timestamp(day))
    events = company.events.filter(_.date.isnull() | (_.date <= end))
    costs = company.channel_costs[company.channel_costs["month"] <= day]
    return dataclasses.replace(company, transactions=orders, events=events, channel_costs=costs)
