"""A cost that is in no registry: samples that are sent out with purchases, at the customer's own rate."""

from __future__ import annotations

from clvmodels.models.costs.gamma_poisson import GammaPoisson
from clvmodels.models.prior import log_normal

PRICE = 3.0


class Samples(GammaPoisson):
    """All that the package knows of samples: one object."""

    cost = "samples"
    says = "samples that are sent out"
    source = "engagement"
    part = "samples"
    follows = "service"
    keeps_customers = True

    def observed(self, seen):
        events = seen.events(self.source)
        purchases = seen.by_customer(seen.purchases, purchases=seen.purchases.count())
        return purchases | seen.by_customer(events, samples=events["count"].sum())

    def flow(self, ahead):
        return -PRICE * self.events(ahead, ahead.number)

    def entries(self, desk):
        events = desk.events(self.source)
        return [desk.entries(self.part, events, -PRICE * events["count"])]


samples = Samples(
    "gamma_poisson_samples", "Gamma-Poisson samples", ("purchases", "samples"), log_normal(0.5, 1.0), "samples"
)
