"""Posteriors to values: what each customer of the recommended entry brings, and the place among all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from clvmodels import words
from clvmodels.customers.table import Split
from clvmodels.decisions.rank import rank
from clvmodels.inference.posterior import Posterior
from clvmodels.results.folder import EntryResult
from clvmodels.runs.backtests import corrected_values, with_the_holdout
from clvmodels.runs.context import Context
from clvmodels.runs.fits import fit_costs, fit_entry
from clvmodels.valuation.valuation import Values, value


def value_entry(context: Context, entry: EntryResult, split: Split, value_split: Split) -> EntryResult:
    """The recommended entry at the date of value, fitted again where that is later than the calibration's end."""
    posteriors = entry.posteriors
    if value_split is not split:
        posteriors = fit_entry(context, entry.name, value_split)
    learned = entry.learned if value_split is split else with_the_holdout(entry)
    valued = EntryResult(
        entry.name, entry.label, posteriors | fit_costs(context, entry.name, value_split), learned=learned
    )
    values = value_draws(context, valued, value_split)
    if values is None:
        return replace(valued, withheld=_withheld(context, valued.posteriors))
    return replace(valued, values=values, ranking=ranking(context, values))


def value_draws(context: Context, entry: EntryResult, split: Split) -> Values | None:
    """The value draws of an entry's customers at the end of their observation; None without economics or spend, and
    where a posterior failed a sampling check that it may not."""
    economics = context.experiment.economics
    if economics is None or "spend" not in entry.posteriors:
        return None
    posteriors = entry.posteriors | fit_costs(context, entry.name, split)
    if failed := _withheld(context, posteriors):
        context.say(f"{entry.label}: no value is made of what failed its checks ({', '.join(failed)})")
        return None
    day = split.customers.observation_end.date()
    context.say(f"{entry.label}: valuing {words.counted(len(split.customers), 'customer')} at {day}")
    values = value(
        posteriors,
        split.customers,
        economics,
        seed=context.experiment.seed,
        draws=context.experiment.sampler.draws,
        folder=context.scratch / f"{entry.name}-value-{day}",
        allow_failed=context.experiment.sampler.allow_failed,
    )
    return corrected_values(values, entry.learned, context.experiment.seed)


def _withheld(context: Context, posteriors: Mapping[str, Posterior]) -> tuple[str, ...]:
    """The sampling checks for which value is withheld; none where none is asked for."""
    if context.experiment.economics is None:
        return ()
    failed = [check for posterior in posteriors.values() for check in posterior.failed_checks]
    return tuple(check for check in dict.fromkeys(failed) if check not in context.experiment.sampler.allow_failed)


def ranking(context: Context, values: Values) -> pd.DataFrame:
    """The place of each customer among all, and how sure it is."""
    return rank(values, top_share=context.experiment.top_share, seed=context.experiment.seed)
