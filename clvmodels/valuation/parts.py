"""What purchases to come bring and cost, part by part and period by period, for a block of customers.

Each part has three readings: its mean given the history and the draw's parameters (expected), its mean given the
customer's own parameters (worth), and one future a draw (realised). The customer's own parameters are those that the
future is drawn of, so that in each draw the worth is the mean of all futures that might have been. Parts are in the
currency, costs negative. Some follow from the economics alone (`STATED`), the others are those of the costs, which say
theirs themselves. What is realised is of the orders that there are; it becomes one number a draw and customer, or one
in each period, only when it is summed (`Block.summed`).
Shapes: D = draw, C = customer_id, P = period, Q = column of weights, E = entry of the orders.

What comes with a purchase (a return, a contact, a referral) counts in the purchase's period.
Where several purchases of a customer fall in one period, what comes back of those returned in part, and what is left of
the margins' own spread, are drawn as if their amounts were equal: the mean is exact, the spread a little too small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.futures import expectations, forecast, individuals
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.posteriors import Posteriors
from clvmodels.models import COSTS, Cost
from clvmodels.models.contract import FirstOrder, State
from clvmodels.models.costs.contract import Fate, Flow, Means, modelled
from clvmodels.models.counts import Counts
from clvmodels.models.parameters import Rows, Theta
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.retention import contacts_given_own, contacts_of, expected_contacts

NOT_ASKED_FOR = np.full((1, 1, 1), np.nan)
"""In place of a worth that nobody asks for."""


class Summed(NamedTuple):
    """A part of the value, summed over the periods by weights, a column for each weighting. [D, C, Q] each"""

    expected: Array
    worth: Array
    realised: Array


@dataclass(frozen=True)
class Newcomers:
    """What a new customer is worth to the firm, before acquisition. expected: [D]; realised: [D, M], M of them."""

    expected: Array
    realised: Array


@dataclass(frozen=True)
class Block:
    """Some customers and the models that tell of them; everything is drawn from streams keyed by the customer.

    Parameters
    ----------
    table
        One row a customer.
    edges
        Bounds of the periods after T, in time units. [P+1]
    amount_unit
        Value of one unit of the amounts in the currency.
    weights, starts : [P, Q]
        What an amount in each period counts for, and one at its beginning: discount factors, in one column; or itself,
        in a column for each period.
    newcomers
        Those that customers bring.
    first_order
        Whether these are new customers, whose first purchase, at T, is counted: the first period is that moment.
    with_worth
        Whether the worth is asked for; it is no number otherwise.
    """

    posteriors: Posteriors
    economics: Economics
    table: pd.DataFrame
    edges: Array
    draws: int
    seed: int
    amount_unit: float
    weights: Array
    starts: Array
    newcomers: Newcomers | None = None
    first_order: bool = False
    with_worth: bool = True

    def stream(self, stage: str) -> KeyedRandom:
        return KeyedRandom(self.seed, stage, list(self.table.index), self.draws)

    def order_stream(self, stage: str) -> KeyedRandom:
        """Numbers for the entries of the orders, of each customer's stream. [E]"""
        return self.stream(stage).along(self.orders.customer)

    def _rows_and_theta(self, posterior: Posterior) -> tuple[Rows, Theta]:
        rows = individuals.rows_of(self.table, posterior.model.conditions_on)
        return rows, posterior.theta(self.table, self.draws)

    # ------------------------------------------------------------------------------------------ purchases and amounts

    @cached_property
    def people(self) -> individuals.Present:
        return individuals.present(self.posteriors.purchases, self.table, self.draws, self.seed)

    @property
    def state(self) -> State:
        return self.people.state

    @cached_property
    def future(self) -> Counts:
        """Realised purchases after T."""
        posterior = self.posteriors.purchases
        rng = self.stream("value future")
        return forecast.purchase_counts(posterior, self.table, self.state, self.edges, rng)

    @cached_property
    def orders(self) -> Counts:
        """Realised purchases, the first of new customers too."""
        return self.future.with_first() if self.first_order else self.future

    @property
    def counts(self) -> Array:
        """How many orders there are. [E]"""
        return self.orders.number

    @property
    def draw_of_orders(self) -> NDArray[np.int64]:
        """[E]"""
        return self.orders.draw

    def at_orders(self, values: Array) -> Array:
        """What is of draws and customers, at each entry of the orders. [D, C], or broadcast to it -> [E]"""
        return self.orders.at(values)

    @cached_property
    def mean_counts(self) -> Array:
        """E[purchases | history, parameters], summed by the weights. [D, C, Q]"""
        posterior, p_alive = self.posteriors.purchases, self.people.p_alive
        counts = expectations.weighted_counts(posterior, self.table, p_alive, self.edges, self._later, self.draws)
        return counts + self.weights[0] if self.first_order else counts

    @cached_property
    def own_counts(self) -> Array:
        """E[purchases | the customer's own parameters], summed by the weights. [D, C, Q]"""
        if not self.with_worth:
            return NOT_ASKED_FOR
        posterior = self.posteriors.purchases
        counts = expectations.counts_given_own(posterior, self.table, self.state, self.edges, self._later)
        return counts + self.weights[0] if self.first_order else counts

    @property
    def _later(self) -> Array:
        """The weights of the periods after T. [P, Q]"""
        return self.weights[1:] if self.first_order else self.weights

    @cached_property
    def paid(self) -> Flow:
        """Orders that bring money: all of them, unless the model of spend says that some bring none."""
        spend, first = self.posteriors.spend, self._first
        if not spend.model.free_orders and first is None:
            return self.number
        share = spend.model.expected_paid(*self._rows_and_theta(spend))[..., None]
        own_share = spend.model.own_paid(self._spend_state)[..., None]
        drawn = spend.model.draw_paid(self._own_amounts, self.counts, self.order_stream("paid"))
        if first is None:
            return Flow(self.mean_counts * share, self.own_counts * own_share, drawn)
        chance, at_once = first.paid[..., None], self.weights[0]
        first_paid = self.order_stream("first paid").uniform() < self.at_orders(first.paid)
        return Flow(
            (self.mean_counts - at_once) * share + at_once * chance,
            (self.own_counts - at_once) * own_share + at_once * chance,
            np.where(self._is_first, first_paid, drawn),
        )

    @cached_property
    def _first(self) -> FirstOrder | None:
        """What the first order of new customers brings, where they are new and the model of spend tells it."""
        spend = self.posteriors.spend
        return spend.model.first_order(self._rows_and_theta(spend)[1]) if self.first_order else None

    @property
    def _is_first(self) -> NDArray[np.bool_]:
        """Whether the orders are the first of new customers, which have a period of their own. [E]"""
        return self.orders.period == 0

    @cached_property
    def amount(self) -> Means:
        """Mean amount of a purchase that brings money, in the currency. [D, C, 1] each, or [D, C, Q] where the first
        order is another than those after it"""
        spend = self.posteriors.spend
        rows, theta = self._rows_and_theta(spend)
        expected = spend.model.expected_spend(rows, theta)[..., None] * self.amount_unit
        worth = spend.model.spend_given_own(self._spend_state)[..., None] * self.amount_unit
        if self._first is None:
            return Means(expected, worth)
        more = self.weights[0] * (self._first.paid * (self._first.level - 1.0))[..., None]
        return Means(expected * _mean_level(more, self.paid.expected), worth * _mean_level(more, self.paid.worth))

    def money(self, n: Array, stage: str) -> Array:
        """Money of n of the orders that bring some, in the currency. [E]"""
        model = self.posteriors.spend.model
        money = model.spend_total(self._own_amounts, n, self.order_stream(stage)) * self.amount_unit
        if self._first is None:
            return money
        return money * np.where(self._is_first, self.at_orders(self._first.level), 1.0)

    @cached_property
    def _spend_state(self) -> Mapping[str, Array]:
        """Each customer's own parameters of spend: one state a draw, whatever money is drawn from it. [D, C] each"""
        spend = self.posteriors.spend
        rows, theta = self._rows_and_theta(spend)
        return spend.model.draw(rows, theta, self.stream("spend state"))

    @cached_property
    def _own_amounts(self) -> Mapping[str, Array]:
        """The same at each entry of the orders. [E] each"""
        return {name: self.at_orders(values) for name, values in self._spend_state.items()}

    # ------------------------------------------------------------------------------------------ what costs are told by

    @cached_property
    def costs(self) -> dict[str, Cost]:
        """Those in use, by name."""
        return {name: posterior.model for name, posterior in self.posteriors.costs.items()}

    def modelled(self, key: str) -> Cost | None:
        """The cost that tells a key of the economics in place of a stated number, where one does."""
        return modelled(self.costs, key)

    def seen(self, cost: str) -> tuple[Rows, Theta]:
        """The rows and the parameters of a cost's model. [1, C] and [D, 1] or [D, C]"""
        return self._rows_and_theta(self.posteriors.costs[cost])

    # ------------------------------------------------------------------------------------------ what becomes of orders

    @cached_property
    def margin(self) -> Flow:
        """Margin rate of the money; of what is stated, the one number."""
        cost = self.modelled("margin")
        if cost is not None:
            return cost.rate(self)
        stated = np.asarray(self.economics.margin)
        return Flow(stated, stated, stated)

    @property
    def given_away(self) -> Flow | None:
        """What the goods of free orders cost, where there are such orders and a cost model tells it."""
        cost = self.modelled("margin")
        if cost is None or not self.posteriors.spend.model.free_orders:
            return None
        return cost.given_away(self, self.number - self.paid)

    @property
    def number(self) -> Flow:
        """Orders."""
        return Flow(self.mean_counts, self.own_counts, self.counts)

    @property
    def fates(self) -> dict[str, Fate]:
        """By cost, what becomes of the orders that are not kept and paid."""
        fates, _ = self._fates_and_rest
        return fates

    @cached_property
    def _fates_and_rest(self) -> tuple[dict[str, Fate], Flow]:
        """Costs take their orders one after the other, each of those that are left; what was free is not sent back
        for money, nor owed."""
        orders_left = self.paid
        fates: dict[str, Fate] = {}
        for name, cost in self.costs.items():
            fate = cost.fate(self, orders_left)
            if fate is None:
                continue
            fates[name] = fate
            staying = 1.0 - fate.chance
            orders_left = Flow(
                orders_left.expected * staying.expected,
                orders_left.worth * staying.worth,
                orders_left.realised - fate.number.realised,
            )
        return fates, orders_left

    @cached_property
    def amounts(self) -> Flow:
        """The money of all orders. Those of each fate have amounts of their own, as many as there are such orders."""
        fates, orders_left = self._fates_and_rest
        of_fates = np.zeros_like(self.counts)
        for fate in fates.values():
            of_fates = of_fates + fate.money
        money_left = self.money(orders_left.realised, "spend")
        money = of_fates + money_left
        return Flow(self.paid.expected * self.amount.expected, self.paid.worth * self.amount.worth, money)

    def summed(self, flow: Flow) -> Summed:
        """Over the orders, by the weights of their periods."""
        shape = self.mean_counts.shape
        expected, worth = np.broadcast_to(flow.expected, shape), np.broadcast_to(flow.worth, shape)
        return Summed(expected, worth, self.orders.weighted(flow.realised, self.weights))


