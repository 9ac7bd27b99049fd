"""Effects: what they move and refuse, unseen groups, missing covariates; against established software; samplers."""

from __future__ import annotations

import dataclasses
import json

import arviz as az
import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, case_of, customers_of, posterior_of, priors_around, simulated, table_of
from contracts.effect_cases import at_mode, base, check_scored, covariates, pooled
from contracts.purchase import close
from scipy import special, stats

from clvmodels.errors import ConfigError, DataError, FitError
from clvmodels.inference.density import Density
from clvmodels.inference.effects import (
    COEFFICIENT_PRIOR,
    Effect,
    check_effects,
    columns_of,
    group_labels,
    raises,
    targets,
)
from clvmodels.inference.fitting import fit
from clvmodels.inference.posterior import Posterior, load
from clvmodels.inference.refusals import resolve_priors
from clvmodels.inference.terms import Scale, learn
from clvmodels.inference.unique_rows import condense
from clvmodels.models import MODELS
from clvmodels.models.evaluate import log_prob, p_alive
from clvmodels.models.prior import Prior

GENDER_CHANNEL = ("Gender", "Channel")
BG, CHANNELS = case_of("bg_nbd"), ["mail", "shop", "web"]
SEVERAL = (
    Effect("purchases", ("alpha",), "channel"),
    Effect("purchases", ("r",), covariates=("score",), missing="indicator"),
    Effect("lifetime", ("a", "b"), covariates=("business", "age")),
    Effect("lifetime", ("dropout_mean",), covariates=("score",), missing="mean"),
)


def of_draws(model, contents, effects, groups, scales):
    """A posterior of these draws [D]."""
    tree = az.from_dict({"posterior": {name: np.asarray(values)[None] for name, values in contents.items()}})
    priors = resolve_priors(model, None)
    return Posterior(model, tree, "laplace", priors, effects, groups, "week", 1.0, None, 1, scales=scales)


def rows_of(model, table):
    return {name: table[name].to_numpy(dtype=float)[None] for name in model.observes}


# ---------------------------------------------------------------------------------------------- what is said


def test_an_effect_survives_its_mapping():
    tight = Prior("Normal", {"mu": 0.1, "sigma": 0.2})
    for effect in (
        Effect("purchases", ("alpha",), "channel", Prior("HalfNormal", {"sigma": 1.0})),
        Effect("lifetime", ("a", "b"), covariates=("nps", "age"), coefficient_prior=tight, missing="indicator"),
    ):
        assert Effect.from_mapping(json.loads(json.dumps(effect.to_mapping()))) == effect
    assert Effect.from_mapping({"part": "spend", "parameters": ["v"], "covariates": ["age"]}).missing == "refuse"
    assert columns_of(SEVERAL) == (["channel"], ["age", "business", "score"])
    assert Effect("lifetime", ("a", "b"), covariates=("x/y", "z")).name == "a_b_on_x_y_z"


def test_what_a_positive_coefficient_raises():
    model = MODELS["bg_nbd"]
    assert raises(model, SEVERAL[0]) == "purchase rate"
    assert raises(model, SEVERAL[2]) == "dropout and staying"
    assert raises(model, SEVERAL[3]) == "dropout"


def test_labels_of_groups_are_text_whatever_the_column():
    assert group_labels(pd.Series([1.0, 2.5, np.nan])).tolist() == ["1", "2.5", "(missing)"]
    assert group_labels(pd.Series([3, 4])).tolist() == ["3", "4"]
    assert group_labels(pd.Series(["a", None])).tolist() == ["a", "(missing)"]


# ---------------------------------------------------------------------------------------------- what is refused


def refused(error, *effects, **columns) -> list[str]:
    table = table_of().assign(channel="x", nps=np.arange(8.0), **columns)
    with pytest.raises(error) as caught:
        check_effects(MODELS["bg_nbd"], effects, table)
    return [str(problem) for problem in caught.value.problems]


