"""Held-out money to judgement: of each entry the forecast of what the holdout brought, beside what the book says of it.

Spend is judged wherever it is modelled. With economics the profit is judged too, and of its parts the margin and the
returns where cost models tell them; but for what tables do not tell (`accounts/held_out.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from clvmodels.accounts.held_out import known_until, profit_held_out
from clvmodels.customers.table import Customers, Split
from clvmodels.dates import DAYS_PER_UNIT, period_end, period_of
from clvmodels.draws import Array
from clvmodels.inference.later_amounts import log_density_of_later
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.samplers.checks import CHECK_NAMES
from clvmodels.metrics.judged import Judged
from clvmodels.metrics.money import Money
from clvmodels.models import get_costs
from clvmodels.models.costs.contract import modelled
from clvmodels.results.folder import EntryResult
from clvmodels.runs.context import Context
from clvmodels.runs.fits import fit_costs
from clvmodels.runs.inputs import customers_at, windows_of
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.undiscounted import SALES, Ahead, money_ahead

SPEND, GROSS_MARGIN, COST_OF_RETURNS, PROFIT = "spend", "gross margin", "cost of returns", "profit"
RETURNS = "returns"
"""The part of value that the cost of returns is, less its sign."""
REVENUE_ALONE = Economics(margin=1.0, annual_discount_rate=0.0, horizon=1.0)
"""Of an experiment without economics, whose money is what customers spend."""


@dataclass(frozen=True)
class Came:
    """What the holdout brought. `ends` and `days` say up to when each part counts, in time units after the calibration
    and as a day; `parts` has a column a part, by customer_id."""

    ends: dict[str, float]
    days: dict[str, pd.Timestamp]
    parts: pd.DataFrame

    def total(self, names: tuple[str, ...]) -> Array:
        """The sum of some parts. [C]"""
        return self.parts[list(names)].sum(axis=1).to_numpy(dtype=float)

    def until(self, names: tuple[str, ...]) -> pd.Timestamp:
        """The day up to which all of them count."""
        return min(self.days[name] for name in names)


def with_money(
    context: Context, company: Company, entries: Mapping[str, EntryResult], split: Split, value_split: Split
) -> dict[str, EntryResult]:
    """The entries, each with the money of the holdout beside its forecast; as they are where nothing is held out."""
    if split.holdout is None or not split.customers.has_spend:
        return dict(entries)
    later = value_split
    if later.customers.observation_end != split.holdout.end:  # value is of another day than what came
        later = customers_at(context.experiment, company, context.calendars, split.holdout.end)
    came = what_came(context, company, split)
    with_spend = dict(entries)
    for name, entry in entries.items():
        if entry.judged is not None and "spend" in entry.posteriors:
            judged = _with_money(context, entry, entry.judged, later, came)
            with_spend[name] = replace(entry, judged=judged)
    return with_spend


def what_came(context: Context, company: Company, split: Split, known_at: pd.Timestamp | None = None) -> Came:
    """Spend, and with economics every part of profit that the tables tell, as far as it is known on a day, by default
    the last of the data."""
    customers, holdout, experiment = split.customers, split.holdout, context.experiment
    if holdout is None:
        raise ValueError("nothing is held out")
    spend = holdout.table["spend"].loc[customers.table.index] * customers.amount_unit
    ends, days = {SALES: holdout.periods}, {SALES: holdout.end}
    parts = pd.DataFrame({SALES: spend})
    if experiment.economics is None:
        return Came(ends, days, parts)
    windows = windows_of(experiment)
    for part, day in known_until(company, holdout, experiment.costs, windows, known_at).items():
        end, last = (holdout.periods, day) if day == holdout.end else _whole(day, customers)
        if end > 0:
            ends[part], days[part] = end, last
    days_of_parts = {part: day for part, day in days.items() if part != SALES}
    profit = profit_held_out(
        company, customers, holdout, experiment.economics, days_of_parts, costs=experiment.costs, windows=windows
    )
    return Came(ends, days, parts.join(profit))


def _whole(day: pd.Timestamp, customers: Customers) -> tuple[float, pd.Timestamp]:
    """A day in time units after the calibration; where time counts opportunities, the last one that is over by then."""
    origin, unit = customers.observation_end, customers.time_unit
    if customers.time == "continuous":
        return (day - origin).days / DAYS_PER_UNIT[unit], day
    periods = period_of(day + pd.Timedelta(days=1), origin, unit) - 1
    return float(periods), period_end(origin, unit, periods)


def _with_money(context: Context, entry: EntryResult, judged: Judged, later: Split, came: Came) -> Judged:
    experiment, customers = context.experiment, judged.customers
    context.say(f"{entry.label}: forecasting the held-out money")
    split = Split(customers, judged.holdout, judged.weekly)
    kinds, folder = kinds_of_money(context, came), context.scratch / entry.name
    ahead = held_out_money(context, entry.name, entry.posteriors, split, kinds, folder, experiment.sampler.draws)
    density = log_density_of_later(
        entry.posteriors["spend"], customers.table, later.customers.table, experiment.sampler.draws
    )
    return replace(judged, money=_money(ahead, came, judged, experiment.seed), amounts_log_prob=density)


def held_out_money(
    context: Context,
    name: str,
    posteriors: Mapping[str, Posterior],
    split: Split,
    kinds: Mapping[str, Mapping[str, float]],
    folder: Path,
    draws: int,
) -> dict[str, Ahead]:
    """An entry's forecast of each kind of money in the holdout; `kinds` as `money_ahead` takes them."""
    experiment, holdout = context.experiment, split.holdout
    if holdout is None:
        raise ValueError("nothing is held out")
    return money_ahead(
        {**posteriors, **fit_costs(context, name, split)},
        split.customers,
        experiment.economics or REVENUE_ALONE,
        holdout.periods,
        kinds,
        positive=(COST_OF_RETURNS,),
        seed=experiment.seed,
        draws=draws,
        folder=folder,
        allow_failed=CHECK_NAMES,  # what failed, the checks of the run tell: it is judged like the others
    )


