"""First amounts at a level of their own, beside every model of single amounts; what first orders to come bring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, amount_statistics, as_theta, customers_of, posterior_of
from contracts.purchase import close, mean_is
from models.test_densities import by_page
from scipy import stats

from clvmodels.customers.summarize import summarize
from clvmodels.datasets import cdnow
from clvmodels.errors import ConfigError
from clvmodels.futures import histories
from clvmodels.inference.fitting import fit
from clvmodels.inference.posterior import load
from clvmodels.models import MODELS, SpendModel, get_model
from clvmodels.models.evaluate import log_prob
from clvmodels.models.spend.first_amounts import difference, in_words, reads_single_amounts
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import valuation

SINGLE = [name for name, model in MODELS.items() if isinstance(model, SpendModel) and reads_single_amounts(model)]
FIRST = {"first_level": 0.8, "first_paid": 0.9}
AMOUNTS = {"a": (40.0, [30.0, 12.0]), "b": (8.0, []), "c": (0.0, [7.0]), "d": (0.0, []), "e": (11.0, [9.0, 10.0] * 10)}
"""First amount and later ones of each customer."""
DRAWS = 4000


def table(amounts=AMOUNTS) -> pd.DataFrame:
    rows = []
    for first, later in amounts.values():
        n = len(later)
        told = {"first_amount": first, "frequency": n, "monetary_value": sum(later) / max(n, 1)}
        rows.append(told | amount_statistics(np.array(later)))
    frame = pd.DataFrame(rows, index=pd.Index(list(amounts), name="customer_id"))
    return frame.assign(recency=np.where(frame["frequency"] > 0, 30.0, 0.0), T=39.0)


def rows_of(model, frame, wide: bool = False) -> dict[str, np.ndarray]:
    rows = {name: frame[name].to_numpy(float) for name in model.observes}
    return {name: values[None] for name, values in rows.items()} if wide else rows


def at_the_level_of_later_ones() -> pd.DataFrame:
    """The same customers, the first amounts divided by their level and among the others."""
    together = {}
    for name, (first, later) in AMOUNTS.items():
        together[name] = (0.0, [first / FIRST["first_level"], *later] if first else later)
    return table(together)


def theta_of(name: str) -> dict[str, np.ndarray]:
    return as_theta(CASES[name].theta | FIRST)


@pytest.mark.parametrize("name", SINGLE)
def test_the_density_is_that_of_all_amounts_at_one_level(name):
    model, base = MODELS[name].given(first_amounts=True), MODELS[name]
    found = log_prob(model, rows_of(model, table()), theta_of(name))[0]
    of_all = log_prob(base, rows_of(base, at_the_level_of_later_ones()), as_theta(CASES[name].theta))[0]
    of_first = [np.log(0.9) - np.log(0.8) if first else np.log(0.1) for first, _ in AMOUNTS.values()]
    close(found, of_all + np.array(of_first))


@pytest.mark.parametrize("name", SINGLE)
def test_densities_of_a_first_amount_add_up_to_its_chance(name):
    """Over all first amounts, given one later amount or none."""
    model = MODELS[name].given(first_amounts=True)
    log_z, step = np.linspace(-25.0, 25.0, 20_001, retstep=True)
    for later in ([], [30.0]):
        one = amount_statistics(np.array(later)) | {"frequency": len(later), "first_amount": 0.0}
        alone = {key: np.array([float(one[key])]) for key in model.observes}
        many = {key: np.full(len(log_z), values[0]) for key, values in alone.items()} | {"first_amount": np.exp(log_z)}
        of_paid = np.exp(log_prob(model, many, theta_of(name))[0] + log_z).sum() * step
        of_free = np.exp(log_prob(model, alone, theta_of(name))[0, 0])
        assert of_paid / (of_paid + of_free) == pytest.approx(0.9, rel=1e-6)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("name", SINGLE)
def test_the_loop_is_its_page(name, free):
    model, frame = MODELS[name].given(first_amounts=True, free_orders=free), table()
    assert get_model(name, model.options) is model
    rows = np.stack(list(rows_of(model, frame).values()), axis=1)
    for level, chance in ((0.8, 0.9), (1.0, 0.999), (30.0, 1e-3), (0.01, 0.5)):
        values = CASES[name].theta | {"first_level": level, "first_paid": chance, "paid": 0.7, "paid_precision": 3.0}
        theta = np.tile([values[parameter.name] for parameter in model.parameters], (1, len(rows), 1))
        found, expected = model.kernel.each(rows, theta, derivatives=True)[0], by_page(model, rows, theta)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(model.kernel.each(rows, theta)[0], found[:, :2], rtol=1e-12)


@pytest.mark.parametrize("name", SINGLE)
def test_first_amounts_tell_of_their_customer_as_later_ones_do(name):
    model, base, theta = MODELS[name].given(first_amounts=True), MODELS[name], theta_of(name)
    labels = list(table().index)
    own = model.draw(rows_of(model, table(), wide=True), theta, KeyedRandom(1, "spend state", labels, 50))
    same = base.draw(
        rows_of(base, at_the_level_of_later_ones(), wide=True), theta, KeyedRandom(1, "spend state", labels, 50)
    )
    for variable, drawn in same.items():
        np.testing.assert_allclose(own[variable], drawn, rtol=1e-9)
    expected = base.expected_spend(rows_of(base, at_the_level_of_later_ones(), wide=True), theta)
    close(model.expected_spend(rows_of(model, table(), wide=True), theta), expected)
    close(model.spend_given_own(own), base.spend_given_own(same))


def test_models_of_means_have_no_first_amounts():
    assert SINGLE == ["gamma_gamma", "lognormal_spend"]
    with pytest.raises(ConfigError, match="mean of repeat amounts"):
        MODELS["gamma_gamma_mean"].given(first_amounts=True)
    with pytest.raises(ConfigError, match="has no option 'first_amount'"):
        MODELS["gamma_gamma"].given(first_amount=True)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("name", SINGLE)
def test_a_new_customers_first_order_brings_its_own_amount(name, free):
    """The mean of what is realised is what is expected and what it is worth, period by period; the first is the level
    and the chance times a later one's."""
    model = MODELS[name].given(first_amounts=True, free_orders=free)
    draws = 2000
    share = {"paid": 0.7, "paid_precision": 5.0} if free else {}
    posteriors = {
        "purchases": posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, draws),
        "spend": posterior_of(model, CASES[name].theta | FIRST | share, draws),
    }
    frame = table().assign(recency=0.0)
    for margin, rate in ((1.0, 0.0), (0.3, 0.2)):
        economics = Economics(margin=margin, annual_discount_rate=rate, horizon=26.0, payment_fee=0.02)
        one = valuation(posteriors, customers_of(frame), economics, seed=2, draws=draws)
        newcomers, flows = one.new_customers(60)
        for flow in flows.values():
            mean_is((flow.realised - flow.expected).mean(axis=1), 0.0, 1e-12)
            mean_is((flow.worth - flow.expected).mean(axis=1), 0.0, 1e-12)
        spend = posteriors["spend"]
        theta = {parameter.name: spend.stacked(parameter.name)[:, None] for parameter in model.parameters}
        empty = {observed: np.zeros((1, 1)) for observed in model.conditions_on}
        later = model.expected_spend(empty, theta)
        first = margin * theta["first_level"] * theta["first_paid"] * later
        close(flows["gross margin"].expected[..., 0] / first, np.ones((draws, 60)), 1e-9)
        whole = one.of_newcomers(newcomers)
        mean_is((whole.realised - whole.expected).mean(axis=1), 0.0)
    # customers whom the firm has are valued by their later purchases alone
    known = valuation(posteriors, customers_of(frame), economics, seed=2, draws=draws).block(frame)
    assert known.amount.expected.shape[-1] == 1 and (free or known.paid.realised is known.counts)