def _mean_level(more: Array, paid: Array) -> Array:
    """The mean amount of so many paid orders, of that of later ones, where the first adds so `more` of these."""
    return 1.0 + np.divide(more, paid, out=np.zeros(np.shape(paid)), where=paid > 0.0)


# ----------------------------------------------------------------------------------------- of the economics alone


def gross_margin(block: Block) -> Flow:
    """Margin of all money less the goods of free orders, before returns and any cost of the relation."""
    earned, given_away = block.amounts * block.margin, block.given_away
    return earned if given_away is None else earned - given_away


def fulfilment(block: Block) -> Flow | None:
    """The cost of each order."""
    cost = block.economics.cost_per_order
    if not cost:
        return None
    return -cost * block.number


def fees(block: Block) -> Flow | None:
    """Fees of payment."""
    share = block.economics.payment_fee
    per_order = block.economics.payment_fee_per_order
    if not (share or per_order):
        return None
    return -(share * block.amounts + per_order * block.number)


def retention(block: Block) -> Summed | None:
    """The cost of contacts that are to keep customers, by the rule of `Retention`: at dates, not with orders."""
    rule = block.economics.retention
    if rule is None:
        return None
    # the first order, at T, is no purchase after T: it is in `silence` already
    weights = block.starts[1:] if block.first_order else block.starts
    silence = (block.table["T"] - block.table["recency"]).to_numpy(dtype=float)
    realised = contacts_of(block.future, silence, block.edges, rule, weights)
    expected = expected_contacts(
        block.posteriors.purchases, block.table, block.people.p_alive, silence, block.edges, rule, weights
    )
    worth = NOT_ASKED_FOR
    if block.with_worth:
        worth = contacts_given_own(
            block.posteriors.purchases, block.table, block.state, silence, block.edges, rule, weights
        )
    return Summed(-rule.cost * expected, np.broadcast_to(-rule.cost * worth, expected.shape), -rule.cost * realised)


