"""The total of the base: quantiles of sums within a draw, the credit for referrals apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import fake_run
from fakes.says import Says, caption_of, check
from fakes.tiny import worth_run

from clvmodels import words
from clvmodels.figures import FIGURES

CASES = {
    "profit": Says(
        worth_run,
        heading="What the base will earn in 52 weeks",
        sub=(
            "Profit of all 10 customers, EUR, discounted at 12% a year. Bars below the dots: 50% and 90% "
            "intervals. The axis starts above 0."
        ),
        caption=(
            "The base will earn **EUR 460 to 640** in 52 weeks with 90% probability (half of the chances "
            "lie between EUR 500 and 600). The range covers these 10 customers only: customers won later "
            "are not in it."
        ),
        alt=(
            "Dot plot of the profit of the base: 50 dots in one heap around EUR 550, nine in ten from EUR 460 to 640."
        ),
        titles=("Profit, 52 weeks", "Middle", "50% interval", "90% interval"),
        rows=[
            ("Realised", "EUR 550", "EUR 500 to 600", "EUR 460 to 640"),
            ("Expected", "EUR 550", "EUR 500 to 600", "EUR 460 to 640"),
        ],
    ),
    "with a credit, which is not in the total": Says(
        lambda: worth_run(credit=20.0),
        heading="What the base will earn in 52 weeks",
        sub=(
            "Profit of all 10 customers, EUR, discounted at 12% a year. Bars below the dots: 50% and 90% "
            "intervals. The axis starts above 0."
        ),
        caption=(
            "The base will earn **EUR 460 to 640** in 52 weeks with 90% probability (half of the chances "
            "lie between EUR 500 and 600). The range covers these 10 customers only: customers won later "
            "are not in it. Credit for the customers they will bring (EUR 200, 90%) is not in it either, "
            "so that nobody is counted twice."
        ),
        alt=(
            "Dot plot of the profit of the base: 50 dots in one heap around EUR 550, nine in ten from EUR 460 to 640."
        ),
        titles=("Profit, 52 weeks", "Middle", "50% interval", "90% interval"),
        rows=[
            ("Realised", "EUR 550", "EUR 500 to 600", "EUR 460 to 640"),
            ("Expected", "EUR 550", "EUR 500 to 600", "EUR 460 to 640"),
        ],
    ),
    "with what was made so far, what it cost to win the customers taken off": Says(
        lambda: replace(worth_run(), made=pd.DataFrame({"acquisition": [-100.0, 0.0], "profit": [300.0, 50.0]})),
        heading="What the base will earn in 52 weeks",
        sub=(
            "Profit of all 10 customers, EUR, discounted at 12% a year. Bars below the dots: 50% and 90% "
            "intervals. The axis starts above 0."
        ),
        caption=(
            "The base will earn **EUR 460 to 640** in 52 weeks with 90% probability (half of the chances "
            "lie between EUR 500 and 600). The range covers these 10 customers only: customers won later "
            "are not in it. So far these customers have brought EUR 350, what it cost to win them taken off; "
            "with what is to come, EUR 810 to 990 (90%)."
        ),
        alt=(
            "Dot plot of the profit of the base: 50 dots in one heap around EUR 550, nine in ten from EUR 460 to 640."
        ),
        titles=("Profit, 52 weeks", "Middle", "50% interval", "90% interval"),
        rows=[
            ("Realised", "EUR 550", "EUR 500 to 600", "EUR 460 to 640"),
            ("Expected", "EUR 550", "EUR 500 to 600", "EUR 460 to 640"),
            ("Made so far, after acquisition", "EUR 350", "", ""),
            ("Together, realised", "EUR 900", "EUR 850 to 950", "EUR 810 to 990"),
        ],
    ),
    "revenue, without a currency and not discounted": Says(
        lambda: worth_run(margin=1.0, currency=None, annual_discount_rate=0.0),
        heading="What the base will earn in 52 weeks",
        sub=(
            "Revenue of all 10 customers, not discounted. Bars below the dots: 50% and 90% intervals. "
            "The axis starts above 0."
        ),
        caption=(
            "The base will earn **460 to 640** in 52 weeks with 90% probability (half of the chances lie "
            "between 500 and 600). The range covers these 10 customers only: customers won later are not "
            "in it."
        ),
        alt=("Dot plot of the revenue of the base: 50 dots in one heap around 550, nine in ten from 460 to 640."),
        titles=("Revenue, 52 weeks", "Middle", "50% interval", "90% interval"),
        rows=[("Realised", "550", "500 to 600", "460 to 640"), ("Expected", "550", "500 to 600", "460 to 640")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("total_value", case)


def test_it_draws(accept_drawings):
    check_drawings("total_value", CASES, accept_drawings)


def test_words_come_from_the_table(company_run, company_tables):
    """Another table, other words: no number is kept from the company_run."""
    tables = company_tables["total_value"]
    totals = tables.totals.copy()
    totals[["q5", "q25", "q50", "q75", "q95"]] *= 10
    tables = tables._replace(totals=totals, made=tables.made.assign(profit=10 * tables.made["profit"]))
    said = FIGURES["total_value"].words(tables, company_run.about).caption
    row = totals.query("total == 'value' and series == 'realised'").iloc[0]
    assert f"{round(row.q5, -4):,.0f} to {round(row.q95, -4):,.0f}" in said


def test_total_value_is_the_total_of_each_draw(company_run, company_tables):
    values = company_run.valued.values
    credit = values.parts["referrals"].realised.sum(axis=1, dtype=float)
    totals = values.realised.sum(axis=1, dtype=float) - credit
    assert (credit > 0).all()
    row = company_tables["total_value"].totals.query("total == 'value' and series == 'realised'").iloc[0]
    assert [row.q5, row.q95] == pytest.approx(np.quantile(totals, [0.05, 0.95]), rel=1e-6)
    assert len(company_tables["total_value"].dots) == 50


def test_a_total_with_a_credit_says_that_it_is_left_out(company_run):
    credit = np.quantile(company_run.valued.values.parts["referrals"].realised.sum(axis=1, dtype=float), [0.05, 0.95])
    assert words.span(*credit, currency="EUR") in caption_of("total_value", company_run)
    assert "Credit" not in caption_of("total_value", fake_run(60, 100))
    assert "Credit" in caption_of("concentration", company_run)
