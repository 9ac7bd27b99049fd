"""Tables that are not orders: each role's columns, kinds, scales, signs and currencies, in one shape."""

from __future__ import annotations

import pandas as pd
import pytest

from clvmodels.errors import DataError
from clvmodels.sources.consolidation import Company, Table, consolidate
from clvmodels.sources.events import EVENT
from clvmodels.sources.reasons import Policies
from clvmodels.sources.roles import TABLE_ROLES

ORDERS = pd.DataFrame(
    {
        "key": ["a", "a", "b"],
        "date": ["2024-01-01", "2024-03-01", "2024-02-01"],
        "amount": [10.0, 20.0, 30.0],
        "order_id": ["1", "2", "3"],
    }
)
DAY = "2024-02-02"


def company(role: str, frame: pd.DataFrame, orders: pd.DataFrame = ORDERS, **options) -> Company:
    shared = {name: options.pop(name) for name in ("currency", "data_end", "policies") if name in options}
    own = {"currency": options.pop("own_currency")} if "own_currency" in options else {}
    rates = options.pop("rates", None)
    tables = {"orders": Table(frame=orders), "it": Table(frame=frame, role=role, **own, **options)}
    return consolidate(tables | ({} if rates is None else {"rates": Table(frame=rates, role="rates")}), **shared)


def events(found: Company, *columns: str) -> list[tuple]:
    frame = found.events.execute().sort_values("line")
    frame = frame[frame["source"] == "it"]
    return [tuple(None if pd.isna(v) else v for v in row) for row in frame[list(columns)].to_numpy()]


def account(found: Company, source: str = "it") -> dict[str, int]:
    own = found.account[found.account["source"] == source]
    counts = own.groupby("kind")["rows"].sum()
    assert counts["read"] == counts.get("used", 0) + counts.get("orphaned", 0) + counts.get("dropped", 0)
    return dict(zip(own["reason"], own["rows"], strict=True))


def message(*args, **options) -> str:
    with pytest.raises(DataError) as caught:
        company(*args, **options)
    return str(caught.value)


def test_every_role_of_events_gives_the_one_shape():
    text = {"date": DAY, "kind": "fee", "amount": "1.5", "key": "a"}
    for name, role in TABLE_ROLES.items():
        if role.is_event:
            row = {m: text[m] for m in ("key", *role.required) if m in text}
            found = company(name, pd.DataFrame([row | ({"kind": "nps"} if name == "surveys" else {})]))
            assert dict(found.events.schema().items()).keys() == EVENT.keys()
            frame = found.events.execute()
            assert frame[["source", "role", "line", "customer_id", "count"]].to_numpy().tolist() == [
                ["it", name, 1, "a", 1.0]
            ]
            assert name in found.roles


def test_contacts_have_minutes_costs_and_kinds_that_are_known_whatever_their_capitals():
    frame = pd.DataFrame(
        {
            "key": ["a"] * 4,
            "date": DAY,
            "topic": ["Complaint", "Frage", None, "tour"],
            "minutes": ["3", None, "0.5", "2"],
            "amount": [1.0, None, 2.0, 3.0],
        }
    )
    found = company("contacts", frame, columns={"kind": "topic"}, kinds={"Frage": "question"})
    assert events(found, "kind", "value", "amount") == [
        ("complaint", 3.0, 1.0),
        ("question", None, None),
        ("contact", 0.5, 2.0),
        ("tour", 2.0, 3.0),
    ]


def test_surveys_keep_gaps_and_drop_scores_outside_of_their_scale():
    frame = pd.DataFrame(
        {
            "key": "a",
            "date": DAY,
            "kind": ["NPS", "nps", "csat", "csat", "ces", "ces"],
            "score": ["0", "11", "0", "", "7", "8"],
        }
    )
    found = company("surveys", frame)
    assert events(found, "kind", "value") == [("nps", 0.0), ("csat", None), ("ces", 7.0)]
    assert account(found) == {"rows read": 6, "score is outside of its scale": 3, "rows used": 3}
    assert "of a kind that is not known, first at row 1" in message("surveys", frame.assign(kind="happiness"))
    assert "Known: nps, csat, ces" in message("surveys", frame.assign(kind="happiness"))


