"""Value: from futures to what each customer brings, in profit, draw by draw and part by part.

Value of a draw = sum over parts and periods of the part's money x discount factor of the period, or of its end where
the part is dated there (`profit`, `economics`). Money is in the currency. Shapes: D = draw, C = customer_id,
P = period, M = simulated newcomer.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.customers.table import Customers
from clvmodels.draws import Array, array_store, blocks, totals_html
from clvmodels.errors import ConfigError, DataError, Problem
from clvmodels.futures.newcomers import newcomer_table
from clvmodels.inference.effects import check_columns
from clvmodels.inference.posterior import Posterior
from clvmodels.valuation.discounting import discount_at, discount_factors, period_edges
from clvmodels.valuation.economics import NEEDED, Economics, Referral
from clvmodels.valuation.parts import CREDIT, DATED, PARTS, Block, Flow, Newcomers, flows, read_of
from clvmodels.valuation.retention import check_rule

BROUGHT = 200
"""Simulated new customers that those brought by customers are picked from, for each draw."""


class Part(NamedTuple):
    """One part of the value, discounted, over the horizon. [D, C] each"""

    expected: np.ndarray
    realised: np.ndarray


@dataclass(frozen=True)
class Values:
    """One entry's value of each customer over the horizon, discounted, in the currency.

    `expected` is E[value | history, parameters] [D, C]: uncertain about the mean, the measure of what maximises
    average profit. `realised` is one future a draw [D, C]: what will happen; the same mean, and wider. Both are the
    sum of the `parts`, by name, in every draw. What the base is worth (`base`) leaves the credit for referrals out:
    the customers who are brought are, or will be, customers themselves.
    """

    customer_id: np.ndarray
    expected: np.ndarray
    realised: np.ndarray
    economics: Economics
    time_unit: str
    currency: str | None
    valued_at: pd.Timestamp
    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def horizon(self) -> float:
        """In time units."""
        return self.economics.horizon

    def base(self, kind: str) -> Array:
        """The whole base's value without credit for referrals: kind is expected or realised. [D]"""
        total = getattr(self, kind).sum(axis=1, dtype=float)
        credit = self.parts.get(CREDIT)
        return total if credit is None else total - getattr(credit, kind).sum(axis=1, dtype=float)

    def __repr__(self) -> str:
        draws, size = self.expected.shape
        e = self.economics
        ahead = f"the {self.horizon:g} {self.time_unit}s after {self.valued_at:%Y-%m-%d}"
        margin = "margins of their own" if e.margin is None else f"margin {e.margin:.4g}"
        terms = f"{margin}, annual discount rate {e.annual_discount_rate:.4g}"
        return f"Values({size:,} customers, {draws:,} draws, {ahead}, {terms}, {self.currency or 'no currency'})"

    def _repr_html_(self) -> str:
        of_the_base = {"value, realised": self.realised, "value, expected": self.expected}
        if len(self.parts) > 1:
            of_the_base |= {f"{name}, realised": part.realised for name, part in self.parts.items()}
        return f"<p><b>{html.escape(repr(self))}</b></p>" + totals_html(of_the_base)


@dataclass(frozen=True)
class Valuation:
    """All that values customers, made once and applied to any block of them.

    Parameters
    ----------
    posteriors
        purchases and spend, and cost models by their role.
    weights, starts
        Discount factors of the periods, and of their beginnings. [P] each
    """

    posteriors: Mapping[str, Posterior]
    economics: Economics
    customers: Customers
    draws: int
    seed: int
    edges: Array
    weights: Array
    starts: Array
    newcomers: Newcomers | None = None

    def flows(self, table: pd.DataFrame) -> dict[str, Flow]:
        """The parts of some customers, period by period, not discounted. [D, C, P]"""
        return flows(self._block(table))

    def parts(self, table: pd.DataFrame) -> dict[str, Part]:
        """The parts of some customers, discounted; the same for any block that holds them. [D, C]"""
        return self.discounted(self.flows(table))

    def new_customers(self, size: int, group: Mapping[str, str] | None = None) -> tuple[pd.DataFrame, dict[str, Flow]]:
        """`size` new customers of those group labels, and the parts of their value from the first purchase on.

        Their periods begin with that purchase itself, which is not discounted. [D, M, 1 + P]
        """
        table = newcomer_table(self.posteriors, size, dict(group or {}))
        return table, flows(self._block(table, first_order=True))

    def worth(self, table: pd.DataFrame) -> Part:
        """The whole value of new customers of a `newcomer_table`, the first purchase in it. [D, M]"""
        parts = self.discounted(flows(self._block(table, first_order=True))).values()
        return Part(*(np.asarray(sum(of_parts)) for of_parts in zip(*parts, strict=True)))

    def discounted(self, found: Mapping[str, Flow]) -> dict[str, Part]:
        """Parts period by period, as `flows` or `new_customers` have them, to their sums. [D, C, P] -> [D, C]"""
        parts = {}
        for name, flow in found.items():
            weights = self.starts if name == DATED else self.weights
            first = np.ones(flow.realised.shape[-1] - len(weights))  # a first purchase at the date of value
            parts[name] = Part(*(_weighted(one, np.concatenate([first, weights])) for one in flow))
        return parts

    def blocks(self, size: int) -> Iterator[slice]:
        """Slices of customers for whom the arrays of all parts together stay bounded."""
        return blocks(size, self.draws, len(self.edges) * max(len(self.posteriors) - 1, 1))

    def _block(self, table: pd.DataFrame, first_order: bool = False) -> Block:
        return Block(
            self.posteriors,
            self.economics,
            table,
            self.edges,
            self.draws,
            self.seed,
            self.customers.amount_unit,
            None if first_order else self.newcomers,
            first_order,
        )


