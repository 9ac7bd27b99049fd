"""The checks of draws: red where a fault is planted, and naming the coordinate."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.targets import NAMES

from clvmodels.inference.samplers.checks import nuts_checks
from clvmodels.inference.samplers.nuts import NutsDraws


def planted(change) -> NutsDraws:
    u = np.random.default_rng(3).normal(size=(4, 500, 3))
    stats_ = {"diverging": np.zeros((4, 500), dtype=bool)}
    change(u, stats_["diverging"])
    return NutsDraws(u, stats_)


def shift_a_chain(u, diverging):
    u[2, :, 1] += 1


def slow_mixing(u, diverging):
    u[..., 1] = np.cumsum(u[..., 1], axis=1)


def not_a_number(u, diverging):
    u[0, 3, 1] = np.nan


def diverge(u, diverging):
    diverging[1, 7] = True


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        (lambda u, diverging: None, set()),
        (shift_a_chain, {"R-hat", "bulk ESS", "tail ESS"}),
        (slow_mixing, {"R-hat", "bulk ESS", "tail ESS"}),
        (not_a_number, {"R-hat", "bulk ESS", "tail ESS"}),
        (diverge, {"divergences"}),
    ],
)
def test_checks_fail_on_planted_faults_and_name_the_coordinate(fault, failing):
    checks = nuts_checks(planted(fault), NAMES)
    assert {check.check for check in checks if not check.passed} == failing
    for check in checks:
        if check.check in failing - {"divergences"}:
            assert check.consequence.endswith("about b")
