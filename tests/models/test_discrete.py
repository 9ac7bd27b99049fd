"""Opportunities and contracts: published numbers, what is left of a contract, data sets, tables and back."""

from __future__ import annotations

import dataclasses
import json

import mpmath
import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, as_theta, case_of, posterior_of, table_of
from contracts.purchase import close, mean_is
from scipy.special import beta as beta_function
from scipy.special import hyp2f1

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.datasets import DATASETS, donations, subscriptions
from clvmodels.dates import period_of
from clvmodels.errors import ConfigError
from clvmodels.futures import expectations, forecast, individuals, windows
from clvmodels.futures.histories import orders, simulate_amounts, simulate_purchases, statistics
from clvmodels.inference.fitting import fit
from clvmodels.models import MODELS
from clvmodels.models.evaluate import dert, log_prob, p_alive
from clvmodels.models.parts.beta_ratio import log_beta_ratio
from clvmodels.randomness import KeyedRandom
from clvmodels.sources.transactions import read_transactions
from clvmodels.valuation.discounting import discount_factors, period_edges

DISCRETE = [name for name, model in MODELS.items() if model.counts == "opportunities"]
FHS = (1.2035, 0.7497, 0.6567, 2.7839)
SEGMENTS = {"high end": ((0.668, 3.806), -1611.2), "regular": ((0.704, 1.182), -1680.3)}


def theta_of(name, values):
    return as_theta(dict(zip((p.name for p in MODELS[name].parameters), values, strict=True)))


# ---------------------------------------------------------------------------------------------- published numbers


@pytest.fixture(scope="module")
def donors() -> Customers:
    return summarize(DATASETS["donations"].load(), time_unit="year", time="opportunities").customers


@pytest.fixture(scope="module")
def subscribers() -> Customers:
    read = DATASETS["subscriptions"].load()
    options = {"time_unit": "year", "time": "opportunities", "groups": ("segment",)}
    return summarize(read, calibration_end="2007-12-31", holdout=5, **options).customers


def rows_of(customers, name):
    return {column: customers.table[column].to_numpy(dtype=float) for column in MODELS[name].observes}


def test_donations_at_the_published_estimates(donors):
    """Fader, Hardie & Shang (2010)."""
    total = log_prob(MODELS["bg_bb"], rows_of(donors, "bg_bb"), theta_of("bg_bb", FHS)).sum()
    assert len(donors) == 11_104 and round(total, 2) == -33225.58


def test_donations_by_maximum_likelihood(donors, shared_reference):
    found = fit("bg_bb", donors, method="mle")
    published = json.loads((shared_reference / "fits.json").read_text())["btyd_donations_bgbb"]
    for parameter, truth in zip(found.model.parameters, np.ravel(list(published["params"].values())), strict=True):
        assert f"{found.stacked(parameter.name)[0]:.3g}" == f"{truth:.3g}", parameter.name


def test_log_likelihoods_of_established_software(shared_reference):
    """By cell of the published table, which it lists by falling frequency."""
    cells = np.array(sorted(donations.CELLS, key=lambda cell: (-cell[0], -cell[1])), dtype=float)
    rows = {"frequency": cells[:, 0], "recency": cells[:, 1], "T": np.full(len(cells), 6.0)}
    weights = np.array([donations.CELLS[x, t] for x, t in cells.astype(int).tolist()])
    oracles = json.loads((shared_reference / "log_likelihoods.json").read_text())
    oracles = [oracle for oracle in oracles if oracle["model"] == "bgbb"]
    assert len(oracles) == 3
    for oracle in oracles:
        found = log_prob(MODELS["bg_bb"], rows, theta_of("bg_bb", oracle["params"]))[0]
        assert sorted(found) == pytest.approx(sorted(oracle["per_cell"]), rel=1e-12)
        assert found @ weights == pytest.approx(oracle["total"], rel=1e-13)


@pytest.mark.parametrize("segment", SEGMENTS)
def test_subscriptions_at_the_published_estimates_and_by_maximum_likelihood(segment, subscribers):
    """Fader & Hardie (2007): years 1 to 7 of 1,000 customers."""
    estimates, total = SEGMENTS[segment]
    table = subscribers.table[subscribers.table["segment"] == segment]
    own = dataclasses.replace(subscribers, table=table)
    assert len(own) == 1000 and (table["T"] == 7).all()
    assert round(log_prob(MODELS["sbg"], rows_of(own, "sbg"), theta_of("sbg", estimates)).sum(), 1) == total
    found = fit("sbg", own, method="mle")
    assert [round(float(found.stacked(name)[0]), 3) for name in ("alpha", "beta")] == list(estimates)


def test_with_c_1_a_customers_chance_to_leave_does_not_change():
    rows = {"frequency": np.array([0.0, 3.0, 7.0]), "T": np.full(3, 7.0)}
    both = log_prob(MODELS["bdw"], rows, theta_of("bdw", (0.7, 1.2, 1.0)))
    close(both, log_prob(MODELS["sbg"], rows, theta_of("sbg", (0.7, 1.2))), 1e-14)


