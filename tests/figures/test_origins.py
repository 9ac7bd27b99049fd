"""Where each column of a customer comes from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.company_run import company
from fakes.run import fake_run
from fakes.says import Says, check, table_of
from fakes.tiny import tiny_run

from clvmodels.customers.experience import column_origins, consolidated
from clvmodels.customers.summarize import summarize
from clvmodels.figures import FIGURES
from clvmodels.sources.consolidation import Table, consolidate


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


def test_a_column_of_a_customer_tells_its_table():
    days = ["2025-01-01", "2025-01-20", "2025-02-01", "2025-03-01"]
    orders = pd.DataFrame({"who": ["a", "a", "b", "c"], "day": days, "paid": 10.0})
    answers = pd.DataFrame({"who": ["a", "b"], "day": days[2], "what": "nps", "score": [9, 3]})
    people = pd.DataFrame({"who": ["a", "b", "c"], "channel": ["x", "y", "y"]})
    key = {"key": "who"}
    company = consolidate(
        {
            "shop": Table(frame=orders, columns={**key, "date": "day", "amount": "paid"}),
            "asked": Table(frame=answers, role="surveys", columns={**key, "date": "day", "kind": "what"}),
            "people": Table(frame=people, role="attributes", columns=key, groups=["channel"]),
        },
        currency="EUR",
    )
    customers = summarize(company.transactions, time_unit="week").customers
    found = consolidated(company, customers)
    assert found["nps"].tolist()[:2] == [9, 3] and np.isnan(found["nps"].iloc[2])
    assert found["channel"].tolist() == ["x", "y", "y"]
    told = column_origins(company, found).set_index("column")
    assert set(told.index) == set(found.columns)
    assert told.loc["nps", ["source", "role", "customers"]].tolist() == ["asked", "surveys", 2]
    assert told.loc["channel", ["source", "own_column"]].tolist() == ["people", "channel"]
    assert told.loc["frequency", "source"] == "shop"


def test_where_columns_come_from_is_told(company_run):
    found = table_of("origins", company_run)
    assert found.set_index("column").loc["complaint_rate", "source"] == "service"
    rows = FIGURES["origins"].numbers(found, company_run.about).rows
    assert len(rows) == 3
    assert FIGURES["origins"].table(fake_run(60, 100)) is None
