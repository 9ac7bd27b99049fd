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
MIDDLE_90 = 1.645
"""The normal quantile that leaves 10% on both sides together."""
SAME_MONTHS = 1.1
"""Up to this many times the first months a horizon is as long as they are."""


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


def past_of_channels(channels: pd.DataFrame) -> CheckRow | None:
    """How many channels' past customers made in their first months what is told of new ones; None where no channel has
    enough of them, or the value looks further ahead than their first months.

    A mean of past customers varies by chance, and what is told is a range: 90 of 100 are to lie within both together,
    as many as in 99 of 100 sound forecasts, and none farther off than chance takes any in as many.

    Parameters
    ----------
    channels
        Of `decisions.payback`: channel, cohort, made and made_error, rule and horizon (months), most_q5 to most_q95.
    """
    from scipy.stats import binom, norm

    looks_as_far = channels["horizon"] <= SAME_MONTHS * channels["rule"]
    known = channels[looks_as_far & channels["most_q50"].notna() & (channels["cohort"] >= LEAST_IN_COHORT)]
    if known.empty:
        return None
    half_width = (known["most_q95"] - known["most_q5"]) / 2
    allowed = np.hypot(half_width, MIDDLE_90 * known["made_error"])
    distance = (known["made"] - known["most_q50"]).abs() / allowed
    is_inside = distance <= 1.0
    count, least = int(is_inside.sum()), float(binom.ppf(0.01, len(known), 0.9))
    farthest_by_chance = norm.ppf(1 - 0.01 / (2 * len(known))) / MIDDLE_90
    farthest = known.loc[distance.idxmax(), "channel"]
    note = "" if is_inside.all() else f"farthest: {farthest}"
    result = decided(count >= least, bool(distance.max() <= farthest_by_chance))
    return CHECKS["payback_past"].row(result, value=count, of=len(known), at_least=least, note=note)
