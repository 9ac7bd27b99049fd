"""Who is surely among the best, of fits: few where each customer is little known, and nobody where nothing is known.

By what is expected 461 of CDNOW's 472 places were called sure: each customer's own unknown rate was integrated out of
what was ranked.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv

YEAR = clv.Economics(margin=0.3, annual_discount_rate=0.12, horizon=52)
SURE, OUT = 0.9, 0.1


def odds_of(customers: clv.Customers, purchases: str, spend: str, draws: int) -> pd.DataFrame:
    models = {"purchases": purchases, "spend": spend}
    posteriors = {role: clv.fit(model, customers, draws=draws) for role, model in models.items()}
    values = clv.value(posteriors, customers, YEAR, seed=42, draws=draws)
    return clv.rank(values, top_share=0.2)[["worth_odds_top", "realised_odds_top"]]


@pytest.mark.parametrize("purchases", ["pareto_nbd", "mbg_nbd"])
def test_one_repeat_purchase_in_two_thousand_customers_makes_nobody_sure(purchases):
    size, rng = 2000, np.random.default_rng(3)
    bought_again = np.arange(size) == 7
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{k:04d}" for k in range(size)],
            "frequency": bought_again.astype(int),
            "recency": np.where(bought_again, 10.0, 0.0),
            "T": np.round(rng.uniform(20, 40, size) * 7) / 7,
            "monetary_value": np.where(bought_again, 35.0, 0.0),
        }
    )
    customers = clv.Customers.from_rfm(frame, time_unit="week", observation_end="2025-06-30")
    odds = odds_of(customers, purchases, "gamma_gamma_mean", 500)
    assert (odds < SURE).all().all()
    assert odds["worth_odds_top"].drop("c0007").between(0.1, 0.35).all()  # a fifth, of whom nothing else is known
    assert odds["worth_odds_top"].idxmax() == "c0007"


def test_of_cdnow_a_sixth_of_the_places_are_sure(shared_data):
    """Two computations elsewhere gave 72 and 77 sure of the 472, and 815 customers in doubt."""
    orders = clv.DATASETS["cdnow"].load()
    customers = clv.summarize(orders, time_unit="week", calibration_end="1997-09-30").customers
    odds = odds_of(customers, "pareto_nbd", "gamma_gamma", 1000)
    sure, out = odds >= SURE, odds <= OUT
    assert 60 <= sure["worth_odds_top"].sum() <= 100
    assert 650 <= (~sure & ~out)["worth_odds_top"].sum() <= 900
    assert sure["realised_odds_top"].sum() < sure["worth_odds_top"].sum() / 2
