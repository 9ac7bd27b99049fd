"""Where each column of a customer comes from."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.company_run import company
from fakes.says import Says, check
from fakes.tiny import tiny_run


def run(more=0):
    """Ten customers: of all the frequency is known, of eight the channel, complaints of all."""
    channel = ["Shop"] * 8 + [None] * 2
    table = pd.DataFrame({"frequency": range(10), "channel": channel, "complaint_rate": 0.1})
    return tiny_run(company=company(), consolidated=table.assign(**{f"T{k}": 1.0 for k in range(more)}))


CASES = {
    "three tables": Says(
        run,
        heading="Where each column of a customer comes from",
        sub="",
        caption=(
            "consolidated.csv holds one row for each of 10 customers and 3 columns from 3 tables, as "
            "known at the date of value. Satisfaction, complaints and the like are associated with what "
            "customers do; they are not shown to cause it."
        ),
        alt="",
        titles=("Table, its columns", "Columns of a customer", "Customers known"),
        rows=[
            ("orders\norders: account, ordered_at, paid", "frequency", "10"),
            ("customers\nattributes: channel", "channel", "8"),
            ("service\ncontacts: e_mail, topic", "complaint_rate", "10"),
        ],
    ),
    "many columns": Says(
        lambda: run(14),
        heading="Where each column of a customer comes from",
        sub="",
        caption=(
            "consolidated.csv holds one row for each of 10 customers and 17 columns from 3 tables, as "
            "known at the date of value. Satisfaction, complaints and the like are associated with what "
            "customers do; they are not shown to cause it."
        ),
        alt="",
        titles=("Table, its columns", "Columns of a customer", "Customers known"),
        rows=[
            (
                "orders\norders: account, ordered_at, paid",
                "frequency, T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10 and 3 more",
                "10",
            ),
            ("customers\nattributes: channel", "channel", "8"),
            ("service\ncontacts: e_mail, topic", "complaint_rate", "10"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("origins", case)
