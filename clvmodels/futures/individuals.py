"""Who is alive at T, and each customer's own parameters given the history: exactly, for each posterior draw.

Shapes: D = draw, C = customer_id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import Array, blocks, slices
from clvmodels.errors import ConfigError, Problem
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.unique_rows import condense, numbers
from clvmodels.models import PurchaseModel, State
from clvmodels.models.evaluate import p_alive as evaluate_p_alive
from clvmodels.models.parameters import Rows, Theta
from clvmodels.randomness import KeyedRandom

STRETCH = 1024
"""Customers of a table among whom those with equal histories are looked for: a row of their numbers in a file is one
page of memory, so that a block, which is of some of them, touches few."""


@dataclass(frozen=True)
class Present:
    """A block of customers at T, as far as the future needs it. [D, C]

    `if_alive` is drawn given being alive; `state` is the same for those who are, and for the ended there is nothing
    left.
    """

    p_alive: Array
    if_alive: State
    state: State


def purchase_model(posterior: Posterior) -> PurchaseModel:
    """The posterior's model, if it tells of purchases.

    Raises
    ------
    ConfigError
        It is a spend model.
    """
    if not isinstance(posterior.model, PurchaseModel):
        raise ConfigError(Problem("this needs the posterior of a purchase model", got=posterior.model.title))
    return posterior.model


def rows_of(table: pd.DataFrame, observes: tuple[str, ...]) -> dict[str, Array]:
    """The statistics of a table as rows. [1, C] each"""
    return {name: numbers(table, name)[None] for name in observes}


def by_history(
    posterior: Posterior,
    table: pd.DataFrame,
    draws: int,
    function: Callable[[Rows[Array], Theta[Array]], Array],
    observes: tuple[str, ...] | None = None,
) -> Array:
    """A function of rows and theta for each customer, evaluated once for equal histories. [D, C, ...]

    `observes` names the columns that the function reads and that tell histories apart: all that the model observes, if
    none are named.
    """
    observes = observes or posterior.model.observes
    condensed = condense(table, observes, posterior.effects)
    rows = {name: values[None] for name, values in condensed.rows.items()}
    theta = posterior.theta(table.iloc[condensed.first], draws)
    return function(rows, theta)[:, condensed.inverse]


def blocks_of_alike(posterior: Posterior, table: pd.DataFrame, draws: int) -> Iterator[NDArray[np.intp]]:
    """Places of customers in blocks whose [D, C] arrays stay within BLOCK_ELEMENTS, equal histories together.

    What `by_history` evaluates of a block is then little, and the blocks of one stretch of the table come one after the
    other, so that what is written to disk stays together, too.
    """
    model = purchase_model(posterior)
    for stretch in slices(len(table), STRETCH):
        # what is ahead depends on fewer statistics than the history has: they are sorted by first
        observes = tuple(dict.fromkeys((*model.reads_ahead, *model.observes)))
        condensed = condense(table.iloc[stretch], observes, posterior.effects)
        places = stretch.start + np.argsort(condensed.inverse, kind="stable")
        for block in blocks(len(places), draws, 1):
            yield places[block]


def present(posterior: Posterior, table: pd.DataFrame, draws: int, seed: int) -> Present:
    """Who is alive at T, alive ~ Bernoulli(p_alive), and what is ahead of them, exactly, for each posterior draw."""
    model = purchase_model(posterior)
    theta, rows = posterior.theta(table, draws), rows_of(table, model.observes)
    size, labels = len(next(iter(theta.values()))), list(table.index)
    p_alive = by_history(posterior, table, draws, lambda rows, theta: evaluate_p_alive(model, rows, theta))
    if_alive = drawn_alive(model, rows, theta, KeyedRandom(seed, "if alive", labels, size))
    alive = KeyedRandom(seed, "alive", labels, size).uniform() < p_alive
    return Present(p_alive, if_alive, among(if_alive, alive))


def drawn_alive(model: PurchaseModel, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> State:
    """The model's states of those alive; who leaves at a rate near 0 stays for ever, without a warning."""
    with np.errstate(over="ignore"):
        return model.draw_alive(rows, theta, rng)


def among(state: State, alive: NDArray[np.bool_]) -> State:
    """The state of those who are alive, and nothing left for the others."""
    time_left = np.where(alive, state.residual_lifetime, 0.0)
    purchases_left = np.where(alive, state.residual_purchases, 0.0)
    return State(alive, state.purchase_rate, time_left, purchases_left, state.extra)


def individuals(posterior: Posterior, table: pd.DataFrame, draws: int, seed: int) -> State:
    """Each customer's own parameters and state at T given the history, exactly, for each posterior draw.

    As `present`, with the rates of those who have ended drawn given that they have. [D, C]
    """
    model = purchase_model(posterior)
    people = present(posterior, table, draws, seed)
    alive, if_alive = people.state.alive, people.if_alive
    theta, rows = posterior.theta(table, draws), rows_of(table, model.observes)
    stream = KeyedRandom(seed, "if ended", list(table.index), len(alive))
    if_ended = model.draw_ended(rows, theta, stream)
    rate = np.where(alive, if_alive.purchase_rate, if_ended.purchase_rate)
    extra = {}
    for name in if_alive.extra:
        if name in if_ended.extra:  # an age at death is nothing of the living
            extra[name] = np.where(alive, if_alive.extra[name], if_ended.extra[name])
    return State(alive, rate, people.state.residual_lifetime, people.state.residual_purchases, extra)
