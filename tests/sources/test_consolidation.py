"""A company's tables joined on one customer: formats, accounts that add up, conflicts, order lines, wrong tables."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvmodels as clv
from clvmodels.errors import DataError
from clvmodels.results.export import write_table
from clvmodels.sources.consolidation import Company, Table, consolidate
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import read_transactions

SHOP = {"key": "account", "date": "day", "order_id": "order_no", "amount": "gross"}
ORDERS = pd.DataFrame(
    {
        "order_no": ["1", "2", "3", "4", "5"],
        "day": ["2024-01-01", "2024-02-01", "2024-02-03", "2024-03-01", "2024-03-09"],
        "account": ["A1", "A2", "a-1", "X9", "A2"],
        "gross": [10.0, 20.0, 30.0, 40.0, 50.0],
    }
)
LINES = pd.DataFrame(
    {
        "order_id": ["1", "1", "2", "3", "4", "9", "5"],
        "product_group": ["a", "b", "a", "a", "b", "c", None],
        "amount": [4.0, 6.0, 20.0, 29.0, 40.0, 1.0, 50.0],
        "cost": [0.1, 0.2, 3.0, 4.0, 5.0, 6.0, None],
    }
)
IDS = pd.DataFrame(
    [
        ("shop", "a1", "c1"),
        ("shop", "A2", "c2"),
        ("email", "Jo@X.org", "c1"),
        ("email", "both@x", "c1"),
        ("email", "both@x", "c2"),
        ("customer_id", "c7", "c1"),
        ("card", "70", "c8"),
    ],
    columns=["system", "key", "crm_id"],
)
CRM = pd.DataFrame(
    {"crm_id": ["c1", "c7", "c2", "c8"], "channel": ["web", "shop", "web", None], "age": [40, 40, None, 30]}
)
MAIL = pd.DataFrame({"e_mail": ["jo@x.ORG", "no@x", "both@x"], "day": ["2024-02-01"] * 3, "minutes": [1, 2, 3]})
COSTS = pd.DataFrame(
    {"channel": ["web", "tv", "web"], "month": ["2024-01-31", "2024-01-01", "2024-01-01"], "eur": [1.0, 2.0, 3.0]}
)
FRAMES = {"orders": ORDERS, "lines": LINES, "ids": IDS, "crm": CRM, "mail": MAIL, "costs": COSTS}


def tables(frames=FRAMES, **places) -> dict[str, Table]:
    """The tables of the little company, from frames or from places: path and table."""
    told = {
        "orders": {"role": "orders", "system": "shop", "columns": SHOP},
        "lines": {"role": "order_lines"},
        "ids": {"role": "identity", "columns": {"customer_id": "crm_id"}, "rules": {"email": "email", "shop": "code"}},
        "crm": {"role": "attributes", "columns": {"key": "crm_id"}, "groups": ("channel",), "covariates": ("age",)},
        "mail": {"role": "contacts", "system": "email", "columns": {"key": "e_mail", "date": "day"}},
        "costs": {"role": "channel_costs", "columns": {"date": "month", "amount": "eur"}},
    }
    return {name: Table(**told[name], **places.get(name, {"frame": frame})) for name, frame in frames.items()}


def plain(found: Company) -> dict[str, object]:
    """All that a company tells, without the lines and the order of rows."""
    orders = found.transactions.table.execute().assign(date=lambda t: t["date"].astype("str"))
    events = found.events.execute().drop(columns="line").assign(date=lambda t: t["date"].astype("str"))

    def tell(frame: pd.DataFrame) -> list[list[str]]:
        return sorted(frame.astype("object").where(frame.notna(), None).map(repr).to_numpy().tolist())

    account = found.account.drop(columns="where")
    return {
        "orders": tell(orders),
        "events": tell(events),
        "account": tell(account),
        "costs": tell(found.channel_costs),
        "attributes": tell(found.attributes.reset_index()),
        "merged": tell(found.merged[["customer_id", "merged"]]),
        "conflicts": tell(found.conflicts[["what", "system", "key", "values"]]),
    }


def adds_up(found: Company) -> None:
    for source, own in found.account.groupby("source"):
        counts = own.groupby("kind")["rows"].sum()
        assert counts["read"] == counts.get("used", 0) + counts.get("orphaned", 0) + counts.get("dropped", 0), source
    left_out = found.account[found.account["kind"].isin(["orphaned", "dropped"])]
    told = left_out.groupby(["source", "reason"])["rows"].sum().to_dict()
    dropped = found.dropped.execute()
    assert dropped.groupby(["source", "reason"]).size().to_dict() == told
    assert not dropped.duplicated(["source", "line"]).any()


def counts(found: Company, source: str) -> dict[str, int]:
    own = found.account[found.account["source"] == source]
    return dict(zip(own["reason"], own["rows"], strict=True))


@pytest.fixture(scope="module")
def company() -> Company:
    return consolidate(tables(), currency="EUR")


def test_the_tables_meet_in_one_customer(company):
    orders = company.transactions.table.execute().sort_values("order_id")
    assert orders["customer_id"].tolist() == ["c1", "c2", "c1", "c2"]  # shop keys are codes: A1 and a-1 are one
    np.testing.assert_allclose(orders["cost"], [0.3, 3.0, 4.0, np.nan], rtol=0, atol=1e-15)
    assert orders["amount"].tolist() == [10.0, 20.0, 30.0, 50.0]
    assert company.attributes.loc["c2", "channel"] == "web" and pd.isna(company.attributes.loc["c1", "channel"])
    assert company.attributes["age"].to_dict() == pytest.approx({"c1": 40.0, "c2": np.nan, "c8": 30.0}, nan_ok=True)
    assert company.channel_costs.to_numpy().tolist() == [
        ["tv", pd.Timestamp("2024-01-01"), 2.0],
        ["web", pd.Timestamp("2024-01-01"), 4.0],
    ]
    assert company.merged.to_numpy().tolist() == [["c1", "c7", "ids", 6]]
    assert (company.currency, company.transactions.groups, company.transactions.covariates) == (
        "EUR",
        ("channel",),
        ("age",),
    )
    assert company.roles == {"orders", "order_lines", "range", "identity", "attributes", "contacts", "channel_costs"}


def test_every_row_is_accounted_for(company):
    adds_up(company)
    assert counts(company, "orders") == {"rows read": 5, "key is in no identity table": 1, "rows used": 4}
    assert counts(company, "lines") == {
        "rows read": 7,
        "order is in no table of orders": 1,
        "its order was not used": 1,
        "rows used": 5,
    }
    assert counts(company, "mail") == {
        "rows read": 3,
        "key is in no identity table": 1,
        "key belongs to several customers": 1,
        "rows used": 1,
    }
    assert counts(company, "ids") == {"rows read": 7, "key belongs to several customers": 2, "rows used": 5}
    assert counts(company, "crm") == {"rows read": 4, "values contradict each other, left empty": 2, "rows used": 4}
    kinds = dict(zip(company.account["reason"], company.account["kind"], strict=True))
    assert kinds["order is in no table of orders"] == kinds["key is in no identity table"] == "orphaned"
    assert len(company.transactions) == 4
    assert any("1 customer of the tables has no order" in warning for warning in company.warnings)  # c8


def test_conflicts_are_listed_and_not_decided(company):
    found = company.conflicts[["what", "system", "key", "values", "where", "lines"]].to_numpy().tolist()
    assert sorted(found) == [
        ["amount of an order and its lines", "order_id", "3", "29.00 (lines) | 30.00", "lines", ""],
        ["attribute 'channel'", "customer_id", "c1", "shop | web", "crm", "1, 2"],
        ["key of several customers", "email", "both@x", "c1 | c2", "ids", "4, 5"],
    ]


def test_each_column_has_its_origin(company):
    rows = {tuple(row) for row in company.origins.to_numpy()}
    assert ("customer_id", "orders", "account", "orders") in rows
    assert ("channel", "crm", "channel", "attributes") in rows
    assert ("cost", "lines", "cost", "order_lines") in rows and ("kind", "lines", "product_group", "range") in rows
    known = {*company.transactions.table.columns, *company.attributes.columns}
    assert known <= set(company.origins["column"])


def test_the_range_is_an_event_a_group_of_an_order(company):
    frame = company.events.execute()
    frame = frame[frame["role"] == "range"].sort_values("line")
    assert frame[["customer_id", "order_id", "kind", "count", "amount"]].to_numpy().tolist() == [
        ["c1", "1", "a", 1.0, 4.0],
        ["c1", "1", "b", 1.0, 6.0],
        ["c2", "2", "a", 1.0, 20.0],
        ["c1", "3", "a", 1.0, 29.0],
    ]


def test_attributes_are_groups_and_covariates_of_the_summary(company):
    split = clv.summarize(
        company.transactions, time_unit="week", calibration_end="2024-03-09", groups=["channel"], covariates=["age"]
    )
    assert split.customers.table["channel"].to_dict() == {"c1": "(missing)", "c2": "web"}
    assert split.customers.table["age"].to_dict() == pytest.approx({"c1": 40.0, "c2": np.nan}, nan_ok=True)
    assert split.customers.table["frequency"].to_dict() == {"c1": 1, "c2": 1}


def test_all_formats_give_the_same_company(company, tmp_path):
    ORDERS.assign(day=ORDERS["day"].str[8:] + "." + ORDERS["day"].str[5:7] + ".2024 10:00").to_csv(
        tmp_path / "orders.csv", sep=";", index=False
    )
    LINES.to_parquet(tmp_path / "lines.parquet")
    with sqlite3.connect(tmp_path / "crm.sqlite") as connection:
        CRM.to_sql("customers", connection, index=False)
        IDS.to_sql("identity", connection, index=False)
    connection.close()
    MAIL.to_csv(tmp_path / "mail.csv.gz", index=False, encoding="latin-1")
    with duckdb.connect(tmp_path / "finance.duckdb") as connection:
        connection.register("costs", COSTS)
        connection.execute("CREATE TABLE spent AS SELECT * FROM costs")
    COSTS.assign(month=pd.to_datetime(COSTS["month"])).to_excel(tmp_path / "costs.xlsx", index=False)
    places = {
        "orders": {"path": "orders.csv", "date_format": "%d.%m.%Y %H:%M"},
        "lines": {"path": "lines.parquet"},
        "ids": {"path": "crm.sqlite", "table": "identity"},
        "crm": {"path": "crm.sqlite", "table": "customers"},
        "mail": {"path": "mail.csv.gz", "encoding": "latin-1"},
        "costs": {"path": "finance.duckdb"},
    }
    expected = plain(company)
    found = consolidate(tables(**places), folder=tmp_path, currency="EUR")
    assert plain(found) == expected
    places["costs"] = {"path": str(tmp_path / "costs.xlsx")}
    again = consolidate(tables(**places), folder=tmp_path, currency="EUR")
    assert plain(again) == expected and again.transactions.sha256 != found.transactions.sha256
    assert found.account["where"].unique().tolist()[:2] == ["orders.csv", "lines.parquet"]


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_changes_nothing(seed):
    mixed = {name: frame.sample(frac=1, random_state=seed) for name, frame in FRAMES.items()}
    assert plain(consolidate(tables(mixed))) == plain(consolidate(tables()))


KEY = st.sampled_from(["a", "b", " a", "", "z", "+1", "<3"])
DAYS = st.sampled_from(["2024-01-01", "2024-01-02", "2025-01-01", "", "soon"])
AMOUNTS = st.sampled_from(["1", "2.5", "0", "-3", "", "x"])
ROWS = st.lists(st.tuples(KEY, DAYS, AMOUNTS, KEY), max_size=8)


@settings(max_examples=5, deadline=None)
@given(
    orders=ROWS,
    refunds=ROWS,
    lines=ROWS,
    ids=st.lists(st.tuples(KEY, KEY), min_size=1, max_size=6),
    how=st.sampled_from(["drop", "net", "returns"]),
    duplicates=st.sampled_from(["keep", "drop"]),
)
def test_the_accounts_add_up_whatever_the_tables(orders, refunds, lines, ids, how, duplicates):
    columns = ["key", "date", "amount", "order_id"]
    good = [("good", "2024-01-01", "7", "o")]
    frames = [pd.DataFrame([*good, *rows], columns=columns) for rows in (orders, refunds, lines)]
    lined = frames[2].rename(columns={"key": "product_group"}).drop(columns="date")
    keys = [("shop", key, owner) for key, owner in ids] + [("shop", "good", "g")]
    drop = Policies("drop", "drop", "drop", "drop", duplicates, how)
    found = consolidate(
        {
            "orders": Table(frame=frames[0], system="shop"),
            "returns": Table(frame=frames[1], role="returns", system="shop"),
            "lines": Table(frame=lined, role="order_lines"),
            "ids": Table(frame=pd.DataFrame(keys, columns=["system", "key", "customer_id"]), role="identity"),
        },
        policies=drop,
        data_end="2024-12-31",
    )
    adds_up(found)
    events = found.events.execute()
    used = found.account[found.account["kind"] == "used"].set_index(["source", "reason"])["rows"]
    assert len(found.transactions) == used["orders", "rows used"]
    assert (events["source"] == "returns").sum() == used["returns", "rows used"]
    assert (events["source"] == "orders").sum() == used.get(("orders", "negative amount, taken as a return"), 0)
    known = {owner.strip() for _key, owner in ids} | {"g"}
    assert set(found.transactions.table.customer_id.execute()) <= known
    assert not (how == "returns" and (found.transactions.table.amount.execute() < 0).any())


def test_lines_are_the_orders_where_no_other_table_is():
    lines = LINES.assign(key=["a", "a", "b", "a", "b", "c", "b"], date=["2024-01-01"] * 2 + ["2024-02-01"] * 5, age=1)
    lines.loc[2, "amount"] = -20.0
    found = consolidate(
        {"lines": Table(frame=lines, role="order_lines")}, policies=Policies(refunds="returns"), covariates=["age"]
    )
    adds_up(found)
    orders = found.transactions.table.order_by("order_id").execute()
    assert orders[["order_id", "customer_id", "amount", "age"]].to_numpy().tolist() == [
        ["1", "a", 10.0, 1.0],
        ["3", "a", 29.0, 1.0],
        ["4", "b", 40.0, 1.0],
        ["5", "b", 50.0, 1.0],
        ["9", "c", 1.0, 1.0],
    ]
    assert "product_group" not in orders and len(found.transactions) == 5
    events = found.events.execute()
    assert events[events["role"] == "returns"][["order_id", "amount", "line"]].to_numpy().tolist() == [["2", 20.0, 3]]
    assert (events["role"] == "range").sum() == 5
    assert counts(found, "lines") == {"rows read": 7, "negative amount, taken as a return": 1, "rows used": 6}


def test_what_only_the_lines_tell_is_in_the_currency_of_the_order():
    orders = pd.DataFrame(
        {
            "order_id": ["1", "2", "2"],
            "key": "a",
            "date": ["2024-01-01", "2024-02-01", "2024-02-01"],
            "currency": ["EUR", "CHF", "CHF"],
        }
    )
    rates = Table(frame=pd.DataFrame({"currency": ["CHF"], "rate": [0.5]}), role="rates")
    lines = LINES.iloc[:3]
    told = {"orders": Table(frame=orders.iloc[:2]), "lines": Table(frame=lines, role="order_lines"), "rates": rates}
    found = consolidate(told, currency="EUR").transactions.table.order_by("order_id").execute()
    assert found["amount"].tolist() == [10.0, 10.0] and found["cost"].tolist() == pytest.approx([0.3, 1.5])
    own = lines.assign(currency=["CHF", "CHF", "EUR"])
    found = consolidate(told | {"lines": Table(frame=own, role="order_lines")}, currency="EUR").transactions.table
    assert found.order_by("order_id").amount.execute().tolist() == [5.0, 20.0]
    doubled = told | {"orders": Table(frame=orders.assign(amount=7.0))}
    twice = consolidate(doubled, currency="EUR").transactions.table.order_by("order_id").execute()
    assert twice["cost"].sum() == pytest.approx(1.8)  # an order of two rows has the cost of its lines once


def test_several_tables_of_orders():
    web, store = ORDERS.iloc[:2], ORDERS.iloc[2:].assign(cost=1.0)
    both = {"web": Table(frame=web, columns=SHOP), "store": Table(frame=store, columns=SHOP)}
    found = consolidate(both)
    adds_up(found)
    assert len(found.transactions) == 5 and found.transactions.table.cost.sum().execute() == 3.0
    assert found.transactions.data_start == pd.Timestamp("2024-01-01")
    with pytest.raises(DataError, match="some tables of orders have amounts and others none"):
        consolidate(both | {"fair": Table(frame=web[["account", "day"]], columns={"key": "account", "date": "day"})})


def test_negative_orders_as_returns_and_a_company_of_orders_alone():
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a"],
            "date": ["2024-01-01", "2024-01-05"],
            "amount": [10.0, -4.0],
            "order_id": ["1", "C1"],
        }
    )
    transactions = read_transactions(frame, policies=Policies(refunds="returns"), name="shop.csv", currency="EUR")
    found = Company.of(transactions)
    assert transactions.table.columns == ("customer_id", "date", "amount", "order_id") and len(transactions) == 1
    events = found.events.execute()
    assert events[["source", "role", "line", "customer_id", "kind", "amount", "order_id"]].to_numpy().tolist() == [
        ["shop.csv", "returns", 2, "a", "return", 4.0, "C1"]
    ]
    assert found.roles == {"orders", "returns"} and found.currency == "EUR"
    adds_up(found)
    none = Company.of(read_transactions(frame))
    assert none.roles == {"orders"} and none.events.count().execute() == 0
    assert none.attributes.empty and none.conflicts.empty and none.merged.empty and none.channel_costs.empty
    adds_up(none)


# what a second reading found ------------------------------------------------------------------------------------


def frame(text: str) -> pd.DataFrame:
    """Rows of words, the first the names; - is empty."""
    names, *rows = (line.split() for line in text.strip().splitlines())
    table = pd.DataFrame(rows, columns=names).replace("-", None)
    numbers = [name for name in names if name in ("amount", "cost", "rate", "minutes", "count")]
    return table.astype(dict.fromkeys(numbers, float))


@pytest.mark.parametrize(
    ("declared", "values"),
    [("integer", [1, 19.99, 0.005]), ("", [1, 19.99]), ("decimal(10,2)", [0.005]), ("boolean", [7, 2])],
)
def test_sqlite_gives_what_is_stored_whatever_the_column_is_declared_to_hold(tmp_path, declared, values):
    with sqlite3.connect(tmp_path / "s.sqlite") as shop:
        shop.execute(f"create table t (key integer, date date, amount {declared})")
        shop.executemany(
            "insert into t values (?, ?, ?)", [(2**53 + k, f"2024-01-{k + 10}", v) for k, v in enumerate(values)]
        )
        shop.execute("insert into t values (null, '2024-01-01', 1)")
    table = consolidate({"o": Table(path=tmp_path / "s.sqlite")}).transactions.table.order_by("date").execute()
    assert table["amount"].tolist() == values and table["customer_id"].nunique() == len(values)


@pytest.mark.parametrize(
    ("days", "format_", "expected"),
    [
        (("01/02/2024", "13/02/2024"), None, "2 of 2 rows have a date that cannot be read"),
        ((1706745600, 1706845600), None, "whole numbers, not dates"),
        (("31/01/2024", "01/02/2024"), "%d/%m/%Y", ["2024-01-31", "2024-02-01"]),
    ],
)
def test_dates_of_sqlite_are_never_guessed(tmp_path, days, format_, expected):
    with sqlite3.connect(tmp_path / "s.sqlite") as shop:
        shop.execute("create table t (key text, date date)")
        shop.executemany("insert into t values (?, ?)", [("a", day) for day in days])
    told = {"o": Table(path=tmp_path / "s.sqlite", date_format=format_)}
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            consolidate(told)
    else:
        found = consolidate(told).transactions.table.order_by("date").date.execute()
        assert [str(day)[:10] for day in found] == expected


def test_a_quote_that_does_not_close_loses_no_rows_in_silence(tmp_path):
    rows = [f"c{k},2024-01-{1 + k % 28:02d},4" for k in range(1000)]
    rows[3] = 'c3,"2024-01-04,4'
    (tmp_path / "q.csv").write_text("\n".join(["key,date,amount", *rows]) + "\n")
    with pytest.raises(DataError, match=r"q\.csv: a quote opens and does not close, at line 5"):
        consolidate({"o": Table(path=tmp_path / "q.csv")}, policies=Policies(unreadable="drop"))


def test_times_with_a_zone_are_instants_however_it_is_written():
    times = ["2024-01-05 02:00:00 UTC", "2024-01-05 02:00:00+00", "2024-01-05T02:00:00Z", "2024-01-05 02:00:00"]
    orders = pd.DataFrame({"key": list("abcd"), "date": times})
    found = consolidate({"o": Table(frame=orders)}, timezone="America/New_York").transactions.table.order_by(
        "customer_id"
    )
    assert [str(day)[:10] for day in found.date.execute()] == ["2024-01-04"] * 3 + ["2024-01-05"]
    with pytest.raises(DataError, match="2 of 2 rows have a date that cannot be read"):
        consolidate({"o": Table(frame=orders[:2].assign(date=["epoch", "now"]))})


def test_foreign_money_without_a_day_has_no_rate():
    won = "key date amount currency\na 2024-01-01 100 USD\nb - 100 USD\nb - 3 EUR"
    told = {
        "o": Table(frame=frame("key date amount\na 2024-01-01 1\nb 2024-01-01 1")),
        "won": Table(frame=frame(won), role="acquisition"),
        "rates": Table(frame=frame("currency date rate\nUSD 2023-01-01 0.5"), role="rates"),
    }
    with pytest.raises(DataError, match=r"1 of 3 rows have money in another currency and no date.*first at row 2"):
        consolidate(told, currency="EUR")
    found = consolidate(told, currency="EUR", policies=Policies(missing_date="drop"))
    adds_up(found)
    events = found.events.execute()
    assert events.loc[events["role"] == "acquisition", "amount"].tolist() == [50.0, 3.0]


@pytest.mark.parametrize(
    ("orders", "policies", "cost"),
    [
        ("order_id key date amount\n1 a soon 10\n1 a 2024-01-02 10", Policies(unreadable="drop"), 6.0),
        ("order_id key date amount\n1 a 2024-01-01 -4\n1 a 2024-01-02 10", Policies(refunds="returns"), 6.0),
        ("order_id key date amount\n1 a 2024-01-01 -4\n1 a 2024-01-02 10", Policies(), 6.0),
        ("order_id key date amount\n1 a 2024-01-01 5\n1 a 2024-01-01 5", Policies(duplicates="drop"), 6.0),
        ("order_id key date amount\n1 a 2024-01-01 5\n1 a 2024-01-01 5", Policies(), 6.0),
    ],
)
def test_what_lines_tell_stays_with_an_order_that_counts(orders, policies, cost):
    lines = frame("order_id cost\n1 2\n1 4")
    found = consolidate(
        {"o": Table(frame=frame(orders)), "l": Table(frame=lines, role="order_lines")}, policies=policies
    )
    adds_up(found)
    assert found.transactions.table.cost.sum().execute() == cost


def test_a_copied_order_whose_amount_its_lines_tell_is_a_copy():
    orders = frame("order_id key date\n1 a 2024-01-01\n1 a 2024-01-01\n2 b 2024-01-01")
    lines = frame("order_id amount\n1 2\n1 4\n2 5")
    told = {"o": Table(frame=orders), "l": Table(frame=lines, role="order_lines")}
    found = consolidate(told, policies=Policies(duplicates="drop"))
    adds_up(found)
    assert sorted(found.transactions.table.amount.execute()) == [5.0, 6.0]


def test_an_order_number_of_two_tables_is_told_and_no_rate_is_guessed():
    back = frame("order_id date amount\n1 2024-02-01 50")
    told = {
        "one": Table(frame=frame("order_id key date amount currency\n1 a 2024-01-01 5 EUR")),
        "two": Table(frame=frame("order_id key date amount currency\n1 a 2024-01-02 50 USD")),
        "back": Table(frame=back, role="returns", currency="order"),
        "rates": Table(frame=frame("currency rate\nUSD 0.5"), role="rates"),
    }
    found = consolidate(told, currency="EUR")
    adds_up(found)
    assert counts(found, "back") == {"rows read": 1, "its order has several currencies": 1, "rows used": 0}
    assert any("1 order id stands in several tables of orders" in text for text in found.warnings)
    assert "order of several tables" in set(found.conflicts["what"])


def test_lines_without_an_amount_and_numbers_below_0_are_told():
    orders = Table(frame=frame("order_id key date\n1 a 2024-01-01"))
    lines = Table(frame=frame("order_id amount\n1 5\n1 -"), role="order_lines")
    with pytest.raises(DataError, match="l: 1 of 2 rows have no amount, first at row 2"):
        consolidate({"o": orders, "l": lines})
    calls = Table(frame=frame("key date minutes\na 2024-01-01 -50\na 2024-01-02 5"), role="contacts")
    with pytest.raises(DataError, match="c: 1 of 2 rows have a number below 0, first at row 1"):
        consolidate({"o": orders, "c": calls})


def test_keys_of_systems_that_nothing_joins_are_refused():
    orders = Table(frame=frame("key date\na 2024-01-01"), system="crm")
    mail = Table(frame=frame("key date\na@x 2024-01-01"), role="contacts", system="email")
    with pytest.raises(DataError, match="keys of several systems and no table that says whose they are: crm, email"):
        consolidate({"o": orders, "m": mail})
    ids = Table(frame=frame("system key customer_id\ncrm a c\nemail a@x c"), role="identity", rules={"emial": "email"})
    with pytest.raises(DataError, match="rules: Unknown system 'emial'; did you mean 'email'"):
        consolidate({"o": orders, "m": mail, "i": ids})


def test_groups_of_lines_beside_orders_are_refused():
    lines = Table(frame=frame("order_id colour\n1 red"), role="order_lines", groups=("colour",))
    with pytest.raises(DataError, match="'colour' of their lines means nothing"):
        consolidate({"o": Table(frame=frame("order_id key date\n1 a 2024-01-01")), "l": lines})


def test_a_duplicate_line_of_an_unknown_order_is_left_out_once():
    lines = Table(frame=frame("order_id amount\n9 5\n9 5\n1 5"), role="order_lines")
    orders = Table(frame=frame("order_id key date amount\n1 a 2024-01-01 5"))
    found = consolidate({"o": orders, "l": lines}, policies=Policies(duplicates="drop"))
    adds_up(found)
    assert found.dropped.count().execute() == 2


def test_a_table_of_which_nothing_can_be_read_is_left_out_whole(tmp_path):
    (tmp_path / "c.csv").write_text("key,date\na,2024-01-01,x\nb,2024-01-01,y\n")
    told = {"o": Table(frame=frame("key date\na 2024-01-01")), "c": Table(path=tmp_path / "c.csv", role="contacts")}
    found = consolidate(told, policies=Policies(unreadable="drop"))
    adds_up(found)
    assert found.dropped.count().execute() == 2


def test_a_return_that_two_tables_tell_is_told_of():
    orders = Table(frame=frame("order_id key date amount\n1 a 2024-01-01 10\n2 a 2024-01-09 -10"))
    back = Table(frame=frame("order_id date amount\n1 2024-01-09 10"), role="returns")
    found = consolidate({"o": orders, "b": back}, policies=Policies(refunds="returns"))
    adds_up(found)
    assert any("1 return stands in several tables" in text for text in found.warnings)
    alone = consolidate({"o": orders}, policies=Policies(refunds="returns"))
    assert not any("returns stand" in text for text in alone.warnings)


def test_a_workbook_may_have_short_rows(tmp_path):
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (["key", "date", "amount", "note"], ["a", "2024-01-01", 4], ["b", "2024-01-02", 5, "x"]):
        sheet.append(row)
    book.save(tmp_path / "o.xlsx")
    assert len(consolidate({"o": Table(path=tmp_path / "o.xlsx")}).transactions) == 2


def test_a_currency_without_a_rate_does_not_hide_what_else_is_wrong():
    orders = frame("key date amount currency\na 2024-01-01 1 EUR\nb soon 1 EUR\nc 2024-01-01 1 JPY")
    for told in ({"o": Table(frame=orders)}, {"o": Table(frame=orders[:1]), "r": Table(frame=orders, role="returns")}):
        with pytest.raises(DataError) as caught:
            consolidate(told, currency="EUR")
        text = str(caught.value)
        assert "JPY in 1 row, first at row 3" in text and "1 of 3 rows have a date that cannot be read" in text


# hostile text -----------------------------------------------------------------------------------------------------


def test_hostile_ids_are_refused_each_with_its_place():
    """HTML, a formula, another column's text: one refusal that names file, column and row."""
    ids = ["17", "<script>alert(1)</script>", "=HYPERLINK(1)", "-2+cmd|' /C calc'!A0", "@SUM(1)", "x" * 10_000]
    frame = pd.DataFrame({"key": ids, "date": "2024-01-01", "amount": 1.0})
    with pytest.raises(DataError) as caught:
        consolidate({"orders": Table(frame=frame)})
    assert [str(problem) for problem in caught.value.problems] == [
        "orders: an id of over 500 characters in column 'key', first at row 6"
        f"; got {'x' * 40!r}. Ids are short: is it another column?",
        "orders: an id that is HTML in column 'key', first at row 2; got '<script>alert(1)</script>'. "
        "Ids are plain text: correct the table, or name another column",
        "orders: an id that is a spreadsheet's formula in column 'key', first at row 3; got '=HYPERLINK(1)'. "
        "Ids are plain text: correct the table, or name another column",
    ]
    plain = ["+49 30 1234", "-7", "@anna", "a<b", "a & b", "O'Neil", "<3"]
    frame = pd.DataFrame({"key": plain, "date": "2024-01-01", "amount": 1.0})
    assert set(consolidate({"orders": Table(frame=frame)}).transactions.table.customer_id.execute()) == set(plain)


