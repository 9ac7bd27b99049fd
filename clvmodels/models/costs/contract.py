"""What comes with purchases beside money: the contract of the cost models, each of a customer's own rate.

A cost model reads how many purchases a customer has made and what came with them (returns, contacts, referrals, unpaid
orders, margins). Customers differ in a rate of their own, the individual is integrated out, and conjugacy gives the own
rate given the history exactly. What is to come is said of n future purchases: its mean given the history, and draws.

Shapes: R = unique rows, D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

from abc import abstractmethod

from clvmodels.draws import Array
from clvmodels.models.contract import Model, Rows, Theta
from clvmodels.randomness import KeyedRandom

ROLES = {
    "returns": "orders that are sent back, and how much of them",
    "bad_debt": "orders that are never paid",
    "contacts": "service contacts",
    "handling": "what a service contact costs",
    "referrals": "customers brought by customers",
    "margin": "what is left of an order's amount after the cost of the goods",
}
"""What cost models tell of; a model provides one of them."""


class CostModel(Model):
    """One rate of a customer's own; see the module's text."""

    @property
    def role(self) -> str:
        """The one of `ROLES` that it provides."""
        return next(iter(self.provides))

    @abstractmethod
    def draw_own(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Array:
        """Each customer's own rate given the history. [D, C]"""

    @abstractmethod
    def expected_own(self, rows: Rows, theta: Theta) -> Array:
        """E[own rate | history, parameters]. [D, C]"""


class CountModel(CostModel):
    """A cost model of events that come with purchases; the own rate is events a purchase."""

    @abstractmethod
    def draw_counts(self, own: Array, n: Array, rng: KeyedRandom) -> Array:
        """Events that come with n purchases. own: [D, C]; n and result: [D, C, P]"""
