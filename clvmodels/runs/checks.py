"""Which checks a run makes: each check of the registry (`metrics/checks.py`) put to the parts of the run it is for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import pandas as pd

from clvmodels.dates import DAYS_PER_UNIT, DAYS_PER_YEAR
from clvmodels.draws import mean_by_customer
from clvmodels.inference import choice_of_k
from clvmodels.metrics import account_check_rows, check_rows, effect_check_rows, money_check_rows
from clvmodels.metrics.checks import CHECKS, SAMPLING_CODES, CheckRow, as_table
from clvmodels.metrics.judgement import Judgement
from clvmodels.results.folder import Run

NO_HOLDOUT = "There is no holdout"


def sampling(run: Run) -> Iterator[CheckRow]:
    """The checks that each posterior carries, at the calibration's end and at the date of value; one row a fit."""
    met: set[int] = set()  # a posterior may serve several entries, and both dates
    for entry, when in [*((e, "") for e in run.entries.values()), (run.valued, ", at the date of value")]:
        for posterior in entry.posteriors.values():
            if id(posterior.data) in met:
                continue
            met.add(id(posterior.data))
            for carried in posterior.checks:
                row = check_rows.sampling(carried, posterior.model.title, posterior.method, when)
                if carried.check in run.valued.withheld and not carried.passed:
                    consequence = f"{row.consequence}; no value is told, unless sampler: allow_failed names the check"
                    row = row._replace(consequence=consequence)
                yield row._replace(entry=entry.name)


def held_out_total(run: Run) -> Iterator[CheckRow]:
    """Of every entry."""
    for name, judgement in _judged(run):
        yield check_rows.held_out_total(judgement)._replace(entry=name)


def inside(run: Run) -> Iterator[CheckRow]:
    """Periods and groups of the recommended entry."""
    judgement = run.judgement
    unit = "week" if run.split.customers.time == "continuous" else run.split.customers.time_unit
    if judgement is None:
        rows = [
            CHECKS["periods_inside"].not_applicable(NO_HOLDOUT, {"unit": unit}),
            CHECKS["groups_inside"].not_applicable(NO_HOLDOUT),
        ]
    else:
        rows = [check_rows.periods_inside(judgement, unit), check_rows.groups_inside(judgement)]
    yield from _recommended(run, rows)


def randomised_pits(run: Run) -> Iterator[CheckRow]:
    """The ends of the forecasts of every entry; of the recommended one its groups by past frequency, too."""
    for name, judgement in _judged(run):
        for row in check_rows.pit_shares(judgement):
            yield row._replace(entry=name)
    if run.judgement is not None:
        yield from _recommended(run, [check_rows.pit_groups(run.judgement)])


def money_totals(run: Run) -> Iterator[CheckRow]:
    """Of every kind of money of every entry."""
    for name, judgement in _judged(run):
        for money in judgement.judged.money.values():
            yield money_check_rows.money_total(money)._replace(entry=name)


def money(run: Run) -> Iterator[CheckRow]:
    """Of the recommended entry: groups of customers by forecast in every kind of money; single customers in what they
    spend and in the kind that is sold. In every kind, checks that chance fails once in a hundred would add up."""
    if run.judgement is None:
        return
    kinds = run.judgement.judged.money
    rows = [money_check_rows.money_fifths(kind) for kind in kinds.values()]
    for name in dict.fromkeys((*list(kinds)[:1], *list(kinds)[-1:])):
        rows += money_check_rows.of_customers(kinds[name])
    yield from _recommended(run, rows)


def covariates(run: Run) -> Iterator[CheckRow]:
    """Of every entry whose purchases or lifetimes have some."""
    for name, judgement in _judged(run):
        effects = run.entries[name].posteriors["purchases"].effects
        for covariate in dict.fromkeys(column for effect in effects for column in effect.covariates):
            row = effect_check_rows.covariate_leans(judgement.judged, covariate)
            if row is not None:
                yield row._replace(entry=name)


def bands(run: Run) -> Iterator[CheckRow]:
    """The curves of the recommended entry in their bands."""
    judgement = run.judgement
    if judgement is None:
        rows = [CHECKS[code].not_applicable(NO_HOLDOUT) for code in ("pit_band", "reliability_band")]
    else:
        rows = [check_rows.pit_band(judgement), check_rows.reliability_band(judgement)]
    yield from _recommended(run, rows)


