"""Purchases that bring no money: the share of those that do, beside every model of what these bring; and what a
forecast that leaves it out gets wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, amount_statistics, as_theta, customers_of, posterior_of
from contracts.purchase import close, mean_is
from models.test_densities import by_page
from scipy import stats
from scipy.integrate import quad

from clvmodels.futures import histories
from clvmodels.inference.fitting import fit
from clvmodels.inference.later_amounts import log_density_of_later
from clvmodels.inference.posterior import load
from clvmodels.models import MODELS, SpendModel
from clvmodels.models.evaluate import log_prob
from clvmodels.models.spend.free_orders import FreeOrders
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.scoring import score
from clvmodels.valuation.valuation import valuation, value

SPEND = [name for name, model in MODELS.items() if isinstance(model, SpendModel)]
SHARES = ({"paid": 0.8, "paid_precision": 5.0}, {"paid": 0.97, "paid_precision": 400.0})
AMOUNTS = {"a": ([30.0, 12.0, 55.0], 2), "b": ([8.0], 0), "c": ([], 3), "d": ([], 0), "e": ([9.0] * 20, 7)}
"""What the paid repeat purchases of each customer brought, and how many free ones there were."""
DRAWS = 4000


def table(amounts=AMOUNTS) -> pd.DataFrame:
    rows = []
    for paid, free in amounts.values():
        n = len(paid) + free
        rows.append(amount_statistics(np.array(paid)) | {"frequency": n, "monetary_value": sum(paid) / max(n, 1)})
    frame = pd.DataFrame(rows, index=pd.Index(list(amounts), name="customer_id"))
    return frame.assign(recency=np.where(frame["frequency"] > 0, 30.0, 0.0), T=39.0)


def all_paid() -> pd.DataFrame:
    """The same customers without their free purchases."""
    return table({name: (paid, 0) for name, (paid, _) in AMOUNTS.items()})


def rows_of(model, frame, wide: bool = False) -> dict[str, np.ndarray]:
    rows = {name: frame[name].to_numpy(float) for name in model.observes}
    return {name: values[None] for name, values in rows.items()} if wide else rows


def variant(name: str) -> FreeOrders:
    return MODELS[name].suited(table())


def theta_of(name: str, share=SHARES[0]) -> dict[str, np.ndarray]:
    return as_theta(CASES[name].theta | share)


# ------------------------------------------------------------------------------------------------ when it is used


@pytest.mark.parametrize("name", SPEND)
def test_where_every_purchase_is_paid_the_model_is_the_registered_one(name):
    assert MODELS[name].suited(all_paid()) is MODELS[name]
    found = variant(name)
    assert found is MODELS[name].given(free_orders=True) is found.suited(table())
    assert found.free_orders and not MODELS[name].free_orders
    assert found.density_of == MODELS[name].density_of


def test_a_fit_takes_the_variant_that_its_customers_need_and_is_saved_with_it(tmp_path):
    frame = pd.concat([table().rename(lambda label, k=k: f"{label}{k}") for k in range(8)])
    plain = pd.concat([all_paid().rename(lambda label, k=k: f"{label}{k}") for k in range(8)])
    free = fit("lognormal_spend", customers_of(frame), method="laplace", draws=100, seed=1)
    paid = fit("lognormal_spend", customers_of(plain), method="laplace", draws=100, seed=1)
    assert free.model is variant("lognormal_spend") and paid.model is MODELS["lognormal_spend"]
    again = load(free.save(tmp_path / "one.nc"))
    assert again.model is free.model
    assert np.array_equal(again.stacked("paid"), free.stacked("paid"))


# --------------------------------------------------------------------------------------- density and individuals


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", SPEND)
def test_the_density_is_the_integral_over_the_own_share_times_that_of_the_paid_amounts(name, share):
    model, frame = variant(name), table()
    found = log_prob(model, rows_of(model, frame), theta_of(name, share))[0]
    of_paid = log_prob(MODELS[name], rows_of(MODELS[name], all_paid()), as_theta(CASES[name].theta))[0]
    law = stats.beta(share["paid"] * share["paid_precision"], (1.0 - share["paid"]) * share["paid_precision"])
    for place, (paid, free) in enumerate(AMOUNTS.values()):
        k = len(paid)
        chance = quad(lambda w, k=k, free=free: law.pdf(w) * w**k * (1.0 - w) ** free, 0, 1, epsabs=0, limit=500)[0]
        assert found[place] == pytest.approx(np.log(chance) + of_paid[place], rel=1e-6)


@pytest.mark.parametrize("name", SPEND)
def test_the_loop_is_its_page(name):
    model, frame = variant(name), table()
    rows = np.stack(list(rows_of(model, frame).values()), axis=1)
    for share in (*SHARES, {"paid": 1e-3, "paid_precision": 1e6}, {"paid": 0.999, "paid_precision": 1e-2}):
        values = [theta_of(name, share)[parameter.name][0, 0] for parameter in model.parameters]
        theta = np.tile(values, (1, len(rows), 1))
        found, expected = model.kernel.each(rows, theta, derivatives=True)[0], by_page(model, rows, theta)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(model.kernel.each(rows, theta)[0], found[:, :2], rtol=1e-12)


@pytest.mark.parametrize("name", SPEND)
def test_own_shares_are_exact_and_amounts_are_those_of_the_paid(name):
    model, frame, theta = variant(name), table(), theta_of(name)
    rows, labels = rows_of(model, frame, wide=True), list(frame.index)
    state = model.draw(rows, theta, KeyedRandom(1, "spend state", labels, DRAWS))
    k, n = frame["amount_count"].to_numpy(), frame["frequency"].to_numpy()
    for place in range(len(frame)):
        law = stats.beta(0.8 * 5.0 + k[place], 0.2 * 5.0 + n[place] - k[place])
        assert stats.kstest(state["paid_share"][:, place], law.cdf).pvalue > 1e-5
    close(model.expected_paid(rows, theta), ((4.0 + k) / (5.0 + n))[None])
    mean_is(np.broadcast_to(model.own_paid(state), (DRAWS, len(frame))), model.expected_paid(rows, theta)[0])
    base = MODELS[name]
    alone = base.draw(rows_of(base, all_paid(), wide=True), theta, KeyedRandom(1, "spend state", labels, DRAWS))
    for variable, drawn in alone.items():
        np.testing.assert_allclose(state[variable], drawn, rtol=1e-12)
    close(model.expected_spend(rows, theta), base.expected_spend(rows_of(base, all_paid(), wide=True), theta))


@pytest.mark.parametrize("name", SPEND)
def test_simulated_purchases_are_free_as_often_as_the_share_says(name):
    model, theta = MODELS[name].given(free_orders=True), CASES[name].theta | SHARES[0]
    purchases = pd.DataFrame({"customer_id": np.repeat(histories.labels_of(DRAWS), 3)})
    amounts = histories.simulate_amounts(model, theta, purchases, 1).to_numpy().reshape(DRAWS, 3)
    mean_is((amounts > 0).mean(axis=1), 0.8)
    empty = {observed: np.zeros((1, 1)) for observed in model.observes}
    per_purchase = model.expected_paid(empty, as_theta(theta)) * model.expected_spend(empty, as_theta(theta))
    mean_is(amounts.mean(axis=1), per_purchase[0, 0])


def test_later_free_purchases_are_foretold_too():
    """One more free purchase of a customer who had 3 paid and 2 free, and nothing of anybody else."""
    posterior = posterior_of(variant("gamma_gamma"), CASES["gamma_gamma"].theta | SHARES[0], 50)
    later = table(AMOUNTS | {"a": (AMOUNTS["a"][0], 3)})
    found = log_density_of_later(posterior, table(), later, 50)
    paid, precision = posterior.stacked("paid"), posterior.stacked("paid_precision")
    chance = ((1.0 - paid) * precision + 2.0) / (precision + 5.0)
    assert found["a"] == pytest.approx(np.log(chance.mean()), rel=1e-9)
    assert np.all(found.drop("a") == 0.0)


# ------------------------------------------------------------------------------------------------ value


def value_of(name: str, economics: Economics, draws: int = 3000):
    posteriors = {
        "purchases": posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, draws),
        "spend": posterior_of(variant(name), CASES[name].theta | SHARES[0], draws),
    }
    return posteriors, value(posteriors, customers_of(table()), economics, seed=1, draws=draws)


@pytest.mark.parametrize("name", SPEND)
def test_realised_parts_average_to_the_expected_and_free_orders_cost_what_orders_cost(name):
    economics = Economics(margin=0.3, annual_discount_rate=0.12, horizon=52.0, cost_per_order=2.0, payment_fee=0.02)
    posteriors, found = value_of(name, economics)
    for part in found.parts.values():
        mean_is(part.realised.astype(float) - part.expected, 0.0)
        mean_is(part.worth.astype(float) - part.expected, 0.0)
    # every order is fulfilled, and the free ones bring no margin
    spend = posteriors["spend"]
    all_of_them = posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, 3000)
    block = valuation(posteriors, customers_of(table()), economics, seed=1, draws=3000).block(table())
    rows = rows_of(spend.model, table(), wide=True)
    theta = spend.theta(table())
    share, amount = spend.model.expected_paid(rows, theta), spend.model.expected_spend(rows, theta)
    orders = block.mean_counts[..., 0]
    np.testing.assert_allclose(found.parts["fulfilment"].expected, -2.0 * orders, rtol=1e-5)
    np.testing.assert_allclose(found.parts["gross margin"].expected, 0.3 * orders * share * amount, rtol=1e-5)
    scores = score(posteriors, customers_of(table()), horizon=52.0, margin=0.3, annual_discount_rate=0.12, seed=1)
    thinned = np.linspace(0, 2999, 1000).round().astype(int)
    close(scores["expected_spend"], (share * amount)[thinned].mean(axis=0), 1e-6)
    assert all_of_them.model is posteriors["purchases"].model


def test_a_new_customers_first_order_is_free_as_often_as_others():
    economics = Economics(margin=1.0, annual_discount_rate=0.0, horizon=26.0)
    posteriors, _ = value_of("lognormal_spend", economics, 20)
    one = valuation(posteriors, customers_of(table()), economics, seed=2, draws=2000)
    newcomers, flows = one.new_customers(200)
    first = flows["gross margin"]
    mean_is((first.realised[..., 0] - first.expected[..., 0]).reshape(-1), 0.0)
    share = posteriors["spend"].stacked("paid")
    mean_is((first.realised[..., 0] > 0).mean(axis=0), share.mean(), 1e-4)
    assert len(newcomers) == 200


# ------------------------------------------------------------------------------------------------ today's wrong number


HORIZON = 52.0
SIZE = 1500


def company(free: float, seed: int) -> tuple[pd.DataFrame, float]:
    """Customers simulated without any code of the models, and what they truly bring in the year to come, given their
    own parameters: Poisson purchases that never end, log-normal amounts, shares of paid ones that differ."""
    rng = np.random.default_rng([seed, int(100 * free)])
    rate = rng.gamma(2.0, 1.0 / 12.0, SIZE)
    age = rng.uniform(30.0, 90.0, SIZE)
    median = 25.0 * np.exp(0.5 * rng.normal(size=SIZE))
    share = rng.beta(6.0 * (1.0 - free), 6.0 * free, SIZE)
    rows = []
    for c in range(SIZE):
        ages = np.sort(age[c] * rng.random(rng.poisson(rate[c] * age[c])))
        amounts = median[c] * np.exp(0.4 * rng.normal(size=len(ages)))
        paid = amounts[rng.random(len(ages)) < share[c]]
        x = len(ages)
        mean = paid.sum() / x if x else 0.0
        told = {"frequency": x, "recency": ages[-1] if x else 0.0, "T": age[c], "monetary_value": mean}
        rows.append(told | amount_statistics(paid))
    frame = pd.DataFrame(rows, index=pd.Index(histories.labels_of(SIZE), name="customer_id"))
    truth = HORIZON * (rate * share * median).sum() * np.exp(0.4**2 / 2.0)
    return frame, float(truth)


@pytest.mark.parametrize("name", ["gamma_gamma", "lognormal_spend"])
@pytest.mark.parametrize("free", [0.1, 0.3])
def test_the_value_of_a_base_with_free_orders_is_within_chance_of_the_truth(name, free):
    """Left out of the amounts and multiplied back as paid ones, free orders made the value too high by 1 / (1 - free)
    at least."""
    frame, truth = company(free, seed=4)
    base = customers_of(frame)
    economics = Economics(margin=1.0, annual_discount_rate=0.0, horizon=HORIZON)
    purchases = fit("nbd", base, method="laplace", draws=400, seed=1)
    spend = fit(name, base, method="laplace", draws=400, seed=1)
    as_paid = frame.assign(frequency=frame["amount_count"])
    without = fit(name, customers_of(as_paid), method="laplace", draws=400, seed=1)
    assert without.model is MODELS[name]
    paid = spend.stacked("paid")
    assert abs(paid.mean() - (1.0 - free)) < 3.5 * paid.std()
    forecasts = {}
    for which, posterior in (("today", without), ("right", spend)):
        found = value({"purchases": purchases, "spend": posterior}, base, economics, seed=1, draws=400)
        forecasts[which] = found.realised.sum(axis=1, dtype=float)
    # the spread is that of a future with its luck, wider than that of the truth given the customers' own parameters
    right, today = forecasts["right"], forecasts["today"]
    assert abs(right.mean() / truth - 1.0) < 0.03
    assert abs(right.mean() - truth) < 3.0 * right.std()
    assert today.mean() / truth - 1.0 > 0.9 * free / (1.0 - free)
    assert today.mean() - truth > 3.0 * today.std()


@pytest.mark.slow
def test_the_share_is_calibrated():
    """Ranks of the truth among the draws, parameters drawn from their priors: even, by a chi-square of five bins."""
    ranks = {"paid": [], "paid_precision": []}
    for replication in range(80):
        rng = np.random.default_rng([7, replication])
        truth = {"paid": rng.beta(9.0, 1.0), "paid_precision": 20.0 * np.exp(1.5 * rng.normal())}
        a, b = truth["paid"] * truth["paid_precision"], (1.0 - truth["paid"]) * truth["paid_precision"]
        n = rng.geometric(0.3, 200)
        k = rng.binomial(n, np.clip(rng.beta(a, b, 200), 0.0, 1.0))
        customers = {f"c{c:03d}": (list(rng.lognormal(3.0, 0.5, k[c])), int(n[c] - k[c])) for c in range(200)}
        frame = table(customers)
        model = MODELS["lognormal_spend"].given(free_orders=True)
        found = fit(model, customers_of(frame), draws=200, chains=2, seed=replication)
        for name in ranks:
            ranks[name].append((found.stacked(name) < truth[name]).mean())
    for name, of_truth in ranks.items():
        counts = np.histogram(of_truth, bins=5, range=(0.0, 1.0))[0]
        assert stats.chisquare(counts).pvalue > 0.005, (name, counts)
