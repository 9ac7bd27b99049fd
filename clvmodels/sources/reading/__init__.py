"""Open a table of rows in the embedded engine, its rows numbered: CSV, Parquet, Excel, a database, a DataFrame.

Nothing is interpreted here: a CSV's values stay text, others keep their types. The engine is DuckDB through Ibis, with
its threads, memory and temporary folder stated, so that a table larger than memory is spilled to disk instead of ending
the process. A file a format; what they all give is in `contract.py`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import duckdb
import ibis
import pandas as pd

from clvmodels.errors import DataError, Problem
from clvmodels.sources.reading.contract import Layout, Raw, Source, no_rows
from clvmodels.sources.reading.database import FILES, is_url, open_database
from clvmodels.sources.reading.encoding import ENCODINGS, is_encoding
from clvmodels.sources.reading.excel import open_excel
from clvmodels.sources.reading.frame import arrow_column, open_frame
from clvmodels.sources.reading.parquet import open_parquet
from clvmodels.sources.reading.parts import is_pattern, open_parts, part_files
from clvmodels.sources.reading.text import open_csv

MEMORY_LIMIT = "1GB"  # of the engine; what does not fit is spilled to the temporary folder
DEFAULT_LAYOUT = Layout()
_NOT_TABLES = {".xls": "an old spreadsheet", ".ods": "a spreadsheet", ".zip": "an archive"}


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


def open_source(source: str | Path | pd.DataFrame, *, name: str = "", layout: Layout = DEFAULT_LAYOUT) -> Source:
    """Find a table and its columns.

    Parameters
    ----------
    source
        A file, known by its ending: CSV (plain, .gz, .zst), Parquet, Excel (.xlsx), SQLite (.sqlite, .db) or DuckDB
        (.duckdb), or its `file://` URL; a folder of such files, or a pattern of their names; the URL of a database that
        Ibis connects to; or a DataFrame.
    name
        What it is called in messages; by default the file's name.
    layout
        What the file does not say of itself.

    Raises
    ------
    DataError
        It is missing, empty or no table.
    """
    if isinstance(source, pd.DataFrame):
        return open_frame(source, name or "table", layout.decimal)
    if not isinstance(source, str | os.PathLike):
        known = "Name a file, a folder, a pattern or the URL of a database, or give a DataFrame"
        raise DataError(Problem("is no table", name or "source", repr(source)[:80], known))
    file = _file_of(str(source))
    if file is None:
        return open_database(str(source), name, layout.table)
    try:
        path = Path(file).expanduser()
        where = name or path.name
        if path.is_dir() or is_pattern(path):
            return open_parts(part_files(path, where), where, partial(_open_file, layout=layout))
        return _open_file(path, where, layout)
    except (OSError, RuntimeError, UnicodeError) as error:  # no such user, a name too long, no leave to read
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(Problem("cannot be opened", str(source)[:200], reason)) from error


def _file_of(source: str) -> str | None:
    """The file that a source names; None where it is the URL of a database that is no file. (Of a file that is not
    there a database would be made by looking.)"""
    if source.startswith("file://"):
        return url2pathname(urlsplit(source).path)
    for scheme in ("sqlite:///", "duckdb:///"):
        file = source.removeprefix(scheme)
        if file != source and Path(file).suffix.lower() in FILES:
            # Three slashes are of a relative path to some libraries, of an absolute one to others.
            is_absolute = Path(f"/{file}").is_file() and not Path(file).is_file()
            return f"/{file}" if is_absolute else file
    return None if is_url(source) else source


def _open_file(path: Path, where: str, layout: Layout) -> Source:
    ending = path.suffix.lower()
    _check_file(path, where)
    if ending in FILES:
        return open_database(path, where, layout.table)
    if ending == ".xlsx":
        return open_excel(path, where, layout)
    if layout.table is not None:
        known = "Leave it out: a CSV or Parquet file is one table"
        what = "only databases and workbooks have tables by name"
        raise DataError(Problem(what, where, f"table '{layout.table}'", known))
    if ending in (".parquet", ".pq"):
        return open_parquet(path, where)
    return open_csv(path, where, layout)


def _check_file(path: Path, where: str) -> None:
    if not path.exists():
        beside = sorted(p.name for p in path.parent.glob(f"*{path.suffix}"))[:5] if path.parent.is_dir() else []
        hint = f"Files beside it: {', '.join(beside)}" if beside else f"Looked for {path.absolute()}"
        raise DataError(Problem("no such file", str(path), known=hint))
    if path.stat().st_size == 0:
        raise DataError(Problem("the file is empty (0 bytes)", where))
    if path.suffix.lower() in _NOT_TABLES:
        known = "Save it as CSV (.csv, .csv.gz, .csv.zst), Parquet or Excel (.xlsx)"
        raise DataError(Problem(f"is {_NOT_TABLES[path.suffix.lower()]}, not a table", where, known=known))


__all__ = [
    "DEFAULT_LAYOUT",
    "ENCODINGS",
    "Layout",
    "Raw",
    "Source",
    "arrow_column",
    "connect",
    "is_encoding",
    "is_pattern",
    "is_url",
    "no_rows",
    "open_source",
]