def kinds_of_money(context: Context, came: Came) -> dict[str, dict[str, float]]:
    """The kinds of money and the parts that each is the sum of, with their ends."""
    costs = get_costs(context.experiment.costs)
    of_profit = {part: end for part, end in came.ends.items() if part in came.parts and part != SALES}
    kinds = {SPEND: {SALES: came.ends[SALES]}}
    if modelled(costs, "margin") is not None:
        kinds[GROSS_MARGIN] = {GROSS_MARGIN: of_profit[GROSS_MARGIN]}
    if RETURNS in costs and RETURNS in of_profit:
        kinds[COST_OF_RETURNS] = {RETURNS: of_profit[RETURNS]}
    if of_profit:
        kinds[PROFIT] = of_profit
    return kinds


def _money(ahead: Mapping[str, Ahead], came: Came, judged: Judged, seed: int) -> dict[str, Money]:
    """Each kind beside what came. Profit that is a stated share of spend says nothing more than spend."""
    kinds = {}
    for name, kind in ahead.items():
        is_share_of_spend = name == PROFIT and kind.parts == (GROSS_MARGIN,) and GROSS_MARGIN not in ahead
        if is_share_of_spend:
            continue
        kinds[name] = Money(
            name=name,
            customer_id=judged.futures.customer_id,
            realised=kind.realised,
            mean=kind.mean,
            actual=_sign(name) * came.total(kind.parts),
            until=came.until(kind.parts),
            seed=seed,
            part_totals=kind.part_totals,
        )
    return kinds


def came_of_kind(name: str, kind: Ahead, came: Came) -> float:
    """What came of a kind of money, of all customers together; costs are positive."""
    return float(_sign(name) * came.total(kind.parts).sum())


def _sign(name: str) -> float:
    return -1.0 if name == COST_OF_RETURNS else 1.0
