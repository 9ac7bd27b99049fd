"""The style: labels have room, and a caller's own settings stay."""

from __future__ import annotations

import itertools

from clvmodels.figures import FIGURES, style


def test_drawing_does_not_touch_the_callers_style(company_run, company_tables):
    import matplotlib

    before = matplotlib.rcParams.copy()
    FIGURES["pit"].draw(company_tables["pit"], company_run.about, 328)
    assert matplotlib.rcParams.copy() == before


def test_labels_are_pushed_apart_inside_their_room():
    placed = style.spread([5, 6, 200], [40, 40, 40], 0, 200)
    edges = [(x - 20, x + 20) for x in placed]
    assert edges[0][0] >= 0
    assert edges[-1][1] <= 200
    assert all(b[0] - a[1] >= 10 for a, b in itertools.pairwise(edges))
