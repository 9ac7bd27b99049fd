"""Randomised probability integral transform: the place of each outcome in its own forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import BLOCK_ELEMENTS
from clvmodels.metrics.bands import CHANCE, uniform_band
from clvmodels.metrics.judged import Judged, Metric, Row, share_interval
from clvmodels.randomness import keyed_generator

PIT_POINTS = 101


def randomised_pit(judged: Judged, elements: int = BLOCK_ELEMENTS) -> NDArray[np.float64]:
    """Place of each held-out count among its draws, ties broken at random. [customer_id], in (0, 1)

    u = (#{X < y} + V (#{X = y} + 1)) / (D + 1), V uniform and keyed by the customer. For counts this is
    F(y - 1) + V (F(y) - F(y - 1)) (Czado, Gneiting and Held 2009, Biometrics 65) in its rank form, which is exactly
    uniform, also for few draws, when y comes from the same distribution as the draws.
    """
    below = np.empty(len(judged.actual))
    tied = np.empty(len(judged.actual))
    for place, draws, actual in judged.count_blocks(elements):
        below[place] = np.count_nonzero(draws < actual[:, None], axis=1)
        tied[place] = np.count_nonzero(draws == actual[:, None], axis=1)
    draw_count = judged.futures.purchases.shape[0]
    return randomised_places(below, tied, draw_count, judged.futures.customer_id, judged.seed)


def randomised_places(
    below: NDArray, tied: NDArray, draws: int, customer_id: NDArray, seed: int
) -> NDArray[np.float64]:
    """Places in (0, 1) from how many of the draws lie below what came and how many are equal to it. [customer_id]"""
    # a generator a customer: a PIT depends neither on the other customers nor on their order
    generators = (keyed_generator(seed, "pit", str(label)) for label in customer_id)
    v = np.array([rng.random() for rng in generators])
    return (below + v * (tied + 1)) / (draws + 1)


def surplus_curve(pit: NDArray[np.float64], level: float = CHANCE) -> pd.DataFrame:
    """Surplus of outcomes below each place of their forecast, and its band, as shares of the customers.

    Columns place, surplus, lower, upper: the distribution function of the randomised PIT less that of uniform
    numbers, at 101 places from 0 to 1.
    """
    customers = len(pit)
    places = np.linspace(0, 1, PIT_POINTS)
    shares = np.searchsorted(np.sort(pit), places, side="right") / customers
    inner = places[1:-1]
    low, high = uniform_band(customers, inner, level)
    curve = {"place": places, "surplus": shares - places}
    curve["lower"] = np.concatenate([[0.0], low - inner, [0.0]])
    curve["upper"] = np.concatenate([[0.0], high - inner, [0.0]])
    return pd.DataFrame(curve)


def in_the_middle(pit: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which outcomes lie in the middle 90% of their forecast. [customer_id]"""
    return (pit > 0.05) & (pit < 0.95)


def compute(judged: Judged) -> list[Row]:
    """Share of customers with a PIT in (.05, .95), nominally 90%, and its exact (Clopper-Pearson) 90% interval."""
    is_in_the_middle = in_the_middle(randomised_pit(judged))
    return [Row("pit", *share_interval(is_in_the_middle))]


PIT = Metric("pit", "Share of customers in the middle 90% of their forecast (nominal 90%)", "near nominal", compute)
