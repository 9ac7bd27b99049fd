"""A CSV file, plain or compressed, as a source: every value stays text, and what cannot be split into columns is kept
aside with its line."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from clvmodels.errors import DataError, Problem
from clvmodels.sources.reading.contract import Raw, Source, internal, sha256_of

ENCODINGS = ("utf-8", "latin-1", "utf-16")
DELIMITERS = (",", ";", "\t", "|")
_BLOCK = 1 << 20  # bytes read at once; a header is shorter
_REJECTED = {
    "MISSING COLUMNS": "too few columns",
    "TOO MANY COLUMNS": "too many columns",
}


def open_csv(path: Path, where: str, delimiter: str | None, encoding: str) -> Source:
    """The file by its header; without a delimiter given, by the one that the header has most of."""
    columns, delimiter = _header(path, where, delimiter, encoding)

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        table, rejects = _scan_csv(backend, path, where, len(columns), delimiter, encoding)
        read_as = [f"c{columns.index(name)}" for name in selection]
        selected = table.select("row", **dict(zip(internal(selection), read_as, strict=True)))
        return _numbered(selected, rejects, path)

    return Source(where, columns, scan)


def _header(path: Path, where: str, delimiter: str | None, encoding: str) -> tuple[tuple[str, ...], str]:
    """The column names of a CSV file and its delimiter: the given one, or the one that splits the header furthest."""
    start = _start(path, where, encoding)
    delimiters = [delimiter] if delimiter else DELIMITERS
    headers: dict[str, list[str]] = {}
    try:
        for mark in delimiters:
            headers[mark] = next(csv.reader(io.StringIO(start, newline=""), delimiter=mark), [])
    except (csv.Error, TypeError) as error:
        raise DataError(
            Problem("the header cannot be read", where, str(error), "A delimiter is one character")
        ) from error
    best = max(delimiters, key=lambda mark: len(headers[mark]))
    columns = tuple(name.strip() for name in headers[best])
    if not any(columns):
        raise DataError(Problem("the first line is empty; it must hold the column names", where))
    return columns, best


def _start(path: Path, where: str, encoding: str) -> str:
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            block = stream.read(_BLOCK)
    except OSError as error:
        raise DataError(Problem("cannot be decompressed", where, got=str(error).splitlines()[0])) from error
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    try:
        return decoder.decode(block)
    except UnicodeDecodeError as error:
        raise DataError(_wrong_encoding(where, encoding, block[: error.start].count(b"\n") + 1)) from error


def _wrong_encoding(where: str, encoding: str, line: int) -> Problem:
    others = ", ".join(repr(e) for e in ENCODINGS if e != encoding)
    return Problem(
        f"is not {encoding} text, first at line {line}",
        where,
        known=f"State its encoding: {others}",
    )


def _runaway(where: str, reject: pd.Series) -> Problem:
    """A record that may hold the rest of the file: how many rows are lost in it, nobody knows."""
    what = "a quote opens and does not close" if reject["reason"] == "UNQUOTED VALUE" else "a record is over 2 MB long"
    known = "A quote within a value is written twice; a value with a line break or a delimiter stands in quotes"
    what = f"{what}, at line {reject['line']}: nothing after it can be read"
    return Problem(what, where, str(reject["text"])[:80], known)


def _scan_csv(
    backend: ibis.BaseBackend,
    path: Path,
    where: str,
    width: int,
    delimiter: str,
    encoding: str,
) -> tuple[ibis.Table, pd.DataFrame]:
    """All records as text in a table of the engine, and those that could not be split, with their lines."""
    rejected = ibis.util.gen_name("rejected")
    view = backend.read_csv(
        str(path),
        columns={f"c{i}": "VARCHAR" for i in range(width)},
        auto_detect=False,
        header=True,
        delim=delimiter,
        quote='"',
        escape='"',
        encoding=encoding,
        store_rejects=True,
        rejects_table=rejected,
        rejects_scan=f"{rejected}_scans",
        rejects_limit=0,
    )
    try:
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
        raise DataError(_wrong_encoding(where, encoding, int(misread["line"].iloc[0])))
    runaways = rejects[rejects["reason"].isin(["UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM"])]
    if len(runaways):
        raise DataError(_runaway(where, runaways.iloc[0]))
    rejects["reason"] = rejects["reason"].map(lambda reason: _REJECTED.get(reason, reason.lower()))
    return table, rejects


def _numbered(table: ibis.Table, rejects: pd.DataFrame, path: Path) -> Raw:
    """Rows of a CSV file are lines unless quoted line breaks or blank lines shift them: then they stay rows."""
    rows, sha256 = int(table.count().execute()), sha256_of(path)
    if _physical_lines(path) == rows + len(rejects) + 1:
        # A rejected record at line r, the j-th (from 0), has r - 2 - j good rows before it.
        before = rejects["line"].to_numpy() - 2 - np.arange(len(rejects))

        def line_of(row: np.ndarray) -> np.ndarray:
            return row + 2 + np.searchsorted(before, row, side="right")

        return Raw(table, rejects, "line", line_of, sha256)
    return Raw(table, rejects, "row", lambda row: row + 1, sha256)


def _physical_lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with pa.input_stream(str(path), compression="detect") as stream:
        while block := stream.read(_BLOCK):
            lines, last = lines + block.count(b"\n"), block[-1:]
    return lines + (last != b"\n")
