"""What comes with purchases beside money: the contract of the costs, an object each.

A cost is all that the package knows of one thing that comes with purchases (returns, unpaid bills, service contacts):

* the model of it: customers differ in a rate of their own, the individual is integrated out, and conjugacy gives the
  own rate given the history exactly;
* what it observes of each customer (`observed`), from the company's events;
* its economics: which keys need it, and which key it tells in place of a stated number;
* its part of the value to come (`fate`, `flow`), of purchases that are drawn, and its entries in the book of what was
  earned so far (`entries`).

A further cost is one file here and one line in `COSTS`. It works on tables and arrays that are handed to it, by the
protocols below, and so imports no stage to its right.

Shapes: R = unique rows, D = draw, C = customer_id, Q = column of weights, E = entry of the orders to come.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.errors import Problem
from clvmodels.models.contract import Model
from clvmodels.models.parameters import Rows, Theta
from clvmodels.randomness import KeyedRandom

if TYPE_CHECKING:
    import ibis


class Means(NamedTuple):
    """Two means of one quantity of a customer. [D, C, Q] each, or broadcast to it

    `expected` is given the history and the population's parameters; `worth` given the customer's own, as drawn.
    """

    expected: Array
    worth: Array


@dataclass(frozen=True, eq=False)
class Flow:
    """Money (or a number, or a rate) in its three readings, which numbers and other flows multiply and add to alike.

    Purchases, amounts and what comes with them are independent given the parameters, of the population as of the
    customer's own, so that a product's mean is the product of the means in either reading.

    Parameters
    ----------
    expected : [D, C, Q]
        E[. | history, population parameters], summed over the periods by weights, a column for each weighting, or the
        same in all: discounted, or as it is in each period.
    worth : [D, C, Q]
        E[. | the customer's own parameters]; one number that is none, where nobody asks for it.
    realised : [E]
        Of the orders that there are: an entry for each period of a draw and customer in which there are any.
    """

    expected: Array
    worth: Array
    realised: Array

    __array_ufunc__ = None
    """An array that stands before a flow leaves the arithmetic to it."""

    def __neg__(self) -> Flow:
        return Flow(-self.expected, -self.worth, -self.realised)

    def __add__(self, other: Flow) -> Flow:
        return Flow(self.expected + other.expected, self.worth + other.worth, self.realised + other.realised)

    def __sub__(self, other: Flow) -> Flow:
        return self + -other

    def __mul__(self, other: Flow | float) -> Flow:
        by = other if isinstance(other, Flow) else Flow.stated(other)
        return Flow(self.expected * by.expected, self.worth * by.worth, self.realised * by.realised)

    def __rmul__(self, factor: float) -> Flow:
        return self * factor

    def __rsub__(self, whole: float) -> Flow:
        """What is left of a stated whole."""
        return Flow(whole - self.expected, whole - self.worth, whole - self.realised)

    @classmethod
    def stated(cls, number: float) -> Flow:
        """The same number in every reading."""
        same = np.asarray(number)
        return cls(same, same, same)


class Fate(NamedTuple):
    """What becomes of some of the orders, so that nothing else becomes of them.

    Parameters
    ----------
    chance
        That of one order.
    number
        How many they are.
    money
        Their amounts, realised. [E]
    value
        What of these amounts is concerned: the value that is sent back, the bills that are not paid.
    """

    chance: Flow
    number: Flow
    money: Array
    value: Flow


class Need(NamedTuple):
    """A key of the economics, or another cost, that a cost is nothing without; what to say where it lacks, and what to
    write then."""

    of: str
    lacking: str
    write: str


class Entries(NamedTuple):
    """Entries of one part of the profit made: customer_id, date (entered), bought (of the purchase), amount."""

    part: str
    table: ibis.Table


class Statistics(Protocol):
    """What a cost observes customers by: their purchases and a company's events, up to their end of observation.

    `purchases` has a row a purchase: customer_id, date, amount, cost (of the goods), returned (value sent back),
    unpaid. `costs` are the names of all costs in use.
    """

    @property
    def purchases(self) -> ibis.Table: ...
    @property
    def costs(self) -> frozenset[str]: ...
    @property
    def cost_per_minute(self) -> float: ...
    @property
    def amount_unit(self) -> float: ...

    def old_enough(self, cost: str) -> ibis.Table:
        """Purchases that were watched for the whole window of this cost."""

    def events(self, source: str) -> ibis.Table:
        """Events of the tables of a role, from each customer's first purchase on."""

    def by_customer(self, table: ibis.Table, **aggregates: ibis.Value) -> dict[str, pd.Series]:
        """Aggregates of a table by customer_id."""

    def log(self, value: ibis.Value) -> ibis.Value:
        """The logarithm, as a decimal: its sum does not depend on the order of the rows."""

    def about_mean(self, table: ibis.Table, column: str, prefix: str, stem: str = "") -> dict[str, pd.Series]:
        """`<prefix>_count`, `<prefix>_<stem>sum` and `<prefix>_<stem>ss`: number and sum of a column by customer, and
        the sum of squares about the customer's mean."""


class Forecast(Protocol):
    """Some customers' orders to come, and what is drawn with them; see `valuation.parts.Block`.

    `counts` and `draw_of_orders` have an entry for each period of a draw and customer in which there are orders: how
    many, and the draw; `paid` are those of them that bring money. What is of draws and customers is read there by
    `at_orders`, and numbers are drawn for the entries by `order_stream`.
    """

    @property
    def economics(self) -> Any: ...
    @property
    def amount_unit(self) -> float: ...
    @property
    def newcomers(self) -> Any: ...
    @property
    def counts(self) -> Array: ...
    @property
    def draw_of_orders(self) -> NDArray[np.int64]: ...
    @property
    def number(self) -> Flow: ...
    @property
    def paid(self) -> Flow: ...
    @property
    def amount(self) -> Means: ...
    @property
    def margin(self) -> Flow: ...
    @property
    def fates(self) -> Mapping[str, Fate]: ...
    def seen(self, cost: str) -> tuple[Rows, Theta]: ...
    def money(self, n: Array, stage: str) -> Array: ...
    def at_orders(self, values: Array) -> Array: ...
    def stream(self, stage: str) -> KeyedRandom: ...
    def order_stream(self, stage: str) -> KeyedRandom: ...
    def modelled(self, key: str) -> Cost | None: ...


class Desk(Protocol):
    """What entries are made of; see `accounts.entries`.

    `purchases` has a row a purchase: customer_id, date, revenue and margin (its rate).
    """

    @property
    def economics(self) -> Any: ...
    @property
    def purchases(self) -> ibis.Table: ...
    def events(self, source: str) -> ibis.Table: ...
    def coming_back(self) -> ibis.Table: ...
    def belonging(self, source: str, cost: str, kind: str | None = None) -> ibis.Table: ...
    def modelled(self, key: str) -> Cost | None: ...
    def entries(
        self, part: str, table: ibis.Table, amount: ibis.Value, date: str = "date", bought: str = "date"
    ) -> Entries: ...


class Cost(Model):
    """One thing that comes with purchases; see the module's text.

    Parameters
    ----------
    cost
        Its name, under `costs:` of an experiment.
    says
        What it tells of, in words.
    source
        The role of the company's tables that tell of it; empty where the orders do.
    source_column
        The column of the orders that tells of it, where these do.
    window
        For how many days a purchase is watched for it, unless the experiment says otherwise; None: it is not.
    part, follows
        The part of the value that it belongs to, and the part that this one stands after.
    keeps_customers
        Whether its money is spent to keep customers.
    is_credit
        Whether its part is a credit for other customers, which totals of the base leave out: those are, or will be,
        in the base themselves.
    asked_after
        Whether customers are asked how it was: who has had more of it has an answer more often.
    keys
        Keys of the economics that say nothing without it.
    in_place_of
        The key of the economics that it tells instead of a stated number.
    needs
        What it is nothing without.
    reads_prices
        Whether what it observes depends on `cost_per_minute`.
    is_refund
        Whether refunds that are netted with the orders would take it off a second time.
    """

    cost: str
    says: str
    source: str = ""
    source_column: str = ""
    window: int | None = None
    part: str = ""
    follows: str = "payments"
    keeps_customers: bool = False
    is_credit: bool = False
    asked_after: bool = False
    keys: tuple[str, ...] = ()
    in_place_of: str = ""
    needs: tuple[Need, ...] = ()
    reads_prices: bool = False
    is_refund: bool = False

    def untold(self, sources: frozenset[str], order_columns: tuple[str, ...]) -> Problem | None:
        """Why a company with tables of these roles and orders of these columns tells nothing of it; None: it does."""
        if self.source in sources:
            return None
        known = f"Add a table with role: {self.source} to the sources"
        return Problem(f"no table tells of {self.says}", f"costs: {self.cost}", known=known)

    @abstractmethod
    def observed(self, seen: Statistics) -> dict[str, pd.Series]:
        """The statistics of `observes`, by customer_id; customers without a row have 0 of each."""

    def fate(self, ahead: Forecast, orders: Flow) -> Fate | None:
        """What becomes of some of these orders, so that nothing else does; None: of none."""
        return None

    def flow(self, ahead: Forecast) -> Flow | None:
        """What it adds to its part of the value, costs negative; None: nothing of its own."""
        return None

    def rate(self, ahead: Forecast) -> Flow:
        """What the key that it is in place of would say, of each period."""
        raise NotImplementedError(f"{self.title} tells no rate")

    def given_away(self, ahead: Forecast, free: Flow) -> Flow | None:
        """What the goods of orders that bring no money cost, in the currency; None: it tells nothing of them."""
        return None

    def total(self, ahead: Forecast, number: Flow) -> Flow:
        """What that key would make of `number`, where each has an amount of its own."""
        raise NotImplementedError(f"{self.title} tells no amounts")

    def entries(self, desk: Desk) -> list[Entries]:
        """Its entries in the book; none where what it tells of is entered elsewhere."""
        return []

    def price(self, events: ibis.Table, economics: Any) -> ibis.Value:
        """What each of the events has cost, in the currency, where it tells the key that prices them."""
        raise NotImplementedError(f"{self.title} prices no events")


class CostModel(Cost):
    """A cost whose model has one rate of the customer's own: events a purchase, a chance, a share of the money."""

    @abstractmethod
    def draw_own(self, rows: Rows, theta: Theta, rng: KeyedRandom) -> Array:
        """Each customer's own rate given the history. [D, C]"""

    @abstractmethod
    def expected_own(self, rows: Rows, theta: Theta) -> Array:
        """E[own rate | history, parameters]. [D, C]"""

    def own(self, ahead: Forecast) -> Flow:
        """Own rates of those whose orders are to come: their means, and as drawn, [D, C, 1] each; and these at the
        orders. [E]"""
        seen = ahead.seen(self.cost)
        drawn = self.draw_own(*seen, ahead.stream(f"own {self.cost}"))
        mean = np.broadcast_to(self.expected_own(*seen), drawn.shape)
        return Flow(mean[..., None], drawn[..., None], ahead.at_orders(drawn))


class CountModel(CostModel):
    """A cost of events that come with purchases; the own rate is events a purchase."""

    @abstractmethod
    def draw_counts(self, own: Array, n: Array, rng: KeyedRandom) -> Array:
        """Events that come with n purchases; own, n and the result are of the shape that `rng` draws."""

    def events(self, ahead: Forecast, orders: Flow, rates: Flow | None = None) -> Flow:
        """What comes with so many of the orders to come, at their own rates."""
        rate = self.own(ahead) if rates is None else rates
        counts = self.draw_counts(rate.realised, orders.realised, ahead.order_stream(self.cost))
        return Flow(orders.expected * rate.expected, orders.worth * rate.worth, counts)


def modelled(costs: Mapping[str, Cost], key: str) -> Cost | None:
    """The cost that tells a key of the economics instead of a stated number, where one does."""
    return next((cost for cost in costs.values() if cost.in_place_of == key), None)
