"""Of those given a probability, how many did buy."""

from __future__ import annotations

import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import forecast_run

CASES = {
    "forty customers": Says(
        forecast_run,
        heading="When we say 70%, does it happen 7 times of 10?",
        sub=(
            "Predicted probability of at least one purchase in 4 weeks held out against how often it "
            "happened (isotonic fit, CORP). Being alive is never seen, so the purchase stands in for it."
        ),
        caption=(
            "The curve stays inside the grey band of pure chance on **16.7% of the range**: of customers "
            "given 65% about 90 of 100 did buy."
        ),
        alt=(
            "Reliability curve near the diagonal, in its 99% band on 16.7% of the range; given 65%, 90 of 100 bought."
        ),
        titles=("Predicted", "Bought", "Chance alone, 99%"),
        rows=[
            ("25%", "50%", "5 to 55%"),
            ("35%", "60%", "16 to 57%"),
            ("45%", "70%", "28 to 64%"),
            ("55%", "80%", "37 to 72%"),
            ("65%", "90%", "44 to 83%"),
            ("75%", "over 99%", "50 to 95%"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("reliability", case)


def test_it_draws(accept_drawings):
    check_drawings("reliability", CASES, accept_drawings)
