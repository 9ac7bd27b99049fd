"""The list to work with: one row a customer, best first, each column explained; harmless and bounded as a workbook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import openpyxl
import pandas as pd
import pytest
from fakes.company_run import with_company
from fakes.run import HOSTILE, fake_run

from clvmodels.results import customer_list as module
from clvmodels.results.customer_list import customer_list, write_workbook


def stored_rows(run) -> pd.DataFrame:
    """What `customers.parquet` holds of a run: the recommended entry at two dates, and another."""
    table = run.value_split.customers.table
    day = run.value_split.customers.observation_end.date().isoformat()
    expected = table["frequency"].to_numpy() / 10
    rows = pd.DataFrame({"customer_id": table.index, "p_alive": 0.5, "expected_purchases": expected})
    if run.valued.ranking is not None:
        names = {"expected_mean": "expected_value_mean", "realised_q5": "realised_value_q5"}
        names |= {"realised_q95": "realised_value_q95"}
        ranking = run.valued.ranking.loc[table.index].rename(columns=names).reset_index(drop=True)
        rows = rows.join(ranking[[*names.values(), "worth_mean", "worth_q5", "worth_q95", "worth_odds_top"]])
    at_value = rows.assign(entry=run.recommended, valued_at=day)
    others = [rows.assign(entry=run.recommended, valued_at="2020-01-01"), rows.assign(entry="bg", valued_at=day)]
    return pd.concat([*others, at_value], ignore_index=True)


@pytest.fixture(scope="module")
def company():
    return with_company(fake_run(80, draws=100))


def test_a_row_a_customer_of_the_recommended_entry_best_first(company):
    rows = stored_rows(company)
    found, meanings = customer_list(company, rows)
    ranking = company.valued.ranking.sort_values("expected_mean", ascending=False, kind="stable")
    assert found["customer"].tolist() == ranking.index.tolist()
    assert found["place"].tolist() == list(range(1, 81))
    assert list(found) == [
        "place",
        "customer",
        "odds of the best 20%",
        "worth",
        "worth low",
        "worth high",
        "money to come low",
        "money to come high",
        "profit so far",
        "largest cost so far",
        "odds of a loss",
        "still a customer",
        "late",
        "next purchase",
        "odds of a purchase",
        "worth at risk",
        "last order",
        "channel",
    ]
    assert meanings["column"].tolist() == list(found)
    assert meanings["meaning"].str.len().gt(10).all()


def test_each_column_is_what_it_says(company):
    found, _ = customer_list(company, stored_rows(company))
    found = found.set_index("customer")
    losses, leaving = company.losses.customers, company.leaving.customers
    customers = company.value_split.customers
    for name in found.index[:20]:
        row = found.loc[name]
        assert row["worth"] == pytest.approx(company.valued.ranking.loc[name, "worth_mean"], abs=0.005)
        assert row["profit so far"] == pytest.approx(losses.loc[name, "profit_made"], abs=0.005)
        assert row["largest cost so far"] == losses.loc[name, "largest_cost"]
        assert row["odds of a loss"] == pytest.approx(losses.loc[name, "odds_of_loss"], abs=0.0005)
        assert row["worth at risk"] == pytest.approx(leaving.loc[name, "value_at_risk"], abs=0.005)
        assert row["late"] == ("yes" if leaving.loc[name, "silence_odds"] <= 0.1 else "no")
        next_day = customers.observation_end + pd.Timedelta(days=round(7 * leaving.loc[name, "next_q50"]))
        assert row["next purchase"] == f"{next_day:%Y-%m-%d}"
        silence = customers.table.loc[name, "T"] - customers.table.loc[name, "recency"]
        last = customers.observation_end - pd.Timedelta(days=round(7 * silence))
        assert row["last order"] == f"{last:%Y-%m-%d}"
        assert row["channel"] == customers.table.loc[name, "channel"]


def test_groups_that_are_called_as_columns_of_the_list_stand_beside_them(company):
    """A group of places is called place, as likely as not."""
    valued = company.value_split.customers
    labels = ["north", "south"] * 40
    grouped = replace(valued, table=valued.table.assign(place=labels, worth=labels))
    split = replace(company.value_split, customers=grouped)
    found, meanings = customer_list(replace(company, value_split=split), stored_rows(company))
    assert found["place"].tolist() == list(range(1, 81))
    assert found["worth"].dtype == float
    of_places = grouped.table["place"].loc[found["customer"]]
    assert found["place (group)"].tolist() == of_places.tolist()
    assert {"place (group)", "worth (group)"} < {*meanings["column"]}


def test_without_value_it_is_in_the_order_of_the_purchases_expected():
    bare = fake_run(30, draws=50, value=False)
    found, meanings = customer_list(bare, stored_rows(bare))
    assert list(found) == ["place", "customer", "still a customer", "last order", "channel"]
    assert "by the purchases expected" in meanings["meaning"].iloc[0]
    expected = bare.value_split.customers.table["frequency"].loc[found["customer"]].to_numpy()
    assert (np.diff(expected) <= 0).all()


def test_the_workbook_is_the_list_and_explains_it(company, tmp_path):
    found, meanings = customer_list(company, stored_rows(company))
    found.loc[0, "next purchase"] = None
    book = openpyxl.load_workbook(write_workbook(found, meanings, tmp_path / "customers.xlsx"))
    assert book.sheetnames == ["customers", "columns"]
    rows = list(book["customers"].values)
    assert list(rows[0]) == list(found) and len(rows) == 81
    assert rows[1][3] == pytest.approx(found["worth"].iloc[0])
    assert rows[1][list(found).index("next purchase")] is None
    assert list(book["columns"].values)[1:] == [tuple(row) for row in meanings.itertuples(index=False)]
    assert [path.name for path in tmp_path.iterdir()] == ["customers.xlsx"]
    widths = {sheet.title: sheet.column_dimensions for sheet in book}
    odds = next(cell.column_letter for cell in book["customers"][1] if cell.value == "odds of a purchase")
    assert widths["customers"][odds].width >= len("odds of a purchase")
    assert widths["columns"]["B"].width >= meanings["meaning"].str.len().max()


def test_hostile_ids_run_nothing_and_break_no_sheet(tmp_path):
    table = pd.DataFrame({"customer": HOSTILE, "worth": 1.0})
    path = write_workbook(table, pd.DataFrame({"column": ["=1+1"], "meaning": ["a"]}), tmp_path / "customers.xlsx")
    book = openpyxl.load_workbook(path)
    for sheet in book:
        for cells in sheet.iter_rows():
            assert all(cell.data_type != "f" for cell in cells)
    assert [row[0] for row in book["customers"].values][3].startswith("'=cmd")


def test_a_sheet_is_bounded_and_says_what_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    meanings = pd.DataFrame({"column": ["place"], "meaning": ["Place in this list"]})
    path = write_workbook(pd.DataFrame({"place": [1, 2, 3]}), meanings, tmp_path / "customers.xlsx")
    book = openpyxl.load_workbook(path)
    assert [row[0] for row in book["customers"].values] == ["place", 1, 2]
    assert list(book["columns"].values)[-1] == (None, "1 more customer is in customers.csv")
