"""A Parquet file as a source: its columns keep their types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from clvmodels.errors import DataError, Problem
from clvmodels.sources.reading.contract import Raw, Source, internal, no_rejects, sha256_of


def open_parquet(path: Path, where: str) -> Source:
    """The file by its schema; rows are numbered as the file has them."""
    try:
        columns = tuple(pq.read_schema(path).names)
    except pa.ArrowInvalid as error:
        got = str(error).splitlines()[0]
        raise DataError(Problem("is no Parquet file, or a damaged one", where, got)) from error

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        table = backend.read_parquet(str(path), file_row_number=True)
        table = table.select(row="file_row_number", **dict(zip(internal(selection), selection, strict=True)))
        return Raw(table, no_rejects(), "row", lambda rows: rows + 1, sha256_of(path))

    return Source(where, columns, scan)
