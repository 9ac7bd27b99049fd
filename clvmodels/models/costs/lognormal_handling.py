"""Handling: what a service contact costs (or how long it takes), log-normal as amounts are in `lognormal_spend`.

log cost ~ N(log m_i, sigma^2), log m_i ~ N(log m, tau^2): some customers' contacts take longer than others'. Density,
own medians and totals are those of `lognormal_spend`, read from the contacts' costs instead of the purchases' amounts.
It tells what a contact costs in place of `cost_per_contact`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.errors import DataError, Problem
from clvmodels.models.costs.contacts import PRICE, cost_of_contacts
from clvmodels.models.costs.contract import Cost, Flow, Forecast, Need, Statistics
from clvmodels.models.parameters import Meaning, Parameter, Rows, Theta
from clvmodels.models.prior import log_normal
from clvmodels.models.spend.lognormal_spend import SPREAD, LogNormalSpend
from clvmodels.randomness import KeyedRandom

if TYPE_CHECKING:
    import ibis

READS = {"amount_count": "handling_count", "amount_log_sum": "handling_log_sum", "amount_log_ss": "handling_log_ss"}


class LogNormalHandling(Cost, LogNormalSpend):
    """See the module's text."""

    cost = "handling"
    says = "what a service contact costs"
    source = "contacts"
    part = "service"
    keys = ("cost_per_minute",)
    in_place_of = PRICE
    reads_prices = True
    needs = (Need("contacts", "Nothing says how many contacts come", "Add contacts: {model: gamma_poisson_contacts}"),)
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

    def observed(self, seen: Statistics) -> dict[str, pd.Series]:
        """Contacts that cost something, the logs of their costs and their squares about the mean."""
        events = seen.events(self.source)
        cost = cost_of_contacts(events, seen.cost_per_minute) / seen.amount_unit
        costs = events.select("customer_id", cost=cost)
        costs = costs.filter(costs.cost > 0)
        if not int(costs.count().execute()):
            known = "Name columns: {minutes: ...} and say economics: cost_per_minute, or columns: {amount: ...}"
            raise DataError(Problem("no contact costs anything", "costs: handling", known=known))
        return seen.about_mean(costs.mutate(log=costs.cost.ln()), "log", "handling", "log_")

    def total(self, ahead: Forecast, number: Flow) -> Flow:
        """What so many contacts cost: each its own."""
        rows, theta = ahead.seen(self.cost)
        variables = self.draw(rows, theta, ahead.stream("own handling"))
        own = {name: ahead.at_orders(values) for name, values in variables.items()}
        spent = self.spend_total(own, number.realised, ahead.order_stream("handling"))
        unit = ahead.amount_unit
        return Flow(
            number.expected * unit * self.expected_spend(rows, theta)[..., None],
            number.worth * unit * self.spend_given_own(variables)[..., None],
            unit * spent,
        )

    def price(self, events: ibis.Table, economics: Any) -> ibis.Value:
        """Of a contact of which nothing is told: nothing."""
        return cost_of_contacts(events, economics.cost_per_minute).fill_null(0.0)


def _amounts(rows: Rows) -> Rows:
    return {theirs: rows[own] for theirs, own in READS.items() if own in rows}


lognormal_handling = LogNormalHandling()
