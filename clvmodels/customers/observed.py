"""What costs observe of each customer at a day: each cost says it itself, of the tables that it is handed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.customers.purchases import purchases, usual_windows
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.errors import DataError
from clvmodels.models import Cost, get_costs
from clvmodels.sources.cleaning import EXACT_LOG
from clvmodels.sources.consolidation import Company


def with_costs(
    company: Company,
    customers: Customers,
    costs: Iterable[str | Cost],
    *,
    windows: Windows | None = None,
    cost_per_minute: float = 0.0,
) -> Customers:
    """The customers with the statistics that these costs observe, up to their own end of observation.

    Parameters
    ----------
    costs
        By name, as in `costs:` of an experiment, or themselves.
    windows
        How long purchases are watched; by default as long as the company's returns say (`usual_windows`).
    cost_per_minute
        Of contacts that are told in minutes, in the currency.

    Raises
    ------
    ConfigError
        An unknown cost.
    DataError
        A cost that the company's tables tell nothing of.
    """
    observing = get_costs(costs)
    order_columns = tuple(company.transactions.table.columns)
    problems = [cost.untold(company.roles, order_columns) for cost in observing.values()]
    if untold := [problem for problem in problems if problem is not None]:
        raise DataError(untold)
    windows = windows or usual_windows(company, customers.observation_end)
    bought = purchases(company, windows, customers.observation_end)
    seen = Seen(bought, frozenset(observing), cost_per_minute, company, customers, windows)
    columns: dict[str, pd.Series] = {}
    for cost in observing.values():
        columns |= cost.observed(seen)
    people = pd.Index(customers.table.index)
    by_customer = {name: column.reindex(people, fill_value=0.0) for name, column in columns.items()}
    return replace(customers, table=customers.table.assign(**by_customer))


@dataclass(frozen=True)
class Seen:
    """The purchases of the customers up to their end of observation, and the events: `costs.contract.Statistics`."""

    purchases: ibis.Table
    costs: frozenset[str]
    cost_per_minute: float
    company: Company
    customers: Customers
    windows: Windows

    @property
    def amount_unit(self) -> float:
        return self.customers.amount_unit

    def old_enough(self, cost: str) -> ibis.Table:
        last = self.customers.observation_end - pd.Timedelta(days=self.windows.days[cost])
        return self.purchases.filter(_.date <= ibis.date(last.date()))

    def events(self, source: str) -> ibis.Table:
        """From the first purchase on: what the number of purchases is the exposure of."""
        first = self.purchases.group_by("customer_id").agg(first=_.date.min())
        until = ibis.date(self.customers.observation_end.date())
        events = self.company.events.filter(_.role == source, _.date <= until)
        return events.inner_join(first, "customer_id").filter(_.date >= _.first)

    def by_customer(self, table: ibis.Table, **aggregates: ibis.Value) -> dict[str, pd.Series]:
        sums = table.group_by("customer_id").agg(**aggregates).execute().set_index("customer_id")
        return {name: sums[name].astype(np.float64) for name in aggregates}

    def log(self, value: ibis.Value) -> ibis.Value:
        return value.ln().cast(EXACT_LOG)

    def about_mean(self, table: ibis.Table, column: str, prefix: str, stem: str = "") -> dict[str, pd.Series]:
        total = table[column].cast(EXACT_LOG).sum().cast("float64")
        means = table.group_by("customer_id").agg(mean=total / table.count())
        rows = table.inner_join(means, "customer_id")
        value = rows[column].cast(EXACT_LOG)
        square = ((rows[column] - rows["mean"]) ** 2).cast(EXACT_LOG)
        sums = {
            f"{prefix}_count": rows.count(),
            f"{prefix}_{stem}sum": value.sum(),
            f"{prefix}_{stem}ss": square.sum(),
        }
        return self.by_customer(rows, **sums)
