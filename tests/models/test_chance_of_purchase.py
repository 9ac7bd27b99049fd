"""The chance of a purchase in a window, which contacts to keep customers depend on: against sums, integrals, states."""

from __future__ import annotations

import numpy as np
import pytest
from contracts.cases import CASES, as_theta
from contracts.purchase import DRAWS, close, mean_is
from scipy import integrate
from scipy.special import gammaincc, gammaln

from clvmodels.models import MODELS
from clvmodels.randomness import KeyedRandom

WINDOWS = ((0.0, 4.0), (0.0, 24.0), (4.0, 28.0), (200.0, 260.0))
HISTORIES = np.array([(0, 0.0, 0.0), (0, 0.0, 39.0), (1, 20.0, 38.0), (12, 35.0, 39.0), (400, 9.0, 10.0)])
POISSON = ("nbd", "pareto_nbd", "gg_nbd", "bg_nbd", "mbg_nbd")
"""Models of Poisson purchases without a calendar."""


def rows_of(histories=HISTORIES) -> dict[str, np.ndarray]:
    return dict(zip(("frequency", "recency", "T"), histories.T[:, None], strict=True))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", POISSON)
def test_it_is_the_mean_over_states(name, window):
    """Given the own rate and end it is exact: Poisson until the clock's end; or until the purchase whose coin falls."""
    model, theta, rows = MODELS[name], as_theta(CASES[name].theta), rows_of()
    rng = KeyedRandom(1, "states", [str(k) for k in range(len(HISTORIES))], DRAWS)
    with np.errstate(over="ignore"):
        state = model.draw_alive(rows, theta, rng)
    since, until = (state.purchase_rate * np.minimum(t, state.residual_lifetime) for t in window)
    fewer = gammaincc(np.minimum(state.residual_purchases, 1e9), since)  # P(Poisson(since) < most)
    chance = -np.expm1(since - until) * np.where(np.isinf(state.residual_purchases), 1.0, fewer)
    mean_is(chance, model.chance_of_purchase(rows, theta, *window)[0], 1e-12)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("theta", CASES["pareto_nbd"].thetas)
def test_by_the_clock_it_is_an_integral(theta, window):
    start, end = window
    found = MODELS["pareto_nbd"].chance_of_purchase(rows_of(), as_theta(theta), start, end)[0]
    for (x, _, age), chance in zip(HISTORIES, found, strict=True):
        shape, exposure, base = theta["r"] + x, theta["alpha"] + age, theta["beta"] + age

        def density(u, shape=shape, exposure=exposure, base=base):
            first = shape / exposure * (1.0 + u / exposure) ** (-shape - 1.0)
            return first * (1.0 + (start + u) / base) ** -theta["s"]

        near = min(40.0 * exposure / shape, end - start)
        parts = [(0.0, near / 8), (near / 8, near), (near, end - start)]
        close(chance, sum(integrate.quad(density, *part, epsabs=1e-13)[0] for part in parts), 1e-10)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", ["bg_nbd", "mbg_nbd"])
def test_by_the_coin_it_is_a_sum(name, window):
    (start, end), n = window, np.arange(100_000.0)
    for theta in CASES[name].thetas:
        found = MODELS[name].chance_of_purchase(rows_of(), as_theta(theta), start, end)[0]
        for (x, _, age), chance in zip(HISTORIES, found, strict=True):
            shape, exposure = theta["r"] + x, theta["alpha"] + age
            a, b = theta["a"], theta["b"] + x + (name == "mbg_nbd")
            log_share = n * np.log(start / (exposure + start)) if start else np.where(n > 0, -np.inf, 0.0)
            log_before = gammaln(shape + n) - gammaln(shape) - gammaln(n + 1.0) - shape * np.log1p(start / exposure)
            log_survived = gammaln(b + n) - gammaln(b) + gammaln(a + b) - gammaln(a + b + n)
            inside = -np.expm1(-(shape + n) * np.log1p((end - start) / (exposure + start)))
            close(chance, (np.exp(log_before + log_share + log_survived) * inside).sum(), 1e-10)
