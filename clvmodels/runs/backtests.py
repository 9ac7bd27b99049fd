"""An entry's forecasts of earlier days, held against what came after them; and what its next total learns from that.

The entry is fitted again as of several days inside the time that it was fitted to, so that nothing later than that time
is read: who stands at its end could have done the same. Each of these fits forecasts the time from its day to the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from clvmodels import datasets
from clvmodels.config.experiment import Experiment
from clvmodels.customers.table import Split
from clvmodels.dates import DAYS_PER_UNIT, period_end, period_of
from clvmodels.draws import Array, total
from clvmodels.errors import ClvError
from clvmodels.futures import forecast
from clvmodels.inference.posterior import Posterior
from clvmodels.metrics.discrepancy import ANY_DAY, QUANTITIES, Discrepancy, Learned, Window
from clvmodels.metrics.judged import Judged
from clvmodels.models import known_costs
from clvmodels.results.folder import EntryResult
from clvmodels.runs.context import Context
from clvmodels.runs.fits import fit_entry
from clvmodels.runs.inputs import customers_from
from clvmodels.runs.money import (
    COST_OF_RETURNS,
    GROSS_MARGIN,
    SPEND,
    came_of_kind,
    held_out_money,
    kinds_of_money,
    what_came,
)
from clvmodels.sources.consolidation import Company
from clvmodels.strict import FrozenDict
from clvmodels.valuation.corrected import corrected
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.undiscounted import NUMBER, SALES
from clvmodels.valuation.valuation import Values

BACKTESTED = "backtested"
SHARES = (4 / 8, 5 / 8, 6 / 8, 7 / 8)
"""Where in the time up to the end the earlier days lie: in its later half, so that there is something to fit to."""
MOST_DRAWS = 400
"""Of an earlier forecast only the median and the variance of a total are read."""
LEAST_CUSTOMERS, LEAST_REPEATS = 100, 100
"""A date with fewer says too little to fit models to."""
RATES = {"margin": GROSS_MARGIN, "returns": COST_OF_RETURNS}
"""Quantities that are a kind of money per spend."""
DRIVERS: dict[str, tuple[str, ...]] = {
    SALES: ("purchases", "spend"),
    "gross margin": ("purchases", "spend", "margin"),
    "returns": ("purchases", "spend", "returns"),
    "payments": ("purchases", "spend"),
    "retention": (),  # spent at dates, and on those who do not buy
}
"""By part of value, the quantities that it is the product of; of other parts, which come by the order, purchases."""


def learn(context: Context, company: Company, name: str, split: Split) -> Learned | None:
    """What an entry's forecasts of days before the split's say of its next; None where totals are the model's own."""
    experiment, data = context.experiment, context.experiment.data
    if experiment.totals != BACKTESTED:
        return None
    no_split = datasets.DATASETS[data.dataset].no_split if data.dataset is not None else ""
    if no_split:
        return Learned(_discrepancies({}, _quantities(context, name)), ((ANY_DAY, no_split),))
    windows: dict[str, list[Window]] = {}
    left_out = []
    days = earlier_days(split)
    for place, day in enumerate(days, start=1):
        said = f"{name}: looking back from {split.customers.observation_end:%Y-%m-%d}, {place} of {len(days)}"
        then = _at_earlier_day(context, said)
        try:
            found = _windows_from(then, company, name, day, split.customers.observation_end)
        except ClvError as error:  # said in the report: one day fewer is no reason to lose the others
            left_out.append((day.date().isoformat(), error.problems[0].what))
            continue
        if isinstance(found, str):
            left_out.append((day.date().isoformat(), found))
            continue
        for quantity, window in found.items():
            windows.setdefault(quantity, []).append(window)
    return Learned(_discrepancies(windows, _quantities(context, name)), tuple(left_out))


def earlier_days(split: Split) -> list[pd.Timestamp]:
    """Days before the end of observation, whole weeks or opportunities before it, the earliest first."""
    customers = split.customers
    end, unit = customers.observation_end, customers.time_unit
    first = customers.table["first_purchase"].min()
    by_opportunity = customers.time == "opportunities"
    length = -period_of(first, end, unit) if by_opportunity else (end - first).days // 7
    steps_back = sorted({length - round(share * length) for share in SHARES} - {0}, reverse=True)
    if by_opportunity:
        return [period_end(end, unit, -steps) for steps in steps_back]
    return [end - pd.Timedelta(weeks=steps) for steps in steps_back]


