"""Who leads by revenue and not by profit, counted and named."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import PEOPLE, worth_run


def run(**told):
    """By revenue c9 leads, which is expected to cost more than it brings, then c0; by profit c0, then c1."""
    revenue = pd.Series([900.0, 80, 70, 60, 50, 40, 30, 20, 10, 1000], index=PEOPLE)
    return replace(worth_run(**told), made=pd.DataFrame({"revenue": revenue, "profit": 0.3 * revenue}))


def the_same():
    """Revenue in the order of the profit to come: nobody leads by one alone."""
    revenue = pd.Series(range(10, 0, -1), index=PEOPLE, dtype=float)
    return replace(worth_run(), made=pd.DataFrame({"revenue": revenue, "profit": revenue}))


CASES = {
    "one of two": Says(
        run,
        heading="Large by revenue, not by profit to come",
        sub=(
            "Each dot is a customer. Across: revenue to date; upwards: profit expected in 52 weeks. "
            "Lines mark the top 20%."
        ),
        caption=(
            "**1 of the 2** customers with the highest revenue to date are not among the 2 of whom the "
            "highest profit is expected (1 are in both): what was bought tells neither who is gone nor "
            "who costs more. Example: c9 at place 1 by revenue stands at place 10 by profit to come."
        ),
        alt=(
            "Square of customers by percentile of revenue to date and of expected profit; of the 2 best "
            "by revenue 1 lie below the top 20% by profit."
        ),
        titles=("First among the best by revenue only", "Place by revenue to date", "Place by expected profit"),
        rows=[("c9", "1", "10")],
    ),
    "in public": Says(
        lambda: run(public=True),
        heading="Large by revenue, not by profit to come",
        sub=(
            "Each dot is a customer. Across: revenue to date; upwards: profit expected in 52 weeks. "
            "Lines mark the top 20%."
        ),
        caption=(
            "**1 of the 2** customers with the highest revenue to date are not among the 2 of whom the "
            "highest profit is expected (1 are in both): what was bought tells neither who is gone nor "
            "who costs more. Example: the customer at place 1 by revenue stands at place 10 by profit to "
            "come."
        ),
        alt=(
            "Square of customers by percentile of revenue to date and of expected profit; of the 2 best "
            "by revenue 1 lie below the top 20% by profit."
        ),
        titles=("First among the best by revenue only", "Place by revenue to date", "Place by expected profit"),
        rows=[("1st by revenue", "1", "10")],
    ),
    "nobody": Says(
        the_same,
        heading="Large by revenue, not by profit to come",
        sub=(
            "Each dot is a customer. Across: revenue to date; upwards: profit expected in 52 weeks. "
            "Lines mark the top 20%."
        ),
        caption=(
            "**0 of the 2** customers with the highest revenue to date are not among the 2 of whom the "
            "highest profit is expected (2 are in both): what was bought tells neither who is gone nor "
            "who costs more."
        ),
        alt=(
            "Square of customers by percentile of revenue to date and of expected profit; of the 2 best "
            "by revenue 0 lie below the top 20% by profit."
        ),
        titles=("First among the best by revenue only", "Place by revenue to date", "Place by expected profit"),
        rows=[],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("revenue_profit", case)


def test_it_draws(accept_drawings):
    check_drawings("revenue_profit", CASES, accept_drawings)
