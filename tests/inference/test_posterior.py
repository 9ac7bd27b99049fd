"""Fits: units, order of rows, independence of the parts, refusals, published estimates; posteriors as files; LOO."""

from __future__ import annotations

import dataclasses
import json

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from contracts.cases import (
    CASES,
    by_channel,
    case_of,
    customers_of,
    posterior_of,
    priors_around,
    rescaled,
    simulated,
    table_of,
)
from contracts.purchase import close
from scipy import stats

from clvmodels.errors import ConfigError, DataError, FitError, ResultsError
from clvmodels.inference.choice_of_sampler import Attempt
from clvmodels.inference.effects import Effect
from clvmodels.inference.fitting import fit
from clvmodels.inference.leave_one_out import loo
from clvmodels.inference.posterior import SCHEMA_VERSION, load
from clvmodels.inference.samplers.checks import Check
from clvmodels.models import MODELS
from clvmodels.models.evaluate import log_prob

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


def test_the_order_of_rows_changes_nothing(fit_of_150):
    name, table, posterior = fit_of_150
    shuffled = fitted(name, table.sample(frac=1.0, random_state=1))
    assert np.array_equal(draws_of(shuffled), draws_of(posterior))


def test_the_fit_is_seeded_checked_and_shown(fit_of_150):
    name, table, posterior = fit_of_150
    again = fit(posterior.model, customers_of(table), priors=posterior.priors, method="laplace", draws=DRAWS, seed=4)
    assert not np.isin(draws_of(again), draws_of(posterior)).any()
    assert posterior.passed and posterior.method == "laplace" and {check.check for check in posterior.checks}
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


# ---------------------------------------------------------------------------------------------- refusals


def test_nobody_to_fit_is_refused():
    with pytest.raises(DataError, match="no customers"):
        fit("bg_nbd", customers_of(table_of().iloc[:0]))


def test_everything_wrong_with_the_customers_is_told_at_once():
    table = table_of().assign(T=[np.nan] * 8).drop(columns="monetary_value")
    table.loc["twice", "recency"] = np.inf
    with pytest.raises(DataError, match=r"8 customers have no finite T") as refused:
        fit("bg_nbd", customers_of(table))
    assert "no finite recency" in str(refused.value) and "first 'twice'" in str(refused.value)
    with pytest.raises(DataError, match="needs the column monetary_value"):
        fit("gamma_gamma_mean", customers_of(table))


def test_spend_of_nobody_who_came_back_is_refused():
    table = table_of()
    with pytest.raises(DataError, match="no customer bought again"):
        fit("gamma_gamma", customers_of(table[table["frequency"] == 0]))


def test_effects_that_do_not_fit_are_refused_all_at_once():
    effects = [
        Effect("purchases", ("alhpa",), "channel"),
        Effect("purchases", ("a",), "channel"),
        Effect("lifetime", (), "chanel"),
    ]
    with pytest.raises(ConfigError) as refused:
        fit("bg_nbd", customers_of(table_of().assign(channel="x")), effects=effects)
    text = str(refused.value)
    assert "did you mean 'alpha'" in text and "belongs to part 'lifetime'" in text
    assert "names no parameter" in text and "did you mean 'channel'" in text


def test_unknown_names_are_refused():
    for wrong, text in (({"method": "advi"}, "method 'advi'"), ({"priors": {"alhpa": None}}, "alpha")):
        with pytest.raises(ConfigError, match=text):
            fit("bg_nbd", customers_of(table_of()), **wrong)
    with pytest.raises(ConfigError, match="did you mean 'bg_nbd'"):
        fit("bgnbd", customers_of(table_of()))


def test_maximum_likelihood_has_no_pooled_groups():
    with pytest.raises(FitError, match="pooled groups"):
        fit("bg_nbd", customers_of(table_of().assign(g="x")), effects=[Effect("purchases", ("r",), "g")], method="mle")


# ---------------------------------------------------------------------------------------------- files

HOSTILE = ("", " ", "a/b", "é\n\t", "🛒", "'\"\\", "NaN", "[0]", "x" * 500)


def grouped_posterior(draws: int = 40):
    check = Check("R-hat", 1.2, 1.01, False, "the chains disagree")
    plain = posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, draws)
    attempts = [Attempt("laplace", "k-hat")]
    return dataclasses.replace(
        by_channel(plain, "alpha", HOSTILE), checks=[check], attempts=attempts, currency="€", method="nuts"
    )


