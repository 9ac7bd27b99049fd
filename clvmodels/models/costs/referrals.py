"""Referrals: customers bring customers, at their own rate a purchase (`gamma_poisson`).

They are a credit, not a cost: referrals x incremental x (value of a new customer before acquisition - reward), see
`Referral`. Of the past there are no entries: what those who came brought is in their own accounts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.models.costs.contract import Flow, Forecast, Need, Statistics
from clvmodels.models.costs.gamma_poisson import GammaPoisson
from clvmodels.models.prior import log_normal
from clvmodels.randomness import KeyedRandom


class Referrals(GammaPoisson):
    """See the module's text."""

    cost = "referrals"
    says = "customers brought by customers"
    source = "referrals"
    part = "referrals"
    follows = "retention"
    is_credit = True
    keys = ("referral",)
    needs = (
        Need(
            "referral",
            "Nothing says what a referral counts for",
            "Write economics: {referral: {incremental: 0.5, reward: 10}}",
        ),
    )

    def observed(self, seen: Statistics) -> dict[str, pd.Series]:
        """Where the table tells whom, an invitation alone brings nobody."""
        events = seen.events(self.source)
        if bool(events.detail.notnull().any().execute()):
            events = events.filter(events.detail.notnull())
        purchases = seen.by_customer(seen.purchases, purchases=seen.purchases.count())
        return purchases | seen.by_customer(events, referrals=events["count"].sum())

    def flow(self, ahead: Forecast) -> Flow | None:
        """Those who are brought by these are not credited again."""
        rule, newcomers = ahead.economics.referral, ahead.newcomers
        if rule is None or newcomers is None:
            return None
        brought = self.events(ahead, ahead.number)
        pool = newcomers.realised - rule.reward
        picked = _sum_of_picks(pool, brought.realised, ahead.draw_of_orders, ahead.order_stream("brought"))
        # nothing is known of who will be brought: the mean of one is the same in both readings
        mean_value = newcomers.expected[:, None, None] - rule.reward
        credited = rule.incremental * brought
        return Flow(credited.expected * mean_value, credited.worth * mean_value, rule.incremental * picked)


def _sum_of_picks(pool: Array, n: Array, draw: NDArray[np.int64], rng: KeyedRandom) -> Array:
    """The sum of n members of the draw's own pool, picked at random. pool: [D, M]; n, their draws and the result: [E]

    Most orders bring nobody: the picks of all are drawn as one list, of the orders that do.
    """
    order_of_brought = np.repeat(np.arange(len(n)), n.astype(np.int64))
    rng_of_brought = rng.along(rng.columns[order_of_brought])
    pick = (rng_of_brought.uniform() * pool.shape[1]).astype(np.int64)
    values = pool[draw[order_of_brought], pick]
    return np.bincount(order_of_brought, values, minlength=len(n))


gamma_poisson_referrals = Referrals(
    "gamma_poisson_referrals",
    "Gamma-Poisson referrals",
    ("purchases", "referrals"),
    log_normal(0.03, 1.5),
    "referrals",
)
