"""What is particular to the spend models: oracles of the mean's density, amounts against means, RFM tables, totals."""

from __future__ import annotations

import itertools
import json
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytensor.tensor as pt
import pytest
from contracts import stories
from contracts.cases import CASES, amount_statistics, as_theta, customers_of, pair_of, posterior_of, simulated, table_of
from contracts.purchase import close, mean_is, money_of
from scipy import stats

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.datasets import cdnow
from clvmodels.errors import DataError
from clvmodels.futures.histories import statistics
from clvmodels.inference.fitting import fit
from clvmodels.models import MODELS, SpendModel, get_model
from clvmodels.models.evaluate import log_prob
from clvmodels.randomness import KeyedRandom
from clvmodels.sources.transactions import read_transactions
from clvmodels.valuation.scoring import score

SPEND = [name for name, model in MODELS.items() if isinstance(model, SpendModel)]
THETA = {"p": 6.25, "q": 3.74, "v": 15.4}
MONEY = {"margin": 0.3, "annual_discount_rate": 0.12}


def rows_of_amounts(amounts: np.ndarray) -> dict[str, np.ndarray]:
    """What all spend models observe of amounts [R, n]."""
    n = np.full(len(amounts), float(amounts.shape[1]))
    return amount_statistics(amounts) | {"frequency": n, "monetary_value": amounts.mean(axis=1)}


# ---------------------------------------------------------------------------------------------- golden numbers


@pytest.mark.parametrize("days", ["repeat", "all"])
@pytest.mark.parametrize("dataset", ["cdnow", "apparel"])
def test_the_density_of_means_is_that_of_established_software(dataset, days, shared_reference):
    """Customer by customer, on repeat days and on all days."""
    table = pd.read_csv(shared_reference / dataset / "summary.csv", dtype={"cust": str}).sort_values("cust")
    means = table[f"gg_mean_{days}"].fillna(0).to_numpy()
    rows = {"frequency": table[f"gg_x_{days}"].to_numpy(float), "monetary_value": means}
    known = [
        e
        for e in json.loads((shared_reference / "log_likelihoods.json").read_text())
        if e["model"] == f"gg_{days}" and e["dataset"] == dataset
    ]
    assert len(known) == 4
    for oracle in known:
        theta = as_theta(dict(zip(("p", "q", "v"), oracle["params"], strict=True)))
        found = pd.Series(log_prob(MODELS["gamma_gamma_mean"], rows, theta)[0], index=table["cust"])
        assert (means > 0).sum() == oracle["n"]
        for value, truth in [(found[oracle["first20_cust"]], oracle["first20"]), (found.sum(), oracle["total"])]:
            truth = np.asarray(truth)
            assert np.all(np.abs(np.asarray(value) - truth) <= 1e-8 * np.maximum(np.abs(truth), 1e-3))


@pytest.mark.parametrize("name", [name for name in SPEND if MODELS[name].density_of == "amounts"])
def test_the_density_of_cdnows_amounts_from_its_rows(name, shared_data, monkeypatch):
    """Summarised and evaluated by the package; and each customer's amounts by another form of the density."""
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    table = summarize(cdnow.load_sample(), calibration_end="1997-09-30").customers.table
    rows = {key: table[key].to_numpy(float) for key in MODELS[name].observes}
    days = cdnow.load_sample().table.execute().groupby(["customer_id", "date"])["amount"].sum().reset_index()
    days = days[(days["date"] <= "1997-09-30") & (days["amount"] > 0)]
    repeat = days[days["date"] > days.groupby("customer_id")["date"].transform("min")]
    amounts = repeat.groupby("customer_id")["amount"].agg(np.array)
    assert len(amounts) == 946
    for values in CASES[name].thetas:
        found = pd.Series(log_prob(MODELS[name], rows, as_theta(values))[0], index=table.index)
        truth = amounts.map(lambda z, values=values: EXCHANGEABLE[name](z, **values))
        close(found[truth.index], truth)
        assert (found.drop(truth.index) == 0).all()


