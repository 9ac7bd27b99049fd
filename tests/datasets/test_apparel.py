"""Apparel: the customers of CLVTools, and what is said where the tables are not there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels.customers.summarize import summarize
from clvmodels.datasets import DATASETS, apparel
from clvmodels.errors import DataError


@pytest.fixture
def real(shared_data, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    return shared_data


def test_apparel_is_the_customers_of_clvtools(real, shared_reference):
    options = DATASETS["apparel"].defaults | {"groups": ("Channel",), "covariates": ("Gender",)}
    transactions = DATASETS["apparel"].load()
    split = summarize(transactions, **{k: v for k, v in options.items() if k != "currency"})
    known = pd.read_csv(shared_reference / "apparel" / "summary.csv", dtype={"cust": str}).set_index("cust")
    table = split.customers.table.loc[known.index]
    for name, own in (("frequency", "x"), ("recency", "t.x"), ("T", "T.cal"), ("sum_log_gaps", "litt")):
        np.testing.assert_allclose(table[name], known[own], rtol=1e-12, atol=1e-12)
    assert table["Channel"].value_counts().to_dict() == {"0": 372, "1": 228}
    assert table["Gender"].sum() == 296.0


def test_apparel_says_where_it_is_to_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path))
    monkeypatch.setattr(apparel, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr("clvmodels.datasets.fetch.cache_folder", lambda: tmp_path)
    with pytest.raises(
        DataError, match=r"apparelTrans.csv is not on this machine, and there is no address.*In R: data"
    ):
        DATASETS["apparel"].load()


def test_other_tables_are_not_apparel(tmp_path, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path))
    (tmp_path / "apparel").mkdir()
    (tmp_path / apparel.ORDERS).write_text("Id,Date,Price\n1,2005-01-02,3.5\n")
    (tmp_path / apparel.STATIC).write_text("Id,Gender\n1,0\n")
    with pytest.raises(DataError, match="apparelStaticCov: has no column Channel"):
        DATASETS["apparel"].load()
    (tmp_path / apparel.STATIC).write_text("Id,Gender,Channel\n2,0,0\n")
    with pytest.raises(DataError, match="not one row for each customer"):
        DATASETS["apparel"].load()
    (tmp_path / apparel.STATIC).write_text("Id,Gender,Channel\n1,0,0\n")
    with pytest.raises(DataError, match="customers should be 600"):
        DATASETS["apparel"].load()
