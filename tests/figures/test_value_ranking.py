"""The best by median rank, with the range of their places; a list is a group."""

from __future__ import annotations

import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import worth_run

from clvmodels.figures.value_ranking import places

CASES = {
    "ten customers": Says(
        worth_run,
        heading="The best customers, and how sure their places are",
        sub=(
            "Rank among 10 by expected profit. Dot: median rank; bars: 50% and 90% intervals. Right, or "
            "in the numbers below: 90% interval of the profit that 52 weeks will bring, EUR."
        ),
        caption=(
            "By what is expected, the customer listed 10th stands **at place 10** (90%); by the profit "
            "that 52 weeks will bring, anywhere from 10. Use the list as a group: a list of names is no "
            "order. All 10 customers are in customers.csv."
        ),
        alt=("Rank intervals of 10 customers. The first: 1 to 1; the 10th: 10 to 10 by expectation, 10 with luck."),
        titles=("Customer", "Median rank", "90% interval of rank", "With luck", "Profit, 52 weeks, 90%", "In top 20%"),
        rows=[
            ("c0", "1", "1", "1 to 5", "EUR 40 to 260", "over 99%"),
            ("c1", "3", "2 to 3", "2 to 3", "EUR 91 to 109", "50%"),
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
            "Rank among 10 by expected profit. Dot: median rank; bars: 50% and 90% intervals. Right, or "
            "in the numbers below: 90% interval of the profit that 52 weeks will bring, EUR."
        ),
        caption=(
            "By what is expected, the customer listed 10th stands **at place 10** (90%); by the profit "
            "that 52 weeks will bring, anywhere from 10. Use the list as a group: a list of names is no "
            "order. All 10 customers are in customers.csv."
        ),
        alt=("Rank intervals of 10 customers. The first: 1 to 1; the 10th: 10 to 10 by expectation, 10 with luck."),
        titles=("Customer", "Median rank", "90% interval of rank", "With luck", "Profit, 52 weeks, 90%", "In top 20%"),
        rows=[
            ("1st", "1", "1", "1 to 5", "EUR 40 to 260", "over 99%"),
            ("2nd", "3", "2 to 3", "2 to 3", "EUR 91 to 109", "50%"),
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
