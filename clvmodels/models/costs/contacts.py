"""Service contacts: any number comes with a purchase, at the customer's own rate (`gamma_poisson`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels.models.costs.contract import Desk, Entries, Flow, Forecast, Need, Statistics
from clvmodels.models.costs.gamma_poisson import GammaPoisson
from clvmodels.models.prior import log_normal

if TYPE_CHECKING:
    import ibis

PRICE = "cost_per_contact"


class Contacts(GammaPoisson):
    """See the module's text."""

    cost = "contacts"
    says = "service contacts"
    source = "contacts"
    part = "service"
    follows = "fulfilment"
    keeps_customers = True
    asked_after = True
    keys = (PRICE,)
    reads_prices = True
    needs = (
        Need(
            PRICE,
            "Nothing says what a contact costs",
            "Write cost_per_contact: 4.5, or costs: {handling: {model: lognormal_handling}}",
        ),
    )

    def observed(self, seen: Statistics) -> dict[str, pd.Series]:
        """Where handling is modelled, contacts that cost something: what one costs is the mean of these."""
        events = seen.events(self.source)
        if "handling" in seen.costs:
            events = events.filter(cost_of_contacts(events, seen.cost_per_minute) > 0)
        purchases = seen.by_customer(seen.purchases, purchases=seen.purchases.count())
        return purchases | seen.by_customer(events, contacts=events["count"].sum())

    def flow(self, ahead: Forecast) -> Flow:
        """Of each contact its own cost where a cost model tells it, otherwise the stated one."""
        number = self.events(ahead, ahead.number)
        handling = ahead.modelled(PRICE)
        if handling is not None:
            return -handling.total(ahead, number)
        return -ahead.economics.cost_per_contact * number

    def entries(self, desk: Desk) -> list[Entries]:
        events, handling = desk.events(self.source), desk.modelled(PRICE)
        if handling is not None:
            cost = handling.price(events, desk.economics)
        else:
            cost = events["count"] * desk.economics.cost_per_contact
        return [desk.entries(self.part, events, -cost)]


def cost_of_contacts(events: ibis.Table, cost_per_minute: float) -> ibis.Value:
    """In the currency: as it is told, else by the minute."""
    return events.amount.fill_null(events.value * cost_per_minute)


gamma_poisson_contacts = Contacts(
    "gamma_poisson_contacts",
    "Gamma-Poisson contacts",
    ("purchases", "contacts"),
    log_normal(0.3, 1.5),
    "service contacts",
)
