"""The line from an experiment to its report: what a run leaves, how it resumes, and what it refuses.

One run fits for real, and all tests share it; where a test is about something else, posteriors are made up.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from contract_cases import CASES, posterior_of

from clvmodels import posterior
from clvmodels.checks import sampling_failed
from clvmodels.config import Experiment, load_experiment
from clvmodels.datasets.retailer import generate
from clvmodels.errors import ClvError, DataError, FitError, Problem, ResultsError
from clvmodels.experiment import Outcome, run
from clvmodels.figures import FIGURES
from clvmodels.metrics import METRICS
from clvmodels.models import MODELS
from clvmodels.posterior import Posterior, load
from clvmodels.report import write_report
from clvmodels.results import About

DRAWS = 200
MAPPING = {
    "title": "What are these customers worth?",
    "data": {"dataset": "retailer", "customers": 220},
    "models": {"bg_nbd": {"purchases": "bg_nbd", "spend": "gamma_gamma"}},
    "sampler": {"draws": DRAWS},
    "economics": {"margin": 0.3, "annual_discount_rate": 0.12, "horizon": 52},
}
KINDS = ("expected", "realised")
LEVELS = ("q5", "q25", "q50", "q75", "q95")


def experiment(**changes) -> Experiment:
    return Experiment.from_dict({**MAPPING, **changes})


def made_up(model, customers, *, draws, **_) -> Posterior:
    """In place of `posterior.fit`: draws around the truth of the model's case."""
    made = posterior_of(MODELS[model], CASES[model].theta, draws)
    check = {"check": "R-hat", "found": 1.0, "limit": 1.01, "passed": True, "consequence": "the chains disagree"}
    return dataclasses.replace(made, currency=customers.currency, time_unit=customers.time_unit, checks=[check])


class Fits:
    """Stands in for `posterior.fit`, counts what is asked for, and breaks where it is told to."""

    def __init__(self, breaks: dict[int, BaseException] | None = None):
        self.asked, self.breaks = [], breaks or {}

    def __call__(self, model, customers, **options) -> Posterior:
        self.asked.append((model, str(customers.observation_end.date())))
        if len(self.asked) in self.breaks:
            raise self.breaks[len(self.asked)]
        return made_up(model, customers, **options)


@pytest.fixture
def fits(monkeypatch):
    made = Fits()
    monkeypatch.setattr(posterior, "fit", made)
    return made


def _no_fit(*_, **__):
    raise AssertionError("nothing was to be fitted")


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Outcome:
    """A run that fits, with its report; not to be changed."""
    outcome = run(experiment(), tmp_path_factory.mktemp("results") / "retailer", command="clvmodels demo")
    write_report(outcome.folder)
    return outcome


@pytest.fixture(scope="module")
def customers(done) -> pd.DataFrame:
    return pd.read_parquet(done.folder / "customers.parquet")


# ---------------------------------------------------------------------------------------------- what a run leaves


def test_the_results_folder_is_complete_and_nothing_else_is_there(done):
    files = {str(path.relative_to(done.folder)) for path in done.folder.rglob("*") if path.is_file()}
    fits = {name for name in files if name.startswith("posteriors/")}
    drawings = {name for name in files if name.startswith("figures/")}
    assert files - fits - drawings == {
        "config.yaml", "run.json", "account.csv", "dropped.csv", "scores.csv", "checks.csv", "customers.parquet",
        "customers.csv", "totals.parquet", "report.html", *(f"tables/{name}.csv" for name in tables_of(done)),
    }  # fmt: skip
    assert sorted(name.rsplit("-", 1)[0] for name in fits) == [
        f"posteriors/{model}-{day}" for model in ("bg_nbd", "gamma_gamma") for day in ("2025-06-29", "2025-12-28")
    ]
    assert drawings and all(name.endswith(".svg") for name in drawings)
    assert done.exit_status == 0


def tables_of(done: Outcome) -> list[str]:
    """All figures but those that one entry without groups has nothing to show in."""
    return [name for name in FIGURES if name not in ("group_effects", "model_comparison")]


