"""The odds of a silence: of every purchase model against customers who are simulated and never leave; by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from contracts.cases import CASES, posterior_of

from clvmodels.futures.individuals import rows_of
from clvmodels.models import MODELS, PurchaseModel
from clvmodels.randomness import KeyedRandom

DRAWS = 4000
PURCHASES = [name for name, case in CASES.items() if isinstance(case.model, PurchaseModel)]


@pytest.mark.parametrize("name", PURCHASES)
def test_the_odds_of_a_silence_are_those_of_customers_who_stay(name):
    """Rates drawn given the history up to the last purchase; then how many of them buy nothing until T."""
    case = CASES[name]
    table = case.table()
    posterior = posterior_of(case.model, case.theta, DRAWS, spread=0.0)
    rows, theta = rows_of(table, case.model.observes), posterior.theta(table, DRAWS)
    silence = (table["T"] - table["recency"]).to_numpy(dtype=float)
    at_last = {**rows, "T": rows["T"] - silence}
    rng = KeyedRandom(1, "silence", list(table.index), DRAWS)
    people = case.model.draw_alive(at_last, theta, rng)
    for_ever = np.full(people.alive.shape, np.inf)
    people = replace(people, residual_lifetime=for_ever, residual_purchases=for_ever)
    edges = np.column_stack([np.zeros(len(table)), silence])
    bought = case.model.draw_counts(at_last, theta, people, edges, rng).total()
    silent = (bought == 0).mean(axis=0)
    odds = np.broadcast_to(case.model.silence_odds(rows, theta), bought.shape)[0]
    error = np.sqrt(np.maximum(odds * (1 - odds), 1e-3) / DRAWS)
    np.testing.assert_array_less(np.abs(silent - odds), 4 * error)


def test_the_odds_of_a_silence_by_hand():
    """Of Pareto/NBD ((alpha + t_x) / (alpha + T))^(r + x): 2 purchases, the last at 4, silent until 34."""
    rows = {"frequency": np.array([[2.0]]), "recency": np.array([[4.0]]), "T": np.array([[34.0]])}
    theta = {"r": np.array([[1.0]]), "alpha": np.array([[6.0]])}
    odds = MODELS["pareto_nbd"].silence_odds(rows, theta)
    assert odds[0, 0] == pytest.approx((10 / 40) ** 3)


def test_a_model_that_does_not_tell_it_says_so():
    with pytest.raises(NotImplementedError, match="tells no odds of a silence"):
        PurchaseModel.silence_odds(MODELS["nbd"], {}, {})