def test_nobody_leaves_where_leaving_has_no_weight():
    rows = case_of("bb").rows()
    theta = {"alpha": 1.2, "beta": 0.75}
    near = log_prob(MODELS["bg_bb"], rows, as_theta(theta | {"gamma": 1e-12, "delta": 1.0}))
    close(near, log_prob(MODELS["bb"], rows, as_theta(theta)), 1e-9)


# ---------------------------------------------------------------------------------------------- what is left


def wide(name):
    return {column: values[None] for column, values in case_of(name).rows().items()}


def test_dert_of_bg_bb_is_the_papers():
    """Fader, Hardie & Shang (2010), eq. 14, of a history (x, t_x, n) with B and 2F1 as they stand there."""
    d, rows = 0.1, wide("bg_bb")
    for theta in case_of("bg_bb").thetas:
        a, b, g, e = theta.values()
        x, n = rows["frequency"][0], rows["T"][0]
        bought = beta_function(a + x + 1, b + n - x) / beta_function(a, b)
        stayed = beta_function(g, e + n + 1) / beta_function(g, e) / (1 + d)
        likelihood = np.exp(log_prob(MODELS["bg_bb"], rows, as_theta(theta))[0])
        truth = bought * stayed * hyp2f1(1, e + n + 1, g + e + n + 1, 1 / (1 + d)) / likelihood
        close(dert(MODELS["bg_bb"], rows, as_theta(theta), np.log1p(d))[0] / truth, np.ones(len(truth)))


def test_derl_of_a_contract_is_the_papers():
    """Fader & Hardie (2010): of a customer due for the n-th renewal, (beta + n - 1) / (alpha + beta + n - 1) 2F1(1,
    beta + n; alpha + beta + n; 1 / (1 + d)), seen from just before it."""
    d, n = 0.1, np.array([1.0, 2.0, 5.0, 30.0])
    for alpha, beta in ((0.67, 3.8), (1.0, 1.2)):
        rows = {"frequency": n[None] - 1, "T": n[None] - 1}
        truth = (beta + n - 1) / (alpha + beta + n - 1) * hyp2f1(1, beta + n, alpha + beta + n, 1 / (1 + d))
        close((1 + d) * dert(MODELS["sbg"], rows, theta_of("sbg", (alpha, beta)), np.log1p(d))[0], truth)


@pytest.mark.parametrize("name", DISCRETE)
def test_dert_is_the_sum_of_discounted_expectations(name):
    rows, ahead = wide(name), np.arange(1.0, 801.0)
    for theta in map(as_theta, case_of(name).thetas):
        upto = CASES[name].model.expected_if_alive(rows, theta, ahead)[0]
        truth = p_alive(CASES[name].model, rows, theta)[0] * (np.diff(upto, prepend=0.0) @ 1.05**-ahead)
        close(dert(CASES[name].model, rows, theta, np.log(1.05))[0], truth, 1e-10)


def test_closed_forms_agree_with_sums_at_the_poles():
    """gamma near and at 1, where the expected lifetime's formula is 0 / 0."""
    lifetime, ahead = MODELS["sbg"].lifetime, np.array([0.0, 1.0, 7.0, 60.0])
    for alpha in (1e-6, 0.3, 1 - 1e-9, 1.0, 1 + 1e-9, 2.0, 50.0):
        theta = {"alpha": np.array([[[alpha]]]), "beta": np.array([[[2.5]]])}
        for age in (0.0, 12.0):
            t = np.full((1, 1, 1), age)
            by_sum = super(type(lifetime), lifetime).expected_time(t, theta, ahead)
            close(lifetime.expected_time(t, theta, ahead), by_sum, 1e-12)
            close(
                lifetime.discounted_time(t, theta, 0.05),
                super(type(lifetime), lifetime).discounted_time(t, theta, 0.05),
                1e-11,
            )


def test_ratios_of_beta_functions_have_all_their_digits():
    """Where log gammas lose them: small differences of large numbers, powers of ten apart."""
    rng = np.random.default_rng(1)
    with mpmath.workdps(50):
        for _ in range(300):
            a, z, h = (float(10 ** rng.uniform(low, 4)) for low in (-3, -3, -8))
            one, two, three = mpmath.mpf(a), mpmath.mpf(z), mpmath.mpf(h)
            truth = mpmath.loggamma(two + one) + mpmath.loggamma(two + three)
            truth -= mpmath.loggamma(two) + mpmath.loggamma(two + one + three)
            assert abs(log_beta_ratio(a, z, h) / float(truth) - 1) < 1e-11, (a, z, h)
    assert log_beta_ratio(2.0, 3.0, 0.0) == 0.0 == log_beta_ratio(0.0, 3.0, 2.0)


