"""Groups by past purchases: the mean that came beside the interval of the group's mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import forecast_run, judged_as


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
            "In 1 of 2 groups the actual mean lies inside the 90% interval; 2 are expected. Outside: the "
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
