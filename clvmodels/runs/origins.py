"""Rolling origins: every entry forecast from several days, each forecast held against what came after its day.

A fit knows nothing of how far it will be asked to look, so that all holdouts of an origin share it; and it is kept in
the results folder like any other, so that a stopped run goes on at the origin it was at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.config.experiment import Experiment
from clvmodels.config.finding import at
from clvmodels.config.sections import TO_THE_END
from clvmodels.customers.summary_window import as_window
from clvmodels.customers.table import Split
from clvmodels.dates import DAYS_PER_UNIT, period_end
from clvmodels.draws import quantiles, total
from clvmodels.errors import ClvError, DataError, FitError, Problem
from clvmodels.metrics.discrepancy import Learned
from clvmodels.metrics.interval_score import interval_score
from clvmodels.metrics.judged import Judged
from clvmodels.metrics.judgement import side_of
from clvmodels.metrics.total_purchases import total_draws
from clvmodels.results.folder import EntryResult, Rolling
from clvmodels.runs.backtests import BACKTESTED, learn, with_learned
from clvmodels.runs.context import Context
from clvmodels.runs.fits import fit_entry
from clvmodels.runs.forecasts import judge_entry
from clvmodels.runs.inputs import customers_from
from clvmodels.runs.money import with_money
from clvmodels.runs.plans import problems_of_plans
from clvmodels.runs.scores import metric_rows
from clvmodels.sources.consolidation import Company

FIRST_ORIGIN, LAST_ORIGIN = 1 / 4, 7 / 8
"""Between these shares of the data's span lie origins of which only the number is said; the last lies earlier where the
longest holdout in time units asks for it."""
PLAIN = "plain"
KEYS = ("origin", "until", "holdout")


@dataclass(frozen=True)
class Origin:
    """The customers known on a day, and what came up to each end of its holdouts."""

    day: pd.Timestamp
    splits: tuple[Split, ...]


def with_days_of_origins(experiment: Experiment, company: Company) -> Experiment:
    """The experiment with the days of its origins where it says only how many. The resolved experiment states them."""
    count = experiment.data.origins
    if not isinstance(count, int):
        return experiment
    days = tuple(day.date() for day in _even_days(experiment, company, count))
    return experiment.model_copy(update={"data": experiment.data.model_copy(update={"origins": days})})


def _even_days(experiment: Experiment, company: Company, count: int) -> list[pd.Timestamp]:
    """Days at equal distances, whole weeks or periods before the end of the data."""
    data, transactions = experiment.data, company.transactions
    end = transactions.data_end
    span = (end - transactions.data_start).days
    longest = max((length for length in data.holdouts if not isinstance(length, str)), default=0.0)
    last = min(LAST_ORIGIN * span, span - longest * DAYS_PER_UNIT[data.time_unit])
    ages = np.linspace(FIRST_ORIGIN * span, last, count) if count > 1 else np.array([last])
    days = []
    for days_before in span - ages:
        if data.time == "opportunities":
            day = period_end(end - pd.Timedelta(days=days_before), data.time_unit)
        else:
            day = end - pd.Timedelta(days=7 * np.ceil(days_before / 7 - 1e-9))
        days.append(day)
    return sorted(dict.fromkeys(days))


def origins_of(context: Context, company: Company) -> list[Origin]:
    """The customers at each origin, the earliest first; refused, with all that is wrong, before anything is fitted.

    Raises
    ------
    DataError
        An origin that the data do not cover, or at which there are no customers, or none that an entry can be fitted
        to; a holdout that reaches beyond the data.
    """
    days = sorted(pd.Timestamp(day) for day in _days(context.experiment))
    problems: list[Problem] = []
    for day in days:
        problems += _in_file(context.experiment, day, _problems_of_days(context.experiment, company, day))
    if problems:
        raise DataError(problems)
    origins = []
    for place, day in enumerate(days, start=1):
        context.say(f"Summarising the customers of origin {place} of {len(days)}, {day:%Y-%m-%d}")
        try:
            origin = Origin(day, tuple(_splits(context, company, day)))
        except ClvError as error:
            problems += _in_file(context.experiment, day, _at(day, error.problems))
            continue
        problems_here = _at(day, problems_of_plans(context, origin.splits[0]))
        problems += _in_file(context.experiment, day, problems_here)
        origins.append(origin)
    if problems:
        raise DataError(problems)
    return origins


def _days(experiment: Experiment) -> tuple[date, ...]:
    days = experiment.data.origins
    if isinstance(days, int):
        raise TypeError("the number of origins is made days of before: `with_days_of_origins`")
    return days


def _holdouts(experiment: Experiment, company: Company) -> list[float | pd.Timestamp]:
    data, end = experiment.data, company.transactions.data_end
    if data.time == "opportunities":
        end = period_end(end, data.time_unit)
    lengths = data.holdouts or (TO_THE_END,)
    return [end if isinstance(length, str) else length for length in lengths]


def _problems_of_days(experiment: Experiment, company: Company, day: pd.Timestamp) -> list[Problem]:
    """What is wrong with an origin: with the day itself, or else with each of its holdouts."""
    data, transactions = experiment.data, company.transactions
    covers = (transactions.data_start, transactions.data_end)
    problems: list[Problem] = []
    as_window(covers, day, None, data.time_unit, problems, data.time)
    if not problems and day == transactions.data_end:
        span = f"The data cover {covers[0]:%Y-%m-%d} to {covers[1]:%Y-%m-%d}"
        problems.append(Problem("nothing comes after it to be held out", got=f"{day:%Y-%m-%d}", known=span))
    if problems:
        return _at(day, problems)
    for holdout in _holdouts(experiment, company):
        as_window(covers, day, holdout, data.time_unit, problems, data.time)
    return _at(day, problems)


def _at(day: pd.Timestamp, problems: Iterable[Problem]) -> list[Problem]:
    """The problems, the origin put before the place of each."""
    origin = f"origin {day:%Y-%m-%d}"
    return [replace(problem, where=f"{origin}, {problem.where}" if problem.where else origin) for problem in problems]


def _in_file(experiment: Experiment, day: pd.Timestamp, problems: Iterable[Problem]) -> list[Problem]:
    """The problems, each at the origin as the experiment lists it."""
    place = _days(experiment).index(day.date())
    return [at(("data", "origins", place), replace(problem, path=())) for problem in problems]


def _splits(context: Context, company: Company, day: pd.Timestamp) -> Iterator[Split]:
    """The customers of a day beside what came, holdout by holdout; two holdouts that end on one day are one."""
    ends = set()
    for holdout in _holdouts(context.experiment, company):
        split = customers_from(context.experiment, company, context.calendars, day, holdout)
        if split.holdout is not None and split.holdout.end not in ends:
            ends.add(split.holdout.end)
            yield split


def roll(context: Context, company: Company, origins: list[Origin]) -> Rolling | None:
    """Every entry fitted at each origin, forecast as far as each holdout, and scored; None without origins.

    Raises
    ------
    FitError
        An entry that cannot be fitted at an origin; the fits before it are kept.
    """
    if not origins:
        return None
    scores, totals = [], []
    for place, origin in enumerate(origins, start=1):
        said = f"Origin {place} of {len(origins)}, {origin.day:%Y-%m-%d}"
        here = _at_origin(context, said)
        learned: dict[str, Learned | None] = {}
        for split in origin.splits:
            try:
                entries = _judged_at(here, company, split, learned)
            except FitError as error:
                raise FitError(_at(origin.day, error.problems)) from error
            keys = _keys(split)
            scores.append(metric_rows(context.experiment, entries, split).assign(**keys))
            totals += [row | keys for entry in entries.values() for row in total_rows(entry)]
    return Rolling(pd.concat(scores, ignore_index=True), pd.DataFrame(totals))


def _at_origin(context: Context, said: str) -> Context:
    """The context of an origin: its progress says which, and k is chosen again, since the calibration's end, at which
    the run has chosen it, may lie ahead."""
    memory = replace(context.memory, chosen_k={}, first_amounts=None)
    return replace(context, memory=memory, say=lambda text: context.say(f"{said}: {text}"))


def _keys(split: Split) -> dict[str, Any]:
    holdout = split.holdout
    if holdout is None:
        raise ValueError("an origin without a holdout")
    days = (split.customers.observation_end, holdout.end)
    origin, until = (day.date().isoformat() for day in days)
    return dict(zip(KEYS, (origin, until, holdout.periods), strict=True))


def _judged_at(
    context: Context, company: Company, split: Split, learned: dict[str, Learned | None]
) -> dict[str, EntryResult]:
    """Every entry beside what came, its arrays in a folder that is emptied for the next. `learned` keeps what each has
    learned of earlier days, which is the same for all holdouts of an origin."""
    folder = context.scratch / "origin"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    here = replace(context, scratch=folder)
    entries = {}
    for name in context.experiment.models:
        entries[name] = judge_entry(here, name, fit_entry(here, name, split), split)
    entries = with_money(here, company, entries, split, split)
    for name, entry in entries.items():
        if name not in learned:
            learned[name] = learn(here, company, name, split)
        entries[name] = with_learned(here, entry, learned[name])
    return entries


def total_rows(entry: EntryResult) -> Iterator[dict[str, Any]]:
    """A row for purchases and each kind of money: what came in total, and the quantiles of its forecast."""
    judged = entry.judged
    if judged is None:
        return
    for quantity, totals, actual, draws in _totals(judged):
        forecast = quantiles(draws)
        yield {
            "entry": entry.name,
            "label": entry.label,
            "quantity": quantity,
            "totals": totals,
            "actual": actual,
            **forecast,
            "side": side_of(actual, forecast),
            "interval_score": interval_score(forecast["q5"], forecast["q95"], actual, 0.9),
        }


def _totals(judged: Judged) -> Iterator[tuple[str, str, float, np.ndarray]]:
    """Quantity, way of forecasting, what came, and the draws of its forecast."""
    actual, counts = float(judged.actual.sum()), total(judged.futures.purchases)
    yield "purchases", PLAIN, actual, counts
    if judged.factor is not None:
        yield "purchases", BACKTESTED, actual, total_draws(judged)
    for name, money in judged.money.items():
        yield name, PLAIN, money.actual_total, money.totals
        if money.factors:
            yield name, BACKTESTED, money.actual_total, money.judged_totals
