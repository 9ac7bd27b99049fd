"""Who may leave: against closed forms and simulations of customers of known parameters, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, customers_of, posterior_of
from fakes.worth import make_values, with_credit

from clvmodels.decisions import leaving
from clvmodels.decisions.leaving import quarter
from clvmodels.errors import ConfigError, DataError
from clvmodels.futures.expectations import chance_of_any
from clvmodels.futures.forecast import purchase_counts
from clvmodels.futures.individuals import individuals, present
from clvmodels.randomness import KeyedRandom

DRAWS = 4000


def found_of(name: str, draws: int = DRAWS, **options) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The customers of a case, who are worth 100 each, and who of them may leave, in their order."""
    case = CASES[name]
    table = case.table()
    posterior = posterior_of(case.model, case.theta, draws, spread=0.0)
    values = make_values(np.full((draws, len(table)), 100.0), ids=table.index)
    found = leaving(posterior, customers_of(table), values, seed=1, **options).customers
    return table, found.loc[table.index]


def test_pareto_nbd_by_its_closed_forms():
    """P(alive at T + t) = P(alive) ((beta + T) / (beta + T + t))^s; and the chance of a purchase, exactly."""
    table, found = found_of("pareto_nbd", within=13.0)
    theta = CASES["pareto_nbd"].theta
    stays = ((theta["beta"] + table["T"]) / (theta["beta"] + table["T"] + 13.0)) ** theta["s"]
    then = found["p_alive"] * stays
    np.testing.assert_allclose(found["p_alive_then"], then, atol=4 * np.sqrt(0.25 / DRAWS))
    silence = ((theta["alpha"] + table["recency"]) / (theta["alpha"] + table["T"])) ** (theta["r"] + table["frequency"])
    np.testing.assert_allclose(found["silence_odds"], silence)
    posterior = posterior_of(CASES["pareto_nbd"].model, theta, 2, spread=0.0)
    p_alive = present(posterior, table, 2, 1).p_alive
    exact = chance_of_any(posterior, table, p_alive, 52.0)
    np.testing.assert_allclose(found["p_purchase"], exact, atol=4 * np.sqrt(0.25 / DRAWS))
    for level, column in ((0.05, "next_q5"), (0.5, "next_q50"), (0.95, "next_q95")):
        for place, customer in enumerate(table.index):  # by then that share of the chance of a purchase has come
            by_then = chance_of_any(posterior, table.iloc[[place]], p_alive[:, [place]], found.loc[customer, column])
            share = by_then[0] / found.loc[customer, "p_purchase"]
            error = np.sqrt(0.25 / (DRAWS * found.loc[customer, "p_purchase"]))
            assert share == pytest.approx(level, abs=4 * error + 0.03)  # 0.03: evenly within a week


@pytest.mark.parametrize("name", ["mbg_nbd", "mbg_cnbd_k", "bg_bb"])
def test_who_is_there_later_agrees_with_states_and_futures_drawn_apart(name):
    table, found = found_of(name, within=4.0)
    case = CASES[name]
    posterior = posterior_of(case.model, case.theta, DRAWS, spread=0.0)
    state = individuals(posterior, table, DRAWS, seed=2)
    rng = KeyedRandom(2, "apart", list(table.index), DRAWS)
    bought = purchase_counts(posterior, table, state, np.array([0.0, 4.0]), rng).total()
    is_there = state.alive & (state.residual_lifetime >= 4.0) & (bought < state.residual_purchases)
    np.testing.assert_allclose(found["p_alive_then"], is_there.mean(axis=0), atol=4 * np.sqrt(0.5 / DRAWS))


def test_value_at_risk_is_worth_times_the_odds_of_leaving_best_first():
    case = CASES["pareto_nbd"]
    table = case.table()
    posterior = posterior_of(case.model, case.theta, 200)
    worth = np.random.default_rng(1).gamma(2.0, 30.0, (200, len(table)))
    worth[:, 0] = -3.0  # who costs money is no loss
    found = leaving(posterior, customers_of(table), make_values(worth, ids=table.index), seed=1).customers
    mean = pd.Series(worth.astype(np.float32).mean(axis=0, dtype=float), table.index)
    expected = mean.clip(0.0) * (1.0 - found["p_alive_then"].loc[table.index])
    np.testing.assert_allclose(found["value_at_risk"].loc[table.index], expected)
    assert found["value_at_risk"].is_monotonic_decreasing
    assert found["value_at_risk"].loc[table.index[0]] == 0.0
    assert (found["p_alive_then"] <= found["p_alive"]).all()
    assert found["silence"].loc[table.index].tolist() == (table["T"] - table["recency"]).tolist()


def test_the_credit_for_referrals_is_no_worth_of_their_own():
    case = CASES["nbd"]
    table = case.table()
    values = make_values(np.full((50, len(table)), 10.0), ids=table.index)
    with_it = with_credit(values, np.full((50, len(table)), 5.0))
    found = leaving(posterior_of(case.model, case.theta, 50), customers_of(table), with_it, seed=1).customers
    assert set(found["worth"]) == {10.0}


def test_where_nobody_can_have_left_it_is_not_told():
    """BG/NBD lets nobody leave before a repeat purchase."""
    table, found = found_of("bg_nbd", draws=50)
    once = table["frequency"] == 0
    for column in ("p_alive", "p_alive_then", "odds_of_leaving", "value_at_risk"):
        assert found[column].isna().equals(once), column
    assert found["silence_odds"].notna().all() and found["p_purchase"].notna().all()


def test_a_customer_alone_is_the_same_as_among_others():
    case = CASES["pareto_nbd"]
    table = case.table()
    posterior = posterior_of(case.model, case.theta, 60)
    whole = leaving(posterior, customers_of(table), make_values(np.ones((60, len(table))), ids=table.index), seed=1)
    name = table.index[3]
    alone = leaving(posterior, customers_of(table.loc[[name]]), make_values(np.ones((60, 1)), ids=[name]), seed=1)
    assert whole.within == alone.within == 13.0
    pd.testing.assert_series_equal(whole.customers.loc[name], alone.customers.loc[name])


def test_a_quarter_in_time_units():
    assert [quarter(unit) for unit in ("day", "week", "month", "year")] == [91.0, 13.0, 3.0, 1.0]


def test_what_cannot_be_told_is_refused():
    case = CASES["nbd"]
    table = case.table()
    posterior, values = posterior_of(case.model, case.theta, 20), make_values(np.ones((20, len(table))))
    with pytest.raises(DataError, match="the values are of other customers"):
        leaving(posterior, customers_of(table), values, seed=1)
    values = make_values(np.ones((20, len(table))), ids=table.index)
    for within in (0.0, 53.0):
        with pytest.raises(ConfigError, match="not a time within the horizon; got"):
            leaving(posterior, customers_of(table), values, seed=1, within=within)