def valuation(
    posteriors: Mapping[str, Posterior], customers: Customers, economics: Economics, *, seed: int, draws: int = 1000
) -> Valuation:
    """Check that models, customers and economics go together, and simulate the new customers that are brought.

    Raises
    ------
    ConfigError
        No posterior of purchases or of spend, or one that tells nothing of its role; posteriors in other units than the
        customers, or with different numbers of draws; economics that need a model that there is none of; a rule that
        does not go with the model.
    DataError
        Columns that a model observes are missing.
    """
    _check_roles(posteriors, customers)
    check_units(posteriors, customers, draws)
    check_economics(posteriors, economics)
    for posterior in posteriors.values():
        check_columns(posterior.effects, customers.table)
    unit, time = customers.time_unit, customers.time
    edges = period_edges(economics.horizon, unit, time, economics.retention)
    weights = discount_factors(edges, economics.annual_discount_rate, unit, time)
    purchases = posteriors["purchases"]
    draws = len(purchases.stacked(purchases.model.parameters[0].name, draws))
    starts = weights if time == "opportunities" else discount_at(edges[:-1], economics.annual_discount_rate, unit)
    made = Valuation(posteriors, economics, customers, draws, seed, edges, weights, starts)
    return made if economics.referral is None else replace(made, newcomers=_brought(made, economics.referral))


def _brought(made: Valuation, rule: Referral) -> Newcomers:
    """What those who are brought are worth, each from the first purchase on."""
    table = newcomer_table(made.posteriors, BROUGHT, dict(rule.group))
    found = [made.worth(table.iloc[block]) for block in made.blocks(BROUGHT)]
    expected, realised = (np.concatenate(of_blocks, axis=1) for of_blocks in zip(*found, strict=True))
    return Newcomers(expected.mean(axis=1), realised)  # of contacts to keep them, each knows the mean a little only


