"""What purchases to come bring and cost, part by part and period by period, for a block of customers.

Each part has its mean given the history and the draw's parameters, and one realised future a draw. Parts are in the
currency, costs negative, not discounted. Some follow from the economics alone (`STATED`), the others are those of the
costs, which say theirs themselves. Shapes: D = draw, C = customer_id, P = period.

Purchases, amounts and what comes with them are independent given the parameters, so that the mean of a product is the
product of the means. What comes with a purchase (a return, a contact, a referral) counts in the purchase's period.
Where several purchases of a customer fall in one period, what comes back of those returned in part, and what is left of
the margins' own spread, are drawn as if their amounts were equal: the mean is exact, the spread a little too small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from clvmodels.draws import Array
from clvmodels.futures import expectations, forecast, individuals
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.posteriors import Posteriors
from clvmodels.models import COSTS, Cost
from clvmodels.models.contract import Rows, State, Theta
from clvmodels.models.costs.contract import Fate, Flow, modelled
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.retention import contacts_of, expected_contacts


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
    newcomers
        Those that customers bring.
    first_order
        Whether these are new customers, whose first purchase, at T, is counted: the first period is that moment.
    """

    posteriors: Posteriors
    economics: Economics
    table: pd.DataFrame
    edges: Array
    draws: int
    seed: int
    amount_unit: float
    newcomers: Newcomers | None = None
    first_order: bool = False

    def stream(self, stage: str) -> KeyedRandom:
        return KeyedRandom(self.seed, stage, list(self.table.index), self.draws)

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
    def counts(self) -> Array:
        """Realised purchases. [D, C, P]"""
        posterior = self.posteriors.purchases
        rng = self.stream("value future")
        counts = forecast.purchase_counts(posterior, self.table, self.state, self.edges, rng)
        return self._with_first(counts)

    @cached_property
    def mean_counts(self) -> Array:
        """E[purchases | history, parameters]. [D, C, P]"""
        posterior = self.posteriors.purchases
        p_alive = self.people.p_alive
        counts = expectations.expected_counts(posterior, self.table, p_alive, self.edges, self.draws)
        return self._with_first(counts)

    def _with_first(self, counts: Array) -> Array:
        """With the first purchase of new customers, in a period of its own before the others."""
        if not self.first_order:
            return counts
        first = np.ones_like(counts[..., :1])
        return np.concatenate([first, counts], axis=-1)

    @cached_property
    def mean_amount(self) -> Array:
        """E[amount of a purchase | history, parameters], in the currency. [D, C, 1]"""
        spend = self.posteriors.spend
        rows, theta = self._rows_and_theta(spend)
        amount = spend.model.expected_spend(rows, theta) * self.amount_unit
        return amount[..., None]

    def money(self, n: Array, stage: str) -> Array:
        """Money of n purchases, in the currency. [D, C, P]"""
        model = self.posteriors.spend.model
        return model.spend_total(self._own_amounts, n, self.stream(stage)) * self.amount_unit

    @cached_property
    def _own_amounts(self) -> Mapping[str, Array]:
        """Each customer's own parameters of spend: one state a draw, whatever money is drawn from it."""
        spend = self.posteriors.spend
        rows, theta = self._rows_and_theta(spend)
        return spend.model.draw(rows, theta, self.stream("spend state"))

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
        """Margin rate of the money of each period; of what is stated, the one number. [D, C, P] or [1, 1, 1]"""
        cost = self.modelled("margin")
        if cost is not None:
            return cost.rate(self)
        stated = np.full((1, 1, 1), self.economics.margin)
        return Flow(stated, stated)

    @property
    def number(self) -> Flow:
        """Orders."""
        return Flow(self.mean_counts, self.counts)

    @property
    def fates(self) -> dict[str, Fate]:
        """By cost, what becomes of the orders that are not kept and paid."""
        fates, _ = self._fates_and_rest
        return fates

    @cached_property
    def _fates_and_rest(self) -> tuple[dict[str, Fate], Flow]:
        """Costs take their orders one after the other, each of those that are left."""
        orders_left = self.number
        fates: dict[str, Fate] = {}
        for name, cost in self.costs.items():
            fate = cost.fate(self, orders_left)
            if fate is None:
                continue
            fates[name] = fate
            expected = orders_left.expected * (1.0 - fate.chance)
            realised = orders_left.realised - fate.number.realised
            orders_left = Flow(expected, realised)
        return fates, orders_left

    @cached_property
    def amounts(self) -> Flow:
        """The money of all orders. Those of each fate have amounts of their own, as many as there are such orders."""
        fates, orders_left = self._fates_and_rest
        of_fates = np.zeros_like(self.counts)
        for fate in fates.values():
            of_fates = of_fates + fate.money
        money_left = self.money(orders_left.realised, "spend")
        return Flow(self.mean_counts * self.mean_amount, of_fates + money_left)