def test_hostile_names_are_text_and_harmless_on_the_way_out(tmp_path):
    ids = ["+49 30 1234", "@anna", "x" * 500]
    frame = pd.DataFrame({"key": ids, "date": "2024-01-01", "amount": 1.0})
    found = consolidate({"<i>orders</i>": Table(frame=frame), "b": Table(frame=frame, role="returns")})
    assert set(found.transactions.table.customer_id.execute()) == set(ids)
    assert "<i>" not in found._repr_html_() and "2 tables" in repr(found)
    path = write_table(found.events.execute().set_index("customer_id"), tmp_path / "events.csv")
    assert "\n'+49" in path.read_text() and "\n'@anna" in path.read_text() and "\n+" not in path.read_text()


GOOD = "key;date;amount\na;2024-01-01;1\n"


def refused(tmp_path: Path, content: str | bytes, name: str = "bad.csv", role: str = "returns", **options) -> str:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as caught:
        consolidate({"orders": Table(frame=ORDERS, columns=SHOP), "bad": Table(path=path, role=role, **options)})
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("date;amount\n2024-01-01;1\n", "bad.csv: Unknown column 'key'. Known: date, amount; say"),
        ("", "bad.csv: the file is empty (0 bytes)"),
        ("key;date;amount\n", "bad.csv: the table has a header and no rows"),
        (GOOD + "b;01.02.2024;1\n", "1 of 2 rows have a date that cannot be read, first at line 3; got key=b | "),
        ((GOOD + "José;2024-01-01;1\n").encode("latin-1"), "bad.csv: is not utf-8 text, first at line 3"),
        (GOOD + "b;2024-01-02;cheap\n", "bad.csv: 1 of 2 rows have an amount that cannot be read, first at line 3"),
        (GOOD + "x" * 10_000 + ";2024-01-02;1\n", "an id of over 500 characters in column 'key', first at line 3"),
        ("key;date;amount;currency\na;2024-01-01;1;EUR\nb;2024-01-01;2;CHF\n", "CHF in 1 row, first at line 3; EUR"),
        ("key;date;date\na;2024-01-01;2024-01-01\n", "bad.csv: 2 columns are called 'date'"),
    ],
)
def test_wrong_tables_are_refused_by_file_line_and_column(tmp_path, content, expected):
    assert expected in (text := refused(tmp_path, content))
    assert "bad.csv" in text


