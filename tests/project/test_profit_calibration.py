"""The stored calibration of the value: complete, as it should be, and of the code as it is; and the study itself."""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.executor import Here

from clvmodels.errors import FitError
from clvmodels.models import COSTS
from clvmodels.valuation.parts import PARTS
from clvmodels.valuation.valuation import value

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments" / "calibration"))

import judge as judging
import run_profit as study
import simulated_company as company
from stored import present_versions

AGAIN = "run `make profit-calibration`, and look at reports/profit-calibration before committing it"
CONFIRM = "run `make confirm`, which sees whether it replays the ranks; where it does not, `make profit-calibration`"


@pytest.fixture(scope="module", params=study.STUDIES)
def stored(request) -> tuple[study.Study, pd.DataFrame]:
    path = study.FOLDER / f"{request.param}.csv"
    assert path.is_file(), f"{path} is missing: {AGAIN}"
    return study.STUDIES[request.param], pd.read_csv(path, keep_default_na=False)


@pytest.fixture(scope="module")
def truth() -> company.Truth:
    return company.draw_truths(company.PRIORS)[1]


def test_every_cost_model_and_every_part_has_its_ranks(stored):
    of, rows = stored
    assert {company.ROLES[role].name for role in company.ROLES} >= set(COSTS)
    assert set(rows["part"]) == set(of.parts) and set(study.STUDIES["stated"].parts) == {*company.ROLES, "value"}
    quantities = rows.groupby("part")["quantity"].agg(set)
    assert quantities["value"] >= {"total", "base total", *PARTS, "total of c000"}
    for role in set(of.parts) - {"value"}:
        watched = {f"rate of c00{k}" for k in range(study.WATCHED)} if role in company.COST_ROLES else set()
        assert quantities[role] == {p.name for p in company.ROLES[role].parameters} | watched


def test_the_stored_run_is_of_this_code(stored):
    of, rows = stored
    present = present_versions(study.path_of(of.name), study.code_version())
    assert set(rows["code"]) <= present, f"the code has changed since {of.name} was run: {CONFIRM}"


def test_all_seeds_are_there_once(stored):
    of, rows = stored
    seeds = rows.groupby(["part", "quantity"])["seed"].apply(sorted)
    assert all(found == list(range(1, of.seeds + 1)) for found in seeds)


def test_verdicts_are_as_they_should_be(stored):
    """Calibrated, or found out where the simulator's prior is not the one fitted: by the model and by its part."""
    of, rows = stored
    for name, (part, seeds) in study.by_part(of.name, rows).items():
        table = judging.judge(part, seeds, None).set_index("quantity")
        if of.name in study.MUST_FAIL:
            assert not table.loc["mu" if name.endswith("returns") else "returns", "in_band"], f"{name}:\n{table}"
        else:
            assert table["passed"].all(), f"{name}:\n{table}"