def test_campaigns_have_arms_and_answers():
    frame = pd.DataFrame(
        {
            "key": "a",
            "date": DAY,
            "kind": "spring",
            "arm": ["Treatment", "control", None],
            "responded": [True, False, None],
            "amount": [0.2, 0.0, 0.2],
        }
    )
    found = company("campaigns", frame)
    assert events(found, "kind", "detail", "value", "amount") == [
        ("spring", "treatment", 1.0, 0.2),
        ("spring", "control", 0.0, 0.0),
        ("spring", None, None, 0.2),
    ]
    words = frame.assign(responded=["yes", "no", ""])
    assert [value for (value,) in events(company("campaigns", words), "value")] == [1.0, 0.0, None]
    assert "arm that is neither treatment nor control" in message("campaigns", frame.assign(arm="A"))
    assert "a number that cannot be read" in message("campaigns", frame.assign(responded=["maybe", "no", ""]))


def test_engagement_counts_and_a_row_without_a_count_is_one():
    frame = pd.DataFrame({"key": "b", "date": DAY, "kind": "review", "count": [3, None]})
    assert events(company("engagement", frame), "count") == [(3.0,), (1.0,)]


def test_acquisition_needs_no_day():
    frame = pd.DataFrame({"key": ["a", "b"], "amount": [5, 6], "channel": ["web", None], "date": ["2023-12-31", ""]})
    found = company("acquisition", frame, data_end="2024-12-31")
    assert events(found, "date", "amount", "detail") == [(pd.Timestamp("2023-12-31"), 5.0, "web"), (None, 6.0, None)]


def test_rows_are_reached_by_their_order():
    frame = pd.DataFrame({"order_id": ["3", "9", "", "1"], "date": DAY, "amount": [1.0, 2, 3, 4]})
    found = company("returns", frame)
    assert events(found, "customer_id", "order_id", "amount") == [("b", "3", 1.0), ("a", "1", 4.0)]
    assert account(found) == {"rows read": 4, "no order id": 1, "order is in no table of orders": 1, "rows used": 2}
    orders = pd.concat([ORDERS, ORDERS.assign(key="c").iloc[:1], ORDERS.assign(order_id="4", amount=-1.0).iloc[:1]])
    found = company("returns", frame.assign(order_id=["1", "4", "3", "3"]), orders=orders)
    assert account(found) == {
        "rows read": 4,
        "its order was not used": 1,
        "order of several customers": 1,
        "rows used": 2,
    }
    assert found.conflicts[["what", "key"]].to_numpy().tolist() == [["order of several customers", "1"]]
    assert "No table of orders has order_id" in message("returns", frame, orders=ORDERS.drop(columns="order_id"))


def test_a_sign_is_stated():
    frame = pd.DataFrame({"key": "a", "date": DAY, "amount": [-1.0, -2.0, 0.0]})
    text = message("returns", frame)
    assert "it: all 2 amounts of column 'amount' are negative. State sign: negative" in text
    assert events(company("returns", frame, sign="negative"), "amount") == [(1.0,), (2.0,), (0.0,)]
    assert "Leave sign: negative out" in message("returns", frame.assign(amount=[1.0, 2, 3]), sign="negative")
    mixed = frame.assign(amount=[1.0, -2.0, 3.0])
    assert account(company("returns", mixed)) == {"rows read": 3, "negative amount": 1, "rows used": 2}
    net = company("returns", mixed, policies=Policies(refunds="net"))
    assert events(net, "amount") == [(1.0,), (-2.0,), (3.0,)]
    assert "have a negative amount, first at row 2" in message("returns", mixed, policies=Policies(refunds="refuse"))


MONEY = pd.DataFrame(
    {"key": "a", "date": [DAY, DAY, "2024-02-10"], "amount": [1.0, 10.0, 100.0], "currency": ["EUR", "chf", "CHF"]}
)


