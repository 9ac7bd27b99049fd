"""Value: from futures to what each customer brings, in profit, draw by draw and part by part.

Value of a draw = sum over parts and periods of the part's money x discount factor of the period, or of its end where
the part is dated there (`profit`, `economics`). Money is in the currency. Shapes: D = draw, C = customer_id,
P = period, M = simulated newcomer.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.customers.table import Customers
from clvmodels.draws import Array, array_store, blocks, in_threads, let_go, totals_html
from clvmodels.errors import ConfigError, DataError, Problem
from clvmodels.futures.individuals import blocks_of_alike
from clvmodels.futures.newcomers import newcomer_table
from clvmodels.inference.effect_problems import check_columns
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.posteriors import Posteriors, allowed_failures
from clvmodels.models import Cost, known_costs
from clvmodels.models.costs.contract import modelled
from clvmodels.valuation.discounting import discount_at, discount_factors, period_edges
from clvmodels.valuation.economics import Economics, Referral
from clvmodels.valuation.parts import CREDIT, PARTS, Block, Newcomers, Summed, sums
from clvmodels.valuation.retention import check_rule

KINDS = ("expected", "worth", "realised")
"""The readings of a value: each has the mean of the others, and is wider than the one before."""
BROUGHT = 200
"""Simulated new customers that those brought by customers are picked from, for each draw."""


class Discounted(NamedTuple):
    """A part of the value, or the whole, discounted and summed over the horizon. [D, C] each"""

    expected: np.ndarray
    worth: np.ndarray
    realised: np.ndarray


@dataclass(frozen=True)
class Values:
    """One entry's value of each customer over the horizon, discounted, in the currency.

    Three readings, [D, C] each, of one mean and each wider than the one before. `expected` is E[value | history,
    population parameters]: uncertain about the population alone, the measure of what maximises average profit. `worth`
    is E[value | the customer's own parameters], these and whether the customer is still there drawn given the history:
    who the customer is, and how little we know of it; 0 where the customer has left, but for contacts that cost money
    all the same. `realised` is one future a draw: what will happen, luck included. Each is the sum of the `parts`, by
    name, in every draw. What the base is worth (`base`) leaves the credit for referrals out:
    the customers who are brought are, or will be, customers themselves. `failed_checks` names sampling checks that a
    posterior failed, and was allowed to. `sales` is the mean of what each customer is to spend, discounted as its
    margin is [C]: parts are told as shares of it.
    """

    customer_id: np.ndarray
    expected: np.ndarray
    worth: np.ndarray
    realised: np.ndarray
    economics: Economics
    time_unit: str
    currency: str | None
    valued_at: pd.Timestamp
    parts: Mapping[str, Discounted] = field(default_factory=dict)
    failed_checks: tuple[str, ...] = ()
    sales: Array | None = None

    @property
    def horizon(self) -> float:
        """In time units."""
        return self.economics.horizon

    def base(self, kind: str) -> Array:
        """The whole base's value without credit for referrals: kind is expected, worth or realised. [D]"""
        total = getattr(self, kind).sum(axis=1, dtype=float)
        if CREDIT not in self.parts:
            return total
        return total - getattr(self.parts[CREDIT], kind).sum(axis=1, dtype=float)

    def __repr__(self) -> str:
        draws, size = self.expected.shape
        margin, rate = self.economics.margin, self.economics.annual_discount_rate
        contents = [
            f"{size:,} customers",
            f"{draws:,} draws",
            f"the {self.horizon:g} {self.time_unit}s after {self.valued_at:%Y-%m-%d}",
            "margins of their own" if margin is None else f"margin {margin:.4g}",
            f"annual discount rate {rate:.4g}",
            self.currency or "no currency",
        ]
        if self.failed_checks:
            contents.append(f"FAILED: {', '.join(self.failed_checks)}")
        return f"Values({', '.join(contents)})"

    def _repr_html_(self) -> str:
        of_the_base = {"value, realised": self.realised, "value, expected": self.expected}
        if len(self.parts) > 1:  # one part alone is the value
            for name, part in self.parts.items():
                of_the_base[f"{name}, realised"] = part.realised
        heading = f"<p><b>{html.escape(repr(self))}</b></p>"
        return heading + totals_html(of_the_base)


@dataclass(frozen=True)
class Valuation:
    """All that values customers, made once and applied to any block of them.

    Parameters
    ----------
    weights, starts : [P]
        Discount factors of the periods, and of their beginnings.
    """

    posteriors: Posteriors
    economics: Economics
    customers: Customers
    draws: int
    seed: int
    edges: Array
    weights: Array
    starts: Array
    newcomers: Newcomers | None = None
    failed_checks: tuple[str, ...] = ()

    def flows(self, table: pd.DataFrame) -> dict[str, Summed]:
        """The parts of some customers, period by period, not discounted. [D, C, P]"""
        return sums(self.counted(table, np.eye(len(self.weights))))

    def parts(self, table: pd.DataFrame) -> dict[str, Discounted]:
        """The parts of some customers, discounted; the same for any block that holds them. [D, C]"""
        return discounted(self.block(table))

    def block(self, table: pd.DataFrame) -> Block:
        """Some customers, whose amounts are summed by the discount factors: see `discounted`."""
        return self._block(table, self.weights[:, None], self.starts[:, None])

    def counted(self, table: pd.DataFrame, weights: Array, with_worth: bool = True) -> Block:
        """Some customers, whose amounts are summed by other weights, not discounted. [P, Q]"""
        return replace(self._block(table, weights, weights), with_worth=with_worth)

    def new_customers(
        self, size: int, group: Mapping[str, str] | None = None
    ) -> tuple[pd.DataFrame, dict[str, Summed]]:
        """`size` new customers of those group labels, and the parts of their value from the first purchase on.

        Their periods begin with that purchase itself, which is not discounted. [D, M, 1 + P]
        """
        table = newcomer_table(self.posteriors.by_name(), size, dict(group or {}))
        each = np.eye(1 + len(self.weights))
        return table, sums(self._block(table, each, each, first_order=True))

    def of_newcomers(self, table: pd.DataFrame) -> Discounted:
        """The whole value of new customers of a `newcomer_table`, the first purchase in it. [D, M]"""
        # a first purchase at the date of value is worth what it is
        weights, starts = (np.append(1.0, factors)[:, None] for factors in (self.weights, self.starts))
        return _sum_of_parts(discounted(self._block(table, weights, starts, first_order=True)))

    def part_names(self) -> tuple[str, ...]:
        """The parts that there are of a customer, in their order."""
        return tuple(self.parts(self.customers.table.iloc[:1]))

    def blocks(self, table: pd.DataFrame) -> Iterator[NDArray[np.intp]]:
        """Places of customers in blocks whose arrays stay bounded, those with equal histories together."""
        return blocks_of_alike(self.posteriors.purchases, table, self.draws)

    def _block(self, table: pd.DataFrame, weights: Array, starts: Array, first_order: bool = False) -> Block:
        return Block(
            posteriors=self.posteriors,
            economics=self.economics,
            table=table,
            edges=self.edges,
            draws=self.draws,
            seed=self.seed,
            amount_unit=self.customers.amount_unit,
            weights=weights,
            starts=starts,
            newcomers=None if first_order else self.newcomers,
            first_order=first_order,
        )


def valuation(
    posteriors: Posteriors | Mapping[str, Posterior],
    customers: Customers,
    economics: Economics,
    *,
    seed: int,
    draws: int = 1000,
    allow_failed: Collection[str] = (),
) -> Valuation:
    """Check that models, customers and economics go together, and simulate the new customers that are brought.

    Parameters
    ----------
    allow_failed
        Sampling checks that posteriors may have failed.

    Raises
    ------
    FitError
        A posterior failed another sampling check.
    ConfigError
        No posterior of purchases or of spend, or one of a model that tells nothing of it; posteriors in other units
        than the customers, or with different numbers of draws; economics that need a model that there is none of; a
        rule that does not go with the model.
    DataError
        Columns that a model observes are missing.
    """
    posteriors = Posteriors.of(posteriors)
    by_name = posteriors.by_name()
    failed = allowed_failures(by_name, allow_failed)
    _check_observed(by_name, customers)
    check_units(by_name, customers, draws)
    check_economics(posteriors, economics)
    for posterior in by_name.values():
        check_columns(posterior.effects, customers.table)
    unit, time = customers.time_unit, customers.time
    rate = economics.annual_discount_rate
    edges = period_edges(economics.horizon, unit, time, economics.retention)
    weights = discount_factors(edges, rate, unit, time)
    starts = weights if time == "opportunities" else discount_at(edges[:-1], rate, unit)
    draw_count = _draws_of(posteriors.purchases, draws)
    without_newcomers = Valuation(
        posteriors, economics, customers, draw_count, seed, edges, weights, starts, failed_checks=failed
    )
    if economics.referral is None:
        return without_newcomers
    return replace(without_newcomers, newcomers=_brought(without_newcomers, economics.referral))


def _draws_of(posterior: Posterior, most: int) -> int:
    """How many draws a posterior gives, where at most so many are asked for."""
    return len(posterior.stacked(posterior.model.parameters[0].name, most))


def _brought(by: Valuation, rule: Referral) -> Newcomers:
    """What those who are brought are worth, each from the first purchase on."""
    table = newcomer_table(by.posteriors.by_name(), BROUGHT, dict(rule.group))
    expected, realised = [], []
    for block in blocks(BROUGHT, by.draws, 1):
        whole = by.of_newcomers(table.iloc[block])
        expected.append(whole.expected)
        realised.append(whole.realised)
    # newcomers are alike, and so are their means but for rounding
    mean = np.concatenate(expected, axis=1).mean(axis=1)
    return Newcomers(mean, np.concatenate(realised, axis=1))


def value(
    posteriors: Posteriors | Mapping[str, Posterior],
    customers: Customers,
    economics: Economics,
    *,
    seed: int,
    draws: int = 1000,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    allow_failed: Collection[str] = (),
) -> Values:
    """The value of each customer over the horizon, expected, of worth and realised, and its parts.

    Parameters
    ----------
    posteriors
        By name: purchases, spend, and of the costs those that there are (returns, contacts, ...).
    folder
        Where the [D, C] arrays are kept; None keeps them in memory.
    allow_failed
        Sampling checks that posteriors may have failed, by name; the values say which have.

    Raises
    ------
    ConfigError
        See `valuation`.
    FitError
        A posterior failed another sampling check.
    """
    valuer = valuation(posteriors, customers, economics, seed=seed, draws=draws, allow_failed=allow_failed)
    table = customers.table
    shape = (valuer.draws, len(table))
    total = _store(folder, "value", shape)
    sales = np.empty(len(table))
    names = valuer.part_names()
    # one part alone is the value: it needs no arrays of its own
    parts = {name: total if len(names) == 1 else _store(folder, name, shape) for name in names}

    def fill(block: NDArray[np.intp]) -> int:
        """The columns of some customers; how many they are."""
        priced = valuer.block(table.iloc[block])
        of_block = discounted(priced)
        for name, part in of_block.items():
            _fill(parts[name], block, part)
        expected_sales = np.broadcast_to(priced.amounts.expected, priced.mean_counts.shape)[..., 0]
        # a mean along contiguous draws: its last digit does not depend on how many customers are in the block
        sales[block] = np.ascontiguousarray(expected_sales.T).mean(axis=1)
        _fill(total, block, _sum_of_parts(of_block))
        return len(block)

    done = 0
    for size in in_threads(fill, valuer.blocks(table)):
        done += size
        for store in (total, *parts.values()):
            let_go(*store)
        if progress is not None:
            progress(done, len(table))
    return Values(
        customer_id=table.index.to_numpy(),
        expected=total.expected,
        worth=total.worth,
        realised=total.realised,
        economics=economics,
        time_unit=customers.time_unit,
        currency=customers.currency,
        valued_at=customers.observation_end,
        parts=parts,
        failed_checks=valuer.failed_checks,
        sales=sales,
    )


def _store(folder: Path | None, name: str, shape: tuple[int, int]) -> Discounted:
    stem = name.replace(" ", "_")
    return Discounted(*(array_store(folder, f"{stem}_{kind}", shape, "float32") for kind in KINDS))


def _fill(store: Discounted, block: NDArray[np.intp], of_block: Discounted) -> None:
    for values, of_kind in zip(store, of_block, strict=True):
        values[:, block] = of_kind


def _sum_of_parts(parts: Mapping[str, Discounted]) -> Discounted:
    """The sum of the parts, added in their order."""
    by_kind = zip(*parts.values(), strict=True)
    return Discounted(*(np.asarray(sum(of_parts)) for of_parts in by_kind))


def discounted(block: Block) -> dict[str, Discounted]:
    """The parts of customers whose amounts are summed by one column of weights, the discount factors."""
    return {name: Discounted(*(of_kind[..., 0] for of_kind in part)) for name, part in sums(block).items()}


def _check_observed(posteriors: Mapping[str, Posterior], customers: Customers) -> None:
    """Refuse customers without the columns that the models observe."""
    problems = []
    for posterior in posteriors.values():
        for name in posterior.model.conditions_on:
            if name not in customers.table:
                problems.append(Problem(f"no column '{name}', which {posterior.model.title} observes", "customers"))
    if problems:
        raise DataError(list(dict.fromkeys(problems)))


def check_units(posteriors: Mapping[str, Posterior], customers: Customers, draws: int) -> None:
    """Refuse posteriors in other units than the customers, or with different numbers of draws, all at once.

    Raises
    ------
    ConfigError
    """
    problems = []
    purchases = posteriors["purchases"]
    remedy = "Summarise again"
    if purchases.time_unit != customers.time_unit:
        units = f"{purchases.time_unit} and {customers.time_unit}"
        problems.append(Problem("the posterior and the customers differ in time unit", "", units, remedy))
    if purchases.model.counts != customers.time:
        times = f"{purchases.model.counts} and {customers.time}"
        problems.append(Problem("the posterior and the customers differ in their time", "", times, remedy))
    for name, posterior in posteriors.items():
        has_money = any(parameter.unit == "money" for parameter in posterior.model.parameters)
        if has_money and posterior.amount_unit != customers.amount_unit:
            units = f"{posterior.amount_unit:g} and {customers.amount_unit:g}"
            place = "" if name == "spend" else f"{name} posterior"
            problems.append(Problem("the posterior and the customers differ in amount unit", place, units))
    sizes = {name: _draws_of(posterior, draws) for name, posterior in posteriors.items()}
    if len(set(sizes.values())) > 1:
        remedy = "Fit all parts with the same number of draws, or ask for fewer"
        numbers = " and ".join(f"{size} of {name}" for name, size in sizes.items())
        problems.append(Problem("the parts have different numbers of draws", "", numbers, remedy))
    if problems:
        raise ConfigError(problems)


def check_economics(posteriors: Posteriors, economics: Economics) -> None:
    """Refuse economics that speak of what no model tells or what one tells already.

    Raises
    ------
    ConfigError
    """
    costs = {name: posterior.model for name, posterior in posteriors.costs.items()}
    problems = list(_keys_without_cost(costs, economics))
    if economics.margin is None and modelled(costs, "margin") is None:
        remedy = "Say margin: 0.3, or add margin: normal_margin under costs"
        problems.append(Problem("no margin is stated, and no cost model tells it", "economics", known=remedy))
    for cost in costs.values():
        problems += _told_twice_or_by_half(cost, costs, economics)
    if economics.retention is not None:
        try:
            check_rule(posteriors.purchases)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def _keys_without_cost(costs: Mapping[str, Cost], economics: Economics) -> Iterator[Problem]:
    """Keys that say nothing without a cost model that reads them."""
    for cost in known_costs().values():
        if cost.cost in costs:
            continue
        for key in cost.keys:
            if getattr(economics, key):
                yield Problem(
                    f"{key} needs a cost model of {cost.cost}", "economics", known=f"Add {cost.cost}: under costs"
                )


def _told_twice_or_by_half(cost: Cost, costs: Mapping[str, Cost], economics: Economics) -> Iterator[Problem]:
    """A key that is stated beside the cost that tells it; another cost that this one is nothing without."""
    stated = getattr(economics, cost.in_place_of) if cost.in_place_of else None
    if stated:
        message = f"{cost.in_place_of} is both stated and modelled"
        yield Problem(message, "economics", f"{stated:g}", "Leave one of them out")
    for need in cost.needs:
        if need.of in known_costs() and need.of not in costs:
            yield Problem(need.lacking, "economics", known=f"Add {need.of}: under costs")


__all__ = ["KINDS", "PARTS", "Discounted", "Valuation", "Values", "check_units", "valuation", "value"]
