"""Posteriors to forecasts beside what came: of every entry the holdout, of the recommended one the fitted weeks too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from clvmodels.config.experiment import EntrySection
from clvmodels.customers.table import Split
from clvmodels.futures import forecast
from clvmodels.inference.effects import columns_of
from clvmodels.inference.posterior import Posterior
from clvmodels.metrics import Judged
from clvmodels.metrics.compare import compare, compare_elpd, compared_by, elpd_against
from clvmodels.models import MODELS, Model, SpendModel
from clvmodels.results.folder import EntryResult
from clvmodels.runs.context import Context
from clvmodels.runs.fits import loo_scores
from clvmodels.runs.inputs import effects_of
from clvmodels.valuation.scoring import known_p_alive

PAST_DRAWS = 400
"""Simulated pasts behind the band of the fitted weeks: enough for its 5% and 95% quantiles, and drawn for nothing
else."""
MOST_LISTED = 3
"""Columns that an entry's label names; of more it says how many."""


def judge_entry(context: Context, name: str, posteriors: dict[str, Posterior], split: Split) -> EntryResult:
    """An entry judged on the holdout; where nothing is held out, by its leave-one-out scores alone."""
    purchases, spend = posteriors["purchases"], posteriors.get("spend")
    entry = EntryResult(name, _label(context, name, posteriors), posteriors)
    if split.holdout is None:
        return replace(entry, elpd=loo_scores(context, purchases, split))
    context.say(f"{entry.label}: forecasting the held-out purchases")
    futures = forecast.forecast(
        purchases,
        split.customers,
        split.holdout.periods,
        seed=context.experiment.seed,
        draws=context.experiment.sampler.draws,
        actual=split.holdout,
        folder=context.scratch / name,
        allow_failed=purchases.failed_checks,  # which the checks of the run tell: it is judged like the others
    )
    judged = Judged(
        split.customers,
        split.holdout,
        futures,
        split.weekly,
        loo_scores(context, purchases, split),
        context.experiment.seed,
    )
    if spend is not None and isinstance(spend.model, SpendModel):
        density_of = spend.model.density_of
        judged = replace(judged, spend_elpd=loo_scores(context, spend, split), spend_density_of=density_of)
    return replace(entry, judged=judged, p_alive=known_p_alive(purchases, split.customers.table, futures.p_alive))


def compare_entries(entries: Mapping[str, EntryResult]) -> pd.DataFrame:
    """The entries, the one that forecasts best first: by what was held out, else by leave-one-out scores.

    Beside what was held out it says what that was (`compared_by`), and what leave-one-out scores say of the entries.
    """
    judged = {name: entry.judged for name, entry in entries.items() if entry.judged is not None}
    if judged:
        comparison = compare(judged).assign(compared_by=compared_by(judged))
        elpd = elpd_against(judged, str(comparison["entry"].iloc[0]))
        return comparison if elpd is None else comparison.merge(elpd, on="entry", how="left")
    return compare_elpd({name: entry.elpd for name, entry in entries.items() if entry.elpd is not None})


def with_calibration_weeks(context: Context, entry: EntryResult, split: Split) -> EntryResult:
    """The recommended entry, with its simulated past beside the weeks that it was fitted to."""
    weeks = split.weekly.loc[~split.weekly["held_out"], "start"]
    if entry.judged is None or weeks.empty:
        return entry
    context.say(f"{entry.label}: simulating the past that it was fitted to")
    purchases = forecast.calibration_weeks(
        entry.posteriors["purchases"],
        split.customers,
        weeks,
        seed=context.experiment.seed,
        draws=min(PAST_DRAWS, context.experiment.sampler.draws),
    )
    return replace(entry, calibration_weeks=purchases)


def _label(context: Context, name: str, posteriors: Mapping[str, Posterior]) -> str:
    """An entry in words. The spend model is named only where entries differ in it."""
    spend_models = {entry.spend for entry in context.experiment.models.values()}
    spend = None
    if "spend" in posteriors and len(spend_models) > 1:
        spend = MODELS[posteriors["spend"].model.name]  # what its customers have made of it they have of the others too
    return entry_label(context.experiment.models[name], posteriors["purchases"].model, spend)


def entry_label(entry: EntrySection, model: Model, spend: Model | None = None) -> str:
    """The purchase model's title, and the spend model's where it is given; the calendar, groups and covariates."""
    groups, covariates = columns_of(effects_of(entry))
    if entry.by is not None:
        groups = sorted({*groups, entry.by})
    label = f"{model.title} and {spend.title}" if spend else model.title
    if entry.calendar:
        label += f" on {entry.calendar.replace('_', ' ')}"
    if groups:
        label += f", by {_listed(groups)}"
    if covariates:
        label += f", with {_listed(covariates)}"
    return label


def _listed(names: list[str]) -> str:
    if len(names) > MOST_LISTED:
        return f"{len(names)} columns"
    return " and ".join(name.replace("_", " ") for name in names)
