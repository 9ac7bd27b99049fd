"""The line from an experiment to its report: what a run leaves, and how it is taken up again.

One run fits for real, and all tests share it.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.experiments import DRAWS, KINDS, LEVELS, MAPPING, RANKED, Fits, experiment, no_fit

from clvmodels.config.experiment import load_experiment
from clvmodels.figures import FIGURES
from clvmodels.inference import fitting
from clvmodels.inference.posterior import load
from clvmodels.metrics import METRICS
from clvmodels.report import write_report
from clvmodels.results.folder import About
from clvmodels.results.tables import part_name
from clvmodels.runs.experiment import Outcome, run


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
        "config.yaml",
        "run.json",
        "schema.json",
        "account.csv",
        "dropped.csv",
        "scores.csv",
        "checks.csv",
        "customers.parquet",
        "customers.csv",
        "customers.xlsx",
        "customers.by_entry.csv",
        "leaving.parquet",
        "leaving.csv",
        "profit.parquet",
        "profit.csv",
        "consolidated.parquet",
        "consolidated.csv",
        "conflicts.csv",
        "merged.csv",
        "origins.csv",
        "totals.parquet",
        "report.html",
        *(f"tables/{name}.csv" for name in tables_of(done)),
    }
    assert sorted(name.rsplit("-", 1)[0] for name in fits) == [
        f"posteriors/{model}-{day}" for model in ("bg_nbd", "gamma_gamma") for day in ("2025-06-29", "2025-12-28")
    ]
    assert drawings and all(name.endswith(".svg") for name in drawings)
    assert done.exit_status == 0


def tables_of(done: Outcome) -> list[str]:
    """Those of all figures but the ones that one entry without groups and KPIs, and one table without costs, have
    nothing to show in."""
    of_groups = ("group_effects", "model_comparison")
    of_costs = ("value_parts", "losses", "payback")
    of_earlier_days = ("origins", "backtests", "rolling_origins")
    absent = (*of_groups, *of_costs, *of_earlier_days)
    shown = [figure for name, figure in FIGURES.items() if name not in absent and figure.chapter != "strategy"]
    names = []
    for figure in shown:
        several = [] if figure.tables is None else [part_name(figure.name, part) for part in figure.tables._fields]
        names += several or [figure.name]
    return names


def test_a_run_of_a_checkout_says_of_which_commit(done):
    root = Path(__file__).parents[2]
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    assert done.run.about.commit == (head.stdout.strip() or None)


def test_scores_are_flat_rows_of_every_metric(done):
    scores = pd.read_csv(done.folder / "scores.csv")
    assert list(scores.columns) == ["entry", "dataset", "origin", "metric", "score", "value", "lower", "upper"]
    assert set(scores["entry"]) == {"bg_nbd"}
    assert set(scores["dataset"]) == {"retailer"} and set(scores["origin"]) == {"2025-06-29"}
    assert list(scores["metric"].unique()) == list(METRICS)
    for row in scores.itertuples():
        assert row.score.startswith(row.metric)
    assert scores["value"].notna().all()
    assert not (scores["lower"] > scores["value"]).any() and not (scores["upper"] < scores["value"]).any()


def test_customers_have_a_row_for_each_entry_and_date(done, customers):
    keys = customers.reset_index()[["customer_id", "entry", "valued_at"]]
    assert not keys.duplicated().any()
    run_ = done.run
    assert keys.groupby("valued_at").size().to_dict() == {
        "2025-06-29": len(run_.split.customers),
        "2025-12-28": len(run_.value_split.customers),
    }
    for day, base in (("2025-06-29", run_.split), ("2025-12-28", run_.value_split)):
        assert customers.index[customers["valued_at"] == day].tolist() == base.customers.table.index.tolist()
    expected = ["entry", "valued_at", "horizon", "p_alive", "p_purchase", "expected_purchases"]
    expected += [*(f"purchases_{level}" for level in LEVELS), "expected_spend"]
    for kind, name in (("expected", "expected_value"), ("worth", "worth"), ("realised", "realised_value")):
        expected += [f"{name}_{statistic}" for statistic in ("mean", "sd", *LEVELS)]
        if kind in RANKED:
            expected += [*(f"{kind}_rank_{level}" for level in LEVELS), f"{kind}_odds_top"]
    lifetime = ["profit_made", *(f"lifetime_value_{name}" for name in ("mean", *LEVELS))]
    assert list(customers.columns) == expected + lifetime
    assert customers[expected].drop(columns="p_alive").notna().all().all()
    is_valued = customers["valued_at"] == "2025-12-28"
    assert (customers[lifetime].notna().eq(is_valued, axis=0)).all().all()


def test_what_was_made_and_what_is_to_come_are_one_value(done, customers):
    """Of each customer, and of all together in each draw and in the report."""
    base = customers[customers["valued_at"] == "2025-12-28"]
    made = done.run.made["profit"].reindex(base.index)
    assert (base["profit_made"] == made).all() and (made > 0).any()
    for name in ("mean", *LEVELS):
        lifetime = made + base[f"realised_value_{name}"]
        np.testing.assert_allclose(base[f"lifetime_value_{name}"], lifetime, rtol=1e-4, atol=1e-3)
    totals = pd.read_parquet(done.folder / "totals.parquet").set_index("total", append=True)["value"].unstack()
    for kind in KINDS:
        np.testing.assert_allclose(totals[f"{kind} lifetime value"] - totals[f"{kind} value"], made.sum())
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert "So far these customers have brought" in page and "with what is to come" in page


def test_customers_numbers_are_sound(customers):
    assert customers[["p_purchase", "worth_odds_top", "realised_odds_top"]].stack().between(0, 1).all()
    assert customers["p_alive"].dropna().between(0, 1).all()
    names = ("purchases", "expected_value", "worth", "realised_value", *(f"{kind}_rank" for kind in RANKED))
    for name in names:
        assert (customers[[f"{name}_{level}" for level in LEVELS]].diff(axis=1).iloc[:, 1:] >= 0).all().all(), name
    for day, base in customers.groupby("valued_at"):
        for kind in RANKED:
            assert base[f"{kind}_odds_top"].sum() == pytest.approx(np.ceil(0.2 * len(base))), day
            assert base[f"{kind}_rank_q50"].between(1, len(base)).all()
    assert (customers["realised_value_sd"] > customers["expected_value_sd"]).mean() > 0.95
    assert (customers["worth_sd"] > customers["expected_value_sd"]).mean() > 0.95


def test_customers_of_the_spreadsheet_are_those_of_the_table(done, customers):
    text = pd.read_csv(done.folder / "customers.by_entry.csv", dtype={"customer_id": str}).set_index("customer_id")
    pd.testing.assert_frame_equal(text, customers, check_dtype=False)


def test_totals_are_sums_within_a_draw(done, customers):
    totals = pd.read_parquet(done.folder / "totals.parquet")
    assert totals.groupby("total").size().to_dict() == dict.fromkeys(
        (
            "expected value",
            "worth value",
            "realised value",
            "expected lifetime value",
            "worth lifetime value",
            "realised lifetime value",
            "held-out purchases",
        ),
        DRAWS,
    )
    base = customers[customers["valued_at"] == "2025-12-28"]
    by_draw = totals.set_index("total", append=True)["value"].unstack()
    for kind in KINDS:
        assert by_draw[f"{kind} value"].mean() == pytest.approx(base[f"{kind}_value_mean"].sum(), rel=1e-5)
    assert by_draw["worth value"].mean() == pytest.approx(base["worth_mean"].sum(), rel=1e-5)
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
    assert np.array_equal(done.run.valued.p_alive, base["p_alive"], equal_nan=True)
    bought_once = done.run.value_split.customers.table["frequency"] == 0  # of whom BG/NBD cannot tell
    assert np.array_equal(np.isnan(done.run.valued.p_alive), bought_once) and 0 < bought_once.sum() < len(bought_once)


# ---------------------------------------------------------------------------------------------- again


def test_a_rerun_fits_nothing_and_gives_equal_files(done, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", no_fit)
    folder = shutil.copytree(done.folder, tmp_path / "again")
    (folder / "tables" / "of_an_older_run.csv").write_text("a\n1\n", encoding="utf-8")
    allowed = {**MAPPING["sampler"], "allow_failed": ["R-hat"], "timeout_minutes": 5}
    said = []
    run(experiment(sampler=allowed), folder, progress=said.append)
    tables = ("schema.json", "scores.csv", "checks.csv", "account.csv")
    for name in (*tables, "customers.parquet", "customers.csv", "totals.parquet"):
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

    monkeypatch.setattr(fitting, "fit", asked)
    folder = shutil.copytree(done.folder, tmp_path / "again")
    prior = {"bg_nbd": {**MAPPING["models"]["bg_nbd"], "priors": {"r": {"dist": "HalfNormal", "sigma": 2.0}}}}
    for changes, fresh in (({}, True), ({"seed": 1}, False), ({"models": prior}, False)):
        with pytest.raises(Asked):
            run(experiment(**changes), folder, fresh=fresh)


def test_an_interrupted_run_keeps_what_is_fitted_and_goes_on_there(tmp_path, monkeypatch):
    stopped, resumed = Fits({2: KeyboardInterrupt()}), Fits()
    monkeypatch.setattr(fitting, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(experiment(), tmp_path / "r")
    assert [path.name.split("-")[0] for path in (tmp_path / "r" / "posteriors").iterdir()] == ["bg_nbd"]
    assert not (tmp_path / "r" / "run.json").exists()
    monkeypatch.setattr(fitting, "fit", resumed)
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
heavy = {{"pymc", "pytensor", "nutpie", "clvmodels.inference.fitting", "clvmodels.runs.experiment"}}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    for path in (done.folder / "report.html", *(done.folder / "figures").iterdir()):
        assert (folder / path.relative_to(done.folder)).read_bytes() == path.read_bytes(), path.name
