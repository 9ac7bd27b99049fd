"""When a new customer has paid for the cost to win, by channel, and what may be paid at most.

    cumulated(t) = sum over the parts of the expected profit of a new customer up to t, the first order included
    payback = the first t at which cumulated(t) >= cost to win

of an average customer of the channel, draw by draw: the doubt is that of the parameters, not of one customer's luck.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from clvmodels.accounts.profit_made import ACQUISITION, CHANNEL
from clvmodels.customers.table import Customers
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.draws import LEVELS, QUANTILES, Array, quantiles
from clvmodels.inference.effects import group_labels
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
    posteriors: dict[str, Posterior],
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
    if CHANNEL not in customers.table or any(posterior.model.traits for posterior in posteriors.values()):
        return None
    won = costs_to_win(company, customers)
    if not (won["cost"] > 0).any():
        return None
    made = valuation(posteriors, customers, replace(economics, referral=None), seed=seed, draws=draws)
    apart = {role for role, p in posteriors.items() if any(CHANNEL in effect.columns for effect in p.effects)}
    alike = [role for role in ("purchases", "spend") if role not in apart]
    return told(made, won, customers.time_unit, smallest).assign(alike=", ".join(alike))


def costs_to_win(company: Company, customers: Customers) -> pd.DataFrame:
    """By channel: customers, and cost to win one: own costs and those of the channel, over the customers won.

    The channel's costs are those of all months from the first to the last in which one of these customers was won.
    """
    table = customers.table
    label = group_labels(table[CHANNEL])
    size = label.value_counts()
    month = table["first_purchase"].dt.to_period("M").dt.to_timestamp()
    months = company.channel_costs["month"].between(month.min(), month.max())
    spent = company.channel_costs[months].groupby("channel")["amount"].sum().reindex(size.index, fill_value=0.0)
    if ACQUISITION in company.roles:
        events = company.events.filter(company.events.role == ACQUISITION)
        own = events.group_by("customer_id").agg(amount=events.amount.sum()).execute().set_index("customer_id")
        own = own["amount"].reindex(table.index).fillna(0.0).astype(float)
        spent = spent + own.groupby(label).sum().reindex(size.index, fill_value=0.0)
    return pd.DataFrame({"customers": size, "cost": spent / size}).rename_axis("channel")


def told(made: Valuation, won: pd.DataFrame, time_unit: str, smallest: int = SMALLEST) -> pd.DataFrame:
    """The rows of `payback`, from what channels cost."""
    months = np.append(0.0, made.edges[1:]) * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["month"]
    rule = min(RULE, float(months[-1]))
    won = won.reset_index().sort_values(["customers", "channel"], ascending=[False, True]).reset_index(drop=True)
    large = won[won["customers"] >= smallest][:MOST]
    rows = []
    for line in large.itertuples():
        total = cumulated(made, str(line.channel))
        covered = reached(total, float(line.cost), months)
        months_to_pay = np.quantile(covered, LEVELS, method="inverted_cdf")  # some may be infinite
        most = quantiles(total[:, -1])
        rows.append(
            {"channel": line.channel, "channels": 1, "customers": line.customers, "cost": line.cost}
            | dict(zip(QUANTILES, months_to_pay, strict=True))
            | {"rule": rule, "odds": float((covered <= rule).mean())}
            | {f"most_{name}": amount for name, amount in most.items()}
            | {"horizon": float(months[-1])}
        )
    small = won.drop(large.index)
    if len(small):
        cost = float((small["cost"] * small["customers"]).sum() / small["customers"].sum())
        rows.append({"channel": OTHER, "channels": len(small), "customers": small["customers"].sum(), "cost": cost})
    return pd.DataFrame(rows)


def cumulated(made: Valuation, channel: str) -> Array:
    """Expected profit of a new customer of the channel, discounted and cumulated: at once, then to the end of each
    period; the mean of several, since retention contacts are expected over a few simulated states. [D, 1 + P]"""
    _, flows = made.new_customers(NEWCOMERS, {CHANNEL: channel})
    each = [
        flow.expected.mean(axis=1) * np.append(1.0, made.starts if name == DATED else made.weights)
        for name, flow in flows.items()
    ]
    return np.cumsum(np.sum(each, axis=0), axis=1)


def reached(total: Array, cost: float, months: Array) -> Array:
    """When the cumulated profit first covers the cost, in months, evenly within a period; infinite where it never does.

    total: [D, 1 + P], months: [1 + P]; result [D]
    """
    enough = total >= cost
    first = enough.argmax(axis=1)
    draw = np.arange(len(total))
    before = np.maximum(first - 1, 0)
    low, high = total[draw, before], total[draw, first]
    share = np.where(first > 0, (cost - low) / np.where(high > low, high - low, 1.0), 0.0)
    at = months[before] + share * (months[first] - months[before])
    return np.where(enough.any(axis=1), at, np.inf)
