"""Compiled functions: made once while they are in use, and let go."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict

import numpy as np
import pytest

from clvmodels.models import State, compiled


class Key:
    """What a function is kept for, as a model is."""


@pytest.fixture
def made(monkeypatch):
    """How often each factor's graph was made; two functions are kept."""
    monkeypatch.setattr(compiled, "_FUNCTIONS", OrderedDict())
    monkeypatch.setattr(compiled, "MOST_KEPT", 2)
    return []


def product(key, factor: float, made: list[float]) -> float:
    def graph(rows, theta):
        made.append(factor)
        return factor * rows["x"] * theta["a"]

    function = compiled.compiled(key, graph, ("x",), ("a",))
    return float(function({"x": np.array([3.0])}, {"a": np.array([[2.0]])})[0, 0])


def test_the_functions_used_last_are_kept_and_the_others_let_go(made):
    keys = [Key(), Key(), Key()]
    assert [product(key, factor, made) for key, factor in zip(keys, (1.0, 2.0, 1.0), strict=True)] == [6.0, 12.0, 6.0]
    assert made == [1.0, 2.0, 1.0] and len(compiled._FUNCTIONS) == 2
    product(keys[1], 2.0, made)
    assert made == [1.0, 2.0, 1.0]  # still there, and now the last one used
    product(keys[0], 1.0, made)  # takes the place of the third
    assert made == [1.0, 2.0, 1.0, 1.0] and set(compiled._FUNCTIONS) == {keys[0], keys[1]}


def test_a_model_that_is_gone_is_not_held(made):
    key = Key()
    gone = weakref.ref(key)
    product(key, 1.0, made)
    del key
    for _ in range(2):
        product(Key(), 1.0, made)
    gc.collect()
    assert gone() is None


def test_a_state_cannot_be_changed_by_what_it_was_made_of():
    phase, ones = np.zeros((1, 1)), np.ones((1, 1))
    variables = {"phase": phase}
    state = State(ones > 0, ones, ones, ones, variables)
    variables["phase"] = ones
    assert state.extra["phase"] is phase
    with pytest.raises(TypeError):
        state.extra["phase"] = ones
