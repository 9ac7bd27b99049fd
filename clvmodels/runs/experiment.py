"""Run an experiment: from its file to a results folder of tables, draws and posteriors; resume one that was stopped."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from clvmodels.accounts.last_year import last_year
from clvmodels.accounts.lifetime import lifetime_table
from clvmodels.accounts.profit_made import profit_made
from clvmodels.config.experiment import Experiment, dump
from clvmodels.customers.experience import consolidated
from clvmodels.customers.unusable import with_unusable
from clvmodels.decisions.leaving import leaving
from clvmodels.decisions.losses import losses
from clvmodels.decisions.payback import payback
from clvmodels.errors import Problem, ResultsError
from clvmodels.figures import FIGURES
from clvmodels.results.folder import Run, machine, store
from clvmodels.runs.about import about_run
from clvmodels.runs.backtests import learn, with_learned
from clvmodels.runs.checks import all_checks, sampling_failed
from clvmodels.runs.context import Context, Say
from clvmodels.runs.fits import fit_entries
from clvmodels.runs.forecasts import compare_entries, judge_entry, with_calibration_weeks
from clvmodels.runs.inputs import read, read_calendars, splits, windows_of, with_usual_windows
from clvmodels.runs.money import with_money
from clvmodels.runs.origins import origins_of, roll, with_days_of_origins
from clvmodels.runs.plans import check_calendars, check_plans, horizon
from clvmodels.runs.scores import customer_table, customer_tables, metric_rows
from clvmodels.runs.strategy import strategy_tables
from clvmodels.runs.values import value_entry
from clvmodels.sources.consolidation import Company


@dataclass(frozen=True)
class Outcome:
    """What a run gave: the run itself, its folder, and 1 where a sampling check failed that was not allowed."""

    run: Run
    folder: Path
    exit_status: int


def run(
    experiment: Experiment,
    folder: Path | str,
    *,
    config_dir: Path | str = ".",
    progress: Say | None = None,
    fresh: bool = False,
    command: str | None = None,
) -> Outcome:
    """Run an experiment into a folder; a fit that the folder already holds is not made again.

    Parameters
    ----------
    experiment
        Of `load_experiment` or `Experiment.from_dict`.
    folder
        The results folder. Posteriors are stored as they are found, everything else at the end.
    config_dir
        Where relative paths of the experiment start.
    progress
        Takes a sentence that says what begins now.
    fresh
        Fit again even where a stored posterior has the same data, model, priors, sampler and seed.
    command
        What was typed to run it, for the report.

    Raises
    ------
    ClvError
        Whatever a stage refuses. Fits of other entries than the one that failed are kept.
    """
    folder, say, started = Path(folder), progress or _say_nothing, time.monotonic()
    _prepare(folder)
    with tempfile.TemporaryDirectory(prefix="clvmodels-") as scratch:
        # tables -> customers
        say("Reading the data")
        company = read(experiment, Path(config_dir), Path(scratch))
        experiment = with_days_of_origins(with_usual_windows(experiment, company), company)
        if experiment.costs:
            company = with_unusable(company, windows_of(experiment), experiment.costs)
        calendars = read_calendars(experiment, Path(config_dir))
        split, value_split = splits(experiment, company, calendars)
        context = Context(experiment, folder, Path(scratch), company.transactions.sha256, say, fresh, calendars)
        check_calendars(context, split, value_split)
        check_plans(context, split)
        origins = origins_of(context, company)

        # -> posteriors -> futures: every entry is fitted before the first is judged, so that no fit waits for one
        posteriors = fit_entries(context, split)
        entries = {name: judge_entry(context, name, fits, split) for name, fits in posteriors.items()}
        entries = with_money(context, company, entries, split, value_split)
        comparison = compare_entries(entries)
        recommended = str(comparison["entry"].iloc[0])
        learned = learn(context, company, recommended, split)  # of the others no total is told but beside it
        entries[recommended] = with_learned(context, entries[recommended], learned)
        entries[recommended] = with_calibration_weeks(context, entries[recommended], split)
        rolling = roll(context, company, origins)

        # -> value -> scores, of the recommended entry at the date of value too
        valued = value_entry(context, entries[recommended], split, value_split)
        at_value = customer_table(context, valued, value_split, horizon(experiment, split))
        customers = customer_tables(context, entries, recommended, at_value, split, value_split)
        valued = replace(valued, p_alive=at_value["p_alive"].to_numpy())
        result = Run(
            about=about_run(context, company, split, value_split, entries, valued, command, started),
            account=company.account,
            split=split,
            value_split=value_split,
            entries=entries,
            recommended=recommended,
            valued=valued,
            comparison=comparison,
            checks=pd.DataFrame(),
            scores=metric_rows(experiment, entries, split),
            company=company,
            consolidated=consolidated(company, value_split.customers),
            rolling=rolling,
        )

        # -> decisions -> report: what these need is the run so far
        result = _with_leaving(context, result)
        result = _with_profit_made(context, company, result)
        customers = _with_lifetime_value(customers, result)
        result = replace(result, checks=all_checks(result))
        result = replace(result, kpis=strategy_tables(context, company, valued, value_split))
        say("Computing the figures' tables")
        tables = {name: FIGURES[name].table(result) for name in experiment.figures}
        result = replace(result, about=replace(result.about, **machine(started)))
        store(folder, result, tables, customers, dump(experiment))
    return Outcome(result, folder, int(sampling_failed(result, experiment.sampler.allow_failed)))


def _say_nothing(_text: str) -> None:
    pass


def _prepare(folder: Path) -> None:
    """Make the results folder, and see that it can be written to before hours of work go into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for unfinished in folder.rglob("*.tmp"):  # of a run that was killed while it wrote
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        known = "Name another folder"
        raise ResultsError(Problem(f"cannot write results here ({reason})", str(folder), known=known)) from error


