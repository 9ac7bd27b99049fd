"""A posterior whose sampling checks failed: refused everywhere alike, allowed by name, and told on all made of it."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from contracts.cases import CASES, customers_of, pair_of, simulated
from fakes.command_line import invoke

from clvmodels.errors import ConfigError, FitError
from clvmodels.futures.forecast import forecast
from clvmodels.inference.posterior import load
from clvmodels.inference.samplers.checks import CHECK_NAMES, MAXIMUM, Check
from clvmodels.metrics.checks import SAMPLING_CODES
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.scoring import behaviour, score
from clvmodels.valuation.valuation import value

FAILED = Check("R-hat", 1.3, 1.01, False, "the chains disagree, most of all about b")
PASSED = Check("divergences", 0.0, 0.0, True, "")
YEAR = Economics(0.3, 0.12, 52.0)
MONEY = {"margin": 0.3, "annual_discount_rate": 0.12}
OF_PURCHASES = r"purchases posterior: R-hat of MBG/NBD is 1\.3, and its limit 1\.01: the chains disagree"
BY_NAME = r"allow_failed: \[R-hat\]"


@pytest.fixture(scope="module")
def people():
    return customers_of(simulated(CASES["mbg_nbd"], size=20))


@pytest.fixture(scope="module")
def posteriors():
    purchases, spend = pair_of(CASES["mbg_nbd"], 40)
    purchases = dataclasses.replace(purchases, checks=[PASSED, FAILED])
    return {"purchases": purchases, "spend": dataclasses.replace(spend, checks=[PASSED])}


WAYS = {
    "value": lambda p, people, **allowed: value(p, people, YEAR, seed=1, **allowed),
    "score with money": lambda p, people, **allowed: score(p, people, horizon=26, **MONEY, **allowed),
    "score": lambda p, people, **allowed: score({"purchases": p["purchases"]}, people, horizon=26, **allowed),
    "behaviour": lambda p, people, **allowed: behaviour(p, people, horizon=26, seed=1, draws=40, **allowed),
    "forecast": lambda p, people, **allowed: forecast(p["purchases"], people, 26, seed=1, **allowed),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_is_refused_by_all_alike_and_allowed_by_name(posteriors, people, way):
    with pytest.raises(FitError, match=f"{OF_PURCHASES}.*{BY_NAME}"):
        way(posteriors, people)
    with pytest.raises(FitError, match=BY_NAME):
        way(posteriors, people, allow_failed=["divergences"])
    with pytest.raises(ConfigError, match="Unknown sampling check 'Rhat'; did you mean 'R-hat'"):
        way(posteriors, people, allow_failed=["Rhat"])
    made = way(posteriors, people, allow_failed=["R-hat"])
    if isinstance(made, pd.DataFrame):
        assert (made["failed_checks"] == "R-hat").all()
    else:
        assert made.failed_checks == ("R-hat",) and "FAILED: R-hat" in repr(made)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_of_a_sound_posterior_nothing_is_said(posteriors, people, way):
    sound = {**posteriors, "purchases": dataclasses.replace(posteriors["purchases"], checks=[PASSED])}
    made = way(sound, people, allow_failed="R-hat")
    if isinstance(made, pd.DataFrame):
        assert "failed_checks" not in made
    else:
        assert made.failed_checks == () and "FAILED" not in repr(made)


def test_the_command_refuses_it_and_marks_each_row_where_it_is_allowed(posteriors, people, tmp_path):
    """The same after the posterior was stored."""
    stored = posteriors["purchases"].save(tmp_path / "posterior.nc")
    assert load(stored).failed_checks == ("R-hat",)
    table = people.table[["frequency", "recency", "T"]]
    table.to_csv(tmp_path / "rfm.csv")
    words = ("score", stored, tmp_path / "rfm.csv", "--rfm", "--time-unit", "week", "--as-of", "2025-06-30")
    words = (*words, "--horizon", 26, "--columns", "customer_id=customer_id", "--out", tmp_path / "scores.csv")
    refused = invoke(*words)
    assert refused.status == 2 and "R-hat of MBG/NBD is 1.3" in refused.err and not (tmp_path / "scores.csv").exists()
    assert invoke(*words, "--allow-failed", "R-hat").status == 0
    assert set(pd.read_csv(tmp_path / "scores.csv")["failed_checks"]) == {"R-hat"}


@pytest.mark.parametrize(("method", "remedy"), [("nuts", "Fit with more draws and tune"), ("laplace", "method='nuts'")])
def test_the_way_out_is_one_that_was_not_taken_already(posteriors, people, method, remedy):
    """Who sampled by NUTS was told to sample by NUTS."""
    refused = {**posteriors, "purchases": dataclasses.replace(posteriors["purchases"], method=method)}
    with pytest.raises(FitError, match=remedy) as error:
        value(refused, people, YEAR, seed=1)
    assert method not in str(error.value)


def test_every_check_that_a_posterior_carries_has_a_name_that_can_be_allowed():
    assert set(SAMPLING_CODES) == set(CHECK_NAMES) and MAXIMUM in CHECK_NAMES
