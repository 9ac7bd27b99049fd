"""The committed report: of this experiment, rebuilt to the last byte, without a customer's row."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd

from clvmodels.config.experiment import dump, load_experiment
from clvmodels.report import write_report

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "reports" / "cdnow"


def test_the_report_is_of_the_experiment_as_it_stands():
    resolved = dump(load_experiment(ROOT / "experiments" / "cdnow.yaml"))
    about = json.loads((FOLDER / "run.json").read_text(encoding="utf-8"))
    assert about["config_sha256"] == hashlib.sha256(resolved.encode()).hexdigest()
    assert (FOLDER / "config.yaml").read_text(encoding="utf-8") == resolved
    assert about["commit"] and not about["dirty"]


def test_the_page_is_rebuilt_to_the_last_byte(tmp_path):
    copy = tmp_path / "cdnow"
    shutil.copytree(FOLDER, copy)
    (copy / "report.html").unlink()
    assert write_report(copy).read_bytes() == (FOLDER / "report.html").read_bytes()


def test_the_randomised_pit_and_the_total_are_told_as_the_issue_asks():
    scores = pd.read_csv(FOLDER / "scores.csv").set_index(["entry", "metric"])["value"]
    for entry in scores.index.get_level_values("entry").unique():
        assert abs(scores[entry, "pit"] - 0.9) <= 0.03
        assert scores[entry, "total_purchases.actual"] == 1882
    page = (FOLDER / "report.html").read_text(encoding="utf-8")
    assert "1,882 purchases came; the forecast was" in page


def test_customers_stand_by_place_only():
    table = pd.read_csv(FOLDER / "tables" / "value_ranking.csv", dtype=str)
    assert table["customer"].str.fullmatch(r"[\d,]+(st|nd|rd|th)").all()
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8")
    for private in (
        "customers.*",
        "consolidated.*",
        "dropped.csv",
        "conflicts.csv",
        "merged.csv",
        "totals.parquet",
        "posteriors/",
    ):
        assert f"reports/*/{private}" in ignored
