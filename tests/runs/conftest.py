"""Runs of these tests read one simulated retailer over and over: it is simulated once a process."""

from __future__ import annotations

import functools

import pytest

from clvmodels.datasets import retailer

generated_once = functools.lru_cache(maxsize=8)(retailer.generate)


@pytest.fixture(autouse=True, scope="module")
def retailer_of_all_runs():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(retailer, "generate", generated_once)
        yield
