"""A forecast of value held against the accounts of the last year: its parts as shares of revenue, and its cohorts.

The holdout judges models as they were; this judges the value that is told, at its own date, by what was entered before.
Customers and prices may change, so that what is beyond its limit is to be looked at. Shapes: C = customer_id.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clvmodels.draws import Array
from clvmodels.metrics.check_rows import decided
from clvmodels.metrics.checks import CHECKS, CheckRow

SHARE_ALLOWED = 0.01
"""Of the revenue, by which a part's share in the forecast may miss that in the accounts."""
BY_CHANCE = 2.576
"""The normal quantile that leaves 1% on both sides together."""
LEAST_IN_COHORT = 30


def part_shares(parts: Mapping[str, Array], sales: Array, accounts: pd.DataFrame) -> list[CheckRow]:
    """A row a part that both know: its share of the revenue to come, within 1 point of that of the last year.

    Where fewer customers bought, chance alone moves the share by more: then what it does in 99 of 100 years, by the
    standard error of a ratio of sums.

    Parameters
    ----------
    parts
        Name -> the mean of what each customer is to bring. [C]
    sales
        The mean of each customer's revenue. [C]
    accounts
        By customer: a column a part, and revenue.
    """
    revenue = accounts["revenue"].to_numpy(dtype=float)
    if not (revenue.sum() > 0 and sales.sum() > 0):
        return []
    rows = []
    for name, part in parts.items():
        if name not in accounts:
            continue
        made = accounts[name].to_numpy(dtype=float)
        share = float(made.sum() / revenue.sum())
        residuals = made - share * revenue
        error = float(np.sqrt(len(residuals)) * residuals.std() / revenue.sum())
        allowed = max(SHARE_ALLOWED, BY_CHANCE * error)
        forecast = float(part.sum() / sales.sum())
        result = decided(abs(forecast - share) <= allowed, otherwise="look")
        side = "more" if forecast > share else "less"
        least, most = share - allowed, share + allowed
        gaps = {"part": name, "side": side}
        rows.append(CHECKS["part_share"].row(result, gaps, value=forecast, at_least=least, at_most=most))
    return rows


def cohorts(sales: Array, years: float, first_purchase: pd.Series, accounts: pd.DataFrame) -> CheckRow:
    """How many cohorts are to bring more a year than they brought in the last one.

    Customers leave and none joins a cohort: it can hardly bring more. Cohorts are quarters of the first purchase, of at
    least 30 customers each, all of whom were customers before the last year began; what chance alone does in 99 of 100
    years is allowed for.

    Parameters
    ----------
    sales
        The mean of what each customer is to spend, discounted. [C]
    years
        Over so many years.
    first_purchase
        Day. [C]
    accounts
        By customer: revenue, and whether it was a customer before the year began (was_customer).
    """
    table = pd.DataFrame(
        {
            "forecast": sales / years,
            "made": accounts["revenue"].to_numpy(dtype=float),
            "quarter": first_purchase.dt.to_period("Q").astype(str).to_numpy(),
        }
    )
    table = table[accounts["was_customer"].to_numpy(dtype=bool)]
    by_quarter = table.groupby("quarter")
    sums = by_quarter[["forecast", "made"]].sum()
    sizes = by_quarter.size()
    error = np.sqrt(sizes) * by_quarter["made"].std(ddof=0)
    is_large = (sizes >= LEAST_IN_COHORT) & (sums["made"] > 0)
    sums, error = sums[is_large], error[is_large]
    if sums.empty:
        return CHECKS["cohorts"].not_applicable("No cohort of 30 customers is older than a year")
    grows = sums["forecast"] > sums["made"] + BY_CHANCE * error
    ratio = sums["forecast"] / sums["made"]
    note = f"most: {ratio.idxmax()}, {ratio.max():.2f} times its last year"
    result = decided(not grows.any(), otherwise="look")
    return CHECKS["cohorts"].row(result, value=int(grows.sum()), of=len(sums), at_most=0, note=note)