def on(*covariates, parameters=("alpha",), part="purchases", **more):
    return Effect(part, parameters, covariates=covariates, **more)


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        (on("nsp"), "Unknown covariate 'nsp'; did you mean 'nps'"),
        (on("frequency"), "'frequency' is what models explain, no covariate"),
        (on("flat"), "'flat' does not vary; got 1 for all customers. Leave it out"),
        (on("empty", missing="mean"), "'empty' does not vary; got nothing"),
        (on("nps", missing="drop"), "Unknown policy for missing covariates 'drop'"),
        (Effect("purchases", ("alpha",)), "has a group or covariates, one of them"),
        (Effect("purchases", ("alpha",), "channel", covariates=("nps",)), "has a group or covariates, one of them"),
        (
            on("nps", part="lifetime", parameters=("a", "dropout_mean")),
            "'dropout_mean' moves several parameters already",
        ),
        (on("nps", parameters=("dropout_mean",)), "'dropout_mean' belongs to part 'lifetime'"),
        (on("chain"), "cannot be called 'chain'"),
    ],
)
def test_effects_that_cannot_be_meant_are_refused(effect, text):
    told = refused((ConfigError, DataError), effect, flat=1.0, empty=np.nan, chain=np.arange(8.0))
    assert any(text in one for one in told), told


def test_covariates_that_are_no_numbers_or_missing_are_refused_with_what_to_do():
    gaps = np.where(np.arange(8) < 3, np.nan, np.arange(8.0))
    told = refused(DataError, on("words", "gaps", "endless"), words="a", gaps=gaps, endless=np.r_[np.inf, np.ones(7)])
    assert len(told) == 3, told
    assert "'words' holds str, not numbers. Use a column of words as a group" in told[0]
    assert "'gaps' is missing for 3 of 8 customers" in told[1] and "missing: indicator" in told[1]
    assert "'endless' is infinite for 1" in told[2]


def test_the_same_column_moves_a_parameter_once():
    assert "'nps' on 'alpha' is given twice" in refused(ConfigError, on("nps"), on("nps", "age"), age=np.arange(8.0))[0]
    check_effects(MODELS["bg_nbd"], [on("nps"), on("nps", parameters=("r",))], table_of().assign(nps=np.arange(8.0)))


def test_maximum_likelihood_has_no_pooled_groups_but_covariates():
    with pytest.raises(FitError, match="pooled groups"):
        fit("bg_nbd", customers_of(table_of().assign(g="x")), effects=[Effect("purchases", ("r",), "g")], method="mle")


# ---------------------------------------------------------------------------------------------- one density


@pytest.fixture(scope="module")
def several():
    """BG/NBD with several effects at once: its density at some point, and the posterior of that one draw."""
    rng = np.random.default_rng(5)
    table = base(BG, 40).assign(age=rng.normal(40.0, 9.0, 40), business=np.arange(40) % 3 == 0)
    groups, scales = learn(SEVERAL, table)
    priors = resolve_priors(BG.model, None)
    structure = Density(BG.model, SEVERAL, groups, priors, "week", 1.0)
    structure.set_data(condense(table, BG.model.observes, SEVERAL), table, scales)
    return table, structure, groups, scales


def test_the_density_is_that_of_parameters_moved_by_hand(several):
    table, structure, groups, scales = several
    rng = np.random.default_rng(3)
    u = rng.normal(0, 0.4, structure.target.size)
    centring = np.array([0.0, 0.3, 1.0])
    structure.centre(structure.terms[0], centring)
    found, _ = structure.target.value_and_grad(u)
    free, log_sd, z = u[:4], u[4], u[5:8]
    b_r, b_tied, b_mean = u[8:10], u[10:12], u[12:]
    r, alpha, a, b = np.exp(free)
    standard = {name: (table[name] - scales[name].mean) / scales[name].sd for name in ("score", "business", "age")}
    gap = table["score"].isna().to_numpy()
    score = np.where(gap, 0.0, standard["score"])
    c = z * np.exp((1 - centring) * log_sd)
    r_i = r * np.exp(b_r[0] * score + b_r[1] * gap)
    alpha_i = alpha * np.exp(-c[table["channel"].map({name: k for k, name in enumerate(CHANNELS)})])
    tied = np.exp(b_tied[0] * standard["business"] + b_tied[1] * standard["age"]).to_numpy()
    odds = np.log(a * tied / (b * tied)) + b_mean[0] * score
    total = (a + b) * tied
    theta = {"r": r_i, "alpha": alpha_i, "a": total * special.expit(odds), "b": total * special.expit(-odds)}
    each = log_prob(BG.model, rows_of(BG.model, table), {name: np.asarray(v)[None] for name, v in theta.items()})
    log_prior = sum(
        stats.norm.logpdf(free[k], p.prior.args["mu"], p.prior.args["sigma"]) for k, p in enumerate(BG.model.parameters)
    )
    log_prior += stats.halfnorm.logpdf(np.exp(log_sd), scale=0.5) + log_sd
    log_prior += stats.norm.logpdf(z, 0, np.exp(centring * log_sd)).sum() + stats.norm.logpdf(u[8:]).sum()
    assert found == pytest.approx(each.sum() + log_prior, abs=1e-7)  # PyMC's priors hold constants in single precision
    posterior = of_draws(BG.model, structure.constrain(u[None]), SEVERAL, groups, scales)
    for name, values in posterior.theta(table).items():
        close(values[0], theta[name], 1e-12)