DATED = "retention"
STATED: dict[str, Callable[[Block], Flow | None]] = {
    "gross margin": gross_margin,
    "fulfilment": fulfilment,
    "payments": fees,
}
"""The parts of orders that follow from the economics, whatever costs are modelled."""
"""The part whose money is spent at the very beginning of each period; that of the others comes at any time in it."""


def part_names(costs: Iterable[Cost]) -> tuple[str, ...]:
    """The parts of value in the order in which they are told: the stated ones, and each cost's after the part that it
    follows. Acquisition, the last part of profit, is sunk for a customer that the firm has."""
    names = [*STATED, DATED]
    for cost in costs:
        if cost.part and cost.part not in names:
            names.insert(names.index(cost.follows) + 1, cost.part)
    return tuple(names)


PARTS = part_names(COSTS.values())
CREDIT = next(cost.part for cost in COSTS.values() if cost.is_credit)
"""The part that base totals leave out: the customers brought are in the base themselves, or will be."""


def sums(block: Block) -> dict[str, Summed]:
    """Each part that these models and economics know of."""
    of_orders: dict[str, Flow] = {}
    for name, stated in STATED.items():
        _add(of_orders, name, stated(block))
    for cost in block.costs.values():
        _add(of_orders, cost.part, cost.flow(block))
    parts = {name: block.summed(flow) for name, flow in of_orders.items()}
    contacts = retention(block)
    if contacts is not None:
        parts[DATED] = contacts
    order = part_names([*COSTS.values(), *block.costs.values()])
    return {name: parts[name] for name in order if name in parts}


def _add(parts: dict[str, Flow], name: str, flow: Flow | None) -> None:
    """Add money to its part."""
    if flow is None:
        return
    parts[name] = parts[name] + flow if name in parts else flow
