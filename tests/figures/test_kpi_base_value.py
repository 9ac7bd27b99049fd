"""What the base was worth date by date, and which dates are left out and why."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import kpis, strategy_run

from clvmodels.figures import FIGURES

COLUMNS = ["date", "kind", "of", "customers", "repeat_purchases", "q5", "q25", "q50", "q75", "q95", "left_out", "note"]


def at(day, customers, middle, note=""):
    """The worth of the base, middle - 90 to middle + 90, and of a customer in it."""
    rows = []
    for of, size in (("total", 1.0), ("customer", 1.0 / customers)):
        ends = [size * (middle + step) for step in (-90, -50, 0, 50, 90)]
        rows.append((day, "expected", of, customers, 4 * customers, *ends, "", note))
        rows.append((day, "realised", of, customers, 4 * customers, *(2 * end for end in ends), "", note))
    return rows


def left_out(day, why):
    return [(day, None, None, 8, 2, None, None, None, None, None, why, "")]


def run(*dates, **told):
    rows = [row for date in dates for row in date]
    return strategy_run(kpis(base_value=pd.DataFrame(rows, columns=COLUMNS)), **told)


GROWN = [
    left_out("2024-12-31", "8 customers: at least 100 are needed"),
    at("2025-06-30", 100, 1000.0),
    at("2025-12-29", 200, 3000.0, "failed: R-hat"),
]

CASES = {
    "two dates, one left out": Says(
        lambda: run(*GROWN),
        heading="What the base was worth, date by date",
        sub=(
            "Expected profit of 52 weeks from each date on, EUR, discounted at 12% a year, of the "
            "customers known then, by models fitted to the data up to then. Dot: median; bars: 50% and "
            "90% intervals."
        ),
        caption=(
            "On 29 December 2025 the 200 customers were expected to bring **EUR 2,910 to 3,090** (90%); "
            "on 30 June 2025 the 100 of then EUR 910 to 1,090. A customer: EUR 14.55 to 15.45 now, EUR "
            "9.1 to 10.9 then. 31 December 2024 is left out (8 customers: at least 100 are needed). A "
            "sampling check of 29 December 2025 failed: R-hat."
        ),
        alt="Intervals of the base's expected profit at 2 dates; medians from 1,000 to 3,000.",
        titles=("As of", "Customers", "Middle", "90% interval", "A customer, 90%"),
        rows=[
            ("31 December 2024", "8", "8 customers: at least 100 are needed", "—", "—"),
            ("30 June 2025", "100", "EUR 1,000", "EUR 910 to 1,090", "EUR 9.1 to 10.9"),
            ("29 December 2025", "200", "EUR 3,000", "EUR 2,910 to 3,090", "EUR 14.55 to 15.45"),
        ],
    ),
    "one date": Says(
        lambda: run(at("2025-12-29", 200, 3000.0), margin=1.0),
        heading="What the base was worth, date by date",
        sub=(
            "Expected revenue of 52 weeks from each date on, EUR, discounted at 12% a year, of the "
            "customers known then, by models fitted to the data up to then. Dot: median; bars: 50% and "
            "90% intervals."
        ),
        caption=("On 29 December 2025 the 200 customers were expected to bring **EUR 2,910 to 3,090** (90%)."),
        alt="Intervals of the base's expected revenue at 1 date; medians from 3,000 to 3,000.",
        titles=("As of", "Customers", "Middle", "90% interval", "A customer, 90%"),
        rows=[("29 December 2025", "200", "EUR 3,000", "EUR 2,910 to 3,090", "EUR 14.55 to 15.45")],
    ),
    "many left out": Says(
        lambda: run(*(left_out(f"2024-0{month}-28", "few") for month in (1, 4, 7)), at("2025-12-29", 200, 3000.0)),
        heading="What the base was worth, date by date",
        sub=(
            "Expected profit of 52 weeks from each date on, EUR, discounted at 12% a year, of the "
            "customers known then, by models fitted to the data up to then. Dot: median; bars: 50% and "
            "90% intervals."
        ),
        caption=(
            "On 29 December 2025 the 200 customers were expected to bring **EUR 2,910 to 3,090** (90%). "
            "28 January 2024 is left out (few). 28 April 2024 is left out (few). 1 more date is left "
            "out."
        ),
        alt="Intervals of the base's expected profit at 1 date; medians from 3,000 to 3,000.",
        titles=("As of", "Customers", "Middle", "90% interval", "A customer, 90%"),
        rows=[
            ("28 January 2024", "8", "few", "—", "—"),
            ("28 April 2024", "8", "few", "—", "—"),
            ("28 July 2024", "8", "few", "—", "—"),
            ("29 December 2025", "200", "EUR 3,000", "EUR 2,910 to 3,090", "EUR 14.55 to 15.45"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("kpi_base_value", case)


def test_it_draws(accept_drawings):
    check_drawings("kpi_base_value", CASES, accept_drawings)


def test_dates_beyond_the_first_two_that_are_left_out_are_counted():
    few = [left_out(f"2024-0{month}-28", "few") for month in (1, 4, 7, 9)]
    found = run(*few, at("2025-12-29", 200, 3000.0))
    figure = FIGURES["kpi_base_value"]
    caption = figure.words(figure.table(found), found.about).caption
    assert caption.endswith("28 April 2024 is left out (few). 2 more dates are left out.")
