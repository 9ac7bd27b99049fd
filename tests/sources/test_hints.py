"""What a message advises is followed, word for word, until the table is read: no advice leads in a circle."""

from __future__ import annotations

import ast
import inspect
import re
import sqlite3
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import clvmodels.sources
from clvmodels.cli.app import fit, score
from clvmodels.config.sections import DataSection, SourceSection
from clvmodels.errors import DataError
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import read_transactions

STATED = re.compile(
    r"[Ss]tate (?:its )?(header|encoding|escape|decimal|thousands|date_format|timezone|data_end):? ?"
    r"('[^']*'|[\w/]+)?"
)
TABLE = re.compile(r"Name one as table: ([^,]+)")
COLUMN = re.compile(r"say which column it is: columns: \{(\w+): \.\.\.\}")
POLICY = re.compile(r"The policy (\w+): (\w+) leaves")
MOST_STEPS = 6


def followed(text: str, options: dict, own_names: dict[str, object]) -> dict:
    """The options with what the message advises; a column is named as its owner knows it."""
    names = [meaning for meaning in COLUMN.findall(text) if meaning in own_names]
    if "looks like the header" not in text and names:
        return options | {"columns": options.get("columns", {}) | {meaning: own_names[meaning] for meaning in names}}
    if table := TABLE.search(text):
        return options | {"table": table[1]}
    advice = {name: value.strip("'") for name, value in STATED.findall(text) if value}
    if advice:
        header = advice.pop("header", None)
        if header is not None:
            advice["header"] = False if header == "false" else int(header)
        return options | advice
    policy = POLICY.search(text)
    assert policy is not None, f"no advice to follow: {text}"
    return options | {"policies": Policies(**{policy[1]: policy[2]})}


def read_by_advice(source, own_names: dict[str, object]) -> tuple[int, list[str]]:
    """How many rows are read in the end, and the messages on the way."""
    options: dict = {}
    messages: list[str] = []
    for _ in range(MOST_STEPS):
        try:
            return len(read_transactions(source, **options)), messages
        except DataError as error:
            assert str(error) not in messages, f"a circle: {error}"
            messages.append(str(error))
            options = followed(str(error), options, own_names)
    raise AssertionError("\n".join(messages))


ISO = "customer_id,date,amount\n"
GERMAN = {"customer_id": "Kunde", "date": "Datum", "amount": "Betrag"}
PLACES = {"customer_id": 1, "date": 2, "amount": 3}
TEXTS = {
    "a German export": ("\ufeffKunde;Datum;Betrag\n1;13.01.2024;1.250,00\n1;17.02.2024;89,90\n".encode(), GERMAN, 2),
    "Windows": ("customer_id;date;Größe\n1;2024-01-13;groß\n".encode("cp1252"), {}, 1),
    "UTF-16 without a mark": ((ISO + "1,2024-01-13,2\n").encode("utf-16-le"), {}, 1),
    "no header": (b"A,2024-01-13,2\nB,2024-01-14,3\n", PLACES, 2),
    "a title": (b'"Orders of January"\n""\ncustomer_id,date,amount\nA,2024-01-13,2\n', {}, 1),
    "seconds": ((ISO + "A,1736208000,2\nB,1738886400,3\n").encode(), {}, 2),
    "thousandths": ((ISO + "A,1736208000000,2\n").encode(), {}, 1),
    "whole numbers": ((ISO + "A,20240113,2\nB,20240114,3\n").encode(), {}, 2),
    "American days": ((ISO + "A,01/13/2024,2\nB,01/02/2024,3\n").encode(), {}, 2),
    "times": ((ISO + "A,13/01/2024 08:15:00,2\n").encode(), {}, 1),
    "names of months": ((ISO + "A,13-Jan-2024,2\n").encode(), {}, 1),
    "halves of days": ((ISO + "A,01/13/2024 08:15 PM,2\n").encode(), {}, 1),
    "backslashes": (b'customer_id,x,date\nA,"7\\" single, used",2024-01-13\n', {}, 1),
    "commas in thousands": (b'customer_id,date,amount\nA,2024-01-13,"1,250.00"\n', {}, 1),
    "an amount is missing": ((ISO + "A,2024-01-13,2\nB,2024-01-14,\n").encode(), {}, 1),
    "a day is not readable": ((ISO + "A,2024-01-13,2\nB,2024-01-14,3\nC,soon,3\n").encode(), {}, 2),
}


@pytest.mark.parametrize("case", TEXTS)
def test_advice_about_a_text_is_followed_until_it_is_read(tmp_path, case):
    content, own_names, rows = TEXTS[case]
    (tmp_path / "orders.csv").write_bytes(content)
    assert read_by_advice(tmp_path / "orders.csv", own_names)[0] == rows


def test_advice_about_workbooks_databases_and_frames_is_followed_until_they_are_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Orders"
    for row in (["Orders of January"], [], ["customer_id", "date"], ["A", 45664], ["A", 45695]):
        book.active.append(row)
    book.create_sheet("Notes")
    book.save(tmp_path / "a.xlsx")
    assert read_by_advice(tmp_path / "a.xlsx", {})[0] == 2
    with sqlite3.connect(tmp_path / "a.db") as connection:
        for table in ("orders", "others"):
            connection.execute(f"CREATE TABLE {table} (customer_id TEXT, date REAL)")
            connection.execute(f"INSERT INTO {table} VALUES ('A', 2460682.5)")
    connection.close()
    assert read_by_advice(tmp_path / "a.db", {})[0] == 1
    frame = pd.DataFrame({"who": ["A", "B"], "when": [20240113.0, 20240114.0]})
    assert read_by_advice(frame, {"customer_id": "who", "date": "when"})[0] == 2


def test_every_option_that_a_message_names_is_one_of_all_doors():
    """In the words of the code: `state header`, `State decimal: ','`, `columns: {...}`."""
    advised = set()
    for path in Path(clvmodels.sources.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                advised |= set(re.findall(r"\b[Ss]tate (?:its )?([a-z_]+)\b", node.value))
    options = advised & {*inspect.signature(read_transactions).parameters}
    assert {"header", "encoding", "escape", "decimal", "thousands", "date_format", "data_end"} <= options
    elsewhere = {"timezone", "data_end"}  # in a file, of data: they are of all tables
    for name in options:
        assert name in DataSection.model_fields
        assert name in SourceSection.model_fields or name in elsewhere
        for command in (fit, score):
            assert name in inspect.signature(command).parameters or name == "data_end"


def test_no_message_shows_python_to_those_who_write_yaml():
    for path in Path(clvmodels.sources.__file__).parent.rglob("*.py"):
        assert "columns={{" not in path.read_text() and "columns={'" not in path.read_text(), path
