"""Every figure has a test of its own that knows what it must say: tests/figures/test_<figure>.py with its CASES."""

from __future__ import annotations

import pytest
from fakes.drawn import FOLDER as DRAWN
from fakes.says import FOLDER, Says, cases_of

from clvmodels.figures import FIGURES


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_a_tiny_run_and_the_words_it_must_say(name):
    cases = cases_of(name)
    assert cases, f"test_{name}.py has no CASES: a tiny run and the words that the figure must say of it"
    assert all(isinstance(case, Says) for case in cases.values())
    assert all(case.heading and (case.caption or case.alt) for case in cases.values())
    if FIGURES[name].numbers is not None:
        assert all(case.rows is not None for case in cases.values()), f"test_{name}.py: a case without its rows"


def test_every_figure_that_draws_has_stored_drawings():
    drawn = {name for name, figure in FIGURES.items() if figure.draw is not None}
    assert {path.stem for path in DRAWN.glob("*.txt")} == drawn


def test_no_test_is_left_of_a_figure_that_is_gone():
    shared = {"figures", "style", "phrases", "plot", "long_names", "tables"}
    assert {path.stem.removeprefix("test_") for path in FOLDER.glob("test_*.py")} - set(FIGURES) <= shared
