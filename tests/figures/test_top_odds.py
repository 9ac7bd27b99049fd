"""Who is surely among the best: counted from 90% up and 10% down, by worth and by luck."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check, table_of
from fakes.tiny import entry, tiny_run, worth_run


def large():
    """70 customers, 14 places: 10 sure of theirs, 10 with even odds, 50 without a chance; by luck 2 are sure."""
    odds = {"worth": np.repeat([1.0, 0.4, 0.0], [10, 10, 50]), "realised": np.repeat([0.95, 0.6, 0.0], [2, 20, 48])}
    shuffled = np.random.default_rng(1).permutation(70)
    columns = {f"{series}_odds_top": found[shuffled] for series, found in odds.items()}
    ranking = pd.DataFrame(columns | {"expected_mean": odds["worth"][shuffled]}, index=[f"c{k}" for k in range(70)])
    return tiny_run(about=about(customers=70), valued=entry(ranking=ranking))


CASES = {
    "ten customers, by name": Says(
        worth_run,
        heading="Who is surely among the best 20%",
        sub=(
            "Each customer's chance of belonging to the 2 most valuable: by worth, the profit that its own habits "
            "bring in 52 weeks on average (dots), and by the profit that 52 weeks will bring (diamonds). Sure: at "
            "least 90%; surely not: at most 10%."
        ),
        caption=(
            "**1 customer** is in the top 20% with at least 90% probability, 7 have at most 10%, and 2 "
            "stand between: a list of exactly 2 names promises more than the data know. Counting the "
            "luck of 52 weeks, 0 are that sure."
        ),
        alt=(
            "Falling curve of the chance of being in the top 20% over customers: 1 above 90%, 2 between, "
            "7 below 10%. With luck it is flatter."
        ),
        titles=("Customers", "By worth", "By profit with the luck of 52 weeks"),
        rows=[("Sure, 90% or more", "1", "0"), ("In doubt", "2", "4"), ("Surely not, 10% or less", "7", "6")],
    ),
    "seventy, by curves": Says(
        large,
        heading="Who is surely among the best 20%",
        sub=(
            "Each customer's chance of belonging to the 14 most valuable: by worth, the profit that its own habits "
            "bring in 52 weeks on average (solid), and by the profit that 52 weeks will bring (dashed). Sure: at "
            "least 90%; surely not: at most 10%."
        ),
        caption=(
            "**10 customers** are in the top 20% with at least 90% probability, 50 have at most 10%, and "
            "10 stand between: a list of exactly 14 names promises more than the data know. Counting the "
            "luck of 52 weeks, 2 are that sure."
        ),
        alt=(
            "Falling curve of the chance of being in the top 20% over customers: 10 above 90%, 10 "
            "between, 50 below 10%. With luck it is flatter."
        ),
        titles=("Customers", "By worth", "By profit with the luck of 52 weeks"),
        rows=[("Sure, 90% or more", "10", "2"), ("In doubt", "10", "20"), ("Surely not, 10% or less", "50", "48")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("top_odds", case)


def test_it_draws(accept_drawings):
    check_drawings("top_odds", CASES, accept_drawings)


def test_odds_at_a_border_are_sure_or_surely_not():
    odds = np.array([0.9, 0.9 - 1e-9, 0.1 + 1e-9, 0.1, 0.0])
    ranking = pd.DataFrame(
        {"worth_odds_top": odds, "realised_odds_top": odds, "expected_mean": odds}, index=[f"c{k}" for k in range(5)]
    )
    tables = table_of("top_odds", tiny_run(about=about(customers=5), valued=entry(ranking=ranking)))
    assert tables.counts[["sure", "doubt", "out"]].to_numpy().tolist() == [[1, 2, 2]] * 2