def test_scores_are_flat_rows_of_every_metric(done):
    scores = pd.read_csv(done.folder / "scores.csv")
    assert list(scores.columns) == ["entry", "dataset", "origin", "metric", "value", "lower", "upper"]
    assert set(scores["entry"]) == {"bg_nbd"}
    assert set(scores["dataset"]) == {"retailer"} and set(scores["origin"]) == {"2025-06-29"}
    assert {metric.split(".")[0].rsplit("_", 1)[0] for metric in scores["metric"]} >= {"crps", "pit", "log"}
    for name in METRICS:
        assert scores["metric"].str.startswith(name).any(), name
    assert scores["value"].notna().all()
    assert not (scores["lower"] > scores["value"]).any() and not (scores["upper"] < scores["value"]).any()


def test_customers_have_a_row_for_each_entry_and_date(done, customers):
    keys = customers.reset_index()[["customer_id", "entry", "valued_at"]]
    assert not keys.duplicated().any()
    run_ = done.run
    assert keys.groupby("valued_at").size().to_dict() == {
        "2025-06-29": len(run_.split.customers), "2025-12-28": len(run_.value_split.customers),
    }  # fmt: skip
    for day, base in (("2025-06-29", run_.split), ("2025-12-28", run_.value_split)):
        assert customers.index[customers["valued_at"] == day].tolist() == base.customers.table.index.tolist()
    expected = ["entry", "valued_at", "horizon", "p_alive", "p_purchase", "expected_purchases"]
    expected += [*(f"purchases_{level}" for level in LEVELS), "expected_spend"]
    for kind in KINDS:
        expected += [f"{kind}_value_{name}" for name in ("mean", "sd", *LEVELS)]
        expected += [*(f"{kind}_rank_{level}" for level in LEVELS), f"{kind}_odds_top"]
    assert list(customers.columns) == expected
    assert customers.notna().all().all()


def test_customers_numbers_are_sound(customers):
    assert customers[["p_alive", "p_purchase", "expected_odds_top", "realised_odds_top"]].stack().between(0, 1).all()
    for name in ("purchases", *(f"{kind}_{what}" for kind in KINDS for what in ("value", "rank"))):
        assert (customers[[f"{name}_{level}" for level in LEVELS]].diff(axis=1).iloc[:, 1:] >= 0).all().all(), name
    for day, base in customers.groupby("valued_at"):
        for kind in KINDS:
            assert base[f"{kind}_odds_top"].sum() == pytest.approx(np.ceil(0.2 * len(base))), day
            assert base[f"{kind}_rank_q50"].between(1, len(base)).all()
    assert (customers["realised_value_sd"] > customers["expected_value_sd"]).mean() > 0.95


def test_customers_of_the_spreadsheet_are_those_of_the_table(done, customers):
    text = pd.read_csv(done.folder / "customers.csv", dtype={"customer_id": str}).set_index("customer_id")
    pd.testing.assert_frame_equal(text, customers, check_dtype=False)


def test_totals_are_sums_within_a_draw(done, customers):
    totals = pd.read_parquet(done.folder / "totals.parquet")
    assert totals.groupby("total").size().to_dict() == dict.fromkeys(
        ("expected value", "realised value", "held-out purchases"), DRAWS
    )
    base = customers[customers["valued_at"] == "2025-12-28"]
    by_draw = totals.set_index("total", append=True)["value"].unstack()
    for kind in KINDS:
        assert by_draw[f"{kind} value"].mean() == pytest.approx(base[f"{kind}_value_mean"].sum(), rel=1e-5)
    difference = by_draw["realised value"] - by_draw["expected value"]
    assert abs(difference.mean()) < 4.5 * difference.std() / np.sqrt(DRAWS)


