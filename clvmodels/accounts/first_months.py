"""What customers of the past really made in their first months: what a forecast of new customers stands beside."""

from __future__ import annotations

from collections.abc import Iterable

import ibis
import pandas as pd
from ibis import _

from clvmodels.accounts.bench import bench
from clvmodels.accounts.entries import Terms, keep_book
from clvmodels.accounts.profit_made import usual_margin
from clvmodels.accounts.winning import ACQUISITION, won_by
from clvmodels.customers.purchases import usual_windows
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.dates import DAYS_PER_YEAR
from clvmodels.models import Cost, get_costs
from clvmodels.sources.cleaning import EXACT_LOG
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics


def profit_of_first_days(
    company: Company,
    customers: Customers,
    economics: Economics,
    days: int,
    *,
    costs: Iterable[str | Cost] = (),
    windows: Windows | None = None,
) -> pd.Series:
    """Profit of each customer's first `days` days, from the first purchase on, before what it cost to win the customer.

    Discounted to the day of the first purchase, as a forecast of new customers is. Only of those whose days are over,
    and of whose last purchase in them all is known that may come back; nobody may be.

    Parameters
    ----------
    costs
        Those in use: see `Terms`.
    windows
        How long a purchase is watched for what comes back; by default as long as the company's returns say.

    Returns
    -------
    Series
        By customer_id, in the customers' order.
    """
    end = customers.observation_end
    stated = windows or usual_windows(company, end)
    in_use = list(get_costs(costs).values())
    watched = max((stated.days[cost.cost] for cost in in_use if cost.cost in stated.days), default=0)
    first_purchase = customers.table["first_purchase"]
    is_over = first_purchase.dt.normalize() + pd.Timedelta(days=days + watched) <= end + pd.Timedelta(days=1)
    cohort = customers.table.index[is_over]
    start = company.transactions.data_start

    def with_usual(purchases: ibis.Table) -> ibis.Table:
        """Asked for only where no margin is stated."""
        return purchases.mutate(usual=usual_margin(company, start, end, end))

    with bench(company.transactions.backend) as workbench:
        people = won_by(company, customers.table)
        book = keep_book(company, customers, Terms(economics, in_use, stated), people, workbench, with_usual)
        entries = book.earned.filter(_.part != ACQUISITION).inner_join(book.people, "customer_id")
        age = entries.bought.delta(entries["first"], unit="day")
        discount = (1.0 + economics.annual_discount_rate) ** (-age.cast("float64") / DAYS_PER_YEAR)
        of_first_days = entries.mutate(age=age, worth=entries.amount * discount).filter(_.age < days)
        profit = of_first_days.group_by("customer_id").agg(profit=_.worth.cast(EXACT_LOG).sum().cast("float64"))
        by_customer = profit.execute().set_index("customer_id")["profit"]
    return by_customer.reindex(cohort).fillna(0.0).astype(float)
