"""Fifths of customers by forecast: the means that came beside the intervals of the group's mean."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import money, money_run

from clvmodels.figures import FIGURES


def sure():
    """The same forecast in every draw: all fifths are inside in the model's own futures, and two of five are not."""
    spend = money()["spend"]
    return money_run({"spend": dataclasses.replace(spend, realised=np.tile(spend.realised[10], (21, 1)))})


CASES = {
    "the kind that is sold": Says(
        money_run,
        heading="Do those bring most of whom most is forecast?",
        sub=(
            "Mean profit of a customer in 4 weeks held out, EUR, by fifths of the customers from the lowest "
            "forecast to the highest. Dots: what came; boxes: 50% and 90% intervals of the mean."
        ),
        caption=(
            "In 0 of 5 groups the mean that came lies inside the 90% interval; 4.5 are expected: **this check "
            "fails**. The best group brought 120 a customer where 182 to 218 was forecast. The groups fail for spend "
            "as well."
        ),
        alt="Means that came, from 20.0 to 120, and forecast boxes by fifths; 0 of 5 inside.",
        titles=("Money and fifth", "Customers", "Came", "Forecast", "90% interval"),
        rows=[
            ("Spend, 1st fifth", "8", "100", "100", "91 to 109"),
            ("Spend, 2nd fifth", "8", "200", "200", "182 to 218"),
            ("Spend, 3rd fifth", "8", "300", "300", "273 to 327"),
            ("Spend, 4th fifth", "8", "350", "400", "364 to 436"),
            ("Spend, 5th fifth", "8", "600", "500", "455 to 545"),
            ("Profit, 1st fifth", "8", "20.0", "40.0", "36.4 to 43.6"),
            ("Profit, 2nd fifth", "8", "40", "80", "73 to 87"),
            ("Profit, 3rd fifth", "8", "60", "120", "109 to 131"),
            ("Profit, 4th fifth", "8", "70", "160", "146 to 174"),
            ("Profit, 5th fifth", "8", "120", "200", "182 to 218"),
        ],
    ),
    "spend alone, in the same draw always": Says(
        sure,
        heading="Do those bring most of whom most is forecast?",
        sub=(
            "Mean spend of a customer in 4 weeks held out, EUR, by fifths of the customers from the lowest "
            "forecast to the highest. Dots: what came; boxes: 50% and 90% intervals of the mean."
        ),
        caption=(
            "In 3 of 5 groups the mean that came lies inside the 90% interval; 5 are expected: **this check "
            "fails**. The best group brought 600 a customer where 500 was forecast."
        ),
        alt="Means that came, from 100 to 600, and forecast boxes by fifths; 3 of 5 inside.",
        titles=("Money and fifth", "Customers", "Came", "Forecast", "90% interval"),
        rows=[
            ("Spend, 1st fifth", "8", "100", "100", "100"),
            ("Spend, 2nd fifth", "8", "200", "200", "200"),
            ("Spend, 3rd fifth", "8", "300", "300", "300"),
            ("Spend, 4th fifth", "8", "350", "400", "400"),
            ("Spend, 5th fifth", "8", "600", "500", "500"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("money_fifths", case)


def test_it_draws(accept_drawings):
    check_drawings("money_fifths", CASES, accept_drawings)


def test_kinds_that_are_not_drawn_and_fail_are_named():
    figure, run = FIGURES["money_fifths"], money_run()
    tables = figure.table(run)
    spend_fails = tables._replace(inside=tables.inside.assign(holds=[False, True]))
    spend_holds = tables._replace(inside=tables.inside.assign(holds=[True, False]))
    assert figure.words(spend_fails, run.about).caption.endswith(" The groups fail for spend as well.")
    assert "as well" not in figure.words(spend_holds, run.about).caption
