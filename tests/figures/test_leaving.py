"""Who may leave: the most value at risk first, how many are late, and whom nobody can tell of."""

from __future__ import annotations

import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import worth_run

CASES = {
    "two of nine are late": Says(
        lambda: worth_run(),
        heading="Who may leave, and how much worth with them",
        sub=(
            "The most value at risk first: worth times the odds of having left by then. Filled: the chance of being a "
            "customer now; hollow: 13 weeks on."
        ),
        caption=(
            "**EUR 150 of EUR 360** worth is at risk with customers who may have left in 13 weeks, half of it with 2 "
            "customers. 2 are late for their own rhythm (so long a silence: at most 10 of 100); of 1 of them it is in "
            "doubt whether they are still there (10 to 90%). All are in leaving.csv."
        ),
        alt=(
            "For each of 8 customers two dots: the chance of being there now, and in 13 weeks. Together EUR 150 of "
            "EUR 360 is at risk."
        ),
        titles=(
            "Customer",
            "Silent for",
            "So long a silence",
            "There now",
            "There in 13 weeks",
            "Next purchase, if one comes, in weeks, 90%",
            "Worth",
            "At risk",
        ),
        rows=[
            ("c1", "1 week", "40 of 100", "90%", "50%", "1 to 20", "EUR 100", "EUR 50.0"),
            ("c3", "3 weeks", "20 of 100", "30%", "10%", "1 to 20", "EUR 50.0", "EUR 45.0"),
            ("c2", "2 weeks", "5 of 100", "60%", "60%", "1 to 20", "EUR 100", "EUR 40.0"),
            ("c4", "4 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 40.0", "EUR 4.00"),
            ("c5", "5 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 30.0", "EUR 3.00"),
            ("c6", "6 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 20.0", "EUR 2.00"),
            ("c7", "7 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 10.0", "EUR 1.000"),
            ("c8", "8 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 5.00", "EUR 0.500"),
        ],
    ),
    "a public report names nobody": Says(
        lambda: worth_run(public=True),
        heading="Who may leave, and how much worth with them",
        sub=(
            "The most value at risk first: worth times the odds of having left by then. Filled: the chance of being a "
            "customer now; hollow: 13 weeks on."
        ),
        caption=(
            "**EUR 150 of EUR 360** worth is at risk with customers who may have left in 13 weeks, half of it with 2 "
            "customers. 2 are late for their own rhythm (so long a silence: at most 10 of 100); of 1 of them it is in "
            "doubt whether they are still there (10 to 90%)."
        ),
        alt=(
            "For each of 8 customers two dots: the chance of being there now, and in 13 weeks. Together EUR 150 of "
            "EUR 360 is at risk."
        ),
        titles=(
            "Customer",
            "Silent for",
            "So long a silence",
            "There now",
            "There in 13 weeks",
            "Next purchase, if one comes, in weeks, 90%",
            "Worth",
            "At risk",
        ),
        rows=[
            ("1st", "1 week", "40 of 100", "90%", "50%", "1 to 20", "EUR 100", "EUR 50.0"),
            ("2nd", "3 weeks", "20 of 100", "30%", "10%", "1 to 20", "EUR 50.0", "EUR 45.0"),
            ("3rd", "2 weeks", "5 of 100", "60%", "60%", "1 to 20", "EUR 100", "EUR 40.0"),
            ("4th", "4 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 40.0", "EUR 4.00"),
            ("5th", "5 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 30.0", "EUR 3.00"),
            ("6th", "6 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 20.0", "EUR 2.00"),
            ("7th", "7 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 10.0", "EUR 1.000"),
            ("8th", "8 weeks", "50 of 100", "95%", "90%", "1 to 20", "EUR 5.00", "EUR 0.500"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("leaving", case)


def test_it_draws(accept_drawings):
    check_drawings("leaving", CASES, accept_drawings)