def test_how_centred_changes_the_coordinates_only(several):
    _, structure, _, _ = several
    u = np.random.default_rng(4).normal(0, 0.3, structure.target.size)
    block = structure.slices["alpha_by_channel"]
    place, own = block.start, np.arange(block.start + 1, block.stop)
    values = []
    for centring in (np.ones(3), np.array([0.2, 0.0, 0.9])):
        structure.centre(structure.terms[0], centring)
        at = u.copy()
        at[own] = u[own] * np.exp((centring - 1) * u[place])
        log_jacobian = ((1 - centring) * u[place]).sum()
        values.append(structure.target.value_and_grad(at)[0] - log_jacobian)
        close(structure.constrain(at)["alpha_by_channel"], u[own], 1e-12)
    close(values[0], values[1], 1e-12)


def test_with_new_data_coefficients_are_centred_again(several):
    """Importance sampling along the sd and the whitening of NUTS take the coordinates for the coefficients."""
    table, structure, _, scales = several
    structure.centre(structure.terms[0], np.zeros(3))
    structure.set_data(condense(table, BG.model.observes, SEVERAL), table, scales)
    u = np.random.default_rng(4).normal(0, 0.3, structure.target.size)
    close(structure.constrain(u)["alpha_by_channel"], u[structure.slices["alpha_by_channel"]][1:], 1e-12)


def test_the_order_of_customers_changes_nothing(several):
    table, structure, _, _ = several
    u = np.random.default_rng(4).normal(0, 0.3, structure.target.size)
    values = []
    for shuffled in (table, table.sample(frac=1.0, random_state=1)):
        _, scales = learn(SEVERAL, shuffled)
        structure.set_data(condense(shuffled, BG.model.observes, SEVERAL), shuffled, scales)
        values.append(structure.target.value_and_grad(u)[0])
    assert values[0] == values[1]


def test_customers_are_condensed_only_where_effects_treat_them_alike():
    table = table_of().iloc[[3, 3, 3, 3]].assign(channel=["a", "b", "a", "a"], score=[1.0, 1.0, np.nan, 1.0])
    assert len(condense(table, ("frequency", "T")).weights) == 1
    by_both = condense(table, ("frequency", "T"), SEVERAL[:2])
    assert by_both.weights.tolist() == [1.0, 2.0, 1.0] or sorted(by_both.weights) == [1.0, 1.0, 2.0]
    assert by_both.inverse[0] == by_both.inverse[3] != by_both.inverse[1]


# ---------------------------------------------------------------------------------------------- scoring


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


# ---------------------------------------------------------------------------------------------- established software


@pytest.fixture(scope="module")
def apparel(shared_data, shared_reference):
    summary = pd.read_csv(shared_reference / "apparel" / "summary.csv", dtype={"cust": str}).set_index("cust")
    static = pd.read_csv(shared_data / "apparel" / "apparelStaticCov.csv", dtype={"Id": str}).set_index("Id")
    table = summary[["x", "t.x", "T.cal"]].set_axis(["frequency", "recency", "T"], axis=1)
    return table.join(static.astype(float)).rename_axis("customer_id").sort_index()


def as_clvtools(name, params, trans, life) -> Posterior:
    """A posterior of one draw from parameters at covariates 0, with coefficients per unit."""
    model = MODELS[name]
    tied = ("a", "b") if name == "bg_nbd" else ("beta",)
    effects = (on(*GENDER_CHANNEL), on(*GENDER_CHANNEL, part="lifetime", parameters=tied))
    values = dict(zip((p.name for p in model.parameters), ([value] for value in params), strict=True))
    coefficients = {effect.name: [list(own)] for effect, own in zip(effects, (trans, life), strict=True)}
    return of_draws(model, values | coefficients, effects, {}, dict.fromkeys(GENDER_CHANNEL, Scale(0.0, 1.0)))


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("pareto_nbd", "pnbd_static"),
        ("bg_nbd", "bgnbd_static"),
        pytest.param("gg_nbd", "ggomnbd_static", marks=pytest.mark.slow),  # effects move all models alike
    ],
)
@pytest.mark.parametrize("which", ["a", "z", "b"])
def test_the_likelihood_with_static_covariates_is_that_of_clvtools(name, own, which, apparel, shared_reference):
    known = json.loads((shared_reference / "log_likelihoods_covariates.json").read_text())
    known = next(k for k in known if k["model"] == own and k.get("param_set") == which)
    posterior = as_clvtools(name, known["params"], known["trans"], known["life"])
    each = log_prob(posterior.model, rows_of(posterior.model, apparel), posterior.theta(apparel))[0]
    first = pd.Series(each, apparel.index).loc[known["first20_cust"]].to_numpy()
    truth = np.array(known["first20"])
    assert np.all(np.abs(first - truth) <= 1e-8 * np.maximum(np.abs(truth), 1e-3))
    assert abs(each.sum() - known["total"]) <= 1e-8 * abs(known["total"])


