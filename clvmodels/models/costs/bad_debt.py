"""Bad debt: some orders are never paid; the chance is the customer's own (`beta_binomial`).

`billed` counts the purchases that are old enough to tell and were not sent back, `unpaid` those written off. What is
sent back is owed no longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels.models.costs.beta_binomial import BetaBinomial
from clvmodels.models.costs.contract import Desk, Entries, Fate, Flow, Forecast, Statistics
from clvmodels.models.prior import Prior

if TYPE_CHECKING:
    import ibis

WRITTEN_OFF = "bad_debt"
"""The kind of payment that tells of a bill that is written off."""


class BadDebt(BetaBinomial):
    """See the module's text."""

    cost = "bad_debt"
    says = "orders that are never paid"
    source = "payments"
    window = 90
    part = "payments"
    keys = ("recovered",)

    def observed(self, seen: Statistics) -> dict[str, pd.Series]:
        """Of purchases that brought money and were not sent back, where a returns model says how many these are; else
        of all that did: what was free is not owed."""
        bills = seen.old_enough(self.cost)
        bills = bills.filter(bills.amount > 0)
        bills = bills.mutate(unpaid=bills.unpaid & (bills.returned == 0))
        if "returns" in seen.costs:
            bills = bills.filter(bills.returned == 0)
        return seen.by_customer(bills, billed=bills.count(), unpaid=bills.unpaid.sum())

    def fate(self, ahead: Forecast, orders: Flow) -> Fate:
        chance = self.own(ahead)
        unpaid = self.events(ahead, orders, chance)
        money = ahead.money(unpaid.realised, "spend unpaid")
        value = Flow(unpaid.expected * ahead.amount.expected, unpaid.worth * ahead.amount.worth, money)
        return Fate(chance, unpaid, money, value)

    def flow(self, ahead: Forecast) -> Flow:
        """The amounts that are never paid, but for what is recovered."""
        lost = 1.0 - ahead.economics.recovered
        return -lost * ahead.fates[self.cost].value

    def entries(self, desk: Desk) -> list[Entries]:
        """Bills written off; taken back where the goods came back after all, which is told among the returns."""
        bills = desk.belonging(self.source, self.cost, WRITTEN_OFF)
        bills = bills.group_by(["customer_id", "bought"]).agg(date=bills.date.min())
        purchases = desk.purchases
        bills = bills.inner_join(
            purchases.select("customer_id", "revenue", bought=purchases.date), ["customer_id", "bought"]
        )
        back = desk.coming_back()
        # a bill whose goods came back before it was written off was no loss; one that was, is none from that day on
        first = back.filter(back.is_first).select("customer_id", "bought", returned=back.date)
        bills = bills.left_join(first, ["customer_id", "bought"]).drop("customer_id_right", "bought_right")
        written = bills.filter(bills.returned.isnull() | (bills.returned > bills.date))
        taken_back = written.filter(written.returned.notnull())
        return [
            desk.entries(self.part, written, -self._loss(written, desk), bought="bought"),
            desk.entries(self.part, taken_back, self._loss(taken_back, desk), date="returned", bought="bought"),
        ]

    def _loss(self, bills: ibis.Table, desk: Desk) -> ibis.Value:
        return bills.revenue * (1.0 - desk.economics.recovered)


beta_binomial_bad_debt = BadDebt(
    "beta_binomial_bad_debt",
    "Beta-binomial bad debt",
    ("billed", "unpaid"),
    Prior("Beta", {"alpha": 1.0, "beta": 19.0}),
    "chance that an order is never paid",
)
