"""A table of a database as a source: SQLite and DuckDB files, and whatever else Ibis connects to by a URL.

The table is read once, in pieces, into the embedded engine. Nothing is written to the database, and a password in a
URL is shown nowhere: better leave it to the environment (PGPASSWORD, or the driver's own file).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import ibis
import pyarrow as pa

from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.reading.contract import Raw, Source, internal, no_rejects, no_rows

FILES = {".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite", ".duckdb": "duckdb"}
"""Endings of files that are databases."""
_PIECE = 100_000
_URL = re.compile(r"[a-z][a-z0-9+]*://")


def is_url(source: object) -> bool:
    """Whether a source is the URL of a database, as in postgresql://user@host/shop."""
    return isinstance(source, str) and _URL.match(source) is not None


def open_database(location: str | Path, where: str, table: str | None) -> Source:
    """The table that is named, or the only one."""
    where = where or _shown(str(location))
    connection = _connect(location, where)
    try:
        tables = sorted(connection.list_tables())
    except Exception as error:  # each database's driver has errors of its own
        raise DataError(Problem("cannot be read as a database", where, _first_line(error, location))) from error
    if table is None and len(tables) != 1:
        known = f"Name one as table: {', '.join(tables[:20])}" if tables else ""
        raise DataError(Problem(f"the database has {len(tables)} tables", where, known=known))
    if table is not None and table not in tables:
        raise DataError(unknown("table", table, tables, where))
    found = connection.table(table or tables[0])
    where = f"{where}, {table or tables[0]}"

    def scan(backend: ibis.BaseBackend, wanted: Sequence[str]) -> Raw:
        names = internal(wanted)
        try:
            if connection.name == "sqlite":
                reader = _as_stored(connection, table or tables[0], dict(zip(names, wanted, strict=True)))
            else:
                reader = found.select(*wanted).rename(dict(zip(names, wanted, strict=True))).to_pyarrow_batches()
            raw = _stored(backend, reader)
        except Exception as error:
            raise DataError(Problem("cannot be read", where, _first_line(error, location))) from error
        if not int(raw.count().execute()):
            raise DataError(no_rows(where))
        return Raw(raw, no_rejects(), "row", lambda row: row + 1, _content(backend, raw, names))

    return Source(where, tuple(found.columns), scan)


def _connect(location: str | Path, where: str) -> ibis.BaseBackend:
    try:
        if is_url(location):
            return ibis.connect(str(location))
        kind = FILES[Path(location).suffix.lower()]
        options = {"read_only": True} if kind == "duckdb" else {}
        return getattr(ibis, kind).connect(location, **options)
    except ImportError as error:
        scheme = urlsplit(str(location)).scheme
        known = f"pip install 'ibis-framework[{scheme.replace('postgresql', 'postgres')}]'"
        raise DataError(Problem("the driver of this database is not installed", where, scheme, known)) from error
    except Exception as error:
        raise DataError(Problem("cannot be opened as a database", where, _first_line(error, location))) from error


def _as_stored(connection: ibis.BaseBackend, table: str, columns: Mapping[str, str]) -> pa.RecordBatchReader:
    """The values of a table of SQLite as they are: it lets any value into any column, whatever that is declared to
    hold, so a conversion to the declared type would change some. A column is of whole numbers, of numbers, or text."""
    file = connection.con.execute("PRAGMA database_list").fetchone()[2]
    stored = sqlite3.connect(f"{Path(file).as_uri()}?mode=ro", uri=True, check_same_thread=False)
    own = {name: _quoted(column) for name, column in columns.items()}
    kinds = stored.execute(
        f"SELECT {', '.join(f'group_concat(DISTINCT typeof({c}))' for c in own.values())} FROM {_quoted(table)}"
    ).fetchone()
    types = [_type_of(set((told or "null").split(",")) - {"null"}) for told in kinds]
    chosen = [f"CAST({c} AS TEXT)" if t == pa.string() else c for c, t in zip(own.values(), types, strict=True)]
    rows = stored.execute(f"SELECT {', '.join(chosen)} FROM {_quoted(table)}")
    schema = pa.schema(list(zip(own, types, strict=True)))

    def pieces() -> Iterator[pa.RecordBatch]:
        while piece := rows.fetchmany(_PIECE):
            values = zip(*piece, strict=True)
            yield pa.record_batch([pa.array(v, t) for v, t in zip(values, types, strict=True)], schema=schema)
        stored.close()

    return pa.RecordBatchReader.from_batches(schema, pieces())


def _type_of(kinds: set[str]) -> pa.DataType:
    """What holds all values of these storage classes of SQLite without a change."""
    if kinds <= {"integer"}:
        return pa.int64() if kinds else pa.string()
    return pa.float64() if kinds <= {"integer", "real"} else pa.string()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _stored(backend: ibis.BaseBackend, reader: pa.RecordBatchReader) -> ibis.Table:
    """The rows in the engine, numbered as they came."""
    name, incoming = ibis.util.gen_name("raw"), ibis.util.gen_name("incoming")
    backend.con.register(incoming, reader)
    try:
        backend.con.execute(f"CREATE TABLE {name} AS SELECT *, row_number() OVER () - 1 AS row FROM {incoming}")
    finally:
        backend.con.unregister(incoming)
    return backend.table(name)


def _content(backend: ibis.BaseBackend, raw: ibis.Table, names: Sequence[str]) -> str:
    """A sum of the content that does not depend on the order of rows, which databases do not promise."""
    columns = ", ".join(names)
    query = f"SELECT count(*), sum(hash({columns})::HUGEINT), bit_xor(hash({columns})) FROM {raw.get_name()}"
    return "-".join(f"{part:x}" for part in backend.con.execute(query).fetchone())


def _first_line(error: Exception, location: str | Path) -> str:
    """What a driver says, without the password of the URL that it may repeat."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    password = urlsplit(str(location)).password if is_url(location) else None
    return text.replace(password, "***") if password else text


def _shown(location: str) -> str:
    """A location without its password."""
    if not is_url(location):
        return Path(location).name
    parts = urlsplit(location)
    host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    return f"{parts.scheme}://{f'{parts.username}@' if parts.username else ''}{host}{parts.path}"
