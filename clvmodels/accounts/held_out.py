"""Which parts of the profit of a holdout are known, of purchases up to which day, and what they came to.

A purchase that was watched for less than the window of a cost may still come back or stay unpaid: of such costs only
older purchases count, in the forecast as here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from clvmodels.accounts.entries import RETENTION
from clvmodels.accounts.profit_made import profit_made
from clvmodels.customers.table import Customers, Holdout
from clvmodels.customers.windows import Windows
from clvmodels.models import get_costs
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.parts import CREDIT, PARTS


def known_until(
    company: Company,
    holdout: Holdout,
    costs: Iterable[str],
    windows: Windows | None = None,
    known_at: pd.Timestamp | None = None,
) -> dict[str, pd.Timestamp]:
    """The last day of the holdout up to which each part of profit is known of all purchases, by part; `known_at` is the
    day on which it is asked, by default the last of the data.

    Parts of which nothing is known are left out: the credit for customers who were brought, whose own value is still
    to come; retention, where no table tells of campaigns; costs whose window reaches back before the holdout.
    """
    days = (windows or Windows()).days
    ends = {part: holdout.end for part in PARTS if part != CREDIT}
    if "campaigns" not in company.roles:
        del ends[RETENTION]
    for name, cost in get_costs(costs).items():
        if cost.window is not None:
            settled = (known_at or company.transactions.data_end) - pd.Timedelta(days=days[name])
            ends[cost.part] = min(ends[cost.part], settled)
    return {part: end for part, end in ends.items() if end >= holdout.start}


def profit_held_out(
    company: Company,
    customers: Customers,
    holdout: Holdout,
    economics: Economics,
    ends: Mapping[str, pd.Timestamp],
    *,
    costs: Iterable[str] = (),
    windows: Windows | None = None,
) -> pd.DataFrame:
    """What each of these parts came to, of the purchases from the holdout's start to the part's end, as it was known
    on the last day of the data: a column a part that the book knows, by customer_id in the customers' order."""
    columns: dict[str, pd.Series] = {}
    for end in dict.fromkeys(ends.values()):
        made = profit_made(company, customers, economics, costs=costs, start=holdout.start, end=end, windows=windows)
        columns |= {part: made[part] for part, until in ends.items() if until == end and part in made}
    return pd.DataFrame(columns, index=customers.table.index)
