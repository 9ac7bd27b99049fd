"""Of those given a probability, how many did buy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check, plain
from fakes.tiny import forecast_run

from clvmodels.figures import FIGURES

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


def line(predicted, bought):
    """A reliability line inside its band, ten customers a step."""
    predicted, bought = np.array(predicted), np.array(bought)
    return pd.DataFrame(
        {"predicted": predicted, "bought": bought, "lower": bought - 0.1, "upper": bought + 0.1, "customers": 10}
    )


@pytest.mark.parametrize(
    ("predicted", "bought", "sentence"),
    [
        ([0.2, 0.5, 0.7], [0.2, 0.5, 0.72], "of customers given 70% about 72 of 100 did buy."),
        ([0.1, 0.3, 0.4, 0.68], [0.1, 0.33, 0.44, 0.66], "of customers given 30% about 33 of 100 did buy."),
        ([0.5, 0.7, 0.9], [0.6, 0.997, 0.998], "of customers given 70% over 99 of 100 did buy."),
        ([0.001, 0.002, 0.003], [0.001, 0.002, 0.003], "of customers given under 1% under 1 of 100 did buy."),
    ],
)
def test_the_example_is_at_70_percent_or_in_the_middle(predicted, bought, sentence):
    words = FIGURES["reliability"].words(line(predicted, bought), about())
    assert plain(words.caption).endswith(sentence)


def test_of_contracts_it_is_known_who_is_there():
    table = line([0.2, 0.5, 0.7], [0.2, 0.5, 0.7])
    sub = FIGURES["reliability"].words(table, about(time="renewals")).sub
    assert sub.endswith("held out against how often it happened (isotonic fit, CORP).")


def predicted_of(table):
    return [row[0] for row in FIGURES["reliability"].numbers(table, about()).rows]


def test_up_to_twelve_steps_are_told_and_of_more_every_tenth():
    """Of tenths which dust of floating point leaves a little low or high, all are told."""
    steps = 0.05 * np.arange(1, 13)
    assert len(predicted_of(line(steps, steps))) == 12
    tenths = [0.1 - 1e-12, 0.2 - 1e-12, 0.3, 0.4 + 1e-12, 0.5 + 1e-12, 0.6]
    halves = [0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75]
    steps = np.sort([*tenths, *halves])
    assert predicted_of(line(steps, steps)) == ["10%", "20%", "30%", "40%", "50%", "60%"]
