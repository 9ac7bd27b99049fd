"""When a new customer has paid for the cost to win, by channel, and what may be paid at most.

    cumulated(t) = sum over the parts of the expected profit of a new customer up to t, the first order included
    payback = the first t at which cumulated(t) >= cost to win

of an average customer of the channel, draw by draw: the doubt is that of the parameters, not of one customer's luck.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

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

SMALLEST = 20
"""Customers that a channel needs to be judged."""
MOST = 20
"""Channels that are judged at most."""
RULE = 12.0
"""Months within which a channel should have paid."""
NEWCOMERS = 25
"""Whose expected profits are averaged; they are alike but for rounding."""


class Payback(NamedTuple):
    """When new customers of the channels have paid for themselves."""

    channels: pd.DataFrame
    """A row a channel that is large enough to be judged, the largest first: channel, customers, cost (to win one
    customer), q5 to q95 (months until it is covered; infinite beyond the horizon), rule (months), odds (of being
    covered by then), most_q5 to most_q95 (value of a new customer over the horizon before the cost to win), horizon
    (months)."""
    small: pd.DataFrame
    """One row of the channels that are not judged, together: channels, customers, cost; none where all are."""
    alike: pd.DataFrame
    """A row a process (purchases, spend) that the models take as alike in all channels."""


def payback(
    posteriors: Mapping[str, Posterior],
    company: Company,
    customers: Customers,
    economics: Economics,
    *,
    seed: int,
    draws: int = 1000,
    smallest: int = SMALLEST,
    allow_failed: Collection[str] = (),
) -> Payback | None:
    """Of each channel; None where there are no channels or nothing tells what it costs to win.

    Parameters
    ----------
    posteriors
        As `value` takes them.
    customers
        With the group column `channel`.
    smallest
        Channels with fewer customers, and those after the 20th, are counted together and not judged.
    allow_failed
        Sampling checks that posteriors may have failed, by name: a FitError tells of others.
    """
    on_calendar = any(posterior.model.traits for posterior in posteriors.values())
    if CHANNEL not in customers.table or on_calendar:
        return None
    won = costs_to_win(company, customers)
    if not (won["cost"] > 0).any():
        return None
    of_newcomers = valuation(
        posteriors, customers, replace(economics, referral=None), seed=seed, draws=draws, allow_failed=allow_failed
    )
    large, small = by_size(won, smallest)
    alike = pd.DataFrame({"process": _alike_in_all_channels(posteriors)}, dtype="str")
    return Payback(payback_rows(of_newcomers, large, customers.time_unit), _together(small), alike)


def _alike_in_all_channels(posteriors: Mapping[str, Posterior]) -> list[str]:
    alike = []
    for name in ("purchases", "spend"):
        if not any(CHANNEL in effect.columns for effect in posteriors[name].effects):
            alike.append(name)
    return alike


def by_size(won: pd.DataFrame, smallest: int = SMALLEST) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The channels that are judged, the largest first, and those that are too small or too many."""
    channels = won.reset_index().sort_values(["customers", "channel"], ascending=[False, True], ignore_index=True)
    large = channels[channels["customers"] >= smallest][:MOST]
    return large, channels.drop(large.index)


def payback_rows(of_newcomers: Valuation, channels: pd.DataFrame, time_unit: str) -> pd.DataFrame:
    """`Payback.channels`, from what channels cost: columns channel, customers, cost."""
    months = np.append(0.0, of_newcomers.edges[1:]) * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["month"]
    rows = []
    for channel in channels.itertuples():
        total = cumulated(of_newcomers, str(channel.channel))
        row = {"channel": channel.channel, "customers": channel.customers, "cost": channel.cost}
        rows.append(row | _row(total, float(channel.cost), months))
    return pd.DataFrame(rows)


def _together(small: pd.DataFrame) -> pd.DataFrame:
    """`Payback.small`: what one of their customers cost."""
    rows = []
    if len(small):
        customers = small["customers"].sum()
        spent = (small["cost"] * small["customers"]).sum()
        rows.append({"channels": len(small), "customers": customers, "cost": spent / customers})
    types = {"channels": int, "customers": int, "cost": float}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _row(total: Array, cost: float, months: Array) -> dict[str, float]:
    """When the cumulated profit of a channel's new customer covers the cost, and the most that may be paid."""
    horizon = float(months[-1])
    rule = min(RULE, horizon)
    covered = reached(total, cost, months)
    # draws that are there, none between two of them: some are infinite
    months_to_pay = np.quantile(covered, LEVELS, method="inverted_cdf")
    row = dict(zip(QUANTILES, months_to_pay, strict=True))
    row["rule"] = rule
    row["odds"] = float((covered <= rule).mean())
    for name, amount in quantiles(total[:, -1]).items():
        row[f"most_{name}"] = amount
    row["horizon"] = horizon
    return row


def cumulated(of_newcomers: Valuation, channel: str) -> Array:
    """Expected profit of a new customer of the channel, discounted and cumulated: at once, then to the end of each
    period; the mean of several, which are alike. [D, 1 + P]"""
    _, flows = of_newcomers.new_customers(NEWCOMERS, {CHANNEL: channel})
    by_part = []
    for name, flow in flows.items():
        weights = of_newcomers.starts if name == DATED else of_newcomers.weights
        discount = np.append(1.0, weights)  # what comes at once is worth what it is
        by_part.append(flow.expected.mean(axis=1) * discount)
    return np.cumsum(np.sum(by_part, axis=0), axis=1)


def reached(total: Array, cost: float, months: Array) -> Array:
    """When the cumulated profit first covers the cost, in months, evenly within a period; infinite where it never does.

    total: [D, 1 + P], months: [1 + P]; result [D]
    """
    is_covered = total >= cost
    first = is_covered.argmax(axis=1)  # 0 where it never is, too
    before = np.maximum(first - 1, 0)
    draw = np.arange(len(total))
    low, high = total[draw, before], total[draw, first]
    gain = np.where(high > low, high - low, 1.0)  # covered at once, or never: the share is not used
    share = np.where(first > 0, (cost - low) / gain, 0.0)
    month = months[before] + share * (months[first] - months[before])
    return np.where(is_covered.any(axis=1), month, np.inf)
