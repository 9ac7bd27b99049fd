"""Places of customers' money in their own forecasts, in their band and out of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import money, money_run


def as_forecast():
    """What came to each customer is one of its draws, from the lowest to the highest."""
    spend = money()["spend"]
    places = np.arange(40)
    return money_run({"spend": dataclasses.replace(spend, actual=spend.realised[places * 8 % 21, places])})


CASES = {
    "half of the profit": Says(
        money_run,
        heading="Do the ranges of a customer's profit hold?",
        sub=(
            "Randomised PIT, the place of each customer's held-out profit in its own forecast: distribution "
            "minus the uniform one. Grey: what chance alone does, 99% simultaneous band."
        ),
        caption=(
            "The curve **leaves the band**, farthest 95.0 points above zero. 100.0% of customers fall into "
            "the lowest 5% of their own forecast, 0.0% into the highest. Who bought nothing is placed at "
            "random among the futures with as much."
        ),
        alt=("Surplus of outcomes over their place in the forecast, at most 95.0 points; it leaves the grey band."),
        titles=("Place", "Surplus, points", "Band from", "Band to"),
        rows=[
            ("0.1", "+90.0", "-10.0", "+17.5"),
            ("0.2", "+80.0", "-17.5", "+22.5"),
            ("0.3", "+70.0", "-22.5", "+25.0"),
            ("0.4", "+60.0", "-25.0", "+25.0"),
            ("0.5", "+50.0", "-25.0", "+25.0"),
            ("0.6", "+40.0", "-25.0", "+25.0"),
            ("0.7", "+30.0", "-25.0", "+22.5"),
            ("0.8", "+20.0", "-22.5", "+17.5"),
            ("0.9", "+10.0", "-17.5", "+10.0"),
        ],
    ),
    "what was forecast": Says(
        as_forecast,
        heading="Do the ranges of a customer's spend hold?",
        sub=(
            "Randomised PIT, the place of each customer's held-out spend in its own forecast: distribution "
            "minus the uniform one. Grey: what chance alone does, 99% simultaneous band."
        ),
        caption=(
            "The curve **stays inside** the band. 5.0% of customers fall into the lowest 5% of their own "
            "forecast, 2.5% into the highest. Who bought nothing is placed at random among the futures with "
            "as much."
        ),
        alt=(
            "Surplus of outcomes over their place in the forecast, at most 7.5 points; it stays inside the grey band."
        ),
        titles=("Place", "Surplus, points", "Band from", "Band to"),
        rows=[
            ("0.1", "-2.5", "-10.0", "+17.5"),
            ("0.2", "0.0", "-17.5", "+22.5"),
            ("0.3", "-2.5", "-22.5", "+25.0"),
            ("0.4", "-2.5", "-25.0", "+25.0"),
            ("0.5", "0.0", "-25.0", "+25.0"),
            ("0.6", "+2.5", "-25.0", "+25.0"),
            ("0.7", "0.0", "-25.0", "+22.5"),
            ("0.8", "+2.5", "-22.5", "+17.5"),
            ("0.9", "0.0", "-17.5", "+10.0"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("money_pit", case)


def test_it_draws(accept_drawings):
    check_drawings("money_pit", CASES, accept_drawings)