def test_several_currencies_need_rates():
    text = message("discounts", MONEY, currency="EUR")
    assert "it: no rate turns these currencies into EUR; got CHF in 2 rows, first at row 2" in text
    assert "several currencies; got CHF in 2 rows, first at row 2; EUR in 1 row" in message("discounts", MONEY)
    found = company("discounts", MONEY, currency="EUR", rates=pd.DataFrame({"currency": ["CHF"], "rate": [0.5]}))
    assert events(found, "amount") == [(1.0,), (5.0,), (50.0,)]
    dated = pd.DataFrame(
        {"currency": "CHF", "rate": [0.5, 2.0, 9.0], "date": ["2024-01-01", "2024-02-10", "2024-03-01"]}
    )
    assert events(company("discounts", MONEY, currency="EUR", rates=dated), "amount") == [(1.0,), (5.0,), (200.0,)]
    late = dated.iloc[1:]
    assert "CHF in 1 row, first at row 2" in message("discounts", MONEY, currency="EUR", rates=late)
    assert company("discounts", MONEY.assign(currency="CHF")).currency == "CHF"
    assert "no rate turns these currencies into EUR" in message(
        "discounts", MONEY.assign(currency="CHF"), currency="EUR"
    )


def test_a_currency_of_the_whole_table_or_of_the_order():
    frame = MONEY.drop(columns="currency")
    rates = pd.DataFrame({"currency": ["CHF"], "rate": [0.5]})
    assert events(company("discounts", frame, own_currency="CHF", currency="EUR", rates=rates), "amount")[0] == (0.5,)
    orders = ORDERS.assign(currency=["EUR", "CHF", "CHF"])
    by_order = pd.DataFrame({"order_id": ["1", "2"], "date": DAY, "amount": [4.0, 4.0]})
    found = company("returns", by_order, orders=orders, currency="EUR", rates=rates, own_currency="order")
    assert events(found, "amount") == [(4.0,), (2.0,)]
    assert found.transactions.table.amount.sum().execute() == 10 + 0.5 * 50
    assert "reached by their order_id" in message("returns", by_order.assign(key="a"), own_currency="order")


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([("CHF", 0.0)], "a rate must be positive"),
        ([("EUR", 2.0), ("CHF", 1.0)], "that of EUR to itself 1"),
        ([("CHF", 1.0), ("CHF", 2.0)], "different rates of CHF for one day, at row 1 and 2"),
        ([("CHF", None)], "have a number that cannot be read"),
    ],
)
def test_rates_that_cannot_be_meant(rates, expected):
    frame = pd.DataFrame(rates, columns=["currency", "rate"])
    if expected.startswith("have"):
        frame["rate"] = "cheap"
    assert expected in message("discounts", MONEY, currency="EUR", rates=frame)


def test_amounts_without_a_currency_are_told():
    frame = MONEY.assign(currency=["EUR", None, " "])
    assert "2 of 3 rows have an amount and no currency, first at row 2 (then 3)" in message("discounts", frame)


def test_events_after_the_stated_end_are_left_out_and_those_before_the_first_order_kept():
    frame = pd.DataFrame({"key": "b", "date": ["2023-01-01", DAY, "2025-01-01"], "kind": "mail"})
    found = company("campaigns", frame, data_end="2024-12-31")
    assert account(found) == {"rows read": 3, "after the stated end of the data": 1, "rows used": 2}
    unstated = company("campaigns", frame)
    assert len(events(unstated, "line")) == 3
    assert any("1 event lies after the last order, 2024-03-01" in w for w in unstated.warnings)


def test_copies_are_told_or_dropped():
    frame = pd.DataFrame({"key": "a", "date": DAY, "kind": ["fee", "fee", "late"], "amount": [1.0, 1.0, None]})
    assert any("it: 1 row equals an earlier row" in w for w in company("payments", frame).warnings)
    found = company("payments", frame, policies=Policies(duplicates="drop"))
    assert account(found) == {"rows read": 3, "duplicate of an earlier row": 1, "rows used": 2}
    assert found.dropped.execute()[["source", "line"]].to_numpy().tolist() == [["it", 2]]


def test_a_table_that_leads_nowhere_is_told():
    ids = Table(frame=pd.DataFrame({"system": ["card"], "key": ["1"], "customer_id": ["a"]}), role="identity")
    lost = Table(frame=pd.DataFrame({"key": ["8", "9"], "date": DAY}), role="contacts", system="card")
    found = consolidate({"orders": Table(frame=ORDERS), "ids": ids, "it": lost})
    assert account(found) == {"rows read": 2, "key is in no identity table": 2, "rows used": 0}
    assert "it: no row of 2 is used (2 key is in no identity table)" in found.warnings


