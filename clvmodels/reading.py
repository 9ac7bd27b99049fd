"""Open a table of rows (CSV, compressed CSV, Parquet, DataFrame) in the embedded engine, its rows numbered.

Nothing is interpreted here: a CSV's values stay text, a Parquet file's keep their types. What cannot even be split
into columns is kept aside with its line. The engine is DuckDB through Ibis, with its threads, memory and temporary
folder stated, so that a table larger than memory is spilled to disk instead of ending the process.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clvmodels.errors import DataError, Problem

MEMORY_LIMIT = "1GB"  # of the engine; what does not fit is spilled to the temporary folder
ENCODINGS = ("utf-8", "latin-1", "utf-16")
DELIMITERS = (",", ";", "\t", "|")
_BLOCK = 1 << 20
_NOT_TABLES = {
    ".xlsx": "a spreadsheet",
    ".xls": "a spreadsheet",
    ".ods": "a spreadsheet",
    ".zip": "an archive",
}
_REJECTED = {
    "MISSING COLUMNS": "too few columns",
    "TOO MANY COLUMNS": "too many columns",
    "UNQUOTED VALUE": "a quote that does not close",
    "LINE SIZE OVER MAXIMUM": "a line of more than 2 MB",
}


class Raw(NamedTuple):
    """A table in the engine. `table` has the wanted columns and `row` (from 0, in the order of the source)."""

    table: ibis.Table
    rejects: pd.DataFrame  # line, reason, text: records that could not be split into the file's columns
    place: str  # "line" of the file, or "row" where lines and rows do not run together
    line_of: Callable[[np.ndarray], np.ndarray]  # row numbers -> places


class Source(NamedTuple):
    """A table that was found and whose columns are known, not yet read."""

    where: str
    columns: tuple[str, ...]
    sha256: str
    scan: Callable[[ibis.BaseBackend, Sequence[str]], Raw]


def connect() -> ibis.BaseBackend:
    """A DuckDB of its own in a temporary folder that is removed with it; session time zone UTC (set by Ibis)."""
    folder = Path(tempfile.mkdtemp(prefix="clvmodels-"))
    backend = ibis.duckdb.connect(
        folder / "work.duckdb",
        threads=os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1,
        memory_limit=MEMORY_LIMIT,
        temp_directory=str(folder / "spill"),
    )
    weakref.finalize(backend, _close, backend.con, folder)
    return backend


def _close(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)


def open_source(
    source: str | Path | pd.DataFrame,
    *,
    name: str = "",
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> Source:
    """Find a table and its columns. Raises DataError where it is missing, empty or no table."""
    if isinstance(source, pd.DataFrame):
        return _open_frame(source, name or "table")
    path = Path(source).expanduser()
    where = name or path.name
    _check_file(path, where)
    if path.suffix.lower() in (".parquet", ".pq"):
        return _open_parquet(path, where)
    return _open_csv(path, where, delimiter, encoding)


def _check_file(path: Path, where: str) -> None:
    if path.is_dir():
        raise DataError(Problem("is a folder, not a file", where, known="Name one CSV or Parquet file"))
    if not path.exists():
        beside = sorted(p.name for p in path.parent.glob(f"*{path.suffix}"))[:5] if path.parent.is_dir() else []
        hint = f"Files beside it: {', '.join(beside)}" if beside else f"Looked for {path.absolute()}"
        raise DataError(Problem("no such file", str(path), known=hint))
    if path.stat().st_size == 0:
        raise DataError(Problem("the file is empty (0 bytes)", where))
    if path.suffix.lower() in _NOT_TABLES:
        kind = _NOT_TABLES[path.suffix.lower()]
        raise DataError(
            Problem(
                f"is {kind}, not a table",
                where,
                known="Save it as CSV (.csv, .csv.gz, .csv.zst) or Parquet",
            )
        )


def _open_frame(frame: pd.DataFrame, where: str) -> Source:
    columns = tuple(str(c) for c in frame.columns)
    table = pa.table(
        [arrow_column(frame.iloc[:, i]) for i in range(len(columns))],
        names=[f"c{i}" for i in range(len(columns))],
    )
    if frame.empty:
        raise DataError(_no_rows(where))
    digest = hashlib.sha256("\x1f".join(columns).encode())
    for column in table.columns:
        values = column.to_pandas()
        text = values.map(repr) if pa.types.is_nested(column.type) else values.astype("string")
        digest.update(pd.util.hash_pandas_object(text, index=False).to_numpy().tobytes())

    def scan(backend: ibis.BaseBackend, wanted: Sequence[str]) -> Raw:
        chosen = pa.table([table.column(columns.index(c)) for c in wanted], names=_internal(wanted))
        chosen = chosen.append_column("row", pa.array(np.arange(len(table))))
        return Raw(
            backend.create_table("raw", chosen),
            _no_rejects(),
            "row",
            lambda rows: rows + 1,
        )

    return Source(where, columns, digest.hexdigest(), scan)


def arrow_column(column: pd.Series) -> pa.Array:
    """A column for the engine; one of mixed types becomes text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    try:
        array = pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        array = pa.Array.from_pandas(column.astype("string"))
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _open_parquet(path: Path, where: str) -> Source:
    try:
        columns = tuple(pq.read_schema(path).names)
    except pa.ArrowInvalid as error:
        raise DataError(
            Problem(
                "is no Parquet file, or a damaged one",
                where,
                got=str(error).splitlines()[0],
            )
        ) from error

    def scan(backend: ibis.BaseBackend, wanted: Sequence[str]) -> Raw:
        table = backend.read_parquet(str(path), file_row_number=True)
        table = table.select(row="file_row_number", **dict(zip(_internal(wanted), wanted, strict=True)))
        return Raw(table, _no_rejects(), "row", lambda rows: rows + 1)

    return Source(where, columns, _sha256(path), scan)


