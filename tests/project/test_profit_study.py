"""The stored study of profit forecasts: complete, of this code, and as good as it should be."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("profit_study", ROOT / "experiments" / "profit" / "run.py")
study = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = study
SPEC.loader.exec_module(study)
AGAIN = "run `make profit-study`, and look at what it prints before committing reports/profit"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    assert study.PATH.exists(), AGAIN
    return pd.read_csv(study.PATH)


def test_the_stored_run_is_of_this_code_and_whole(rows):
    assert set(rows["code"]) == {study.code_version()}, AGAIN
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


def test_other_code_is_another_version(monkeypatch):
    before = study.code_version()
    monkeypatch.setattr(study, "STAGES", study.STAGES[:-1])
    assert study.code_version() != before
