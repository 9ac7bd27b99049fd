"""Keyed randomness: a customer's stream depends on seed, stage and label, on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clvmodels.randomness import KeyedRandom, keyed_generator

LABELS = ["7", "07", "é", "a" * 300, "x\n", "z"]
CALLS = {
    "uniform": (lambda rng: rng.uniform(), stats.uniform()),
    "normal": (lambda rng: rng.normal(), stats.norm()),
    "exponential": (lambda rng: rng.exponential(), stats.expon()),
    "gamma": (lambda rng: rng.gamma(0.3), stats.gamma(0.3)),
    "beta": (lambda rng: rng.beta(0.8, 2.4), stats.beta(0.8, 2.4)),
}


def test_the_key_is_pinned():
    """Stored results are reproducible only as long as these numbers stay."""
    drawn = keyed_generator(42, "future", "customer 1").random(2)
    assert drawn.tolist() == [0.9300614863401422, 0.2247387777255473]


@pytest.mark.parametrize("other", [(2, "s", "a"), (-1, "s", "a"), (1, "t", "a"), (1, "s", "b"), (1, "s" * 40, "a")])
def test_any_part_of_the_key_makes_another_stream(other):
    first, second = keyed_generator(1, "s", "a").random(2000), keyed_generator(*other).random(2000)
    assert not np.isin(first, second).any()
    assert abs(np.corrcoef(first, second)[0, 1]) * np.sqrt(2000) < 4.5


def test_long_stage_names_do_not_collide():
    names = ["a stage of more than sixteen bytes", "a stage of more than sixteen bytes too"]
    first, second = (keyed_generator(1, name, "a").random() for name in names)
    assert first != second


@pytest.mark.parametrize("name", CALLS)
def test_draws_have_their_law_and_do_not_depend_on_company(name):
    call, law = CALLS[name]
    together = call(KeyedRandom(1, "s", LABELS, 3000))
    assert together.shape == (3000, len(LABELS))
    for c, label in enumerate(LABELS):
        np.testing.assert_array_equal(together[:, c], call(KeyedRandom(1, "s", [label], 3000))[:, 0])
        assert stats.kstest(together[:, c], law.cdf).pvalue > 1e-4
    correlation = np.corrcoef(together.T)[np.triu_indices(len(LABELS), 1)]
    assert np.abs(correlation).max() * np.sqrt(3000) < 4.5


def test_parameters_vary_by_draw_and_by_customer():
    shape = np.arange(1.0, 13.0).reshape(4, 3)
    whole = KeyedRandom(1, "s", ["a", "b", "c"], 4).gamma(shape)
    np.testing.assert_array_equal(whole[:, [1]], KeyedRandom(1, "s", ["b"], 4).gamma(shape[:, [1]]))
    wide = KeyedRandom(1, "s", ["a", "b"], 4).gamma(np.arange(1.0, 5.0)[:, None])
    assert wide.shape == (4, 2)
    assert KeyedRandom(1, "s", ["a"], 5).gamma(0.0).tolist() == [[0.0]] * 5


@pytest.mark.parametrize("method", ["poisson_periods", "gamma_periods"])
def test_periods_have_their_means_and_do_not_depend_on_company(method):
    mean = np.broadcast_to([0.0, 0.5, 3.0], (20000, 2, 3)).copy()
    drawn = getattr(KeyedRandom(1, "s", ["a", "b"], 20000), method)(mean)
    z = (drawn.mean(axis=0) - mean[0])[:, 1:] / np.sqrt(mean[0, :, 1:] / 20000)
    assert np.abs(z).max() < 4.5 and np.all(drawn[..., 0] == 0)
    alone = getattr(KeyedRandom(1, "s", ["b"], 20000), method)(mean[:, 1:])
    np.testing.assert_array_equal(alone[:, 0], drawn[:, 1])
