"""The last year of the book of which all is known: what a forecast of the next one is held against."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from clvmodels.accounts.profit_made import profit_made
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.models import get_costs
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics

DAYS = 365


def last_year(
    company: Company, customers: Customers, economics: Economics, *, costs: Iterable[str] = (), windows: Windows
) -> pd.DataFrame | None:
    """What each customer brought in the 365 days up to the last whose purchases were watched for long enough, by part,
    as `profit_made`; None where the data is younger than that.

    Costs of which a purchase is watched for some days are known of older purchases only.
    """
    names = list(get_costs(costs))
    watched = max((windows.days[name] for name in names if name in windows.days), default=0)
    end = customers.observation_end - pd.Timedelta(days=watched)
    start = end - pd.Timedelta(days=DAYS - 1)
    if start < company.transactions.data_start:
        return None
    made = profit_made(
        company,
        customers,
        economics,
        costs=names,
        start=start,
        end=end,
        known_at=customers.observation_end,
        windows=windows,
    )
    return made.assign(was_customer=(customers.table["first_purchase"] < start).to_numpy())
