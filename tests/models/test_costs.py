"""Cost models against brute force: densities, what is known of an individual, what comes with purchases; fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import as_theta
from contracts.cost_cases import COST_CASES, CostCase, cost_case_of, customers_of_rows
from contracts.purchase import close, mean_is, money_of, over_periods
from scipy import stats

from clvmodels.inference.density import compiled_density
from clvmodels.inference.effects import Effect
from clvmodels.inference.fitting import fit
from clvmodels.inference.posterior import load
from clvmodels.inference.refusals import resolve_priors
from clvmodels.inference.samplers.mode import find_mode
from clvmodels.inference.unique_rows import condense
from clvmodels.models import COSTS, CostModel, CountModel, known_costs
from clvmodels.models.costs.returns import returned_share, simulated_shares
from clvmodels.randomness import KeyedRandom

DRAWS = 4000
COUNTED = [name for name, model in COSTS.items() if isinstance(model, CountModel)]


def wide(table: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: table[name].to_numpy(dtype=float)[None] for name in table}


def own_of(case: CostCase, rows, theta, rng) -> np.ndarray:
    """The draws of a customer's own variable."""
    if isinstance(case.model, CostModel):
        return case.model.draw_own(rows, theta, rng)
    return case.model.draw(rows, theta, rng)["median_spend"]


def expected_of(case: CostCase, rows, theta) -> np.ndarray:
    if isinstance(case.model, CostModel):
        return case.model.expected_own(rows, theta)
    return case.model.expected_spend(rows, theta)


def free_of(model, theta) -> np.ndarray:
    """Free coordinates of a truth."""
    stated = [(theta[p.name] - p.lower) if p.support == "positive" else theta[p.name] for p in model.parameters]
    return np.array([p.free_from_stated(s) for p, s in zip(model.parameters, stated, strict=True)], dtype=float)


def theta_of(model, u) -> dict[str, float]:
    return {p.name: float(p.value(p.stated(x))) for p, x in zip(model.parameters, u, strict=True)}


def slope(case: CostCase, theta, events, u, direction) -> float:
    """Of the integral, by Richardson's two central differences."""
    at = lambda step: case.story.log_prob(theta_of(case.model, u + step * direction), events)  # noqa: E731
    wide, narrow = ((at(step) - at(-step)) / (2.0 * step) for step in (1e-3, 5e-4))
    return (4.0 * narrow - wide) / 3.0


def test_each_model_tells_of_its_own_cost():
    assert {name for model in COSTS.values() for name in model.provides} == set(known_costs())
    assert all(model.provides == {model.cost} and model.says and model.part for model in COSTS.values())
    assert all(
        len(model.provides) == 1 and p.part in model.provides for model in COSTS.values() for p in model.parameters
    )


@pytest.mark.parametrize("name", COSTS)
def test_density_and_gradient_are_those_of_the_integral_over_individuals(name):
    """At ordinary and extreme truths; the gradient against central differences of the integral."""
    case = cost_case_of(name)
    structure = compiled_density(case.model, (), {}, resolve_priors(case.model, None), "week", 1.0, False)
    for theta in case.thetas + case.extremes:
        u = free_of(case.model, theta)
        for events in case.events:
            table = case.table([events])
            structure.set_data(condense(table, case.model.observes), table, {})
            value, gradient = structure.target.value_and_grad(u)
            close(value, case.story.log_prob(theta, events))
            close(gradient, [slope(case, theta, events, u, one) for one in np.eye(len(u))], 1e-5)


@pytest.mark.parametrize("name", COSTS)
def test_nothing_bought_says_nothing(name):
    case = cost_case_of(name)
    structure = compiled_density(case.model, (), {}, resolve_priors(case.model, None), "week", 1.0, False)
    table = case.table([case.events[0]])
    assert (table == 0).all(axis=None)
    structure.set_data(condense(table, case.model.observes), table, {})
    for theta in case.thetas + case.extremes:
        value, gradient = structure.target.value_and_grad(free_of(case.model, theta))
        assert value == 0.0 and np.array_equal(gradient, np.zeros(len(gradient)))


@pytest.mark.parametrize("name", COSTS)
def test_expected_own_is_the_integral_over_individuals(name):
    case = cost_case_of(name)
    rows, story = wide(case.table()), case.story
    for theta in case.thetas + case.extremes:
        found = np.broadcast_to(expected_of(case, rows, as_theta(theta)), (1, len(case.events)))[0]
        truth = [story.mean(theta, e, lambda own: story.mean_event(theta, own)) for e in case.events]
        close(found / truth, np.ones(len(truth)), 1e-9)


