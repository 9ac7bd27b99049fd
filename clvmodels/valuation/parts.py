"""What purchases to come bring and cost, part by part and period by period, for a block of customers.

Each part has its mean given the history and the draw's parameters, and one realised future a draw. Parts are in the
currency, costs negative, not discounted. Shapes: D = draw, C = customer_id, P = period.

Purchases, amounts and what comes with them are independent given the parameters, so that the mean of a product is the
product of the means. What comes with a purchase (a return, a contact, a referral) counts in the purchase's period.
Where several purchases of a customer fall in one period, what comes back of those returned in part, and what is left of
the margins' own spread, are drawn as if their amounts were equal: the mean is exact, the spread a little too small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.draws import Array
from clvmodels.futures import expectations, forecast, individuals
from clvmodels.inference.posterior import Posterior
from clvmodels.models import CostModel, CountModel, Model, SpendModel
from clvmodels.models.contract import Rows, State, Theta
from clvmodels.models.costs.normal_margin import NormalMargin
from clvmodels.models.costs.returns import Returns, returned_share
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.retention import contacts_of, expected_contacts


class Flow(NamedTuple):
    """A part of the value: its mean given history and parameters, and one future a draw. [D, C, P] each"""

    expected: Array
    realised: Array


def read_of(model: Model) -> tuple[str, ...]:
    """The statistics that the draws of a model read."""
    return model.conditions_on if isinstance(model, SpendModel) else model.observes


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
    posteriors
        purchases and spend, and of the cost models' roles those that there are.
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

    posteriors: Mapping[str, Posterior]
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

    def seen(self, role: str) -> tuple[Rows, Theta]:
        """The rows and the parameters of a role's model. [1, C] and [D, 1] or [D, C]"""
        posterior = self.posteriors[role]
        return individuals.rows_of(self.table, read_of(posterior.model)), posterior.theta(self.table, self.draws)

    @cached_property
    def people(self) -> individuals.Present:
        return individuals.present(self.posteriors["purchases"], self.table, self.draws, self.seed)

    @property
    def state(self) -> State:
        return self.people.state

    @cached_property
    def counts(self) -> Array:
        """Realised purchases. [D, C, P]"""
        posterior = self.posteriors["purchases"]
        counts = forecast.purchase_counts(posterior, self.table, self.state, self.edges, self.stream("value future"))
        return self._with_first(counts)

    @cached_property
    def mean_counts(self) -> Array:
        """E[purchases | history, parameters]. [D, C, P]"""
        posterior, alive = self.posteriors["purchases"], self.people.p_alive
        return self._with_first(expectations.expected_counts(posterior, self.table, alive, self.edges, self.draws))

    def _with_first(self, counts: Array) -> Array:
        return np.concatenate([np.ones_like(counts[..., :1]), counts], axis=-1) if self.first_order else counts

    @cached_property
    def mean_amount(self) -> Array:
        """E[amount of a purchase | history, parameters], in the currency. [D, C, 1]"""
        model = self.posteriors["spend"].model
        assert isinstance(model, SpendModel)
        return (model.expected_spend(*self.seen("spend")) * self.amount_unit)[..., None]

    def mean_own(self, role: str) -> Array:
        """E[own rate of a cost model | history, parameters]. [D, C, 1]"""
        model = self.posteriors[role].model
        assert isinstance(model, CostModel)
        own = model.expected_own(*self.seen(role))
        return np.broadcast_to(own, (self.draws, len(self.table)))[..., None]

    def own(self, role: str) -> Array:
        """Own rates of a cost model. [D, C]"""
        model = self.posteriors[role].model
        assert isinstance(model, CostModel)
        return model.draw_own(*self.seen(role), self.stream(f"own {role}"))

    def events(self, role: str, n: Array) -> Array:
        """What comes with n purchases. [D, C, P]"""
        model = self.posteriors[role].model
        assert isinstance(model, CountModel)
        return model.draw_counts(self.own(role), n, self.stream(role))

    def money(self, n: Array, stage: str) -> Array:
        """Money of n purchases, in the currency. [D, C, P]"""
        model = self.posteriors["spend"].model
        assert isinstance(model, SpendModel)
        return model.spend_total(self._own_amounts, n, self.stream(stage)) * self.amount_unit

    @cached_property
    def _own_amounts(self) -> Mapping[str, Array]:
        model = self.posteriors["spend"].model
        assert isinstance(model, SpendModel)
        return model.draw(*self.seen("spend"), self.stream("spend state"))

    @cached_property
    def orders(self) -> Orders:
        return _orders(self)

    @cached_property
    def margin(self) -> Flow:
        """Margin rate of the money of each period; of what is known, the one number. [D, C, P] or [1, 1, 1]"""
        if self.economics.margin is not None:
            known = np.full((1, 1, 1), self.economics.margin)
            return Flow(known, known)
        model = self.posteriors["margin"].model
        assert isinstance(model, NormalMargin)
        drawn = model.draw_rates(self.own("margin"), self.counts, self.seen("margin")[1], self.stream("margin"))
        return Flow(self.mean_own("margin"), drawn)