def _with_leaving(context: Context, result: Run) -> Run:
    """The run with who may leave, and the worth that is at risk with them; without worth there is none."""
    values = result.valued.values
    if values is None:
        return result
    purchases, customers = result.valued.posteriors["purchases"], result.value_split.customers
    return replace(result, leaving=leaving(purchases, customers, values, seed=context.experiment.seed))


def _with_profit_made(context: Context, company: Company, result: Run) -> Run:
    """The run with the profit that was made up to the date of value, and what new customers cost and bring.

    Both are told in the parts of the value to come: without one they have no measure.
    """
    experiment, values = context.experiment, result.valued.values
    if values is None or result.consolidated is None:
        return result
    customers = replace(result.value_split.customers, table=result.consolidated)
    made = profit_made(
        company,
        customers,
        values.economics,
        costs=experiment.costs,
        known_at=customers.observation_end,
        windows=windows_of(experiment),
    )
    channels = payback(
        dict(result.valued.posteriors),
        company,
        customers,
        values.economics,
        seed=experiment.seed,
        draws=experiment.sampler.draws,
        windows=windows_of(experiment),
        allow_failed=experiment.sampler.allow_failed,
    )
    before = last_year(company, customers, values.economics, costs=experiment.costs, windows=windows_of(experiment))
    return replace(result, made=made, last_year=before, losses=losses(made, values), payback=channels)


def _with_lifetime_value(customers: pd.DataFrame, result: Run) -> pd.DataFrame:
    """The customers' table with what was made so far, and that together with what is to come: in the rows of the
    recommended entry at the date of value, which is the day up to which profit was counted."""
    values, made = result.valued.values, result.made
    if values is None or made is None:
        return customers
    day = values.valued_at.date().isoformat()
    is_valued = (customers["entry"] == result.recommended) & (customers["valued_at"] == day)
    columns = lifetime_table(made, values).reindex(customers["customer_id"]).set_axis(customers.index)
    return customers.join(columns.where(is_valued))
