"""Effects of a fit on other customers: scales, missing covariates, unseen groups, stored and fitted again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, case_of, customers_of, posterior_of, priors_around, simulated, table_of
from contracts.effect_cases import at_mode, base, check_scored, covariates, pooled
from contracts.purchase import close
from fakes.effects import BG, CHANNELS, of_draws, on

from clvmodels.errors import ConfigError, DataError, FitError
from clvmodels.inference.effects import Effect, targets
from clvmodels.inference.fitting import fit
from clvmodels.inference.posterior import load
from clvmodels.inference.terms import Scale


def test_maximum_likelihood_has_no_pooled_groups_but_covariates():
    of_groups = table_of().assign(g=["x", "y"] * 4)
    with pytest.raises(FitError, match="pooled groups"):
        fit("bg_nbd", customers_of(of_groups), effects=[Effect("purchases", ("r",), "g")], method="mle")


def linear(missing="refuse", draws=500):
    rng = np.random.default_rng(2)
    plain = posterior_of(BG.model, BG.theta, draws)
    effect = Effect("purchases", ("alpha",), covariates=("nps", "age"), missing=missing)
    contents = {p.name: plain.stacked(p.name) for p in BG.model.parameters}
    contents[effect.name] = rng.normal(0.3, 0.1, (draws, 4 if missing == "indicator" else 2))
    scales = {"nps": Scale(6.0, 2.0), "age": Scale(40.0, 10.0)}
    return of_draws(BG.model, contents, (effect,), {}, scales)


def moved_by(posterior, nps, age):
    """log of alpha's ratio to the population's, of one customer. [D]"""
    table = table_of().iloc[:1].assign(nps=nps, age=age)
    return -np.log(posterior.theta(table)["alpha"][:, 0] / posterior.stacked("alpha"))


def test_covariates_are_read_by_the_scale_of_the_fit():
    posterior = linear()
    b = posterior.stacked("alpha_on_nps_age")
    close(moved_by(posterior, 10.0, 25.0), 2.0 * b[:, 0] - 1.5 * b[:, 1], 1e-12)
    close(moved_by(posterior, 6.0, 40.0), np.zeros(500), 1e-12)
    each = posterior.effect_summary().set_index(["kind", "label"])
    close(each.loc[("per unit", "age"), "mean"], b[:, 1].mean() / 10.0)
    close(each.loc[("per sd", "nps"), "factor 50%"], np.exp(np.median(b[:, 0])))
    assert set(each["raises"]) == {"purchase rate"}


def test_missing_covariates_follow_the_policy_of_the_fit_in_scoring_too():
    with pytest.raises(DataError, match=r"'nps' is missing for 1 of 1 customers.*missing: mean"):
        moved_by(linear(), np.nan, 40.0)
    with pytest.raises(ConfigError, match="Unknown covariate 'age'"):
        linear("mean").theta(table_of().assign(nps=1.0))
    average = linear("mean")
    close(moved_by(average, np.nan, 50.0), average.stacked("alpha_on_nps_age")[:, 1], 1e-12)
    told = linear("indicator")
    b = told.stacked("alpha_on_nps_age")
    close(moved_by(told, np.nan, 40.0), b[:, 2], 1e-12)
    close(moved_by(told, np.nan, np.nan), b[:, 2] + b[:, 3], 1e-12)
    assert set(told.effect_summary()["kind"]) == {"per sd", "per unit", "missing"}


def test_a_customers_parameters_do_not_depend_on_the_company():
    posterior = linear("mean")
    rng = np.random.default_rng(1)
    table = table_of({f"c{k:02d}": (2, 20.0, 30.0, 10.0) for k in range(33)}).assign(
        nps=rng.normal(6, 2, 33), age=rng.normal(40, 9, 33)
    )
    whole = posterior.theta(table)["alpha"]
    for part in (slice(0, 1), slice(5, 12), slice(32, 0, -3)):
        assert np.array_equal(posterior.theta(table.iloc[part])["alpha"], whole[:, part])


def test_effects_are_stored_whole(tmp_path):
    posterior = linear("indicator")
    back = load(posterior.save(tmp_path / "p.nc"))
    assert back.effects == posterior.effects and back.scales == posterior.scales
    table = table_of().assign(nps=np.r_[np.nan, np.arange(7.0)], age=30.0)
    assert np.array_equal(back.theta(table)["alpha"], posterior.theta(table)["alpha"])


@pytest.mark.parametrize(
    ("name", "target", "kind"),
    [
        ("bg_nbd", "dropout_mean", pooled),
        ("nbd", "alpha", covariates),
    ],
)
def test_fifty_customers_with_unseen_groups_and_missing_covariates(name, target, kind):
    """By the mode; of every parameter of every model, and by NUTS, in slow/test_every_effect.py."""
    case = case_of(name)
    check_scored(case, at_mode(case, kind(targets(case.model)[target].part, target), base(case)))


def test_a_group_and_covariates_by_laplace():
    """An effect of 0.8 per sd is found; what is not there stays near 0; both kinds at once."""
    case = CASES["nbd"]
    table = pd.concat([simulated(case, 150, k).add_prefix(f"{k}-", axis=0) for k in range(2)]).sort_index()
    rng = np.random.default_rng(1)
    table["score"], table["noise"] = rng.normal(6, 2, 300), rng.normal(size=300)
    table["channel"] = rng.choice(CHANNELS, 300)
    lively = np.exp(0.8 * (table["score"] - 6) / 2)  # lives run faster: the same purchases in a shorter time
    table["recency"], table["T"] = table["recency"] / lively, table["T"] / lively
    effects = [Effect("purchases", ("alpha",), "channel"), on("score", "noise")]
    posterior = fit(
        "nbd", customers_of(table), effects=effects, priors=priors_around(case), method="laplace", draws=400
    )
    assert posterior.passed, posterior.checks
    told = posterior.effect_summary().set_index(["kind", "label"])
    assert told.loc[("per unit", "score"), "5%"] < 0.4 < told.loc[("per unit", "score"), "95%"]
    assert told.loc[("per sd", "score"), "5%"] > 0.5
    noise = told.loc[("per sd", "noise")]
    assert abs(noise["mean"]) < 4 * noise["sd"] < 0.5
    assert told.loc[("sd between groups", "channel"), "5%"] < 0.15
    assert len(told) == 3 + 1 + 4
