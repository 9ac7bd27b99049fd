"""Regular buyers: k = 1 is the old model, k = 3 keeps every contract, established software agrees, k is found."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from contracts import purchase as contracts
from contracts import stories
from contracts.cases import GAPS, Case, as_theta, customers_of, posterior_of, table_of
from contracts.purchase import PURCHASE_CONTRACTS, close, each_row
from fakes.reference import cbs
from fakes.reference import close as close_to_oracle

from clvmodels.customers.summarize import summarize
from clvmodels.datasets import DATASETS
from clvmodels.errors import ConfigError
from clvmodels.futures import individuals
from clvmodels.inference.fitting import fit
from clvmodels.inference.posterior import load
from clvmodels.models import MODELS, get_model
from clvmodels.models.cnbd_k import CNBDk
from clvmodels.models.compose import Composed
from clvmodels.models.evaluate import log_prob, p_alive
from clvmodels.models.parts.beta_coin import BetaCoin
from clvmodels.models.parts.contract import Calendar
from clvmodels.models.parts.erlang_gamma import ErlangGamma
from clvmodels.models.parts.exponential_gamma import ExponentialGamma
from clvmodels.models.parts.poisson_gamma import PoissonGamma

NAMES = ("bg_cnbd_k", "mbg_cnbd_k")
THREE = Case(
    get_model("mbg_cnbd_k", {"k": 3}),
    stories.CNBDk(k=3, first=True),
    ({"r": 1.2, "alpha": 3.0, "a": 0.5, "b": 4.0}, {"r": 0.3, "alpha": 1.0, "a": 1.7, "b": 1.0}),
    GAPS,
)
THETA = {"r": 0.8, "alpha": 5.0, "a": 0.8, "b": 2.4}


# k = 1, and k = 3 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True])
def test_with_k_1_it_is_the_model_of_irregular_buyers_to_the_last_bit(first):
    plain = Composed("plain", "plain", "made in the tests", PoissonGamma(), BetaCoin(first))
    erlang = copy.copy(MODELS[NAMES[first]].given(k=1))
    erlang.kernel = None  # that of the plain model's, too: what is compared is the page
    assert erlang.observes == plain.observes and [p.prior for p in erlang.parameters] == [
        p.prior for p in plain.parameters
    ]
    rows, theta = individuals.rows_of(table_of(), plain.observes), as_theta(THETA)
    n, t = np.array([0, 1, 2, 3, 4, 5, 9, 40.0]), np.array([0.5, 13.0, 52.0])
    for ask in (
        lambda model: log_prob(model, rows, theta),
        lambda model: p_alive(model, rows, theta),
        lambda model: model.expected_if_alive(rows, theta, t),
        lambda model: model.count_probability(rows, theta, n, 13.0),
    ):
        np.testing.assert_array_equal(ask(erlang), ask(plain))


@pytest.mark.parametrize("contract", PURCHASE_CONTRACTS)
def test_k_3_keeps_the_contracts(contract):
    contract(THREE)


def test_the_first_future_gap_is_conditioned_on_the_silence_so_far():
    """P(no purchase) and P(exactly one) ahead from the gaps' own law, without a word of stages."""
    model, story, theta, t = THREE.model, THREE.story, THREE.theta, 6.0
    nodes, weights = np.polynomial.legendre.leggauss(80)
    u, w = t * (nodes + 1) / 2, t * weights / 2

    def none(row, own):
        gap = story.gap(own)
        silence = row["T"] - row["recency"]
        return gap.sf(silence + t) / gap.sf(silence)

    def one(row, own):
        gap, p = story.gap(own), own["dropout_probability"]
        silence = row["T"] - row["recency"]
        first = sum(b * gap.pdf(silence + a) for a, b in zip(u, w, strict=True)) / gap.sf(silence)
        and_no_more = sum(b * gap.pdf(silence + a) * gap.sf(t - a) for a, b in zip(u, w, strict=True)) / gap.sf(silence)
        return p * first + (1 - p) * and_no_more

    rows = individuals.rows_of(THREE.table(), model.observes)
    with np.errstate(invalid="ignore", divide="ignore"):
        for n, chance in enumerate((none, one)):
            truth = [
                story.mean(
                    theta,
                    lambda own, row=row: story.alive(row, own),
                    lambda own, row=row, chance=chance: np.nan_to_num(chance(row, own)),
                )
                for row in each_row(THREE)
            ]
            found = model.count_probability(rows, as_theta(theta), np.full(len(truth), float(n)), t)[0]
            close(found, truth, 1e-8)