def loo(run: Run) -> Iterator[CheckRow]:
    """Of every entry that has leave-one-out scores."""
    for entry in run.entries.values():
        elpd = entry.elpd if entry.judged is None else entry.judged.elpd
        if elpd is not None:
            yield check_rows.loo_pareto_k(elpd, held_out=entry.judged is not None)._replace(entry=entry.name)


def elpd_agrees(run: Run) -> Iterator[CheckRow]:
    """Of several entries that were judged on a holdout and have leave-one-out scores."""
    comparison = run.comparison
    if comparison is None or len(comparison) < 2 or "elpd_disagrees" not in comparison:
        return
    yield from _recommended(run, [check_rows.elpd_agrees(comparison, lambda name: run.entries[name].label)])


def chosen_k(run: Run) -> Iterator[CheckRow]:
    """Of every entry whose k was chosen."""
    for entry in run.entries.values():
        posterior = entry.posteriors["purchases"]
        others = choice_of_k.others(posterior)
        if others:
            yield check_rows.chosen_k(posterior.model.options["k"], others)._replace(entry=entry.name)


def frequency_and_spend(run: Run) -> Iterator[CheckRow]:
    """Of the customers that the entries are fitted to."""
    customers = run.split.customers
    yield check_rows.frequency_and_spend(customers.table if customers.has_spend else None)


def accounts(run: Run) -> Iterator[CheckRow]:
    """The value that is told beside the accounts of the last year: its parts, where there are several, and cohorts."""
    values, last_year = run.valued.values, run.last_year
    if values is None or values.sales is None or last_year is None:
        return
    made = last_year.loc[values.customer_id]
    several = values.parts if len(values.parts) > 1 else {}
    means = {name: mean_by_customer(part.expected) for name, part in several.items()}
    years = values.horizon * DAYS_PER_UNIT[values.time_unit] / DAYS_PER_YEAR
    first = run.value_split.customers.table.loc[values.customer_id, "first_purchase"]
    rows = account_check_rows.part_shares(means, values.sales, made)
    rows.append(account_check_rows.cohorts(values.sales, years, first, made))
    yield from _recommended(run, rows)


def channels(run: Run) -> Iterator[CheckRow]:
    """Where it is told what may be paid for a customer of each."""
    if run.payback is None or run.payback.withheld:
        return
    row = account_check_rows.past_of_channels(run.payback.channels)
    yield from _recommended(run, [] if row is None else [row])


def data(run: Run) -> Iterator[CheckRow]:
    """What is suspicious in the orders, and what both summaries of the data warned of."""
    doubts = () if run.company is None else run.company.transactions.doubts
    warnings = (*run.split.customers.warnings, *run.value_split.customers.warnings)
    yield from check_rows.data_warnings(warnings, doubts)


ORDER: dict[str, Callable[[Run], Iterator[CheckRow]]] = {
    "sampling": sampling,
    "money_totals": money_totals,
    "held_out_total": held_out_total,
    "inside": inside,
    "randomised_pits": randomised_pits,
    "bands": bands,
    "covariates": covariates,
    "money": money,
    "loo": loo,
    "elpd_agrees": elpd_agrees,
    "chosen_k": chosen_k,
    "accounts": accounts,
    "channels": channels,
    "frequency_and_spend": frequency_and_spend,
    "data": data,
}


def all_checks(run: Run) -> pd.DataFrame:
    """All checks of a run, each in exactly one category."""
    return as_table([row for rows in ORDER.values() for row in rows(run)])


def sampling_failed(run: Run, allowed: Collection[str] = ()) -> bool:
    """Whether a sampling check failed that is not allowed by its name."""
    failed = run.checks[(run.checks["kind"] == "sampling") & (run.checks["result"] == "failed")]
    allowed_codes = {SAMPLING_CODES[name] for name in allowed}
    return bool((~failed["code"].isin(allowed_codes)).any())


def _judged(run: Run) -> Iterator[tuple[str, Judgement]]:
    for entry in run.entries.values():
        if entry.judgement is not None:
            yield entry.name, entry.judgement


def _recommended(run: Run, rows: list[CheckRow]) -> Iterator[CheckRow]:
    return (row._replace(entry=run.recommended) for row in rows)
