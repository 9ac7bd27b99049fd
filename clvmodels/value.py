"""Economics: from futures to the value of each customer, in profit, draw by draw.

Value of a draw = sum over periods of margin x money of the period x discount factor of the period. Money is in the
data's amounts times `amount_unit`, the currency. Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clvmodels import simulation
from clvmodels.customers import DAYS_PER_UNIT, Customers
from clvmodels.effects import check_columns
from clvmodels.errors import ConfigError, Problem
from clvmodels.models import SpendModel
from clvmodels.models.contract import Array
from clvmodels.posterior import Posterior
from clvmodels.randomness import KeyedRandom

DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class Economics:
    """What turns purchases into profit.

    Parameters
    ----------
    margin
        Share of the amounts that is profit before any cost of the relation.
    annual_discount_rate
        d: an amount t days after the valuation date counts (1 + d)^(-t / 365.25).
    horizon
        Time units that are counted; finite, since undiscounted moments may not be.
    """

    margin: float
    annual_discount_rate: float
    horizon: float

    def __post_init__(self):
        problems = []
        if not np.isfinite(self.margin) or self.margin <= 0 or self.margin > 1:
            problems.append(
                Problem("margin is a share of the amounts", "economics", str(self.margin), "0 < margin <= 1")
            )
        if not np.isfinite(self.annual_discount_rate) or self.annual_discount_rate <= -1:
            got = str(self.annual_discount_rate)
            problems.append(Problem("annual_discount_rate must be above -1", "economics", got, "0.1 is 10% a year"))
        if not np.isfinite(self.horizon) or self.horizon <= 0:
            known = "A finite number of time units: undiscounted value may have no mean"
            problems.append(Problem("horizon must be positive and finite", "economics", str(self.horizon), known))
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True)
class Values:
    """One entry's value of each customer over the horizon, discounted, in the currency.

    `expected` is E[value | history, parameters] [D, C]: uncertain about the mean, the measure of what maximises
    average profit. `realised` is one future a draw [D, C]: what will happen; the same mean, and wider.
    """

    customer_id: np.ndarray
    expected: np.ndarray
    realised: np.ndarray
    horizon: float
    time_unit: str
    currency: str | None
    margin: float
    annual_discount_rate: float
    valued_at: pd.Timestamp

    def __repr__(self) -> str:
        draws, size = self.expected.shape
        ahead = f"the {self.horizon:g} {self.time_unit}s after {self.valued_at:%Y-%m-%d}"
        terms = f"margin {self.margin:.4g}, annual discount rate {self.annual_discount_rate:.4g}"
        return f"Values({size:,} customers, {draws:,} draws, {ahead}, {terms}, {self.currency or 'no currency'})"

    def _repr_html_(self) -> str:
        of_the_base = {"value, realised": self.realised, "value, expected": self.expected}
        return f"<p><b>{html.escape(repr(self))}</b></p>" + simulation.totals_html(of_the_base)


def period_edges(horizon: float, time_unit: str, time: str = "continuous") -> Array:
    """Bounds of equal periods of at most a month, from 0 to the horizon, in time units; or the opportunities. [P+1]

    Raises
    ------
    ConfigError
        A horizon that cuts an opportunity in two.
    """
    if time == "opportunities":
        if horizon % 1:
            known = f"Where time counts opportunities, a whole number of {time_unit}s"
            raise ConfigError(Problem("horizon cuts an opportunity in two", "economics", f"{horizon:g}", known))
        return np.arange(horizon + 1.0)
    months = horizon * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["month"]
    return np.linspace(0.0, horizon, int(np.ceil(months - 1e-9)) + 1)


def discount_factors(edges: Array, annual_discount_rate: float, time_unit: str, time: str = "continuous") -> Array:
    """Mean of (1 + d)^(-t / 365.25 days) over each period: exact for purchases spread evenly in it. [P]

    An opportunity counts at the end of its period.
    """
    force = np.log1p(annual_discount_rate) * DAYS_PER_UNIT[time_unit] / DAYS_PER_YEAR
    if time == "opportunities":
        return np.exp(-force * edges[1:])
    if force == 0.0:
        return np.ones(len(edges) - 1)
    return -np.diff(np.exp(-force * edges)) / (force * np.diff(edges))


def value(
    purchases: Posterior,
    spend: Posterior,
    customers: Customers,
    economics: Economics,
    *,
    seed: int,
    draws: int = 1000,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Values:
    """The value of each customer over the horizon, expected and realised.

    Raises
    ------
    ConfigError
        Posteriors in other units than the customers' table, or with different numbers of draws.
    """
    check_units(purchases, spend, customers, draws)
    table = customers.table
    check_columns((*purchases.effects, *spend.effects), table)
    unit, time = customers.time_unit, customers.time
    edges = period_edges(economics.horizon, unit, time)
    weights = discount_factors(edges, economics.annual_discount_rate, unit, time)
    weights = weights * economics.margin * customers.amount_unit
    draws = len(purchases.stacked(purchases.model.parameters[0].name, draws))
    expected = simulation.array_store(folder, "expected_value", (draws, len(table)), "float32")
    realised = simulation.array_store(folder, "realised_value", (draws, len(table)), "float32")
    for block in simulation.blocks(len(table), draws, len(weights)):
        part = table.iloc[block]
        expected[:, block], realised[:, block] = value_block(purchases, spend, part, edges, weights, draws, seed)
        if progress is not None:
            progress(block.stop, len(table))
    return Values(
        table.index.to_numpy(), expected, realised, economics.horizon, customers.time_unit, customers.currency,
        economics.margin, economics.annual_discount_rate, customers.observation_end,
    )  # fmt: skip


def value_block(
    purchases: Posterior, spend: Posterior, table: pd.DataFrame, edges: Array, weights: Array, draws: int, seed: int
) -> tuple[Array, Array]:
    """Expected and realised value of a block of customers; the same for any block that holds them. [D, C] each"""
    labels, model = list(table.index), spend.model
    assert isinstance(model, SpendModel)
    people = simulation.present(purchases, table, draws, seed)
    stream = KeyedRandom(seed, "value future", labels, draws)
    counts = simulation.purchase_counts(purchases, table, people.state, edges, stream)
    rows, theta = simulation.rows_of(table, model.conditions_on), spend.theta(table, draws)
    state = model.draw(rows, theta, KeyedRandom(seed, "spend state", labels, draws))
    money = model.spend_total(state, counts, KeyedRandom(seed, "spend", labels, draws))
    mean_counts = simulation.expected_counts(purchases, table, people.p_alive, edges, draws)
    expected = _weighted(mean_counts, weights) * model.expected_spend(rows, theta)
    return expected, _weighted(money, weights)


def _weighted(periods: Array, weights: Array) -> Array:
    """Sum over periods, added in their order: the last digit of a matrix product would depend on the block's size.

    periods: [D, C, P]; result [D, C]
    """
    total = np.zeros(periods.shape[:-1])
    for p, weight in enumerate(weights):
        total += weight * periods[..., p]
    return total


def check_units(purchases: Posterior, spend: Posterior | None, customers: Customers, draws: int) -> None:
    """Refuse posteriors in other units than the customers, or with different numbers of draws, all at once.

    Raises
    ------
    ConfigError
    """
    problems = []
    if purchases.time_unit != customers.time_unit:
        got = f"{purchases.time_unit} and {customers.time_unit}"
        problems.append(Problem("the posterior and the customers differ in time unit", "", got, "Summarise again"))
    if purchases.model.counts != customers.time:
        got = f"{purchases.model.counts} and {customers.time}"
        problems.append(Problem("the posterior and the customers differ in their time", "", got, "Summarise again"))
    if spend is not None and spend.amount_unit != customers.amount_unit:
        got = f"{spend.amount_unit:g} and {customers.amount_unit:g}"
        problems.append(Problem("the posterior and the customers differ in amount unit", "", got))
    sizes = [len(p.stacked(p.model.parameters[0].name, draws)) for p in (purchases, spend) if p is not None]
    if len(set(sizes)) > 1:
        known = "Fit both parts with the same number of draws, or ask for fewer"
        text = "the two parts have different numbers of draws"
        problems.append(Problem(text, "", f"{sizes[0]} and {sizes[1]}", known))
    if problems:
        raise ConfigError(problems)