def _open_csv(path: Path, where: str, delimiter: str | None, encoding: str) -> Source:
    columns, delimiter = _header(path, where, delimiter, encoding)

    def scan(backend: ibis.BaseBackend, wanted: Sequence[str]) -> Raw:
        table, rejects = _scan_csv(backend, path, where, len(columns), delimiter, encoding)
        positions = {f"c{columns.index(name)}": new for name, new in zip(wanted, _internal(wanted), strict=True)}
        chosen = table.select("row", **{new: old for old, new in positions.items()})
        return _number(chosen, rejects, path)

    return Source(where, columns, _sha256(path), scan)


def _header(path: Path, where: str, delimiter: str | None, encoding: str) -> tuple[tuple[str, ...], str]:
    """The column names of a CSV file and its delimiter: the given one, or the one that splits the header furthest."""
    start = _start(path, where, encoding)
    choices = [delimiter] if delimiter else DELIMITERS
    try:
        headers = {d: next(csv.reader(io.StringIO(start, newline=""), delimiter=d), []) for d in choices}
    except (csv.Error, TypeError) as error:
        raise DataError(
            Problem("the header cannot be read", where, str(error), "A delimiter is one character")
        ) from error
    best = max(choices, key=lambda d: len(headers[d]))
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


def _scan_csv(
    backend: ibis.BaseBackend,
    path: Path,
    where: str,
    width: int,
    delimiter: str,
    encoding: str,
) -> tuple[ibis.Table, pd.DataFrame]:
    """All records as text in a table of the engine, and those that could not be split, with their lines."""
    view = backend.read_csv(
        str(path),
        columns={f"c{i}": "VARCHAR" for i in range(width)},
        auto_detect=False, header=True, delim=delimiter, quote='"', escape='"', encoding=encoding,
        store_rejects=True, rejects_table="rejected", rejects_scan="rejected_scans", rejects_limit=0,
    )  # fmt: skip
    try:
        table = backend.create_table("raw", view.mutate(row=ibis.row_number()))
    except duckdb.Error as error:
        raise DataError(Problem("cannot be read as CSV", where, got=str(error).splitlines()[0])) from error
    rejects = backend.raw_sql(
        "SELECT line, byte_position, any_value(error_type) AS reason, any_value(csv_line) AS text"
        " FROM (SELECT DISTINCT line, line_byte_position AS byte_position, error_type::VARCHAR AS error_type, csv_line"
        " FROM rejected) GROUP BY ALL ORDER BY line"
    ).df()
    if (wrong := rejects["reason"] == "INVALID ENCODING").any():
        raise DataError(_wrong_encoding(where, encoding, int(rejects.loc[wrong, "line"].iloc[0])))
    rejects["reason"] = rejects["reason"].map(lambda r: _REJECTED.get(r, r.lower()))
    return table, rejects


def _number(table: ibis.Table, rejects: pd.DataFrame, path: Path) -> Raw:
    """Rows of a CSV file are lines unless quoted line breaks or blank lines shift them: then they stay rows."""
    rows = int(table.count().execute())
    if _physical_lines(path) == rows + len(rejects) + 1:
        # A rejected record at line r, the j-th (from 0), has r - 2 - j good rows before it.
        before = rejects["line"].to_numpy() - 2 - np.arange(len(rejects))
        return Raw(
            table,
            rejects,
            "line",
            lambda row: row + 2 + np.searchsorted(before, row, side="right"),
        )
    return Raw(table, rejects, "row", lambda row: row + 1)


def _physical_lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with pa.input_stream(str(path), compression="detect") as stream:
        while block := stream.read(_BLOCK):
            lines, last = lines + block.count(b"\n"), block[-1:]
    return lines + (last != b"\n")


def _internal(wanted: Sequence[str]) -> list[str]:
    return [f"c{i}" for i in range(len(wanted))]


def _no_rows(where: str) -> Problem:
    return Problem("the table has a header and no rows", where)


def _no_rejects() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line": pd.Series(dtype="int64"),
            "reason": pd.Series(dtype=str),
            "text": pd.Series(dtype=str),
        }
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
