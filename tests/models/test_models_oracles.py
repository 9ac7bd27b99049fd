"""Log likelihoods, P(alive) and expectations against established software and 60-digit truth, customer by customer."""

from __future__ import annotations

import json
from dataclasses import replace

import mpmath
import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, by_channel, customers_of, posterior_of
from contracts.purchase import mean_is
from contracts.toys_whole import WHOLE_TOYS
from fakes.reference import close

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.datasets import DATASETS
from clvmodels.errors import ConfigError
from clvmodels.futures import expectations, forecast, histories, individuals
from clvmodels.inference.fitting import fit
from clvmodels.models import MODELS, PurchaseModel
from clvmodels.models.evaluate import dert, log_prob, p_alive
from clvmodels.randomness import KeyedRandom

NAMES = {
    "nbd": "nbd",
    "pnbd": "pareto_nbd",
    "ggomnbd": "gg_nbd",
    "bgnbd": "bg_nbd",
    "mbgcnbd": "mbg_nbd",  # for k = 1; test_erlang.py has the others
    "gg_repeat": "gamma_gamma_mean",
}
WEEKLY_15_PERCENT = np.log(1.15) / 52
PUBLISHED = {  # Fader, Hardie & Lee (2005) Table 2 and its comparison; Fader & Hardie (2013); CDNOW sample
    "bg_nbd": ({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, -9582.4),
    "pareto_nbd": ({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, -9595.0),
    "gamma_gamma_mean": ({"p": 6.25, "q": 3.74, "v": 15.44}, -4055.9),
}


def as_theta(model, values):
    return {p.name: np.array([[float(v)]]) for p, v in zip(model.parameters, values, strict=True)}


def cdnow_rows(reference):
    table = pd.read_csv(reference / "cdnow" / "summary.csv", dtype={"cust": str}).sort_values("cust")
    return {
        "frequency": table["x"].to_numpy(),
        "recency": table["t.x"].to_numpy(),
        "T": table["T.cal"].to_numpy(),
        "monetary_value": table["gg_mean_repeat"].fillna(0).to_numpy(),
    }, table


def apparel_rows(reference):
    table = pd.read_csv(reference / "apparel" / "summary.csv", dtype={"cust": str}).sort_values("cust")
    return {
        "frequency": table["x"].to_numpy(),
        "recency": table["t.x"].to_numpy(),
        "T": table["T.cal"].to_numpy(),
        "monetary_value": table["gg_mean_repeat"].fillna(0).to_numpy(),
    }


@pytest.fixture(scope="module")
def cohort(shared_data):
    """The whole of CDNOW from its transactions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLVMODELS_DATA", str(shared_data))
        return summarize(DATASETS["cdnow_master"].load(), calibration_end="1997-09-30").customers


def rows_of(dataset, reference, cohort):
    if dataset == "cdnow_master":
        table = cohort.table.loc[sorted(cohort.table.index, key=lambda label: label.zfill(5))]
        return {name: table[name].to_numpy(float) for name in ("frequency", "recency", "T", "monetary_value")}
    return cdnow_rows(reference)[0] if dataset == "cdnow" else apparel_rows(reference)


def oracles(reference, dataset=None):
    """What is known of our models, those of k = 1 without it."""
    entries = json.loads((reference / "log_likelihoods.json").read_text())
    for entry in entries:
        if entry["model"] == "mbgcnbd":
            k, *entry["params"] = entry["params"]
            entry["model"] = "mbgcnbd" if k == 1 else "another k"
    return [e for e in entries if e["model"] in NAMES and dataset in (None, e["dataset"])]


def parameter_sets(reference):
    """(model, set) -> values, as the files of oracles name them."""
    return {(e["model"], e["param_set"].removesuffix("_k1")): e["params"] for e in oracles(reference)}


def named(table, reference):
    """A table of oracles group by group: model, theta, rows of the table."""
    table = table.assign(model=table["model"].str.removesuffix("_k1"))
    sets = parameter_sets(reference)
    for (name, which), group in table[table["model"].isin(NAMES)].groupby(["model", "param_set"]):
        model = MODELS[NAMES[name]]
        yield name, which, model, as_theta(model, sets[name, which]), group


def empty(model):
    return {name: np.zeros((1, 1)) for name in model.observes}


@pytest.mark.parametrize("name", PUBLISHED)
def test_log_likelihood_at_the_published_estimates(name, shared_reference):
    rows, _ = cdnow_rows(shared_reference)
    parameters, published = PUBLISHED[name]
    model = MODELS[name]
    total = log_prob(model, rows, as_theta(model, parameters.values())).sum()
    assert round(total, 1) == published


@pytest.mark.parametrize("dataset", ["cdnow", "apparel", "cdnow_master"])
def test_log_likelihood_per_customer(dataset, shared_reference, cohort):
    """The first 20 are in the order of the ids as strings, with leading zeros those of the whole cohort."""
    rows, found = rows_of(dataset, shared_reference, cohort), oracles(shared_reference, dataset)
    assert {e["model"] for e in found} == set(NAMES) - ({"ggomnbd"} if dataset == "cdnow_master" else set())
    for oracle in found:
        model = MODELS[NAMES[oracle["model"]]]
        values = log_prob(model, rows, as_theta(model, oracle["params"]))[0]
        if model.provides == {"spend"}:  # its first 20 are the first 20 with a repeat purchase
            paid = (rows["frequency"] > 0) & (rows["monetary_value"] > 0)
            values = values[paid] if oracle["n"] == paid.sum() else values
        first = np.array(oracle["first20"], dtype=float)
        if not isinstance(oracle["total"], float):  # their fault: not a number at x = 0 where b = 1 exactly
            assert oracle["model"] == "bgnbd" and oracle["params"][3] == 1
            close(values[:20][np.isfinite(first)], first[np.isfinite(first)])
            continue
        close(values[:20], first)
        close(values.sum(), oracle["total"])


@pytest.fixture(scope="module")
def edges(shared_reference):
    return list(named(pd.read_csv(shared_reference / "edge_cases.csv"), shared_reference))


def edge_rows(group):
    return {"frequency": group["x"].to_numpy(), "recency": group["tx"].to_numpy(), "T": group["Tc"].to_numpy()}


def test_edge_cases_log_likelihood(edges):
    assert len(edges) == 14
    for _, _, model, theta, group in edges:
        close(log_prob(model, edge_rows(group), theta)[0], group["LL_mp"])


def test_edge_cases_p_alive_and_expected_purchases(edges):
    for _, _, model, theta, group in edges:
        assert isinstance(model, PurchaseModel)
        rows = {k: v[None] for k, v in edge_rows(group).items()}
        alive = p_alive(model, rows, theta)
        close(alive[0], group["PAlive_mp"])
        expected = alive * model.expected_if_alive(rows, theta, np.array([52.0]))[..., 0]
        close(expected[0], group["CET52_mp"])


def test_edge_cases_dert(edges):
    """At 15% a year, that of the truths; Pareto/NBD alone has it in the literature."""
    told = [edge for edge in edges if edge[-1]["DERT_mp"].notna().all()]
    assert len(told) == 6
    for _, _, model, theta, group in told:
        assert isinstance(model, PurchaseModel)
        close(dert(model, edge_rows(group), theta, WEEKLY_15_PERCENT)[0], group["DERT_mp"], relative=1e-9)


def test_dert_of_pareto_nbd_is_the_closed_form():
    """Fader, Hardie & Lee (2005), RFM and CLV, with Tricomi's U, over rates from 1e-4 to 10 a week."""
    model, rng = MODELS["pareto_nbd"], np.random.default_rng(1)
    assert isinstance(model, PurchaseModel)
    for x in (0, 0, 1, 3, 20, 200):
        r, alpha, s, beta = np.exp(1.5 * rng.normal(size=4))
        T, rate = np.exp(rng.uniform(-1, 6)), np.exp(rng.uniform(np.log(1e-4), np.log(10)))
        rows = {"frequency": np.array([x]), "recency": np.array([0.9 * T * (x > 0)]), "T": np.array([T])}
        theta = as_theta(model, (r, alpha, s, beta))
        time = (beta + T) ** s * rate ** (s - 1) * float(mpmath.hyperu(s, s, rate * (beta + T)))
        truth = p_alive(model, rows, theta) * (r + x) / (alpha + T) * time
        close(dert(model, rows, theta, rate), truth, relative=1e-9, floor=1e-12)


CONTINUOUS = [n for n, model in MODELS.items() if isinstance(model, PurchaseModel) and model.time == "continuous"]


@pytest.mark.parametrize("name", CONTINUOUS)
def test_dert_is_the_mean_of_discounted_futures(name):
    case, rate, draws = CASES[name], 0.02, 4000
    table = case.table().iloc[[4, 7]]
    posterior = posterior_of(case.model, case.theta, draws, spread=0.0)
    people = individuals.present(posterior, table, draws, 1)
    edges = np.r_[np.arange(0.0, 400.0, 0.5), np.arange(400.0, 801.0, 10.0)]
    stream = KeyedRandom(1, "dert", list(table.index), draws)
    counts = forecast.purchase_counts(posterior, table, people.state, edges, stream).by_period()
    factors = -np.diff(np.exp(-rate * edges)) / (rate * np.diff(edges))  # the mean factor of each period
    found = expectations.dert(posterior, customers_of(table), discount_rate=rate, draws=draws)
    assert found.shape == (draws, 2) and np.all(found > 0)
    mean_is(counts @ factors, found[0])


def test_dert_under_a_calendar_is_refused():
    model = WHOLE_TOYS["season"].model
    assert isinstance(model, PurchaseModel)
    with pytest.raises(ConfigError, match="does not follow a calendar; got season"):
        dert(model, {}, {}, 0.01)


def test_dert_of_nbd_is_that_of_a_perpetuity():
    model = MODELS["nbd"]
    assert isinstance(model, PurchaseModel)
    rows = {"frequency": np.array([0, 7]), "recency": np.array([0.0, 30.0]), "T": np.array([0.0, 40.0])}
    close(dert(model, rows, as_theta(model, (0.6, 8.0)), 0.01)[0], np.array([0.6 / 8, 7.6 / 48]) / 0.01, 1e-10)


@pytest.mark.parametrize("rate", [0.0, -0.01, np.nan, np.inf])
def test_dert_without_a_discount_is_refused(rate):
    rows = {name: np.zeros(1) for name in ("frequency", "recency", "T")}
    with pytest.raises(ConfigError, match="DERT needs a discount"):
        dert(MODELS["bg_nbd"], rows, as_theta(MODELS["bg_nbd"], (1, 1, 1, 1)), rate)


def test_expected_purchases_of_a_new_customer(shared_reference):
    """BTYDplus leaves counts of a hundred and more out of its sums, for k = 1 too: those are tested below."""
    groups = list(named(pd.read_csv(shared_reference / "expectation_oracles.csv"), shared_reference))
    assert {name for name, *_ in groups} == {"pnbd", "ggomnbd", "bgnbd", "mbgcnbd"}
    for name, _, model, theta, group in groups:
        group = group[np.isfinite(group["E"])]
        expected = p_alive(model, empty(model), theta)[0] * model.expected_if_alive(empty(model), theta, group["t"])[0]
        if name == "mbgcnbd":
            assert np.all(expected[0] > group["E"] * (1 - 1e-12)) and np.all(expected[0] < group["E"] * 1.001)
            expected, group = expected[:, :1], group.iloc[:1]  # within a week nobody buys so often
        if len(group):  # theirs is not a number at s = 1 and at a = 1
            close(expected[0], group["E"])


def test_count_probabilities_of_a_new_customer(shared_reference):
    """P(X(t) = x); CLVTools integrates GG/NBD to about 2e-8 of it."""
    groups = list(named(pd.read_csv(shared_reference / "pmf_oracles.csv"), shared_reference))
    assert {name for name, *_ in groups} == {"pnbd", "ggomnbd", "bgnbd", "mbgcnbd"}
    for name, _, model, theta, group in groups:
        alive = p_alive(model, empty(model), theta)[0, 0]
        found = [
            alive * model.count_probability(empty(model), theta, np.array([float(x)]), float(t))[0, 0]
            + (1.0 - alive) * (x == 0)
            for t, x in zip(group["t"], group["x"], strict=True)
        ]
        close(found, group["pmf"], relative=1e-7 if name == "ggomnbd" else 1e-8)


@pytest.mark.parametrize(
    ("name", "file", "fitted"),
    [
        ("pareto_nbd", "pareto_nbd_clvtools", "clvtools_cdnow_pnbd"),
        ("gg_nbd", "ggompertz_nbd_clvtools", "clvtools_cdnow_ggomnbd"),
        ("bg_nbd", "bg_nbd_clvtools", "clvtools_cdnow_bgnbd"),
        ("mbg_nbd", "mbg_nbd_btydplus", "btydplus_cdnow_mbgnbd"),
    ],
)
def test_predictions_on_cdnow(name, file, fitted, shared_reference):
    rows, table = cdnow_rows(shared_reference)
    theirs = pd.read_csv(shared_reference / "cdnow" / f"predict_{file}.csv", dtype={"Id": str, "cust": str})
    theirs = theirs.rename(columns={"Id": "cust"}).set_index("cust").loc[table["cust"]]
    parameters = json.loads((shared_reference / "fits.json").read_text())[fitted]["params"]
    model = MODELS[name]
    assert isinstance(model, PurchaseModel)
    theta = as_theta(model, [parameters[p.name] for p in model.parameters])
    alive = p_alive(model, rows, theta)
    close(alive[0], theirs["PAlive"], relative=1e-6)
    expected = alive * model.expected_if_alive({k: v[None] for k, v in rows.items()}, theta, np.array([39.0]))[..., 0]
    close(expected[0], theirs["CET"], relative=1e-6)
    for column, rate in (("DERT_d15w", WEEKLY_15_PERCENT), ("DERT_default", np.log(1.1))):
        if column in theirs:
            close(dert(model, rows, theta, rate)[0], theirs[column], relative=1e-6)


def cdnow_customers(reference):
    summary = pd.read_csv(reference / "cdnow" / "summary.csv", dtype={"cust": str}).set_index("cust").sort_index()
    table = summary[["x", "t.x", "T.cal"]].set_axis(["frequency", "recency", "T"], axis=1)
    table["first_purchase"] = pd.to_datetime(summary["first"])
    return Customers(table.rename_axis("customer_id"), "week", pd.Timestamp("1997-09-30"), None)


@pytest.mark.parametrize(
    ("name", "file", "fitted"),
    [
        ("pareto_nbd", "pareto_nbd", "clvtools_cdnow_pnbd"),
        ("bg_nbd", "bg_nbd", "clvtools_cdnow_bgnbd"),
    ],
)
def test_expected_track_of_the_cohort(name, file, fitted, shared_reference):
    """Purchases expected in each week that ends on a Sunday, of new customers born on their days."""
    theirs = pd.read_csv(shared_reference / "cdnow" / f"tracking_{file}_clvtools.csv", parse_dates=["period.until"])
    parameters = json.loads((shared_reference / "fits.json").read_text())[fitted]["params"]
    posterior = posterior_of(MODELS[name], parameters, 2, spread=0.0)
    upto = expectations.expected_cumulative(posterior, cdnow_customers(shared_reference), theirs["period.until"])
    assert upto.shape == (2, len(theirs)) and np.all(upto[:, 0] == 0)
    close(np.diff(upto[0]), theirs.iloc[1:, 1])


def cohort_of(births):
    ids = pd.Index([f"c{k:05d}" for k in range(len(births))], name="customer_id")
    table = pd.DataFrame({"frequency": 2, "recency": 3.0, "T": 9.0}, index=ids)
    return Customers(table.assign(first_purchase=pd.to_datetime(births)), "day", pd.Timestamp("2025-03-31"), None)


def test_expected_track_is_the_mean_of_simulated_histories():
    """MBG/NBD, whose customers may go at once, in days; of a customer not yet born nothing is expected."""
    model, theta, size = MODELS["mbg_nbd"], {"r": 0.5, "alpha": 20.0, "a": 0.8, "b": 2.4}, 3000
    posterior = posterior_of(model, theta, 1, spread=0.0)
    dates = pd.to_datetime(["2025-01-05", "2025-01-20", "2025-03-31"])
    alone = [
        expectations.expected_cumulative(posterior, cohort_of([day]), dates)[0] for day in ("2025-01-01", "2025-01-10")
    ]
    assert alone[1][0] == 0 and alone[0][0] > 0
    purchases = histories.simulate_purchases(model, theta, np.full(size, 89.0), 1)
    repeat = purchases[purchases["age"] > 0]
    for expected, ages in zip(alone, ((4, 19, 89), (-5, 10, 80)), strict=True):
        counts = [(repeat["age"] <= age).groupby(repeat["customer_id"]).sum() for age in ages]
        each = pd.concat(counts, axis=1).reindex(purchases["customer_id"].unique(), fill_value=0).to_numpy(float)
        mean_is(each, expected)
    together = expectations.expected_cumulative(posterior, cohort_of(["2025-01-10", *3 * ["2025-01-01"]]), dates)
    close(together[0], 3 * alone[0] + alone[1])


def test_expected_track_adds_up_customers_of_different_groups():
    births = ["2025-01-01", "2025-01-01", "2025-02-01", "2025-01-01"]
    customers, dates = cohort_of(births), pd.to_datetime(["2025-02-05", "2025-03-31"])
    customers.table["channel"] = ["a", "b", "b", "a"]
    plain = posterior_of(MODELS["gg_nbd"], CASES["gg_nbd"].theta, 7)
    posterior = by_channel(plain, "alpha", ("a", "b"))
    each = [
        expectations.expected_cumulative(posterior, replace(customers, table=customers.table.iloc[[k]]), dates)
        for k in range(4)
    ]
    together = expectations.expected_cumulative(posterior, customers, dates)
    assert together.shape == (7, 2) and not np.allclose(each[0], each[1])
    close(together, sum(each))


@pytest.mark.parametrize("dates", [[], ["2025-02-01", "2025-01-01"], ["2025-01-01", None]])
def test_dates_of_a_track_out_of_order_or_missing_are_refused(dates):
    posterior = posterior_of(MODELS["nbd"], CASES["nbd"].theta, 2)
    with pytest.raises(ConfigError, match="dates of a track"):
        expectations.expected_cumulative(posterior, cohort_of(["2025-01-01"]), dates)


@pytest.mark.parametrize(
    ("dataset", "model"),
    [
        *[("cdnow", model) for model in ("nbd", "pnbd", "bgnbd", "mbgnbd")],
        # 25 seconds to GG/NBD's limit; its log likelihood is checked customer by customer in the default run
        pytest.param("cdnow", "ggomnbd", marks=pytest.mark.slow),
        *[("apparel", model) for model in ("pnbd", "bgnbd", "mbgcnbd")],
        *[("cdnow_master", model) for model in ("nbd", "bgnbd", "mbgnbd")],
        pytest.param("cdnow_master", "pnbd", marks=pytest.mark.slow),  # on the two smaller bases in the default run
    ],
)
def test_maximum_likelihood(dataset, model, shared_reference, cohort):
    """Of all that fitted it. GG/NBD goes to its limit, where b and beta are known by their ratio alone."""
    fits = json.loads((shared_reference / "fits.json").read_text()).values()
    theirs = [each for each in fits if (each["dataset"], each["model"]) == (dataset, model)]
    ours = MODELS[NAMES.get(model, "mbg_nbd")]
    rows = rows_of(dataset, shared_reference, cohort)
    table = pd.DataFrame(rows, index=pd.Index([f"{k:05d}" for k in range(len(rows["T"]))], name="customer_id"))
    posterior = fit(ours, customers_of(table.astype({"frequency": "int64"})), method="mle")
    found = {p.name: posterior.stacked(p.name)[0] for p in ours.parameters}
    total = log_prob(ours, rows, as_theta(ours, found.values())).sum()
    assert theirs
    for each in theirs:
        assert -1e-6 < total - each["logLik"] < 1e-3
        identified = ("r", "alpha") if model == "ggomnbd" else found
        for name in identified:
            assert f"{found[name]:.3g}" == f"{each['params'][name]:.3g}", name
    if model == "ggomnbd":
        assert any(check.passed is False and "log b, log beta" in check.consequence for check in posterior.checks)


def test_expected_purchases_until_the_coin_falls_against_40_digits():
    """Fader, Hardie & Lee (2005) eq. 10 with mpmath's 2F1, over hard cases: x to 5,000, T and t over decades."""
    model, rng = MODELS["bg_nbd"], np.random.default_rng(1)
    assert isinstance(model, PurchaseModel)
    with mpmath.workdps(40):
        for x in (0, 0, 1, 1, 5, 5, 50, 50, 500, 5000):
            r, alpha, a, b = np.exp(1.5 * rng.normal(size=4))
            T, t = np.exp(rng.uniform(-2, 8)), np.exp(rng.uniform(-2, 7))
            rows = {"frequency": np.array([[x]]), "recency": np.array([[T / 2]]), "T": np.array([[T]])}
            value = model.expected_if_alive(rows, as_theta(model, (r, alpha, a, b)), np.array([t / 3, t]))[0, 0, 1]
            shape, exposure, A, B = mpmath.mpf(r) + x, mpmath.mpf(alpha) + T, mpmath.mpf(a), mpmath.mpf(b) + x
            z = t / (exposure + t)
            whole = 1 - (1 - z) ** shape * mpmath.hyp2f1(shape, B, A + B - 1, z)
            close(value, float((A + B - 1) / (A - 1) * whole))


def test_expected_purchases_from_the_first_coin_on_against_40_digits():
    """As above, with the coin of the first purchase: MBG/NBD's formula, from a new customer to a heavy one."""
    model, rng = MODELS["mbg_nbd"], np.random.default_rng(2)
    assert isinstance(model, PurchaseModel)
    with mpmath.workdps(40):
        for x in (0, 0, 1, 5, 50, 500):
            r, alpha, a, b = np.exp(1.5 * rng.normal(size=4))
            T, t = np.exp(rng.uniform(-2, 8)) * (x > 0), np.exp(rng.uniform(-2, 7))
            rows = {"frequency": np.array([[x]]), "recency": np.array([[T / 2]]), "T": np.array([[T]])}
            value = model.expected_if_alive(rows, as_theta(model, (r, alpha, a, b)), np.array([t]))[0, 0, 0]
            shape, exposure, A, B = mpmath.mpf(r) + x, mpmath.mpf(alpha) + T, mpmath.mpf(a), mpmath.mpf(b) + x + 1
            z = t / (exposure + t)
            whole = 1 - (1 - z) ** shape * mpmath.hyp2f1(shape, B, A + B - 1, z)
            close(value, float((A + B - 1) / (A - 1) * whole))


def gompertz_gamma(b, s, beta):
    """Survival and density, in mpmath."""
    survival = lambda t: (beta / (beta + mpmath.expm1(b * t))) ** s  # noqa: E731
    return survival, lambda t: b * s * mpmath.exp(b * t) / (beta + mpmath.expm1(b * t)) * survival(t)


def test_expected_purchases_until_the_gompertz_end_against_30_digits():
    """The integral of the survival over one period up to 520 weeks, for hazards that rise or fall, fast or slow."""
    model, rng = MODELS["gg_nbd"], np.random.default_rng(1)
    assert isinstance(model, PurchaseModel)
    with mpmath.workdps(30):
        for k in range(16):
            r, alpha, s = np.exp(1.5 * rng.normal(size=3))
            b, beta = 10.0 ** rng.uniform(-4, 1), 1.0 if k == 0 else 10.0 ** rng.uniform(-4, 3)
            T, t = (0.0 if k < 3 else np.exp(rng.uniform(-2, 6))), (520.0 if k % 2 else np.exp(rng.uniform(-3, 7)))
            rows = {"frequency": np.array([[4]]), "recency": np.array([[T]]), "T": np.array([[T]])}
            theta = as_theta(model, (r, alpha, b, s, beta))
            whole = model.expected_if_alive(rows, theta, np.array([t]))[0, 0, 0]
            stepwise = model.expected_if_alive(rows, theta, np.array([t / 3, t / 2, t]))[0, 0, -1]
            survival, _ = gompertz_gamma(*map(mpmath.mpf, (b, s, beta)))
            bounds = [0, *(t * mpmath.mpf(2) ** -k for k in range(30, -1, -1))]
            time = mpmath.quad(lambda u: survival(T + u) / survival(T), bounds)
            close([whole, stepwise], float((r + 4) / (alpha + T) * time), relative=1e-12)


@pytest.mark.parametrize(
    ("values", "t", "n"),
    [
        ((1.0, 15.0, 0.1, 2.0, 5.0), 104.0, 10),
        ((0.5, 10.0, 0.01, 0.5, 1.1), 520.0, 3),
        ((2.0, 3.0, 0.5, 1.5, 300.0), 30.0, 25),
        ((0.05, 50.0, 2.0, 3.0, 0.01), 104.0, 1),
    ],
)
def test_count_probability_of_gg_nbd_against_30_digits(values, t, n):
    model = MODELS["gg_nbd"]
    assert isinstance(model, PurchaseModel)
    r, alpha, b, s, beta = map(mpmath.mpf, values)
    survival, density = gompertz_gamma(b, s, beta)
    with mpmath.workdps(30):
        each = lambda u: mpmath.binomial(r + n - 1, n) * (u / (alpha + u)) ** n * (alpha / (alpha + u)) ** r  # noqa: E731
        ended = mpmath.quad(lambda u: each(u) * density(u), [0, *(t * mpmath.mpf(2) ** -k for k in range(30, -1, -1))])
        truth = float(each(t) * survival(t) + ended)
    found = model.count_probability(empty(model), as_theta(model, values), np.array([float(n)]), t)[0, 0]
    close(found, truth, relative=1e-10, floor=1e-12)
