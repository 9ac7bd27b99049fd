"""What happened period by period; a period that is not over is not told of."""

from __future__ import annotations

import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check, plain
from fakes.tiny import kpis, strategy_run

from clvmodels.figures import FIGURES

QUARTERS = [f"{year} Q{quarter}" for year in (2024, 2025) for quarter in (1, 2, 3, 4)]


def told(kpi, periods, numbers):
    """One KPI of the whole base; the last period is not over."""
    return [
        (period, "all", "all", kpi, number, 100.0, period != periods[-1])
        for period, number in zip(periods, numbers, strict=True)
    ]


def quarters():
    """Seven whole quarters: 10, 20 .. 70 customers; 50% to 80% came back; profit of -5, 0, 5 .. 25: 70 together."""
    rows = told("active customers", QUARTERS, [10 * k for k in range(1, 9)])
    rows += told("retention", QUARTERS, [None, 0.5, 0.55, 0.6, 0.7, 0.8, 0.75, 0.1])
    rows += told("revenue", QUARTERS, [100.0 * k for k in range(1, 9)])
    rows += told("profit", QUARTERS, [5.0 * k for k in range(-1, 7)])
    rows += [
        ("2025 Q3", "channel", "Shop", "profit", 1e6, 1.0, True),
        ("2025 Q3", "all", "all", "purchases", 1e6, 1.0, True),
    ]
    return strategy_run(kpis(*rows))


def months():
    """Two months, the second not over; nothing is known of money."""
    return strategy_run(kpis(*told("active customers", ["2025-01", "2025-02"], [7, 3])), currency=None)


def nothing_whole():
    return strategy_run(kpis(*told("active customers", ["2025-01"], [7])))


CASES = {
    "quarters": Says(
        quarters,
        heading="Customers, retention, revenue and profit",
        sub=(
            "By quarter, as it happened. Retention: of those who bought in the quarter before, the share "
            "who bought again. Money in EUR. Hollow: 2025 Q4 is not over in the data."
        ),
        caption=(
            "In 2025 Q3 **70 customers** bought, after 30 a year before. Of 100 who bought in one "
            "quarter, 50 to 80 bought in the next (over 6 quarters). Whole quarters brought EUR 70.0 of "
            "profit after all costs; 1 of them lost money."
        ),
        alt=(
            "Lines of active customers, retention, revenue and profit by quarter, 2024 Q1 to 2025 Q4. "
            "Active customers from 10 to 70."
        ),
        titles=("Quarter", "Active customers", "Retention", "Revenue", "Profit"),
        rows=[
            ("2024 Q1", "10", "—", "100", "-5"),
            ("2024 Q2", "20", "50.0%", "200", "0"),
            ("2024 Q3", "30", "55.0%", "300", "5"),
            ("2024 Q4", "40", "60.0%", "400", "10"),
            ("2025 Q1", "50", "70.0%", "500", "15"),
            ("2025 Q2", "60", "80.0%", "600", "20"),
            ("2025 Q3", "70", "75.0%", "700", "25"),
            ("2025 Q4", "80", "10.0%", "800", "30"),
        ],
    ),
    "months": Says(
        months,
        heading="Customers, retention, revenue and profit",
        sub=(
            "By month, as it happened. Retention: of those who bought in the month before, the share who "
            "bought again. Hollow: February 2025 is not over in the data."
        ),
        caption="In January 2025 **7 customers** bought.",
        alt="Lines of active customers by month, 2025-01 to 2025-02. Active customers from 7 to 7.",
        titles=("Month", "Active customers"),
        rows=[("January 2025", "7"), ("February 2025", "3")],
    ),
    "nothing is whole": Says(
        nothing_whole,
        heading="Customers, retention, revenue and profit",
        sub=(
            "By month, as it happened. Retention: of those who bought in the month before, the share who "
            "bought again. Money in EUR. Hollow: January 2025 is not over in the data."
        ),
        caption="No month is whole in the data.",
        alt="Lines of active customers by month, 2025-01 to 2025-01.",
        titles=("Month", "Active customers"),
        rows=[("January 2025", "7")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("kpi_trend", case)


def test_it_draws(accept_drawings):
    check_drawings("kpi_trend", CASES, accept_drawings)


def said_of(rows):
    found = strategy_run(kpis(*rows))
    return FIGURES["kpi_trend"].words(FIGURES["kpi_trend"].table(found), found.about)


def whole(kpi, periods, numbers):
    return [(*row[:-1], True) for row in told(kpi, periods, numbers)]


def test_where_every_period_is_over_nothing_is_hollow():
    assert said_of(whole("active customers", QUARTERS, range(10, 18))).sub.endswith("Money in EUR.")


MONTHS = [f"{year}-{month:02d}" for year in (2024, 2025) for month in range(1, 13)]


@pytest.mark.parametrize(
    ("periods", "sentence"),
    [
        (QUARTERS[:4], "In 2024 Q4 **13 customers** bought."),
        (QUARTERS[:5], "In 2025 Q1 **14 customers** bought, after 10 a year before."),
        (MONTHS[:12], "In December 2024 **21 customers** bought."),
        (MONTHS[:14], "In February 2025 **23 customers** bought, after 11 a year before."),
    ],
)
def test_customers_are_compared_with_those_of_a_year_before(periods, sentence):
    numbers = range(10, 10 + len(periods))
    assert said_of(whole("active customers", periods, numbers)).caption == sentence


def test_retention_is_told_to_the_last_one_of_a_hundred():
    caption = said_of(whole("retention", QUARTERS[:3], [None, 0.51, 0.83])).caption
    assert caption == "Of 100 who bought in one quarter, 51 to 83 bought in the next (over 2 quarters)."


def test_losses_are_told_where_there_are_any():
    caption = plain(said_of(whole("profit", QUARTERS[:2], [0.0, 5.0])).caption)
    assert caption == "Whole quarters brought EUR 5.00 of profit after all costs."
