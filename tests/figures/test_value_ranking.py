"""The best in the order of what is expected, with the range of their places by worth; a list is a group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check
from fakes.tiny import entry, tiny_run, worth_run

from clvmodels.figures import FIGURES, style
from clvmodels.figures.style import NARROW, WIDE
from clvmodels.figures.value_ranking import SMALL, _rank_axis, places

CASES = {
    "ten customers": Says(
        worth_run,
        heading="The best customers, and how sure their places are",
        sub=(
            "In the order of expected profit; rank among 10 by worth. Dot: median rank; bars: 50% and 90% intervals. "
            "Right, or in the numbers below: 90% interval of the profit that 52 weeks will bring, EUR."
        ),
        caption=(
            "By worth, the customer listed 10th stands **at place 10** (90%); by the profit "
            "that 52 weeks will bring, anywhere from 10. Use the list as a group: a list of names is no "
            "order. All 10 customers are in customers.csv."
        ),
        alt=("Rank intervals of 10 customers. The first: 1 to 1; the 10th: 10 to 10 by worth, 10 with luck."),
        titles=("Customer", "Median rank", "90% interval of rank", "With luck", "Profit, 52 weeks, 90%", "In top 20%"),
        rows=[
            ("c0", "1", "1", "1 to 4", "EUR 40 to 260", "over 99%"),
            ("c1", "2", "2 to 3", "2 to 3", "EUR 91 to 109", "50%"),
            ("c2", "3", "2 to 3", "2 to 3", "EUR 91 to 109", "50%"),
            ("c3", "4", "4", "1 to 4", "EUR 50 to 300", "under 1%"),
            ("c4", "5", "5", "5", "EUR 40.0", "under 1%"),
            ("c5", "6", "6", "6", "EUR 30.0", "under 1%"),
            ("c6", "7", "7", "7", "EUR 20.0", "under 1%"),
            ("c7", "8", "8", "8", "EUR 10.0", "under 1%"),
            ("c8", "9", "9", "9", "EUR 5.00", "under 1%"),
            ("c9", "10", "10", "10", "EUR -5.00", "under 1%"),
        ],
    ),
    "in public, by their places": Says(
        lambda: worth_run(public=True),
        heading="The best customers, and how sure their places are",
        sub=(
            "In the order of expected profit; rank among 10 by worth. Dot: median rank; bars: 50% and 90% intervals. "
            "Right, or in the numbers below: 90% interval of the profit that 52 weeks will bring, EUR."
        ),
        caption=(
            "By worth, the customer listed 10th stands **at place 10** (90%); by the profit "
            "that 52 weeks will bring, anywhere from 10. Use the list as a group: a list of names is no "
            "order."
        ),
        alt=("Rank intervals of 10 customers. The first: 1 to 1; the 10th: 10 to 10 by worth, 10 with luck."),
        titles=("Customer", "Median rank", "90% interval of rank", "With luck", "Profit, 52 weeks, 90%", "In top 20%"),
        rows=[
            ("1st", "1", "1", "1 to 4", "EUR 40 to 260", "over 99%"),
            ("2nd", "2", "2 to 3", "2 to 3", "EUR 91 to 109", "50%"),
            ("3rd", "3", "2 to 3", "2 to 3", "EUR 91 to 109", "50%"),
            ("4th", "4", "4", "1 to 4", "EUR 50 to 300", "under 1%"),
            ("5th", "5", "5", "5", "EUR 40.0", "under 1%"),
            ("6th", "6", "6", "6", "EUR 30.0", "under 1%"),
            ("7th", "7", "7", "7", "EUR 20.0", "under 1%"),
            ("8th", "8", "8", "8", "EUR 10.0", "under 1%"),
            ("9th", "9", "9", "9", "EUR 5.00", "under 1%"),
            ("10th", "10", "10", "10", "EUR -5.00", "under 1%"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("value_ranking", case)


def test_it_draws(accept_drawings):
    check_drawings("value_ranking", CASES, accept_drawings)


def test_places_below_the_best_follow_the_size_of_the_base():
    assert places(3000, 600) == [100, 300, 600]
    assert places(1_000_000, 200_000) == [1000, 10_000, 100_000, 200_000]
    assert places(70, 14) == [14]


@pytest.mark.parametrize(
    ("customers", "top", "shown"),
    [
        (10**6, 101, [100, 101]),
        (10**6, 100, [30, 100][1:]),
        (10**6, 10_000, [300, 1000, 3000, 10_000]),
        (10**6, 10_001, [100, 1000, 10_000, 10_001]),
        (10**10, 2 * 10**9, [10**6, 10**7, 10**8, 2 * 10**9]),
        (100, 100, [100]),
        (1000, 13, [13]),
        (1000, 12, []),
        (10, 13, []),
    ],
)
def test_the_last_three_round_places_before_the_end_of_the_top_are_shown(customers, top, shown):
    assert places(customers, top) == shown


def test_a_large_base_shows_its_best_twelve_and_places_below():
    """Seven hundred customers, of whom 140 are the top; whoever is listed at a place stands within a tenth of it."""
    place = np.arange(1.0, 701.0)
    quantiles = {"q5": 0.9 * place, "q25": 0.95 * place, "q50": place, "q75": 1.05 * place, "q95": 1.1 * place}
    ranking = {f"{kind}_rank_{q}": values for kind in ("worth", "realised") for q, values in quantiles.items()}
    worth = {f"realised_{q}": 1000.0 - values for q, values in quantiles.items()}
    frame = pd.DataFrame({**ranking, **worth, "expected_mean": -place, "worth_odds_top": 0.5})
    frame.index = pd.Index([f"c{k:03d}" for k in range(700)], name="customer_id")
    found = tiny_run(about=about(customers=700), valued=entry(ranking=frame.sample(frac=1.0, random_state=1)))
    table = FIGURES["value_ranking"].table(found)
    assert table["place"].tolist() == [*range(1, 13), 100, 140]
    assert table["customer"].tolist() == [f"c{k - 1:03d}" for k in table["place"]]
    words = FIGURES["value_ranking"].words(table, found.about)
    assert " Below the line: the customers at places 100 and 140. Right, or" in words.sub
    assert "listed 10th stands **from 9 to 11**" in words.caption
    for width, dashes in ((WIDE, 1), (NARROW, 1)):
        (axes,) = FIGURES["value_ranking"].draw(table, found.about, width).axes
        assert axes.get_xscale() == "log" and axes.get_xlabel() == "rank by worth (log scale)"
        assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "3", "10", "30", "100"]
        assert axes.get_xlim() == pytest.approx((0.93, 1.12 * 154))
        (line,) = (line for line in axes.lines if line.get_linestyle() == "--")
        assert line.get_ydata() == pytest.approx([-11.95, -11.95]) and dashes
        assert axes.get_yticks().tolist() == [*(-k for k in range(12)), pytest.approx(-12.9), pytest.approx(-13.9)]


@pytest.mark.parametrize(
    ("most", "marks"),
    [
        (285.0, [1, 3, 10, 30, 100]),
        (286.0, [1, 3, 10, 30, 100, 300]),
        (95.0, [1, 3, 10, 30]),
        (95.3, [1, 3, 10, 30, 100]),
    ],
)
def test_round_ranks_are_marked_as_far_as_ranks_reach(most, marks):
    axes = style.panel(style.canvas(NARROW, 300), 46, 16, 50, 28)
    _rank_axis(axes, pd.DataFrame({"rank_q95": [most]}), about(customers=SMALL + 1), False)
    assert axes.get_xticks().tolist() == marks