def published(shared_reference, which):
    found = json.loads((shared_reference / "fits.json").read_text())[f"clvtools_apparel_{which}"]
    params = [value for name, value in found["params"].items() if "." not in name]
    trans, life = ([found["params"][f"{part}.{name}"] for name in GENDER_CHANNEL] for part in ("trans", "life"))
    return found, params, trans, life


@pytest.mark.parametrize(("name", "which"), [("pareto_nbd", "pnbd_static"), ("bg_nbd", "bgnbd_static")])
def test_predictions_with_static_covariates_are_those_of_clvtools(name, which, apparel, shared_reference):
    found, params, trans, life = published(shared_reference, which)
    posterior = as_clvtools(name, params, trans, life)
    file = shared_reference / "apparel" / f"predict_{name}_static_clvtools.csv"
    known = pd.read_csv(file, dtype={"Id": str}).set_index("Id")
    known, model = known.loc[apparel.index], posterior.model
    rows, theta = rows_of(model, apparel), posterior.theta(apparel)
    assert log_prob(model, rows, theta).sum() == pytest.approx(found["logLik"], abs=1e-6)
    alive = p_alive(model, rows, theta)
    np.testing.assert_allclose(alive[0], known["PAlive"], rtol=0, atol=1e-6)
    length = np.array([known["period.length"].iloc[0]])
    expected = alive[0] * model.expected_if_alive(rows, theta, length)[0, :, 0]
    np.testing.assert_allclose(expected, known["CET"], rtol=1e-6)


def test_maximum_likelihood_with_static_covariates(apparel, shared_reference):
    """The maximum lies 2.3e-5 log units above where CLVTools stopped, and its s and beta up to 1.5% from theirs on a
    ridge; the other estimates agree to three digits."""
    found, _, _, _ = published(shared_reference, "pnbd_static")
    effects = [on(*GENDER_CHANNEL), on(*GENDER_CHANNEL, part="lifetime", parameters=("beta",))]
    posterior = fit("pareto_nbd", customers_of(apparel), effects=effects, method="mle")
    assert posterior.passed, posterior.checks
    each = log_prob(posterior.model, rows_of(posterior.model, apparel), posterior.theta(apparel))
    assert found["logLik"] <= each.sum() <= found["logLik"] + 1e-3
    told = posterior.effect_summary().set_index(["effect", "kind", "label"])["mean"]
    at_zero = apparel.iloc[:1].assign(Gender=0.0, Channel=0.0)
    estimates = {name: values[0, 0] for name, values in posterior.theta(at_zero).items()}
    for own, effect in (("trans", effects[0]), ("life", effects[1])):
        estimates |= {f"{own}.{name}": told[effect.name, "per unit", name] for name in GENDER_CHANNEL}
    for name, truth in found["params"].items():
        assert estimates[name] == pytest.approx(truth, rel=0.015 if name in ("s", "beta") else 5e-3), name


# ---------------------------------------------------------------------------------------------- fits


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


def test_coefficient_priors_are_of_one_standard_deviation():
    assert COEFFICIENT_PRIOR.to_mapping()["dist"] == "Normal"
    wide = dataclasses.replace(on("nps"), coefficient_prior=Prior("Normal", {"mu": 0.0, "sigma": 3.0}))
    table = base(BG).assign(nps=lambda t: t["score"].fillna(6.0))
    values = []
    for effect in (on("nps"), wide):
        structure = Density(BG.model, [effect], {}, resolve_priors(BG.model, None), "week", 1.0)
        block = structure.terms[0]
        values.append(block.log_prior(np.array([2.0]), None).eval())
    close(values, stats.norm.logpdf(2.0, 0, [1.0, 3.0]), 1e-7)  # PyMC's priors hold constants in single precision
    assert len(table) == 50
