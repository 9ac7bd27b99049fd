"""Keyed randomness: a stream depends on seed, stage and label, on nothing else; each law is the one it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clvmodels import variates
from clvmodels.randomness import KeyedRandom, keyed_generator, keyed_streams

LABELS = ["7", "07", "é", "a" * 300, "x\n", "z"]
CALLS = {
    "uniform": (lambda rng: rng.uniform(), stats.uniform()),
    "normal": (lambda rng: rng.normal(), stats.norm()),
    "exponential": (lambda rng: rng.exponential(), stats.expon()),
    "gamma": (lambda rng: rng.gamma(0.3), stats.gamma(0.3)),
    "beta": (lambda rng: rng.beta(0.8, 2.4), stats.beta(0.8, 2.4)),
}
MANY = 2000
"""Customers, of 1,000 draws each: faults of a law of one part in a thousand are seen."""


def test_the_key_is_pinned():
    """Stored results are reproducible only as long as these numbers stay."""
    drawn = keyed_generator(42, "future", "customer 1").random(2)
    assert drawn.tolist() == [0.9300614863401422, 0.2247387777255473]
    assert keyed_streams(42, "future", ["customer 1"])[0, 0] == 12247782549592374650
    found = KeyedRandom(42, "future", ["customer 1"], 2).uniform()[:, 0]
    assert found.tolist() == [0.5211476491524291, 0.7156614821876588]


def test_a_stream_is_xoshiro256_plus_plus():
    """The first outputs of the authors' reference code from the state 1, 2, 3, 4."""
    streams = np.array([[1, 2, 3, 4]], dtype=np.uint64)
    words = [variates.word(streams, 0) for _ in range(4)]
    assert words == [41943041, 58720359, 3588806011781223, 3591011842654386]


@pytest.mark.parametrize("other", [(2, "s", "a"), (-1, "s", "a"), (1, "t", "a"), (1, "s", "b"), (1, "s" * 40, "a")])
def test_any_part_of_the_key_makes_another_stream(other):
    pairs = [
        (keyed_generator(1, "s", "a").random(2000), keyed_generator(*other).random(2000)),
        (uniforms(1, "s", "a"), uniforms(*other)),
    ]
    for first, second in pairs:
        assert not np.isin(first, second).any()
        assert abs(np.corrcoef(first, second)[0, 1]) * np.sqrt(2000) < 4.5


def uniforms(seed: int, stage: str, label: str) -> np.ndarray:
    return KeyedRandom(seed, stage, [label], 2000).uniform()[:, 0]


def test_long_stage_names_do_not_collide():
    names = ["a stage of more than sixteen bytes", "a stage of more than sixteen bytes too"]
    first, second = (keyed_generator(1, name, "a").random() for name in names)
    assert first != second
    assert not np.array_equal(*(keyed_streams(1, name, ["a"]) for name in names))


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


def many(seed: int) -> KeyedRandom:
    return KeyedRandom(seed, "many", [str(k) for k in range(MANY)], 1000)


@pytest.mark.parametrize("shape", [0.01, 0.3, 0.999, 1.0, 1.5, 7.0, 1e4])
def test_many_gammas_have_their_law(shape):
    assert stats.kstest(many(1).gamma(shape).ravel(), stats.gamma(shape).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.6), (0.5, 0.5), (1.0, 0.4), (0.8, 2.4), (30.0, 1.2), (100.0, 300.0)])
def test_many_betas_have_their_law(a, b):
    assert stats.kstest(many(2).beta(a, b).ravel(), stats.beta(a, b).cdf).pvalue > 1e-4


def test_betas_of_tiny_shapes_are_coins():
    drawn = many(3).beta(1e-3, 3e-3)
    assert np.all((drawn >= 0) & (drawn <= 1)) and abs(drawn.mean() - 0.25) * np.sqrt(drawn.size * 16 / 3) < 4.5


@pytest.mark.parametrize("name", ["normal", "exponential", "uniform"])
def test_many_numbers_have_their_law_in_the_tails_too(name):
    call, law = CALLS[name]
    drawn = call(many(4)).ravel()
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-4
    for odds in (1e-3, 1e-5):
        for beyond in (drawn < law.ppf(odds), drawn > law.isf(odds)):
            assert abs(beyond.sum() - odds * drawn.size) < 4.5 * np.sqrt(odds * drawn.size)


