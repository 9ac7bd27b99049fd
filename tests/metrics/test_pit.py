"""The place of an outcome in its own forecast: uniform where it is one more draw."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes.judging import make_judged, poisson_judged, reordered, scores

from clvmodels.metrics import randomised_pit


@pytest.mark.parametrize("draws", [1, 9, 100])
def test_the_pit_of_an_exchangeable_outcome_is_uniform(draws):
    rng = np.random.default_rng(8)
    n = 20_000
    rates = rng.gamma(0.5, 1.0, n)
    u = randomised_pit(make_judged(rng.poisson(rates, (draws, n)), rng.poisson(rates)))
    assert u.min() > 0 and u.max() < 1
    counts = np.histogram(u, bins=20, range=(0, 1))[0]
    assert np.abs(counts - n / 20).max() < 4.5 * np.sqrt(n * 0.05 * 0.95)


def test_the_pit_by_hand():
    u = randomised_pit(make_judged([[0, 0], [1, 0], [1, 0], [3, 0]], [1, 2]))
    assert 1 / 5 < u[0] < 4 / 5  # 1 below, 2 tied: (1 + V 3) / 5
    assert 4 / 5 < u[1] < 1  # all below: (4 + V) / 5


def test_the_pit_is_keyed_by_seed_and_customer():
    judged = poisson_judged(200, 20)
    order = np.random.default_rng(4).permutation(200)
    u = randomised_pit(judged)
    assert np.array_equal(randomised_pit(reordered(judged, order)), u[order])
    assert not np.array_equal(randomised_pit(dataclasses.replace(judged, seed=8)), u)


def test_the_pit_share_sees_a_forecast_too_narrow():
    sound = scores(poisson_judged(), "pit")["pit"]
    assert sound.lower < 0.9 < sound.upper
    rng = np.random.default_rng(9)
    rates = rng.gamma(2.0, 5.0, 4000)
    narrow = np.rint(rates + 0.3 * np.sqrt(rates) * rng.standard_normal((200, 4000)))
    assert scores(make_judged(narrow, rng.poisson(rates)), "pit")["pit"].upper < 0.6
