"""The style: labels have room, and a caller's own settings stay."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.path import Path

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


def test_cells_of_one_shade_are_one_path_in_which_neighbours_in_a_row_are_one_box():
    """Two rows whose right ends lie at 1,000: neighbours may miss each other by dust of floating point."""
    left = np.array([500.0, 0.0, 400.0 + 1e-7, 700.0, 0.0, 900.0, 450.0, 400.0])
    right = np.array([600.0, 400.0, 450.0, 1000.0, 400.0, 1000.0, 500.0 - 1e-7, 450.0])
    bottom = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    counts = np.array([16, 16, 16, 16, 16, 64, 16, 16])
    axes = style.panel(style.canvas(300, 200), 10, 10, 10, 10)
    style.cells(axes, np.column_stack([left, right, bottom, bottom + 1]), counts)
    half, most = axes.patches
    corners = [[0, 0, 600, 1], [700, 0, 1000, 1], [0, 1, 450, 2]]
    assert np.round(rectangles(half), 3).tolist() == corners
    assert rectangles(most).tolist() == [[900, 1, 1000, 2]]
    # a quarter of the customers have half of the eight shades
    assert (half.get_alpha(), most.get_alpha()) == (0.42, 0.78)
    assert {to_hex(patch.get_facecolor()) for patch in axes.patches} == {style.BLUE}
    assert {patch.get_linewidth() for patch in axes.patches} == {0}


def rectangles(patch):
    """Left, bottom, right and top of the closed boxes of a path. [boxes, 4]"""
    path = patch.get_path()
    assert path.codes.reshape(-1, 5)[:, [0, -1]].tolist() == [[Path.MOVETO, Path.CLOSEPOLY]] * (len(path.vertices) // 5)
    boxes = path.vertices.reshape(-1, 5, 2)
    return np.hstack([boxes.min(axis=1), boxes.max(axis=1)])


def test_the_faintest_shade_is_of_one_customer_among_many():
    axes = style.panel(style.canvas(300, 200), 10, 10, 10, 10)
    style.cells(axes, np.array([[0.0, 1, 0, 1], [1, 2, 0, 1]]), np.array([1, 10_000]))
    assert [patch.get_alpha() for patch in axes.patches] == [0.15, 0.78]
