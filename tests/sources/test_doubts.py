"""Legal values that mean none, lost or wrong: each kind is told with its first place and the policy that settles it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clvmodels.customers.summarize import summarize
from clvmodels.errors import DataError
from clvmodels.sources.consolidation import Table, consolidate
from clvmodels.sources.conventions import today
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import Transactions, read_transactions


def orders(*ids: str, amount: float | str = 10) -> pd.DataFrame:
    """An order a day of these ids."""
    days = pd.date_range("2024-01-01", periods=len(ids)).strftime("%Y-%m-%d")
    return pd.DataFrame({"customer_id": ids, "date": days, "amount": amount})


def shop(rows: int = 300) -> pd.DataFrame:
    """Orders of 60 customers, one or two a day."""
    return orders(*(f"C{place * 7 % 60:03}" for place in range(rows)))


def kinds(transactions: Transactions) -> list[str]:
    return [doubt.kind for doubt in transactions.doubts]


def only(transactions: Transactions) -> str:
    (doubt,) = transactions.doubts
    assert str(doubt) in transactions.warnings
    return str(doubt)


def test_an_ordinary_table_raises_no_doubt():
    assert read_transactions(shop()).doubts == ()
    numbered = shop().assign(customer_id=[place * 7 % 60 for place in range(300)])
    assert read_transactions(numbered).doubts == (), "ids that count from 0"


WORDS = (
    "NULL",
    "null",
    "\\N",
    "nan",
    "None",
    "#N/A",
    "<NA>",
    "N/A",
    "guest",
    "Unknown",
    "anonymous",
    "0",
    "-1",
    "0.0",
    "99999",
)


def test_many_words_mean_nobody():
    (doubt,) = read_transactions(orders("17", *WORDS, "N\u00fal")).doubts[:1]
    assert doubt.rows == len(WORDS)


@pytest.mark.parametrize("word", ["NULL", "Guest", "0"])
def test_a_word_for_nobody_is_told_and_the_policy_leaves_it_out(word):
    frame = orders(word, "17", "18", word, "17", word)
    told = only(read_transactions(frame))
    assert f"{word} (3 orders); first at table, row 1" in told
    assert "3 of 6 orders (50%) and 50% of all revenue" in told
    settled = read_transactions(frame, policies=Policies(empty=[word.lower()]))
    assert settled.doubts == ()
    assert settled.account.set_index("reason")["rows"].to_dict() == {
        "rows read": 6,
        "no customer id": 3,
        "rows used": 3,
    }


@pytest.mark.parametrize(("orders_of_guests", "is_failure"), [(5, False), (30, True)])
def test_many_orders_of_nobody_are_a_failure(orders_of_guests, is_failure):
    """As one customer they would stand among the best."""
    (doubt,) = read_transactions(pd.concat([shop(), orders(*["guest"] * orders_of_guests)])).doubts
    assert doubt.kind == "id_words" and doubt.is_failure is is_failure


@pytest.mark.parametrize(("twice", "is_failure"), [(2, False), (9, True)])
def test_many_customers_who_stand_there_twice_are_a_failure(twice, is_failure):
    (doubt,) = read_transactions(pd.concat([shop(), orders(*(f"c{place:03}" for place in range(twice)))])).doubts
    assert doubt.kind == "nearly_equal_ids" and doubt.is_failure is is_failure


@pytest.mark.parametrize("word, rule", [("0.0", "point_zero"), ("000", "leading_zeros"), ("gu est", "blanks")])
def test_ids_that_are_a_word_for_nobody_by_the_rules_are_nobodys(word, rule):
    """The words and the rules are of one policy: what is 0 by the one is nobody by the other."""
    frame = orders(word, "17", "18")
    used = read_transactions(frame, policies=Policies(empty=["0", "guest"], ids={"same": rule}))
    assert used.doubts == ()
    assert sorted(used.table.execute()["customer_id"]) == ["17", "18"]


def test_words_for_nobody_are_told_together_as_the_policy_takes_them(tmp_path):
    path = tmp_path / "orders.csv"
    orders("NULL", "\\N", "0", "17", "guest", "18").to_csv(path, index=False)
    told = only(read_transactions(path))
    assert "first at orders.csv, line 2" in told
    assert "The policy empty: ['NULL', '\\N', '0', guest]" in told
    assert len(read_transactions(path, policies=Policies(empty=("NULL", "\\N", "0", "guest")))) == 2


SAME = [
    ("Ann@x.test", "ann@x.test", "casefold", "capitals"),
    ("17850", "17850.0", "point_zero", "a trailing .0"),
    ("007", "7", "leading_zeros", "leading zeros"),
    ("１７", "17", "width", "full-width"),
    ("AB 12", "AB12", "blanks", "blanks"),
    ("AB\u200b12", "AB12", "blanks", "blanks"),
]


@pytest.mark.parametrize(("one", "other", "rule", "difference"), SAME)
def test_ids_that_nearly_agree_are_asked_about_and_the_policy_makes_them_one(one, other, rule, difference):
    frame = orders(one, "X1", other, "X2")
    told = only(read_transactions(frame))
    assert f"1 id equals another (1 but for {difference}" in told
    assert "first at table, row 3; as the same customers they would be 3 in place of 4, 1 more" in told
    assert f"ids: {{same: [{rule}]}}" in told
    settled = read_transactions(frame, policies=Policies(ids={"same": rule}))
    assert settled.doubts == ()
    assert summarize(settled).customers.table["frequency"].max() == 1


def test_blanks_of_every_kind_around_an_id_are_nothing():
    padded = [" {}", "{}\u00a0", "\u200b{}", "{}\ufeff", "\u2003{}\u202f", "\t{}\r"]
    read = read_transactions(orders("ann", *(around.format("ann") for around in padded), "bob"))
    assert read.doubts == ()
    assert sorted(set(read.table.customer_id.execute())) == ["ann", "bob"]


def test_composed_and_decomposed_accents_are_one_id():
    read = read_transactions(orders("jos\u00e9", "jose\u0301"))
    assert set(read.table.customer_id.execute()) == {"jos\u00e9"}


def test_ids_in_scientific_notation_are_refused():
    frame = orders("17", "5.01235E+12", "1.2E+11", "5E+12", "1,23457E+15", "1.23456789012346e+18", "1.2E11")
    with pytest.raises(DataError, match=r"6 of 7 rows have an id in scientific notation.* row 2.*as text"):
        read_transactions(frame)
    assert len(read_transactions(frame, policies=Policies(unreadable="drop"))) == 1
    keyed = frame.rename(columns={"customer_id": "key"})
    with pytest.raises(DataError, match="id in scientific notation"):
        consolidate({"orders": Table(frame=keyed)})


def test_ids_that_only_look_like_numbers_with_an_exponent_are_ids():
    assert len(read_transactions(orders("12E45", "1e5", "E+12"))) == 3


def dated(day: str, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    frame = shop() if frame is None else frame
    return pd.concat([frame, frame.tail(1).assign(date=day)], ignore_index=True)


def test_an_order_after_today_is_refused_unless_it_is_said(tmp_path):
    path = tmp_path / "orders.csv"
    dated("2099-12-31").to_csv(path, index=False)
    with pytest.raises(DataError) as caught:
        read_transactions(path)
    assert "1 of 301 rows are dated after today, first at line 302; got" in str(caught.value)
    assert "dates: {latest: today}" in str(caught.value)
    for latest in ("today", today().date()):
        settled = read_transactions(path, policies=Policies(dates={"latest": latest}))
        assert (len(settled), settled.doubts) == (300, ())
        assert "after the latest date that the policy takes" in set(settled.account["reason"])
    assert read_transactions(path, policies=Policies(dates={"latest": "2099-12-31"})).data_end.year == 2099
    assert len(read_transactions(path, data_end="2025-12-31")) == 300


def test_an_open_end_is_a_day_to_come():
    frame = dated("9999-12-31")
    with pytest.raises(DataError, match="1 of 301 rows are dated after today"):
        read_transactions(frame)
    assert len(read_transactions(frame, policies=Policies(dates={"latest": "today"}))) == 300


def test_orders_of_today_are_no_future():
    day = f"{pd.Timestamp.now():%Y-%m-%d}"
    assert len(read_transactions(orders("17").assign(date=day))) == 1


@pytest.mark.parametrize("day", ["1970-01-01", "1753-01-01"])
def test_a_day_that_systems_count_from_is_told(day):
    told = only(read_transactions(dated(day)))
    assert f"1 order of {day}, a day from which systems count" in told
    assert "first at table, row 301" in told
    assert "dates: {earliest: 2024-01-01}" in told
    settled = read_transactions(dated(day), policies=Policies(dates={"earliest": "2024-01-01"}))
    assert (len(settled), settled.doubts) == (300, ())


def test_a_last_day_that_stands_alone_fails_where_it_ends_the_data():
    frame = dated("2026-03-04")
    (doubt,) = read_transactions(frame).doubts
    assert doubt.kind == "lone_last_days"
    assert doubt.is_failure
    assert "1 order of 2026-03-04 (first at table, row 301) lies 494 days after all other orders" in doubt.what
    assert "latest: 2024-10-26" in doubt.policy
    assert read_transactions(frame, policies=Policies(dates={"latest": "2024-10-26"})).doubts == ()
    assert read_transactions(frame, data_end="2024-12-31").doubts == ()


def test_long_pauses_of_a_sparse_table_are_no_doubt():
    frame = orders("a", "b", "c", "a").assign(date=["2020-01-01", "2020-02-01", "2021-06-01", "2023-09-01"])
    assert read_transactions(frame).doubts == ()


def test_one_order_that_is_much_of_all_revenue_is_told():
    frame = shop()
    frame.loc[200, "amount"] = 500.0
    told = only(read_transactions(frame))
    assert "one order, of 500.00 at table, row 201, is 14% of all revenue; it is 50 times the median order" in told


def test_one_id_with_much_of_all_orders_is_told():
    frame = shop()
    frame.loc[frame.index % 3 == 0, "customer_id"] = "KASSE"
    read = read_transactions(frame)
    assert kinds(read) == ["large_id"]
    assert "one id, 'KASSE', has 100 of 300 orders (33%) and 33% of all revenue, first at table, row 1" in only(read)
    assert read_transactions(frame, policies=Policies(empty=["kasse"])).doubts == ()


def test_an_underscore_is_no_digit_of_an_amount(tmp_path: Path):
    path = tmp_path / "orders.csv"
    orders("a", "b").astype(str).replace({"amount": {"10": "1_000"}}).to_csv(path, index=False)
    with pytest.raises(DataError, match="2 of 2 rows have an amount that cannot be read"):
        read_transactions(path)


def test_keys_of_all_tables_are_compared_as_the_policies_say():
    sources = {
        "orders": Table(frame=orders("Ann", "BOB", "guest").rename(columns={"customer_id": "key"})),
        "returns": Table(
            frame=orders("ann ", "bob", "Guest").rename(columns={"customer_id": "key"}),
            role="returns",
            policies=Policies(duplicates="drop"),
        ),
    }
    joined = consolidate(sources, policies=Policies(ids={"same": "casefold"}, empty=["guest"]))
    assert sorted(joined.events.customer_id.execute()) == ["ann", "bob"]
    assert joined.account.query("reason == 'no customer id'")["rows"].tolist() == [1, 1]


def test_values_that_no_policy_has_are_refused_with_all_others():
    wrong = Policies(empty="guest", ids={"same": ["capitals"]}, dates={"latest": "tomorrow"}, refunds="nett")
    with pytest.raises(DataError) as caught:
        read_transactions(shop(), policies=wrong)
    told = str(caught.value)
    for words in ("empty must be a list", "'capitals'", "written as 2024-06-30, or today", "'nett'"):
        assert words in told
    with pytest.raises(ValueError, match="Unknown key of policy ids 'sam'; did you mean 'same'"):
        Policies(ids={"sam": "casefold"})


def test_refunds_that_are_left_out_are_a_share_of_revenue_and_the_policy_that_takes_them_settles_it():
    """Of later days and without an order's number nothing is netted, and the value is before refunds."""
    bought = pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(40)], "date": pd.Timestamp("2024-01-05"), "amount": 10.0}
    )
    returned = bought[:12].assign(date=pd.Timestamp("2024-01-15"), amount=-10.0)
    frame = pd.concat([bought, returned])
    for refunds, words in (("drop", "are left out"), ("net", "meet no order, by day or by order_id, and are left out")):
        transactions = read_transactions(frame, policies=Policies(refunds=refunds))
        doubt = next(doubt for doubt in transactions.doubts if doubt.kind == "refunds")
        assert doubt.what == f"12 of 12 refunds {words}: 120.00, 30% of all revenue" and doubt.is_failure
        assert "The policy refunds:" in doubt.policy and "returns" in doubt.policy
        assert str(doubt) in transactions.warnings
    numbered = frame.assign(order_id=[*range(40), *range(12)])
    for settled in (
        read_transactions(frame, policies=Policies(refunds="returns")),
        read_transactions(numbered, policies=Policies(refunds="net")),
    ):
        assert not [doubt for doubt in settled.doubts if doubt.kind == "refunds"]


def test_a_point_before_three_digits_is_asked_about_unless_decimal_is_stated():
    frame = orders("A", "A", "A", "B").assign(amount=["950", "1.250", "2.400", "850"])
    with pytest.raises(DataError) as caught:
        read_transactions(frame)
    told = str(caught.value)
    assert "2 rows have three digits after a point in column 'amount', and none has fewer, first at row 2" in told
    assert "Is it 1250? State decimal: ',' where it is" in told
    whole, part = (read_transactions(frame, decimal=mark).table.amount.sum().execute() for mark in ",.")
    assert (whole, part) == (5450.0, pytest.approx(1803.65))
    for amounts in (["950", "1.250", "2.4", "850"], ["0.125", "1.250", "3", "4"], ["1250", "2400", "3", "4"]):
        assert read_transactions(frame.assign(amount=amounts)).doubts == ()
    keyed = frame.rename(columns={"customer_id": "key"})
    with pytest.raises(DataError, match="three digits after a point"):
        consolidate({"orders": Table(frame=keyed)})