@pytest.mark.parametrize("name", COSTS)
def test_draws_of_own_have_the_moments_of_the_integral(name):
    """Where a law's rare values are rarer than one draw in all, standard errors are of the law's variance."""
    case = cost_case_of(name)
    rows, story, labels = wide(case.table()), case.story, list(case.table().index)
    for theta in case.thetas + case.extremes:
        drawn = own_of(case, rows, as_theta(theta), KeyedRandom(1, "own", labels, DRAWS))
        mean = np.array([story.mean(theta, e, lambda own: own) for e in case.events])
        centred = [
            {p: story.mean(theta, e, lambda own, m=m, p=p: (own - m) ** p) for p in (2, 4)}
            for e, m in zip(case.events, mean, strict=True)
        ]
        second, fourth = (np.array([c[p] for c in centred]) for p in (2, 4))
        assert drawn.shape == (DRAWS, len(labels)) and np.isfinite(drawn).all()
        scale = np.sqrt(second)
        mean_is((drawn - mean) / scale, 0.0, 1.0)
        mean_is(((drawn - mean) / scale) ** 2, 1.0, fourth / second**2 - 1.0)


@pytest.mark.parametrize("name", COSTS)
def test_a_blank_customer_is_a_draw_of_the_population(name):
    """Kolmogorov-Smirnov of one draw of each of 4,000, whatever the rows held before."""
    case = cost_case_of(name)
    rows = {n: np.tile(v, 1000)[:, :DRAWS] for n, v in wide(case.table()).items()}
    for theta in case.thetas:
        drawn = own_of(
            case, case.model.blank(rows), as_theta(theta), KeyedRandom(1, "own", list(map(str, range(DRAWS))), 1)
        )
        assert stats.kstest(drawn[0], case.story.law(theta).cdf).pvalue > 1e-5


# ------------------------------------------------------------------------------------------ what comes with purchases


def standard(values, mean, variance) -> None:
    """Means and variances over the first axis."""
    z = (values - mean) / np.sqrt(variance)
    mean_is(z, 0.0)
    mean_is(z**2, 1.0)


@pytest.mark.parametrize("name", COUNTED)
def test_counts_that_come_with_purchases_have_mean_and_variance(name):
    model, own, n = COSTS[name], np.array([0.02, 0.3, 0.9]), np.array([0.0, 1.0, 7.0, 2000.0])
    stream = KeyedRandom(1, "counts", ["a", "b", "c"], DRAWS)
    counts, rates, along = over_periods(stream, np.tile(n, (DRAWS, 3, 1)), own)
    drawn = model.draw_counts(rates, counts, along).reshape(DRAWS, 3, -1)
    mean = own[:, None] * n
    variance = mean if name.startswith("gamma_poisson") else mean * (1.0 - own[:, None])
    assert np.array_equal(drawn, np.round(drawn)) and np.all(drawn[..., 0] == 0)
    assert name.startswith("gamma_poisson") or np.all(drawn <= n)
    standard(drawn[..., 1:], mean[:, 1:], variance[:, 1:])


def test_chances_of_0_and_1_draw_none_and_all():
    model = COSTS["beta_binomial_returns"]
    drawn = model.draw_counts(np.array([0.0, 1.0]), np.full((3, 2), 9.0), KeyedRandom(1, "n", ["a", "b"], 3))
    assert np.array_equal(drawn.T, [[0.0] * 3, [9.0] * 3])


@pytest.mark.parametrize("theta", COST_CASES["beta_binomial_returns"].thetas)
def test_shares_of_returned_orders(theta):
    """How many whole; of the others one exactly, several by mean and variance of their mean."""
    model, returned = COSTS["beta_binomial_returns"], np.array([0.0, 1.0, 2.0, 9.0])
    stream = KeyedRandom(1, "shares", ["a"], DRAWS)
    counts, *own, along = over_periods(stream, np.tile(returned, (DRAWS, 1, 1)), *as_theta(theta).values())
    drawn = model.draw_shares(dict(zip(theta, own, strict=True)), counts, along)
    whole, share = (of_all.reshape(DRAWS, 1, -1) for of_all in drawn)
    w, m, k = theta["whole"], theta["share"], theta["precision"]
    assert np.all(whole <= returned) and np.all(whole[..., 0] == 0) and np.all((share >= 0) & (share <= 1))
    standard(whole[..., 1:], w * returned[1:], returned[1:] * w * (1.0 - w))
    part = (returned - whole)[:, 0]
    assert stats.kstest(share[:, 0][part == 1.0], stats.beta(m * k, (1.0 - m) * k).cdf).pvalue > 1e-5
    several = part > 1.0
    z = (share[:, 0][several] - m) / np.sqrt(m * (1.0 - m) / (k + 1.0) / part[several])
    mean_is(z, 0.0)
    mean_is(z**2, 1.0)
    found = simulated_shares(theta, 40_000, np.random.default_rng(1))
    mean_is(found, returned_share(theta))


