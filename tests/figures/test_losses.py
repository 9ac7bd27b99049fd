"""Who has lost money: how many, by which cost, and how many of them will again."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import made, worth_run

from clvmodels import words
from clvmodels.decisions.losses import part_columns
from clvmodels.figures import losses

CASES = {
    "three of ten, by two costs": Says(
        lambda: worth_run(so_far=made()),
        heading="Who has lost money so far, and why",
        sub=(
            "Customers whose profit to 29 December 2025 is below zero, by what cost the most. Filled: how many; blue: "
            "how many of these will cost money in 52 weeks too, 50% and 90%."
        ),
        caption=(
            "**3 of 10 customers** have lost money so far (2 before acquisition), EUR 48.0 together; the largest cost "
            "is most often service (2). In 52 weeks 1 of them will lose money again (90%), acquisition left out: of 1 "
            "the odds are 80% or more. All are in profit.csv."
        ),
        alt=(
            "For each of 2 largest costs a dot, customers who lost money so far, and an interval, those who will "
            "again. Together 3, and 1."
        ),
        titles=(
            "The greatest losses to come",
            "Profit so far",
            "Largest cost so far",
            "Expected in 52 weeks",
            "Odds of a loss",
        ),
        rows=[("c9", "EUR -37.0", "service", "EUR -5.00", "over 99%")],
    ),
    "a public report names nobody": Says(
        lambda: worth_run(so_far=made(), public=True),
        heading="Who has lost money so far, and why",
        sub=(
            "Customers whose profit to 29 December 2025 is below zero, by what cost the most. Filled: how many; blue: "
            "how many of these will cost money in 52 weeks too, 50% and 90%."
        ),
        caption=(
            "**3 of 10 customers** have lost money so far (2 before acquisition), EUR 48.0 together; the largest cost "
            "is most often service (2). In 52 weeks 1 of them will lose money again (90%), acquisition left out: of 1 "
            "the odds are 80% or more."
        ),
        alt=(
            "For each of 2 largest costs a dot, customers who lost money so far, and an interval, those who will "
            "again. Together 3, and 1."
        ),
        titles=(
            "The greatest losses to come",
            "Profit so far",
            "Largest cost so far",
            "Expected in 52 weeks",
            "Odds of a loss",
        ),
        rows=[("1st from the end", "EUR -37.0", "service", "EUR -5.00", "over 99%")],
    ),
    "nobody has lost money": Says(
        lambda: worth_run(so_far=made().assign(profit=1.0)),
        heading="Who has lost money so far, and why",
        sub=(
            "Customers whose profit to 29 December 2025 is below zero, by what cost the most. Filled: how many; blue: "
            "how many of these will cost money in 52 weeks too, 50% and 90%."
        ),
        caption="None of the 10 customers has lost money so far.",
        alt="An empty panel: no customer has lost money so far.",
        titles=(
            "The greatest losses to come",
            "Profit so far",
            "Largest cost so far",
            "Expected in 52 weeks",
            "Odds of a loss",
        ),
        rows=[],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("losses", case)


def test_without_a_cost_in_the_tables_nobody_could_lose_and_nothing_is_told():
    so_far = made()
    bare = so_far.assign(**{name: so_far[name].clip(0.0) for name in part_columns(so_far)}, profit=1.0)
    assert losses.table(worth_run(so_far=bare)) is None


def test_no_amount_is_told_finer_than_a_cent():
    row = {"customer": "a", "profit_made": -67.8, "largest_cost": "service", "to_come": -0.0409, "odds_of_loss": 0.01}
    about = SimpleNamespace(currency="EUR", horizon=52.0, time_unit="week")
    told = losses.numbers(SimpleNamespace(people=pd.DataFrame([row])), about).rows[0]
    assert told[3] == words.with_currency(f"{words.MINUS}0.04", "EUR")


def test_it_draws(accept_drawings):
    check_drawings("losses", CASES, accept_drawings)
