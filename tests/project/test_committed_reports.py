"""The committed reports: of their experiments, rebuilt to the last byte, without a customer's row."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from clvmodels.config.experiment import dump, load_experiment
from clvmodels.report import write_report

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports"
COMMITTED = ("cdnow", "online-retail", "retailer")
PRIVATE = (
    "customers.*",
    "consolidated.*",
    "dropped.csv",
    "conflicts.csv",
    "merged.csv",
    "totals.parquet",
    "posteriors/",
)


@pytest.fixture(params=COMMITTED)
def folder(request) -> Path:
    return REPORTS / request.param


def test_every_report_is_watched():
    assert {path.parent.name for path in REPORTS.glob("*/report.html")} == set(COMMITTED)


def test_a_report_is_of_its_experiment_as_it_stands(folder):
    resolved = dump(load_experiment(ROOT / "experiments" / f"{folder.name}.yaml"))
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert about["config_sha256"] == hashlib.sha256(resolved.encode()).hexdigest()
    assert (folder / "config.yaml").read_text(encoding="utf-8") == resolved
    assert about["commit"] and not about["dirty"]


def test_a_page_is_rebuilt_to_the_last_byte(folder, tmp_path):
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("posteriors"))
    (copy / "report.html").unlink()
    assert write_report(copy).read_bytes() == (folder / "report.html").read_bytes()


def test_customers_stand_by_place_only(folder):
    named = [
        table["customer"].dropna() for table in map(read, (folder / "tables").glob("*.csv")) if "customer" in table
    ]
    assert len(named) == 2 and all(map(len, named))  # the ranking, and profit beside revenue
    for customers in named:
        assert customers.str.fullmatch(r"[\d,]+(st|nd|rd|th)( by revenue)?").all()


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str)


def test_what_holds_rows_of_customers_is_not_committed():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8")
    for private in PRIVATE:
        assert f"reports/*/{private}" in ignored


def test_cdnow_tells_the_randomised_pit_and_the_total():
    scores = pd.read_csv(REPORTS / "cdnow" / "scores.csv").set_index(["entry", "metric"])["value"]
    for entry in scores.index.get_level_values("entry").unique():
        assert abs(scores[entry, "pit"] - 0.9) <= 0.03
        assert scores[entry, "total_purchases.actual"] == 1882
    page = (REPORTS / "cdnow" / "report.html").read_text(encoding="utf-8")
    assert "1,882 purchases came; the forecast was" in page


def test_every_row_of_every_table_is_accounted_for(folder):
    """Rows read = used + orphaned + dropped."""
    account = read(folder / "account.csv").astype({"rows": int})
    sums = account.pivot_table(index="source", columns="kind", values="rows", aggfunc="sum", fill_value=0)
    lost = sums.reindex(columns=["used", "orphaned", "dropped"], fill_value=0).sum(axis=1)
    assert (sums["read"] == lost).all()


def test_online_retail_accounts_for_all_its_lines():
    account = pd.read_csv(REPORTS / "online-retail" / "account.csv").set_index("reason")["rows"]
    assert account["rows read"] == 541_909 and account["no customer id"] == 135_080
    page = (REPORTS / "online-retail" / "report.html").read_text(encoding="utf-8")
    assert "of these: negative amount, taken as a return" in page


def test_the_retailers_tables_all_stand_in_its_report():
    account = pd.read_csv(REPORTS / "retailer" / "account.csv")
    assert account["source"].nunique() == 12
