"""First amounts: what the first purchase brings has a level of its own.

The story: with probability c the first purchase of a customer brings money, and then its amount is l times what a
later one of the same customer would be: z_0 / l comes from the customer's own distribution of amounts, which another
model of the family tells (`SpendModel`) and of which this one is made. Of the first amount and those of n repeat
purchases that brought money

    f(z_0, z_1, ..., z_n) = c f(z_0 / l, z_1, ..., z_n) / l,    or (1 - c) f(z_1, ..., z_n) where the first was free,

so that the first amount tells of its customer as the others do, also of one who has bought once; and l and c tell what
the first order of a new customer brings. With l = 1 all amounts are alike. A model of repeat amounts alone knows only
the customers who came again, whose amounts may differ from those of the others.

The level is that of the log amounts of log-normal spend, shifted by log l, and of Gamma-Gamma's scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytensor.tensor as pt

from clvmodels import words
from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.contract import FirstOrder, SpendModel
from clvmodels.models.densities.amounts import WITH_FIRST
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.parameters import Graph, Parameter, Rows, Theta, Value
from clvmodels.models.prior import Prior, log_normal
from clvmodels.randomness import KeyedRandom

FIRST = "first_amount"
"""What the first purchase brought, 0 where it was free."""
ADDED_TO = frozenset({"amount_count", "amount_sum", "amount_log_sum", "amount_log_ss"})
"""The statistics of amounts to which one more can be added."""
LEVEL = Parameter(
    "first_level",
    "spend",
    "none",
    log_normal(1.0, 0.5),
    1,
    "first amounts",
    "amount of the first purchase, of one of later ones",
)
CHANCE = Parameter(
    "first_paid",
    "spend",
    "none",
    Prior("Beta", {"alpha": 9.0, "beta": 1.0}),
    1,
    "share of first purchases that bring money",
    "share of first purchases that bring money",
    upper=1.0,
)
CLEARLY = 1.96
"""Standard errors by which first and later amounts differ where they are taken to: by chance once in 20 times. Nothing
is wrong with such a level then, which is found to be near 1."""


class FirstAmounts(SpendModel):
    """See the module's text. `amounts` is the model of the others."""

    first_amounts = True

    def __init__(self, amounts: SpendModel):
        self.amounts = amounts
        self.name = amounts.name
        self.title = f"{amounts.title} with first amounts"
        self.reference = amounts.reference
        self.options = {**amounts.options, "first_amounts": True}
        self.observes = (*amounts.observes, FIRST)
        self.parameters = (*amounts.parameters, LEVEL, CHANCE)
        self.meanings = amounts.meanings
        self.levels = amounts.levels  # a group that spends more does so from the first on
        kernel = amounts.kernel
        if kernel is not None and kernel.loop in WITH_FIRST:
            *variant, _ = kernel.variant
            self.kernel = Kernel(kernel.loop, (*variant, 1))

    @property
    def conditions_on(self) -> tuple[str, ...]:
        return (*self.amounts.conditions_on, FIRST)

    def log_prob(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log f of the first amount and the others. [R]"""
        level, chance = theta[LEVEL.name], theta[CHANCE.name]
        has_first = pt.gt(rows[FIRST], 0.0)
        if_paid = pt.log(chance) - pt.log(level)  # the amounts below are of z / l
        if_free = pt.log1p(-chance)
        of_all = self.amounts.log_prob(_with_first(rows, level, pt), theta)
        return pt.switch(has_first, if_paid, if_free) + of_all

    def draw(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> Mapping[str, Array]:
        return self.amounts.draw(_with_first(rows, theta[LEVEL.name]), theta, rng)

    def expected_spend(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        return self.amounts.expected_spend(_with_first(rows, theta[LEVEL.name]), theta)

    def spend_given_own(self, state: Mapping[str, Array]) -> Array:
        return self.amounts.spend_given_own(state)

    def spend_total(self, state: Mapping[str, Array], n: Array, rng: KeyedRandom) -> Array:
        return self.amounts.spend_total(state, n, rng)

    def first_order(self, theta: Theta[Array]) -> FirstOrder:
        return FirstOrder(theta[LEVEL.name], theta[CHANCE.name])


@cache
def with_first_amounts(amounts: SpendModel) -> SpendModel:
    """A spend model that reads first amounts; one of each, since densities are compiled for it.

    Raises
    ------
    ConfigError
        The model is of other statistics than single amounts have: of means.
    """
    if amounts.first_amounts:
        return amounts
    if not reads_single_amounts(amounts):
        what = f"{amounts.title} is of the mean of repeat amounts, to which a first amount cannot be added"
        raise ConfigError(Problem(what, "first_amounts", known="Take a model of single amounts, or leave it out"))
    return FirstAmounts(amounts)


def reads_single_amounts(model: SpendModel) -> bool:
    """Whether one more amount can be added to the statistics that a model observes."""
    return set(model.observes) <= ADDED_TO


def _with_first(rows: Rows[Value], level: Value, xp: ModuleType = np) -> dict[str, Value]:
    """The statistics of amounts with the first one among them, at the level of the others."""
    has_first = rows[FIRST] > 0.0
    amount = rows[FIRST] / level
    log_amount = xp.log(xp.where(has_first, amount, 1.0))
    n = rows["amount_count"]
    more = {"amount_count": 1.0 * has_first, "amount_sum": amount, "amount_log_sum": log_amount}
    if "amount_log_ss" in rows:
        apart = log_amount - rows["amount_log_sum"] / xp.maximum(n, 1.0)
        more["amount_log_ss"] = has_first * n / (n + 1.0) * apart**2
    return {name: values + more[name] if name in more else values for name, values in rows.items()}


class Difference(NamedTuple):
    """First amounts beside later ones: how many times as large they are, in the mean of customers' logs, and by how
    many standard errors the logs differ; the shares of first and of later purchases that bring money, and the same."""

    level: float
    errors: float
    first_paid: float
    later_paid: float
    errors_of_paid: float

    @property
    def is_clear(self) -> bool:
        """Whether one of the two is more than chance makes it."""
        return abs(self.errors) > CLEARLY or abs(self.errors_of_paid) > CLEARLY


def difference(table: pd.DataFrame) -> Difference | None:
    """How first amounts differ from later ones; None where fewer than two customers paid at first, or again.

    Of first amounts all customers count, of later ones those who came again, each with the mean of the logs: whether
    it is that a first purchase is smaller, or that those who come again pay more, what a model of repeat amounts says
    of a first one is wrong by as much.
    """
    if not {FIRST, "amount_log_sum", "amount_count", "frequency"} <= set(table):
        return None
    first, count = table[FIRST].to_numpy(float), table["amount_count"].to_numpy(float)
    frequency = table["frequency"].to_numpy(float)
    has_first, has_later = first > 0.0, count > 0.0
    if has_first.sum() < 2 or has_later.sum() < 2:
        return None
    of_first = np.log(np.where(has_first, first, 1.0))  # 0 where there is none
    of_later = table["amount_log_sum"].to_numpy(float) / np.where(has_later, count, 1.0)
    log_level, errors = _apart(of_first, 1.0 * has_first, has_later * of_later, 1.0 * has_later)
    later_paid, errors_of_paid = count.sum() / frequency.sum(), 0.0
    first_paid = float(has_first.mean())
    if first_paid < 1.0 or later_paid < 1.0:
        _, errors_of_paid = _apart(1.0 * has_first, np.ones_like(first), count, frequency)
    return Difference(float(np.exp(log_level)), errors, first_paid, float(later_paid), errors_of_paid)


def _apart(first: Array, of_first: Array, later: Array, of_later: Array) -> tuple[float, float]:
    """The difference of two ratios of sums over the same customers, and how many standard errors it is: a customer's
    two numbers go together, so that what each contributes to the difference is what varies. [C] each"""
    mean_first = first.sum() / of_first.sum()
    mean_later = later.sum() / of_later.sum()
    contributed_first = (first - mean_first * of_first) / of_first.sum()
    contributed_later = (later - mean_later * of_later) / of_later.sum()
    contributed = contributed_first - contributed_later
    error = float(np.sqrt((contributed**2).sum()))
    apart = float(mean_first - mean_later)
    if error == 0.0:  # all customers alike
        return apart, 0.0
    return apart, apart / error


def in_words(apart: Difference) -> str:
    """The difference as people read it, and what follows from it."""
    level = f"First amounts are {apart.level:.2f} times later ones, {abs(apart.errors):.1f} standard errors from alike"
    if apart.errors_of_paid:
        first, later = (_share(share) for share in (apart.first_paid, apart.later_paid))
        level += f"; {first} of first and {later} of later purchases bring money"
    follows = (
        "first orders have a level of their own" if apart.is_clear else "a first order is taken to be as later ones"
    )
    return f"{level}: {follows}"


def _share(share: float) -> str:
    """It was counted: nobody and all are exact."""
    return {0.0: "none", 1.0: "all"}.get(share) or words.probability(share)
