"""Who leads by revenue and not by profit, counted and named."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from fakes.company_run import with_company
from fakes.drawn import check_drawings
from fakes.run import fake_run
from fakes.says import Says, check, table_of
from fakes.tiny import PEOPLE, worth_run

from clvmodels import words
from clvmodels.figures import FIGURES


def run(**told):
    """By revenue c9 leads, which is expected to cost more than it brings, then c0; by profit c0, then c1."""
    revenue = pd.Series([900.0, 80, 70, 60, 50, 40, 30, 20, 10, 1000], index=PEOPLE)
    return replace(worth_run(**told), made=pd.DataFrame({"revenue": revenue, "profit": 0.3 * revenue}))


def the_same():
    """Revenue in the order of the profit to come: nobody leads by one alone."""
    revenue = pd.Series(range(10, 0, -1), index=PEOPLE, dtype=float)
    return replace(worth_run(), made=pd.DataFrame({"revenue": revenue, "profit": revenue}))


CASES = {
    "one of two": Says(
        run,
        heading="Large by revenue, not by profit to come",
        sub=(
            "Each dot is a customer. Across: revenue to date; upwards: profit expected in 52 weeks. "
            "Lines mark the top 20%."
        ),
        caption=(
            "**1 of the 2** customers with the highest revenue to date is not among the 2 of whom the "
            "highest profit is expected (1 is in both): what was bought tells neither who is gone nor "
            "who costs more. Example: c9 at place 1 by revenue stands at place 10 by profit to come."
        ),
        alt=(
            "Square of customers by percentile of revenue to date and of expected profit; of the 2 best "
            "by revenue 1 lies below the top 20% by profit."
        ),
        titles=("First among the best by revenue only", "Place by revenue to date", "Place by expected profit"),
        rows=[("c9", "1", "10")],
    ),
    "in public": Says(
        lambda: run(public=True),
        heading="Large by revenue, not by profit to come",
        sub=(
            "Each dot is a customer. Across: revenue to date; upwards: profit expected in 52 weeks. "
            "Lines mark the top 20%."
        ),
        caption=(
            "**1 of the 2** customers with the highest revenue to date is not among the 2 of whom the "
            "highest profit is expected (1 is in both): what was bought tells neither who is gone nor "
            "who costs more. Example: the customer at place 1 by revenue stands at place 10 by profit to "
            "come."
        ),
        alt=(
            "Square of customers by percentile of revenue to date and of expected profit; of the 2 best "
            "by revenue 1 lies below the top 20% by profit."
        ),
        titles=("First among the best by revenue only", "Place by revenue to date", "Place by expected profit"),
        rows=[("1st by revenue", "1", "10")],
    ),
    "nobody": Says(
        the_same,
        heading="Large by revenue, not by profit to come",
        sub=(
            "Each dot is a customer. Across: revenue to date; upwards: profit expected in 52 weeks. "
            "Lines mark the top 20%."
        ),
        caption=(
            "**0 of the 2** customers with the highest revenue to date are not among the 2 of whom the "
            "highest profit is expected (2 are in both): what was bought tells neither who is gone nor "
            "who costs more."
        ),
        alt=(
            "Square of customers by percentile of revenue to date and of expected profit; of the 2 best "
            "by revenue 0 lie below the top 20% by profit."
        ),
        titles=("First among the best by revenue only", "Place by revenue to date", "Place by expected profit"),
        rows=[],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("revenue_profit", case)


def test_it_draws(accept_drawings):
    check_drawings("revenue_profit", CASES, accept_drawings)


@pytest.mark.parametrize("count", [50, 3000])
def test_customers_who_lead_by_revenue_and_not_by_profit_are_counted(count):
    company_run = with_company(fake_run(count, 100))
    found = table_of("revenue_profit", company_run)
    n = found.counts.iloc[0]
    top = int(0.2 * count)
    by_revenue = set(company_run.made["revenue"].nlargest(top).index)
    by_profit = set(company_run.valued.ranking["expected_mean"].nlargest(top).index)
    assert (n["top"], n["both"], n["moved"]) == (top, len(by_revenue & by_profit), len(by_revenue - by_profit))
    points = found.cells
    assert len(found.dots) == (count if points.empty else 0)
    assert points["customers"].sum() + len(found.dots) == count and len(points) <= 625
    said = FIGURES["revenue_profit"].words(found, company_run.about).caption
    assert f"**{words.count(n['moved'])} of the {words.count(top)}**" in said
    example = found.examples.iloc[0]
    assert example.revenue_place <= top < example.profit_place
    assert f"{example.customer} at place {words.count(example.revenue_place)} by revenue" in said
    by_place = company_run.made["revenue"].rank(ascending=False)
    assert by_place[example.customer] == example.revenue_place


def test_equal_customers_share_a_cell():
    company_run = with_company(fake_run(200, 100))
    same = pd.Series(1.0, index=company_run.made.index)
    found = table_of("revenue_profit", replace(company_run, made=company_run.made.assign(revenue=same)))
    assert found.cells["x"].unique().tolist() == [12]
