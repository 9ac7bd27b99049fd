"""Reading and cleaning: formats, ids, days, amounts, policies, the account, and errors that list everything."""

from __future__ import annotations

import datetime
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.customers import summarize
from clvmodels.errors import DataError
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import Transactions, read_transactions

HEADER = "customer_id,date,amount\n"
DROP_ALL = Policies(unreadable="drop", missing_date="drop", missing_amount="drop")


@pytest.fixture
def write(tmp_path: Path):
    def write_file(content: str | bytes, name: str = "orders.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def rows(transactions: Transactions) -> list[tuple]:
    frame = transactions.table.execute()
    return sorted((row[0], f"{row[1]:%Y-%m-%d}", *row[2:]) for row in frame.itertuples(index=False))


def counts(transactions: Transactions) -> dict[str, int]:
    return dict(zip(transactions.account["reason"], transactions.account["rows"], strict=True))


def message(source, **options) -> str:
    with pytest.raises(DataError) as caught:
        read_transactions(source, **options)
    return str(caught.value)


EXPECTED = [("1", "2024-01-01", 2.5), ("2", "2024-01-02", 3.0)]
PLAIN = HEADER + "1,2024-01-01,2.5\n2,2024-01-02,3\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", PLAIN.encode()),
        ("crlf.csv", PLAIN.replace("\n", "\r\n").encode()),
        ("no_final_newline.csv", PLAIN.rstrip().encode()),
        ("bom.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
        ("semicolons.csv", PLAIN.replace(",", ";").encode()),
        ("tabs.tsv", PLAIN.replace(",", "\t").encode()),
        ("a.csv.gz", gzip.compress(PLAIN.encode())),
        ("a.csv.zst", pa.Codec("zstd").compress(PLAIN.encode()).to_pybytes()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # a compressed file's bytes hold the time
)
def test_text_formats_give_the_same_rows(write, name, content):
    assert rows(read_transactions(write(content, name))) == EXPECTED


def test_parquet_and_frame_give_the_same_rows(tmp_path):
    frame = pd.DataFrame(
        {"customer_id": [1, 2], "date": pd.to_datetime(["2024-01-01", "2024-01-02"]), "amount": [2.5, 3]}
    )
    frame.to_parquet(tmp_path / "orders.parquet")
    assert rows(read_transactions(frame)) == EXPECTED
    assert rows(read_transactions(tmp_path / "orders.parquet")) == EXPECTED


def test_columns_are_mapped_and_odd_names_are_only_names(write):
    path = write('"cust ""no"" 1",day;x,\'; DROP TABLE judged; --,kind\n7,2024-03-01,2,web\n')
    columns = {"customer_id": 'cust "no" 1', "date": "day;x", "amount": "'; DROP TABLE judged; --"}
    transactions = read_transactions(path, columns=columns, groups=["kind"])
    assert rows(transactions) == [("7", "2024-03-01", 2.0, "web")]
    assert transactions.groups == ("kind",)


def test_amounts_are_optional(write):
    transactions = read_transactions(write("customer_id,date\n1,2024-01-01\n"))
    assert not transactions.has_amount
    assert list(transactions.table.columns) == ["customer_id", "date"]


def test_ids_are_resolved_once():
    days = ["2024-01-01"] * 4
    whole_floats = read_transactions(pd.DataFrame({"customer_id": [17, np.nan, 5, 17.0], "date": days}))
    assert [r[0] for r in rows(whole_floats)] == ["17", "17", "5"]
    texts = read_transactions(pd.DataFrame({"customer_id": [" 17", "17.0", "017", "17"], "date": days}))
    assert [r[0] for r in rows(texts)] == ["017", "17", "17", "17.0"]
    mixed = read_transactions(pd.DataFrame({"customer_id": [17, "17", None, " "], "date": days}))
    assert [r[0] for r in rows(mixed)] == ["17", "17"]
    categories = read_transactions(pd.DataFrame({"customer_id": pd.Categorical([17, 5, 17, 5]), "date": days}))
    assert {r[0] for r in rows(categories)} == {"17", "5"}


def test_floats_too_long_for_ids_are_refused():
    text = message(pd.DataFrame({"customer_id": [1e17, np.nan], "date": ["2024-01-01"] * 2}))
    assert "ids too long for floats" in text


def test_ids_that_are_none_are_refused(write):
    """HTML, a formula, another column's text: each with its column and row; a telephone number is an id."""
    ids = ["+49 (30) 12345", "<script>alert(1)</script>", "=HYPERLINK(1)", "x" * 10_000]
    frame = pd.DataFrame({"customer_id": ids, "date": "2024-01-01", "amount": 1.0})
    for source, place in ((frame, "row"), (write(frame.to_csv(index=False)), "line")):
        text, first = message(source), 1 if place == "row" else 2
        assert f"an id of over 500 characters in column 'customer_id', first at {place} {first + 3}" in text
        assert f"an id that is HTML in column 'customer_id', first at {place} {first + 1}" in text
        assert f"an id that is a spreadsheet's formula in column 'customer_id', first at {place} {first + 2}" in text
    assert rows(read_transactions(frame[:1]))[0][0] == "+49 (30) 12345"


def test_hostile_text_passes_untouched(write):
    ids = [
        "<script",
        "-2+3",
        "@anna",
        "x" * 500,
        "a'b",
        'q"q',
        "日本 \u202e",
        "%s {0} \\n",
        "NULL",
    ]
    frame = pd.DataFrame({"customer_id": ids, "date": "2024-01-01", "amount": 1.0, "g": "<b>&"})
    path = write(frame.to_csv(index=False))
    for source in (frame, path):
        transactions = read_transactions(source, groups=["g"], name="<i>file</i>")
        assert {r[0] for r in rows(transactions)} == set(ids)
        assert "<i>" not in transactions._repr_html_()


def test_instants_become_days_of_the_stated_zone_and_naive_times_stay(write):
    text = "a,2024-01-01T23:30:00+00:00\nb,2024-01-01 23:30:00Z\nc,2024-01-01 23:30\nd,2024-01-02 00:30:00.5+0200\n"
    text = "customer_id,date\n" + text
    days = {r[0]: r[1] for r in rows(read_transactions(write(text), timezone="Europe/Berlin"))}
    assert days == {"a": "2024-01-02", "b": "2024-01-02", "c": "2024-01-01", "d": "2024-01-01"}
    instants = pd.DataFrame({"customer_id": ["a"], "date": pd.to_datetime(["2024-01-02T02:00Z"])})
    assert rows(read_transactions(instants, timezone="America/New_York")) == [("a", "2024-01-01")]
    assert rows(read_transactions(instants)) == [("a", "2024-01-02")]


@pytest.mark.parametrize(
    ("value", "date_format"),
    [
        ("31/12/2023 8:05", "%d/%m/%Y %H:%M"),
        ("20231231", "%Y%m%d"),
        ("12/31/2023", "%m/%d/%Y"),
        ("31.12.2023 23:30 -0100", "%d.%m.%Y %H:%M %z"),
    ],
)
def test_date_formats(write, value, date_format):
    file = write(f"customer_id,date\n1,{value}\n")
    assert rows(read_transactions(file, date_format=date_format)) == [("1", "2023-12-31")]
    in_utc = "2024-01-01" if "%z" in date_format else "2023-12-31"
    assert rows(read_transactions(file, date_format=date_format, timezone="UTC")) == [("1", in_utc)]


def test_whole_number_dates_need_a_format():
    frame = pd.DataFrame({"customer_id": [1], "date": [20231231]})
    assert "State date_format" in message(frame)
    assert rows(read_transactions(frame, date_format="%Y%m%d")) == [("1", "2023-12-31")]


def test_dates_of_python_and_decimals(tmp_path):
    table = pa.table(
        {
            "customer_id": pa.array([1, 2], pa.int32()),
            "date": pa.array([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)]),
            "amount": pa.array([250, 300], pa.int64()).cast(pa.decimal128(25, 2)),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert rows(read_transactions(tmp_path / "a.parquet"))[0] == ("1", "2024-01-01", 250.0)


DIRTY = HEADER + (
    '1,2024-01-01,2\n2,01/02/2024,3\n3,2024-01-05,"1,5"\n4,,3\n5,2024-02-03,\n6,2024-01-01\n7,2024-01-01,3,4\n'
    "8,2024-02-31,3\n,2024-01-01,3\n9,2024-01-01,inf\n"
)


def test_every_bad_row_is_reported_at_once_with_its_line(write):
    text = message(write(DIRTY))
    assert text.startswith("5 problems:")
    assert "orders.csv: 2 of 10 rows cannot be split into the file's columns, first at line 7 (then 8)" in text
    assert "orders.csv: 1 of 10 rows have no date, first at line 5" in text
    assert "orders.csv: 2 of 10 rows have a date that cannot be read, first at line 3 (then 9)" in text
    assert "customer_id=2 | date=01/02/2024 | amount=3" in text
    assert "1 of 10 rows have no amount, first at line 6" in text
    assert "2 of 10 rows have an amount that cannot be read, first at line 4 (then 11)" in text


def test_the_design_example(write):
    lines = [f"{i},1997-01-01,1" for i in range(6919)]
    for line in (17, 300, 5000):
        lines[line - 2] = f"{line},,1"
    text = message(write(HEADER + "\n".join(lines) + "\n"))
    assert text.startswith("orders.csv: 3 of 6919 rows have no date, first at line 17 (then 300, 5000)")


def test_dropping_by_policy_keeps_the_rows_with_their_lines(write):
    transactions = read_transactions(write(DIRTY), policies=DROP_ALL)
    assert rows(transactions) == [("1", "2024-01-01", 2.0)]
    dropped = transactions.dropped.execute()
    assert dropped["line"].tolist() == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert dropped["reason"].tolist() == [
        "date cannot be read",
        "amount cannot be read",
        "no date",
        "no amount",
        "row cannot be read",
        "row cannot be read",
        "date cannot be read",
        "no customer id",
        "amount cannot be read",
    ]
    assert dropped["where"].unique().tolist() == ["orders.csv"]
    assert "7,2024-01-01,3,4" in dropped["text"][5]


def test_lines_stay_rows_where_quoted_breaks_or_blank_lines_shift_them(write):
    assert "first at row 2;" in message(write(HEADER + '"a\nb",2024-01-01,2\nc,2024,3\n'))
    assert "first at row 2;" in message(write(HEADER + "a,2024-01-01,2\n\nc,2024,3\n"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "the file is empty (0 bytes)"),
        (HEADER, "a header and no rows"),
        ("\n1,2\n", "the first line is empty"),
        ((HEADER + "José,2024-01-01,1\n").encode("latin-1"), "is not utf-8 text, first at line 2. State its encoding"),
        ((HEADER + "a,2024-01-01,1\n" * 99_999 + "José,2024-01-01,1\n").encode("latin-1"), "first at line 100001"),
        (HEADER + ",2024-01-01,1\n1,2024-01-01,-1\n", "no row is left of 2; got 1 no customer id; 1 negative amount"),
        ("customer_id,date,date\n1,2024-01-01,2024-01-01\n", "2 columns are called 'date'"),
        (HEADER + '1,2024-01-01,1\n"2,2024-01-01,1\n', "a quote opens and does not close, at line 3: nothing"),
        (HEADER + "1,0024-01-01,1\n", "a date that cannot be read"),
    ],
)
def test_unusable_files(write, content, expected):
    assert expected in message(write(content))


def test_files_that_are_no_tables(write, tmp_path):
    assert "no such file" in message(tmp_path / "none.csv")
    write(PLAIN)
    assert "Files beside it: orders.csv" in message(tmp_path / "order.csv")
    assert "its files are of several kinds" not in message(tmp_path / "none-*.csv")
    assert "no Parquet file" in message(write("hello", "a.parquet"))
    assert "cannot be decompressed" in message(write("hello", "a.csv.gz"))
    assert "cannot be decompressed" in message(write("hello", "a.csv.zst"))
    assert "is no Excel workbook (.xlsx), or a damaged one" in message(write("hello", "a.xlsx"))
    assert "is an old spreadsheet" in message(write("hello", "a.xls"))
    assert "header and no rows" in message(pd.DataFrame({"customer_id": [], "date": []}))


def test_all_problems_of_arguments_and_columns_at_once(write):
    text = message(
        write("id,day,sales\n1,2024-01-01,2\n"),
        columns={"customer": "id", "date": "Day"},
        groups=["chanel", "amount"],
        timezone="Europe/Berln",
        encoding="utf-9",
        date_format="%Q",
        policies=Policies(refunds="nett"),
        data_end="soon",
    )
    for expected in (
        "10 problems:",
        "Unknown value of policy refunds 'nett'; did you mean 'net'?",
        "Unknown time zone 'Europe/Berln'",
        "Unknown encoding 'utf-9'; did you mean 'utf-8'?",
        "date_format: is no date format; got '%Q'",
        "data_end: is no day",
        "a group column cannot be called 'amount'",
        "Unknown column meaning 'customer'; did you mean 'customer_id'?",
        "Unknown column 'customer_id'",
        "Unknown column 'Day'; did you mean 'day'?",
        "Unknown column 'chanel'",
    ):
        assert expected in text


def test_types_that_cannot_be_meant():
    text = message(pd.DataFrame({"customer_id": [[17]], "date": [1.5], "amount": [True]}))
    assert "3 problems" in text and "no plain values" in text and "not dates" in text and "not amounts" in text


def test_wrong_date_format_says_so(write):
    assert "do not follow date_format '%d/%m/%Y'" in message(write(PLAIN), date_format="%d/%m/%Y")


def test_refunds_zero_amounts_and_duplicates(write):
    path = write(HEADER + "1,2024-01-01,5\n1,2024-01-01,5\n2,2024-01-01,0\n3,2024-01-01,-4\n")
    default = read_transactions(path)
    assert counts(default) == {"rows read": 4, "negative amount": 1, "rows used": 3}
    assert any("1 row equals an earlier row" in w for w in default.warnings)
    strict = read_transactions(path, policies=Policies(duplicates="drop", zero_amounts="drop"))
    assert rows(strict) == [("1", "2024-01-01", 5.0)]
    assert strict.dropped.execute()[["line", "reason"]].to_numpy().tolist() == [
        [3, "duplicate of an earlier row"],
        [4, "zero amount"],
        [5, "negative amount"],
    ]
    assert "have a negative amount, first at line 5" in message(path, policies=Policies(refunds="refuse"))


def test_orders_of_one_day_at_other_times_are_no_duplicates(write):
    text = "customer_id,date,amount\n1,2024-01-01 10:00,5\n1,2024-01-01 11:00,5\n1,2024-01-01 11:00,5\n"
    assert len(read_transactions(write(text), policies=Policies(duplicates="drop"))) == 2


def test_netted_refunds(write):
    lines = "1,2024-01-01,10\n1,2024-01-01,-3\n2,2024-01-01,5\n2,2024-01-01,-5\n3,2024-01-01,-2\n4,2024-01-01,1\n"
    transactions = read_transactions(write(HEADER + lines), policies=Policies(refunds="net"))
    assert rows(transactions) == [("1", "2024-01-01", -3.0), ("1", "2024-01-01", 10.0), ("4", "2024-01-01", 1.0)]
    assert counts(transactions) == {
        "rows read": 6,
        "refund on a day without an order": 1,
        "order refunded in full": 2,
        "negative amount, subtracted from the orders of that day": 1,
        "rows used": 3,
    }
    assert transactions.dropped.execute()["line"].tolist() == [4, 5, 6]


def test_refunds_of_later_days_are_subtracted_from_the_order_of_their_number(write):
    lines = "1,2024-01-01,10,a\n1,2024-01-09,-3,a\n1,2024-01-09,8,b\n"
    lines += "2,2024-01-01,5,c\n2,2024-02-05,-5,c\n2,2024-02-06,4,d\n"
    lines += "3,2024-01-01,7,e\n3,2024-01-05,-2,f\n4,2024-01-05,-9,a\n"
    path = write("customer_id,date,amount,order_id\n" + lines)
    transactions = read_transactions(path, policies=Policies(refunds="net"))
    days = summarize(transactions).customers.table
    assert days["frequency"].to_dict() == {"1": 1, "2": 0, "3": 0}
    assert transactions.table.amount.sum().execute() == 10 - 3 + 8 + 4 + 7
    assert days.loc["1", "monetary_value"] == 8  # the refund of a is not one of b, which was bought on its day
    assert counts(transactions)["refund of a later day, subtracted from the order of its number"] == 1
    assert counts(transactions)["refund on a day without an order"] == 2
    assert transactions.data_end == pd.Timestamp("2024-02-06")


def test_data_end(write):
    path = write(HEADER + "1,2024-01-01,1\n1,2024-03-01,1\n")
    assert read_transactions(path).data_end == pd.Timestamp("2024-03-01")
    cut = read_transactions(path, data_end="2024-02-01")
    assert counts(cut)["after the stated end of the data"] == 1
    assert cut.data_end == pd.Timestamp("2024-02-01")
    assert read_transactions(path, data_end=datetime.date(2024, 6, 30)).data_end == pd.Timestamp("2024-06-30")


def test_sha256_is_of_the_bytes_or_of_the_content(write):
    path = write(PLAIN)
    assert read_transactions(path).sha256 == hashlib.sha256(PLAIN.encode()).hexdigest()
    frame = pd.read_csv(path)
    one, same = read_transactions(frame).sha256, read_transactions(frame.copy()).sha256
    other = read_transactions(frame.assign(amount=[2.5, 4])).sha256
    assert one == same != other


CELL = st.sampled_from(["", "a", "b", " a ", "2024-01-01", "2024-01-02", "2024-13-01", "3", "0", "-3", "x", "1e400"])
TABLE = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12)
POLICIES = st.builds(
    Policies,
    unreadable=st.just("drop"),
    missing_date=st.just("drop"),
    missing_amount=st.just("drop"),
    duplicates=st.sampled_from(["keep", "drop"]),
    refunds=st.sampled_from(["drop", "net"]),
    zero_amounts=st.sampled_from(["keep", "drop"]),
)


@settings(max_examples=8, deadline=None)
@given(table=TABLE, policies=POLICIES)
def test_the_account_adds_up(table, policies):
    frame = pd.DataFrame([*table, ("z", "2024-01-01", "7")], columns=["customer_id", "date", "amount"])
    transactions = read_transactions(frame, policies=policies)
    account = transactions.account
    total = account.groupby("kind")["rows"].sum()
    assert total["read"] == len(frame)
    assert total["read"] - total.get("dropped", 0) == total["used"] == len(transactions)
    assert total["used"] == len(transactions.table.execute())
    dropped = transactions.dropped.execute()
    assert len(dropped) == total.get("dropped", 0)
    assert dropped["line"].is_unique and dropped["reason"].ne("").all()
    by_reason = account[account["kind"] == "dropped"].set_index("reason")["rows"].to_dict()
    assert dropped["reason"].value_counts().to_dict() == by_reason
    assert (account["rows"] > 0).all()
    kept = rows(transactions)
    assert all(row[0] == row[0].strip() != "" and np.isfinite(row[2]) for row in kept)