def test_the_folder_says_what_it_is(done):
    stored = json.loads((done.folder / "run.json").read_text(encoding="utf-8"))
    assert set(stored) == {field.name for field in dataclasses.fields(About)}
    assert About(**stored) == done.run.about
    assert stored["commands"] == [f"clvmodels report {done.folder}", "clvmodels demo"]
    assert stored["entries"] == {"bg_nbd": "BG/NBD"} and stored["value_at"] == "2025-12-28"
    assert load_experiment(done.folder / "config.yaml") == experiment()
    account = pd.read_csv(done.folder / "account.csv").set_index("kind")["rows"].groupby("kind").sum()
    dropped = pd.read_csv(done.folder / "dropped.csv")
    assert account["read"] - account["dropped"] == account["used"] == stored["transactions"]
    assert len(dropped) == account["dropped"]
    for path in (done.folder / "posteriors").iterdir():
        assert load(path).passed


def test_p_alive_is_told_as_of_the_date_of_value(done, customers):
    base = customers[customers["valued_at"] == "2025-12-28"]
    assert np.array_equal(done.run.valued.p_alive, base["p_alive"])


# ---------------------------------------------------------------------------------------------- again


def test_a_rerun_fits_nothing_and_gives_equal_files(done, tmp_path, monkeypatch):
    monkeypatch.setattr(posterior, "fit", _no_fit)
    folder = shutil.copytree(done.folder, tmp_path / "again")
    (folder / "tables" / "of_an_older_run.csv").write_text("a\n1\n", encoding="utf-8")
    allowed = {**MAPPING["sampler"], "allow": ["R-hat"], "timeout_minutes": 5}
    said = []
    run(experiment(sampler=allowed), folder, progress=said.append)
    for name in ("scores.csv", "checks.csv", "account.csv", "customers.parquet", "customers.csv", "totals.parquet"):
        assert (folder / name).read_bytes() == (done.folder / name).read_bytes(), name
    for path in (done.folder / "tables").iterdir():
        assert (folder / "tables" / path.name).read_bytes() == path.read_bytes(), path.name
    assert not (folder / "tables" / "of_an_older_run.csv").exists()
    assert not [text for text in said if "fitting" in text]


def test_fresh_fits_again_and_so_does_another_seed_or_prior(done, tmp_path, monkeypatch):
    class Asked(Exception):
        pass

    def asked(*_, **__):
        raise Asked

    monkeypatch.setattr(posterior, "fit", asked)
    folder = shutil.copytree(done.folder, tmp_path / "again")
    prior = {"bg_nbd": {**MAPPING["models"]["bg_nbd"], "priors": {"r": {"dist": "HalfNormal", "sigma": 2.0}}}}
    for changes, fresh in (({}, True), ({"seed": 1}, False), ({"models": prior}, False)):
        with pytest.raises(Asked):
            run(experiment(**changes), folder, fresh=fresh)


