"""Files as people have them: without a header, below a title, in other encodings, in parts; each option reads them, and
without it the message names the option."""

from __future__ import annotations

import re

import duckdb
import openpyxl
import pandas as pd
import pytest

from clvmodels.cli.arguments import read_columns, read_filter, read_header
from clvmodels.config.experiment import Experiment, dump
from clvmodels.customers import summarize
from clvmodels.errors import ConfigError, DataError
from clvmodels.runs.inputs import FILE_KEYS, _stated
from clvmodels.sources.consolidation import Table, consolidate
from clvmodels.sources.transactions import Policies, read_transactions

HEADER = "customer_id,date,amount\n"


@pytest.fixture
def write(tmp_path):
    def write_file(content: str | bytes, name: str = "orders.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def rows(*args, **kwargs) -> list[tuple]:
    frame = read_transactions(*args, **kwargs).table.execute()
    frame["date"] = pd.to_datetime(frame["date"]).dt.strftime("%Y-%m-%d")
    return sorted(frame.itertuples(index=False, name=None))


def message(*args, **kwargs) -> str:
    with pytest.raises(DataError) as error:
        read_transactions(*args, **kwargs)
    return str(error.value)


# The header -------------------------------------------------------------------------------------------------------

BARE = "7001\t25\t1/6/2021\n7001\t30\t3/11/2021\n7002\t15\t1/29/2021\n"
BARE_ROWS = [("7001", "2021-01-06", 25.0), ("7001", "2021-03-11", 30.0), ("7002", "2021-01-29", 15.0)]


@pytest.mark.parametrize(
    "options",
    [
        {"header": False, "columns": {"customer_id": 1, "date": 3, "amount": 2}},
        {"header": False, "columns": {"customer_id": "1", "date": "3", "amount": "2"}},
        {"header": ["customer_id", "amount", "date"]},
    ],
)
def test_a_file_without_a_header_gives_all_of_its_rows(write, options):
    assert rows(write(BARE, "orders.txt"), date_format="%m/%d/%Y", **options) == BARE_ROWS


@pytest.mark.parametrize("row", ["A,20250107,5", "A,1736208000,5", "anna,x,12.5", "1,2,3"])
def test_no_first_row_of_numbers_is_taken_for_names(write, row):
    assert "the first row looks like data" in message(write(f"{row}\n{row}\n"))


@pytest.mark.parametrize("columns", [{}, {"customer_id": "7001", "date": "1/6/2021", "amount": "25"}])
def test_a_first_row_of_data_is_never_taken_for_names(write, columns):
    text = message(write(BARE, "orders.txt"), columns=columns, date_format="%m/%d/%Y")
    assert "the first row looks like data, not like names of columns; got 7001, 25, 1/6/2021" in text
    assert "header: false" in text


def test_a_sheet_without_a_header_gives_all_of_its_rows(tmp_path):
    book = openpyxl.Workbook()
    for row in (["A", pd.Timestamp("2025-01-07"), 2.5], ["B", pd.Timestamp("2025-02-07"), 3]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert "the first row looks like data" in message(tmp_path / "a.xlsx")
    columns = {"customer_id": 1, "date": 2, "amount": 3}
    assert rows(tmp_path / "a.xlsx", header=False, columns=columns) == [
        ("A", "2025-01-07", 2.5),
        ("B", "2025-02-07", 3.0),
    ]


def test_years_may_be_names_of_columns(write):
    file = write("customer_id,date,2023,2024\nA,2025-01-07,1,2\n")
    assert rows(file, columns={"amount": "2024"}) == [("A", "2025-01-07", 2.0)]
    wide = write("customer_id,2024-01-01\nA,2025-01-07\n")
    assert rows(wide, header=1, columns={"date": "2024-01-01"}) == [("A", "2025-01-07")]


def test_a_table_below_a_title_is_read_from_its_header_and_rows_keep_their_lines(write, tmp_path):
    report = write('"All amounts in EUR"\n""\n' + HEADER + "A,2025-01-07,2\nB,soon,3\n")
    assert "Line 3 looks like the header (customer_id, date, amount): state header: 3" in message(report)
    assert "first at line 5;" in message(report, header=3)
    book = openpyxl.Workbook()
    for row in (["Orders"], [], ["customer_id", "date"], ["A", "2025-01-07"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert "state header: 3" in message(tmp_path / "a.xlsx")
    assert rows(tmp_path / "a.xlsx", header=3) == [("A", "2025-01-07")]
    assert "has 5 lines, and header: 9 is stated" in message(report, header=9)
    assert "is no line of a file" in message(report, header=0)


def test_a_header_below_a_title_with_a_comma_is_sought_by_semicolons(write):
    """The line after it, split by decimal commas, looks like three names."""
    title, data = "Export of Miller, Ltd\n", "A;07.01.2025;12,50;8,40;paid\n"
    file = write(title + "customer_id;date;amount;cost;status\n" + data * 2)
    assert "Line 2 looks like the header (customer_id, date, amount, cost, status): state header: 2" in message(file)
    assert rows(file, header=2, decimal=",", date_format="%d.%m.%Y") == [("A", "2025-01-07", 12.5)] * 2


def test_excels_own_first_line_names_the_delimiter(write):
    expected = [("A", "2025-01-07", 12.5)]
    assert rows(write("sep=;\r\ncustomer_id;date;amount\r\nA;2025-01-07;12.50\r\n")) == expected
    marked = write(b"\xef\xbb\xbf" + b"SEP=\t\ncustomer_id\tdate\tamount\nA\t2025-01-07\t12.50\n")
    assert rows(marked) == expected


# Text -------------------------------------------------------------------------------------------------------------


def test_lines_that_end_in_several_ways_are_lines(write):
    january = "customer_id,date,amount\r\nA,2025-01-07,12.5\r\nB,2025-01-09,7\r\n"
    mixed = write(january + "A,2025-02-07,10\nC,2025-02-09,8\n")
    assert [row[0] for row in rows(mixed)] == ["A", "A", "B", "C"]
    assert "first at line 5" in message(write(january + "A,2025-02-07,10\nC,soon,8\n"))
    assert len(rows(write(HEADER + "A,2025-01-07,1\rB,2025-01-08,2\nC,2025-01-09,3\r\n"))) == 3


TEXT = "customer_id;date;region\nA;2025-01-07;Nord – „Küste“ €\nB;2025-02-07;Süd\n"


@pytest.mark.parametrize(
    ("bytes_of", "encoding"),
    [
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.encode("cp1252"), "windows-1252"),
        (TEXT.encode("utf-16"), "utf-16"),
        (TEXT.encode("utf-16"), "utf-8"),  # its mark says what it is
        (TEXT.encode("utf-16-le"), "utf-16"),
        (TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
    ],
)
def test_an_encoding_is_read_with_and_without_a_mark(write, bytes_of, encoding):
    transactions = read_transactions(write(bytes_of), groups=["region"], encoding=encoding)
    assert sorted(transactions.table.execute()["region"]) == ["Nord – „Küste“ €", "Süd"]


@pytest.mark.parametrize(
    ("bytes_of", "encoding", "expected"),
    [
        (TEXT.encode("cp1252"), "utf-8", "is not utf-8 text, first at line 2. State its encoding: 'cp1252'"),
        (TEXT.encode("cp1252"), "latin-1", "is not latin-1 text, first at line 2. State its encoding: 'cp1252'"),
        (TEXT.encode("cp1252"), "utf-16", "is not utf-16 text: it has no mark of it"),
        (TEXT.encode("utf-16-le"), "utf-8", "State its encoding: 'utf-16'"),
        (TEXT.encode("utf-16")[:-1], "utf-16", "is damaged utf-16 text"),
        (TEXT.encode("utf-16") + b"\x00\xd8A\x00", "utf-16", "is damaged utf-16 text, first at line 4"),
        (b"customer_id,date\nA\x81,2025-01-07\n", "cp1252", "is not cp1252 text, first at line 2"),
    ],
)
def test_what_is_no_text_of_an_encoding_names_another(write, bytes_of, encoding, expected):
    assert expected in message(write(bytes_of), encoding=encoding)


def test_quotes_with_backslashes_by_option(write):
    file = write('customer_id,product,date\nA,"7\\" single, used",2025-01-07\nB,"LP 12\\"",2025-02-08\n')
    assert "state escape: '\\'" in message(file)
    transactions = read_transactions(file, escape="\\", groups=["product"])
    assert sorted(transactions.table.execute()["product"]) == ['7" single, used', 'LP 12"']


# Numbers and days -------------------------------------------------------------------------------------------------


def test_a_decimal_comma_is_stated(write):
    file = write(
        "customer_id;date;amount\nA;2024-01-03;1.250,00\nA;2024-02-17;89,90\nB;2024-01-09;-2 400,5\nC;2024-01-10;7\n"
    )
    assert "State decimal: ','" in message(file)
    assert [row[2] for row in rows(file, decimal=",")] == [1250.0, 89.9, 7.0]
    assert "thousands: is what decimal is" in message(file, thousands=".")
    point = write('customer_id,date,amount\nA,2024-01-03,"1,250.00"\n')
    assert "State thousands: ','" in message(point)
    assert rows(point, thousands=",") == [("A", "2024-01-03", 1250.0)]
    assert "1 of 1 rows have an amount that cannot be read" in message(
        write(HEADER + "A,2024-01-03,12.50\n"), decimal=","
    )


DAYS = ["2025-01-07", "2025-02-07", "2025-03-09"]


@pytest.mark.parametrize(
    ("numbers", "date_format"),
    [
        (["45664", "45695.75", "45725"], "excel"),
        (["1736208000", "1738886400", "1741478400"], "epoch"),
        (["1736208000000", "1738886400001", "1741478400000"], "epoch_ms"),
        (["2460682.5", "2460713.5", "2460743.9"], "julian"),
        (["20250107", "20250207", "20250309"], "%Y%m%d"),
    ],
)
def test_numbers_are_days_by_a_name(write, numbers, date_format):
    text = write("customer_id,date\n" + "".join(f"A,{number}\n" for number in numbers))
    frame = pd.DataFrame({"customer_id": "A", "date": pd.to_numeric(pd.Series(numbers))})
    floats = frame.assign(date=frame["date"].astype(float))
    for source in (text, frame, floats):
        advice = re.search(r"State date_format: '?([%\w]+)", message(source))
        assert advice is not None and advice[1] == date_format
        assert [row[1] for row in rows(source, date_format=advice[1])] == DAYS


def test_instants_by_number_are_of_the_days_of_a_zone(write):
    late = write("customer_id,date\nA,1736222400\n")  # 04:00 in UTC
    assert rows(late, date_format="epoch") == [("A", "2025-01-07")]
    assert "1 row is an instant, and no timezone is stated" in read_transactions(late, date_format="epoch").warnings[0]
    midnight = write("customer_id,date\nA,1736208000\n")
    assert not read_transactions(midnight, date_format="epoch").warnings
    aware = pd.DataFrame({"customer_id": ["A"], "date": pd.to_datetime(["2025-01-07 23:00-05:00"])})
    assert "each is of UTC's day" in read_transactions(aware).warnings[0]
    assert not read_transactions(aware, timezone="America/New_York").warnings
    late = write("customer_id,date\nA,1736222400\n")
    assert rows(late, date_format="epoch", timezone="America/New_York") == [("A", "2025-01-06")]


@pytest.mark.parametrize("sign", ["-0500", "-05:00", "-05"])
def test_a_time_with_an_offset_is_of_the_day_that_it_names_until_a_zone_is_stated(write, sign):
    times = (f"2025-01-07 10:00:00 {sign}", f"2025-01-07T20:30{sign}", f"2025-02-02 09:00:00.1234567 {sign}")
    file = write("customer_id,date\n" + "".join(f"A,{time}\n" for time in times))
    transactions = read_transactions(file)
    assert summarize(transactions).customers.table["frequency"].tolist() == [1]
    assert "3 rows have a time with an offset" in transactions.warnings[0]
    assert "in UTC 1 row would be of another day" in transactions.warnings[0]
    in_utc = read_transactions(file, timezone="UTC")
    assert summarize(in_utc).customers.table["frequency"].tolist() == [2] and not in_utc.warnings
    plain = read_transactions(
        write("customer_id,date\nA,2025-01-07 10:00:00 Z\nB,2025-01-07T10:22Z\nC,2025-01-08 10:00 +00:00\n")
    )
    assert len(plain) == 3 and not plain.warnings


# Rows and columns -------------------------------------------------------------------------------------------------

STATUSES = (
    "customer_id,date,amount,status\nA,2025-01-07,12.5,paid\nA,,x,cancelled\nB,2025-02-09,7,Paid\nB,2025-02-10,7,\n"
)


def test_rows_are_kept_by_what_a_column_holds_and_the_others_counted(write):
    file = write(STATUSES)
    transactions = read_transactions(file, where={"status": ["paid", "delivered"]})
    account = transactions.account.set_index("reason")["rows"]
    assert account["rows read"] == 4 and account["rows used"] == 1
    assert account["left out by where, the filter of rows"] == 3
    assert transactions.warnings == ("orders.csv: no row has 'delivered' as status; there are Paid, cancelled, paid",)
    assert len(rows(file, where={"status": {"not": ["cancelled"]}})) == 3
    assert rows(file, where={"status": [None]}) == [("B", "2025-02-10", 7.0)]
    assert "no row has 'payed' as status; there are Paid" in message(file, where={"status": "payed"})
    assert "Unknown column 'state'; did you mean 'status'?" in message(file, where={"state": ["paid"]})
    assert "of 'status' are no values" in message(file, where={"status": {"keep": 1}})
    kept = consolidate({"shop": Table(file, columns={"key": "customer_id"}, where={"status": ["paid", "Paid"]})})
    assert len(kept.transactions) == 2


def test_a_value_stands_for_a_column(write):
    file = write("customer_id,date\n1,2024-01-01\n2,2024-01-09\n")
    assert rows(file, columns={"amount": {"value": 9.99}}) == [("1", "2024-01-01", 9.99), ("2", "2024-01-09", 9.99)]
    cards = write("card,person\n1,A\n2,A\n", "cards.csv")
    columns = {"system": {"value": "shop"}, "key": "card", "customer_id": "person"}
    tables = {
        "orders": Table(file, system="shop", columns={"key": "customer_id"}),
        "cards": Table(cards, role="identity", columns=columns),
    }
    assert consolidate(tables).transactions.table.execute()["customer_id"].tolist() == ["A", "A"]


def test_folders_that_are_called_by_a_value_are_a_column(write, tmp_path):
    """As Spark writes a table that is partitioned: the files say nothing of the day."""
    for day, customer in (("2025-01-07", "A"), ("2025-02-07", "B")):
        (tmp_path / "orders" / f"date={day}").mkdir(parents=True)
        frame = pd.DataFrame({"customer_id": [customer], "amount": [1.0]})
        frame.to_parquet(tmp_path / "orders" / f"date={day}" / "part-0.parquet")
    assert rows(tmp_path / "orders") == [("A", "2025-01-07", 1.0), ("B", "2025-02-07", 1.0)]


def test_a_folder_and_a_pattern_are_one_table(write, tmp_path):
    write("", "orders/_SUCCESS")
    write(HEADER + "A,2025-01-07,1\nB,2025-01-08,2\n", "orders/part-00000.csv")
    write(HEADER + "A,2025-02-07,3\nB,soon,4\n", "orders/part-00001.csv")
    text = message(tmp_path / "orders")
    assert "1 of 4 rows have a date that cannot be read, first at line 3 of part-00001.csv" in text
    write("date,customer_id,amount\n2025-02-07,A,3\n", "orders/part-00001.csv")
    expected = [("A", "2025-01-07", 1.0), ("A", "2025-02-07", 3.0), ("B", "2025-01-08", 2.0)]
    assert rows(tmp_path / "orders") == rows(tmp_path / "orders" / "part-*.csv") == expected
    write("customer_id,date\nA,2025-03-07\n", "orders/part-00002.csv")
    assert "has no column 'amount', and part-00000.csv has one" in message(tmp_path / "orders")
    pd.DataFrame({"customer_id": [1, 2], "date": ["2025-01-07"] * 2}).to_parquet(tmp_path / "a-1.parquet")
    pd.DataFrame({"customer_id": ["x"], "date": ["2025-01-08"]}).to_parquet(tmp_path / "a-2.parquet")
    assert [row[0] for row in rows(tmp_path / "a-*.parquet")] == ["1", "2", "x"]
    assert "no file matches the pattern" in message(tmp_path / "b-*.parquet")


def test_a_column_that_any_part_has_is_asked_of_all(write, tmp_path):
    """Whichever comes first: a first part without amounts would leave the money of all others unread in silence."""
    write("customer_id,date\nA,2025-01-07\n", "a.csv")
    write(HEADER + "A,2025-02-07,3\n", "b.csv")
    assert "a.csv: has no column 'amount', and b.csv has one" in message(tmp_path / "*.csv")
    write("customer_id,date,amount,amount\nA,2025-01-07,3,4\n", "a.csv")
    assert "2 columns are called 'amount'" in message(tmp_path / "*.csv")
    write(HEADER + "A,2025-01-07,3\n", "a.csv")
    write("customer_id,date,amount,amount\nA,2025-02-07,3,4\n", "b.csv")
    assert "b.csv: 2 columns are called 'amount'" in message(tmp_path / "*.csv")


def test_parts_in_folders_are_told_apart_and_hidden_files_are_none(write, tmp_path):
    write(HEADER + "A,2025-01-07,3\n", "orders/2024/part.csv")
    write(HEADER + "A,soon,3\n", "orders/2025/part.csv")
    assert "first at line 2 of 2025/part.csv" in message(tmp_path / "orders")
    for name in (".copy.csv", "_part.csv", "~$part.csv"):
        write(HEADER + "Z,2025-01-07,3\n", f"orders/2024/{name}")
    assert rows(tmp_path / "orders" / "2024" / "*.csv") == [("A", "2025-01-07", 3.0)]
    assert rows(tmp_path / "orders" / "2024" / "_*.csv") == [("Z", "2025-01-07", 3.0)]


@pytest.mark.parametrize("decimal, text", [(",", "12,50"), (".", "12.50")])
def test_numbers_that_stand_among_texts_are_what_they_are(decimal, text, tmp_path):
    """1.125 in a cell of a workbook is no 1125, whatever the texts beside it mean by a point."""
    frame = pd.DataFrame({"customer_id": [17.0, "B", "C"], "date": "2025-01-07", "amount": [1.125, text, 1250.0]})
    frame.to_excel(tmp_path / "orders.xlsx", index=False)
    expected = [("17", "2025-01-07", 1.125), ("B", "2025-01-07", 12.5), ("C", "2025-01-07", 1250.0)]
    assert rows(tmp_path / "orders.xlsx", decimal=decimal) == rows(frame, decimal=decimal) == expected


@pytest.mark.parametrize(
    "number, date_format, advice",
    [
        (
            "1736208000",
            "epoch_ms",
            "State date_format: epoch, if they are seconds since 1970 (1736208000 is 2025-01-07)",
        ),
        ("20250107", "epoch", "State date_format: '%Y%m%d', as the cells look"),
        ("45664", "epoch", "State date_format: excel"),
    ],
)
def test_numbers_of_another_count_are_no_days(number, date_format, advice, write):
    """Seconds read as thousandths of a second would all be of January 1970."""
    path = write(HEADER + f"A,{number},1\nB,{number},1\n")
    assert f"are no days by date_format '{date_format}'" in message(path, date_format=date_format)
    assert advice in message(path, date_format=date_format)
    with pytest.raises(DataError, match="are no days by date_format"):
        consolidate({"orders": Table(path=path, columns={"key": "customer_id"}, date_format=date_format)})


# Columns of odd types ---------------------------------------------------------------------------------------------


def test_columns_of_nothing_of_periods_and_of_listed_words(tmp_path):
    frame = pd.DataFrame({"customer_id": ["A", "B"], "date": pd.to_datetime(["2025-01-07", "2025-02-08"])})
    nothing = summarize(read_transactions(frame.assign(channel=None), groups=["channel"]), groups=["channel"])
    assert nothing.customers.table["channel"].tolist() == ["(missing)", "(missing)"]
    assert "a date that cannot be read" in message(frame.assign(date=pd.PeriodIndex(["2025-01", "2025-02"], freq="M")))
    assert len(rows(frame.assign(date=pd.PeriodIndex(["2025-01-07", "2025-02-08"], freq="D")))) == 2
    assert len(rows(frame.assign(customer_id=[2**70, 3]))) == 2
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        words = frame.assign(channel=pd.Categorical(["web", "shop"]))
        connection.register("words", words)
        connection.execute("CREATE TYPE channel AS ENUM ('web', 'shop')")
        connection.execute("CREATE TABLE orders AS SELECT customer_id, date, channel::channel AS channel FROM words")
    for source in (tmp_path / "shop.duckdb", words):
        channels = read_transactions(source, groups=["channel"]).table.execute()["channel"]
        assert sorted(channels) == ["shop", "web"]


def test_formulas_without_results_say_so(tmp_path):
    book = openpyxl.Workbook()
    for row in (["customer_id", "date", "amount"], ["A", "2025-01-07", "=1+1"], ["B", "2025-01-08", "=2+2"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert "column 'amount' is empty: its formulas have no stored results" in message(tmp_path / "a.xlsx")


# The other doors --------------------------------------------------------------------------------------------------

STATED = {
    "transactions": "orders.csv",
    "columns": {"customer_id": 1, "date": "2", "amount": {"value": 9.99}},
    "decimal": ",",
    "thousands": ".",
    "header": False,
    "escape": "\\",
    "encoding": "windows-1252",
    "where": {"status": ["paid", "delivered"]},
    "time_unit": "week",
}


def experiment(**data) -> Experiment:
    mapping = {"title": "t", "models": {"bg": {"purchases": "bg_nbd"}}, "data": {"transactions": "o.csv", **data}}
    return Experiment.from_dict(mapping)


def test_an_experiment_file_states_what_python_states():
    data = experiment(**STATED).data
    stated = _stated(data, *FILE_KEYS)
    assert stated.pop("where") == STATED["where"]
    assert stated == {key: STATED[key] for key in ("decimal", "thousands", "header", "escape", "encoding")}
    assert data.columns.model_dump(exclude_none=True)["amount"] == {"value": 9.99}
    assert experiment(keep={"status": ["paid"]}).data.where == {"status": ("paid",)}
    assert "header" not in dump(experiment())  # stored runs know their experiment by its dump
    for key, value in {"header": 0, "encoding": "utf-9", "where": ["paid"], "decimal": ";"}.items():
        with pytest.raises(ConfigError, match=f"data.{key}"):
            experiment(**{key: value})


def test_the_command_line_states_what_python_states():
    assert read_header("false") is False and read_header("4") == 4
    assert read_header("id, day") == ("id", "day")
    assert read_filter(["status=paid,delivered", "test!=1"]) == {
        "status": ["paid", "delivered"],
        "test": {"not": ["1"]},
    }
    assert read_columns("date=2,amount={value: 9.99}") == {"date": "2", "amount": {"value": "9.99"}}


@pytest.mark.parametrize("policy", [{"refunds": "net"}, {"refunds": "returns"}, {"zero_amounts": "drop"}])
def test_policies_of_amounts_need_them(policy, write):
    """Without amounts every refund would be a purchase, of which a policy says that it is none."""
    path = write("customer_id,date,paid\nA,2025-01-07,3\nA,2025-01-09,-3\n")
    name, value = next(iter(policy.items()))
    text = message(path, policies=Policies(**policy))
    assert f"the policy {name}: {value} needs amounts, and no column is read as them" in text
    assert "columns: {amount: ...}" in text


@pytest.mark.parametrize("day", ["0202-01-01", "2025-02-30"])
def test_days_of_no_calendar_need_no_format(day, write):
    text = message(write(HEADER + f"A,2025-01-07,1\nB,{day},1\n"))
    assert "no calendar from 1700 to 2261 has them" in text
    assert "date_format" not in text


def test_a_number_for_all_rows_is_no_text(write):
    """The price stands in the experiment, where a decimal is a point whatever the table writes."""
    path = write("customer_id,date\nA,2025-01-07\n")
    for price in (9.99, 9.125, 12.0):
        assert rows(path, decimal=",", columns={"amount": {"value": price}}) == [("A", "2025-01-07", price)]
        assert rows(path, columns={"amount": {"value": price}}) == [("A", "2025-01-07", price)]


def test_rows_are_kept_by_one_column(write):
    path = write("customer_id,date,state,state\nA,2025-01-07,paid,lost\n")
    assert "where: 2 columns are called 'state'" in message(path, where={"state": ["paid"]})
