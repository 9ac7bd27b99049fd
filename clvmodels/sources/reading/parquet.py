"""A Parquet file as a source: its columns keep their types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ibis
import pyarrow.parquet as pq

from clvmodels.errors import DataError, Problem
from clvmodels.sources.reading.contract import Raw, Source, internal, no_rejects, sha256_of


def open_parquet(path: Path, where: str) -> Source:
    """The file by its schema; rows are numbered as the file has them."""
    try:
        columns = tuple(pq.read_schema(path).names)
    except Exception as error:  # a damaged file may end in any error of its reader
        raise DataError(_damaged(where, error)) from error

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        try:
            table = backend.read_parquet(str(path), file_row_number=True)
            selected = dict(zip(internal(selection), selection, strict=True))
            table = table.select(row="file_row_number", **selected)
        except Exception as error:
            raise DataError(_damaged(where, error)) from error
        return Raw(_plain(table), no_rejects(), "row", lambda rows: rows + 1, sha256_of(path))

    return Source(where, columns, scan)


def _plain(table: ibis.Table) -> ibis.Table:
    """A column of nothing is of no text."""
    empty = [name for name, kind in table.schema().items() if kind.is_null()]
    return table.mutate(**{name: table[name].cast("string") for name in empty}) if empty else table


def _damaged(where: str, error: Exception) -> Problem:
    return Problem(
        "is no Parquet file, or a damaged one", where, (str(error).splitlines() or [type(error).__name__])[0]
    )
