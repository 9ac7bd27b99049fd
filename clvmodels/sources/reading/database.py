"""A table of a database as a source: SQLite and DuckDB files, and whatever else Ibis connects to by a URL.

The table is read once, in pieces, into the embedded engine. Nothing is written to the database, and a password in a
URL is shown nowhere: better leave it to the environment (PGPASSWORD, or the driver's own file).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import ibis
import pyarrow as pa

from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.reading.contract import Raw, Source, internal, no_rejects, no_rows

FILES = {".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite", ".duckdb": "duckdb"}
"""Endings of files that are databases."""
_PIECE = 100_000  # rows read at once, so that memory does not grow with the table
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
    name = table or tables[0]
    where = f"{where}, {name}"
    try:
        found_table = connection.table(name)
    except Exception as error:
        raise DataError(Problem("cannot be read", where, _first_line(error, location))) from error

    notes = _view_note(connection, name)

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        names = internal(selection)
        columns = dict(zip(names, selection, strict=True))
        try:
            if connection.name == "sqlite":
                reader = _as_stored(connection, name, columns)
            elif connection.name == "duckdb":
                reader = _with_words(connection, name, columns)
            else:
                reader = found_table.select(*selection).rename(columns).to_pyarrow_batches()
            rows = _numbered(backend, reader)
        except Exception as error:
            raise DataError(Problem("cannot be read", where, _first_line(error, location))) from error
        if not int(rows.count().execute()):
            raise DataError(no_rows(where))
        return Raw(rows, no_rejects(), "row", lambda row: row + 1, _content_sum(backend, rows, names), notes=notes)

    return Source(where, tuple(found_table.columns), scan)


def _connect(location: str | Path, where: str) -> ibis.BaseBackend:
    try:
        location, kind = _file_and_kind(location, where)
        if kind is None:
            return ibis.connect(str(location))
        # A view of a file may read any other file of the machine: it is kept to its own tables.
        options = {"read_only": True, "enable_external_access": False} if kind == "duckdb" else {}
        return getattr(ibis, kind).connect(location, **options)
    except DataError:
        raise
    except ImportError as error:
        scheme = urlsplit(str(location)).scheme
        known = f"pip install 'ibis-framework[{scheme.replace('postgresql', 'postgres')}]'"
        raise DataError(Problem("the driver of this database is not installed", where, scheme, known)) from error
    except Exception as error:
        raise DataError(Problem("cannot be opened as a database", where, _first_line(error, location))) from error


def _file_and_kind(location: str | Path, where: str) -> tuple[str | Path, str | None]:
    """The file of a database that is one, and what kind; of others the URL. A file that is not there is refused: to
    open it would make an empty one."""
    if not is_url(location):
        return location, FILES[Path(location).suffix.lower()]
    parts = urlsplit(str(location))
    if parts.scheme not in FILES.values():
        return location, None
    path = Path(unquote(parts.netloc + parts.path))
    if not path.is_file():
        raise DataError(Problem("no such file", where, str(path)))
    return path, parts.scheme


def _view_note(connection: ibis.BaseBackend, name: str) -> tuple[str, ...]:
    """That a table is made anew of others whenever it is read."""
    queries = {
        "duckdb": "SELECT count(*) FROM duckdb_views() WHERE view_name = ?",
        "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'view' AND name = ?",
    }
    query = queries.get(connection.name)
    if query is None or not connection.con.execute(query, [name]).fetchone()[0]:
        return ()
    return (f"'{name}' is a view: its rows are what its query gives now",)


def _as_stored(connection: ibis.BaseBackend, table: str, columns: Mapping[str, str]) -> pa.RecordBatchReader:
    """The values of a table of SQLite as they are: it lets any value into any column, whatever that is declared to
    hold, so a conversion to the declared type would change some. A column is of whole numbers, of numbers, or text."""
    file = connection.con.execute("PRAGMA database_list").fetchone()[2]
    database = sqlite3.connect(f"{Path(file).as_uri()}?mode=ro", uri=True, check_same_thread=False)
    quoted = [_quoted(column) for column in columns.values()]
    types = _stored_types(database, table, quoted)
    selected = [f"CAST({c} AS TEXT)" if kind == pa.string() else c for c, kind in zip(quoted, types, strict=True)]
    rows = database.execute(f"SELECT {', '.join(selected)} FROM {_quoted(table)}")
    schema = pa.schema(list(zip(columns, types, strict=True)))

    def pieces() -> Iterator[pa.RecordBatch]:
        while piece := rows.fetchmany(_PIECE):
            by_column = zip(*piece, strict=True)
            arrays = [pa.array(values, kind) for values, kind in zip(by_column, types, strict=True)]
            yield pa.record_batch(arrays, schema=schema)
        database.close()

    return pa.RecordBatchReader.from_batches(schema, pieces())


def _with_words(connection: ibis.BaseBackend, table: str, columns: Mapping[str, str]) -> pa.RecordBatchReader:
    """The values of a table of DuckDB, those of an ENUM as the words that they are."""
    described = connection.con.execute(f"DESCRIBE {_quoted(table)}").fetchall()
    enums = {name for name, kind, *_ in described if kind.startswith("ENUM")}
    selected = []
    for name, column in columns.items():
        value = f"CAST({_quoted(column)} AS VARCHAR)" if column in enums else _quoted(column)
        selected.append(f"{value} AS {name}")
    query = f"SELECT {', '.join(selected)} FROM {_quoted(table)}"
    return connection.con.execute(query).to_arrow_reader(_PIECE)


def _stored_types(database: sqlite3.Connection, table: str, quoted: Sequence[str]) -> list[pa.DataType]:
    """For each column the type that holds all its values, from the storage classes that it has in any row."""
    classes = ", ".join(f"group_concat(DISTINCT typeof({column}))" for column in quoted)
    lists = database.execute(f"SELECT {classes} FROM {_quoted(table)}").fetchone()
    return [_type_of(set((text or "null").split(",")) - {"null"}) for text in lists]


def _type_of(classes: set[str]) -> pa.DataType:
    """What holds all values of these storage classes of SQLite without a change."""
    if not classes:
        return pa.string()
    if classes == {"integer"}:
        return pa.int64()
    return pa.float64() if classes <= {"integer", "real"} else pa.string()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _numbered(backend: ibis.BaseBackend, reader: pa.RecordBatchReader) -> ibis.Table:
    """The rows in the engine, numbered as they came."""
    name, incoming = ibis.util.gen_name("raw"), ibis.util.gen_name("incoming")
    backend.con.register(incoming, reader)
    try:
        backend.con.execute(f"CREATE TABLE {name} AS SELECT *, row_number() OVER () - 1 AS row FROM {incoming}")
    finally:
        backend.con.unregister(incoming)
    return backend.table(name)


def _content_sum(backend: ibis.BaseBackend, rows: ibis.Table, names: Sequence[str]) -> str:
    """A sum of the content that does not depend on the order of rows, which databases do not promise."""
    columns = ", ".join(names)
    query = f"SELECT count(*), sum(hash({columns})::HUGEINT), bit_xor(hash({columns})) FROM {rows.get_name()}"
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
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
