"""Synthetic histories from known truth: what customers would do and pay if a model were true.

A new customer's own rates and end are drawn as for an empty history; the purchases follow from that state alone, not
from the log density, so that a fit to these histories tests the density. Times are not rounded to days; `orders`
dates them, for whoever wants a table of transactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from clvmodels.customers.statistics import STATISTICS
from clvmodels.dates import DAYS_PER_UNIT, Time, period_end
from clvmodels.draws import Array
from clvmodels.errors import DataError, Problem
from clvmodels.models import PurchaseModel, SpendModel, State
from clvmodels.models.evaluate import p_alive
from clvmodels.models.parameters import Theta
from clvmodels.randomness import KeyedRandom, keyed_generator


def simulate_purchases(
    model: PurchaseModel,
    theta: Mapping[str, ArrayLike],
    T: ArrayLike,
    seed: int,
    traits: Mapping[str, ArrayLike] | None = None,
) -> pd.DataFrame:
    """Every purchase of customers acquired at age 0 and observed to age T.

    Parameters
    ----------
    theta
        Each parameter of the population: one number, or one a customer [C].
    T : [C]
        Age of each customer at the end of observation, in the time unit of theta.
    seed
        Same seed, same customers; a customer's draws depend on its label only.
    traits
        What the model observes of a customer that is no history (`Model.traits`): one number, or one a customer; 0 if
        not given.

    Returns
    -------
    DataFrame
        customer_id, age and the traits: one row a purchase, the first of each customer at age 0; by customer, then by
        age. With `ended`, the age at the end (missing: not before T), where the model observes the end.

    Raises
    ------
    DataError
        No customer, or an age that is negative or not finite.
    """
    ages = _ages(T)
    labels, columns = labels_of(len(ages)), _traits(model, len(ages), traits)
    state = newcomers(model, theta, len(ages), seed, traits)
    lifetimes = state.residual_lifetime[0]
    # who is gone at once buys once
    active_until = np.where(state.alive[0], np.minimum(lifetimes, ages), 0.0)
    variables = _own_variables(theta, state, columns)
    purchase_ages = []
    for label, own, until, most in zip(labels, variables, active_until, state.residual_purchases[0], strict=True):
        repeat = _ages_of(model, label, own, until, most, seed)
        purchase_ages.append(np.r_[0.0, repeat])
    if "status" in model.observes:  # the end is seen where it falls within the observation
        columns["ended"] = np.where(lifetimes < ages, lifetimes, np.nan)
    counts = [len(of_customer) for of_customer in purchase_ages]
    repeated = {name: np.repeat(values, counts) for name, values in columns.items()}
    return pd.DataFrame({"customer_id": np.repeat(labels, counts), "age": np.concatenate(purchase_ages), **repeated})


def newcomers(
    model: PurchaseModel,
    theta: Mapping[str, ArrayLike],
    size: int,
    seed: int,
    traits: Mapping[str, ArrayLike] | None = None,
) -> State:
    """The state at age 0 of the customers that `simulate_purchases` follows; arrays are [1, C].

    Not alive is who is gone at once, where the model allows it (a coin after the first purchase).
    """
    labels, parameters = labels_of(size), _columns(theta)
    empty = {name: np.zeros((1, size)) for name in model.observes}
    for name, values in _traits(model, size, traits).items():
        empty[name] = values[None]
    state = model.draw_alive(empty, parameters, KeyedRandom(seed, "history", labels, 1))
    stays = KeyedRandom(seed, "history stays", labels, 1).uniform() < p_alive(model, empty, parameters)
    return replace(state, alive=stays)


def _traits(model: PurchaseModel, size: int, traits: Mapping[str, ArrayLike] | None) -> dict[str, Array]:
    stated = traits or {}
    return {name: np.broadcast_to(stated.get(name, 0.0), (size,)) for name in model.traits}


def _own_variables(theta: Mapping[str, ArrayLike], state: State, traits: Mapping[str, Array]) -> list[dict[str, float]]:
    """The population's parameters, the own variables and the traits of each customer, as `draw_ages` takes them."""
    size = state.alive.shape[1]
    variables = {name: np.broadcast_to(values[0], (size,)) for name, values in _columns(theta).items()}
    variables["purchase_rate"] = state.purchase_rate[0]
    for name, values in state.extra.items():
        variables[name] = values[0]
    return pd.DataFrame({**variables, **traits}).to_dict("records")


def _ages_of(model: PurchaseModel, label: str, own: Mapping[str, float], until: float, most: float, seed: int) -> Array:
    """Ages at the repeat purchases before `until`, up to the one after which the customer leaves."""
    ages = model.draw_ages(own, until, keyed_generator(seed, "history times", label))
    return ages if most >= len(ages) else ages[: int(most)]