def _compound_gamma(z, p, q, v):
    """One amount after the other, each given those before: beta prime of scale v + their sum."""
    before = v + np.r_[0.0, np.cumsum(z)[:-1]]
    return stats.betaprime.logpdf(z, p, q + p * np.arange(len(z)), scale=before).sum()


def _equicorrelated(z, m, tau, sigma):
    """The logs are jointly normal with covariance tau^2 between them."""
    covariance = tau**2 + sigma**2 * np.eye(len(z))
    return stats.multivariate_normal.logpdf(np.log(z), np.full(len(z), np.log(m)), covariance) - np.log(z).sum()


EXCHANGEABLE = {"gamma_gamma": _compound_gamma, "lognormal_spend": _equicorrelated}


# ---------------------------------------------------------------------------------------------- amounts and means


def test_amounts_given_their_mean_tell_nothing_of_the_population():
    """The density of the amounts over that of their mean: the same whatever q and v, and Dirichlet's with p."""
    amounts = np.random.default_rng(1).gamma(2.0, 10.0, (6, 5)) * np.logspace(-3, 4, 6)[:, None]
    rows, ratios = rows_of_amounts(amounts), []
    for q, v in ((3.74, 15.4), (1.01, 0.2), (40.0, 9000.0)):
        theta = as_theta({"p": 6.25, "q": q, "v": v})
        ratios.append(log_prob(MODELS["gamma_gamma"], rows, theta) - log_prob(MODELS["gamma_gamma_mean"], rows, theta))
    close(ratios[1], ratios[0])
    close(ratios[2], ratios[0])
    total = amounts.sum(axis=1)
    shares = [stats.dirichlet.logpdf(one / one.sum(), np.full(5, 6.25)) for one in amounts]
    # from the last four shares and the mean to the five amounts: d z = s^4 n d(shares, mean)
    close(ratios[0][0], np.array(shares) - 4 * np.log(total) - np.log(5))


def test_one_amount_is_its_own_mean():
    rows = rows_of_amounts(np.logspace(-2, 6, 9)[:, None])
    for theta in map(as_theta, CASES["gamma_gamma"].thetas):
        close(*(log_prob(MODELS[name], rows, theta) for name in ("gamma_gamma", "gamma_gamma_mean")))


def test_both_gamma_gammas_have_the_same_individuals():
    table, draws = table_of(), 200
    found = []
    for name in ("gamma_gamma", "gamma_gamma_mean"):
        model = MODELS[name]
        rows = {key: table[key].to_numpy(float)[None] for key in model.conditions_on}
        state = model.draw(rows, as_theta(THETA), KeyedRandom(1, "s", list(table.index), draws))
        n = np.full((draws, len(table), 2), 3.0)
        money = money_of(model, state, n, KeyedRandom(1, "m", list(table.index), draws))
        found.append((state["spend_rate"], money, model.expected_spend(rows, as_theta(THETA))))
    for one, other in zip(*found, strict=True):
        close(one / other, np.ones_like(one))


@pytest.mark.slow
def test_more_is_learnt_of_p_from_amounts_than_from_means():
    """On one data set: p's posterior is narrower where each customer's amounts are seen."""
    table = simulated(CASES["gamma_gamma"], size=400)
    sd = {}
    for name in ("gamma_gamma", "gamma_gamma_mean"):
        drawn = np.log(fit(name, customers_of(table), method="laplace", draws=500, seed=3).stacked("p"))
        sd[name] = drawn.std()
        assert abs(drawn.mean() - np.log(THETA["p"])) < 4 * drawn.std()
    assert sd["gamma_gamma"] < 0.7 * sd["gamma_gamma_mean"]


# ---------------------------------------------------------------------------------------------- what is observed


@pytest.mark.parametrize("name", SPEND)
def test_what_draws_condition_on_is_observed(name):
    model = MODELS[name]
    assert set(model.conditions_on) <= set(model.observes)
    assert model.density_of == ("means" if "monetary_value" in model.observes else "amounts")