@pytest.mark.parametrize("theta", COST_CASES["normal_margin"].thetas)
def test_margin_of_n_purchases(theta):
    n, own = np.array([0.0, 1.0, 9.0]), np.array([0.3, -0.1])
    stream = KeyedRandom(1, "margin", ["a", "b"], DRAWS)
    counts, rates, sigma, along = over_periods(stream, np.tile(n, (DRAWS, 2, 1)), own, theta["sigma"])
    drawn = COSTS["normal_margin"].draw_rates(rates, counts, sigma, along).reshape(DRAWS, 2, -1)
    standard(drawn, own[:, None], theta["sigma"] ** 2 / np.maximum(n, 1.0))
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize("theta", COST_CASES["lognormal_handling"].thetas)
def test_handling_of_n_contacts(theta):
    n, median = np.array([0.0, 1.0, 7.0, 400.0]), np.array([5.0, 80.0])
    stream = KeyedRandom(1, "handling", ["a", "b"], DRAWS)
    state = {"median_spend": np.tile(median, (DRAWS, 1)), "spread": as_theta(theta)["sigma"]}
    drawn = money_of(COSTS["lognormal_handling"], state, np.tile(n, (DRAWS, 2, 1)), stream)
    one = median[:, None] * np.exp(theta["sigma"] ** 2 / 2.0)
    assert np.all(drawn[..., 0] == 0)
    standard(drawn[..., 1:], (one * n)[:, 1:], (one**2 * np.expm1(theta["sigma"] ** 2) * n)[:, 1:])


# ----------------------------------------------------------------------------------------------------- fits


SLOPE = 0.4
QUICK = ("beta_binomial_returns", "normal_margin")
FITTED = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in COSTS]


def by_channel(case: CostCase) -> Effect:
    return Effect(case.role, (case.moved,), "channel")


def on_score(case: CostCase) -> Effect:
    return Effect(case.role, (case.moved,), covariates=("score",))


@pytest.mark.parametrize("name", FITTED)
def test_a_pooled_group_is_fitted_saved_and_loaded(name, tmp_path):
    case = cost_case_of(name)
    table = case.simulated(case.thetas[0], 60, 1)
    fitted = fit(case.model, customers_of_rows(table), effects=[by_channel(case)], method="laplace", draws=200, seed=1)
    assert fitted.method == "laplace" and fitted.groups["channel"] == ("mail", "shop", "web")
    again = load(fitted.save(tmp_path / "one.nc"))
    assert again.model is case.model and again.effects == fitted.effects and again.priors == fitted.priors
    for draws, stored in zip(fitted.theta(table).values(), again.theta(table).values(), strict=True):
        assert np.array_equal(draws, stored) and np.isfinite(draws).all()
    of_channels = fitted.theta(table)[case.moved]
    same = np.flatnonzero(table["channel"] == table["channel"].iloc[0])
    assert np.array_equal(of_channels[:, same[0]], of_channels[:, same[-1]])
    assert len(np.unique(of_channels[0])) == 3


@pytest.mark.parametrize("name", FITTED)
def test_maximum_likelihood_finds_the_truth(name):
    """Within 4 standard errors of the curvature, the covariate's coefficient too; of few customers it converges."""
    case, slope = cost_case_of(name), SLOPE if name != "normal_margin" else 0.05
    theta, effects = case.thetas[0], [on_score(case)]
    for size in (60, 4000):
        table = case.simulated(theta, size, 2, slope)
        fitted = fit(case.model, customers_of_rows(table), effects=effects, method="mle", seed=1)
        assert fitted.method == "mle" and fitted.passed
    structure = compiled_density(case.model, effects, {}, resolve_priors(case.model, None), "week", 1.0, False)
    structure.set_data(condense(table, case.model.observes, effects), table, fitted.scales)  # a fit leaves none behind
    sd, scale = np.sqrt(np.diag(find_mode(structure.target).covariance)), fitted.scales["score"]
    own = next(p for p in case.model.parameters if p.name == case.moved)
    at_mean = {**theta, case.moved: own.moved(theta[case.moved], slope * scale.mean)}
    names = [*theta, fitted.effects[0].name]
    found = np.array(
        [*(free_of(case.model, {n: fitted.stacked(n)[0] for n in theta})), fitted.stacked(names[-1])[0, 0]]
    )
    z = (found - np.array([*free_of(case.model, at_mean), slope * scale.sd])) / sd
    assert np.all(np.abs(z) < 4.0), dict(zip(names, z, strict=True))
    assert np.all(sd < 0.2), dict(zip(names, sd, strict=True))