def company(level: float, chance: float, size: int, seed: int) -> pd.DataFrame:
    """Customers simulated without any code of the models: log-normal amounts, the first at its level or free."""
    rng = np.random.default_rng(seed)
    customers = {}
    for label in histories.labels_of(size):
        median, n = 25.0 * np.exp(0.5 * rng.normal()), rng.poisson(rng.gamma(0.8, 2.0))
        first, *later = median * np.exp(0.4 * rng.normal(size=n + 1))
        customers[label] = (level * first * (rng.random() < chance), later)
    return table(customers)


def test_level_chance_and_the_mean_of_all_customers_are_recovered():
    frame = company(0.75, 0.95, 1500, 3)
    found = fit(MODELS["lognormal_spend"].given(first_amounts=True), customers_of(frame), draws=400, seed=1)
    truth = {"m": 25.0, "tau": 0.5, "sigma": 0.4, "first_level": 0.75, "first_paid": 0.95}
    for name, value in truth.items():
        drawn = found.stacked(name)
        assert abs(drawn.mean() - value) < 3.5 * drawn.std(), name
    # one who bought once, for much or for little, is told apart
    model = found.model
    amount = model.expected_spend(rows_of(model, frame, wide=True), found.theta(frame)).mean(axis=0)
    once = (frame["frequency"] == 0) & (frame["first_amount"] > 0)
    assert stats.spearmanr(amount[once], frame.loc[once, "first_amount"]).statistic > 0.999