def test_an_interrupted_run_keeps_what_is_fitted_and_goes_on_there(tmp_path, monkeypatch):
    stopped, resumed = Fits({2: KeyboardInterrupt()}), Fits()
    monkeypatch.setattr(posterior, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(experiment(), tmp_path / "r")
    assert [path.name.split("-")[0] for path in (tmp_path / "r" / "posteriors").iterdir()] == ["bg_nbd"]
    assert not (tmp_path / "r" / "run.json").exists()
    monkeypatch.setattr(posterior, "fit", resumed)
    outcome = run(experiment(), tmp_path / "r")
    days = "2025-06-29", "2025-12-28"
    assert stopped.asked == [("bg_nbd", days[0]), ("gamma_gamma", days[0])]
    assert resumed.asked == [("gamma_gamma", days[0]), ("bg_nbd", days[1]), ("gamma_gamma", days[1])]
    assert outcome.exit_status == 0 and (tmp_path / "r" / "run.json").exists()


def test_a_report_of_the_stored_folder_is_the_same_to_the_byte_and_samples_nothing(done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "moved")
    for made in ("report.html", "figures"):
        path = folder / made
        path.unlink() if path.is_file() else shutil.rmtree(path)
    code = f"""
import sys
from clvmodels.report import write_report
write_report({str(folder)!r})
heavy = {{"pymc", "pytensor", "nutpie", "clvmodels.posterior", "clvmodels.experiment"}}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    for path in (done.folder / "report.html", *(done.folder / "figures").iterdir()):
        assert (folder / path.relative_to(done.folder)).read_bytes() == path.read_bytes(), path.name


# ---------------------------------------------------------------------------------------------- other experiments


def test_purchases_alone(fits, tmp_path):
    changes = {"models": {"pareto": {"purchases": "pareto_nbd"}}, "economics": None}
    outcome = run(experiment(**changes), tmp_path / "r")
    table = pd.read_parquet(tmp_path / "r" / "customers.parquet")
    assert {model for model, _ in fits.asked} == {"pareto_nbd"}
    assert list(table.columns) == [
        "entry", "valued_at", "horizon", "p_alive", "p_purchase", "expected_purchases",
        *(f"purchases_{level}" for level in LEVELS),
    ]  # fmt: skip
    assert (table["horizon"] == 26.0).all()
    assert set(pd.read_parquet(tmp_path / "r" / "totals.parquet")["total"]) == {"held-out purchases"}
    stored = {path.stem for path in (tmp_path / "r" / "tables").iterdir()}
    assert "tracking" in stored and "total_value" not in stored
    assert "Pareto/NBD" in write_report(outcome.folder).read_text(encoding="utf-8")


def test_without_a_holdout_customers_are_valued_and_nothing_is_judged(fits, tmp_path):
    data = {**MAPPING["data"], "calibration_end": None}
    outcome = run(experiment(data=data), tmp_path / "r")
    assert fits.asked == [("bg_nbd", "2025-12-28"), ("gamma_gamma", "2025-12-28")]
    assert pd.read_csv(tmp_path / "r" / "scores.csv").empty
    table = pd.read_parquet(tmp_path / "r" / "customers.parquet")
    assert table.index.is_unique and set(table["valued_at"]) == {"2025-12-28"}
    checks = pd.read_csv(tmp_path / "r" / "checks.csv")
    assert set(checks.loc[checks["kind"] == "forecast", "result"]) == {"not applicable"}
    stored = {path.stem for path in (tmp_path / "r" / "tables").iterdir()}
    assert {"total_value", "p_alive"} <= stored and "tracking" not in stored
    write_report(outcome.folder)


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
    assert table["expected_odds_top"].notna().all()
    assert (tmp_path / "r" / "tables" / "model_comparison.csv").exists()


OWN = {
    "title": "A file of one's own",
    "data": {
        "transactions": "orders.csv", "columns": {"customer_id": "cust", "date": "day", "amount": "sales"},
        "date_format": "%d/%m/%Y", "currency": "EUR", "time_unit": "day", "groups": ["channel"],
        "calibration_end": "2025-06-30", "holdout": 91,
    },
    "models": {"bg": {"purchases": "bg_nbd", "spend": "gamma_gamma"}},
    "sampler": {"draws": 100},
    "economics": {"margin": 0.5, "annual_discount_rate": 0.0, "horizon": 365},
}  # fmt: skip


def own_orders(folder: Path, customers: int = 220) -> pd.DataFrame:
    orders = generate(customers, 3)[0].dropna().query("amount > 0")
    table = pd.DataFrame(
        {"cust": orders["customer_id"], "day": orders["time"].dt.strftime("%d/%m/%Y"), "sales": orders["amount"],
         "channel": orders["channel"]}
    )  # fmt: skip
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


# ---------------------------------------------------------------------------------------------- what is refused


def test_the_exit_status_is_that_of_sampling_checks_alone():
    def failed(*rows):
        table = pd.DataFrame(rows, columns=["kind", "result", "check"])
        return lambda *allowed: sampling_failed(SimpleNamespace(checks=table), allowed)

    sampling = failed(("sampling", "failed", "R-hat, BG/NBD by nuts"), ("forecast", "passed", "total"))
    assert sampling() and sampling("divergences") and not sampling("R-hat") and not sampling("divergences", "R-hat")
    two = failed(("sampling", "failed", "R-hat, a"), ("sampling", "failed", "bulk ESS, a"))
    assert two("R-hat") and not two("R-hat", "bulk ESS")
    assert not failed(("forecast", "failed", "R-hat"), ("data", "look", "x"), ("sampling", "passed", "R-hat"))()
    assert not failed()()


def test_a_failed_sampling_check_of_a_run_is_its_status(tmp_path, monkeypatch):
    def bad(model, customers, **options):
        made = made_up(model, customers, **options)
        made.checks[0].update(found=1.3, passed=False)
        return made

    monkeypatch.setattr(posterior, "fit", bad)
    small = {"economics": None, "models": {"bg": {"purchases": "bg_nbd"}}, "figures": ["checks"], "metrics": ["mae"]}
    assert run(experiment(**small), tmp_path / "r").exit_status == 1
    checks = pd.read_csv(tmp_path / "r" / "checks.csv")
    row = checks[checks["check"].str.startswith("R-hat")].iloc[0]
    assert (row.result, row.entry, row.found, row.limit, row.kind) == (
        "failed",
        "bg",
        "1.3",
        "1.01 or less",
        "sampling",
    )
    assert row.consequence == "the chains disagree"
    allowed = {**small, "sampler": {**MAPPING["sampler"], "allow": ["R-hat"]}}
    monkeypatch.setattr(posterior, "fit", _no_fit)
    assert run(experiment(**allowed), tmp_path / "r").exit_status == 0


def test_a_fit_that_fails_names_its_entries_and_is_tried_once(tmp_path, monkeypatch):
    fits = Fits({1: FitError(Problem("the chains stalled", known="Wait"))})
    monkeypatch.setattr(posterior, "fit", fits)
    models = {
        "first": {"purchases": "bg_nbd", "spend": "gamma_gamma"},
        "again": {"purchases": "bg_nbd", "spend": "gamma_gamma"},
        "other": {"purchases": "pareto_nbd", "spend": "gamma_gamma"},
    }
    with pytest.raises(FitError) as caught:
        run(experiment(models=models), tmp_path / "r")
    assert [str(problem) for problem in caught.value.problems] == [
        "first: the chains stalled. Wait", "again: the chains stalled. Wait",
    ]  # fmt: skip
    assert [model for model, _ in fits.asked] == ["bg_nbd", "pareto_nbd", "gamma_gamma"]
    kept = {path.name.split("-")[0] for path in (tmp_path / "r" / "posteriors").iterdir()}
    assert kept == {"pareto_nbd", "gamma_gamma"}


def test_entries_that_cannot_be_fitted_are_told_together_before_any_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(posterior, "fit", _no_fit)
    orders = own_orders(tmp_path).groupby("cust").head(1)
    orders.to_csv(tmp_path / "orders.csv", index=False)
    data = {**OWN["data"], "calibration_end": None, "holdout": None}
    both = {name: {"purchases": name, "spend": "gamma_gamma"} for name in ("bg_nbd", "pareto_nbd")}
    with pytest.raises(DataError) as caught:
        run(Experiment.from_dict({**OWN, "data": data, "models": both}), tmp_path / "r", config_dir=tmp_path)
    assert [problem.where for problem in caught.value.problems] == ["bg_nbd, customers", "pareto_nbd, customers"]
    assert "nothing to learn from" in str(caught.value)


def test_results_that_have_no_place_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("clvmodels.experiment.read", _no_fit)
    (tmp_path / "file").write_text("", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(ResultsError, match="cannot write results here"):
            run(experiment(), folder)

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("clvmodels.experiment.tempfile.TemporaryFile", refused)
    with pytest.raises(ResultsError, match=r"locked: cannot write results here \(Permission denied\)"):
        run(experiment(), tmp_path / "locked")


def test_data_that_is_not_there_is_refused(tmp_path, monkeypatch, fits):
    with pytest.raises(DataError, match=r"orders\.csv"):
        run(Experiment.from_dict(OWN), tmp_path / "r", config_dir=tmp_path)
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ClvError, match="CLVMODELS_DATA"):
        run(experiment(data={"dataset": "cdnow"}), tmp_path / "r")
    assert fits.asked == []