@pytest.mark.parametrize("mean", [0.01, 0.7, 3.0, 9.999, 10.0, 14.0, 100.0, 5e4])
def test_many_poisson_counts_have_their_law(mean):
    has_the_law(many(5).poisson(mean), stats.poisson(mean))


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (3, 0.9), (40, 0.1), (25, 0.4), (40, 0.5), (1000, 0.97), (10**6, 0.3)])
def test_many_binomial_counts_have_their_law(n, p):
    has_the_law(many(6).binomial(float(n), p), stats.binom(n, p))


def has_the_law(drawn: np.ndarray, law) -> None:
    """Chi-squared over the counts of which 20 are expected at least, and the rest as one."""
    low, high = int(drawn.min()), int(drawn.max())
    seen = np.bincount((drawn.ravel() - low).astype(int))
    expected = law.pmf(np.arange(low, high + 1)) * drawn.size
    often = expected > 20
    seen, expected = np.append(seen[often], seen[~often].sum()), np.append(expected[often], 0.0)
    expected[-1] = drawn.size - expected.sum()
    statistic = ((seen - expected) ** 2 / np.maximum(expected, 1.0)).sum()
    assert stats.chi2(len(seen) - 1).sf(statistic) > 1e-4


def test_counts_of_huge_means_are_near_them():
    """A billion billion is the most."""
    for mean in (1e12, 1e15, 1e18):
        z = (KeyedRandom(1, "s", LABELS, 3000).poisson(mean) - mean) / np.sqrt(mean)
        assert abs(z.mean()) * np.sqrt(z.size) < 4.5 and abs((z**2).mean() - 1) * np.sqrt(z.size / 2) < 4.5


def test_parameters_vary_by_draw_and_by_customer():
    shape = np.arange(1.0, 13.0).reshape(4, 3)
    whole = KeyedRandom(1, "s", ["a", "b", "c"], 4).gamma(shape)
    np.testing.assert_array_equal(whole[:, [1]], KeyedRandom(1, "s", ["b"], 4).gamma(shape[:, [1]]))
    wide = KeyedRandom(1, "s", ["a", "b"], 4).gamma(np.arange(1.0, 5.0)[:, None])
    assert wide.shape == (4, 2)
    assert KeyedRandom(1, "s", ["a"], 5).gamma(0.0).tolist() == [[0.0]] * 5


@pytest.mark.parametrize("method", ["poisson", "gamma"])
def test_numbers_along_a_list_have_their_means_and_do_not_depend_on_company(method):
    """Three of each customer and draw, one after the other."""
    mean = np.broadcast_to([0.0, 0.5, 3.0], (20000, 2, 3))
    customer = np.broadcast_to(np.arange(2)[:, None], mean.shape).ravel()
    rng = KeyedRandom(1, "s", ["a", "b"], 20000).along(customer)
    drawn = getattr(rng, method)(mean.ravel()).reshape(mean.shape)
    z = (drawn.mean(axis=0) - mean[0])[:, 1:] / np.sqrt(mean[0, :, 1:] / 20000)
    assert np.abs(z).max() < 4.5 and np.all(drawn[..., 0] == 0)
    alone = KeyedRandom(1, "s", ["b"], 20000).along(np.zeros(60000, dtype=np.int64))
    np.testing.assert_array_equal(getattr(alone, method)(mean[:, 1].ravel()), drawn[:, 1].ravel())


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("gamma", (-1.0,)),
        ("gamma", (np.nan,)),
        ("gamma", (np.inf,)),
        ("beta", (0.0, 1.0)),
        ("beta", (1.0, np.nan)),
        ("poisson", (-1e-300,)),
        ("poisson", (1.1e18,)),
        ("poisson", (np.nan,)),
        ("binomial", (3.0, 1.0 + 1e-9)),
        ("binomial", (-1.0, 0.5)),
    ],
)
def test_what_cannot_be_meant_is_refused(method, parameters):
    with pytest.raises(ValueError, match="outside of their range"):
        getattr(KeyedRandom(1, "s", LABELS, 2), method)(*parameters)
