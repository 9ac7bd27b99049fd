"""One row a customer from stored posteriors: the monthly re-scoring job, and the customers' table of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from clvmodels import simulation
from clvmodels.customers import Customers
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.contract import Array
from clvmodels.posterior import Posterior
from clvmodels.randomness import KeyedRandom
from clvmodels.value import Economics, check_units, discount_factors, period_edges, value_block

LEVELS = {"q5": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def score(
    posteriors: Mapping[str, Posterior],
    customers: Customers,
    *,
    horizon: float,
    margin: float | None = None,
    annual_discount_rate: float | None = None,
    seed: int = 42,
    draws: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Score customers: what each is expected to do and bring within the horizon, and what may happen.

    A customer's row depends on the posteriors, the seed and its own history only: the same alone, in any order of the
    table and in any block.

    Parameters
    ----------
    posteriors
        "purchases", and "spend" where money is wanted; of the same number of draws.
    customers
        In the posteriors' time unit.
    horizon
        Time units ahead.
    margin, annual_discount_rate
        Needed with a spend posterior.

    Returns
    -------
    DataFrame
        By customer_id: p_alive, p_purchase (at least one within the horizon), expected_purchases, purchases_q5 to
        q95 (realised); with spend, expected_spend (of a purchase) and mean, sd, q5 to q95 of expected_value and
        realised_value.

    Raises
    ------
    ConfigError
        Units that differ, a horizon that is not positive, spend without margin or discount rate.
    """
    economics = _economics(posteriors, horizon, margin, annual_discount_rate)
    check_units(posteriors["purchases"], posteriors.get("spend"), customers, draws)
    table, parts, edges = customers.table, [], period_edges(horizon, customers.time_unit)
    draws = len(posteriors["purchases"].stacked(posteriors["purchases"].model.parameters[0].name, draws))
    for block in simulation.blocks(len(table), draws, len(edges)):
        part = table.iloc[block]
        columns = _purchase_columns(posteriors["purchases"], part, horizon, draws, seed)
        if economics is not None:
            weights = discount_factors(edges, economics.annual_discount_rate, customers.time_unit)
            weights = weights * economics.margin * customers.amount_unit
            columns |= _value_columns(posteriors, part, edges, weights, draws, seed, customers.amount_unit)
        parts.append(pd.DataFrame(columns, index=part.index))
        if progress is not None:
            progress(block.stop, len(table))
    return pd.concat(parts).rename_axis("customer_id")


def _economics(posteriors, horizon, margin, annual_discount_rate) -> Economics | None:
    if "spend" not in posteriors:
        if not np.isfinite(horizon) or horizon <= 0:
            raise ConfigError(Problem("horizon must be positive and finite", got=str(horizon)))
        return None
    missing = [n for n, v in (("margin", margin), ("annual_discount_rate", annual_discount_rate)) if v is None]
    if missing:
        raise ConfigError([Problem(f"'{name}' is needed to value spend", known="0.3 is 30%") for name in missing])
    return Economics(margin, annual_discount_rate, horizon)


def _purchase_columns(posterior: Posterior, table: pd.DataFrame, horizon: float, draws: int, seed: int):
    model = simulation.purchase_model(posterior)
    people = simulation.present(posterior, table, draws, seed)
    window = np.array([0.0, horizon])
    rng = KeyedRandom(seed, "score future", list(table.index), draws)
    counts = simulation.purchase_counts(people.state, window, rng)[..., 0]
    expected = simulation.expected_counts(posterior, table, people.p_alive, window, draws)[..., 0]
    p_none = simulation.probability_of(model, people, np.zeros(len(table)), horizon)
    columns = {"p_alive": by_customer(people.p_alive), "p_purchase": 1.0 - p_none}
    columns["expected_purchases"] = by_customer(expected)
    quantiles = np.quantile(counts, list(LEVELS.values()), axis=0)
    return columns | {f"purchases_{name}": q for name, q in zip(LEVELS, quantiles, strict=True)}


def _value_columns(posteriors, table: pd.DataFrame, edges, weights, draws: int, seed: int, amount_unit: float):
    spend = posteriors["spend"]
    rows, theta = simulation.rows_of(table, spend.model.observes), spend.theta(table, draws)
    columns = {"expected_spend": by_customer(spend.model.expected_spend(rows, theta)) * amount_unit}
    both = value_block(posteriors["purchases"], spend, table, edges, weights, draws, seed)
    for name, values in zip(("expected_value", "realised_value"), both, strict=True):
        columns |= {f"{name}_mean": by_customer(values), f"{name}_sd": by_customer(values, np.std)}
        quantiles = np.quantile(values, list(LEVELS.values()), axis=0)
        columns |= {f"{name}_{level}": q for level, q in zip(LEVELS, quantiles, strict=True)}
    return columns


def by_customer(values: Array, statistic=np.mean) -> Array:
    """A statistic over draws, added up in the same order whatever stands beside the customer. [D, C] -> [C]"""
    return statistic(np.ascontiguousarray(np.asarray(values, dtype=float).T), axis=1)
