"""A CSV file, plain or compressed, as a source: every value stays text, and what cannot be split into columns is kept
aside with its line."""

from __future__ import annotations

import csv
import io
import itertools
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import ibis
import numpy as np
import pandas as pd

from clvmodels.errors import DataError, Problem
from clvmodels.sources.reading.contract import (
    Layout,
    Raw,
    Source,
    column_names,
    header_hint,
    internal,
    sha256_of,
)
from clvmodels.sources.reading.encoding import (
    blocks_of,
    codec_of,
    decoded,
    is_utf8,
    lines_of,
    rewrite,
    wrong_utf8,
)

DELIMITERS = (",", ";", "\t", "|")
_HEADER_SOUGHT = 40  # lines in which a header is looked for
_EXCELS_OWN = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""The first line by which Excel knows the delimiter."""
_REJECTED = {
    "MISSING COLUMNS": "too few columns",
    "TOO MANY COLUMNS": "too many columns",
}


class _Shape(NamedTuple):
    """What is known of a text file before its rows are read."""

    columns: tuple[str, ...]
    delimiter: str
    escape: str
    codec: str
    skipped_lines: int  # before the table
    has_header: bool


def open_csv(path: Path, where: str, layout: Layout) -> Source:
    """The file by its header; without a delimiter given, by the one that the header has most of."""
    block = next(blocks_of(path, where), b"")
    codec = codec_of(block, layout.encoding, where)
    text = decoded(block, codec, where).removeprefix("\ufeff")
    shape, hint = _shape(text, where, layout, codec)

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        table, rejects, lines = _read(backend, path, where, shape)
        read_as = [f"c{shape.columns.index(name)}" for name in selection]
        selected = table.select("row", **dict(zip(internal(selection), read_as, strict=True)))
        return _numbered(selected, rejects, lines, shape, sha256_of(path))

    return Source(where, shape.columns, scan, hint)


# The header -------------------------------------------------------------------------------------------------------


def _shape(text: str, where: str, layout: Layout, codec: str) -> tuple[_Shape, str]:
    """The columns of a file that begins so, how they are told apart, and what may help where one is not there."""
    delimiter, skipped_lines = layout.delimiter, 0
    excels_own = _EXCELS_OWN.match(text)
    if excels_own:
        delimiter, skipped_lines = delimiter or excels_own[1], 1
    if layout.header_line is not None:
        skipped_lines = layout.header_line - 1
    lines = text.splitlines(keepends=True)
    if skipped_lines >= len(lines):
        raise DataError(Problem(f"has {len(lines)} lines, and header: {skipped_lines + 1} is stated", where))
    table = "".join(lines[skipped_lines:])
    delimiters = [delimiter] if delimiter else DELIMITERS
    first_rows = {mark: _rows(table, mark, layout.escape, 1, where) for mark in delimiters}
    best = max(delimiters, key=lambda mark: len(first_rows[mark][0]))
    first_row = first_rows[best][0]
    if not any(cell.strip() for cell in first_row):
        raise DataError(
            Problem("the first line is empty; it must hold the column names", where, known=_hint(text, layout))
        )
    columns = column_names(first_row, layout.header, where)
    shape = _Shape(columns, best, layout.escape or '"', codec, skipped_lines, layout.has_header)
    return shape, _hint(text, layout) if layout.header is True and not skipped_lines else ""


def _rows(text: str, delimiter: str, escape: str | None, most: int, where: str) -> list[list[str]]:
    """The first rows of a text; a line without anything is a row without cells."""
    has_escape = escape not in (None, '"')
    options: dict[str, Any] = {"escapechar": escape, "doublequote": False} if has_escape else {}
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, **options)
        return list(itertools.islice(reader, most)) or [[]]
    except (csv.Error, TypeError) as error:
        known = "A delimiter and an escape are one character each"
        raise DataError(Problem("the header cannot be read", where, str(error), known)) from error


def _hint(text: str, layout: Layout) -> str:
    """Which later line looks like the header, by the delimiter that the lines have most of: a decimal comma splits
    lines too, and the rows of data look like names then."""
    lines = text.splitlines()[:_HEADER_SOUGHT]
    delimiters = [layout.delimiter] if layout.delimiter else DELIMITERS
    most_common = max(delimiters, key=lambda mark: sum(line.count(mark) for line in lines))
    try:
        rows = [next(csv.reader([line], delimiter=most_common), []) for line in lines]
    except csv.Error:
        return ""
    return header_hint(rows, rows[0])


# The rows ---------------------------------------------------------------------------------------------------------


def _read(backend: ibis.BaseBackend, path: Path, where: str, shape: _Shape) -> tuple[ibis.Table, pd.DataFrame, int]:
    """All records as text in a table of the engine, those that could not be split, and the number of lines.

    What the engine does not read is written anew for it: other encodings, lines that end in several ways, a table that
    does not begin in the first line.
    """
    if is_utf8(shape.codec) and not shape.skipped_lines:
        ends = lines_of(path, where)
        if not ends.are_mixed:
            return *_scan_csv(backend, path, where, shape), ends.lines
    with tempfile.TemporaryDirectory(prefix="clvmodels-") as folder:
        copy = Path(folder) / "table.csv"
        rewrite(path, copy, shape.codec, where, shape.skipped_lines)
        return *_scan_csv(backend, copy, where, shape), lines_of(copy, where).lines


def _scan_csv(backend: ibis.BaseBackend, path: Path, where: str, shape: _Shape) -> tuple[ibis.Table, pd.DataFrame]:
    rejected = ibis.util.gen_name("rejected")
    try:
        view = backend.read_csv(
            str(path),
            columns={f"c{i}": "VARCHAR" for i in range(len(shape.columns))},
            auto_detect=False,
            header=shape.has_header,
            delim=shape.delimiter,
            quote='"',
            escape=shape.escape,
            encoding="utf-8",
            store_rejects=True,
            rejects_table=rejected,
            rejects_scan=f"{rejected}_scans",
            rejects_limit=0,
        )
        table = backend.create_table(ibis.util.gen_name("raw"), view.mutate(row=ibis.row_number()), temp=True)
    except duckdb.Error as error:
        raise DataError(Problem("cannot be read as CSV", where, got=str(error).splitlines()[0])) from error
    rejects = backend.raw_sql(
        "SELECT line, byte_position, any_value(error_type) AS reason, any_value(csv_line) AS text"
        " FROM (SELECT DISTINCT line, line_byte_position AS byte_position, error_type::VARCHAR AS error_type, csv_line"
        f" FROM {rejected}) GROUP BY ALL ORDER BY line"
    ).df()
    misread = rejects[rejects["reason"] == "INVALID ENCODING"]
    if len(misread):
        raise wrong_utf8(where, int(misread["line"].iloc[0]) + shape.skipped_lines)
    runaways = rejects[rejects["reason"].isin(["UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM"])]
    if len(runaways):
        raise DataError(_runaway(where, runaways.iloc[0], shape))
    rejects["reason"] = rejects["reason"].map(lambda reason: _REJECTED.get(reason, reason.lower()))
    return table, rejects


def _runaway(where: str, reject: pd.Series, shape: _Shape) -> Problem:
    """A record that may hold the rest of the file: how many rows are lost in it, nobody knows."""
    what = "a quote opens and does not close" if reject["reason"] == "UNQUOTED VALUE" else "a record is over 2 MB long"
    text = str(reject["text"])
    known = "A quote within a value is written twice; a value with a line break or a delimiter stands in quotes"
    if '\\"' in text and shape.escape == '"':
        known = "Quotes within a value seem to be written \\\", as Spark and MySQL do: state escape: '\\'"
    what = f"{what}, at line {reject['line'] + shape.skipped_lines}: nothing after it can be read"
    return Problem(what, where, text[:80], known)


def _numbered(table: ibis.Table, rejects: pd.DataFrame, lines: int, shape: _Shape, sha256: str) -> Raw:
    """Rows of a CSV file are lines unless quoted line breaks or blank lines shift them: then they stay rows."""
    rows, header_lines = int(table.count().execute()), int(shape.has_header)
    if lines == rows + len(rejects) + header_lines:
        # A rejected record at line r, the j-th (from 0), has r - 1 - j good rows and the header before it.
        before = rejects["line"].to_numpy() - 1 - header_lines - np.arange(len(rejects))
        rejects = rejects.assign(line=rejects["line"] + shape.skipped_lines)

        def line_of(row: np.ndarray) -> np.ndarray:
            first = 1 + header_lines + shape.skipped_lines
            return row + first + np.searchsorted(before, row, side="right")

        return Raw(table, rejects, "line", line_of, sha256)
    return Raw(table, rejects, "row", lambda row: row + 1, sha256)