class Orders(NamedTuple):
    """Purchases by what becomes of them, and their money. Flows of [D, C, P]"""

    number: Flow
    money: Flow
    returned: Flow
    sent_back: Flow  # value of what is returned
    owed: Flow  # amounts that are never paid


def _orders(block: Block) -> Orders:
    """The money of purchases that are kept, returned whole, returned in part, never paid: each has amounts of its own,
    as many as there are such purchases, and their sum is the money of all."""
    n, mean_n, amount = block.counts, block.mean_counts, block.mean_amount
    rest, mean_rest = n, mean_n
    nothing = Flow(np.zeros_like(mean_n), np.zeros_like(n))
    returned = sent_back = owed = nothing
    money = np.zeros_like(n)
    if "returns" in block.posteriors:
        model, (_, theta) = block.posteriors["returns"].model, block.seen("returns")
        assert isinstance(model, Returns)
        back = block.events("returns", n)
        whole, share = model.draw_shares(theta, back, block.stream("returned shares"))
        of_whole, of_part = block.money(whole, "spend whole"), block.money(back - whole, "spend part")
        chance = block.mean_own("returns")
        returned = Flow(mean_n * chance, back)
        sent_back = Flow(returned.expected * amount * returned_share(theta)[..., None], of_whole + share * of_part)
        money = of_whole + of_part
        rest, mean_rest = n - back, mean_n * (1.0 - chance)
    if "bad_debt" in block.posteriors:
        unpaid = block.events("bad_debt", rest)
        owed = Flow(mean_rest * block.mean_own("bad_debt") * amount, block.money(unpaid, "spend unpaid"))
        money, rest = money + owed.realised, rest - unpaid
    money = money + block.money(rest, "spend")
    return Orders(Flow(mean_n, n), Flow(mean_n * amount, money), returned, sent_back, owed)


def gross_margin(block: Block) -> Flow:
    """Margin of all money, before returns and any cost of the relation."""
    money, margin = block.orders.money, block.margin
    return Flow(money.expected * margin.expected, money.realised * margin.realised)


def returns(block: Block) -> Flow | None:
    """The margin of what comes back and is not sold again, the goods that are written off, and the handling."""
    if "returns" not in block.posteriors:
        return None
    e, orders = block.economics, block.orders
    lost = [(1.0 - e.resold) * margin + e.written_off * (1.0 - margin) for margin in block.margin]
    values = zip(orders.sent_back, lost, orders.returned, strict=True)
    return Flow(*(-value * share - e.cost_per_return * number for value, share, number in values))


def fulfilment(block: Block) -> Flow | None:
    """The cost of each order."""
    if not block.economics.cost_per_order:
        return None
    return Flow(*(-block.economics.cost_per_order * n for n in block.orders.number))


