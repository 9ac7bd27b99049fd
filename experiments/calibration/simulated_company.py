"""Customers of a known truth with all that comes with their purchases, each event simulated from its model's story.

Purchases and amounts are those of `clvmodels.futures.histories`. What comes with them is drawn here one order, one
contact, one margin at a time, and counted by customer afterwards: nothing of it reads a
density, a conjugate update or a total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from run import AGES, CUSTOMERS

from clvmodels.customers.table import Customers
from clvmodels.futures.histories import labels_of, simulate_amounts, simulate_purchases, statistics
from clvmodels.models import Model, PurchaseModel, SpendModel, get_model
from clvmodels.models.contract import Array
from clvmodels.models.costs.returns import WHOLE
from clvmodels.models.prior import Prior, log_normal

Truth = Mapping[str, Mapping[str, float]]
"""The true parameters, by role and name."""
SEEDS = 1000
ROLES: dict[str, Model] = {
    "purchases": get_model("bg_nbd"),
    "spend": get_model("gamma_gamma"),
    "returns": get_model("beta_binomial_returns"),
    "bad_debt": get_model("beta_binomial_bad_debt"),
    "contacts": get_model("gamma_poisson_contacts"),
    "handling": get_model("lognormal_handling"),
    "referrals": get_model("gamma_poisson_referrals"),
    "margin": get_model("normal_margin"),
}
COST_ROLES = tuple(role for role in ROLES if role not in ("purchases", "spend"))


def _beta(alpha: float, beta: float) -> Prior:
    return Prior("Beta", {"alpha": alpha, "beta": beta})


SPREAD = 0.4
"""Sd of the log of what is positive: a factor of 1.9 up or down in 90 of 100."""
PRIORS: dict[str, dict[str, Prior]] = {
    "purchases": {
        name: log_normal(median, SPREAD) for name, median in {"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 2.5}.items()
    },
    "spend": {name: log_normal(median, SPREAD) for name, median in {"p": 4.0, "q": 2.5, "v": 15.0}.items()},
    "returns": {
        "mu": _beta(20.0, 80.0),
        "phi": log_normal(10.0, SPREAD),
        "whole": _beta(12.0, 8.0),
        "share": _beta(16.0, 24.0),
        "precision": log_normal(6.0, SPREAD / 2),
    },
    "bad_debt": {"mu": _beta(8.0, 152.0), "phi": log_normal(15.0, SPREAD)},
    "contacts": {"mu": log_normal(0.3, SPREAD), "r": log_normal(1.0, SPREAD)},
    "handling": {"m": log_normal(5.0, SPREAD), "tau": log_normal(0.4, SPREAD), "sigma": log_normal(0.6, SPREAD)},
    "referrals": {"mu": log_normal(0.08, SPREAD), "r": log_normal(1.0, SPREAD)},
    "margin": {
        "m": Prior("Normal", {"mu": 0.35, "sigma": 0.05}),
        "tau": log_normal(0.08, SPREAD),
        "sigma": log_normal(0.1, SPREAD),
    },
}
"""From which the truth is drawn and which are fitted: a retailer's usual sizes, in weeks and dollars. Proper, and about
as wide as what 300 customers tell, so that a wrong prior is seen. q's is of its excess over 1."""


@dataclass(frozen=True)
class Company:
    """Customers of a known truth: their table, and own rates by role. [C] each"""

    customers: Customers
    own: dict[str, Array]


@dataclass(frozen=True)
class Events:
    """What a role's events make of the table, and what they are made from: own rates [C], columns [C] each."""

    own: Array
    columns: dict[str, Array]


def draw_truths(priors: Mapping[str, Mapping[str, Prior]]) -> list[Truth]:
    """A truth for each seed from 0 to `SEEDS`, the same however many are used; drawn at once, since PyMC is slow to
    begin. A role's truths depend on its own priors alone."""
    drawn = {}
    for k, (role, model) in enumerate(ROLES.items()):
        rng = np.random.default_rng([1, k])
        drawn[role] = {p.name: p.value(priors[role][p.name].draw(SEEDS, rng)) for p in model.parameters}
    return [
        {role: {name: float(values[seed]) for name, values in of_role.items()} for role, of_role in drawn.items()}
        for seed in range(SEEDS)
    ]


