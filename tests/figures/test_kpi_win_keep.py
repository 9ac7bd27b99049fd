"""The cost to win against the cost to keep: quotients of sums over the last year."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check, plain
from fakes.tiny import kpis, strategy_run

from clvmodels.figures import FIGURES
from clvmodels.figures.kpi_win_keep import _money

LAST = ["2025 Q1", "2025 Q2", "2025 Q3", "2025 Q4"]


def group(by, label, won, active, winning, keeping, periods=LAST, whole=True):
    """The same in each period."""
    found = {"new customers": won, "active customers": active, "spent to win": winning, "spent to keep": keeping}
    return [(period, by, label, kpi, number, 1.0, whole) for period in periods for kpi, number in found.items()]


def run(*groups, **told):
    return strategy_run(kpis(*(row for rows in groups for row in rows)), **told)


ALL = group("all", "all", 10, 50, 120.0, 150.0)
"""In a year 40 won for 480, 12 each; 200 times a customer active for 600, 3 each."""
OF_CHANNELS = [group("channel", "Shop", 6, 30, 36.0, 90.0), group("channel", "Search", 4, 20, 84.0, 60.0)]
"""6 each in the shop, 21 by search; 3 to keep by both."""
OLD = group("all", "all", 1000, 1, 0.0, 9999.0, periods=["2024 Q4"])
PARTIAL = group("all", "all", 1000, 1, 0.0, 9999.0, periods=["2026 Q1"], whole=False)

CASES = {
    "by channel, the last year": Says(
        lambda: run(OLD, ALL, PARTIAL, *OF_CHANNELS),
        heading="The cost to win a customer, and to keep one",
        sub=(
            "2025 Q1 to 2025 Q4, EUR. Filled dot: cost of acquisition for each new customer. Hollow dot: "
            "cost of service and of keeping contacts for each active customer in a quarter."
        ),
        caption=(
            "A new customer costs **EUR 12.0** to win; an active one EUR 3.00 a quarter to keep. The "
            "dearest to win come by Search (EUR 21.0), the cheapest by Shop (EUR 6.00). Costs are "
            "averages of what was spent, not what one more customer would cost."
        ),
        alt=("Two dots for each of 2 groups: cost to win and cost to keep; all together EUR 12.0 and EUR 3.00."),
        titles=("Group", "New customers", "Spent to win", "Cost to win", "Spent to keep", "Cost to keep, a quarter"),
        rows=[
            ("Shop", "24", "EUR 144", "EUR 6.00", "EUR 360", "EUR 3.00"),
            ("Search", "16", "EUR 336", "EUR 21.0", "EUR 240", "EUR 3.00"),
            ("All", "40", "EUR 480", "EUR 12.0", "EUR 600", "EUR 3.00"),
        ],
    ),
    "nobody won": Says(
        lambda: run(
            group("all", "all", 0, 5, 7.0, 10.0, periods=["2025-03"]),
            group("country", "UK", 0, 5, 7.0, 0.0, periods=["2025-03"]),
            currency=None,
        ),
        heading="The cost to win a customer, and to keep one",
        sub=(
            "March 2025. Filled dot: cost of acquisition for each new customer. Hollow dot: cost of "
            "service and of keeping contacts for each active customer in a month."
        ),
        caption=(
            "A new customer costs **—** to win; an active one 2.00 a month to keep. Costs are averages "
            "of what was spent, not what one more customer would cost."
        ),
        alt="Two dots for each of 1 group: cost to win and cost to keep; all together — and 2.00.",
        titles=("Group", "New customers", "Spent to win", "Cost to win", "Spent to keep", "Cost to keep, a month"),
        rows=[("UK", "0", "7.00", "—", "0", "0"), ("All", "0", "7.00", "—", "10.0", "2.00")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("kpi_win_keep", case)


def test_it_draws(accept_drawings):
    check_drawings("kpi_win_keep", CASES, accept_drawings)


def said_of(*groups):
    found = run(*groups)
    table = FIGURES["kpi_win_keep"].table(found)
    return plain(FIGURES["kpi_win_keep"].words(table, found.about).caption)


def test_the_dearest_and_the_cheapest_are_of_those_who_won_anybody():
    """A group of one customer counts, one of none does not, and one group alone is not the dearest."""
    single = group("channel", "Fair", 1, 5, 90.0, 0.0, periods=["2025 Q4"])
    nobody = group("channel", "Stand", 0, 5, 900.0, 0.0)
    dearest = "The dearest to win come by Fair (EUR 90.0), the cheapest by Shop (EUR 6.00)."
    assert dearest in said_of(ALL, *OF_CHANNELS, single, nobody)
    assert "dearest" not in said_of(ALL, OF_CHANNELS[0], nobody)


def test_a_cost_that_nobody_knows_has_no_currency():
    assert _money(np.nan, about()) == "—"
    assert plain(_money(1234.0, about())) == "EUR 1,230"


def test_the_channel_is_shown_whatever_other_groups_come_before_it():
    of_countries = group("country", "UK", 10, 50, 120.0, 150.0)
    table = FIGURES["kpi_win_keep"].table(run(ALL, of_countries, *OF_CHANNELS))
    assert table["label"].tolist() == ["Shop", "Search", "all"]
    table = FIGURES["kpi_win_keep"].table(run(ALL, group("cohort", "2024", 9, 9, 9.0, 9.0), of_countries))
    assert table["label"].tolist() == ["UK", "all"]


def test_where_nobody_is_active_there_is_no_cost_to_keep_one():
    nobody = group("channel", "Closed", 5, 0, 10.0, 3.0)
    table = FIGURES["kpi_win_keep"].table(run(ALL, nobody))
    assert np.isnan(table.loc[table["label"] == "Closed", "keep"]).all()