def test_a_silence_longer_than_the_usual_gap_says_more_of_regular_buyers():
    rows = {"frequency": 12.0, "recency": 36.0, "T": np.array([36.0, 39.0, 50.0]), "sum_log_gaps": 12 * np.log(3.0)}
    rows = {name: np.broadcast_to(value, 3)[None] for name, value in rows.items()}
    alive = [p_alive(MODELS["bg_cnbd_k"].given(k=k), rows, as_theta(THETA | {"alpha": 6.0 / k}))[0] for k in (1, 4, 12)]
    assert alive[0][1] < alive[1][1] < alive[2][1] and alive[0][2] > alive[1][2] > alive[2][2]


@pytest.mark.parametrize("k", [1, 2, 12])
def test_finite_for_crowded_histories(k):
    """Simulated times are not rounded to days: gaps may be tiny, and there may be thousands of them."""
    rows = {
        "frequency": np.array([[1.0, 40.0, 5000.0, 5000.0, 1.0]]),
        "recency": np.array([[1e-9, 1e-3, 3649.0, 3650.0, 10.0]]),
        "T": np.array([[52.0, 1e-3, 3650.0, 3650.0, 3650.0]]),
        "sum_log_gaps": np.array([[np.log(1e-9), -600.0, -2000.0, -40000.0, np.log(10.0)]]),
    }
    model, theta = MODELS["mbg_cnbd_k"].given(k=k), as_theta(THETA)
    assert np.isfinite(log_prob(model, rows, theta)).all()
    weights = np.array([phase.weight for phase in model.purchases.phases(rows, rows["T"], theta)])
    assert weights.shape == (k, 1, 5)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, rtol=1e-14)
    assert np.array_equal(weights[0, 0, [1, 3]], [1.0, 1.0])  # bought just now


def without_phases(original):
    """As if a customer had just bought."""
    return lambda self, rows, until, theta: original(self, {**rows, "recency": until}, until, theta)


def always_phase_0(original):
    def draw(self, rows, until, theta, rng):
        rate, own = original(self, rows, until, theta, rng)
        return rate, {"phase": 0.0 * own["phase"]}

    return draw


def one_gap_too_many(original):
    return lambda self, rows, until, theta: original(self, rows, until, theta) + rows["sum_log_gaps"]


FAULTS = [
    ("phases", without_phases, contracts.expected_purchases_are_the_integral_over_individuals),
    ("draw", always_phase_0, contracts.simulated_purchases_average_to_the_expected),
    ("draw", always_phase_0, contracts.count_probabilities_are_frequencies_of_simulated_counts),
    ("_log_silence", lambda f: lambda *_: 0.0, contracts.p_alive_is_the_integral_over_individuals),
    ("log_density", one_gap_too_many, contracts.probabilities_of_all_histories_add_up_to_one),
]


@pytest.mark.parametrize(("name", "fault", "contract"), FAULTS, ids=lambda f: f if isinstance(f, str) else f.__name__)
def test_a_fault_turns_its_contract_red(name, fault, contract, monkeypatch):
    contract(THREE)
    monkeypatch.setattr(ErlangGamma, name, fault(getattr(ErlangGamma, name)))
    model = CNBDk("mbg_cnbd_k", "MBG/CNBD", "", first=True, k=3)  # what is compiled is kept by model
    model.kernel = None  # the fault is in the page
    with pytest.raises(AssertionError):
        contract(replace(THREE, model=model))


# The option ---------------------------------------------------------------------------------------------------


