"""The named data sets: the simulated retailer's truth, and the readers of the public files' layouts."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import openpyxl
import pandas as pd
import pytest

from clvmodels.config.experiment import DataSection
from clvmodels.customers.summarize import summarize
from clvmodels.datasets import DATASETS, apparel, cdnow, online_retail, retailer
from clvmodels.errors import DataError


@pytest.fixture
def real(shared_data, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    return shared_data


def test_the_registry_says_what_it_holds_and_imports_nothing_heavy():
    assert set(DATASETS) >= {"retailer", "cdnow", "cdnow_master", "online_retail", "apparel"}
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert dataset.title and dataset.source and dataset.licence and dataset.columns
        assert set(dataset.defaults) >= {"time_unit", "groups"}
        assert ("calibration_end" in dataset.defaults) == ("holdout" in dataset.defaults)
        assert set(dataset.defaults) <= set(DataSection.model_fields), "an experiment may say it otherwise"
    code = (
        "import sys, clvmodels.datasets; sys.exit(sum(m in sys.modules for m in ('pandas', 'ibis', 'duckdb', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["cdnow", "online_retail", "apparel"])
def test_public_defaults_fit_the_data(real, name):
    dataset = DATASETS[name]
    table = dataset.load()
    options = {k: v for k, v in dataset.defaults.items() if k != "currency"}
    assert table.currency == dataset.defaults["currency"]
    assert len(summarize(table, **options).holdout) >= 600


def test_retailer_defaults_fit_the_data():
    options = {k: v for k, v in DATASETS["retailer"].defaults.items() if k != "currency"}
    split = summarize(DATASETS["retailer"].load(n_customers=100), **options)
    assert split.customers.table["channel"].isin(list(retailer.CHANNELS)).all()
    assert split.holdout.end == retailer.END
    assert split.holdout.periods == 26


def test_retailer_is_a_function_of_its_seed():
    made, again = retailer.generate(100, seed=3), retailer.generate(100, seed=3)
    orders, truth = made.orders, made.truth
    pd.testing.assert_frame_equal(orders, again.orders)
    pd.testing.assert_frame_equal(truth, again.truth)
    pd.testing.assert_frame_equal(truth, retailer.truth(3, 100))
    assert not orders.equals(retailer.generate(100, seed=4).orders)
    assert len(truth) == 100 and truth.index.is_unique


def test_retailer_has_what_an_importer_meets():
    made = retailer.generate(3000, seed=1)
    orders, truth = made.orders, made.truth
    assert orders["time"].is_monotonic_increasing
    assert orders["time"].min() >= retailer.START and orders["time"].max() < retailer.END + pd.Timedelta(days=1)
    assert 1 <= orders["customer_id"].isna().sum() <= 20
    assert orders.duplicated().sum() > 20
    assert 0.03 < (orders["amount"] < 0).mean() < 0.07
    per_day = orders[orders["amount"] > 0].groupby(["customer_id", orders["time"].dt.normalize()]).size()
    assert (per_day > 1).mean() > 0.03
    assert set(orders["customer_id"].dropna()) <= set(truth.index)
    assert np.array_equal(np.round(orders["amount"], 2), orders["amount"])


def test_retailer_follows_its_own_truth():
    made = retailer.generate(20_000, seed=2)
    orders, truth = made.orders, made.truth
    table = retailer.load(seed=2, n_customers=20_000)
    assert len(table) == len(orders) - table.account.loc[table.account["kind"] == "dropped", "rows"].sum()
    customers = summarize(table, groups=("channel",)).customers.table
    known = truth.loc[customers.index]
    assert (customers["channel"] == known["channel"]).all()
    active = np.minimum(known["lifetime"], (retailer.END + pd.Timedelta(days=1) - known["joined"]).dt.days / 7)
    expected = (known["purchase_rate"] * active).groupby(known["channel"]).sum()
    # Visits on one day merge into one purchase, so a few per cent are missing.
    ratio = customers["frequency"].groupby(customers["channel"]).sum() / expected
    assert ratio.between(0.93, 1.02).all()
    repeat = customers[customers["frequency"] >= 5]
    spend = repeat["monetary_value"] / known.loc[repeat.index, "mean_spend"]
    assert spend.mean() == pytest.approx(1.02, abs=0.03)
    median = {channel: c.rate for channel, c in retailer.CHANNELS.items()}
    found = truth.groupby("channel")["purchase_rate"].mean()
    assert all(found[channel] == pytest.approx(rate, rel=0.1) for channel, rate in median.items())


LINES = [("00004", "0001", "19970101", " 2", "  29.33"), ("00021", "0010", "19970118", "11", " 129.73")]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("header", ["", " customer_id  date number_of_cds  dollar_value"])
@pytest.mark.parametrize("ids", [1, 2])
def test_cdnow_is_read_in_every_layout(tmp_path, newline, header, ids):
    lines = [" " + " ".join(line[2 - ids :]) for line in LINES]
    path = tmp_path / "CDNOW.txt"
    path.write_bytes(newline.join([*([header] if header else []), *lines, ""]).encode())
    frame = cdnow.read_fixed_width(path)
    assert frame["customer_id"].tolist() == ["1", "10"]
    assert frame["amount"].astype(float).tolist() == [29.33, 129.73]
    assert cdnow.content(frame) == cdnow.Content(2, 2, 13, 15906, "1997-01-01", "1997-01-18")


def test_cdnow_with_other_content_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path))
    path = tmp_path / "cdnow" / "CDNOW_sample.txt"
    path.parent.mkdir()
    path.write_text("".join(f" {' '.join(line)}\n" for line in LINES))
    with pytest.raises(DataError, match="does not hold the data that are known") as caught:
        cdnow.load_sample()
    assert "rows should be 6919; got 2" in str(caught.value)
    path.write_text("<html>\nmoved\n</html>\n")
    with pytest.raises(DataError, match="2 of 2 lines are no records, first at line 2"):
        cdnow.load_sample()
    path.write_text("")
    with pytest.raises(DataError, match="0 of 0 lines"):
        cdnow.load_sample()


def test_online_retail_accounts_for_every_line(real):
    table = DATASETS["online_retail"].load()
    rows = dict(zip(table.account["reason"], table.account["rows"], strict=True))
    assert rows == {
        "rows read": 541_909,
        "no customer id": 135_080,
        "zero amount": 40,
        "negative amount, taken as a return": 8_905,
        "rows used": 397_884,
    }
    assert table.dropped.count().execute() == 135_080 + 40 and table.returns.count().execute() == 8_905
    split = summarize(table, groups=("country",))
    assert split.customers.table["country"].nunique() == 37
    assert any("before the table begins" in w for w in split.customers.warnings)


def workbook(path, rows, header=online_retail.COLUMNS):
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


ROWS = [
    (536365, "85123A", "HEART", 6, pd.Timestamp("2010-12-01 08:26").to_pydatetime(), 2.55, 17850, "United Kingdom"),
    ("C536366", 22752, None, -2, pd.Timestamp("2010-12-02 09:00").to_pydatetime(), 7.65, None, "EIRE"),
]


def test_the_spreadsheet_is_read_as_uci_ships_it(tmp_path, monkeypatch):
    monkeypatch.setattr(online_retail, "cache_folder", lambda: tmp_path / "cache")
    path = tmp_path / online_retail.WORKBOOK.path
    workbook(path, ROWS)
    lines = online_retail.read_workbook(path)
    assert online_retail.content(lines) == online_retail.Content(2, 1, 1, 4, 0, "2010-12-01 08:26", "2010-12-02 09:00")
    assert lines["order_line"].tolist() == ["536365 85123A", "C536366 22752"]
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path))
    monkeypatch.setattr(online_retail, "CONTENT", online_retail.content(lines))
    table = online_retail.load()
    assert len(list((tmp_path / "cache").rglob("*.parquet"))) == 1
    monkeypatch.setattr(online_retail.openpyxl, "load_workbook", None)
    assert online_retail.read_workbook(path).equals(lines)  # from the Parquet file, not from the spreadsheet
    assert table.table.execute().to_numpy().tolist()[0][0] == "17850"
    assert table.source == "Online Retail.xlsx"


def test_a_spreadsheet_with_other_columns_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(online_retail, "cache_folder", lambda: tmp_path / "cache")
    path = tmp_path / "Online Retail.xlsx"
    workbook(path, ROWS, ("Invoice", *online_retail.COLUMNS[1:6], "Customer ID", "Country"))
    with pytest.raises(DataError, match="Unknown column 'InvoiceNo'; did you mean 'Invoice'") as caught:
        online_retail.read_workbook(path)
    assert len(caught.value.problems) == 2
    workbook(path, [(*ROWS[0][:3], "six", *ROWS[0][4:])])
    with pytest.raises(DataError, match="holds other values than it should"):
        online_retail.read_workbook(path)
    path.write_text("hello")
    with pytest.raises(DataError, match="is no spreadsheet"):
        online_retail.read_workbook(path)


# ---------------------------------------------------------------------------------------------- apparel


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
