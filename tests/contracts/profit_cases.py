"""Worlds in which value is simulated twice: by the package, and event by event by `brute_force`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from contracts.brute_force import History, World
from contracts.cases import amount_statistics, customers_of, posterior_of
from contracts.cost_cases import COST_CASES

from clvmodels.customers.table import Customers
from clvmodels.inference.posterior import Posterior
from clvmodels.models import COSTS, MODELS
from clvmodels.valuation.economics import Economics, Referral, Retention

THETA = {
    "pareto_nbd": {"r": 1.2, "alpha": 7.0, "s": 0.8, "beta": 14.0},
    "bg_nbd": {"r": 1.2, "alpha": 7.0, "a": 0.8, "b": 2.6},
    "mbg_nbd": {"r": 1.2, "alpha": 7.0, "a": 0.8, "b": 2.6},
    "gg_nbd": {"r": 1.2, "alpha": 7.0, "b": 0.02, "s": 0.8, "beta": 0.5},
    "nbd": {"r": 1.2, "alpha": 7.0},
    "gamma_gamma": {"p": 4.0, "q": 3.7, "v": 20.0},
    "lognormal_spend": {"m": 27.0, "tau": 0.4, "sigma": 0.5},
    "returns": {"mu": 0.2, "phi": 5.0, "whole": 0.6, "share": 0.4, "precision": 4.0},
    "bad_debt": {"mu": 0.08, "phi": 6.0},
    "contacts": {"mu": 0.5, "r": 0.9},
    "handling": {"m": 4.0, "tau": 0.4, "sigma": 0.6},
    "referrals": {"mu": 0.15, "r": 0.8},
    "margin": {"m": 0.4, "tau": 0.1, "sigma": 0.08},
}
ROLE_MODELS = {role: model for model in reversed(COSTS.values()) for role in model.provides}
FULL = Economics(
    margin=None,
    annual_discount_rate=0.12,
    horizon=26.0,
    cost_per_order=3.0,
    cost_per_return=4.0,
    resold=0.3,
    written_off=0.2,
    payment_fee=0.02,
    payment_fee_per_order=0.3,
    recovered=0.25,
    retention=Retention(cost=1.5, every=4.0, until_silent=12.0),
    referral=Referral(incremental=0.6, reward=5.0),
)
HISTORIES = {
    "just come": History(0, 0.0, 2.0, (), (1, 0), (1, 0), (1, 0), (), (1, 0), (0.35,)),
    "twice, then silent": History(
        2, 9.0, 30.0, (22.0, 60.0), (3, 2), (1, 1), (3, 4), (3.0, 9.0, 6.0, 2.0), (3, 0), (0.5, 0.45, 0.41)
    ),
    "regular": History(
        6,
        27.0,
        28.0,
        (12.0, 18.0, 9.0, 15.0, 30.0, 11.0),
        (7, 0),
        (7, 0),
        (7, 1),
        (12.0,),
        (7, 2),
        (0.2, 0.3, 0.25, 0.3, 0.28, 0.33, 0.31),
    ),
}


def world_of(purchases: str, spend: str, economics: Economics = FULL) -> World:
    """The same truth and economics for the brute force."""
    theta = {"purchases": THETA[purchases], "spend": THETA[spend], **{role: THETA[role] for role in ROLE_MODELS}}
    return World(
        theta=theta,
        leaves="coin" if purchases == "bg_nbd" else "clock",
        pays="gamma" if spend == "gamma_gamma" else "lognormal",
        horizon=economics.horizon,
        margin=economics.margin,
        rate=economics.annual_discount_rate,
        per_order=economics.cost_per_order,
        per_return=economics.cost_per_return,
        per_contact=economics.cost_per_contact,
        resold=economics.resold,
        written_off=economics.written_off,
        fee=economics.payment_fee,
        fee_per_order=economics.payment_fee_per_order,
        recovered=economics.recovered,
        contact_cost=economics.retention.cost,
        every=economics.retention.every,
        until_silent=economics.retention.until_silent,
        incremental=economics.referral.incremental,
        reward=economics.referral.reward,
    )


def posteriors_of(
    purchases: str, spend: str, draws: int, roles=tuple(ROLE_MODELS), spread: float = 0.0
) -> dict[str, Posterior]:
    """Posteriors around the truth, or of the truth itself."""
    found = {"purchases": MODELS[purchases], "spend": MODELS[spend]} | {role: ROLE_MODELS[role] for role in roles}
    theta = {"purchases": THETA[purchases], "spend": THETA[spend], **THETA}
    return {role: posterior_of(m, theta[role], draws, spread, seed=k) for k, (role, m) in enumerate(found.items(), 1)}


def returned(events: tuple[int, int]) -> tuple:
    """Returns told by their numbers: all whole, which says nothing of how many will be."""
    n, k = events
    return n, k, k, []


def table_of_histories(histories: Mapping[str, History] = HISTORIES) -> pd.DataFrame:
    rows = []
    for h in histories.values():
        row = {"frequency": h.x, "recency": h.t_x, "T": h.T, "monetary_value": np.mean(h.amounts) if h.x else 0.0}
        row |= amount_statistics(np.array(h.amounts))
        for name, case in COST_CASES.items():
            if ROLE_MODELS[case.role] is COSTS[name]:
                events = getattr(h, case.role)
                row |= case.row(returned(events) if case.role == "returns" else events)
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(list(histories), name="customer_id"))


def customers(histories: Mapping[str, History] = HISTORIES) -> Customers:
    return customers_of(table_of_histories(histories))
