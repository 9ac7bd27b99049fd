"""Totals that know their own past: what is looked back at, what is learned of it, and what it changes and what not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes import known_company
from fakes.experiments import Fits, experiment, made_up, no_fit
from fakes.known_company import DRAWS
from fakes.says import caption_of

from clvmodels.config.experiment import Experiment
from clvmodels.draws import quantiles, total
from clvmodels.errors import FitError, Problem
from clvmodels.figures import FIGURES
from clvmodels.inference import fitting
from clvmodels.metrics.discrepancy import OF_TOTALS
from clvmodels.results.folder import Run
from clvmodels.runs.backtests import _with_rates_alone
from clvmodels.runs.experiment import run
from clvmodels.valuation.economics import Economics

MODELS = {"bg_nbd": {"purchases": "bg_nbd"}}
DATA = {"dataset": "retailer", "customers": 400}
FIGURES_OF_TOTALS = {"figures": ["backtests", "total_value", "checks"]}


@pytest.fixture(scope="module")
def asked() -> list[tuple[str, str]]:
    """Model and day of each fit of `done`."""
    return []


@pytest.fixture(scope="module")
def done(tmp_path_factory, asked) -> Run:
    made_of_truth = known_company.made_up

    def fit(model, customers, **options):
        asked.append((model.name, str(customers.observation_end.date())))
        return made_of_truth(model, customers, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(known_company, "made_up", fit)
        # `outcome` puts its own stand-in for the fit in place, by that name
        folder = tmp_path_factory.mktemp("backtested")
        return known_company.outcome(
            folder, known_company.simulated(), patched, totals="backtested", **FIGURES_OF_TOTALS
        ).run


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Run:
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("plain")
        tables = known_company.simulated()
        return known_company.outcome(folder, tables, patched, totals="plain", **FIGURES_OF_TOTALS).run


def learned_of(run_: Run):
    return run_.entries[run_.recommended].learned


def test_it_is_what_a_stranger_gets():
    assert Experiment.from_dict({"title": "t", "data": {"dataset": "cdnow"}, "models": MODELS}).totals == "backtested"


def test_an_earlier_day_is_one_fit_of_each_model(done, asked):
    days = [day for model, day in asked if model == "nbd"]
    assert len(days) == len(set(days)) == 6  # the calibration's end, the date of value, and four days before
    assert len(asked) == len(set(asked))


def test_at_earlier_days_no_cost_is_fitted_that_no_rate_is_of():
    """Bad debts and contacts would be forecast for nobody; the keys that need them would be refused without."""
    costs = {
        "margin": {"model": "normal_margin"},
        "returns": {"model": "beta_binomial_returns", "window": 21},
        "bad_debt": {"model": "beta_binomial_bad_debt"},
        "contacts": {"model": "gamma_poisson_contacts"},
    }
    economics = {"annual_discount_rate": 0.1, "horizon": 52, "cost_per_return": 4, "written_off": 0.2}
    of_others = {"cost_per_contact": 3, "recovered": 0.1, "retention": {"cost": 1, "every": 4, "until_silent": 8}}
    mapping = {
        "title": "t",
        "data": DATA,
        "models": {"bg_nbd": {"purchases": "bg_nbd", "spend": "gamma_gamma"}},
        "costs": costs,
        "economics": economics | of_others,
    }
    then = _with_rates_alone(Experiment.from_dict(mapping))
    assert set(then.costs) == {"margin", "returns"}
    assert then.economics == Economics(margin=None, **economics)


def test_earlier_days_lie_in_the_later_half_of_the_calibration(done):
    end = done.split.customers.observation_end
    first = done.split.customers.table["first_purchase"].min()
    windows = learned_of(done).discrepancies["purchases"].windows
    assert len(windows) == 4 and all(window.end == end for window in windows)
    for window in windows:
        assert first + (end - first) / 2 - pd.Timedelta(weeks=1) <= window.start < end
        assert (end - window.start).days % 7 == 0


def test_what_came_is_counted_in_the_transactions(done):
    table = done.company.transactions.table.execute()
    days = table.assign(day=pd.to_datetime(table["date"]).dt.normalize()).drop_duplicates(["customer_id", "day"])
    first = days.groupby("customer_id")["day"].transform("min")
    for window in learned_of(done).discrepancies["purchases"].windows:
        came = days[(first <= window.start) & (days["day"] > window.start) & (days["day"] <= window.end)]
        assert window.actual == len(came) + 0.5
    for window in learned_of(done).discrepancies["spend"].windows:
        inside = table.assign(day=pd.to_datetime(table["date"]).dt.normalize())
        first_day = inside.groupby("customer_id")["day"].transform("min")
        came = inside[(first_day <= window.start) & (inside["day"] > window.start) & (inside["day"] <= window.end)]
        purchases = len(came.drop_duplicates(["customer_id", "day"]))
        assert window.actual == pytest.approx(came["amount"].sum() / purchases, rel=1e-6)


def test_returns_are_looked_back_at_where_they_could_be_known(done):
    """No window of 21 days may still be open on the day from which is looked back."""
    windows = learned_of(done).discrepancies["returns"].windows
    assert windows and all((window.end - window.start).days > 21 for window in windows)


def test_at_the_date_of_value_the_holdout_is_one_more(done):
    before, after = learned_of(done), done.valued.learned
    for name, discrepancy in after.discrepancies.items():
        holdout = discrepancy.windows[len(before.discrepancies[name].windows) :]
        assert discrepancy.windows[: -len(holdout)] == before.discrepancies[name].windows
        assert [(window.start, window.end) for window in holdout] == [
            (done.split.customers.observation_end, done.split.holdout.end)
        ]
    last = after.discrepancies["purchases"].windows[-1]
    assert last.actual == done.split.holdout.table["purchases"].sum() + 0.5


def test_single_customers_are_the_models_own(done, plain):
    of_both = [run_.judgement.judged for run_ in (done, plain)]
    for name in ("purchases", "expected_purchases", "p_any"):
        assert np.array_equal(*(getattr(judged.futures, name) for judged in of_both))
    assert np.array_equal(*(judged.money["spend"].realised for judged in of_both))
    assert np.array_equal(*(run_.judgement.pit for run_ in (done, plain)))
    scores = [
        run_.scores[~run_.scores["score"].str.contains("backtested")].reset_index(drop=True) for run_ in (done, plain)
    ]
    pd.testing.assert_frame_equal(*scores)


def test_totals_are_the_models_times_their_factors(done, plain):
    judged, own = done.judgement.judged, plain.judgement.judged
    learned, weeks, seed = learned_of(done), own.holdout.periods, 42
    of_purchases = learned.factor(("purchases",), weeks, DRAWS, seed)
    assert done.judgement.total == quantiles(total(own.futures.purchases) * of_purchases)
    spend = learned.factor(("purchases", "spend"), weeks, DRAWS, seed)
    np.testing.assert_allclose(judged.money["spend"].judged_totals, own.money["spend"].totals * spend, rtol=1e-5)
    returns = learned.factor(("purchases", "spend", "returns"), weeks, DRAWS, seed)
    np.testing.assert_allclose(
        judged.money["cost of returns"].judged_totals, own.money["cost of returns"].totals * returns, rtol=1e-5
    )
    parts = own.money["profit"].part_totals
    assert set(parts) >= {"gross margin", "returns", "fulfilment"}
    np.testing.assert_allclose(np.sum(list(parts.values()), axis=0), own.money["profit"].totals, rtol=1e-4)
    margin = learned.factor(("purchases", "spend", "margin"), weeks, DRAWS, seed)
    profit = sum(
        draws * {"gross margin": margin, "returns": returns, "fulfilment": of_purchases}[part]
        for part, draws in parts.items()
        if part in ("gross margin", "returns", "fulfilment")
    )
    np.testing.assert_allclose(judged.money["profit"].judged_totals, profit, rtol=1e-4)


def test_checks_judge_the_total_that_is_told(done):
    rows = done.checks.set_index("code")
    row = rows.loc["held_out_total"]
    assert (row["at_least"], row["at_most"]) == (done.judgement.total["q5"], done.judgement.total["q95"])
    spend = done.checks[(done.checks["code"] == "money_total")].iloc[0]
    assert spend["at_most"] == pytest.approx(done.judgement.judged.money["spend"].total["q95"])


@pytest.mark.parametrize("kind", ["expected", "worth", "realised"])
def test_customers_share_the_factor_of_a_draw_and_still_add_up(done, plain, kind):
    values, own = done.valued.values, plain.valued.values
    sums = np.sum([getattr(part, kind) for part in values.parts.values()], axis=0, dtype=float)
    np.testing.assert_allclose(getattr(values, kind), sums, rtol=1e-4, atol=1e-3)
    learned = done.valued.learned
    drivers = {"gross margin": ("purchases", "spend", "margin"), "fulfilment": ("purchases",)}
    drivers["returns"] = ("purchases", "spend", "returns")
    for name, part in own.parts.items():
        factor = learned.factor(drivers[name], 52, DRAWS, 42)
        np.testing.assert_allclose(
            getattr(values.parts[name], kind), getattr(part, kind) * factor[:, None], rtol=1e-4, atol=1e-4
        )
    before, after = (getattr(run_.valued.values.parts["gross margin"], kind) for run_ in (plain, done))
    assert np.array_equal(np.argsort(before[:20], axis=1, kind="stable"), np.argsort(after[:20], axis=1, kind="stable"))


def test_one_part_alone_is_multiplied_once(tmp_path):
    alone = {"economics": {"margin": 0.3, "annual_discount_rate": 0.12, "horizon": 52}, "figures": ["checks"]}
    runs = []
    for way in ("plain", "backtested"):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(fitting, "fit", Fits())
            runs.append(run(experiment(data=DATA, totals=way, **alone), tmp_path / way).run.valued)
    factor = runs[1].learned.factor(("purchases", "spend"), 52, 200, 42)
    np.testing.assert_allclose(runs[1].values.realised, runs[0].values.realised * factor[:, None], rtol=1e-5)
    assert runs[1].values.sales.sum() == pytest.approx(runs[0].values.sales.sum() * factor.mean())


def test_nothing_later_than_the_calibration_is_looked_at(done, tmp_path):
    """The tables cut at the calibration's end give the same windows: no purchase, no return of later days is read."""
    end = known_company.END
    tables = {name: table[table["date"] <= end] for name, table in known_company.simulated().items()}
    data = {"time_unit": "week", "currency": "EUR", "data_end": f"{end:%Y-%m-%d}"}
    with pytest.MonkeyPatch.context() as patched:
        cut = known_company.outcome(tmp_path, tables, patched, totals="backtested", data=data).run
    found, before = (learned_of(run_).discrepancies for run_ in (cut, done))
    assert set(found) == set(before) == {"purchases", "spend", "margin", "returns"}
    for name, discrepancy in found.items():
        assert discrepancy.windows and discrepancy.windows == before[name].windows, name


