"""Compiled functions: kept on disk so that any process may use what another has made, and the same for every shape."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from clvmodels.models.kernels import over_times
from clvmodels.models.parts.beta_coin import _until_coins

USE_ALL = """
import numpy as np
from clvmodels.models import get_model
from clvmodels.models.parts.beta_ratio import log_beta_ratio

rows = {name: np.array([[2.0, 0.0]]) for name in ("frequency", "recency")} | {"T": np.array([[30.0, 9.0]])}
for name, theta in (
    ("bg_nbd", {"r": 0.25, "alpha": 4.4, "a": 0.8, "b": 2.4}),
    ("gg_nbd", {"r": 0.55, "alpha": 10.6, "b": 0.02, "s": 0.6, "beta": 0.4}),
):
    model = get_model(name)
    theta = {key: np.array([[value]]) for key, value in theta.items()}
    print(model.expected_if_alive({key: rows[key] for key in model.observes}, theta, np.array([1.0, 52.0])))
print(log_beta_ratio(2.0, 3.0, 4.0))
"""


def test_processes_that_compile_at_once_and_those_after_them_use_one_cache(tmp_path):
    """A function kept in two files ended the interpreter in nearly each such run."""

    def start() -> subprocess.Popen:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        return subprocess.Popen([sys.executable, "-c", USE_ALL], env=environment, stdout=subprocess.PIPE, text=True)

    first = [start(), start()]
    printed = [process.communicate()[0] for process in first]
    assert list(tmp_path.rglob("*.nbc"))
    later = start()
    printed.append(later.communicate()[0])
    assert [process.returncode for process in (*first, later)] == [0, 0, 0]
    assert printed[0] and printed[0] == printed[1] == printed[2]


def test_numbers_and_times_broadcast():
    shape, exposure = np.array([[0.6], [1.1], [2.0]]), np.array([[5.0, 20.0, 40.0, 80.0]])  # draws, customers
    t = np.array([1.0, 13.0])
    found = over_times(_until_coins, shape, exposure, 0.8, 2.5, 1.0, 0.0, t=t)
    one = over_times(_until_coins, 1.1, 40.0, 0.8, 2.5, 1.0, 0.0, t=t)
    assert found.shape == (3, 4, 2) and np.array_equal(found[1, 2], one)
    own_times = np.broadcast_to(t, (3, 1, 2))
    assert np.array_equal(over_times(_until_coins, shape, exposure, 0.8, 2.5, 1.0, 0.0, t=own_times), found)
    assert over_times(_until_coins, shape, exposure[:, :0], 0.8, 2.5, 1.0, 0.0, t=t).shape == (3, 0, 2)
    assert over_times(_until_coins, shape, exposure, 0.8, 2.5, 1.0, 0.0, t=t[:0]).shape == (3, 4, 0)