# ----------------------------------------------------------------------------------------- of the economics alone


def gross_margin(block: Block) -> Flow:
    """Margin of all money, before returns and any cost of the relation."""
    money, margin = block.amounts, block.margin
    return Flow(money.expected * margin.expected, money.realised * margin.realised)


def fulfilment(block: Block) -> Flow | None:
    """The cost of each order."""
    cost = block.economics.cost_per_order
    if not cost:
        return None
    return Flow(-cost * block.number.expected, -cost * block.number.realised)


def fees(block: Block) -> Flow | None:
    """Fees of payment."""
    share = block.economics.payment_fee
    per_order = block.economics.payment_fee_per_order
    if not (share or per_order):
        return None
    money, number = block.amounts, block.number
    return Flow(
        expected=-share * money.expected - per_order * number.expected,
        realised=-share * money.realised - per_order * number.realised,
    )


def retention(block: Block) -> Flow | None:
    """The cost of contacts that are to keep customers, by the rule of `Retention`."""
    rule = block.economics.retention
    if rule is None:
        return None
    # the first order, at T, is no purchase after T: it is in `silence` already
    counts = block.counts[..., 1:] if block.first_order else block.counts
    silence = (block.table["T"] - block.table["recency"]).to_numpy(dtype=float)
    realised = contacts_of(counts, silence, block.edges, rule)
    expected = expected_contacts(
        block.posteriors.purchases, block.table, block.people.p_alive, silence, block.edges, rule, block.seed
    )
    cost = Flow(-rule.cost * expected, -rule.cost * realised)
    if not block.first_order:
        return cost
    return Flow(_with_nothing_first(cost.expected), _with_nothing_first(cost.realised))


def _with_nothing_first(money: Array) -> Array:
    """With nothing in the period of the first order itself."""
    nothing = np.zeros_like(money[..., :1])
    return np.concatenate([nothing, money], axis=-1)


STATED: dict[str, Callable[[Block], Flow | None]] = {
    "gross margin": gross_margin,
    "fulfilment": fulfilment,
    "payments": fees,
    "retention": retention,
}
"""The parts that follow from the economics, whatever costs are modelled."""
DATED = "retention"
"""The part whose money is spent at the very beginning of each period; that of the others comes at any time in it."""


def part_names(costs: Iterable[Cost]) -> tuple[str, ...]:
    """The parts of value in the order in which they are told: the stated ones, and each cost's after the part that it
    follows. Acquisition, the last part of profit, is sunk for a customer that the firm has."""
    names = list(STATED)
    for cost in costs:
        if cost.part and cost.part not in names:
            names.insert(names.index(cost.follows) + 1, cost.part)
    return tuple(names)


PARTS = part_names(COSTS.values())
CREDIT = next(cost.part for cost in COSTS.values() if cost.is_credit)
"""The part that base totals leave out: the customers brought are in the base themselves, or will be."""


def flows(block: Block) -> dict[str, Flow]:
    """Each part that these models and economics know of."""
    parts: dict[str, Flow] = {}
    for name, stated in STATED.items():
        _add(parts, name, stated(block))
    for cost in block.costs.values():
        _add(parts, cost.part, cost.flow(block))
    order = part_names([*COSTS.values(), *block.costs.values()])
    return {name: parts[name] for name in order if name in parts}


def _add(parts: dict[str, Flow], name: str, flow: Flow | None) -> None:
    """Add money to its part."""
    if flow is None:
        return
    if name in parts:
        expected = parts[name].expected + flow.expected
        realised = parts[name].realised + flow.realised
        flow = Flow(expected, realised)
    parts[name] = flow