def rfm_of(table: pd.DataFrame) -> Customers:
    frame = table[["frequency", "recency", "T", "monetary_value"]].reset_index()
    return Customers.from_rfm(frame, time_unit="week", observation_end="2025-06-30")


@pytest.mark.parametrize("name", [name for name in SPEND if MODELS[name].density_of == "amounts"])
def test_an_rfm_table_is_told_what_it_can_be_fitted_by(name):
    with pytest.raises(DataError, match=r"needs the columns? amount_log_sum.*It can be fitted by gamma_gamma_mean$"):
        fit(name, rfm_of(table_of()))


def test_an_rfm_table_is_scored_by_a_fit_to_the_amounts():
    """What draws condition on follows from it, where the density's statistics do not."""
    table = simulated(CASES["gamma_gamma"], size=30)
    purchases, spend = pair_of(CASES["gamma_gamma"], 100)
    both = {"purchases": purchases, "spend": spend}
    found = score(both, rfm_of(table), horizon=26.0, **MONEY)
    np.testing.assert_allclose(found, score(both, customers_of(table), horizon=26.0, **MONEY), rtol=1e-9)
    lognormal = posterior_of(MODELS["lognormal_spend"], CASES["lognormal_spend"].theta, 100)
    with pytest.raises(DataError, match="no column 'amount_log_sum', which Log-normal spend observes"):
        score({"purchases": purchases, "spend": lognormal}, rfm_of(table), horizon=26.0, **MONEY)


@pytest.mark.parametrize("name", SPEND)
def test_days_that_brought_nothing_change_nothing_but_the_literatures_mean(name):
    purchases = pd.DataFrame({"customer_id": ["a"] * 4, "age": [0.0, 1.0, 2.0, 3.0], "amount": [5.0, 8.0, 0.0, 3.0]})
    theta = as_theta(CASES[name].theta)
    found = []
    for seen in (purchases, purchases[purchases["amount"] > 0]):
        table = statistics(seen, [4.0])
        found.append(log_prob(MODELS[name], {n: table[n].to_numpy(float) for n in MODELS[name].observes}, theta)[0, 0])
    assert (found[0] == found[1]) == (MODELS[name].density_of == "amounts")


# ---------------------------------------------------------------------------------------------- priors


@pytest.mark.parametrize("name", SPEND)
def test_the_prior_of_a_populations_mean_amount_is_wide_and_sane(name):
    """In the currency: half of it within two decades and a half of 30, and hardly anything beyond a billion."""
    rng, model = np.random.default_rng(1), MODELS[name]
    theta = {p.name: p.lower + p.prior.draw(20_000, rng)[:, None] for p in model.parameters}
    empty = {key: np.zeros((1, 1)) for key in model.conditions_on}
    mean = model.expected_spend(empty, theta)[:, 0]
    low, median, high = np.quantile(mean, [0.25, 0.5, 0.75])
    assert 30 / 10**1.5 < low < 30 < high < 30 * 10**1.5 and 10 < median < 100
    assert np.isfinite(mean).all() and (mean > 1e9).mean() < 1e-3
    close(model.meanings[0].of(theta)[:, 0] / mean, np.ones_like(mean))


def test_the_prior_mean_of_a_lognormal_amount_over_its_median_is_finite():
    """E exp((tau^2 + sigma^2) / 2) = 1 / (1 - s^2) for half-normal spreads of scale s < 1."""
    x = np.arange(0.0, 30.0, 1e-3)
    factors = []
    for parameter in MODELS["lognormal_spend"].parameters[1:]:
        log_prior = parameter.prior.log_density(pt.as_tensor(x)).eval()
        assert np.exp(log_prior).sum() * 1e-3 == pytest.approx(1, rel=1e-3)
        factors.append(np.exp(log_prior + x**2 / 2).sum() * 1e-3)
    assert np.prod(factors) == pytest.approx(1 / (1 - 0.7**2), rel=3e-3)


# ---------------------------------------------------------------------------------------------- log-normal totals


