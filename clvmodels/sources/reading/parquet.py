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
        table = table.select(row="file_row_number", **dict(zip(internal(wanted), wanted, strict=True)))
        return Raw(table, no_rejects(), "row", lambda rows: rows + 1, sha256_of(path))

    return Source(where, columns, scan)