@pytest.mark.parametrize(
    ("role", "frame", "options", "expected"),
    [
        ("contacts", {"date": [DAY]}, {}, "say which column is its 'key'"),
        ("returns", {"date": [DAY], "amount": [1]}, {}, "'key' or 'order_id'"),
        ("surveys", {"key": ["a"], "date": [DAY]}, {}, "say which column is its 'kind'"),
        ("contacts", {"key": ["a"], "date": [1.5]}, {}, "column 'date' holds float64, not dates"),
        ("contacts", {"key": ["a"], "date": [DAY], "minutes": [True]}, {}, "'minutes' holds boolean, not numbers"),
        ("payments", {"key": ["a"], "date": [DAY], "kind": ["fee"], "amount": ["1,5"]}, {}, "Column 'amount'."),
        ("contacts", {"key": ["a"], "date": [DAY]}, {"columns": {"minuts": "m"}}, "Unknown column meaning 'minuts'"),
        ("payments", {"key": ["a"]}, {"kinds": {"x": "lat"}}, "Unknown kind 'lat'; did you mean 'late'?"),
        ("contact", {"key": ["a"]}, {}, "Unknown role 'contact'; did you mean 'contacts'?"),
        ("returns", {"key": ["a"]}, {"sign": "minus"}, "Unknown sign 'minus'"),
        ("contacts", {"key": ["a"]}, {"groups": ["g"]}, "only orders and attributes have groups"),
        ("returns", {"key": ["a"]}, {"rules": {"x": "exact"}}, "rules belong to the identity table"),
        ("identity", {"key": ["a"]}, {"rules": {"x": "exakt"}}, "Unknown rule 'exakt'; did you mean 'exact'?"),
        ("returns", {"key": ["a"]}, {"policies": Policies(refunds="returns")}, "only orders have refunds: returns"),
    ],
)
def test_what_cannot_be_meant_is_refused(role, frame, options, expected):
    text = pd.DataFrame(frame)
    with pytest.raises(DataError) as caught:
        consolidate({"orders": Table(frame=ORDERS), "it": Table(frame=text, role=role, **options)})
    assert expected in str(caught.value)


def test_surveys_and_payments_meet_their_customers_by_order_and_need_no_day_of_their_own(tmp_path):
    """By the number alone, or beside a key; what no order tells the day of is told."""
    (tmp_path / "orders.csv").write_text("key,date,amount,order_id\na,2024-01-05,10,o1\nb,2024-02-07,20,o2\n")
    (tmp_path / "surveys.csv").write_text("order_id,kind,score\no1,nps,9\no2,nps,3\no9,nps,5\n")
    (tmp_path / "payments.csv").write_text("order_id,kind,amount\no1,fee,0.5\no2,bad_debt,20\n")
    (tmp_path / "late.csv").write_text("key,order_id,kind,date\nb,o2,late,\nb,o2,late,2024-03-01\n")
    roles = {"orders": "orders", "surveys": "surveys", "payments": "payments", "late": "payments"}
    tables = {name: Table(f"{name}.csv", role=role) for name, role in roles.items()}
    company = consolidate(tables, folder=tmp_path)
    events = company.events.execute().sort_values(["source", "line"])
    days = pd.to_datetime(events["date"]).dt.strftime("%Y-%m-%d")
    assert list(zip(events["source"], events["customer_id"], days, strict=True)) == [
        ("late", "b", "2024-02-07"),
        ("late", "b", "2024-03-01"),
        ("payments", "a", "2024-01-05"),
        ("payments", "b", "2024-02-07"),
        ("surveys", "a", "2024-01-05"),
        ("surveys", "b", "2024-02-07"),
    ]
    orphans = company.account[company.account["reason"] == "order is in no table of orders"]
    assert orphans["rows"].tolist() == [1]
    (tmp_path / "late.csv").write_text("key,order_id,kind\nb,o9,late\n")
    with pytest.raises(DataError, match="1 of 1 rows have no date"):
        consolidate(tables, folder=tmp_path)
    (tmp_path / "late.csv").write_text("key,kind\nb,late\n")
    with pytest.raises(DataError, match="Unknown column 'date'"):
        consolidate(tables, folder=tmp_path)