def test_the_column_of_a_wrong_value_is_named(tmp_path):
    text = refused(tmp_path, "k;d;amount\na;01/02/2024;1\n", columns={"key": "k", "date": "d"})
    assert "Column 'd'. State date_format" in text
    text = refused(tmp_path, "k;d;amount\na;01/02/2024;1\n", columns={"key": "k", "date": "d"}, date_format="%d.%m.%Y")
    assert "Column 'd'. They do not follow date_format '%d.%m.%Y'" in text


def test_an_identity_map_with_a_circle_is_refused(tmp_path):
    text = "system;key;customer_id\ncustomer_id;a;b\nshop;1;a\ncustomer_id;b;a\n"
    assert refused(tmp_path, text, role="identity") == (
        "bad.csv: customers were merged in a circle, at lines 2, 4; got a -> b -> a. Leave out the row that is wrong"
    )


def test_all_problems_of_all_tables_come_at_once(tmp_path):
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "dates.csv").write_text(GOOD + "b;1.2.2024;x\n")
    no_number = {meaning: own for meaning, own in SHOP.items() if meaning != "order_id"}
    told = {
        "orders": Table(frame=ORDERS.assign(day="soon").drop(columns="order_no"), columns=no_number),
        "empty": Table(path="empty.csv", role="contacts"),
        "gone": Table(path="gone.csv", role="surveys"),
        "dates": Table(path="dates.csv", role="returns"),
        "ring": Table(
            frame=pd.DataFrame(
                [("customer_id", "a", "b"), ("customer_id", "b", "a")], columns=["system", "key", "customer_id"]
            ),
            role="identity",
        ),
        "odd": Table(frame=ORDERS, role="ordres"),
        "none": Table(role="contacts"),
        "order": Table(frame=pd.DataFrame({"order_id": ["1"], "date": ["2024-01-01"], "amount": "x"}), role="returns"),
    }
    with pytest.raises(DataError) as caught:
        consolidate(
            told,
            folder=tmp_path,
            timezone="Mars",
            data_end="never",
            groups=["chanel"],
            policies=Policies(refunds="nett"),
        )
    text = str(caught.value)
    for expected in (
        "data_end: is no day",
        "Unknown time zone 'Mars'",
        "Unknown value of policy refunds 'nett'",
        "Unknown role 'ordres'",
        "empty.csv: the file is empty",
        "no such file",
        "needs a path or a frame",
        "Unknown group 'chanel'",
        "dates.csv: 1 of 2 rows have a date",
        "orders: 5 of 5 rows have a date",
        "merged in a circle",
        "order: rows are reached by their orders",
        "order: 1 of 1 rows have an amount that cannot be read",
    ):
        assert expected in text, expected
    assert len(caught.value.problems) == 13