def service(block: Block) -> Flow | None:
    """The cost of service contacts: of each its own where a cost model tells it, otherwise the stated one."""
    if "contacts" not in block.posteriors:
        return None
    contacts = block.events("contacts", block.counts)
    mean = block.mean_counts * block.mean_own("contacts")
    if "handling" not in block.posteriors:
        cost = block.economics.cost_per_contact
        return Flow(-cost * mean, -cost * contacts)
    model, (rows, theta) = block.posteriors["handling"].model, block.seen("handling")
    assert isinstance(model, SpendModel)
    unit = block.posteriors["handling"].amount_unit
    state = model.draw(rows, theta, block.stream("own handling"))
    spent = model.spend_total(state, contacts, block.stream("handling"))
    return Flow(-mean * unit * model.expected_spend(rows, theta)[..., None], -unit * spent)


def payments(block: Block) -> Flow | None:
    """Fees of payment, and what is never paid."""
    e, orders = block.economics, block.orders
    if not (e.payment_fee or e.payment_fee_per_order or "bad_debt" in block.posteriors):
        return None
    each = zip(orders.money, orders.number, orders.owed, strict=True)
    return Flow(*(-e.payment_fee * m - e.payment_fee_per_order * n - (1.0 - e.recovered) * owed for m, n, owed in each))


def retention(block: Block) -> Flow | None:
    """The cost of contacts that are to keep customers, by the rule of `Retention`."""
    rule = block.economics.retention
    if rule is None:
        return None
    after = block.counts[..., 1:] if block.first_order else block.counts
    silence = (block.table["T"] - block.table["recency"]).to_numpy(dtype=float)
    drawn = contacts_of(after, silence, block.edges, rule)
    mean = expected_contacts(
        block.posteriors["purchases"], block.table, block.people.p_alive, silence, block.edges, rule, block.seed
    )
    both = Flow(-rule.cost * mean, -rule.cost * drawn)
    return Flow(*(_with_nothing_first(one) for one in both)) if block.first_order else both


def _with_nothing_first(flow: Array) -> Array:
    return np.concatenate([np.zeros_like(flow[..., :1]), flow], axis=-1)


def referrals(block: Block) -> Flow | None:
    """The credit for customers that are brought: see `Referral`; those brought by these are not credited again."""
    rule, newcomers = block.economics.referral, block.newcomers
    if rule is None or newcomers is None or "referrals" not in block.posteriors:
        return None
    brought = block.events("referrals", block.counts)
    mean = block.mean_counts * block.mean_own("referrals")
    worth = _sum_of_picks(newcomers.realised - rule.reward, brought, block.stream("brought"))
    return Flow(rule.incremental * mean * (newcomers.expected[:, None, None] - rule.reward), rule.incremental * worth)


def _sum_of_picks(pool: Array, n: Array, rng: KeyedRandom) -> Array:
    """The sum of n members of the draw's own pool, picked at random. pool: [D, M]; n and result: [D, C, P]"""
    total, periods = np.empty(n.shape), n.shape[-1]
    for c, generator in enumerate(rng.streams):
        counts = n[:, c].ravel().astype(np.int64)
        cell = np.repeat(np.arange(len(counts)), counts)
        worth = pool[cell // periods, generator.integers(pool.shape[1], size=len(cell))]
        total[:, c] = np.bincount(cell, worth, minlength=len(counts)).reshape(-1, periods)
    return total


PARTS: dict[str, Callable[[Block], Flow | None]] = {
    "gross margin": gross_margin,
    "returns": returns,
    "fulfilment": fulfilment,
    "service": service,
    "payments": payments,
    "retention": retention,
    "referrals": referrals,
}
"""In the order in which they are told. Acquisition, the last part, is sunk for a customer that the firm has."""
CREDIT = "referrals"
"""The part that base totals leave out: the customers brought are in the base themselves, or will be."""
DATED = "retention"
"""The part whose money is spent at the very beginning of each period; that of the others comes at any time in it."""


def flows(block: Block) -> dict[str, Flow]:
    """Each part that these models and economics know of."""
    found = {name: part(block) for name, part in PARTS.items()}
    return {name: flow for name, flow in found.items() if flow is not None}