def test_the_summary_is_that_of_the_rows(stored):
    of, rows = stored
    summary = pd.read_csv(study.FOLDER / "summary.csv")
    for name, (part, seeds) in study.by_part(of.name, rows).items():
        mine = summary[summary["study"] == name].drop(columns=["study", "as_expected"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, judging.judge(part, seeds, None), check_dtype=False)


def test_intervals_are_judged_where_they_are_asked_to_be():
    """Ranks too often in the middle: within the band of 100 seeds, and too many intervals hold."""
    ranks = 0.06 + 0.88 * (np.arange(100) + 0.5) / 100
    rows = pd.DataFrame({"seed": range(1, 101), "quantity": "r", "rank": ranks, "refused": ""})
    assert judging.judge(rows, 100, None)["passed"].all() and not judging.judge(rows, 100)["passed"].any()


def test_events_are_those_of_the_orders(truth):
    table = company.simulate(truth, 1).customers.table
    orders = table["frequency"] + 1.0
    for name in ("returnable", "purchases", "margin_count"):
        assert table[name].equals(orders.rename(name))
    assert (table["returned_whole"] <= table["returned"]).all() and (table["returned"] <= orders).all()
    assert table["billed"].equals((orders - table["returned"]).rename("billed"))
    assert table["handling_count"].equals(table["contacts"].rename("handling_count"))
    assert (table["unpaid"] <= table["billed"]).all() and table["unpaid"].any() and table["referrals"].any()


def test_events_are_as_frequent_and_as_dear_as_the_truth_says(truth):
    """Over 60 companies, within 5 standard errors of companies that share no randomness."""
    found = []
    for seed in range(1, 61):
        made = company.simulate(truth, seed)
        t, returns = made.customers.table, truth["returns"]
        part = (t["returned"] - t["returned_whole"]).sum()
        within = (t["margin_ss"].sum() / (t["margin_count"] - 1.0).sum()) ** 0.5
        found.append(
            {
                "mu": made.own["returns"].mean() / returns["mu"],
                "returned": t["returned"].sum() / (made.own["returns"] * t["returnable"]).sum(),
                "whole": t["returned_whole"].sum() / t["returned"].sum() / returns["whole"],
                "part": np.exp(t["returned_log_sum"].sum() / part) / np.exp(_mean_log(returns)),
                "unpaid": t["unpaid"].sum() / t["billed"].sum() / truth["bad_debt"]["mu"],
                "contacts": t["contacts"].sum() / t["purchases"].sum() / truth["contacts"]["mu"],
                "referrals": t["referrals"].sum() / t["purchases"].sum() / truth["referrals"]["mu"],
                "handling": np.log(made.own["handling"] / truth["handling"]["m"]).std() / truth["handling"]["tau"],
                "margin": t["margin_sum"].sum() / t["margin_count"].sum() / truth["margin"]["m"],
                "within": within / truth["margin"]["sigma"],
            }
        )
    table = pd.DataFrame(found)
    off = (table.mean() - 1.0) / (table.std() / len(table) ** 0.5)
    assert off.abs().max() < 5, off


def _mean_log(returns) -> float:
    from scipy.special import digamma

    return float(digamma(returns["share"] * returns["precision"]) - digamma(returns["precision"]))


def test_the_truth_is_valued_as_one_more_draw(truth):
    """Every mean is exact given the parameters: the truth's is that of a point posterior."""
    customers = company.simulate(truth, 1).customers
    few = replace(customers, table=customers.table.iloc[:20])
    alone = {role: study.with_truth(role, None, truth[role]) for role in company.ROLES}
    point = value(alone, few, study.ECONOMICS, seed=1, draws=1)
    found = study.of_value(alone, truth, few, 1)  # the truth as the posterior's one draw, and as the truth
    for name, part in point.parts.items():
        if name == "referrals":  # of simulated newcomers in two draws, whose means differ by rounding
            assert found[name].truth == pytest.approx(found[name].draws[0], rel=1e-12)
            continue
        exact = float(part.expected.sum(dtype=float))
        assert found[name].truth == exact == found[name].draws[0] != 0


def test_a_refused_fit_has_rank_zero_in_its_part_and_in_the_value(truth, monkeypatch):
    def refuse_returns(model, customers, **options):
        role = next(role for role, known in company.ROLES.items() if known is model)
        if role == "returns":
            raise FitError("no\nmode")
        return study.with_truth(role, None, truth[role])

    monkeypatch.setattr(study, "fit", refuse_returns)
    rows = study.replicate((*company.ROLES, "value"), truth, 1)
    refused = rows["refused"] != ""
    assert set(rows.loc[refused, "part"]) == {"returns", "value"} and (rows.loc[refused, "rank"] == 0).all()
    assert (rows.loc[~refused, "rank"] > 0).all() and np.isfinite(rows["truth"]).all()
    assert set(rows.loc[rows["part"] == "value", "refused"]) == {"returns: no mode"}
    assert set(rows.loc[rows["part"] == "value", "quantity"]) >= {"total", *PARTS}


def test_a_confirmation_of_other_numbers_is_refused(tmp_path, monkeypatch, capsys):
    stored = pd.read_csv(study.path_of("stated"), keep_default_na=False)
    stored = stored[stored["seed"].isin([1, 2, 3])].assign(code="older")
    monkeypatch.setattr(study, "FOLDER", tmp_path)
    stored.to_csv(study.path_of("stated"), index=False, float_format=study.DIGITS)

    def replay(parts, truth, seed, moved):
        rows = stored[stored["seed"] == seed].drop(columns="code")
        one = (rows["seed"] == 2) & (rows["quantity"] == "base total")
        return rows.assign(rank=rows["rank"] + one * moved)

    monkeypatch.setattr(study, "replicate", partial(replay, moved=1e-6))
    assert not study.confirmed("stated", Here()) and not (tmp_path / "confirmed.csv").exists()
    assert "seed 2, value, base total: rank" in capsys.readouterr().out
    monkeypatch.setattr(study, "replicate", partial(replay, moved=0.0))
    assert study.confirmed("stated", Here())
    assert present_versions(study.path_of("stated"), study.code_version()) == {"older", study.code_version()}


def test_an_interrupted_run_goes_on_and_older_code_is_dropped(tmp_path, monkeypatch):
    done = []

    def replicate(parts, truth, seed):
        done.append(seed)
        values = {"seed": [seed], "part": "value", "quantity": "total", "truth": 1.0, "rank": 0.5, "refused": ""}
        return pd.DataFrame(values)

    monkeypatch.setattr(study, "FOLDER", tmp_path)
    monkeypatch.setattr(study, "replicate", replicate)
    study.run("stated", Here(), 2)
    assert list(study.run("stated", Here(), 4)["seed"]) == [1, 2, 3, 4] and done == [1, 2, 3, 4]
    monkeypatch.setattr(study, "code_version", lambda: "newer")
    assert set(study.run("stated", Here(), 1)["code"]) == {"newer"} and done[-1] == 1
    assert list(pd.read_csv(tmp_path / "stated.csv")["seed"]) == [1]


def test_a_role_s_truth_depends_on_its_own_prior_alone():
    stated, shifted = (company.draw_truths(priors) for priors in (company.PRIORS, study.SHIFTED))
    for one, other in zip(stated[:20], shifted[:20], strict=True):
        assert {role for role in one if one[role] != other[role]} == {"returns"}
    means = [np.mean([truth["returns"]["mu"] for truth in truths]) for truths in (stated, shifted)]
    assert np.allclose(means, [0.2, 0.4], atol=0.005)


def test_the_version_is_of_all_that_the_ranks_rest_on(monkeypatch):
    """Every model, its fit, histories, individuals, economics, the value, the study itself and its company."""
    rests_on = set()
    monkeypatch.setattr(study, "version_of", rests_on.update)
    study.code_version()
    models = [type(model) for model in company.ROLES.values()]
    functions = (study.fit, study.value, study.simulate, study.replicate, study.rank_of, company.simulate_purchases)
    classes = (study.Economics, study.Retention, study.KeyedRandom)
    assert {Path(inspect.getfile(thing)) for thing in (*models, *functions, *classes)} <= rests_on
