"""How regular buyers are: k is found, told where it was chosen, and kept; what cannot be meant is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import as_theta, customers_of, posterior_of
from fakes.command_line import invoke
from fakes.experiment_files import MINIMAL, load, problems
from fakes.experiments import Fits, experiment
from fakes.reference import cbs

from clvmodels.errors import ConfigError, FitError, Problem
from clvmodels.futures import forecast, individuals
from clvmodels.inference import fitting
from clvmodels.inference.choice_of_k import choose_k, others
from clvmodels.inference.fitting import fit
from clvmodels.inference.posterior import load as load_posterior
from clvmodels.models import MODELS
from clvmodels.models.evaluate import p_alive
from clvmodels.report import write_report
from clvmodels.runs.experiment import run

CHOSEN = "Regularity k of the purchases, by elpd (difference ± its standard error)"
K, TRUTH, AHEAD = 3, {"r": 2.0, "alpha": 3.0, "a": 0.4, "b": 4.0}, 30.0


def regular_buyers(seed: int, size: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Customers who buy at Erlang-3 gaps until a coin falls, the first time after the first purchase: the table that
    models read, who is alive at T, and how often each buys in the 30 weeks after. Shares no code with the models."""
    rng = np.random.default_rng(seed)
    T = rng.uniform(30, 70, size)
    rate, p = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], size), rng.beta(TRUTH["a"], TRUTH["b"], size)
    gaps = rng.gamma(K, 1 / rate[:, None], (size, 400))
    age = np.cumsum(gaps, axis=1)
    assert (age[:, -1] > T + AHEAD).all()
    most = rng.geometric(np.maximum(p, 1e-12)) - 1  # repeat purchases until the coin falls
    made = np.arange(400) < most[:, None]
    seen = made & (age <= T[:, None])
    came = made & (age > T[:, None]) & (age <= T[:, None] + AHEAD)
    frequency = seen.sum(axis=1)
    table = pd.DataFrame(
        {
            "frequency": frequency,
            "recency": np.where(seen, age, 0.0).max(axis=1),
            "T": T,
            "sum_log_gaps": np.where(seen, np.log(gaps), 0.0).sum(axis=1),
        },
        index=pd.Index([f"c{k:05d}" for k in range(size)], name="customer_id"),
    )
    return table, frequency < most, came.sum(axis=1)


def z(found: np.ndarray, expected: np.ndarray, variance: np.ndarray) -> float:
    """Distance of the mean of found - expected from 0 in standard errors, of at least this variance."""
    off = found - expected
    return float(np.sqrt(len(off)) * off.mean() / np.sqrt(max(off.var(), variance.mean())))


def test_at_the_truth_p_alive_and_expected_purchases_are_right():
    """In all, and among the customers of each tenth of P(alive); k = 1 at the same mean rate is not."""
    table, alive, came = regular_buyers(1, 20_000)
    for k, right in ((3, True), (1, False)):
        model, theta = MODELS["mbg_cnbd_k"].given(k=k), as_theta(TRUTH | {"alpha": TRUTH["alpha"] * K / k})
        rows = individuals.rows_of(table, model.observes)
        chance = p_alive(model, rows, theta)
        expected = (chance[..., None] * model.expected_if_alive(rows, theta, np.array([AHEAD])))[0, :, 0]
        tenth, far = pd.qcut(chance[0], 10, labels=False), []
        for i in range(10):
            here, p, mean = tenth == i, chance[0][tenth == i], expected[tenth == i]
            far += [abs(z(alive[here], p, p * (1 - p))), abs(z(came[here], mean, mean))]
        assert (max(far) < 4.5) == right and (max(far) > 10) != right


def test_the_k_of_the_highest_elpd_is_chosen(monkeypatch):
    """By posteriors around the truth of each k, without a fit."""

    def around(model, customers, **_):
        return posterior_of(model, TRUTH | {"alpha": TRUTH["alpha"] * K / model.options["k"]}, 100)

    monkeypatch.setattr(fitting, "fit", around)
    best, table = choose_k("mbg_cnbd_k", customers_of(regular_buyers(2, 300)[0]), ks=(1, 3))
    assert best.model.options["k"] == K and list(table.index) == [1, 3] and table["difference"][1] < 0


# Slow by the fits of four k: k is found by fits, and forecasts with it are right, told and kept.


@pytest.fixture(scope="module")
def found():
    table, alive, came = regular_buyers(2, 600)
    customers = customers_of(table)
    return customers, alive, came, choose_k("mbg_cnbd_k", customers, draws=500)


