"""Where the customers of each group went: shares of the row."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import kpis, strategy_run

from clvmodels.figures import FIGURES
from clvmodels.figures.kpi_migration import _long

COLUMNS = ["of", "from_period", "to_period", "from_group", "to_group", "customers", "share", "whole"]


PLACES = {"1": 1, "2": 2, "silent": 3, "new": 4}


def migration(rows):
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.assign(from_place=table["from_group"].map(PLACES), to_place=table["to_group"].map(PLACES))


def run(before="2025 Q2", now="2025 Q3"):
    """Of 8 best customers 4 stayed, 1 fell and 3 did not buy; of 20 silent ones 5 came back; 3 were new."""
    moves = [("1", "1", 4, 0.5), ("1", "2", 1, 0.125), ("1", "silent", 3, 0.375)]
    moves += [("2", "1", 2, 0.25), ("2", "2", 6, 0.75)]
    moves += [("silent", "1", 5, 0.25), ("silent", "silent", 15, 0.75), ("new", "2", 3, 1.0)]
    rows = [("profit", before, now, *move, True) for move in moves]
    rows += [("profit", "2024 Q1", "2024 Q2", "1", "1", 99, 1.0, True), ("worth", before, now, "1", "1", 99, 1.0, True)]
    rows += [("profit", "2025 Q4", "2026 Q1", "1", "1", 99, 1.0, False)]
    return strategy_run(kpis(migration=migration(rows)))


def only_new():
    rows = [("profit", "2025-01", "2025-02", "new", "silent", 3, 1.0, True)]
    return strategy_run(kpis(migration=migration(rows)))


CASES = {
    "quarters": Says(
        run,
        heading="Where the valuable customers went",
        sub=(
            "Rows: customers in 2025 Q2, those who bought in 2 groups of one size by profit; columns: "
            "the same customers in 2025 Q3. Percent of the row; stronger blue: more."
        ),
        caption=(
            "Of the 8 best customers of 2025 Q2, **50.0% were there again** in 2025 Q3; 37.5% did not "
            "buy. Of 20 who did not buy in 2025 Q2, 25.0% came back. Part of this is luck: a good "
            "quarter is seldom followed by one as good."
        ),
        alt=(
            "Cells of shares, groups of value of 2025 Q2 against those of 2025 Q3; of the best 50.0% "
            "stay, 37.5% do not buy."
        ),
        titles=("Group", "Customers", "1, best", "2, least", "Did not buy"),
        rows=[
            ("1, best", "8", "50.0%", "12.5%", "37.5%"),
            ("2, least", "8", "25.0%", "75.0%", "0%"),
            ("Did not buy", "20", "25.0%", "0%", "75.0%"),
            ("New", "3", "0%", "100%", "0%"),
        ],
    ),
    "months": Says(
        lambda: run("2025-05", "2025-06"),
        heading="Where the valuable customers went",
        sub=(
            "Rows: customers in May 2025, those who bought in 2 groups of one size by profit; columns: "
            "the same customers in June 2025. Percent of the row; stronger blue: more."
        ),
        caption=(
            "Of the 8 best customers of May 2025, **50.0% were there again** in June 2025; 37.5% did not "
            "buy. Of 20 who did not buy in May 2025, 25.0% came back. Part of this is luck: a good month "
            "is seldom followed by one as good."
        ),
        alt=(
            "Cells of shares, groups of value of May 2025 against those of June 2025; of the best 50.0% "
            "stay, 37.5% do not buy."
        ),
        titles=("Group", "Customers", "1, best", "2, least", "Did not buy"),
        rows=[
            ("1, best", "8", "50.0%", "12.5%", "37.5%"),
            ("2, least", "8", "25.0%", "75.0%", "0%"),
            ("Did not buy", "20", "25.0%", "0%", "75.0%"),
            ("New", "3", "0%", "100%", "0%"),
        ],
    ),
    "nobody but new customers": Says(
        only_new,
        heading="Where the valuable customers went",
        sub=(
            "Rows: customers in January 2025, those who bought in 0 groups of one size by profit; "
            "columns: the same customers in February 2025. Percent of the row; stronger blue: more."
        ),
        caption="Part of this is luck: a good month is seldom followed by one as good.",
        alt="Cells of shares, groups of value of January 2025 against those of February 2025.",
        titles=("Group", "Customers", "Did not buy"),
        rows=[("New", "3", "100%")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("kpi_migration", case)


def test_it_draws(accept_drawings):
    check_drawings("kpi_migration", CASES, accept_drawings)


def test_the_best_are_those_of_the_first_group():
    found = run()
    table = FIGURES["kpi_migration"].table(found)
    table.loc[table["label"] == "2", "customers"] = 50
    assert "Of the 8 best customers" in FIGURES["kpi_migration"].words(table, found.about).caption


def test_one_group_alone_is_neither_the_best_nor_the_least():
    assert _long("1", ["1"]) == "1"
    assert [_long(name, ["1", "2", "3"]) for name in ("1", "2", "3", "new", "silent")] == [
        "1, best",
        "2",
        "3, least",
        "new",
        "did not buy",
    ]
