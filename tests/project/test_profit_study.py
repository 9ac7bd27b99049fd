"""The stored study of profit forecasts: complete, of this code, and as good as it should be."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path

import pandas as pd
import pytest
from fakes.executor import Here

from clvmodels.accounts.profit_made import profit_made
from clvmodels.customers.observed import with_costs
from clvmodels.customers.summarize import summarize
from clvmodels.datasets import retailer
from clvmodels.inference.fitting import fit
from clvmodels.models import get_model
from clvmodels.valuation.valuation import value

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("profit_study", ROOT / "experiments" / "profit" / "run.py")
study = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = study
SPEC.loader.exec_module(study)
from stored import present_versions  # noqa: E402  (the study puts its folder on the path)

AGAIN = "run `make profit-study`, and look at what it prints before committing reports/profit"
CONFIRM = "run `make confirm`, which sees whether this code replays the places; where it does not, `make profit-study`"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    assert study.PATH.exists(), AGAIN
    return pd.read_csv(study.PATH)


def test_the_stored_run_is_of_this_code_and_whole(rows):
    assert set(rows["code"]) <= present_versions(study.PATH, study.code_version()), CONFIRM
    assert list(rows["seed"]) == list(range(1, 21))


def test_nine_of_ten_profits_lie_inside(rows):
    """90 +- 3% over all seeds, each customer's profit in its own forecast."""
    share = rows["inside"].sum() / rows["customers"].sum()
    assert 0.87 <= share <= 0.93, share
    assert (rows["share"] == rows["inside"] / rows["customers"]).all() and (rows["customers"] > 600).all()


def test_the_readme_tells_what_the_table_says(rows):
    share, customers = rows["inside"].sum() / rows["customers"].sum(), rows["customers"].sum()
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"Of 20 simulated companies, {share:.1%} of {customers:,} customers made a profit" in told


def test_the_picture_is_of_the_table(rows, tmp_path):
    study.draw(rows, tmp_path / "again.svg", study.summarized(rows))
    assert (tmp_path / "again.svg").read_bytes() == study.PATH.with_name("places.svg").read_bytes()


def test_the_version_is_of_all_that_a_place_rests_on(monkeypatch):
    """The models and their fit, customers, the value, what was earned, the simulated company, the study itself."""
    rests_on = set()
    monkeypatch.setattr(study, "version_of", rests_on.update)
    study.code_version()
    models = [type(get_model(name)) for name in study.MODELS.values()]
    functions = (fit, summarize, with_costs, value, profit_made, retailer.write, study.places)
    assert {Path(inspect.getfile(thing)) for thing in (*models, *functions)} <= rests_on


def test_an_interrupted_run_goes_on_and_other_code_is_dropped(rows, tmp_path, monkeypatch):
    stored = {row["seed"]: row for row in rows.drop(columns="code").to_dict("records")}
    asked = []

    def rows_of(seed):
        asked.append(seed)
        return [stored[seed]]

    monkeypatch.setattr(study, "PATH", tmp_path / "places.csv")
    monkeypatch.setattr(study, "rows", rows_of)
    monkeypatch.setattr(study, "code_version", lambda: "now")
    study.run(Here(), 2)
    assert list(study.run(Here(), 4)["seed"]) == [1, 2, 3, 4] and asked == [1, 2, 3, 4]
    monkeypatch.setattr(study, "code_version", lambda: "later")
    assert set(study.run(Here(), 1)["code"]) == {"later"} and asked[-1] == 1
    assert list(pd.read_csv(study.PATH)["seed"]) == [1]


def test_a_confirmation_of_other_places_is_refused(rows, tmp_path, monkeypatch):
    """Of the seeds that are fixed and stored; the seconds that a seed took are not compared."""
    monkeypatch.setattr(study, "PATH", tmp_path / "places.csv")
    rows.assign(code="older").to_csv(study.PATH, index=False)
    stored = {row["seed"]: row for row in rows.drop(columns="code").to_dict("records")}
    monkeypatch.setattr(study, "rows", lambda seed: [{**stored[seed], "inside": stored[seed]["inside"] + 1}])
    assert not study.confirmed(Here()) and not (tmp_path / "confirmed.csv").exists()
    monkeypatch.setattr(study, "rows", lambda seed: [{**stored[seed], "seconds": 0.0}])
    assert study.confirmed(Here())
    assert pd.read_csv(tmp_path / "confirmed.csv")["seeds"].tolist() == ["1 2 3"]