def test_with_too_few_customers_the_prior_speaks_and_says_so(tmp_path):
    few = {"data": {"dataset": "retailer", "customers": 200, "acquired_between": ["2024-06-01", "2024-08-31"]}}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fitting, "fit", Fits())
        outcome = run(experiment(**few, figures=["backtests", "total_value"], totals="backtested"), tmp_path)
    learned = learned_of(outcome.run)
    assert learned.discrepancies["purchases"].windows == () and len(learned.left_out) == 4
    factor = learned.factor(("purchases",), 13, 4000, 42)
    assert np.log(factor).std() == pytest.approx(np.hypot(OF_TOTALS.bias, OF_TOTALS.spread), rel=0.1)
    before = dataclasses.replace(outcome.run, valued=outcome.run.entries[outcome.run.recommended])
    assert "the prior speaks" in caption_of("backtests", before)


def test_a_day_that_cannot_be_fitted_is_left_out_and_told(tmp_path):
    def fit(model, customers, **options):
        if str(customers.observation_end.date()) < "2024-12-01":
            raise FitError(Problem("the chains stalled"))
        return made_up(model, customers, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fitting, "fit", fit)
        figures = {"figures": ["backtests"], "costs": {}, "economics": None}
        outcome = run(experiment(data=DATA, totals="backtested", **figures), tmp_path)
    learned = learned_of(outcome.run)
    windows = learned.discrepancies["purchases"].windows
    assert 0 < len(windows) < 4 and len(windows) + len(learned.left_out) == 4
    assert {why for _, why in learned.left_out} == {"the chains stalled"}
    table = FIGURES["backtests"].table(outcome.run)
    cells = [row[0] for row in FIGURES["backtests"].numbers(table, outcome.run.about).rows]
    assert sum(cell.startswith("Not from") for cell in cells) == len(learned.left_out)


def test_earlier_fits_are_kept(tmp_path, monkeypatch):
    cheap = {"figures": ["checks"], "costs": {}, "economics": None, "totals": "backtested"}
    monkeypatch.setattr(fitting, "fit", Fits())
    run(experiment(data=DATA, **cheap), tmp_path)
    monkeypatch.setattr(fitting, "fit", no_fit)
    run(experiment(data=DATA, **cheap), tmp_path)
