"""Rows in, minus each reason, rows used: it adds up."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.company_run import ACCOUNT_OF_SEVERAL, company
from fakes.run import about
from fakes.says import Says, caption_of, check, table_of
from fakes.tiny import tiny_run

from clvmodels import words
from clvmodels.figures import FIGURES, data_cleaning


def one_table(*lines):
    """Lines of (reason, rows, kind)."""
    rows = [(step, reason, "orders.csv", rows, kind) for step, (reason, rows, kind) in enumerate(lines, 1)]
    return tiny_run(account=pd.DataFrame(rows, columns=["step", "reason", "where", "rows", "kind"]))


READ, USED = ("rows read", 1000, "read"), ("rows used", 990, "used")


def several(tables=0):
    account = ACCOUNT_OF_SEVERAL
    more = pd.DataFrame(
        [(f"t{k}", 1, "rows read", f"t{k}.csv", 10, "read") for k in range(tables)], columns=list(account)
    )
    return tiny_run(account=pd.concat([account, more], ignore_index=True), company=company())


def many_reasons():
    """Six reasons in one table: four are named, the two least are added up."""
    reasons = [(f"reason {k}", "dropped", 2**k) for k in range(6)]
    rows = [("orders", 1, "rows read", "o.csv", 100, "read"), ("people", 1, "rows read", "p.csv", 5, "read")]
    rows += [("orders", 2, reason, "o.csv", number, kind) for reason, kind, number in reasons]
    return tiny_run(account=pd.DataFrame(rows, columns=list(ACCOUNT_OF_SEVERAL)))


def with_unusable():
    """Returns that no part of the value can use stand in a column of their own, with their money."""
    columns = ["source", "step", "reason", "where", "rows", "kind", "amount"]
    rows = [
        ("orders", 0, "rows read", "o.csv", 900, "read", None),
        ("orders", 1, "rows used", "o.csv", 900, "used", None),
        ("returns", 0, "rows read", "r.csv", 100, "read", None),
        ("returns", 1, "is above what was paid", "r.csv", 2, "changed", 30.0),
        ("returns", 2, "came late", "r.csv", 40, "unusable", 1234.5),
        ("returns", 3, "rows used", "r.csv", 60, "used", None),
    ]
    return tiny_run(account=pd.DataFrame(rows, columns=columns), company=company())


CASES = {
    "rows that no part can use": Says(
        with_unusable,
        heading="Rows in and rows used",
        sub="",
        caption=(
            "In each table, rows in = used + orphaned (of nobody that is known) + dropped + of no part of the value "
            "(sound, but too late, of no purchase, or above what was paid). 2 rows were changed and kept: changed is "
            "not dropped. 1 customer id was merged into another (merged.csv). Contradictions are listed in "
            "conflicts.csv and not decided (key of several customers: 2)."
        ),
        alt="960 of 1,000 rows were used.",
        titles=("Table", "Rows in", "Orphaned", "Dropped", "Of no part", "Used"),
        rows=[
            ("orders\no.csv", "900", "0", "0", "0", "900"),
            (
                "returns\nr.csv. Of no part: came late (40, EUR 1,230). Changed and kept: is above what was paid "
                "(2, EUR 30)",
                "100",
                "0",
                "0",
                "-40",
                "60",
            ),
            ("All tables", "1,000", "0", "0", "-40", "960"),
        ],
        tones={2: "total"},
    ),
    "one table": Says(
        lambda: one_table(READ, ("no customer id", 10, "dropped"), ("refund", 1, "changed"), USED),
        heading="Rows in and rows used",
        sub="",
        caption="1 row was changed and kept: changed is not dropped.",
        alt="990 of 1,000 rows were used.",
        titles=("Step", "Where", "Rows", "Share"),
        rows=[
            ("Rows read", "orders.csv", "1,000", "100%"),
            ("No customer id", "orders.csv", "-10", "1.0%"),
            ("Refund", "orders.csv", "1 changed", "0.1%"),
            ("Rows used", "orders.csv", "990", "99.0%"),
        ],
        tones={3: "total"},
    ),
    "returns stand below the rows used": Says(
        lambda: one_table(
            READ, ("zero amount", 1, "dropped"), ("negative amount", 9, "used"), ("rows used", 990, "used")
        ),
        heading="Rows in and rows used",
        sub="",
        caption="No row was changed.",
        alt="999 of 1,000 rows were used.",
        titles=("Step", "Where", "Rows", "Share"),
        rows=[
            ("Rows read", "orders.csv", "1,000", "100%"),
            ("Zero amount", "orders.csv", "-1", "0.1%"),
            ("Rows used", "orders.csv", "999", "99.9%"),
            ("of these: negative amount", "orders.csv", "9", "0.9%"),
        ],
        tones={2: "total"},
    ),
    "nothing dropped": Says(
        lambda: one_table(("rows read", 990, "read"), ("trimmed", 2, "changed"), USED),
        heading="Rows in and rows used",
        sub="",
        caption="2 rows were changed and kept: changed is not dropped.",
        alt="990 of 990 rows were used.",
        titles=("Step", "Where", "Rows", "Share"),
        rows=[
            ("Rows read", "orders.csv", "990", "100%"),
            ("Trimmed", "orders.csv", "2 changed", "0.2%"),
            ("Rows used", "orders.csv", "990", "100%"),
        ],
        tones={2: "total"},
    ),
    "three tables": Says(
        several,
        heading="Rows in and rows used",
        sub="",
        caption=(
            "In each table, rows in = used + orphaned (of nobody that is known) + dropped. 48 rows were "
            "changed and kept: changed is not dropped. 1 customer id was merged into another "
            "(merged.csv). Contradictions are listed in conflicts.csv and not decided (key of several "
            "customers: 2)."
        ),
        alt="35,716 of 36,362 rows were used.",
        titles=("Table", "Rows in", "Orphaned", "Dropped", "Used"),
        rows=[
            (
                "customers\ncrm.sqlite, customers. Orphaned: key is in no identity table (10)",
                "3,010",
                "-10",
                "0",
                "3,000",
            ),
            (
                "orders\norders.csv. Dropped: exact duplicates (391); no customer id (214)",
                "31,842",
                "0",
                "-605",
                "31,237",
            ),
            (
                (
                    "service\nservice.csv. Orphaned: key is in no identity table (29). Dropped: key belongs to "
                    "several customers (2). Changed and kept: kind was empty, taken as contact (48)"
                ),
                "1,510",
                "-29",
                "-2",
                "1,479",
            ),
            ("All tables", "36,362", "-39", "-607", "35,716"),
        ],
        tones={3: "total"},
    ),
    "more tables than are shown": Says(
        lambda: several(30),
        heading="Rows in and rows used",
        sub="",
        caption=(
            "In each table, rows in = used + orphaned (of nobody that is known) + dropped. 48 rows were "
            "changed and kept: changed is not dropped. 1 customer id was merged into another "
            "(merged.csv). Contradictions are listed in conflicts.csv and not decided (key of several "
            "customers: 2)."
        ),
        alt="36,016 of 36,662 rows were used.",
        titles=("Table", "Rows in", "Orphaned", "Dropped", "Used"),
        rows=[
            (
                "customers\ncrm.sqlite, customers. Orphaned: key is in no identity table (10)",
                "3,010",
                "-10",
                "0",
                "3,000",
            ),
            (
                "orders\norders.csv. Dropped: exact duplicates (391); no customer id (214)",
                "31,842",
                "0",
                "-605",
                "31,237",
            ),
            (
                (
                    "service\nservice.csv. Orphaned: key is in no identity table (29). Dropped: key belongs to "
                    "several customers (2). Changed and kept: kind was empty, taken as contact (48)"
                ),
                "1,510",
                "-29",
                "-2",
                "1,479",
            ),
            ("t0\nt0.csv", "10", "0", "0", "10"),
            ("t1\nt1.csv", "10", "0", "0", "10"),
            ("t2\nt2.csv", "10", "0", "0", "10"),
            ("t3\nt3.csv", "10", "0", "0", "10"),
            ("t4\nt4.csv", "10", "0", "0", "10"),
            ("t5\nt5.csv", "10", "0", "0", "10"),
            ("t6\nt6.csv", "10", "0", "0", "10"),
            ("t7\nt7.csv", "10", "0", "0", "10"),
            ("t8\nt8.csv", "10", "0", "0", "10"),
            ("t9\nt9.csv", "10", "0", "0", "10"),
            ("t10\nt10.csv", "10", "0", "0", "10"),
            ("t11\nt11.csv", "10", "0", "0", "10"),
            ("t12\nt12.csv", "10", "0", "0", "10"),
            ("t13\nt13.csv", "10", "0", "0", "10"),
            ("t14\nt14.csv", "10", "0", "0", "10"),
            ("t15\nt15.csv", "10", "0", "0", "10"),
            ("t16\nt16.csv", "10", "0", "0", "10"),
            ("t17\nt17.csv", "10", "0", "0", "10"),
            ("t18\nt18.csv", "10", "0", "0", "10"),
            ("t19\nt19.csv", "10", "0", "0", "10"),
            ("t20\nt20.csv", "10", "0", "0", "10"),
            ("t21\nt21.csv", "10", "0", "0", "10"),
            ("8 more tables\nt22.csv, t23.csv, t24.csv, t25.csv, t26.csv, t27.csv, t28.c…", "80", "0", "0", "80"),
            ("All tables", "36,662", "-39", "-607", "36,016"),
        ],
        tones={26: "total"},
    ),
    "more reasons than are named": Says(
        many_reasons,
        heading="Rows in and rows used",
        sub="",
        caption=("In each table, rows in = used + orphaned (of nobody that is known) + dropped. No row was changed."),
        alt="42 of 105 rows were used.",
        titles=("Table", "Rows in", "Orphaned", "Dropped", "Used"),
        rows=[
            (
                ("orders\no.csv. Dropped: reason 5 (32); reason 4 (16); reason 3 (8); reason 2 (4); other reasons (3)"),
                "100",
                "0",
                "-63",
                "37",
            ),
            ("people\np.csv", "5", "0", "0", "5"),
            ("All tables", "105", "0", "-63", "42"),
        ],
        tones={2: "total"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("data_cleaning", case)


def test_each_table_adds_up_and_all_of_them_do(company_run):
    found = table_of("data_cleaning", company_run)
    rows = FIGURES["data_cleaning"].numbers(found, company_run.about).rows
    assert [row[0].split("\n")[0] for row in rows] == ["customers", "orders", "service", "All tables"]
    for row in rows:
        read, orphaned, dropped, used = (int(c.replace(",", "").replace(words.MINUS, "-")) for c in row[1:])
        assert read + orphaned + dropped == used
    assert "Dropped: exact duplicates (391); no customer id (214)" in rows[1][0]
    assert "Changed and kept: kind was empty, taken as contact (48)" in rows[2][0]
    assert rows[3][1:] == ("36,362", f"{words.MINUS}39", f"{words.MINUS}607", "35,716")


def test_rows_that_are_returns_stand_apart_below_the_rows_used():
    account = pd.DataFrame(
        [
            (0, "rows read", "o.csv", 10, "read"),
            (1, "zero amount", "o.csv", 1, "dropped"),
            (2, "negative amount, taken as a return", "o.csv", 3, "used"),
            (3, "rows used", "o.csv", 6, "used"),
        ],
        columns=["step", "reason", "where", "rows", "kind"],
    )
    found = FIGURES["data_cleaning"].numbers(data_cleaning.of_account(account), about())
    assert [row[0] for row in found.rows] == [
        "Rows read",
        "Zero amount",
        "Rows used",
        "of these: negative amount, taken as a return",
    ]
    assert [row[2] for row in found.rows] == ["10", f"{words.MINUS}1", "9", "3"] and found.rows[2][3] == "90.0%"
    assert found.tones == {2: "total"}


def test_merges_and_contradictions_are_counted(company_run):
    said = caption_of("data_cleaning", company_run)
    assert "1 customer id was merged into another" in said
    assert "key of several customers: 2" in said
    assert "48 rows were changed and kept: changed is not dropped" in said


def test_reasons_of_as_many_rows_stand_in_their_own_order():
    """Twenty reasons of three rows each, the tenth of four: enough for a sort that is not stable to mix them."""
    lines = [("orders", 1, "rows read", "o.csv", 100, "read")]
    lines += [("orders", 2, f"reason {k}", "o.csv", 4 if k == 10 else 3, "dropped") for k in range(20)]
    account = pd.DataFrame(lines, columns=list(ACCOUNT_OF_SEVERAL))
    told = data_cleaning._reasons(account, about())
    assert "reason 10 (4); reason 0 (3); reason 1 (3); reason 2 (3); other reasons (48)" in told