def simulate_amounts(
    model: SpendModel, theta: Mapping[str, ArrayLike], purchases: pd.DataFrame, seed: int
) -> pd.Series:
    """What each purchase brings, 0 where it is free. One number a row of `purchases`, in the amounts' unit of theta;
    they tell the age where the model says that first amounts have a level of their own."""
    groups = purchases.groupby("customer_id", sort=False).size()
    labels, counts = list(groups.index), groups.to_numpy()
    empty = {name: np.zeros((1, len(labels))) for name in model.conditions_on}
    state = model.draw(empty, _columns(theta), KeyedRandom(seed, "history spend", labels, 1))
    customer = np.repeat(np.arange(len(labels)), counts)
    stream = KeyedRandom(seed, "history amounts", labels, 1).along(customer)
    own = {name: np.broadcast_to(values, (1, len(labels)))[0, customer] for name, values in state.items()}
    paid = model.draw_paid(own, np.ones(len(customer)), stream)
    amounts = model.spend_total(own, paid, stream)
    first = model.first_order(_columns(theta))
    if first is not None:
        level, chance = (np.broadcast_to(values, (1, len(labels)))[0, customer] for values in first)
        paid_at_first = model.spend_total(own, 1.0 * (stream.uniform() < chance), stream)
        amounts = np.where(purchases["age"] == 0, level * paid_at_first, amounts)
    return pd.Series(amounts, index=purchases.index, name="amount")


def statistics(purchases: pd.DataFrame, T: ArrayLike) -> pd.DataFrame:
    """The simulator's own summary, by customer_id: each statistic of the registry that the purchases tell."""
    ids = pd.Index(sorted(purchases["customer_id"].unique()), name="customer_id")
    with_age = purchases.assign(T=purchases["customer_id"].map(pd.Series(_ages(T), index=ids)))
    columns = {}
    for name, statistic in STATISTICS.items():
        if statistic.needs_amount and "amount" not in purchases:
            continue
        if statistic.needs_end and "status" not in purchases:
            continue
        columns[name] = statistic.simulated(with_age).reindex(ids, fill_value=0)
    return pd.DataFrame(columns)


def simulate_histories(
    model: PurchaseModel,
    theta: Mapping[str, ArrayLike],
    T: ArrayLike,
    seed: int,
    spend: tuple[SpendModel, Mapping[str, ArrayLike]] | None = None,
    traits: Mapping[str, ArrayLike] | None = None,
) -> pd.DataFrame:
    """One row a customer, as the models read it: `simulate_purchases`, with amounts if asked for, summarised."""
    purchases = simulate_purchases(model, theta, T, seed, traits)
    if spend is not None:
        purchases["amount"] = simulate_amounts(*spend, purchases, seed)
    table = statistics(purchases, T)
    columns = model.simulated(purchases)
    return table.assign(**{name: column.reindex(table.index, fill_value=0.0) for name, column in columns.items()})


def orders(
    purchases: pd.DataFrame, births: pd.DatetimeIndex, time_unit: str, time: Time = "continuous"
) -> pd.DataFrame:
    """The purchases as a table of transactions: customer_id, date, and the day of the end and the amount where known.

    A customer is born at the beginning of its day in `births` [C]; a purchase falls on the day in which its age ends.
    Of opportunities it falls on the last day of its period, counted from the one of the birth.
    """
    first = pd.Series(births, index=labels_of(len(births)))
    if time == "opportunities":
        births_and_ages = zip(purchases["customer_id"].map(first), purchases["age"].astype(int), strict=True)
        days = [period_end(birth, time_unit, age) if age else birth for birth, age in births_and_ages]
        return purchases.drop(columns="age").assign(date=days)
    days = np.floor(purchases["age"].to_numpy() * DAYS_PER_UNIT[time_unit]).astype(int)
    dated = pd.DataFrame({"customer_id": purchases["customer_id"]})
    dated["date"] = purchases["customer_id"].map(first) + pd.to_timedelta(days, unit="D")
    if "ended" in purchases:
        ends = np.floor(purchases["ended"] * DAYS_PER_UNIT[time_unit])
        dated["ended"] = dated["customer_id"].map(first) + pd.to_timedelta(ends, unit="D")
    return dated.assign(amount=purchases["amount"]) if "amount" in purchases else dated


def labels_of(size: int) -> list[str]:
    """Customer ids that sort as strings in the order of the customers."""
    width = len(str(size - 1))
    return [f"c{number:0{width}d}" for number in range(size)]


def _columns(theta: Mapping[str, ArrayLike]) -> Theta[Array]:
    """Parameters as models take them: of one draw. [1, 1] or [1, C] each"""
    return {name: np.atleast_1d(np.asarray(value, dtype=float))[None] for name, value in theta.items()}


def _ages(T: ArrayLike) -> Array:
    ages = np.asarray(T, dtype=float)
    if ages.ndim != 1 or not len(ages):
        raise DataError(Problem("ages are one number a customer", "T", f"shape {ages.shape}"))
    possible = np.isfinite(ages) & (ages >= 0)
    if not possible.all():
        raise DataError(Problem("an age is negative or not finite", "T", f"{ages[~possible][:1]}"))
    return ages
