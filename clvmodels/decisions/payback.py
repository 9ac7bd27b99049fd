"""When a new customer has paid for the cost to win, by channel, and what may be paid at most.

    cumulated(t) = sum over the parts of the expected profit of a new customer up to t, the first order included
    payback = the first t at which cumulated(t) >= cost to win

of an average customer of the channel, draw by draw: the doubt is that of the parameters, not of one customer's luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from clvmodels.accounts.winning import CHANNEL, costs_to_win
from clvmodels.customers.table import Customers
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.draws import LEVELS, QUANTILES, Array, quantiles
from clvmodels.inference.posterior import Posterior
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.parts import DATED
from clvmodels.valuation.valuation import Valuation, valuation

SMALLEST, MOST, RULE = 20, 20, 12.0
"""Customers that a channel needs to be told of; channels told of; months within which it should have paid."""
NEWCOMERS = 25
"""Whose expected profits are averaged; they differ by the simulated states of retention only."""
OTHER = "other"


def payback(
    posteriors: Mapping[str, Posterior],
    company: Company,
    customers: Customers,
    economics: Economics,
    *,
    seed: int,
    draws: int = 1000,
    smallest: int = SMALLEST,
) -> pd.DataFrame | None:
    """A row a channel, the largest first; None where there are no channels or nothing tells what it costs to win.

    Parameters
    ----------
    posteriors
        As `value` takes them.
    customers
        With the group column `channel`.
    smallest
        Channels with fewer customers, and those after the 20th, are counted in one row, "other", and not judged.

    Returns
    -------
    DataFrame
        channel, channels (1, or how many "other" holds), customers, cost (to win one customer), q5 to q95 (months until
        it is covered; infinite beyond the horizon), rule (months), odds (of being covered by then), most_q5 to
        most_q95 (value of a new customer over the horizon before the cost to win), horizon (months), alike (which of
        purchases and spend the models take as alike in all channels).
    """
    on_calendar = any(posterior.model.traits for posterior in posteriors.values())
    if CHANNEL not in customers.table or on_calendar:
        return None
    won = costs_to_win(company, customers)
    if not (won["cost"] > 0).any():
        return None
    of_newcomers = valuation(posteriors, customers, replace(economics, referral=None), seed=seed, draws=draws)
    rows = payback_rows(of_newcomers, won, customers.time_unit, smallest)
    return rows.assign(alike=", ".join(_alike_in_all_channels(posteriors)))


def _alike_in_all_channels(posteriors: Mapping[str, Posterior]) -> list[str]:
    alike = []
    for name in ("purchases", "spend"):
        if not any(CHANNEL in effect.columns for effect in posteriors[name].effects):
            alike.append(name)
    return alike


def payback_rows(of_newcomers: Valuation, won: pd.DataFrame, time_unit: str, smallest: int = SMALLEST) -> pd.DataFrame:
    """The rows of `payback`, from what channels cost."""
    months = np.append(0.0, of_newcomers.edges[1:]) * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["month"]
    won = won.reset_index().sort_values(["customers", "channel"], ascending=[False, True]).reset_index(drop=True)
    large = won[won["customers"] >= smallest][:MOST]
    rows = []
    for channel in large.itertuples():
        total = cumulated(of_newcomers, str(channel.channel))
        row = {"channel": channel.channel, "channels": 1, "customers": channel.customers, "cost": channel.cost}
        rows.append(row | _row(total, float(channel.cost), months))
    small = won.drop(large.index)
    if len(small):
        customers = small["customers"].sum()
        cost = float((small["cost"] * small["customers"]).sum() / customers)
        rows.append({"channel": OTHER, "channels": len(small), "customers": customers, "cost": cost})
    return pd.DataFrame(rows)


def _row(total: Array, cost: float, months: Array) -> dict[str, float]:
    """When the cumulated profit of a channel's new customer covers the cost, and the most that may be paid."""
    covered, rule = reached(total, cost, months), min(RULE, float(months[-1]))
    months_to_pay = np.quantile(covered, LEVELS, method="inverted_cdf")  # some may be infinite
    row = dict(zip(QUANTILES, months_to_pay, strict=True))
    row |= {"rule": rule, "odds": float((covered <= rule).mean())}
    row |= {f"most_{name}": amount for name, amount in quantiles(total[:, -1]).items()}
    return row | {"horizon": float(months[-1])}


def cumulated(of_newcomers: Valuation, channel: str) -> Array:
    """Expected profit of a new customer of the channel, discounted and cumulated: at once, then to the end of each
    period; the mean of several, since retention contacts are expected over a few simulated states. [D, 1 + P]"""
    _, flows = of_newcomers.new_customers(NEWCOMERS, {CHANNEL: channel})
    by_part = []
    for name, flow in flows.items():
        weights = of_newcomers.starts if name == DATED else of_newcomers.weights
        by_part.append(flow.expected.mean(axis=1) * np.append(1.0, weights))
    return np.cumsum(np.sum(by_part, axis=0), axis=1)


def reached(total: Array, cost: float, months: Array) -> Array:
    """When the cumulated profit first covers the cost, in months, evenly within a period; infinite where it never does.

    total: [D, 1 + P], months: [1 + P]; result [D]
    """
    is_covered = total >= cost
    draw, first = np.arange(len(total)), is_covered.argmax(axis=1)
    before = np.maximum(first - 1, 0)
    low, high = total[draw, before], total[draw, first]
    gain = np.where(high > low, high - low, 1.0)  # covered at once, or never: the share is not used
    share = np.where(first > 0, (cost - low) / gain, 0.0)
    at = months[before] + share * (months[first] - months[before])
    return np.where(is_covered.any(axis=1), at, np.inf)
