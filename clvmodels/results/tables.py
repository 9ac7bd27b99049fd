"""The tables that a report is made from: CSV for readers, their types beside them, so that they come back as they were.

A CSV says nothing of types: guessed ones make 7 of the customer "007", 100000 of "1e5", and nobody of "NA". What each
column holds is stored in `schema.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pandas.api import types as dtypes

from clvmodels.errors import Problem, ResultsError, unwritable

SCHEMA = "schema.json"
TEXT, INTEGER, NUMBER, TRUTH, DATE = "text", "integer", "number", "truth", "date"
OBJECTS = {"boolean": TRUTH, "integer": INTEGER, "floating": NUMBER}
"""Of a column of Python objects, which pandas makes where some are not known: what it is of. All else is text."""
AGAIN = "Run the experiment again; what was fitted is kept"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    part = path.with_name(path.name + ".tmp")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def store_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables as <name>.csv below a folder, where names may hold a subfolder, and their types as schema.json."""
    schema = {}
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, table.to_csv(index=False))
        schema[name] = types_of(table)
    write_atomically(folder / SCHEMA, json.dumps(schema, indent=1, ensure_ascii=False) + "\n")


def named(figure: str, table: pd.DataFrame | NamedTuple) -> dict[str, pd.DataFrame]:
    """A figure's table by the figure's name; of several, each by the name that `part_name` gives it."""
    if isinstance(table, pd.DataFrame):
        return {figure: table}
    return {part_name(figure, part): rows for part, rows in table._asdict().items()}


def part_name(figure: str, part: str) -> str:
    """The name of one of the several tables of a figure."""
    return f"{figure}.{part}"


def read_tables(folder: Path, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Read back those of the named tables that are there.

    Raises
    ------
    ResultsError
        Where schema.json is missing or says nothing of a table; where a table is not what it says.
    """
    stored = [name for name in names if (folder / f"{name}.csv").is_file()]
    schema = _schema(folder / SCHEMA) if stored else {}
    untyped = [name for name in stored if name not in schema]
    if untyped:
        where = str(folder / SCHEMA)
        raise ResultsError([Problem(f"says nothing of the table '{name}'", where, known=AGAIN) for name in untyped])
    return {name: read_table(folder / f"{name}.csv", schema[name]) for name in stored}


def types_of(table: pd.DataFrame) -> dict[str, str]:
    """What each column holds: text, integer, number, truth or date."""
    return {str(column): _type_of(table[column]) for column in table}


def _type_of(column: pd.Series) -> str:
    if dtypes.is_bool_dtype(column):
        return TRUTH
    if dtypes.is_integer_dtype(column):
        return INTEGER
    if dtypes.is_float_dtype(column):
        return NUMBER
    if dtypes.is_datetime64_any_dtype(column):
        return DATE
    return OBJECTS.get(dtypes.infer_dtype(column, skipna=True), TEXT)


def read_table(path: Path, types: Mapping[str, str]) -> pd.DataFrame:
    """Read a CSV whose columns hold what `types` says; what is empty is not known."""
    try:
        cells = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ResultsError(Problem(f"not a table ({error})", str(path), known=AGAIN)) from error
    if list(cells.columns) != list(types):
        got, known = ", ".join(cells.columns), f"{SCHEMA} names {', '.join(types)}"
        raise ResultsError(Problem("other columns than it was stored with", str(path), got, known))
    columns = {}
    for name, kind in types.items():
        try:
            columns[name] = READERS[kind](cells[name])
        except (KeyError, ValueError) as error:
            raise ResultsError(Problem(f"column '{name}' does not hold {kind}", str(path), str(error))) from error
    return pd.DataFrame(columns)


def _texts(cells: pd.Series) -> pd.Series:
    return cells.mask(cells == "")


def _integers(cells: pd.Series) -> pd.Series:
    if (cells == "").any():
        return cells.map(lambda cell: int(cell) if cell else pd.NA).astype("Int64")
    return cells.map(int).astype("int64")


def _numbers(cells: pd.Series) -> pd.Series:
    return cells.map(lambda cell: float(cell) if cell else float("nan")).astype("float64")


def _truths(cells: pd.Series) -> pd.Series:
    truths = {"True": True, "False": False}
    if (cells == "").any():
        return cells.map(lambda cell: truths[cell] if cell else float("nan")).astype(object)
    return cells.map(truths.__getitem__).astype(bool)


def _dates(cells: pd.Series) -> pd.Series:
    return pd.to_datetime(_texts(cells), format="ISO8601")


READERS: dict[str, Callable[[pd.Series], pd.Series]] = {
    TEXT: _texts,
    INTEGER: _integers,
    NUMBER: _numbers,
    TRUTH: _truths,
    DATE: _dates,
}


def _schema(path: Path) -> dict[str, dict[str, str]]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultsError(Problem("Cannot read the types of the tables", str(path), known=AGAIN)) from error
    except json.JSONDecodeError as error:
        raise ResultsError(Problem(f"Not valid JSON: {error.msg}", f"{path}:{error.lineno}")) from error
