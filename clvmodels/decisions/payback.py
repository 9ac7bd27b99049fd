"""When a new customer has paid for the cost to win, by channel, and what may be paid at most.

    cumulated(t) = sum over the parts of the expected profit of a new customer up to t, the first order included
    payback = the first t at which cumulated(t) >= cost to win

of an average customer of the channel, draw by draw: the doubt is that of the parameters, not of one customer's luck.

Told only where every part of the value knows the channel. Where one does not, a channel is forecast with the average of
all in it: an error as large as channels differ, which no range shows. Beside it stands what past customers of the
channel really made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.accounts.first_months import profit_of_first_days
from clvmodels.accounts.winning import ACQUISITION, CHANNEL, EVERYBODY, costs_to_win
from clvmodels.customers.table import Customers
from clvmodels.customers.windows import Windows
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.draws import LEVELS, QUANTILES, Array, quantiles
from clvmodels.inference.effects import group_labels, parts_alike
from clvmodels.inference.posterior import Posterior
from clvmodels.models import Cost
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
REMEDY = f"by: {CHANNEL}"
"""What to write, in an entry of an experiment; `by="channel"` of `fit` in Python."""
FORECAST = (*QUANTILES, "odds", *(f"most_{name}" for name in QUANTILES))
"""Columns of the channels that are not known where a part takes all channels as alike."""


class Payback(NamedTuple):
    """When new customers of the channels have paid for themselves."""

    channels: pd.DataFrame
    """A row a channel that is large enough to be judged, the largest first: channel, customers, cost (to win one
    customer), cohort (customers whose first `rule` months are known), made (what one of them made in these, before the
    cost to win; missing where there are none), made_error (its standard error; missing below two), q5 to q95 (months
    until the cost is covered; infinite beyond the horizon), rule (months), odds (of being covered by then), most_q5 to
    most_q95 (value of a new customer over the horizon before the cost to win), horizon (months). Months, odds and most
    are missing where a part is in `alike`."""
    small: pd.DataFrame
    """One row of the channels that are not judged, together: channels, customers, cost; none where all are."""
    alike: pd.DataFrame
    """A row a part of value that is taken as alike in all channels: part, write (what tells them apart). Where there is
    one, payback is withheld."""

    @property
    def withheld(self) -> bool:
        """Whether months and what may be paid are not told."""
        return not self.alike.empty

    @property
    def reason(self) -> str:
        """Why they are not told, and what to write; empty where they are."""
        if not self.withheld:
            return ""
        parts, remedies = self.alike["part"], dict.fromkeys(self.alike["write"])
        takes = words.agreeing(len(parts), "takes", "take")
        return f"{words.listing(list(parts))} {takes} all channels as alike; write {words.listing(list(remedies))}"


def payback(
    posteriors: Mapping[str, Posterior],
    company: Company,
    customers: Customers,
    economics: Economics,
    *,
    seed: int,
    draws: int = 1000,
    smallest: int = SMALLEST,
    windows: Windows | None = None,
    allow_failed: Collection[str] = (),
) -> Payback | None:
    """Of each channel; None where there are no channels or nothing tells what it costs to win.

    Parameters
    ----------
    posteriors
        As `value` takes them. Each has to have been fitted `by="channel"`, or months and the most to pay are withheld:
        see `Payback.alike`.
    customers
        With the group column `channel`; without it all are taken together, where a table tells of own costs.
    smallest
        Channels with fewer customers, and those after the 20th, are counted together and not judged.
    windows
        How long a purchase is watched for what comes back.
    allow_failed
        Sampling checks that posteriors may have failed, by name: a FitError tells of others.
    """
    on_calendar = any(posterior.model.traits for posterior in posteriors.values())
    has_channels = CHANNEL in customers.table
    if on_calendar or not (has_channels or ACQUISITION in company.roles):
        return None
    won = costs_to_win(company, customers)
    if not (won["cost"] > 0).any():
        return None
    if not has_channels:  # of one channel, which everybody came by, no part has to differ
        customers = replace(customers, table=customers.table.assign(**{CHANNEL: EVERYBODY}))
    differing = _alike_in_all_channels(posteriors) if has_channels else ()
    alike = pd.DataFrame(differing, columns=["part", "write"], dtype="str")
    large, small = by_size(won, smallest)
    rule = _rule(economics, customers.time_unit)
    costs = [posterior.model for posterior in posteriors.values() if isinstance(posterior.model, Cost)]
    days = round(rule * DAYS_PER_UNIT["month"])
    made = profit_of_first_days(company, customers, economics, days, costs=costs, windows=windows)
    channels = with_past(large, made, customers).assign(rule=rule)
    if alike.empty:
        of_newcomers = valuation(
            posteriors, customers, replace(economics, referral=None), seed=seed, draws=draws, allow_failed=allow_failed
        )
        ahead = payback_rows(of_newcomers, channels, customers.time_unit)
    else:
        ahead = channels.assign(**dict.fromkeys(FORECAST, np.nan), horizon=_months(economics, customers.time_unit))
    return Payback(ahead, _together(small), alike)


def _alike_in_all_channels(posteriors: Mapping[str, Posterior]) -> Iterator[tuple[str, str]]:
    """The parts of value that no effect of the channel moves; credits are no part of a newcomer's value."""
    for posterior in posteriors.values():
        model = posterior.model
        if isinstance(model, Cost) and model.is_credit:
            continue
        for part in parts_alike(model, posterior.effects, CHANNEL):
            yield part.replace("_", " "), REMEDY


def _months(economics: Economics, time_unit: str) -> float:
    """The horizon."""
    return economics.horizon * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["month"]


def _rule(economics: Economics, time_unit: str) -> float:
    """Months within which a channel should have paid, of those that are looked ahead."""
    return min(RULE, _months(economics, time_unit))


def with_past(channels: pd.DataFrame, made: pd.Series, customers: Customers) -> pd.DataFrame:
    """The channels with `cohort` and `made`, of the profit that past customers made in their first months."""
    label = group_labels(customers.table.loc[made.index, CHANNEL])
    by_channel = made.groupby(label).agg(["size", "mean", "sem"]).reindex(channels["channel"])
    return channels.assign(
        cohort=by_channel["size"].fillna(0).astype(int).to_numpy(),
        made=by_channel["mean"].to_numpy(dtype=float),
        made_error=by_channel["sem"].to_numpy(dtype=float),
    )


def by_size(won: pd.DataFrame, smallest: int = SMALLEST) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The channels that are judged, the largest first, and those that are too small or too many."""
    channels = won.reset_index().sort_values(["customers", "channel"], ascending=[False, True], ignore_index=True)
    large = channels[channels["customers"] >= smallest][:MOST]
    return large, channels.drop(large.index)


def payback_rows(of_newcomers: Valuation, channels: pd.DataFrame, time_unit: str) -> pd.DataFrame:
    """`Payback.channels`, from those of what channels cost and made."""
    months = np.append(0.0, of_newcomers.edges[1:]) * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["month"]
    rows = []
    for channel in channels.itertuples(index=False):
        total = cumulated(of_newcomers, str(channel.channel))
        rows.append(channel._asdict() | _row(total, float(channel.cost), months))
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
