"""Experiments of other kinds than the usual, with posteriors made up; and what a run refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from fakes.experiments import LEVELS, MAPPING, Fits, experiment, made_up, no_fit

from clvmodels.config.experiment import Experiment, load_experiment
from clvmodels.datasets.retailer import generate
from clvmodels.errors import ClvError, DataError, FitError, Problem, ResultsError
from clvmodels.inference import fitting
from clvmodels.report import write_report
from clvmodels.report.stored import read
from clvmodels.runs.checks import sampling_failed
from clvmodels.runs.experiment import run


@pytest.fixture
def fits(monkeypatch):
    made = Fits()
    monkeypatch.setattr(fitting, "fit", made)
    return made


def test_purchases_alone(fits, tmp_path):
    changes = {"models": {"pareto": {"purchases": "pareto_nbd"}}, "economics": None}
    outcome = run(experiment(**changes), tmp_path / "r")
    table = pd.read_parquet(tmp_path / "r" / "customers.parquet")
    assert {model for model, _ in fits.asked} == {"pareto_nbd"}
    assert list(table.columns) == [
        "entry",
        "valued_at",
        "horizon",
        "p_alive",
        "p_purchase",
        "expected_purchases",
        *(f"purchases_{level}" for level in LEVELS),
    ]
    assert (table["horizon"] == 26.0).all()
    assert set(pd.read_parquet(tmp_path / "r" / "totals.parquet")["total"]) == {"held-out purchases"}
    stored = {path.name.partition(".")[0] for path in (tmp_path / "r" / "tables").iterdir()}
    assert "tracking" in stored and "total_value" not in stored
    assert "Pareto/NBD" in write_report(outcome.folder).read_text(encoding="utf-8")


def test_without_a_holdout_customers_are_valued_and_nothing_is_judged(fits, tmp_path):
    data = {**MAPPING["data"], "calibration_end": None}
    outcome = run(experiment(data=data), tmp_path / "r")
    assert fits.asked == [("bg_nbd", "2025-12-28"), ("gamma_gamma", "2025-12-28")]
    assert set(pd.read_csv(tmp_path / "r" / "scores.csv")["score"]) == {"elpd", "elpd_pareto_k_bad"}  # of the fit
    table = pd.read_parquet(tmp_path / "r" / "customers.parquet")
    assert table.index.is_unique and set(table["valued_at"]) == {"2025-12-28"}
    checks = pd.read_csv(tmp_path / "r" / "checks.csv").query("kind == 'forecast'").set_index("check")["result"]
    assert checks.pop("Customers with Pareto k above 0.7 (LOO)") == "passed"
    assert checks.pop("Cohorts that are to bring more a year than they brought in the last") == "passed"
    assert set(checks) == {"not applicable"}
    stored = {path.name.partition(".")[0] for path in (tmp_path / "r" / "tables").iterdir()}
    assert {"total_value", "p_alive"} <= stored and "tracking" not in stored
    write_report(outcome.folder)


def test_value_at_the_datas_end_is_that_and_not_the_holdouts(fits, tmp_path):
    """Half a year after the calibration are in the data, three months of it held out: values were three months old."""
    data = {**MAPPING["data"], "calibration_end": "2025-06-29", "holdout": 13}
    outcome = run(experiment(data=data), tmp_path / "r")
    assert fits.asked == [(name, day) for day in ("2025-06-29", "2025-12-28") for name in ("bg_nbd", "gamma_gamma")]
    stored = json.loads((tmp_path / "r" / "run.json").read_text(encoding="utf-8"))
    assert (stored["holdout_end"], stored["value_at"], stored["data_end"]) == ("2025-09-28", "2025-12-28", "2025-12-28")
    assert outcome.run.valued.values.valued_at == pd.Timestamp("2025-12-28")
    table = pd.read_parquet(tmp_path / "r" / "customers.parquet")
    assert set(table["valued_at"]) == {"2025-06-29", "2025-12-28"}
    held_out = outcome.run.split.holdout
    assert held_out.end == pd.Timestamp("2025-09-28") and len(held_out) == len(outcome.run.split.customers)
    write_report(outcome.folder)


def test_without_a_holdout_a_calibrations_end_is_no_date_of_value(fits, tmp_path):
    data = {**MAPPING["data"], "calibration_end": "2025-06-29", "holdout": None}
    run(experiment(data=data), tmp_path / "r")
    assert {day for _, day in fits.asked} == {"2025-06-29", "2025-12-28"}


def test_value_at_the_calibrations_end_is_fitted_once_and_scored_once(fits, tmp_path):
    run(experiment(value_at="calibration_end"), tmp_path / "r")
    assert fits.asked == [("bg_nbd", "2025-06-29"), ("gamma_gamma", "2025-06-29")]
    assert pd.read_parquet(tmp_path / "r" / "customers.parquet").index.is_unique


def test_entries_that_share_a_model_share_its_fit_and_all_are_ranked(fits, tmp_path):
    models = {name: {"purchases": name, "spend": "gamma_gamma"} for name in ("bg_nbd", "pareto_nbd")}
    outcome = run(experiment(models=models, value_at="calibration_end"), tmp_path / "r")
    assert [model for model, _ in fits.asked] == ["bg_nbd", "gamma_gamma", "pareto_nbd"]
    assert outcome.run.recommended == outcome.run.comparison["entry"].iloc[0]
    table = pd.read_parquet(tmp_path / "r" / "customers.parquet")
    assert table.groupby("entry").size().tolist() == [len(outcome.run.split.customers)] * 2
    assert table["worth_odds_top"].notna().all()
    assert (tmp_path / "r" / "tables" / "model_comparison.csv").exists()


OWN = {
    "title": "A file of one's own",
    "data": {
        "transactions": "orders.csv",
        "columns": {"customer_id": "cust", "date": "day", "amount": "sales"},
        "date_format": "%d/%m/%Y",
        "currency": "EUR",
        "time_unit": "day",
        "groups": ["channel"],
        "calibration_end": "2025-06-30",
        "holdout": 91,
    },
    "models": {"bg": {"purchases": "bg_nbd", "spend": "gamma_gamma"}},
    "sampler": {"draws": 100},
    "economics": {"margin": 0.5, "annual_discount_rate": 0.0, "horizon": 365},
    "totals": "plain",  # fits of earlier days are not what these tests are about
}


def own_orders(folder: Path, customers: int = 220) -> pd.DataFrame:
    orders = generate(customers, 3).orders.dropna().query("amount > 0")
    table = pd.DataFrame(
        {
            "cust": orders["customer_id"],
            "day": orders["time"].dt.strftime("%d/%m/%Y"),
            "sales": orders["amount"],
            "channel": orders["channel"],
        }
    )
    table.to_csv(folder / "orders.csv", index=False)
    return table


def test_a_file_of_ones_own_by_its_columns_and_dates(fits, tmp_path):
    orders = own_orders(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(OWN), encoding="utf-8")
    outcome = run(load_experiment(path), tmp_path / "results" / "mine", config_dir=tmp_path)
    day = pd.to_datetime(orders["day"], format="%d/%m/%Y")
    first = day.groupby(orders["cust"]).min()
    table = outcome.run.split.customers.table
    assert table.index.tolist() == sorted(first[first <= "2025-06-30"].index)
    assert (table["T"] == (pd.Timestamp("2025-06-30") - first[table.index]).dt.days).all()
    assert outcome.run.split.holdout.end == pd.Timestamp("2025-09-29")
    about = outcome.run.about
    assert (about.dataset, about.currency, about.time_unit) == ("orders.csv", "EUR", "day")
    assert set(pd.read_csv(outcome.folder / "scores.csv")["dataset"]) == {"orders.csv"}
    write_report(outcome.folder)


def test_ids_and_groups_that_look_like_numbers_stay_text_from_the_file_to_the_report(fits, tmp_path):
    orders = own_orders(tmp_path)
    path = tmp_path / "mine.yaml"
    ranking = Experiment.from_dict(OWN | {"figures": ["value_ranking"]})
    before = run(ranking, tmp_path / "results" / "before", config_dir=tmp_path).folder
    best = read(before).tables["value_ranking"]["customer"][:4]
    names = dict(zip(best, ["NA", "null", "007", "1e5"], strict=True))
    channels = dict(zip(orders["channel"].unique(), ["1.0", "007", "NA", "null", "1e5"], strict=True))
    renamed = orders.assign(cust=orders["cust"].replace(names), channel=orders["channel"].map(channels))
    renamed.to_csv(tmp_path / "orders.csv", index=False)
    path.write_text(json.dumps(OWN | {"kpis": {"by": ["channel"]}}), encoding="utf-8")
    folder = run(load_experiment(path), tmp_path / "results" / "mine", config_dir=tmp_path).folder
    customers = set(pd.read_parquet(folder / "customers.parquet").index)
    assert set(names.values()) <= customers
    assert set(pd.read_parquet(folder / "consolidated.parquet")["channel"]) == set(channels.values())
    ranked = set(read(folder).tables["value_ranking"]["customer"])
    assert {"NA", "null", "007"} <= ranked <= customers
    text = write_report(folder).read_text(encoding="utf-8")
    for name in ("NA", "null", "007"):
        assert f'<th scope="row">{name}</th>' in text


# ---------------------------------------------------------------------------------------------- what is refused


def test_the_exit_status_is_that_of_sampling_checks_alone():
    def failed(*rows):
        table = pd.DataFrame(rows, columns=["kind", "result", "code"])
        return lambda *allowed: sampling_failed(SimpleNamespace(checks=table), allowed)

    sampling = failed(("sampling", "failed", "rhat"), ("forecast", "passed", "held_out_total"))
    assert sampling() and sampling("divergences") and not sampling("R-hat") and not sampling("divergences", "R-hat")
    two = failed(("sampling", "failed", "rhat"), ("sampling", "failed", "bulk_ess"))
    assert two("R-hat") and not two("R-hat", "bulk ESS")
    assert not failed(("forecast", "failed", "rhat"), ("data", "look", "x"), ("sampling", "passed", "rhat"))()
    assert not failed()()


def test_a_failed_sampling_check_of_a_run_is_its_status(tmp_path, monkeypatch):
    def bad(model, customers, **options):
        made = made_up(model, customers, **options)
        failed = made.checks[0]._replace(found=1.3, passed=False)
        return dataclasses.replace(made, checks=[failed])

    monkeypatch.setattr(fitting, "fit", bad)
    small = {"economics": None, "models": {"bg": {"purchases": "bg_nbd"}}, "figures": ["checks"], "metrics": ["mae"]}
    assert run(experiment(**small), tmp_path / "r").exit_status == 1
    checks = pd.read_csv(tmp_path / "r" / "checks.csv")
    row = checks[checks["check"].str.startswith("R-hat")].iloc[0]
    assert (row.code, row.result, row.entry, row.kind) == ("rhat", "failed", "bg", "sampling")
    assert (row["value"], row.at_most) == (1.3, 1.01)
    assert row.consequence == "the chains disagree"
    allowed = {**small, "sampler": {**MAPPING["sampler"], "allow_failed": ["R-hat"]}}
    monkeypatch.setattr(fitting, "fit", no_fit)
    assert run(experiment(**allowed), tmp_path / "r").exit_status == 0


def test_a_fit_that_fails_names_its_entries_and_is_tried_once(tmp_path, monkeypatch):
    fits = Fits({1: FitError(Problem("the chains stalled", known="Wait"))})
    monkeypatch.setattr(fitting, "fit", fits)
    models = {
        "first": {"purchases": "bg_nbd", "spend": "gamma_gamma"},
        "again": {"purchases": "bg_nbd", "spend": "gamma_gamma"},
        "other": {"purchases": "pareto_nbd", "spend": "gamma_gamma"},
    }
    with pytest.raises(FitError) as caught:
        run(experiment(models=models), tmp_path / "r")
    assert [str(problem) for problem in caught.value.problems] == [
        "first: the chains stalled. Wait",
        "again: the chains stalled. Wait",
    ]
    assert [model for model, _ in fits.asked] == ["bg_nbd", "pareto_nbd", "gamma_gamma"]
    kept = {path.name.split("-")[0] for path in (tmp_path / "r" / "posteriors").iterdir()}
    assert kept == {"pareto_nbd", "gamma_gamma"}


def test_entries_that_cannot_be_fitted_are_told_together_before_any_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", no_fit)
    orders = own_orders(tmp_path).groupby("cust").head(1)
    orders.to_csv(tmp_path / "orders.csv", index=False)
    data = {**OWN["data"], "calibration_end": None, "holdout": None}
    both = {name: {"purchases": name, "spend": "gamma_gamma"} for name in ("bg_nbd", "pareto_nbd")}
    with pytest.raises(DataError) as caught:
        run(Experiment.from_dict({**OWN, "data": data, "models": both}), tmp_path / "r", config_dir=tmp_path)
    assert [problem.where for problem in caught.value.problems] == ["bg_nbd, customers", "pareto_nbd, customers"]
    assert "nothing to learn from" in str(caught.value)


def test_results_that_have_no_place_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("clvmodels.runs.experiment.read", no_fit)
    (tmp_path / "file").write_text("", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(ResultsError, match="cannot write results here"):
            run(experiment(), folder)

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("clvmodels.runs.experiment.tempfile.TemporaryFile", refused)
    with pytest.raises(ResultsError, match=r"locked: cannot write results here \(Permission denied\)"):
        run(experiment(), tmp_path / "locked")


def test_data_that_is_not_there_is_refused(tmp_path, monkeypatch, fits):
    with pytest.raises(DataError, match=r"orders\.csv"):
        run(Experiment.from_dict(OWN), tmp_path / "r", config_dir=tmp_path)
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ClvError, match="CLVMODELS_DATA"):
        run(experiment(data={"dataset": "cdnow"}), tmp_path / "r")
    assert fits.asked == []


def failing(model, customers, **options):
    """A fit whose purchases did not pass."""
    made = made_up(model, customers, **options)
    if "purchases" not in model.provides:
        return made
    return dataclasses.replace(made, checks=[made.checks[0]._replace(found=1.3, passed=False)])


def test_no_value_is_made_of_a_posterior_that_failed_unless_allowed_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", failing)
    told = []
    outcome = run(experiment(), tmp_path / "r", progress=told.append)
    assert outcome.exit_status == 1
    assert "BG/NBD: no value is made of what failed its checks (R-hat)" in told
    customers = pd.read_parquet(tmp_path / "r" / "customers.parquet")
    assert (customers["failed_checks"] == "R-hat").all() and "expected_value_mean" not in customers
    checks = pd.read_csv(tmp_path / "r" / "checks.csv")
    failed = checks[checks["code"] == "rhat"].query("result == 'failed'")
    assert failed["consequence"].str.endswith("no value is told, unless sampler: allow_failed names the check").all()
    stored = {path.name.partition(".")[0] for path in (tmp_path / "r" / "tables").iterdir()}
    assert "total_value" not in stored and "tracking" in stored
    write_report(outcome.folder)

    monkeypatch.setattr(fitting, "fit", no_fit)
    allowed = run(experiment(sampler={**MAPPING["sampler"], "allow_failed": ["R-hat"]}), tmp_path / "r")
    assert allowed.exit_status == 0 and allowed.run.valued.values.failed_checks == ("R-hat",)
    customers = pd.read_parquet(tmp_path / "r" / "customers.parquet")
    assert (customers["failed_checks"] == "R-hat").all() and "expected_value_mean" in customers
    write_report(allowed.folder)