@pytest.mark.slow
def test_k_is_found(found):
    *_, (best, table) = found
    assert best.model.options["k"] == K and best.model.title == "MBG/CNBD-3" and best.passed
    assert list(table.index) == [1, 2, 3, 4] and table["difference"][K] == 0 and table["se"][K] == 0
    assert (table["difference"].drop(K) < -3 * table["se"].drop(K)).all() and (table["uncertain"] == 0).all()
    assert table["difference"][1] < table["difference"][2]
    for name, truth in TRUTH.items():
        draws = np.log(best.stacked(name))
        assert abs(draws.mean() - np.log(truth)) < 4 * draws.std()


@pytest.mark.slow
def test_who_is_alive_and_what_comes_is_forecast_right(found):
    customers, alive, came, (best, _) = found
    futures = forecast.forecast(best, customers, AHEAD, seed=1, draws=500)
    p = futures.p_alive.mean(axis=0)
    assert abs(z(alive, p, p * (1 - p))) < 4.5
    low, high = np.quantile(futures.purchases.sum(axis=1), (0.001, 0.999))
    assert low <= came.sum() <= high
    irregular = forecast.forecast(fit(best.model.given(k=1), customers, draws=500), customers, AHEAD, seed=1, draws=500)
    brier = [((f.p_alive.mean(axis=0) - alive) ** 2).mean() for f in (futures, irregular)]
    assert brier[0] < 0.9 * brier[1]


@pytest.mark.slow
def test_what_was_tried_is_kept_with_the_posterior(found, tmp_path):
    *_, (best, table) = found
    names = [other.method for other in others(best)]
    assert names == ["k = 1", "k = 2", "k = 4"]
    first = next(other for other in others(best) if other.k == 1)
    assert first.reason == f"elpd −{-table['difference'][1]:,.0f} ± {table['se'][1]:,.0f}"
    assert (first.difference, first.se) == (table["difference"][1], table["se"][1])
    assert others(load_posterior(best.save(tmp_path / "best.nc"))) == others(best)


@pytest.mark.slow
def test_cdnow_s_buyers_are_irregular(shared_reference):
    """The maximum of the log likelihood falls by 272.9 from k = 1 to 2, and elpd alike."""
    best, table = choose_k("bg_cnbd_k", customers_of(cbs(shared_reference, "cdnow")), ks=(2, 1), draws=1000)
    assert best.model.options["k"] == 1 and table.index[0] == 2
    assert table["difference"][2] == pytest.approx(-272.9, abs=3) and 30 < table["se"][2] < 40


def test_nothing_to_choose_from_is_refused():
    customers = customers_of(regular_buyers(1, 20)[0])
    with pytest.raises(ConfigError, match="no k is to be tried"):
        choose_k("bg_cnbd_k", customers, ks=())
    with pytest.raises(ConfigError, match="BG/NBD has no option 'k'"):
        choose_k("bg_nbd", customers)
    with pytest.raises(ConfigError, match="must be a whole number; got 13"):
        choose_k("bg_cnbd_k", customers, ks=(1, 13))
    with pytest.raises(ConfigError, match="leave-one-out score needs a posterior"):
        choose_k("bg_cnbd_k", customers, method="mle")


def test_a_fit_that_fails_says_of_which_k(monkeypatch):
    monkeypatch.setattr(fitting, "fit", Fits({2: FitError(Problem("no mode"))}))
    with pytest.raises(FitError, match="k = 2: no mode"):
        choose_k("bg_cnbd_k", customers_of(regular_buyers(1, 20)[0]), draws=100)


# The experiment -----------------------------------------------------------------------------------------------


def entry(k: str) -> str:
    return MINIMAL.replace("bg: {purchases: bg_nbd}", f"bg: {{purchases: bg_cnbd_k, k: {k}}}")


def test_k_of_an_entry(tmp_path):
    assert load(tmp_path, MINIMAL).models["bg"].k is None
    assert load(tmp_path, entry("3")).models["bg"].k == 3
    assert load(tmp_path, entry("[1, 2, 3]")).models["bg"].k == (1, 2, 3)
    again = experiment(models={"e": {"purchases": "bg_cnbd_k", "k": [4, 1], "spend": "gamma_gamma"}})
    assert again.models["e"].k == (4, 1)


FORM = "Must be a whole number, or a list of those to choose from, as in [1, 2, 3, 4]; got "
RANGE = "k of BG/CNBD must be a whole number; got {}. A whole number from 1 (irregular) to 12 (nearly by the clock)"
WRONG = {  # k -> where in k, column, what
    "high": ("", 33, FORM + '"high"'),
    "2.0": ("", 33, FORM + "2.0"),
    "true": ("", 33, FORM + "true"),
    "[]": ("", 33, FORM + "[]"),
    "0": ("", 33, RANGE.format(0)),
    "[1, 13]": ("[1]", 37, RANGE.format(13)),
    "[2, 2]": ("[1]", 37, "k = 2 is listed twice"),
}