def test_tables_that_do_not_go_together():
    one = Table(frame=ORDERS, columns=SHOP)
    lines = Table(frame=LINES, role="order_lines")
    mail = Table(frame=MAIL, role="contacts", system="e-mail", columns={"key": "e_mail", "date": "day"})
    for told, expected in [
        ({}, "no table of orders"),
        ({"a": one, "b": one, "l": lines}, "2 tables of orders and 1 of their lines"),
        ({"a": one, "i": tables()["ids"], "m": mail}, "Unknown system 'e-mail'"),
        ({"a": one, "c": tables()["crm"], "d": tables()["crm"]}, "'channel' is kept of two tables: c, d"),
        (
            {
                "a": Table(
                    frame=ORDERS.drop(columns="order_no"), columns={k: v for k, v in SHOP.items() if k != "order_id"}
                ),
                "l": lines,
            },
            "order lines need the order ids of the orders",
        ),
    ]:
        with pytest.raises(DataError) as caught:
            consolidate(told)
        assert expected in str(caught.value)


def test_groups_are_found_in_the_only_table_that_has_them():
    told = {
        "orders": Table(frame=ORDERS, columns=SHOP),
        "crm": Table(frame=CRM, role="attributes", columns={"key": "crm_id"}),
    }
    found = consolidate(told, groups=["channel", "first_month"], covariates=["age"])
    assert found.transactions.groups == ("channel",) and found.transactions.covariates == ("age",)
    assert list(consolidate(told).attributes.columns) == []


