"""The place of each outcome in its own forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import forecast_run, judged_as

from clvmodels.figures import FIGURES
from clvmodels.metrics.judgement import reliable_share


def as_wide_as_it_should_be():
    """400 customers whose counts are one more draw of their own forecast."""
    rng = np.random.default_rng(3)
    run = forecast_run(customers=400)
    found = run.entries["pareto"].judged
    ids = np.array([f"c{k:03d}" for k in range(400)])
    draws = rng.poisson(3.0, (21, 400)).astype(np.int32)
    futures = replace(
        found.futures,
        customer_id=ids,
        purchases=draws,
        expected_purchases=1.0 * draws,
        p_alive=np.ones((21, 400)),
        p_any=np.full(400, 0.95),
    )
    table = pd.DataFrame({"frequency": 1, "recency": 1.0, "T": 26.0}, index=pd.Index(ids, name="customer_id"))
    holdout = replace(found.holdout, table=pd.DataFrame({"purchases": rng.poisson(3.0, 400)}, index=table.index))
    customers = replace(found.customers, table=table)
    judged = replace(found, futures=futures, holdout=holdout, customers=customers)
    return judged_as(run, judged)


CASES = {
    "off": Says(
        forecast_run,
        heading="Are the intervals as wide as they should be?",
        sub=(
            "Randomised PIT, the place of each customer's held-out count in its own forecast: its "
            "distribution minus the uniform one. Grey: what chance alone does, 99% simultaneous band."
        ),
        caption=(
            "The curve **leaves the band**, farthest 27.0 points below zero: the forecasts of single "
            "customers are off in place or width. 82.5% of customers fall into the middle 90% of their "
            "own forecast. Too narrow would show as a wave, first above zero, then below; too wide as "
            "the reverse; too low a forecast as a valley, too high as a hill."
        ),
        alt=("Surplus of outcomes over their place in the forecast, at most 27.0 points; it leaves the grey band."),
        titles=("Place", "Surplus, points", "Band from", "Band to"),
        rows=[
            ("0.1", "-7.5", "-10.0", "+17.5"),
            ("0.2", "-12.5", "-17.5", "+22.5"),
            ("0.3", "-15.0", "-22.5", "+25.0"),
            ("0.4", "-15.0", "-25.0", "+25.0"),
            ("0.5", "-22.5", "-25.0", "+25.0"),
            ("0.6", "-25.0", "-25.0", "+25.0"),
            ("0.7", "-20.0", "-25.0", "+22.5"),
            ("0.8", "-25.0", "-22.5", "+17.5"),
            ("0.9", "-17.5", "-17.5", "+10.0"),
        ],
    ),
    "as wide as it should be": Says(
        as_wide_as_it_should_be,
        heading="Are the intervals as wide as they should be?",
        sub=(
            "Randomised PIT, the place of each customer's held-out count in its own forecast: its "
            "distribution minus the uniform one. Grey: what chance alone does, 99% simultaneous band."
        ),
        caption=(
            "The curve **stays inside** the band: forecasts of single customers are as wide as they "
            "should be. 90.3% of customers fall into the middle 90% of their own forecast. Too narrow "
            "would show as a wave, first above zero, then below; too wide as the reverse; too low a "
            "forecast as a valley, too high as a hill."
        ),
        alt=(
            "Surplus of outcomes over their place in the forecast, at most 2.3 points; it stays inside the grey band."
        ),
        titles=("Place", "Surplus, points", "Band from", "Band to"),
        rows=[
            ("0.1", "-1.0", "-4.8", "+5.8"),
            ("0.2", "-0.8", "-6.8", "+7.3"),
            ("0.3", "-2.3", "-7.8", "+8.3"),
            ("0.4", "-0.8", "-8.5", "+8.8"),
            ("0.5", "0.0", "-8.8", "+8.8"),
            ("0.6", "-0.3", "-8.8", "+8.5"),
            ("0.7", "0.0", "-8.3", "+7.8"),
            ("0.8", "-0.3", "-7.3", "+6.8"),
            ("0.9", "-0.3", "-5.8", "+4.8"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("pit", case)


def test_it_draws(accept_drawings):
    check_drawings("pit", CASES, accept_drawings)


def test_a_good_forecast_is_inside_its_bands_and_a_bad_one_is_not(company_run, company_tables):
    assert "stays inside" in FIGURES["pit"].words(company_tables["pit"], company_run.about).caption
    assert reliable_share(company_tables["reliability"]) > 0.9
    narrow = company_tables["pit"].copy()
    narrow["surplus"] = 0.1 * np.sin(2 * np.pi * narrow["place"])
    assert "leaves the band" in FIGURES["pit"].words(narrow, company_run.about).caption


@pytest.mark.parametrize(("sign", "side"), [(1, "above"), (-1, "below")])
def test_where_the_curve_leaves_its_band_is_told_to_a_tenth(company_run, company_tables, sign, side):
    table = company_tables["pit"].copy()
    table["surplus"] = sign * 0.12345 * np.sin(np.pi * table["place"])
    caption = FIGURES["pit"].words(table, company_run.about).caption
    assert f"farthest 12.3 points {side} zero" in caption
