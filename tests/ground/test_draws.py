"""Sums and quantiles over draws: the same whatever the blocks they are worked in."""

from __future__ import annotations

import time

import numpy as np
import pytest

from clvmodels import draws


def test_blocks_over_draws_change_nothing(monkeypatch):
    values = np.random.default_rng(1).normal(size=(37, 23))
    codes = np.arange(23) % 3
    whole = [draws.total(values), draws.mean_by_customer(values), draws.group_means(values, codes, 3)]
    monkeypatch.setattr(draws, "BLOCK_ELEMENTS", 50)
    parts = [draws.total(values), draws.mean_by_customer(values), draws.group_means(values, codes, 3)]
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_allclose(whole[2][:, 1], values[:, codes == 1].mean(axis=1))


def test_slices_cover_everything_once():
    for size, width in ((0, 3), (1, 3), (7, 3), (7, 0), (6, 100)):
        cut = list(draws.slices(size, width))
        assert np.concatenate([[], *(np.arange(size)[piece] for piece in cut)]).tolist() == list(range(size))
        assert all(0 < piece.stop - piece.start <= max(width, 1) for piece in cut)


def test_quantiles_bear_their_names():
    assert draws.quantiles(np.arange(101.0)) == {"q5": 5.0, "q25": 25.0, "q50": 50.0, "q75": 75.0, "q95": 95.0}


def test_threads_give_results_in_the_order_of_their_tasks():
    started = []

    def slow_at_first(task: int) -> int:
        started.append(task)
        time.sleep(0.02 / (1 + task))
        return task * task

    results = draws.in_threads(slow_at_first, range(40))
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert max(started) <= 3 + draws.cores() + 1  # only a few ahead of what is taken
    assert list(results) == [task * task for task in range(3, 40)]


def test_a_task_that_fails_is_told():
    with pytest.raises(ZeroDivisionError):
        list(draws.in_threads(lambda task: 1 // task, [2, 1, 0, 3]))


def test_what_was_let_go_is_still_in_its_file(tmp_path):
    store = draws.array_store(tmp_path, "numbers", (3, 4), "float32")
    store[:, [2, 0]] = np.arange(6).reshape(3, 2)
    draws.let_go(store, draws.array_store(None, "none", (2, 2), "float32"))
    assert store[:, [2, 0]].tolist() == [[0, 1], [2, 3], [4, 5]]
    store[1, 1] = 7.0
    draws.let_go(store)
    store.flush()
    assert np.load(tmp_path / "numbers.npy")[1].tolist() == [3, 7, 2, 0]
