"""The committed reports: of their experiments, as their stored folders make them, without a customer's row."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from clvmodels.config.experiment import dump, load_experiment
from clvmodels.errors import ResultsError

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

import reports

ROOT = Path(__file__).parents[2]
REPORTS = reports.REPORTS
ACCEPT = "look at the difference, and accept it with `make reports`"
PRIVATE = (
    "customers.*",
    "leaving.*",
    "profit.*",
    "consolidated.*",
    "dropped.csv",
    "conflicts.csv",
    "merged.csv",
    "totals.parquet",
    "posteriors/",
)


@pytest.fixture(params=reports.committed(), ids=lambda folder: folder.name)
def folder(request) -> Path:
    return request.param


@pytest.fixture(scope="module")
def page() -> str:
    return (REPORTS / "cdnow" / reports.PAGE).read_text(encoding="utf-8")


def test_every_stored_run_has_its_report():
    assert {path.parent for path in REPORTS.glob("*/run.json")} == set(reports.committed()) != set()


def test_a_committed_experiment_names_its_metrics_and_figures(folder):
    """So that one that is new one day changes no committed experiment."""
    written = (ROOT / "experiments" / f"{folder.name}.yaml").read_text(encoding="utf-8")
    assert "\nmetrics: [" in written and "\nfigures: [" in written


def test_a_report_is_of_its_experiment_as_it_stands(folder):
    resolved = dump(load_experiment(ROOT / "experiments" / f"{folder.name}.yaml"))
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert about["config_sha256"] == hashlib.sha256(resolved.encode()).hexdigest()
    assert (folder / "config.yaml").read_text(encoding="utf-8") == resolved
    assert about["commit"] and not about["dirty"]


def test_a_report_is_what_its_folder_makes(folder):
    """To the last byte, drawings too; what differs is told as a reader sees it."""
    difference = reports.difference(reports.stored(folder), reports.rebuilt(folder))
    assert not difference, f"reports/{folder.name}: {ACCEPT}\n{difference}"


def test_a_folder_that_lacks_what_its_page_shows_is_refused(tmp_path):
    copy = shutil.copytree(REPORTS / "cdnow", tmp_path / "cdnow")
    for table in (copy / "tables").glob("tracking.*"):
        table.unlink()
    with pytest.raises(ResultsError, match="no table of 'tracking', which the page shows"):
        reports.rebuilt(copy)
    (copy / "run.json").unlink()
    with pytest.raises(ResultsError, match=r"run\.json"):
        reports.rebuilt(copy)


def test_a_changed_word_is_a_line_of_the_difference(page):
    changed = page.replace("The total of 1,882 purchases is", "The total of 1,882 purchases was", 1)
    lines = reports.difference({"report.html": page}, {"report.html": changed}).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("-") and "The total of 1,882 purchases is" in lines[0]
    assert lines[1].startswith("+") and "The total of 1,882 purchases was" in lines[1]


def test_a_row_of_a_table_is_a_line_of_the_difference(page):
    cell = '<th scope="row">BG/NBD, by first month</th>'
    assert cell in page
    changed = page.replace(cell, cell.replace("first month", "channel"))
    difference = reports.difference({"report.html": page}, {"report.html": changed})
    assert "+BG/NBD, by channel | " in difference and len(difference) < 500


def test_of_drawings_and_style_the_bytes_are_told():
    before = {
        "report.html": '<style>p {}</style><p>Words.</p><svg><path d="M1 2"/></svg>',
        "figures/pit-688.svg": '<svg>\n<path d="M1 2"/>\n</svg>',
        "figures/old-688.svg": "<svg/>",
    }
    after = {name: text.replace("M1 2", "M1 3").replace("p {}", "p { }") for name, text in before.items()}
    del after["figures/old-688.svg"]
    assert reports.difference(before, after).splitlines() == [
        "report.html, drawings: 32 bytes differ",
        "report.html, style: 25 bytes differ",
        "figures/old-688.svg: gone, 6 bytes",
        "figures/pit-688.svg: 32 bytes differ",
    ]
    assert reports.difference(before, before) == ""
    other = {**before, "report.html": before["report.html"].replace("<p>", '<p class="x">')}
    assert reports.difference(before, other) == "report.html, markup: 16 bytes differ"


def test_customers_stand_by_place_only(folder):
    tables = {path.stem: read(path) for path in (folder / "tables").glob("*.csv")}
    named = {stem: table["customer"].dropna() for stem, table in tables.items() if "customer" in table}
    asked_for = {f"{name}.people" for name in ("losses", "leaving") if f"{name}.people" in tables}
    assert named.keys() == {"value_ranking", "revenue_profit.examples"} | asked_for and all(map(len, named.values()))
    for customers in named.values():
        assert customers.str.fullmatch(r"[\d,]+(st|nd|rd|th)( by revenue| from the end)?").all()


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str)


def test_what_holds_rows_of_customers_is_not_committed():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8")
    for private in PRIVATE:
        assert f"reports/*/{private}" in ignored


def test_cdnow_tells_the_randomised_pit_and_the_total():
    scores = pd.read_csv(REPORTS / "cdnow" / "scores.csv").set_index(["entry", "score"])["value"]
    for entry in scores.index.get_level_values("entry").unique():
        assert abs(scores[entry, "pit"] - 0.9) <= 0.03
        assert scores[entry, "total_purchases.actual"] == 1882
    page = (REPORTS / "cdnow" / "report.html").read_text(encoding="utf-8")
    assert "The total of 1,882 purchases is" in page


def test_every_row_of_every_table_is_accounted_for(folder):
    """Rows read = used + orphaned + dropped + those that no part can use."""
    account = read(folder / "account.csv").astype({"rows": int})
    sums = account.pivot_table(index="source", columns="kind", values="rows", aggfunc="sum", fill_value=0)
    lost = sums.reindex(columns=["used", "orphaned", "dropped", "unusable"], fill_value=0).sum(axis=1)
    assert (sums["read"] == lost).all()


def test_online_retail_accounts_for_all_its_lines():
    account = pd.read_csv(REPORTS / "online-retail" / "account.csv").set_index("reason")["rows"]
    assert account["rows read"] == 541_909 and account["no customer id"] == 135_080
    page = (REPORTS / "online-retail" / "report.html").read_text(encoding="utf-8")
    assert "of these: negative amount, taken as a return" in page


def test_the_retailers_tables_all_stand_in_its_report():
    account = pd.read_csv(REPORTS / "retailer" / "account.csv")
    assert account["source"].nunique() == 12
