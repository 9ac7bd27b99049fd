"""Columns of numbers on the way from a table of transactions, or an RFM table, to one row a customer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.errors import DataError
from clvmodels.sources.transactions import read_transactions

ORDERS = """customer_id,date,amount,nps,business,kind,n
b,2024-01-01,5,,true,web,1
b,2024-02-01,5,7.5,True,web,1
a,2024-01-05,3,2,FALSE,shop,2
a,2024-03-05,3,3,false,shop,2
c,2024-03-06,3,nan,,shop,3
"""


@pytest.fixture
def orders(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    return path


def test_the_first_known_value_by_date_counts_and_gaps_stay_gaps(orders):
    transactions = read_transactions(orders, covariates=["nps", "business"])
    assert transactions.covariates == ("nps", "business")
    customers = summarize(transactions, covariates=["nps", "business"]).customers
    assert customers.table.loc["b", ["nps", "business"]].tolist() == [7.5, 1.0]
    assert customers.table.loc["a", ["nps", "business"]].tolist() == [2.0, 0.0]
    assert customers.table.loc["c", ["nps", "business"]].isna().all()
    assert "1 customer has several values of 'nps': the first by date counts" in customers.warnings


def test_frames_give_the_numbers_that_text_gives(orders):
    from_text = read_transactions(orders, covariates=["nps", "business", "n"]).table.execute()
    from_frame = read_transactions(pd.read_csv(orders), covariates=["nps", "business", "n"]).table.execute()
    pd.testing.assert_frame_equal(from_text, from_frame)


def test_a_column_may_be_group_and_covariate(orders):
    transactions = read_transactions(orders, groups=["kind", "n"], covariates=["n"])
    by_group = summarize(transactions, groups=["kind", "n"]).customers.table
    assert by_group["n"].tolist() == ["2", "1", "3"] and by_group["kind"].tolist() == ["shop", "web", "shop"]
    as_number = summarize(transactions, groups=["kind", "n"], covariates=["n"]).customers.table
    assert as_number["n"].tolist() == [2.0, 1.0, 3.0]


def test_words_are_no_covariate(orders):
    with pytest.raises(DataError, match=r"'kind' is no number in 5 rows, first at line 2; got 'web'\. .*groups"):
        read_transactions(orders, covariates=["nps", "kind"])
    with pytest.raises(DataError, match="Unknown covariate 'nsp'; did you mean 'nps'"):
        summarize(read_transactions(orders, covariates=["nps"]), covariates=["nsp"])
    with pytest.raises(DataError, match="Unknown column 'nsp'"):
        read_transactions(orders, covariates=["nsp"])


def test_an_rfm_table_brings_its_covariates():
    frame = pd.DataFrame(
        {"frequency": [1, 0], "recency": [2.0, 0.0], "T": [5.0, 5.0], "business": [True, None], "nps": ["1.5", "x"]},
        index=["q", "p"],
    )
    known = {"time_unit": "week", "observation_end": "2024-01-01"}
    table = Customers.from_rfm(frame, covariates=["business"], **known).table
    assert table.loc["q", "business"] == 1.0 and np.isnan(table.loc["p", "business"])
    with pytest.raises(DataError, match=r"'nps' must be a number, true or false; not so for 1 of 2 .*'p'.*groups"):
        Customers.from_rfm(frame, covariates=["nps"], **known)
