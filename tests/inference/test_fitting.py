"""Fits: units, order of rows, seeds, independence of the parts, published estimates."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import threadpoolctl
from contracts.cases import (
    CASES,
    case_of,
    customers_of,
    priors_around,
    rescaled,
    simulated,
    table_of,
)
from contracts.purchase import close
from scipy import stats

from clvmodels.errors import ConfigError, FitError, Problem
from clvmodels.inference import fitting
from clvmodels.inference.effects import Effect
from clvmodels.inference.fitting import fit
from clvmodels.models import MODELS

DRAWS = 200


def fitted(name, table, unit="week", amount_unit=1.0):
    case = case_of(name)
    customers = customers_of(table, unit, amount_unit)
    return fit(case.model, customers, priors=priors_around(case), method="laplace", draws=DRAWS, seed=3)


QUICK = ("pareto_nbd", "bg_nbd", "sbg", "gamma_gamma")
"""One by the clock, one by the coin, one of renewals, one of amounts; all others are slow."""


@pytest.fixture(
    scope="module", params=[pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in MODELS]
)
def fit_of_150(request):
    table = simulated(case_of(request.param))
    return request.param, table, fitted(request.param, table)


def draws_of(posterior):
    return np.array([posterior.stacked(p.name) for p in posterior.model.parameters])


def test_matrices_are_multiplied_on_one_thread_while_a_posterior_is_searched_for(monkeypatch):
    threads = []

    def note(*of):
        threads.extend(library["num_threads"] for library in threadpoolctl.threadpool_info())
        raise FitError(Problem("nothing was sampled"))

    monkeypatch.setattr(fitting, "sample", note)
    with threadpoolctl.threadpool_limits(2), pytest.raises(FitError, match="nothing was sampled"):
        assert 2 in {library["num_threads"] for library in threadpoolctl.threadpool_info()}
        fit("nbd", customers_of(simulated(CASES["nbd"], 40)))
    assert threads and set(threads) == {1}


def test_the_order_of_rows_changes_nothing(fit_of_150):
    name, table, posterior = fit_of_150
    shuffled = fitted(name, table.sample(frac=1.0, random_state=1))
    assert np.array_equal(draws_of(shuffled), draws_of(posterior))


def test_the_fit_is_seeded_checked_and_shown(fit_of_150):
    name, table, posterior = fit_of_150
    again = fit(posterior.model, customers_of(table), priors=posterior.priors, method="laplace", draws=DRAWS, seed=4)
    assert not np.isin(draws_of(again), draws_of(posterior)).any()
    assert posterior.passed and posterior.method == "laplace" and {check.check for check in posterior.checks}
    cost = posterior.data["importance"].attrs
    assert cost["values"] >= 400 and cost["gradients"] > 0
    assert posterior.cost == {"values": cost["values"], "gradients": cost["gradients"]}
    assert f"({cost['values']:,} values and {cost['gradients']:,} gradients of the log density)" in repr(posterior)
    assert list(posterior.summary().index) == [p.name for p in posterior.model.parameters]
    assert posterior.model.title in posterior._repr_html_()
    truth = np.array(list(case_of(name).theta.values()))
    bounds = np.quantile(draws_of(posterior), [0.0, 1.0], axis=1)
    assert np.all((bounds[0] < truth) & (truth < bounds[1]))


def test_units_of_time_and_money_change_nothing_but_the_units(fit_of_150):
    """Weeks or days, dollars or cents: the same draws, times as long and amounts as large; opportunities are counts."""
    name, table, posterior = fit_of_150
    if posterior.model.counts == "opportunities":
        assert {p.unit for p in posterior.model.parameters} == {"none"}
        return
    in_days = fitted(name, rescaled(table, time=7, money=100), "day", 0.01)
    factor = {"time": 7.0, "1/time": 1 / 7, "money": 100.0, "none": 1.0}
    for p in posterior.model.parameters:
        shift = np.log(in_days.stacked(p.name)).mean() - np.log(posterior.stacked(p.name)).mean()
        assert abs(shift - np.log(factor[p.unit])) < 1e-6, p.name
    assert {p.unit for p in posterior.model.parameters} - {"none"}, "a model without units would make this test empty"


def test_priors_mean_the_same_in_other_units(fit_of_150):
    _, _, posterior = fit_of_150
    days = dataclasses.replace(posterior, time_unit="day", amount_unit=0.01)
    factor = {"time": 7.0, "1/time": 1 / 7, "money": 100.0, "none": 1.0}
    for p in posterior.model.parameters:
        drawn = posterior.prior_draws[p.name]
        assert drawn.min() > p.lower
        close(days.prior_draws[p.name] / (drawn * factor[p.unit]), np.ones(len(drawn)))
        law = stats.lognorm(posterior.priors[p.name].args["sigma"], scale=np.exp(posterior.priors[p.name].args["mu"]))
        assert stats.kstest(drawn - p.lower, law.cdf).pvalue > 1e-5


def test_parts_fitted_with_one_seed_are_independent():
    """Three parameters each: without seeds of their own the same proposals would be drawn for both."""
    table = simulated(CASES["bg_nbd"])
    spend = fitted("gamma_gamma", table)
    from contracts.toys import TOYS

    toy = TOYS["one hazard"]
    purchases = fit(toy.model, customers_of(table), priors=priors_around(toy), method="laplace", draws=DRAWS, seed=3)
    assert len(toy.model.parameters) == len(spend.model.parameters)
    across = stats.spearmanr(np.vstack([draws_of(purchases), draws_of(spend)]).T).statistic[:3, 3:]
    assert np.abs(across).max() * np.sqrt(DRAWS - 1) < 4.5


@pytest.mark.parametrize(
    ("name", "columns", "published"),
    [
        ("pareto_nbd", ("x", "t.x", "T.cal"), {"r": 0.55328, "alpha": 10.5777, "s": 0.60624, "beta": 11.6687}),
        ("bg_nbd", ("x", "t.x", "T.cal"), {"r": 0.24259, "alpha": 4.4136, "a": 0.79292, "b": 2.4259}),
        ("gamma_gamma_mean", ("x", "t.x", "T.cal"), {"p": 6.25, "q": 3.74, "v": 15.44}),
    ],
)
def test_maximum_likelihood_on_cdnow(name, columns, published, shared_reference):
    """Fader, Hardie & Lee (2005); Fader & Hardie (2013); the optimum to more digits by established software."""
    summary = pd.read_csv(shared_reference / "cdnow" / "summary.csv", dtype={"cust": str}).set_index("cust")
    table = summary[list(columns)].set_axis(["frequency", "recency", "T"], axis=1)
    table["monetary_value"] = summary["gg_mean_repeat"].fillna(0.0)
    posterior = fit(name, customers_of(table), method="mle")
    assert posterior.method == "mle" and len(posterior.stacked(next(iter(published)))) == 1
    for parameter, truth in published.items():
        assert f"{posterior.stacked(parameter)[0]:.3g}" == f"{truth:.3g}", parameter


def test_unknown_names_are_refused():
    for wrong, text in (({"method": "advi"}, "method 'advi'"), ({"priors": {"alhpa": None}}, "alpha")):
        with pytest.raises(ConfigError, match=text):
            fit("bg_nbd", customers_of(table_of()), **wrong)
    with pytest.raises(ConfigError, match="did you mean 'bg_nbd'"):
        fit("bgnbd", customers_of(table_of()))


def test_maximum_likelihood_has_no_pooled_groups():
    of_groups = table_of().assign(g=["x", "y"] * 4)
    with pytest.raises(FitError, match="pooled groups"):
        fit("bg_nbd", customers_of(of_groups), effects=[Effect("purchases", ("r",), "g")], method="mle")