def _quantities(context: Context, name: str) -> list[str]:
    """Those that an entry forecasts: its uncertainty is the prior's where no earlier day tells more."""
    experiment = context.experiment
    quantities = ["purchases"]
    if experiment.models[name].spend is not None:
        quantities.append("spend")
        quantities += [quantity for quantity in RATES if quantity in experiment.costs]
    return quantities


def _discrepancies(windows: Mapping[str, Iterable[Window]], quantities: list[str]) -> dict[str, Discrepancy]:
    return {name: Discrepancy(QUANTITIES[name], tuple(windows.get(name, ()))) for name in quantities}


def _at_earlier_day(context: Context, said: str) -> Context:
    """The context of an earlier day: by laplace first, whatever the experiment samples with, chains only where that is
    refused; its arrays in a folder that is emptied for the next."""
    folder = context.scratch / "earlier"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    experiment = _with_rates_alone(context.experiment)
    sampler = experiment.sampler.model_copy(update={"method": "auto"})
    experiment = experiment.model_copy(update={"sampler": sampler})
    return replace(context, experiment=experiment, scratch=folder, say=lambda text: context.say(f"{said}: {text}"))


def _with_rates_alone(experiment: Experiment) -> Experiment:
    """The experiment without what no rate is of: other costs, which would be fitted and forecast for nobody to read,
    and the keys that say nothing without them."""
    costs = {role: section for role, section in experiment.costs.items() if role in RATES}
    economics = experiment.economics
    if economics is not None:
        left_out = [cost for role, cost in known_costs().items() if role not in costs]
        unread = {"retention", *(key for cost in left_out for key in cost.keys)}
        unstated: dict[str, Any] = {field.name: field.default for field in fields(Economics) if field.name in unread}
        economics = replace(economics, **unstated)
    return experiment.model_copy(update={"costs": FrozenDict(costs), "economics": economics})


def _windows_from(
    context: Context, company: Company, name: str, day: pd.Timestamp, end: pd.Timestamp
) -> dict[str, Window] | str:
    """By quantity the forecast of a day beside what came up to `end`; or why there is none."""
    split = customers_from(context.experiment, company, context.calendars, day, end)
    holdout = split.holdout
    if holdout is None:
        raise ValueError("an earlier day without a holdout")
    if reason := too_few(split):
        return reason
    posteriors = fit_entry(context, name, split)
    totals = dict(_totals(context, company, name, posteriors, split, end))
    actual, draws = totals[NUMBER]
    # a half, so that the log of a total of none is known; of the totals that are of interest it changes nothing
    windows = {"purchases": _window(split, 0.5 + actual, 0.5 + draws)}
    return windows | dict(_rates(split, totals))


def too_few(split: Split) -> str:
    """Why there are too few customers or purchases to fit models to; empty where there are enough."""
    table = split.customers.table
    sizes = (
        ("customers", len(table), LEAST_CUSTOMERS),
        ("repeat purchases", int(table["frequency"].sum()), LEAST_REPEATS),
    )
    for name, size, least in sizes:
        if size < least:
            return f"{size:,} {name}: at least {least} are needed"
    return ""


def _window(split: Split, actual: float, draws: Array) -> Window:
    """What came beside the draws of its forecast, both above 0."""
    if split.holdout is None:
        raise ValueError("nothing is held out")
    logs = np.log(draws)
    forecast_of_it = float(np.exp(np.median(logs)))
    return Window(split.customers.observation_end, split.holdout.end, actual, forecast_of_it, float(logs.var()))


