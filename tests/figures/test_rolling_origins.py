"""Totals of several days beside their forecasts, by rows worked out on paper (fakes.rolling)."""

from __future__ import annotations

import dataclasses

import pytest
from fakes.drawn import check_drawings
from fakes.rolling import fake_rolling, rolling, row
from fakes.says import Says, caption_of, check
from fakes.tiny import tiny_run

MONEY = {"quantity": "spend"}
OTHER = {"entry": "bg", "label": "BG/NBD"}


def run():
    """Two days and two holdouts: purchases once far above the 90% interval, once outside of the 50% one; spend, and
    another entry, which are told in the table of numbers alone."""
    rows = (
        row("2025-03-31", "2025-06-30", 100.0, 100.0, 10.0),
        row("2025-03-31", "2025-12-29", 300.0, 250.0, 20.0),
        row("2025-06-30", "2025-09-29", 106.0, 100.0, 10.0),
        row("2025-06-30", "2025-12-29", 210.0, 200.0, 50.0),
        row("2025-03-31", "2025-06-30", 1000.0, 1000.0, 100.0, **MONEY),
        row("2025-03-31", "2025-06-30", 50.0, 100.0, 10.0, **OTHER),
    )
    return dataclasses.replace(tiny_run(), rolling=rolling(*rows))


def both_ways():
    """The same day forecast in two ways."""
    rows = (
        row("2025-03-31", "2025-06-30", 120.0, 100.0, 10.0),
        row("2025-03-31", "2025-06-30", 120.0, 110.0, 30.0, "backtested"),
    )
    return dataclasses.replace(tiny_run(), rolling=rolling(*rows))


TITLES = ("Forecast", "Total of", "Holdout", "Totals", "Origins", "90% hold", "50% hold", "Width", "Interval score")
CASES = {
    "two days, two holdouts": Says(
        run,
        heading="Would forecasts from other days have held?",
        sub=(
            "Purchases after 2 days, in percent of the middle of the forecast that was made on that day by a fit to "
            "the data up to it. Bars: 50% and 90% intervals; dots: what came, red where it is outside."
        ),
        caption=(
            "Of 4 intervals, the model's own, **3 of the 90% ones hold** what came (a sound forecast: 3.6) and 2 of "
            "the 50% ones (2.0)."
        ),
        alt="Intervals of forecasts and dots of what came, 4 rows by day and holdout; 3 inside.",
        titles=TITLES,
        rows=[
            # widths 20/100 and 20/106; no penalty
            (
                "Pareto/NBD, by channel",
                "purchases",
                "13 weeks",
                "the model's own",
                "2",
                "100%",
                "50.0%",
                "0.19",
                "0.19",
            ),
            # widths 40/300 and 100/210; 300 lies 30 beyond 270: 20 x 30 more
            ("Pareto/NBD, by channel", "purchases", "to the end", "the model's own", "2", "50.0%", "50.0%")
            + ("0.30", "1.30"),
            ("Pareto/NBD, by channel", "spend", "13 weeks", "the model's own", "1", "100%", "100%", "0.20", "0.20"),
            # 20/50, and 20 x 40/50 more
            ("BG/NBD", "purchases", "13 weeks", "the model's own", "1", "0%", "0%", "0.40", "16.40"),
        ],
    ),
    "two ways of forecasting": Says(
        both_ways,
        heading="Would forecasts from other days have held?",
        sub=(
            "Purchases after 1 day, in percent of the middle of the forecast that was made on that day by a fit to the "
            "data up to it. Bars: 50% and 90% intervals; dots: what came, red where it is outside."
        ),
        caption=(
            "Of 1 interval, the model's own, **0 of the 90% ones hold** what came (a sound forecast: 0.9) and 0 of the "
            "50% ones (0.5). Of 1 interval, backtested, **1 of the 90% ones hold** what came (a sound forecast: 0.9) "
            "and 1 of the 50% ones (0.5)."
        ),
        alt="Intervals of forecasts and dots of what came, 2 rows by day and holdout; 1 inside.",
        titles=TITLES,
        rows=[
            ("Pareto/NBD, by channel", "purchases", "13 weeks", "the model's own", "1", "0%", "0%", "0.17", "1.83"),
            ("Pareto/NBD, by channel", "purchases", "13 weeks", "backtested", "1", "100%", "100%", "0.50", "0.50"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("rolling_origins", case)


def test_it_draws(accept_drawings):
    check_drawings("rolling_origins", CASES, accept_drawings)


def test_of_many_days_the_latest_are_drawn_and_it_says_so():
    many = dataclasses.replace(tiny_run(), rolling=fake_rolling(origins=20))
    assert "Drawn are the latest 24 of 39." in caption_of("rolling_origins", many)
