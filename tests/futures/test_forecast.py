"""Individuals and futures: no customer depends on company, block or process; periods, refusals, shapes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, by_channel, case_of, customers_of, pair_of, posterior_of, simulated, table_of
from contracts.line import a_customer_does_not_depend_on_company, every_number_of
from contracts.purchase import mean_is
from contracts.toys import TOYS

from clvmodels import draws
from clvmodels.customers.table import Holdout
from clvmodels.errors import ConfigError
from clvmodels.futures import forecast, individuals, windows
from clvmodels.models import MODELS
from clvmodels.randomness import KeyedRandom

QUICK = ("pareto_nbd", "bg_nbd", "mbg_cnbd_k", "sbg", "gamma_gamma")
"""One of each kind; the others are slow."""


@pytest.fixture
def set_block_size(monkeypatch):
    return lambda size: monkeypatch.setattr("clvmodels.draws.BLOCK_ELEMENTS", size)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in MODELS])
def test_a_customer_does_not_depend_on_company(name, set_block_size):
    a_customer_does_not_depend_on_company(case_of(name), set_block_size)


@pytest.mark.parametrize("name", TOYS)
def test_a_toys_customer_does_not_depend_on_company(name, set_block_size):
    a_customer_does_not_depend_on_company(TOYS[name], set_block_size)


@pytest.mark.parametrize(("name", "parameters"), [("bg_nbd", ("alpha", "v")), ("pareto_nbd", ("beta", "q"))])
def test_groups_do_not_make_a_customer_depend_on_company(name, parameters):
    """Of a fitted group, and of one that the fit has not seen."""
    pair = [by_channel(p, k, ("a", "b")) for p, k in zip(pair_of(CASES[name], 64), parameters, strict=True)]
    table = simulated(CASES[name], size=20).assign(channel=["a", "b", "new", "newer"] * 5)
    whole = every_number_of(*pair, customers_of(table), 64)
    for part in (table.iloc[::-1], table.iloc[[2]], table.iloc[5:9]):
        again = every_number_of(*pair, customers_of(part), 64)
        pd.testing.assert_frame_equal(again, whole[list(part.index)], check_exact=True)


def test_another_process_with_another_hash_seed_gives_the_same_numbers():
    script = Path(__file__).with_name("score_in_a_process.py")

    def digests(hash_seed: str) -> list[str]:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, str(script), *MODELS], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    first, second = digests("1"), digests("2")
    if first != second:  # the first may have compiled: what is compiled and what is kept may differ in a last bit
        first = digests("4711")
    assert second and first == second


def test_ids_that_look_alike_are_different_customers():
    table = table_of(dict.fromkeys(("7", "07", "7.0", "٧"), (2, 4.0, 39.0, 10.0)))
    state = individuals.individuals(posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, 50), table, 50, 1)
    assert len(np.unique(state.purchase_rate, axis=1).T) == 4


def forecast_of(name: str = "bg_nbd", **changes):
    table = CASES[name].table()
    length = 10.5 if MODELS[name].counts == "continuous" else 10.0
    came = pd.DataFrame({"purchases": np.arange(len(table))}, index=table.index)
    held = Holdout(came, length, pd.Timestamp("2025-07-01"), pd.Timestamp("2025-09-12"))
    posterior = posterior_of(MODELS[name], CASES[name].theta, 3000)
    return forecast.forecast(
        posterior, customers_of(table), length, **({"seed": 1, "draws": 3000, "actual": held} | changes)
    )


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if "purchases" in model.provides])
def test_forecast_agrees_with_itself(name):
    futures = forecast_of(name)
    n = futures.purchases.astype(float)
    assert futures.edges.tolist() == list(range(11)) and futures.period_purchases.shape == (3000, 10)
    assert np.all(futures.period_purchases.sum(axis=1) <= n.sum(axis=1))  # the last half week belongs to no week
    expected = futures.expected_purchases
    mean_is(n - expected, 0.0, expected.mean(axis=0))
    mean_is((n > 0).astype(float), futures.p_any, futures.p_any * (1 - futures.p_any))
    exact = np.exp(futures.log_prob)
    mean_is((n == np.arange(n.shape[1])).astype(float), exact, exact * (1 - exact))
    assert np.all((futures.p_alive >= 0) & (futures.p_alive <= 1))


def test_forecast_without_truth_has_no_log_prob_and_the_same_draws(tmp_path):
    blind = forecast_of(actual=None, folder=tmp_path)
    assert blind.log_prob is None and isinstance(blind.purchases, np.memmap)
    assert np.array_equal(blind.purchases, forecast_of().purchases)


def test_fewer_draws_are_asked_for_evenly():
    posterior = posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, 100)
    futures = forecast.forecast(posterior, customers_of(table_of()), 4.0, seed=1, draws=10)
    assert futures.purchases.shape == (10, 8)
    picked = posterior.stacked("r", 10)
    assert picked[0] == posterior.stacked("r")[0] and picked[-1] == posterior.stacked("r")[-1]


@pytest.mark.parametrize(
    ("length", "unit", "edges"),
    [
        (2.0, "week", [0, 1, 2]),
        (2.5, "week", [0, 1, 2, 2.5]),
        (21.0, "day", [0, 7, 14, 21]),
        (0.5, "week", [0, 0.5]),
    ],
)
def test_week_edges(length, unit, edges):
    assert windows.week_edges(length, unit).tolist() == edges


def test_blocks_cover_everyone_once():
    for size in (1, 7, 100):
        slices = list(draws.blocks(size, 10**6, 14))
        assert np.concatenate([np.arange(size)[s] for s in slices]).tolist() == list(range(size))
        assert len(slices) == size


def test_the_coin_customer_stops_at_the_drawn_purchase():
    posterior = posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, 500)
    rng = KeyedRandom(1, "f", list(table_of().index), 500)
    state = individuals.present(posterior, table_of(), 500, 1).state
    busy = dataclasses.replace(state, purchase_rate=np.full(state.purchase_rate.shape, 1e3))
    counts = forecast.purchase_counts(posterior, table_of(), busy, np.arange(4.0), rng).by_period()
    few = state.residual_purchases < 500
    assert np.array_equal(counts.sum(axis=-1)[few], state.residual_purchases[few])
    assert np.all(counts[~state.alive] == 0)


def test_a_spend_model_forecasts_no_purchases():
    spend = posterior_of(MODELS["gamma_gamma"], CASES["gamma_gamma"].theta, 10)
    with pytest.raises(ConfigError, match="purchase model"):
        forecast.forecast(spend, customers_of(table_of()), 4.0, seed=1)