def test_simulated_first_purchases_have_their_level():
    name = "lognormal_spend"
    model, theta = MODELS[name].given(first_amounts=True), CASES[name].theta | FIRST
    purchases = pd.DataFrame(
        {"customer_id": np.repeat(histories.labels_of(DRAWS), 3), "age": np.tile([0.0, 2.0, 5.0], DRAWS)}
    )
    amounts = histories.simulate_amounts(model, theta, purchases, 1).to_numpy().reshape(DRAWS, 3)
    mean_is(amounts[:, 0] > 0, 0.9)
    mean_is(amounts[:, 0] - 0.8 * 0.9 * amounts[:, 1], 0.0)
    mean_is(amounts[:, 1] - amounts[:, 2], 0.0)
    told = histories.statistics(purchases.assign(amount=amounts.ravel()), np.full(DRAWS, 9.0))
    np.testing.assert_array_equal(told["first_amount"], amounts[:, 0])


# ------------------------------------------------------------------------------------------------ whether they differ


def test_alike_amounts_are_found_alike_and_others_are_not():
    apart = [difference(company(1.0, 1.0, 400, seed)).errors for seed in range(60)]
    assert abs(np.mean(apart)) < 0.5 and 0.7 < np.std(apart) < 1.3
    lower = difference(company(0.8, 1.0, 1500, 1))
    assert lower.is_clear and lower.errors < -3.0 and lower.errors_of_paid == 0.0
    assert abs(lower.level - 0.8) < 0.05
    free = difference(company(1.0, 0.9, 1500, 1))
    assert free.is_clear and abs(free.errors) < 2.5 and free.errors_of_paid < -3.0
    assert in_words(free).endswith(
        "90% of first and all of later purchases bring money: first orders have a level of their own"
    )
    alike = difference(company(1.0, 1.0, 1500, 1))
    assert not alike.is_clear and in_words(alike).endswith(": a first order is taken to be as later ones")


def test_too_few_say_nothing():
    assert difference(table().drop(columns="first_amount")) is None
    assert difference(table({"a": (3.0, []), "b": (4.0, []), "c": (5.0, [6.0])})) is None


@pytest.mark.parametrize("name", SINGLE)
def test_a_first_order_of_cdnow_is_no_longer_that_of_those_who_came_again(name, shared_data, monkeypatch, tmp_path):
    """33.1 dollars in the data; a model of repeat amounts says 36."""
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    customers = summarize(cdnow.load_sample()).customers
    first = customers.table["first_amount"]
    assert difference(customers.table).is_clear
    truth = first[first > 0].mean()
    error = first[first > 0].std() / np.sqrt((first > 0).sum())
    found = {}
    for first_amounts in (False, True):
        fitted = fit(MODELS[name].given(first_amounts=first_amounts), customers, draws=400, seed=1)
        fitted = load(fitted.save(tmp_path / f"{first_amounts}.nc"))
        theta = {parameter.name: fitted.stacked(parameter.name)[:, None] for parameter in fitted.model.parameters}
        empty = {observed: np.zeros((1, 1)) for observed in fitted.model.conditions_on}
        amount = fitted.model.expected_spend(empty, theta)
        level = fitted.model.first_order(theta)
        found[first_amounts] = (amount * (1.0 if level is None else level.level)).mean()
    assert found[False] > truth + 3.0 * error
    assert abs(found[True] - truth) < 2.0 * error


@pytest.mark.slow
def test_level_and_chance_are_calibrated():
    """Ranks of the truth among the draws, parameters drawn from their priors: even, by a chi-square of five bins."""
    model = MODELS["lognormal_spend"].given(first_amounts=True)
    ranks: dict[str, list[float]] = {"first_level": [], "first_paid": [], "m": [], "tau": []}
    for replication in range(60):
        rng = np.random.default_rng([8, replication])
        truth = {"first_level": np.exp(0.5 * rng.normal()), "first_paid": rng.beta(9.0, 1.0)}
        truth |= {"m": 30.0 * np.exp(3.0 * rng.normal()), "tau": abs(0.7 * rng.normal())}
        sigma = abs(0.7 * rng.normal())
        customers = {}
        for label in histories.labels_of(120):
            median, n = truth["m"] * np.exp(truth["tau"] * rng.normal()), rng.geometric(0.4) - 1
            first, *later = median * np.exp(sigma * rng.normal(size=n + 1))
            customers[label] = (truth["first_level"] * first * (rng.random() < truth["first_paid"]), later)
        found = fit(model, customers_of(table(customers)), draws=200, chains=2, seed=replication)
        for name in ranks:
            ranks[name].append(float((found.stacked(name) < truth[name]).mean()))
    for name, of_truth in ranks.items():
        counts = np.histogram(of_truth, bins=5, range=(0.0, 1.0))[0]
        assert stats.chisquare(counts).pvalue > 0.005, (name, counts)
