"""The style: labels have room, and a caller's own settings stay."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
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


@pytest.mark.parametrize(
    ("low", "high", "most", "whole", "told"),
    [
        (0, 3, 6, True, [0, 1, 2, 3]),
        (0, 3, 6, False, [0, 0.5, 1, 1.5, 2, 2.5, 3]),
        (0, 100, 4, False, [0, 25, 50, 75, 100]),
        (-10, 10, 4, False, [-10, -5, 0, 5, 10]),
        (0.1, 0.9, 4, False, [0.2, 0.4, 0.6, 0.8]),
        (5, 5, 4, False, [5]),
    ],
)
def test_ticks_are_round_and_inside(low, high, most, whole, told):
    assert style.ticks(low, high, most, whole=whole) == pytest.approx(told)


def test_ticks_are_at_most_six_if_nothing_is_said():
    assert style.ticks(0, 6) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("largest", "least", "unit"),
    [
        (9_999, 10, (1, "")),
        (10_000, 10, (1e3, "k")),
        (9_999_999, 10, (1e3, "k")),
        (1e7, 10, (1e6, "M")),
        (1e9, 1, (1e9, "bn")),
        (999, 1, (1, "")),
    ],
)
def test_a_unit_is_the_largest_of_which_there_are_enough(largest, least, unit):
    assert style.unit_of(largest, least) == unit


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0, 50_000, 100_000], ["0", "50k", "100k"]),
        ([0, 25_000, 50_000], ["0", "25k", "50k"]),
        ([0, 2_500_000, 5_000_000], ["0", "2,500k", "5,000k"]),
        ([0, 2.5, 5], ["0.0", "2.5", "5.0"]),
        ([0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        ([1_000, 2_000], ["1,000", "2,000"]),
        ([-20_000, 0, 20_000], ["\u221220k", "0", "20k"]),
        ([0, 5_000, 10_000], ["0", "5k", "10k"]),
        ([7], ["7"]),
        ([], []),
    ],
)
def test_ticks_are_named_in_one_unit_with_the_digits_of_their_step(values, told):
    assert style.tick_names(values) == told


def test_ticks_may_end_with_a_word():
    assert style.tick_names([0, 50_000], "%") == ["0%", "50k%"]


def test_labels_keep_their_places_where_there_is_room_and_move_no_further_than_they_must():
    assert style.spread([50, 150], [40, 40], 0, 200) == [50, 150]
    assert style.spread([50, 60, 190], [40, 20, 40], 0, 200) == [50, 90, 180]
    assert style.spread([190, 195], [40, 40], 0, 200, gap=4) == [136, 180]
    assert style.spread([5, 10], [40, 20], 10, 200) == [30, 70]


def test_a_text_is_wrapped_and_cut_where_it_has_no_room():
    assert style.wrap("one two", 1000, 2) == ["one two"]
    width = style.text_width("one two")
    assert style.wrap("one two", width, 2) == ["one two"]
    assert style.wrap("one two", width - 1, 2) == ["one", "two"]
    assert style.wrap("one two three", width - 1, 2) == ["one", "two…"]
    assert style.wrap("w" * 50, style.text_width("www…"), 1) == ["www…"]
    assert style.row_names(["one two three four five six seven"], True) == ["one two three four five six…"]
    assert style.row_names(["one two three four five six seven"], False) == ["one two three\nfour five six…"]


def test_rows_have_room_for_their_longest_line():
    assert style.room(["a", "b"]) == 60 and style.room([], least=20) == 20
    assert style.room(["one", "short\nthe longest line"]) == style.text_width("the longest line") + 14


def test_words_of_a_drawing_have_no_joiners_and_its_panel_the_margins_that_are_said():
    assert style.plain("\u2212\u20603\u00a0EUR") == "\u22123 EUR"
    axes = style.panel(style.canvas(300, 200), 10, 20, 30, 40)
    assert style.pixels(axes) == pytest.approx((270, 130))
    assert axes.get_position().bounds == pytest.approx((10 / 300, 40 / 200, 270 / 300, 130 / 200))
    style.name_y(axes, "height\u00a0\u2060above")
    (name,) = axes.texts
    assert name.get_text() == "height above" and name.xyann == pytest.approx((-9, 12))
