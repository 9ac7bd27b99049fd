"""Profit that was made: what the book says of each customer between two days, in the parts that value has.

profit to date + residual value = lifetime value (`lifetime`). Amounts are in the currency, costs negative, not
discounted. What comes with a purchase (a return, an unpaid bill) counts on the purchase's day, as in the forecast;
contacts, campaigns, fees and own costs of acquisition on their own day, or on the first purchase where they have no
later one. What is still to come back of the latest purchases is in neither the profit made nor the residual value.
"""

from __future__ import annotations

from collections.abc import Iterable

import ibis
import pandas as pd
from ibis import _

from clvmodels.accounts.bench import bench
from clvmodels.accounts.entries import Book, Terms, keep_book
from clvmodels.accounts.winning import won_by
from clvmodels.customers.purchases import orders_and_days, usual_windows
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.models import Cost
from clvmodels.sources.cleaning import EXACT, EXACT_LOG
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics

EXTENT = ("revenue", "purchases", "profit")
"""Columns of what was made that are no parts of it."""


def profit_made(
    company: Company,
    customers: Customers,
    economics: Economics,
    *,
    costs: Iterable[str | Cost] = (),
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
    known_at: pd.Timestamp | None = None,
    windows: Windows | None = None,
) -> pd.DataFrame:
    """Profit of each customer from `start` to `end`, both days included, by part.

    Parameters
    ----------
    costs
        Those in use: see `Terms`.
    start, end
        By default the first day of the data, and the customers' end of observation.
    known_at
        The day up to which returns and unpaid bills are known; by default the end of the data.
    windows
        How long a purchase is watched for what comes back; of late purchases not all is known yet. By default as long
        as the company's returns say (`usual_windows`).

    Returns
    -------
    DataFrame
        By customer_id, in the customers' order: a column a part that these economics know of, `revenue` (the amounts),
        `purchases` and `profit`, the sum of the parts.
    """
    first = start or company.transactions.data_start
    last = end or customers.observation_end
    until = known_at or company.transactions.data_end
    terms = Terms(economics, costs, windows or usual_windows(company, until))

    def with_usual(days: ibis.Table) -> ibis.Table:
        """Asked for only where no margin is stated."""
        return days.mutate(usual=usual_margin(company, first, last, until))

    with bench(company.transactions.backend) as workbench:
        people = won_by(company, customers.table)
        book = keep_book(company, customers, terms, people, workbench, with_usual, until)
        parts = _by_part(book, first, last)
        extent = _extent(book, first, last)
    # customers without an entry or a purchase in these days have earned nothing in them
    parts = parts.reindex(index=customers.table.index, columns=list(book.parts)).fillna(0.0)
    extent = extent.reindex(customers.table.index).fillna(0.0)
    return parts.assign(revenue=extent["revenue"], purchases=extent["purchases"], profit=parts.sum(axis=1))


def usual_margin(company: Company, first: pd.Timestamp, last: pd.Timestamp, until: pd.Timestamp) -> float:
    """What the goods' cost leaves of all paid purchases between two days together, where it is known; else 0."""
    _orders, days = orders_and_days(company, until)
    days_of_known_cost = days.filter(_between(_.date, first, last), _.cost.notnull(), _.amount > 0)
    sums = days_of_known_cost.aggregate(amount=_.amount.sum(), cost=_.cost.sum()).execute().iloc[0]
    if not sums.amount > 0:  # no such purchase, whose sum is empty
        return 0.0
    return 1.0 - float(sums.cost) / float(sums.amount)


def _between(date: ibis.Value, first: pd.Timestamp, last: pd.Timestamp) -> ibis.Value:
    return date.between(ibis.date(first.date()), ibis.date(last.date()))


def _by_part(book: Book, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Sums by customer (rows) and part (columns) of what belongs to these days."""
    entries = book.earned.filter(_between(_.bought, first, last))
    amount = _.amount.cast(EXACT_LOG).sum().cast("float64")
    sums = entries.group_by(["customer_id", "part"]).agg(amount=amount).execute()
    return sums.pivot(index="customer_id", columns="part", values="amount")


def _extent(book: Book, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Revenue and purchases of these days, by customer."""
    days = book.days.filter(_between(_.date, first, last))
    revenue = _.revenue.cast(EXACT).sum()
    extent = days.group_by("customer_id").agg(revenue=revenue, purchases=_.count()).execute()
    return extent.set_index("customer_id").astype(float)
