"""NUTS: beside importance sampling, by its seed, within its time, and compiled once."""

from __future__ import annotations

import numpy as np
import nutpie
import pytensor
import pytensor.tensor as pt
import pytest
from fakes.targets import NAMES, SKEWED, Hold

from clvmodels.errors import FitError
from clvmodels.inference.samplers.checks import nuts_checks
from clvmodels.inference.samplers.laplace import laplace
from clvmodels.inference.samplers.mode import find_mode
from clvmodels.inference.samplers.nuts import nuts
from clvmodels.inference.target import Target


def test_whitened_nuts_agrees_with_laplace_and_reports_progress():
    mode = find_mode(SKEWED)
    seen = []
    sampled = nuts(SKEWED, 1000, 4, 11, mode=mode, progress=lambda done, total: seen.append((done, total)))
    approximated = laplace(SKEWED, 4000, 3, mode=mode)
    checks = nuts_checks(sampled, NAMES)
    assert [check.check for check in checks] == ["R-hat", "bulk ESS", "tail ESS", "divergences"]
    assert all(check.passed for check in checks), checks
    assert sampled.u.shape == (4, 1000, 3) and sampled.sample_stats["diverging"].shape == (4, 1000)
    assert sampled.sample_stats["n_steps"].mean() < 8
    flat = sampled.u.reshape(-1, 3)
    error = np.sqrt(1 / checks[1].found + 1 / 4000)
    np.testing.assert_allclose((flat.mean(axis=0) - approximated.u.mean(axis=0)) / flat.std(axis=0), 0, atol=4 * error)
    np.testing.assert_allclose(np.log(flat.std(axis=0) / approximated.u.std(axis=0)), 0, atol=4 * error)
    assert seen[-1] == (8000, 8000)


def test_nuts_without_a_mode_rejects_what_is_not_a_number_and_repeats_itself_by_seed():
    target = Target(("a",), lambda u: pt.sum(2 * pt.log(u) - u), np.array([[1.0], [4.0], [-5.0]]))
    first = nuts(target, 300, 2, 5, tune=300)
    again = nuts(target, 300, 2, 5, tune=300)
    np.testing.assert_array_equal(first.u, again.u)
    assert (first.u > 0).all() and 2 < first.u.mean() < 4
    assert not np.array_equal(first.u[0], first.u[1])


def test_a_density_that_is_nowhere_finite_is_an_error_not_a_hang():
    target = Target(("a",), lambda u: pt.sum(pt.log(-pt.exp(u))), np.zeros((1, 1)))
    with pytest.raises(FitError, match="no point to start"):
        nuts(target, 100, 2, 1, tune=100)


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
@pytest.mark.parametrize(
    ("seconds", "after"),
    [
        (30.0, 100),
        pytest.param(0.2, 100, marks=pytest.mark.slow),
        pytest.param(30.0, 0, marks=pytest.mark.slow),  # from the first evaluation on, where the one above stalls later
    ],
)
def test_a_sampler_that_stalls_ends_within_its_time(seconds, after):
    """Nobody waits for a density that stalls: half a minute of it, in one evaluation or in many, is not sat out."""
    hold = Hold(seconds, after=after)
    try:
        with pytest.raises(FitError, match=r"within 2 seconds; got \d+ of 4000 draws"):
            nuts(Target(("a",), lambda u: -0.5 * pt.sum(hold(u) ** 2), np.zeros((1, 1))), 1000, 2, 1, timeout_seconds=2)
        assert hold.sat_out * seconds < 30
    finally:
        hold.release.set()


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
@pytest.mark.parametrize(
    ("after", "message"),
    [
        pytest.param(0, "no such customer", marks=pytest.mark.slow),
        (8, "NUTS died.*initialization"),
    ],
)
def test_an_error_in_the_density_ends_nuts_with_what_is_known(after, message):
    target = Target(("a",), lambda u: pt.sum(Hold(error="no such customer", after=after)(u)), np.zeros((1, 1)))
    with pytest.raises(FitError, match=message):
        nuts(target, 100, 2, 1, tune=100)


def test_an_error_of_the_progress_callback_stops_the_sampler_and_is_passed_on():
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nuts(SKEWED, 100_000, 2, 1, progress=interrupt)


def test_nuts_is_compiled_once_and_follows_the_data(monkeypatch):
    compiled = []
    compile_model = nutpie.compile_pymc_model
    monkeypatch.setattr(nutpie, "compile_pymc_model", lambda *a, **o: compiled.append(a) or compile_model(*a, **o))
    data = pytensor.shared(np.array([1.0, 2.0]), name="data", shape=(None,))
    target = Target(("a",), lambda u: -0.5 * pt.sum((data - u[0]) ** 2), np.zeros((1, 1)))
    first = nuts(target, 200, 2, 1, tune=200)
    data.set_value(np.array([5.0, 6.0, 7.0]))
    second = nuts(target, 200, 2, 1, tune=200)
    assert len(compiled) == 1
    assert abs(first.u.mean() - 1.5) < 0.4 and abs(second.u.mean() - 6.0) < 0.4
