"""Groups by past purchases: the mean that came beside the interval of the group's mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import forecast_run, judged_as

from clvmodels.figures import FIGURES, style
from clvmodels.figures.calibration import _names
from clvmodels.figures.style import NARROW


def sure_and_wrong():
    """The same forecast in every draw: all groups are inside in the model's own futures, and one of two is not."""
    run = forecast_run()
    found = run.entries["pareto"].judged
    purchases = np.tile(found.futures.purchases[10], (21, 1))
    return judged_as(run, replace(found, futures=replace(found.futures, purchases=purchases)))


CASES = {
    "one of two groups": Says(
        forecast_run,
        heading="Does past frequency predict future purchases?",
        sub=(
            "Mean number of purchases per customer in 4 weeks held out, by the number before. Dots: "
            "actual; boxes: 50% and 90% intervals of the group's mean."
        ),
        caption=(
            "In 1 of 2 groups the actual mean lies inside the 90% interval; 1.8 are expected. Outside: the "
            "group with 1+ before. The intervals are those of a group's mean: a single customer scatters "
            "far more."
        ),
        alt=("Actual means and forecast boxes by past purchases, from 0.50 at 0 to 3.10 at 1+; 1 of 2 inside."),
        titles=("Purchases before", "Customers", "Actual mean", "Forecast", "90% interval"),
        rows=[("0", "20", "0.50", "0.50", "0.05 to 0.95"), ("1+", "20", "3.10", "2.50", "2.05 to 2.95")],
    ),
    "sure and wrong": Says(
        sure_and_wrong,
        heading="Does past frequency predict future purchases?",
        sub=(
            "Mean number of purchases per customer in 4 weeks held out, by the number before. Dots: "
            "actual; boxes: 50% and 90% intervals of the group's mean."
        ),
        caption=(
            "In 1 of 2 groups the actual mean lies inside the 90% interval; 2 are expected. Outside: the "
            "group with 1+ before. In the model's own futures at least 2 lie inside: **this check "
            "fails**. The intervals are those of a group's mean: a single customer scatters far more."
        ),
        alt=("Actual means and forecast boxes by past purchases, from 0.50 at 0 to 3.10 at 1+; 1 of 2 inside."),
        titles=("Purchases before", "Customers", "Actual mean", "Forecast", "90% interval"),
        rows=[("0", "20", "0.500", "0.500", "0.500"), ("1+", "20", "3.10", "2.50", "2.50")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("calibration", case)


def test_it_draws(accept_drawings):
    check_drawings("calibration", CASES, accept_drawings)


def test_numbers_of_customers_are_shortened_where_there_is_no_room():
    groups = pd.DataFrame({"frequency": ["0", "1"], "customers": [123_456, 7]})
    assert [name.split("\n")[-1] for name in _names(groups, 100)] == ["123,456", "7"]
    assert [name.split("\n")[-1] for name in _names(groups, 30)] == ["120k", "7"]


def test_the_word_at_the_last_box_ends_with_the_axes():
    """Of twelve groups a box is narrower than the word above it."""
    tables = FIGURES["calibration"].table(forecast_run())
    groups = pd.concat([tables.groups.iloc[[-1]]] * 12, ignore_index=True)
    canvas = FIGURES["calibration"].draw(tables._replace(groups=groups), forecast_run().about, NARROW)
    (axes,) = canvas.axes
    (word,) = (text for text in axes.texts if text.get_text() == "forecast")
    middle, _ = axes.transData.transform((word.get_position()[0], 0))
    right, _ = axes.transAxes.transform((1, 0))
    assert middle + style.text_width("forecast", "bold") / 2 == pytest.approx(right, abs=0.01)
