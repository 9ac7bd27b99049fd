"""From a posterior to values: economics, units, refusals; the contracts of the line for each model and for toys."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from contracts.cases import CASES, case_of, customers_of, pair_of, posterior_of, rescaled, roles_of, table_of
from contracts.line import LINE_CONTRACTS
from contracts.purchase import close
from contracts.toys import TOYS

from clvmodels.errors import ConfigError
from clvmodels.models import MODELS
from clvmodels.valuation.discounting import discount_factors, period_edges
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import value

YEAR = Economics(margin=0.3, annual_discount_rate=0.12, horizon=52.0)


@pytest.mark.parametrize("contract", LINE_CONTRACTS)
@pytest.mark.parametrize("name", MODELS)
def test_member(name, contract):
    contract(case_of(name))


@pytest.mark.parametrize("contract", LINE_CONTRACTS)
@pytest.mark.parametrize("name", TOYS)
def test_toy(name, contract):
    contract(TOYS[name])


def small_value(customers=None, economics=YEAR, seed=1, draws=20):
    pair = roles_of(CASES["bg_nbd"], 20)
    return value(pair, customers or customers_of(table_of()), economics, seed=seed, draws=draws)


def test_value_is_proportional_to_margin_and_grows_with_the_horizon():
    whole = small_value()
    half = small_value(economics=dataclasses.replace(YEAR, margin=0.15))
    close(half.expected * 2, whole.expected, 1e-6)
    close(half.realised * 2, whole.realised, 1e-6)
    longer = small_value(economics=dataclasses.replace(YEAR, horizon=104.0))
    assert np.all(longer.expected >= whole.expected) and np.all(longer.expected < 3 * whole.expected)


def test_discounting_by_the_day_count():
    edges = period_edges(52.0, "week")
    assert edges[0] == 0 and edges[-1] == 52 and np.diff(edges).max() * 7 <= 365.25 / 12 + 1e-9
    tiny = np.array([0.0, 1e-6]) + 365.25 / 7
    close(discount_factors(tiny, 0.12, "week"), 1 / 1.12, 1e-6)
    close(discount_factors(edges, 0.0, "week"), np.ones(len(edges) - 1))
    assert np.all(np.diff(discount_factors(edges, 0.12, "week")) < 0)
    days = discount_factors(edges * 7, 0.12, "day")
    close(discount_factors(edges, 0.12, "week"), days, 1e-12)
    assert period_edges(1.0, "month").tolist() == [0.0, 1.0] and len(period_edges(365.25, "day")) == 13


def test_draws_are_kept_labelled_and_seeded():
    values = small_value()
    assert values.customer_id.tolist() == list(table_of().index) and values.expected.shape == (20, 8)
    assert np.array_equal(small_value().realised, values.realised)
    assert not np.array_equal(small_value(seed=2).realised, values.realised)
    assert np.array_equal(small_value(seed=2).expected, values.expected)
    assert (values.currency, values.time_unit, values.horizon) == ("USD", "week", 52.0)


def test_arrays_may_lie_in_a_folder(tmp_path):
    pair, customers = roles_of(CASES["pareto_nbd"], 20), customers_of(table_of())
    stored = value(pair, customers, YEAR, seed=1, draws=20, folder=tmp_path)
    assert isinstance(stored.realised, np.memmap) and sorted(p.suffix for p in tmp_path.iterdir()) == [".npy"] * 3
    assert np.array_equal(stored.realised, value(pair, customers, YEAR, seed=1, draws=20).realised)


def test_threads_change_no_number(monkeypatch):
    pair, people = roles_of(CASES["pareto_nbd"], 40), customers_of(table_of())
    monkeypatch.setattr("clvmodels.draws.BLOCK_ELEMENTS", 40)
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr("clvmodels.draws.cores", lambda cores=cores: cores)
        found.append(value(pair, people, YEAR, seed=1, draws=40))
    for other in found[1:]:
        assert np.array_equal(other.expected, found[0].expected) and np.array_equal(other.realised, found[0].realised)


def test_progress_is_told():
    heard = []
    pair = roles_of(CASES["bg_nbd"], 5)
    value(pair, customers_of(table_of()), YEAR, seed=1, draws=5, progress=lambda done, of: heard.append((done, of)))
    assert heard[-1] == (8, 8)


def test_economics_that_cannot_be_meant_are_refused_all_at_once():
    with pytest.raises(ConfigError) as refused:
        Economics(margin=1.5, annual_discount_rate=-2.0, horizon=float("inf"))
    assert len(refused.value.problems) == 3 and "finite" in str(refused.value)
    for wrong in ({"margin": 0.0}, {"margin": np.nan}, {"horizon": 0.0}, {"annual_discount_rate": np.nan}):
        with pytest.raises(ConfigError):
            dataclasses.replace(YEAR, **wrong)


def test_posteriors_in_other_units_are_refused_all_at_once():
    purchases, spend = pair_of(CASES["bg_nbd"], 20)
    short = posterior_of(spend.model, CASES["gamma_gamma"].theta, 10)
    with pytest.raises(ConfigError) as refused:
        pair = {"purchases": purchases, "spend": short}
        value(pair, customers_of(table_of(), "day", 0.01), YEAR, seed=1, draws=20)
    text = str(refused.value)
    assert len(refused.value.problems) == 3
    assert "week and day" in text and "1 and 0.01" in text and "20 of purchases and 10 of spend" in text


def test_the_amount_unit_is_counted():
    purchases, spend = pair_of(CASES["bg_nbd"], 20)
    table = table_of()
    dollars = value({"purchases": purchases, "spend": spend}, customers_of(table), YEAR, seed=1, draws=20)
    theta = CASES["gamma_gamma"].theta
    in_cents = posterior_of(spend.model, theta | {"v": theta["v"] * 100}, 20)
    in_cents = dataclasses.replace(in_cents, amount_unit=0.01)
    cents = rescaled(table, money=100)
    pair = {"purchases": purchases, "spend": in_cents}
    again = value(pair, customers_of(cents, "week", 0.01), YEAR, seed=1, draws=20)
    close(again.expected, dollars.expected, 1e-5)
    close(again.realised, dollars.realised, 1e-5)