def test_the_variant_is_made_once_and_says_its_k():
    model = MODELS["mbg_cnbd_k"]
    three = model.given(k=3)
    assert three is model.given(k=3) is get_model("mbg_cnbd_k", {"k": 3}) is model.given(k=5).given(k=3)
    assert model.given() is model is three.given(k=2) and three.given() is three
    assert (model.title, three.title, three.name, dict(three.options)) == (
        "MBG/CNBD-2",
        "MBG/CNBD-3",
        "mbg_cnbd_k",
        {"k": 3},
    )
    assert three is not MODELS["bg_cnbd_k"].given(k=3)


@pytest.mark.parametrize("k", [0, 13, -1, 2.0, "2", True, None, np.nan])
def test_a_k_that_cannot_be_is_refused(k):
    with pytest.raises(ConfigError, match=r"k of BG/CNBD must be a whole number; got .*from 1 .* to 12"):
        MODELS["bg_cnbd_k"].given(k=k)


def test_other_options_are_refused():
    with pytest.raises(ConfigError, match=r"no option 'shape'. Known: k"):
        MODELS["bg_cnbd_k"].given(k=2, shape=3)
    with pytest.raises(ConfigError, match=r"BG/NBD has no option 'k'. It has none"):
        MODELS["bg_nbd"].given(k=2)


def test_a_calendar_and_a_lifetime_by_the_clock_are_refused():
    class Season(Calendar):
        pass

    with pytest.raises(ConfigError, match=r"its purchases do not go with a calendar. They go with a coin"):
        Composed("x", "X", "", ErlangGamma(2), BetaCoin(True), Season())
    with pytest.raises(ConfigError, match=r"do not go with a calendar or a lifetime that ends by the clock"):
        Composed("x", "X", "", ErlangGamma(2), ExponentialGamma(), Season())
    Composed("x", "X", "", ErlangGamma(2), BetaCoin(True), Calendar())


def test_purchase_rates_have_one_prior_whatever_k():
    """The stages' alpha is k times smaller: the mean purchase rate r / (k alpha) does not depend on k."""
    for k in (1, 2, 5):
        model = MODELS["bg_cnbd_k"].given(k=k)
        r, alpha = (p.prior.draw(4000, np.random.default_rng(1)) for p in model.parameters[:2])
        rate = model.meanings[0].of({"r": r, "alpha": alpha})
        if k == 1:
            first = rate
        np.testing.assert_allclose(rate, first, rtol=1e-12)


def test_a_stored_posterior_keeps_its_k(tmp_path):
    made = posterior_of(THREE.model, THREE.theta, 20)
    again = load(made.save(tmp_path / "three.nc"))
    assert again.model is THREE.model
    np.testing.assert_array_equal(again.stacked("alpha"), made.stacked("alpha"))


# Established software ------------------------------------------------------------------------------------------


def parameter_sets(reference, dataset: str = "cdnow") -> list[dict]:
    entries = json.loads((reference / "log_likelihoods.json").read_text())
    return [e for e in entries if e["model"].endswith("cnbd") and e["dataset"] == dataset]


def theirs(name: str, k: int):
    return get_model({"bgcnbd": "bg_cnbd_k", "mbgcnbd": "mbg_cnbd_k"}[name], {"k": int(k)})


def theta_of(model, values) -> dict[str, np.ndarray]:
    return as_theta({p.name: value for p, value in zip(model.parameters, values, strict=True)})


@pytest.mark.parametrize("dataset", ["cdnow", "apparel"])
def test_log_likelihoods_of_btydplus(dataset, shared_reference):
    table = cbs(shared_reference, dataset)
    found = parameter_sets(shared_reference, dataset)
    assert len(found) == 24 and {e["params"][0] for e in found} == {1, 2, 3, 4}
    for oracle in found:
        k, *values = oracle["params"]
        model = theirs(oracle["model"], k)
        each = log_prob(model, individuals.rows_of(table, model.observes), theta_of(model, values))[0]
        assert list(table.index[:20]) == oracle["first20_cust"]
        close_to_oracle(each[:20], oracle["first20"])
        close_to_oracle(each.sum(), oracle["total"])