def _totals(labels: list[str], counts: np.ndarray, theta: dict[str, float], seed: int = 1) -> np.ndarray:
    model, draws = MODELS["lognormal_spend"], len(counts)
    empty = {name: np.zeros((1, len(labels))) for name in model.conditions_on}
    state = model.draw(empty, as_theta(theta), KeyedRandom(seed, "state", labels, draws))
    return money_of(model, state, counts, KeyedRandom(seed, "money", labels, draws))


def test_a_total_is_the_sum_of_its_amounts():
    """Of one customer and draw: the amounts one after the other are those that a total adds up."""
    theta, labels = CASES["lognormal_spend"].theta, ["c"]
    counts = np.random.default_rng(1).poisson(3.0, (1, 1, 40)).astype(float)
    counts[0, 0, 7] = 5000.0
    amounts = _totals(labels, np.ones((1, 1, int(counts.sum()))), theta)[0, 0]
    ends = np.append(0, np.cumsum(counts[0, 0])).astype(int)
    totals = [amounts[start:end].sum() for start, end in itertools.pairwise(ends)]
    np.testing.assert_allclose(_totals(labels, counts, theta)[0, 0], totals, rtol=1e-12)


def test_a_heavy_buyer_costs_time_and_not_memory():
    counts = np.array([[[4e6, 0.0, 1.0]]])
    tracemalloc.start()
    money = _totals(["heavy"], counts, {"m": 20.0, "tau": 1e-6, "sigma": 0.5})
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()
    error = math.sqrt(math.expm1(0.25) / 4e6)
    assert abs(money[0, 0, 0] / (4e6 * 20 * math.exp(0.125)) - 1) < 4.5 * error and money[0, 0, 1] == 0


def test_a_customers_amounts_are_alike_and_its_draws_its_own():
    """Own medians differ by tau, amounts by sigma: the mean of n amounts of one customer in one draw stays its own."""
    theta = {"m": 20.0, "tau": 0.8, "sigma": 0.2}
    money = _totals(["a", "b"], np.full((4000, 2, 2), 50.0), theta) / 50
    logs = np.log(money)
    assert np.corrcoef(logs[:, 0, 0], logs[:, 0, 1])[0, 1] > 0.99
    assert abs(np.corrcoef(logs[:, 0, 0], logs[:, 1, 0])[0, 1]) * np.sqrt(4000) < 4.5
    mean_is(logs[:, :, 0], np.log(20) + 0.02)  # the mean of 50 amounts: exp(sigma^2 / 2) above the median, nearly


def test_the_story_of_amounts_is_that_of_the_table():
    """Amounts made for the tests have the mean that their history says."""
    for row in table_of().to_dict("records"):
        amounts = stories.amounts_of(row)
        assert len(amounts) == row["amount_count"] and amounts.sum() == pytest.approx(row["amount_sum"])
        assert amounts.sum() == pytest.approx(row["monetary_value"] * row["frequency"])
        assert len(amounts) < 2 or np.ptp(amounts) > 0


@pytest.mark.parametrize("model", ["gamma_gamma", "gamma_gamma_mean"])
def test_one_price_for_all_is_told_at_once_with_the_model_that_gives_it(model):
    days = [
        day for start in (0, 3) for day in pd.date_range("2024-01-01", periods=4, freq="30D") + pd.Timedelta(days=start)
    ]
    frame = pd.DataFrame({"customer_id": ["a"] * 4 + ["b"] * 4, "date": days, "amount": 9.99})
    customers = summarize(read_transactions(frame)).customers
    with pytest.raises(DataError, match=r"all 6 amounts of repeat purchases are 9.99: .* take lognormal_spend"):
        fit(model, customers)
    varied = summarize(read_transactions(frame.assign(amount=[9.99] * 7 + [10.0]))).customers
    assert not get_model(model).refusals(varied.table)


def test_equal_means_of_amounts_that_differ_are_no_one_price():
    table = pd.DataFrame({"amount_count": [2, 2], "amount_sum": [20.0, 20.0], "amount_log_sum": np.log([75.0, 100.0])})
    assert not get_model("gamma_gamma").refusals(table)