def test_an_opportunity_counts_at_its_own_date():
    edges = period_edges(3.0, "year", "opportunities")
    assert edges.tolist() == [0, 1, 2, 3]
    close(discount_factors(edges, 0.1, "year", "opportunities"), 1.1 ** -np.arange(1.0, 4.0), 1e-14)
    with pytest.raises(ConfigError, match=r"cuts an opportunity in two; got 2.5. .* whole number of years"):
        period_edges(2.5, "year", "opportunities")


@pytest.mark.parametrize("name", ["bg_bb", "bdw"])
def test_the_past_of_a_cohort_is_what_its_births_allow(name):
    """Two customers born two years apart: nobody buys in the year of birth, expected and simulated alike."""
    case, days = CASES[name], ["2001-05-01", "2003-05-01"]
    table = table_of({"a": (0, 0.0, 4.0, 0.0), "b": (0, 0.0, 2.0, 0.0)}).assign(first_purchase=pd.to_datetime(days))
    customers = Customers(table, "year", pd.Timestamp("2005-12-31"), time="opportunities")
    starts = pd.Series(pd.to_datetime([f"{year}-01-01" for year in range(2001, 2006)]))
    assert windows.past_bounds(customers, starts).tolist() == [[0, 0, 1, 2, 3, 4], [0, 0, 0, 0, 1, 2]]
    posterior = dataclasses.replace(posterior_of(case.model, case.theta, 4000, spread=0.0), time_unit="year")
    past = forecast.calibration_weeks(posterior, customers, starts, seed=1, draws=4000)
    upto = expectations.expected_cumulative(posterior, customers, starts + pd.DateOffset(months=11), draws=4000)
    expected = np.diff(upto[0], prepend=0.0)
    assert expected[0] == 0 and (past[:, 0] == 0).all() and (expected[1:] > 0).all()
    mean_is(past[:, 1:], expected[1:])


# ---------------------------------------------------------------------------------------------- data sets


def test_donations_are_the_published_cells(donors, shared_data):
    table = pd.read_csv(shared_data / "published" / "donations.csv")
    cells = donors.table.groupby(["frequency", "recency"]).size()
    assert {(r.frequency, r.recency): r.weights for r in table.itertuples()} == cells.to_dict()
    assert (donors.table["T"] == 6).all() and not donors.has_spend
    assert donors.warnings == (donations.NOTE,)


def test_subscriptions_are_the_published_percentages(subscribers, shared_data):
    table = pd.read_csv(shared_data / "published" / "sbg_retention.csv")
    assert subscriptions.ALIVE["regular"] == tuple(table["regular_pct_alive"])
    assert subscriptions.ALIVE["high end"] == tuple(table["highend_pct_alive"])
    kept = subscribers.table.groupby("segment")["frequency"].apply(lambda x: [int((x >= k).sum()) for k in range(8)])
    assert kept["regular"] == [round(10 * p) for p in subscriptions.ALIVE["regular"][:8]]
    assert kept["high end"] == [round(10 * p) for p in subscriptions.ALIVE["high end"][:8]]


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("unit", ["week", "month", "year"])
def test_simulated_purchases_go_through_a_table_and_come_back(name, unit):
    case, end = CASES[name], pd.Timestamp("2024-12-31")
    births = pd.Timestamp("2016-03-07") + pd.to_timedelta(np.random.default_rng(1).integers(0, 2500, 60), unit="D")
    ages = np.array([-period_of(birth, end, unit) for birth in births], dtype=float)
    purchases = simulate_purchases(case.model, case.theta, ages, 1)
    purchases["amount"] = simulate_amounts(MODELS["gamma_gamma"], CASES["gamma_gamma"].theta, purchases, 1).round(2)
    own = statistics(purchases, ages)
    table = read_transactions(orders(purchases, births, unit, "opportunities"), data_end=end)
    found = summarize(table, time_unit=unit, time="opportunities").customers.table
    for column in ("frequency", "recency", "T", "monetary_value", "amount_count", "amount_log_sum"):
        close(found[column], own[column], 1e-9)
    if name in ("sbg", "bdw"):
        assert found["recency"].equals(found["frequency"].astype(float))


def test_the_future_of_an_ended_contract_is_nothing():
    case = CASES["sbg"]
    posterior, table = posterior_of(case.model, case.theta, 500), case.table()
    people = individuals.present(posterior, table, 500, 1)
    ended = (table["frequency"] < table["T"]).to_numpy()
    assert np.all(people.p_alive[:, ended] == 0) and np.all(people.p_alive[:, ~ended] == 1)
    stream = KeyedRandom(1, "f", list(table.index), 500)
    counts = forecast.purchase_counts(posterior, table, people.state, np.arange(6.0), stream).by_period()
    assert np.all(counts[:, ended] == 0) and set(np.unique(counts)) == {0.0, 1.0}
    assert np.all(np.diff(counts, axis=-1) <= 0)