def _totals(
    context: Context,
    company: Company,
    name: str,
    posteriors: dict[str, Posterior],
    split: Split,
    end: pd.Timestamp,
) -> Iterator[tuple[str, tuple[float, Array]]]:
    """What came of purchases, and of each kind of money that rates are made of, beside the draws of its forecast."""
    if split.holdout is None:
        raise ValueError("nothing is held out")
    draws = min(MOST_DRAWS, context.experiment.sampler.draws)
    actual_count = float(split.holdout.table["purchases"].sum())
    if "spend" not in posteriors or not split.customers.has_spend:
        futures = forecast.forecast(
            posteriors["purchases"],
            split.customers,
            split.holdout.periods,
            seed=context.experiment.seed,
            draws=draws,
            folder=context.scratch,
            allow_failed=posteriors["purchases"].failed_checks,
        )
        yield NUMBER, (actual_count, total(futures.purchases))
        return
    came = what_came(context, company, split, known_at=end)
    read = (SPEND, *RATES.values())
    kinds = {kind: parts for kind, parts in kinds_of_money(context, came).items() if kind in read}
    kinds[NUMBER] = {NUMBER: split.holdout.periods}
    ahead = held_out_money(context, name, posteriors, split, kinds, context.scratch, draws)
    yield NUMBER, (actual_count, total(ahead[NUMBER].realised))
    for kind in read:
        if kind in ahead:
            yield kind, (came_of_kind(kind, ahead[kind], came), total(ahead[kind].realised))


def _rates(split: Split, totals: Mapping[str, tuple[float, Array]]) -> Iterator[tuple[str, Window]]:
    """Ratios of totals, each what came and the draws of its forecast."""
    ratios = {"spend": (SPEND, NUMBER)} | {name: (kind, SPEND) for name, kind in RATES.items()}
    for name, (above, below) in ratios.items():
        if above not in totals:
            continue
        actual, draws = totals[above]
        actual_below, draws_below = totals[below]
        if min(actual, actual_below, draws.min(), draws_below.min()) > 0:  # of a loss, or of nothing, there is no log
            yield name, _window(split, actual / actual_below, draws / draws_below)


def with_learned(context: Context, entry: EntryResult, learned: Learned | None) -> EntryResult:
    """The entry, the totals of its holdout corrected by what it has learned."""
    judged = entry.judged
    if learned is None or judged is None:
        return replace(entry, learned=learned)
    seed = context.experiment.seed
    weeks = _weeks(judged.holdout.periods, judged.customers.time_unit)
    factor = learned.factor(("purchases",), weeks, len(judged.futures.purchases), seed)
    money = {}
    for name, kind in judged.money.items():
        factors = {part: _of_part(learned, part, weeks, len(kind.realised), seed) for part in kind.part_totals}
        money[name] = replace(kind, factors=factors)
    return replace(entry, learned=learned, judged=replace(judged, factor=factor, money=money))


def with_the_holdout(entry: EntryResult) -> Learned | None:
    """What an entry has learned when its holdout is over: of that forecast too."""
    learned, judged = entry.learned, entry.judged
    if learned is None or judged is None:
        return learned
    split = Split(judged.customers, judged.holdout, judged.weekly)
    windows = dict(_of_the_holdout(split, judged))
    discrepancies = {}
    for name, before in learned.discrepancies.items():
        more = (windows[name],) if name in windows else ()
        discrepancies[name] = replace(before, windows=(*before.windows, *more))
    return replace(learned, discrepancies=discrepancies)


def _of_the_holdout(split: Split, judged: Judged) -> Iterator[tuple[str, Window]]:
    counts = total(judged.futures.purchases)
    actual = float(judged.actual.sum())
    yield "purchases", _window(split, 0.5 + actual, 0.5 + counts)
    totals = {NUMBER: (actual, counts)}
    for name in (SPEND, *RATES.values()):
        if name in judged.money:
            totals[name] = (judged.money[name].actual_total, judged.money[name].totals)
    if SPEND in totals:
        yield from _rates(split, totals)


def corrected_values(values: Values, learned: Learned | None, seed: int) -> Values:
    """Values of customers, each part times its factor, the same for all customers of a draw."""
    if learned is None:
        return values
    weeks = _weeks(values.horizon, values.time_unit)
    draws = len(values.expected)
    names = tuple(values.parts) or (GROSS_MARGIN,)
    factors = {part: _of_part(learned, part, weeks, draws, seed) for part in names}
    return corrected(values, factors, _of_part(learned, SALES, weeks, draws, seed))


def _of_part(learned: Learned, part: str, weeks: float, draws: int, seed: int) -> Array:
    return learned.factor(DRIVERS.get(part, ("purchases",)), weeks, draws, seed)


def _weeks(periods: float, time_unit: str) -> float:
    return periods * DAYS_PER_UNIT[time_unit] / 7
