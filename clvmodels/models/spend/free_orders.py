"""Free orders: some purchases bring no money, and how many is the customer's own share.

The story: each purchase of customer i brings money with probability w_i, independently of the others and of what it
brings then, and w_i ~ Beta(mu phi, (1 - mu) phi) between customers, mean mu and precision phi. What a purchase that
brings money brings is told by another model of the family (`SpendModel`), of which this one is made. Of n repeat
purchases k brought money, z_1, ..., z_k:

    f(which did, z_1, ..., z_k) = B(mu phi + k, (1 - mu) phi + n - k) / B(mu phi, (1 - mu) phi) f(z_1, ..., z_k)
    w_i | data ~ Beta(mu phi + k, (1 - mu) phi + n - k)
    E[money of a purchase | data] = (mu phi + k) / (phi + n) E[amount | z_1, ..., z_k]

The first purchase does not count, as among the amounts: it is the one that made somebody a customer, and says little
of how many of those to come are paid. Where every repeat purchase brought money this model is not needed, and not
used (`SpendModel.suited`).

Skellam (1948), Journal of the Royal Statistical Society B 10(2).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from clvmodels.draws import Array
from clvmodels.models.contract import FirstOrder, SpendModel
from clvmodels.models.densities.amounts import WITH_SHARE
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.parameters import Graph, Meaning, Parameter, Rows, Theta
from clvmodels.models.parts.beta_binomial import log_beta_binomial
from clvmodels.models.prior import Prior, log_normal
from clvmodels.randomness import KeyedRandom

PURCHASES, PAID = "frequency", "amount_count"
"""Repeat purchases, and those of them that brought money."""
MEAN = Parameter(
    "paid",
    "spend",
    "none",
    Prior("Beta", {"alpha": 9.0, "beta": 1.0}),
    1,
    "share of purchases that bring money",
    "share of purchases that bring money: mean between customers",
    upper=1.0,
)
PRECISION = Parameter(
    "paid_precision",
    "spend",
    "none",
    log_normal(20.0, 1.5),
    1,
    "likeness of customers",
    "precision of the shares that bring money",
)


class FreeOrders(SpendModel):
    """See the module's text. `paid_model` tells of the purchases that bring money."""

    free_orders = True

    def __init__(self, amounts: SpendModel):
        self.amounts_of_all = amounts
        self.paid_model = amounts.of_paid
        self.name = amounts.name
        joint = "and" if amounts.first_amounts else "with"
        self.title = f"{amounts.title} {joint} free orders"
        self.reference = f"{amounts.reference}; Skellam (1948)"
        self.density_of = amounts.density_of
        self.options = {**amounts.options, "free_orders": True}
        self.first_amounts = amounts.first_amounts
        self.observes = tuple(dict.fromkeys((*self.paid_model.observes, PAID, PURCHASES)))
        self.parameters = (*amounts.parameters, MEAN, PRECISION)
        self.levels = (*amounts.levels, MEAN.name)
        share = Meaning("share of purchases that bring money", "", lambda theta: theta[MEAN.name])
        self.meanings = (*amounts.meanings, share)
        kernel = self.paid_model.kernel
        # the loops look for the paid purchases in the first column
        if kernel is not None and kernel.loop in WITH_SHARE and self.observes[0] == PAID:
            self.kernel = Kernel(WITH_SHARE[kernel.loop], kernel.variant)

    @property
    def conditions_on(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.paid_model.conditions_on, PAID, PURCHASES)))

    @property
    def of_amounts(self) -> SpendModel | None:
        amounts = self.amounts_of_all.of_amounts
        return None if amounts is None else with_free_orders(amounts)

    def log_prob(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log f of which purchases brought money, and how much. [R]"""
        of_share = log_beta_binomial(rows[PAID], rows[PURCHASES], theta[MEAN.name], theta[PRECISION.name])
        return of_share + self.paid_model.log_prob(rows, theta)

    def draw(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Mapping[str, Array]:
        """The variables of the amounts, and paid_share: w_i given the history. [D, C] each"""
        of_amounts = self.paid_model.draw(rows, theta, rng)
        return {**of_amounts, "paid_share": rng.beta(*_own_shape(rows, theta))}

    def expected_spend(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        return self.paid_model.expected_spend(rows, theta)

    def expected_paid(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        """(mu phi + k) / (phi + n). [D, C]"""
        paid, free = _own_shape(rows, theta)
        return paid / (paid + free)

    def first_order(self, theta: Theta[Array]) -> FirstOrder | None:
        return self.paid_model.first_order(theta)

    def own_paid(self, state: Mapping[str, Array]) -> Array:
        return state["paid_share"]

    def draw_paid(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        """Binomial(n, w_i)."""
        return rng.binomial(n, state["paid_share"])

    def spend_given_own(self, state: Mapping[str, Array]) -> Array:
        return self.paid_model.spend_given_own(state)

    def spend_total(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        return self.paid_model.spend_total(state, n, rng)


@cache
def with_free_orders(amounts: SpendModel) -> SpendModel:
    """A spend model with a share of purchases that bring money; one of each, since densities are compiled for it."""
    return amounts if amounts.free_orders else FreeOrders(amounts)


def _own_shape(rows: Rows[Array], theta: Theta[Array]) -> tuple[Array, Array]:
    """The two parameters of w_i given the history. [D, C] each"""
    purchases, paid = np.asarray(rows[PURCHASES]), np.asarray(rows[PAID])
    mean, precision = theta[MEAN.name], theta[PRECISION.name]
    free = purchases - paid
    return mean * precision + paid, (1.0 - mean) * precision + free
