"""Sums and quantiles over draws: the same whatever the blocks they are worked in."""

from __future__ import annotations

import numpy as np

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
