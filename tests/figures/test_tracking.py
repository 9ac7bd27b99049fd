"""Weeks inside their bands, and the total."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import fake_run
from fakes.says import Says, check
from fakes.tiny import forecast_run, judged_as

from clvmodels.figures import FIGURES, style
from clvmodels.figures.figure import inside_table
from clvmodels.figures.style import NARROW, WIDE
from clvmodels.figures.tracking import _misses, _months


def too_low():
    """Every week and the total above all draws: the check fails."""
    run = forecast_run()
    entry = run.entries["pareto"]
    weeks = np.tile(np.arange(21)[:, None], (1, 4))
    found = replace(
        entry.judged,
        futures=replace(entry.judged.futures, purchases=0 * entry.judged.futures.purchases, period_purchases=0 * weeks),
    )
    return judged_as(run, found)


def rare():
    """Under 5 purchases a week: four weeks are one period, and what is left over at the far end is left out."""
    run = forecast_run()
    found = run.entries["pareto"].judged
    weekly = found.weekly.assign(purchases=[1, 2, 0, 3, 1, 2])
    return judged_as(run, replace(found, weekly=weekly))


CASES = {
    "two of four weeks": Says(
        forecast_run,
        heading="Purchases per week, actual and forecast",
        sub=(
            "Repeat purchases of all customers. Dots: actual. Blue: the model's median with 50% and 90% "
            "bands. The model saw nothing after 30 June 2025."
        ),
        caption=(
            "Of 4 held-out weeks 2 lie inside the 90% band (3.8 are expected); 2 lie above it, 0 below. "
            "That is within what the model's own futures show. The total of 72 purchases is **inside** "
            "its 90% interval (42 to 78)."
        ),
        alt=("Purchases per week, actual against the forecast band. 2 of 4 held-out points lie outside the 90% band."),
        titles=("Week from", "Actual", "Forecast", "90% interval", "Actual is"),
        rows=[
            ("1 July 2025", "10", "10", "10", "inside"),
            ("8 July 2025", "20", "20", "11 to 29", "inside"),
            ("15 July 2025", "31", "20", "11 to 29", "outside"),
            ("22 July 2025", "11", "10", "10", "outside"),
            ("All", "72", "60", "42 to 78", "inside"),
        ],
        tones={4: "total"},
    ),
    "all too low": Says(
        too_low,
        heading="Purchases per week, actual and forecast",
        sub=(
            "Repeat purchases of all customers. Dots: actual. Blue: the model's median with 50% and 90% "
            "bands. The model saw nothing after 30 June 2025."
        ),
        caption=(
            "Of 4 held-out weeks 0 lie inside the 90% band (4 are expected); 4 lie above it, 0 below. In "
            "the model's own futures at least 4 lie inside: **this check fails**. The total of 72 "
            "purchases is **above** its 90% interval (0)."
        ),
        alt=("Purchases per week, actual against the forecast band. 4 of 4 held-out points lie outside the 90% band."),
        titles=("Week from", "Actual", "Forecast", "90% interval", "Actual is"),
        rows=[
            ("1 July 2025", "10", "0", "0", "outside"),
            ("8 July 2025", "20", "0", "0", "outside"),
            ("15 July 2025", "31", "0", "0", "outside"),
            ("22 July 2025", "11", "0", "0", "outside"),
            ("All", "72", "0", "0", "outside"),
        ],
        tones={4: "total"},
    ),
    "four weeks in one": Says(
        rare,
        heading="Purchases per 4-week period, actual and forecast",
        sub=(
            "Repeat purchases of all customers. Dots: actual. Blue: the model's median with 50% and 90% "
            "bands. The model saw nothing after 30 June 2025."
        ),
        caption=(
            "Of 1 held-out 4-week period 0 lie inside the 90% band (0.9 is expected); 0 lie above it, 1 "
            "below. That is within what the model's own futures show. The total of 72 purchases is "
            "**inside** its 90% interval (42 to 78)."
        ),
        alt=(
            "Purchases per 4-week period, actual against the forecast band. 1 of 1 held-out point lies "
            "outside the 90% band."
        ),
        titles=("4-week period from", "Actual", "Forecast", "90% interval", "Actual is"),
        rows=[("1 July 2025", "6", "60", "42 to 78", "outside"), ("All", "72", "60", "42 to 78", "inside")],
        tones={1: "total"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("tracking", case)


def test_it_draws(accept_drawings):
    check_drawings("tracking", CASES, accept_drawings)


def test_tracking_counts_weeks_and_names_the_side_of_the_total(company_run, company_tables):
    tables = company_tables["tracking"]
    weeks = tables.periods.query("held_out == True")
    inside = tables.inside.iloc[0]
    assert inside.actual == (weeks.side == "inside").sum()
    assert inside.actual == ((weeks.actual >= weeks.q5) & (weeks.actual <= weeks.q95)).sum()
    high = tables._replace(total=tables.total.assign(side="above"))
    assert "**above**" in FIGURES["tracking"].words(high, company_run.about).caption
    high = high._replace(inside=tables.inside.assign(actual=3, holds=False))
    assert "this check fails" in FIGURES["tracking"].words(high, company_run.about).caption


def test_a_rare_purchase_is_tracked_by_four_weeks():
    periods = FIGURES["tracking"].table(fake_run(50, draws=100)).periods
    assert set(periods["units"]) == {4} and set(periods["unit"]) == {"week"}
    assert pd.Timestamp(periods.query("held_out == True")["start"].iloc[0]) == pd.Timestamp("2025-07-01")


@pytest.mark.parametrize(
    ("unit", "width", "periods", "places", "names"),
    [
        ("year", WIDE, 10, [0.5, 2.5, 4.5, 6.5, 8.5], ["2001", "2003", "2005", "2007", "2009"]),
        ("year", NARROW, 11, [0.5, 3.5, 6.5, 9.5], ["2001", "2004", "2007", "2010"]),
        ("month", WIDE, 3, [0.5, 1.5, 2.5], ["Jan 2001", "Feb 2001", "Mar 2001"]),
        ("day", NARROW, 6, [0.5, 2.5, 4.5], ["1 Jan", "3 Jan", "5 Jan"]),
    ],
)
def test_opportunities_are_named_by_their_time(unit, width, periods, places, names):
    starts = pd.date_range("2001-01-01", periods=periods, freq={"year": "YS", "month": "MS", "day": "D"}[unit])
    tables = FIGURES["tracking"].table(forecast_run())
    row = tables.periods.iloc[[-1]]
    table = pd.concat([row] * periods).assign(start=starts, unit=unit, units=1)
    axes = FIGURES["tracking"].draw(tables._replace(periods=table), forecast_run().about, width).axes[0]
    assert axes.get_xticks().tolist() == places
    assert [label.get_text() for label in axes.get_xticklabels()] == names


def test_whether_enough_periods_lie_inside_is_a_yes_or_no_even_where_there_is_no_row():
    types = {"actual": "int64", "expected": "float64", "lower_limit": "float64", "of": "int64", "holds": "bool"}
    for table in (FIGURES["tracking"].table(forecast_run()).inside, inside_table(None)):
        assert table.dtypes.astype(str).to_dict() == types


@pytest.mark.parametrize(
    ("months", "names"),
    [
        (9, ["Jan 2001", "Feb", "Mar"]),
        (10, ["Jan 2001", "Mar", "May"]),
        (18, ["Jan 2001", "Mar", "May"]),
        (19, ["Jan 2001", "Apr", "Jul"]),
        (27, ["Jan 2001", "Apr", "Jul"]),
        (28, ["Jan 2001", "Jul", "Jan 2002"]),
        (54, ["Jan 2001", "Jul", "Jan 2002"]),
        (55, ["2001", "2002", "2003"]),
        (108, ["2001", "2002", "2003"]),
        (109, ["2002", "2004", "2006"]),
        (217, ["2005", "2010", "2015"]),
        (541, ["2010", "2020", "2030"]),
    ],
)
def test_months_are_named_as_many_as_there_is_room_for(months, names):
    """From the first of January 2001 on, by the week."""
    end = pd.Timestamp("2001-01-01") + pd.DateOffset(months=months)
    starts = pd.Series(pd.date_range("2001-01-01", end - pd.Timedelta(weeks=1) - pd.Timedelta(days=1), freq="7D"))
    axes = style.panel(style.canvas(WIDE, 300), 46, 16, 50, 28)
    _months(axes, pd.DataFrame({"start": starts, "unit": "week", "units": 1}), True)
    told = [label.get_text() for label in axes.get_xticklabels()]
    assert told[:3] == names and len(told) <= 9
    years = [axes.get_xticks()[told.index(name)] / (365.25 / 7) for name in told if name in ("2005", "2010")]
    assert years == pytest.approx([int(name) - 2001 for name in told if name in ("2005", "2010")], abs=0.01)


def test_one_week_lies_where_two_lie():
    """In the words for those who see, and for those who hear."""
    run = forecast_run()
    figure = FIGURES["tracking"]
    tables = figure.table(run)
    outside = tables.periods.index[tables.periods["side"].isin(["above", "below"])]
    tables.periods.loc[outside[1:], "side"] = "inside"
    tables.periods.loc[outside[0], "side"] = "above"
    said = figure.words(tables._replace(inside=tables.inside.assign(actual=1, lower_limit=1, holds=False)), run.about)
    assert "1 lies inside the 90% band" in said.caption
    assert "1 lies above it, 0 below" in said.caption
    assert "at least 1 lies inside" in said.caption
    assert said.alt.endswith("1 of 4 held-out points lies outside the 90% band.")


def test_what_stands_outside_is_told_above_the_dots_that_its_words_pass():
    """Words about as wide as two periods: the peak beside them counts, the one beyond them does not."""
    axes = style.panel(style.canvas(WIDE, 300), 46, 16, 50, 28)
    actual = pd.Series([1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 1.0, 9.0])
    outside = np.array([False] * 3 + [True] + [False] * 4)
    _misses(axes, actual, outside, "2", 0, style.text_width("2", "bold"))
    (text,) = axes.texts
    assert text.get_position() == (3.5, 5.0)
    actual[4] = 9.0
    _misses(axes, actual, outside, "2", 0, style.text_width("2", "bold"))
    assert axes.texts[-1].get_position() == (3.5, 9.0)
    actual[4], actual[5] = 1.0, 9.0
    _misses(axes, actual, outside, "2", 0, style.text_width("2", "bold"))
    assert axes.texts[-1].get_position() == (3.5, 5.0)


@pytest.mark.parametrize(("totals", "end"), [("plain", "(42 to 78)."), ("backtested", "earlier forecasts missed by.")])
def test_a_total_that_has_learned_says_so(totals, end):
    run = forecast_run(totals=totals)
    assert FIGURES["tracking"].words(FIGURES["tracking"].table(run), run.about).caption.endswith(end)
