"""Forecasts and values to flat rows: how each entry forecast, and what each customer is expected to do and bring."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from clvmodels import words
from clvmodels.config.experiment import Experiment
from clvmodels.customers.table import Split
from clvmodels.inference.samplers.checks import CHECK_NAMES
from clvmodels.metrics import METRICS, Row
from clvmodels.metrics.elpd import rows_of
from clvmodels.results.folder import EntryResult
from clvmodels.runs.context import Context
from clvmodels.runs.plans import ENTRY_PARTS, horizon
from clvmodels.runs.values import ranking, value_draws
from clvmodels.valuation.scoring import VALUE_NAMES, behaviour

SCORE_COLUMNS = ("entry", "dataset", "origin", "metric", *Row._fields)


def customer_tables(
    context: Context,
    entries: Mapping[str, EntryResult],
    recommended: str,
    at_value: pd.DataFrame,
    split: Split,
    value_split: Split,
) -> pd.DataFrame:
    """The rows of all entries at the calibration's end, and of the recommended one at the date of value, last.

    Where both dates are the same the recommended entry's rows `at_value` are those of the calibration's end.
    """
    ahead = horizon(context.experiment, split)
    one_date = value_split is split
    tables = []
    for name, entry in entries.items():
        is_at_value = one_date and name == recommended
        tables.append(at_value if is_at_value else customer_table(context, entry, split, ahead))
    if not one_date:
        tables.append(at_value)
    return pd.concat(tables, ignore_index=True)


def customer_table(context: Context, entry: EntryResult, split: Split, ahead: float) -> pd.DataFrame:
    """One row a customer: what each is expected to do and bring, what may happen, and the place among all.

    `ahead`: how far it looks, in time units.
    """
    places = entry.ranking
    if places is None:
        values = value_draws(context, entry, split)
        places = None if values is None else ranking(context, values)
    context.say(f"{entry.label}: scoring {words.counted(len(split.customers), 'customer')}")
    roles = ("purchases",) if places is None else tuple(ENTRY_PARTS)
    table = behaviour(
        {role: entry.posteriors[role] for role in roles},
        split.customers,
        horizon=ahead,
        seed=context.experiment.seed,
        draws=context.experiment.sampler.draws,
        # each row says what failed: without a value, what is expected of purchases is still looked at
        allow_failed=CHECK_NAMES,
    )
    if places is not None:
        table = table.join(places.rename(columns=_value_column))
    table.insert(0, "horizon", ahead)
    table.insert(0, "valued_at", split.customers.observation_end.date().isoformat())
    table.insert(0, "entry", entry.name)
    return table.reset_index()


def _value_column(name: str) -> str:
    """A ranking's column in the table of customers: expected_mean is expected_value_mean; ranks and odds stay."""
    kind, _, statistic = name.partition("_")
    if statistic.startswith(("rank", "odds")):
        return name
    return f"{VALUE_NAMES[kind]}_{statistic}"


def metric_rows(experiment: Experiment, entries: Mapping[str, EntryResult], split: Split) -> pd.DataFrame:
    """All scores of every entry: entry, dataset, origin (the calibration's end), metric, score, value, lower, upper.

    `metric` is the key of the registry, `score` the name of the number: a metric may give several.
    """
    dataset = _dataset(experiment)
    origin = split.customers.observation_end.date().isoformat()
    rows = []
    for entry in entries.values():
        if entry.judged is not None:
            for name in experiment.metrics:
                rows += [(entry.name, dataset, origin, name, *row) for row in METRICS[name].compute(entry.judged)]
    for entry in entries.values():
        if entry.elpd is not None and "elpd" in experiment.metrics:
            rows += [(entry.name, dataset, origin, "elpd", *row) for row in rows_of("elpd", entry.elpd)]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _dataset(experiment: Experiment) -> str:
    """What was forecast: the named data set, else the paths of the tables."""
    paths = ", ".join(str(source.path) for source in experiment.sources.values())
    return experiment.data.dataset or paths or str(experiment.data.transactions)
