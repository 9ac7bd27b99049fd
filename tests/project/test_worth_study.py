"""The stored study of the odds of the best fifth: complete, of this code, and as right as they should be."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.executor import Here
from scipy import integrate

from clvmodels.decisions.rank import rank
from clvmodels.inference.fitting import fit
from clvmodels.models import get_model
from clvmodels.valuation.valuation import value

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("worth_study", ROOT / "experiments" / "worth" / "run.py")
study = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = study
SPEC.loader.exec_module(study)
from stored import present_versions  # noqa: E402  (the study puts its folder on the path)

AGAIN = "run `make worth-study`, and look at what it prints before committing reports/worth"
CONFIRM = "run `make confirm`, which sees whether this code replays the odds; where it does not, `make worth-study`"
SEEDS = 20


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    assert study.PATH.exists(), AGAIN
    return pd.read_csv(study.PATH)


@pytest.fixture(scope="module")
def reliability(rows) -> pd.DataFrame:
    return study.summarized(rows)


def test_the_stored_run_is_of_this_code_and_whole(rows):
    assert set(rows["code"]) <= present_versions(study.PATH, study.code_version()), CONFIRM
    worth = rows[rows["quantity"].str.startswith("worth")]
    customers = worth.groupby(["part", "seed"])["customers"].sum()
    assert (customers == study.CUSTOMERS).all() and not worth["quantity"].str.contains(study.REFUSED).any()
    for name in study.PAIRS:
        assert customers[name].index.tolist() == list(range(1, SEEDS + 1))
    sums = worth.groupby(["part", "seed"])[["odds", "best"]].sum()
    np.testing.assert_allclose(sums, study.TOP * study.CUSTOMERS, atol=0.01)


def test_the_odds_by_worth_are_right(reliability):
    """To 2% in the mean over customers, all together and for each pair of models."""
    assert study.calibration_error(reliability) <= 0.02
    for name in study.PAIRS:
        assert study.calibration_error(reliability, pair=name) <= 0.02, name
    by_worth = reliability[reliability["reading"] == "worth"]
    outside = (by_worth["best"] < by_worth["low"]) | (by_worth["best"] > by_worth["high"])
    assert outside.sum() <= 2  # of fifty bands of 99%


def test_those_called_sure_are_and_those_called_out_are_not(reliability):
    whole = reliability[reliability["pair"] == "all"].set_index(["reading", "tenth"])
    sure, out = whole.loc[("worth", "0.9")], whole.loc[("worth", "0.0")]
    assert abs(sure["best"] - sure["odds"]) < 0.02 and abs(out["best"] - out["odds"]) < 0.02
    by_expected = whole.loc[("expected", "0.9")]
    assert by_expected["odds"] > 0.99 and by_expected["best"] < 0.9  # what was wrong with them


def test_the_readme_tells_what_the_table_says(rows, reliability):
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    customers = int(rows.loc[rows["quantity"].str.startswith("worth"), "customers"].sum())
    error = study.calibration_error(reliability)
    assert f"Of {customers:,} simulated customers" in told and f"are off by {error:.1%} in the mean" in told
    by_expected = reliability.set_index(["reading", "pair", "tenth"]).loc[("expected", "all", "0.9"), "best"]
    assert f"of those told over 99%, {by_expected:.0%} truly were among the best" in told


def test_the_table_and_the_picture_are_of_the_rows(rows, reliability, tmp_path):
    study.write(reliability, tmp_path / "again.csv", study.STORED)
    assert (tmp_path / "again.csv").read_bytes() == study.SUMMARY.read_bytes()
    study.draw(reliability, tmp_path / "again.svg", study.sentence(rows))
    assert (tmp_path / "again.svg").read_bytes() == study.DRAWING.read_bytes()


def test_the_version_is_of_all_that_the_odds_rest_on(monkeypatch):
    rests_on = set()
    monkeypatch.setattr(study, "version_of", rests_on.update)
    study.code_version()
    models = [type(get_model(name)) for pair in study.PAIRS.values() for name in (pair.purchases, pair.spend)]
    for thing in (*models, fit, value, rank, study.rows):
        assert Path(inspect.getfile(thing)) in rests_on


def test_a_confirmation_of_other_odds_is_refused(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "PATH", tmp_path / "odds.csv")
    study.write(rows.assign(code="older"), study.PATH, study.STORED)
    without_code = rows.drop(columns="code")
    monkeypatch.setattr(study, "rows", lambda seed: without_code[without_code["seed"] == seed].assign(best=1.0))
    assert not study.confirmed(Here())
    monkeypatch.setattr(study, "rows", lambda seed: without_code[without_code["seed"] == seed].assign(seconds=0.0))
    assert study.confirmed(Here())


# ------------------------------------------------------------------------------------------------------- the truth


@pytest.mark.parametrize(("k", "passed"), [(1, 0), (2, 0), (2, 1), (3, 1)])
def test_purchases_to_come_are_the_mean_of_many_futures(k, passed):
    rate, chance, rng = 0.3, 0.2, np.random.default_rng(k)
    stages = rng.poisson(rate * study.WEEKS, 40_000) + passed
    until_the_coin = rng.geometric(chance, 40_000)
    drawn = np.minimum(stages // k, until_the_coin)
    error = drawn.std() / np.sqrt(len(drawn))
    assert abs(study.to_come(k, passed, rate, chance) - drawn.mean()) < 4.5 * error


def test_the_mean_until_the_clock_strikes_is_an_integral(monkeypatch):
    """Of customers who are still there; the others have nothing to come."""
    theta, rng = {"s": 2.0, "beta": 40.0}, np.random.default_rng(1)
    seen = [study.clock_strikes(theta, 0.5, 30.0, rng) for _ in range(4000)]
    survival = lambda t: (theta["beta"] / (theta["beta"] + 30.0 + t)) ** theta["s"]  # noqa: E731
    truth = 0.5 * integrate.quad(survival, 0.0, study.WEEKS)[0]
    drawn = np.array([one.to_come for one in seen])
    assert abs(drawn.mean() - truth) < 4.5 * drawn.std() / np.sqrt(len(drawn))
    assert all(len(one.bought) == 0 or one.bought.max() < 30.0 for one in seen)


def test_the_last_place_is_shared_by_those_who_are_tied_for_it():
    worth = np.array([5.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    best = study.truly_best(worth)
    assert best[[0, 2]].tolist() == [1.0, 1.0] and best.sum() == pytest.approx(3.0)
    assert best[1] == pytest.approx(1 / 13)
