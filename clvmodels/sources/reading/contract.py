"""What every format gives: a table that was found, then its rows in the embedded engine."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd

from clvmodels.errors import DataError, Problem

_DAY = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T].*)?\s*$")
_NUMBER = re.compile(r"\s*[-+]?\d[\d.,]*\s*$")
_DATA_NUMBER = re.compile(r"\s*[-+]?(\d+[.,]\d+|\d{9,}|(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]))\s*$")
"""A number that no column is called by: with decimals, of many digits, or a day as YYYYMMDD."""


class Layout(NamedTuple):
    """What a file does not say of itself, and its reader has to be told."""

    delimiter: str | None = None
    """Of a text file; by default the one of , ; tab | that splits the header into most names."""
    encoding: str = "utf-8"
    escape: str | None = None
    """What stands before a quote within quotes; by default such a quote is written twice."""
    header: bool | int | tuple[str, ...] = True
    """The line that holds the names of the columns; False where none does, or the names themselves."""
    table: str | None = None
    """Of a database, or the sheet of a workbook."""
    decimal: str = "."
    """What stands before the cents in text: numbers that stand among texts are written so."""

    @classmethod
    def of(
        cls,
        delimiter: str | None,
        encoding: str,
        escape: str | None,
        header: bool | int | Sequence[str],
        table: str | None,
        decimal: str | None = None,
    ) -> Layout:
        """As users state it: names in any sequence."""
        names = header if isinstance(header, bool | int) else tuple(header)
        return cls(delimiter, encoding, escape, names, table, decimal or ".")

    @property
    def header_line(self) -> int | None:
        """The line of the names, where it is stated by its number."""
        return None if isinstance(self.header, bool | tuple) else self.header

    @property
    def has_header(self) -> bool:
        """Whether a line of the file holds the names of the columns."""
        return self.header is not False and not isinstance(self.header, tuple)


class Raw(NamedTuple):
    """A table in the engine. `table` has the selected columns as c0, c1, ... and `row`, from 0 in its order; and
    `is_kept` where rows are kept by what other columns hold."""

    table: ibis.Table
    rejects: pd.DataFrame  # line, reason, text: records that could not be split into the file's columns
    place: str  # "line" of the file, or "row" where lines and rows do not run together
    line_of: Callable[[np.ndarray], np.ndarray]  # row numbers -> places
    sha256: str  # of the file, or of the content where there is none
    spot_in_part: Callable[[int], str] | None = None  # row number -> its place in the file of several that it is in
    notes: tuple[str, ...] = ()  # what a reader should know of the rows

    @property
    def kept(self) -> ibis.Table:
        """The rows that are to be looked at."""
        return self.table.filter(self.table.is_kept) if "is_kept" in self.table.columns else self.table

    def spot(self, row: int) -> str:
        """Where a row stands, in words."""
        if self.spot_in_part is not None:
            return self.spot_in_part(row)
        return f"{self.place} {int(self.line_of(np.array([row]))[0])}"


class Source(NamedTuple):
    """A table that was found and whose columns are known, not yet read."""

    where: str
    columns: tuple[str, ...]
    scan: Callable[[ibis.BaseBackend, Sequence[str]], Raw]
    hint: str = ""
    """What may help where a column is not among them."""


def internal(selection: Sequence[str]) -> list[str]:
    """What the engine calls the selected columns: names of its own, since a table's may be anything."""
    return [f"c{i}" for i in range(len(selection))]


def no_rows(where: str) -> Problem:
    return Problem("the table has a header and no rows", where)


def no_rejects() -> pd.DataFrame:
    empty = {"line": pd.Series(dtype="int64"), "reason": pd.Series(dtype=str), "text": pd.Series(dtype=str)}
    return pd.DataFrame(empty)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The names of the columns -----------------------------------------------------------------------------------------


def column_names(first_row: Sequence[str], header: bool | int | tuple[str, ...], where: str) -> tuple[str, ...]:
    """The names of a table whose first row this is: what it holds, or places from 1, or names that are stated.

    Raises
    ------
    DataError
        There are more or fewer stated names than columns; or names are taken from a row that looks like data.
    """
    if header is False:
        return tuple(str(place) for place in range(1, len(first_row) + 1))
    if isinstance(header, tuple):
        if len(header) != len(first_row):
            what = f"{len(header)} names of columns are stated, and the first row has {len(first_row)} cells"
            raise DataError(Problem(what, where, _shown(first_row)))
        return header
    # A line that is stated by its number holds names, whatever they look like.
    if header is True and looks_like_data(first_row):
        known = "Where it is data, state header: false, and columns by their places, as in columns: {customer_id: 1}; "
        known += "where it does hold the names, header: 1"
        raise DataError(
            Problem("the first row looks like data, not like names of columns", where, _shown(first_row), known)
        )
    return tuple(name.strip() for name in first_row)


def looks_like_data(cells: Sequence[str]) -> bool:
    """Whether a first row has a day among its cells, or an amount, or nothing but numbers. (Years are numbers too, and
    name columns.)"""
    filled = [cell for cell in cells if cell.strip()]
    if any(_DAY.match(cell) or _DATA_NUMBER.match(cell) for cell in filled):
        return True
    return len(filled) > 1 and all(_NUMBER.match(cell) for cell in filled)


def header_hint(rows: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    """Which later line looks like the header: the first of more cells than the names above it, all of them words, as
    many as in the line after it. `rows` begin with the first line."""
    for place, (cells, following) in enumerate(itertools.pairwise(rows[1:]), start=2):
        are_words = all(cell.strip() and not _DAY.match(cell) and not _NUMBER.match(cell) for cell in cells)
        if are_words and len(cells) > max(1, len(names)) and len(following) == len(cells):
            return f"line {place} looks like the header ({_shown(cells)}): state header: {place}"
    return ""


def _shown(cells: Sequence[str]) -> str:
    return ", ".join(cell.strip() for cell in cells)[:80]