def test_log_likelihoods_of_btydplus_on_the_whole_cohort(shared_data, shared_reference, monkeypatch):
    """From the transactions, so that the sum of log gaps is ours."""
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    customers = summarize(DATASETS["cdnow_master"].load(), calibration_end="1997-09-30").customers
    for oracle in parameter_sets(shared_reference, "cdnow_master"):
        k, *values = oracle["params"]
        model = theirs(oracle["model"], k)
        found = log_prob(model, individuals.rows_of(customers.table, model.observes), theta_of(model, values))[0]
        each = pd.Series(found, customers.table.index)
        close_to_oracle(each[[str(int(label)) for label in oracle["first20_cust"]]], oracle["first20"])
        close_to_oracle(each.sum(), oracle["total"])


def by_parameters(reference, table: pd.DataFrame):
    """Groups of the table with their model and theta."""
    sets = {(e["model"], e["param_set"][0]): e["params"][1:] for e in parameter_sets(reference)}
    for (name, k, letter), group in table.groupby(["model", "k", "param_set"]):
        model = theirs(name, k)
        yield model, theta_of(model, sets[name, letter]), group


def test_edge_cases_of_btydplus(shared_reference):
    """Log likelihood and P(alive); its expected purchases for k = 1 alone, an approximation for k > 1."""
    table = pd.read_csv(shared_reference / "edge_cases_cnbdk.csv")
    names = {"x": "frequency", "tx": "recency", "Tc": "T", "litt": "sum_log_gaps"}
    groups = list(by_parameters(shared_reference, table.rename(columns=names)))
    assert len(groups) == 18
    for model, theta, group in groups:
        rows = individuals.rows_of(group, model.observes)
        alive = p_alive(model, rows, theta)
        close_to_oracle(log_prob(model, rows, theta)[0], group["LL"])
        close_to_oracle(alive[0], group["PAlive"])
        if model.options["k"] == 1:
            expected = alive * model.expected_if_alive(rows, theta, np.array([52.0]))[..., 0]
            close_to_oracle(expected[0], group["CET52"], relative=1e-6)


def test_counts_of_a_new_customer_of_btydplus(shared_reference):
    table = pd.read_csv(shared_reference / "pmf_oracles.csv")
    table = table[table["model"].str.contains("cnbd")]
    table = table.assign(k=table["model"].str[-1].astype(int), model=table["model"].str[:-3])
    groups = list(by_parameters(shared_reference, table))
    assert len(groups) == 18
    for model, theta, group in groups:
        for t, part in group.groupby("t"):
            n = part["x"].to_numpy(dtype=float)
            blank = {name: np.zeros((1, len(n))) for name in model.observes}
            alive = p_alive(model, blank, theta)
            found = alive * model.count_probability(blank, theta, n, float(t)) + (1 - alive) * (n == 0)
            close_to_oracle(found[0], part["pmf"], relative=1e-6)


@pytest.mark.parametrize("dataset", [pytest.param("cdnow", marks=pytest.mark.slow), "apparel"])
@pytest.mark.parametrize("name", ["bgcnbd", "mbgcnbd"])
def test_the_maximum_of_the_likelihood_is_btydplus_s(name, dataset, shared_reference):
    """To 3 significant digits; theirs have k = 1 on all their data."""
    published = json.loads((shared_reference / "fits.json").read_text())[f"btydplus_{dataset}_{name}"]
    model = theirs(name, published["params"]["k"])
    customers = customers_of(cbs(shared_reference, dataset))
    found = fit(model, customers, method="mle")
    values = {p.name: float(found.stacked(p.name)[0]) for p in model.parameters}
    for parameter, value in values.items():
        assert value == pytest.approx(published["params"][parameter], rel=1e-3), parameter
    total = log_prob(model, individuals.rows_of(customers.table, model.observes), as_theta(values)).sum()
    assert total == pytest.approx(published["logLik"], abs=1e-3) and total > published["logLik"] - 1e-6