def value(
    posteriors: Mapping[str, Posterior],
    customers: Customers,
    economics: Economics,
    *,
    seed: int,
    draws: int = 1000,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Values:
    """The value of each customer over the horizon, expected and realised, and its parts.

    Parameters
    ----------
    posteriors
        By role: purchases, spend, and of the cost models those that there are (returns, contacts, ...).
    folder
        Where the [D, C] arrays are kept; None keeps them in memory.

    Raises
    ------
    ConfigError
        See `valuation`.
    """
    made = valuation(posteriors, customers, economics, seed=seed, draws=draws)
    table, shape = customers.table, (made.draws, len(customers.table))
    names: list[str] = []
    parts: dict[str, Part] = {}
    whole = _store(folder, "value", shape)
    for block in made.blocks(len(table)):
        found = made.parts(table.iloc[block])
        names = list(found)
        if not parts:  # of one part alone, the part is the whole
            parts = {name: whole if len(names) == 1 else _store(folder, name, shape) for name in names}
        for kind in ("expected", "realised"):
            for name, part in found.items():
                getattr(parts[name], kind)[:, block] = getattr(part, kind)
            getattr(whole, kind)[:, block] = sum(getattr(part, kind) for part in found.values())
        if progress is not None:
            progress(block.stop, len(table))
    return Values(
        table.index.to_numpy(),
        whole.expected,
        whole.realised,
        economics,
        customers.time_unit,
        customers.currency,
        customers.observation_end,
        parts,
    )


def _store(folder: Path | None, name: str, shape: tuple[int, int]) -> Part:
    kinds = ("expected", "realised")
    return Part(*(array_store(folder, f"{name.replace(' ', '_')}_{k}", shape, "float32") for k in kinds))


def _weighted(periods: Array, weights: Array) -> Array:
    """Sum over periods, added in their order: the last digit of a matrix product would depend on the block's size.

    periods: [D, C, P]; result [D, C]
    """
    total = np.zeros(periods.shape[:-1])
    for p, weight in enumerate(weights):
        total += weight * periods[..., p]
    return total


def _check_roles(posteriors: Mapping[str, Posterior], customers: Customers) -> None:
    """Refuse posteriors that do not tell of what they are given for, and customers without what they observe."""
    wrong = [
        Problem(f"no posterior of {role}", "posteriors") for role in ("purchases", "spend") if role not in posteriors
    ]
    wrong += [
        Problem(f"{p.model.title} tells nothing of {role}", f"{role} posterior", ", ".join(p.model.provides))
        for role, p in posteriors.items()
        if role not in p.model.provides
    ]
    if wrong:
        raise ConfigError(wrong)
    missing = [
        Problem(f"no column '{name}', which {p.model.title} observes", "customers")
        for p in posteriors.values()
        for name in read_of(p.model)
        if name not in customers.table
    ]
    if missing:
        raise DataError(list(dict.fromkeys(missing)))


def check_units(posteriors: Mapping[str, Posterior], customers: Customers, draws: int) -> None:
    """Refuse posteriors in other units than the customers, or with different numbers of draws, all at once.

    Raises
    ------
    ConfigError
    """
    problems, purchases = [], posteriors["purchases"]
    if purchases.time_unit != customers.time_unit:
        got = f"{purchases.time_unit} and {customers.time_unit}"
        problems.append(Problem("the posterior and the customers differ in time unit", "", got, "Summarise again"))
    if purchases.model.counts != customers.time:
        got = f"{purchases.model.counts} and {customers.time}"
        problems.append(Problem("the posterior and the customers differ in their time", "", got, "Summarise again"))
    for role, p in posteriors.items():
        if any(q.unit == "money" for q in p.model.parameters) and p.amount_unit != customers.amount_unit:
            got = f"{p.amount_unit:g} and {customers.amount_unit:g}"
            place = "" if role == "spend" else f"{role} posterior"
            problems.append(Problem("the posterior and the customers differ in amount unit", place, got))
    sizes = {role: len(p.stacked(p.model.parameters[0].name, draws)) for role, p in posteriors.items()}
    if len(set(sizes.values())) > 1:
        known = "Fit all parts with the same number of draws, or ask for fewer"
        got = " and ".join(f"{size} of {role}" for role, size in sizes.items())
        problems.append(Problem("the parts have different numbers of draws", "", got, known))
    if problems:
        raise ConfigError(problems)


def check_economics(posteriors: Mapping[str, Posterior], economics: Economics) -> None:
    """Refuse economics that speak of what no model tells or what one tells already.

    Raises
    ------
    ConfigError
    """
    problems = [
        Problem(f"{name} needs a cost model of {role}", "economics", known=f"Add {role}: under costs")
        for name, role in NEEDED.items()
        if getattr(economics, name) and role not in posteriors
    ]
    if economics.margin is None and "margin" not in posteriors:
        known = "Say margin: 0.3, or add margin: normal_margin under costs"
        problems.append(Problem("no margin is stated, and no cost model tells it", "economics", known=known))
    if economics.margin is not None and "margin" in posteriors:
        known = "Leave one of them out"
        problems.append(Problem("the margin is both stated and modelled", "economics", f"{economics.margin:g}", known))
    if economics.cost_per_contact and "handling" in posteriors:
        what = "a contact's cost is both stated and modelled"
        problems.append(Problem(what, "economics", f"{economics.cost_per_contact:g}", "Leave one of them out"))
    if "handling" in posteriors and "contacts" not in posteriors:
        what = "a cost model tells what a contact costs, and none how many there are"
        problems.append(Problem(what, "economics", known="Add contacts: under costs"))
    if economics.retention is not None:
        try:
            check_rule(posteriors["purchases"])
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


__all__ = ["PARTS", "Part", "Valuation", "Values", "check_units", "valuation", "value"]