@pytest.mark.parametrize("k", WRONG)
def test_a_k_that_cannot_be_meant_is_told_where(k, tmp_path):
    where, column, what = WRONG[k]
    assert problems(tmp_path, entry(k)) == [f"e.yaml:4:{column}: models.bg.k{where}: {what}"]


def test_k_of_a_model_without_one_is_refused(tmp_path):
    text = MINIMAL.replace("bg_nbd}", "bg_nbd, k: [1, 2]}")
    expected = "e.yaml:4:27: models.bg.k: The model 'bg_nbd' has no option 'k'. These have: bg_cnbd_k, mbg_cnbd_k"
    assert problems(tmp_path, text) == [expected]


def models(**options) -> dict:
    return {"regular": {"purchases": "mbg_cnbd_k", "spend": "gamma_gamma", **options}}


@pytest.mark.slow  # the choice itself and what a file may say of k are in the default run, above
def test_a_run_chooses_k_once_and_tells_it(monkeypatch, tmp_path):
    """Of the retailer's buyers, who are not regular, by posteriors around one truth: the fits are kept, one for each
    k, and the k that is chosen at the calibration's end is kept at the date of value."""
    fits = Fits()
    monkeypatch.setattr(fitting, "fit", fits)
    chosen = experiment(models=models(k=[1, 2, 3]))
    outcome = run(chosen, tmp_path / "r")
    result = outcome.run.entries["regular"]
    k = result.posteriors["purchases"].model.options["k"]
    assert result.label == f"MBG/CNBD-{k}" == outcome.run.about.entries["regular"]
    assert [model for model, day in fits.asked if day < "2025-07"].count("mbg_cnbd_k") == 3
    assert [model for model, day in fits.asked if day > "2025-07"].count("mbg_cnbd_k") == 1
    checks = pd.read_csv(tmp_path / "r" / "checks.csv").set_index("check")
    row = checks.loc[CHOSEN]
    assert row["value"] == k and row["note"].count("±") == 2 and row["entry"] == "regular"
    assert row["result"] == ("look" if k == 3 else "passed")
    page = write_report(outcome.folder).read_text(encoding="utf-8")
    assert CHOSEN in page and f"{k} ({row['note']})" in page

    before = len(fits.asked)
    given = run(experiment(models=models(k=k)), tmp_path / "r")  # kept: nothing is fitted again
    assert len(fits.asked) == before and given.run.entries["regular"].label == result.label
    assert CHOSEN not in set(given.run.checks["check"])
    run(experiment(models=models(k=5)), tmp_path / "r")
    assert [model for model, _ in fits.asked[before:]] == ["mbg_cnbd_k"] * 2


# The command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def orders(tmp_path):
    """Days of purchases of 30 customers."""
    rng, day = np.random.default_rng(1), pd.Timestamp("2024-01-01")
    table = pd.DataFrame(
        [
            (f"c{c}", day + pd.Timedelta(days=int(d)))
            for c in range(30)
            for d in rng.integers(0, 365, rng.integers(1, 9))
        ],
        columns=["customer_id", "date"],
    )
    table.to_csv(tmp_path / "orders.csv", index=False)
    return tmp_path / "orders.csv"


def test_fit_takes_k_or_chooses_it(orders, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", Fits())
    words = ("fit", orders, "--model", "bg_cnbd_k", "--time-unit", "week", "--end", "2024-12-31", "--draws", 200)
    one = invoke(*words, "--k", "5", "--out", tmp_path / "five.nc")
    assert one.status == 0 and load_posterior(tmp_path / "five.nc").model is MODELS["bg_cnbd_k"].given(k=5)
    several = invoke(*words, "--k", "1,6", "--out", tmp_path / "best.nc")
    best = load_posterior(tmp_path / "best.nc")
    assert several.status == 0 and f"{best.model.title} has the best elpd" in several.err
    [other] = others(best)
    assert {best.model.options["k"], other.k} == {1, 6}
    assert f"{other.method}: {other.reason}" in several.err


@pytest.mark.parametrize(
    ("k", "told"),
    [
        ("two", "--k: Not a whole number; got two"),
        ("1,,2", "--k: Not a whole"),
        ("0", "k of BG/CNBD must be a whole number; got 0"),
    ],
)
def test_fit_refuses_a_k_that_cannot_be_meant(k, told, orders):
    done = invoke("fit", orders, "--model", "bg_cnbd_k", "--time-unit", "week", "--k", k)
    assert done.status == 2 and told in done.err
    done = invoke("fit", orders, "--model", "bg_nbd", "--time-unit", "week", "--k", "2")
    assert done.status == 2 and "BG/NBD has no option 'k'" in done.err