def test_a_group_is_called_as_its_column_is_or_as_columns_says():
    crm = Table(
        frame=CRM.rename(columns={"channel": "Werbeweg", "age": "Alter"}),
        role="attributes",
        columns={"key": "crm_id", "channel": "Werbeweg", "years": "Alter"},
        groups=("channel",),
        covariates=("years",),
    )
    found = consolidate({**tables(), "crm": crm})
    renamed = consolidate(tables()).attributes.rename(columns={"age": "years"})
    pd.testing.assert_frame_equal(found.attributes, renamed)
    unnamed = dataclasses.replace(crm, groups=())
    with pytest.raises(DataError, match=r"Unknown column meaning 'channel'.*named in groups or covariates too"):
        consolidate({**tables(), "crm": unnamed})


def test_costs_of_channels_that_no_table_tells_of_are_refused():
    """They would be of nobody, and every customer's profit too high by them."""
    without = dataclasses.replace(tables()["crm"], groups=())
    expected = (
        r"costs: costs of channels reach customers by their 'channel', which no table tells.* groups: \[channel\]"
    )
    with pytest.raises(DataError, match=expected):
        consolidate({**tables(), "crm": without})
    assert len(consolidate({**tables(), "crm": without}, groups=["channel"]).channel_costs)


def test_channels_that_cost_something_and_won_nobody_are_told(company):
    """Nobody bears them: TV may be spelled Tv in the other table."""
    expected = "1 channel that costs something has no customer, and no customer bears the cost: tv. Are they spelled"
    assert any(warning.startswith(expected) for warning in company.warnings)
    won = consolidate(
        {**tables(), "costs": dataclasses.replace(tables()["costs"], frame=COSTS[COSTS["channel"] == "web"])}
    )
    assert not any("bears the cost" in warning for warning in won.warnings)