def test_a_saved_posterior_comes_back_whole(tmp_path):
    posterior = grouped_posterior()
    back = load(posterior.save(tmp_path / "new" / "p.nc"))
    for field in dataclasses.fields(posterior):
        if field.name != "data":
            assert getattr(back, field.name) == getattr(posterior, field.name), field.name
    for name in ("r", "alpha", "alpha_by_channel", "alpha_by_channel_sd"):
        assert np.array_equal(back.stacked(name), posterior.stacked(name))
    table = table_of().assign(channel=[*HOSTILE[2:], "never seen"])
    assert np.array_equal(back.theta(table)["alpha"], posterior.theta(table)["alpha"])
    assert not back.passed and "FAILED" in back._repr_html_()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["p.nc"]
    assert (tmp_path / "new" / "p.nc").read_bytes()[1:4] == b"HDF", "NetCDF: nothing in it is executed when it is read"


def test_files_that_are_no_posterior_are_refused(tmp_path):
    whole = grouped_posterior().save(tmp_path / "p.nc").read_bytes()
    for name, content in {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"r,alpha\n1,2\n"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ResultsError, match="not a readable NetCDF"):
            load(tmp_path / name)
    with pytest.raises(ResultsError, match="no such posterior"):
        load(tmp_path / "absent.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(ResultsError, match="schema version; got none"):
        load(tmp_path / "other.nc")


def test_another_schema_version_is_refused(tmp_path):
    path = grouped_posterior().save(tmp_path / "p.nc")
    tree = xr.open_datatree(path).load()
    tree.close()
    tree.attrs["schema_version"] = SCHEMA_VERSION + 1
    tree.to_netcdf(tmp_path / "later.nc")
    with pytest.raises(
        ResultsError, match=rf"got {SCHEMA_VERSION + 1}. This clvmodels reads version {SCHEMA_VERSION}:"
    ):
        load(tmp_path / "later.nc")


def test_a_posterior_of_an_unknown_model_is_refused(tmp_path):
    tree = xr.open_datatree(grouped_posterior().save(tmp_path / "p.nc")).load()
    tree.attrs["clvmodels"] = json.dumps(json.loads(tree.attrs["clvmodels"]) | {"model": "bgnbd"})
    tree.to_netcdf(tmp_path / "q.nc")
    with pytest.raises(ConfigError, match="did you mean 'bg_nbd'"):
        load(tmp_path / "q.nc")


# ---------------------------------------------------------------------------------------------- groups and LOO


def test_groups_move_the_parameter_and_new_groups_are_fresh_draws():
    posterior = grouped_posterior(3000)
    labels = ["a/b", "new 1", "new 2", "new 1"]
    table = table_of().iloc[:4].assign(channel=labels)
    alpha, base = posterior.theta(table)["alpha"], posterior.stacked("alpha")[:, None]
    c = -np.log(alpha / base)  # a positive coefficient raises the purchase rate: alpha falls
    close(c[:, 0], posterior.stacked("alpha_by_channel")[:, 2], 1e-12)
    assert np.array_equal(c[:, 1], c[:, 3]) and not np.isclose(c[:, 1], c[:, 2]).any()
    for k in (1, 2):
        assert stats.kstest(c[:, k], stats.norm(0, 0.7).cdf).pvalue > 1e-5
    backwards = posterior.theta(table.iloc[::-1])["alpha"][:, ::-1]
    assert np.array_equal(backwards, alpha)
    with pytest.raises(ConfigError, match="channel"):
        posterior.theta(table_of())


@pytest.mark.parametrize("name", MODELS)
def test_loo_is_that_of_uncondensed_rows(name):
    case, table = case_of(name), simulated(case_of(name), size=40)
    table.iloc[:10] = table.iloc[10:20].to_numpy()  # equal histories
    posterior = posterior_of(case.model, case.theta, 500)
    found = loo(posterior, customers_of(table))
    rows = {n: table[n].to_numpy(dtype=float)[None] for n in case.model.observes}
    pointwise = log_prob(case.model, rows, posterior.theta(table))[None]
    says = np.ptp(pointwise[0], axis=0) > 0
    tree = az.from_dict({"posterior": {"one": pointwise[..., 0]}, "log_likelihood": {"customer": pointwise[..., says]}})
    direct = az.loo(tree, pointwise=True)
    assert list(found.index) == list(table.index)
    close(found["elpd_i"][says], direct.elpd_i.to_numpy())
    close(found["pareto_k"][says], direct.pareto_k.to_numpy(), 1e-6)
    assert np.array_equal(found["elpd_i"][~says], pointwise[0, 0, ~says])  # nothing that a parameter could change
    assert np.array_equal(found["elpd_i"][:10], found["elpd_i"][10:20])