def simulate(truth: Truth, seed: int) -> Company:
    """300 customers of these parameters, observed for half a year to a year."""
    ages = np.random.default_rng([seed, 2]).uniform(*AGES["continuous"], CUSTOMERS)
    buying, paying = ROLES["purchases"], ROLES["spend"]
    assert isinstance(buying, PurchaseModel) and isinstance(paying, SpendModel)
    orders = simulate_purchases(buying, truth["purchases"], ages, seed)
    orders["amount"] = simulate_amounts(paying, truth["spend"], orders, seed)
    buyers = pd.Categorical(orders["customer_id"], labels_of(CUSTOMERS)).codes.astype(int)
    by_role = events(truth, buyers, seed)
    table = statistics(orders, ages)
    for of_role in by_role.values():
        table = table.assign(**of_role.columns)
    customers = Customers(table, "week", pd.Timestamp("2024-12-31"), "USD")
    return Company(customers, {role: of_role.own for role, of_role in by_role.items()})


def events(truth: Truth, who: Array, seed: int) -> dict[str, Events]:
    """What comes with orders of the customers `who` [order]: each role from randomness of its own."""
    streams = {role: np.random.default_rng([seed, 3, k]) for k, role in enumerate(COST_ROLES)}
    returns, kept = _returns(truth["returns"], who, streams["returns"])
    contacts, callers = _counted("contacts", truth["contacts"], who, streams["contacts"])
    return {
        "returns": returns,
        "bad_debt": _bad_debt(truth["bad_debt"], who[kept], streams["bad_debt"]),
        "contacts": contacts,
        "handling": _handling(truth["handling"], callers, streams["handling"]),
        "referrals": _counted("referrals", truth["referrals"], who, streams["referrals"])[0],
        "margin": _margin(truth["margin"], who, streams["margin"]),
    }


def _returns(theta: Mapping[str, float], who: Array, rng: np.random.Generator) -> tuple[Events, Array]:
    """Each order comes back or not; of one that does the whole or a share. And which orders are kept. [order]"""
    own = rng.beta(theta["mu"] * theta["phi"], (1.0 - theta["mu"]) * theta["phi"], CUSTOMERS)
    back = rng.random(len(who)) < own[who]
    a, b = theta["share"] * theta["precision"], (1.0 - theta["share"]) * theta["precision"]
    share = np.where(rng.random(len(who)) < theta["whole"], 1.0, rng.beta(a, b, len(who)))
    whole, part = back & (share >= WHOLE), back & (share < WHOLE)
    columns = {
        "returnable": _sum(who),
        "returned": _sum(who[back]),
        "returned_whole": _sum(who[whole]),
        "returned_log_sum": _sum(who[part], np.log(share[part])),
        "returned_log1m_sum": _sum(who[part], np.log1p(-share[part])),
    }
    return Events(own, columns), ~back


def _bad_debt(theta: Mapping[str, float], who: Array, rng: np.random.Generator) -> Events:
    """Each order that is kept is paid or never: what was sent back is not billed."""
    own = rng.beta(theta["mu"] * theta["phi"], (1.0 - theta["mu"]) * theta["phi"], CUSTOMERS)
    unpaid = rng.random(len(who)) < own[who]
    return Events(own, {"billed": _sum(who), "unpaid": _sum(who[unpaid])})


def _counted(name: str, theta: Mapping[str, float], who: Array, rng: np.random.Generator) -> tuple[Events, Array]:
    """With each order come so many events. And whose they are. [event]"""
    own = rng.gamma(theta["r"], theta["mu"] / theta["r"], CUSTOMERS)
    of_events = np.repeat(who, rng.poisson(own[who]))
    return Events(own, {"purchases": _sum(who), name: _sum(of_events)}), of_events


def _handling(theta: Mapping[str, float], who: Array, rng: np.random.Generator) -> Events:
    """What each contact costs."""
    own = theta["m"] * np.exp(theta["tau"] * rng.standard_normal(CUSTOMERS))
    logs = np.log(own[who]) + theta["sigma"] * rng.standard_normal(len(who))
    names = ("handling_count", "handling_log_sum", "handling_log_ss")
    return Events(own, dict(zip(names, _moments(who, logs), strict=True)))


def _margin(theta: Mapping[str, float], who: Array, rng: np.random.Generator) -> Events:
    """What is left of each order, as a share of its amount."""
    own = theta["m"] + theta["tau"] * rng.standard_normal(CUSTOMERS)
    rates = own[who] + theta["sigma"] * rng.standard_normal(len(who))
    names = ("margin_count", "margin_sum", "margin_ss")
    return Events(own, dict(zip(names, _moments(who, rates), strict=True)))


def _sum(who: Array, values: Array | None = None) -> Array:
    return np.bincount(who, values, minlength=CUSTOMERS).astype(float)


def _moments(who: Array, values: Array) -> tuple[Array, Array, Array]:
    """Number, sum, and sum of squares about the customer's own mean. [C] each"""
    count, total = _sum(who), _sum(who, values)
    mean = total / np.maximum(count, 1.0)
    return count, total, _sum(who, (values - mean[who]) ** 2)
