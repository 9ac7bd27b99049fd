"""Handling: what a service contact costs (or how long it takes), log-normal as amounts are in `lognormal_spend`.

log cost ~ N(log m_i, sigma^2), log m_i ~ N(log m, tau^2): some customers' contacts take longer than others'. Density,
own medians and totals are those of `lognormal_spend`, read from the contacts' costs instead of the purchases' amounts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.contract import Meaning, Parameter, Rows, Theta
from clvmodels.models.prior import log_normal
from clvmodels.models.spend.lognormal_spend import SPREAD, LogNormalSpend
from clvmodels.randomness import KeyedRandom

READS = {"amount_count": "handling_count", "amount_log_sum": "handling_log_sum", "amount_log_ss": "handling_log_ss"}


class LogNormalHandling(LogNormalSpend):
    """See the module's text."""

    name = "lognormal_handling"
    title = "Log-normal handling cost"
    provides = frozenset({"handling"})
    observes = ("handling_count", "handling_log_sum", "handling_log_ss")
    conditions_on = ("handling_count", "handling_log_sum")
    meanings = (  # type: ignore[assignment]  # the inherited tuple has two
        Meaning(
            "mean cost of a contact",
            "{currency}",
            lambda theta: theta["m"] * np.exp((theta["tau"] ** 2 + theta["sigma"] ** 2) / 2),
        ),
    )
    parameters = (
        Parameter("m", "handling", "money", log_normal(5.0, 2.0), 1, "handling cost", "median cost of a contact"),
        Parameter("tau", "handling", "none", SPREAD, 1, "spread between customers", "sd of log means of customers"),
        Parameter("sigma", "handling", "none", SPREAD, 1, "spread of one's contacts", "sd of a customer's log costs"),
    )

    def log_prob(self, rows: Rows, theta: Theta) -> pt.TensorVariable:
        return super().log_prob(_amounts(rows), theta)

    def draw(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Mapping[str, Array]:
        return super().draw(_amounts(rows), theta, rng)

    def expected_spend(self, rows: Rows, theta: Theta) -> Array:
        return super().expected_spend(_amounts(rows), theta)


def _amounts(rows: Rows) -> Rows:
    return {theirs: rows[own] for theirs, own in READS.items() if own in rows}


lognormal_handling = LogNormalHandling()
