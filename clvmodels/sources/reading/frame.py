"""A pandas DataFrame as a source: numbers stay numbers, a column of mixed types becomes text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from clvmodels.errors import DataError
from clvmodels.sources.reading.contract import Raw, Source, internal, no_rejects, no_rows


def open_frame(frame: pd.DataFrame, where: str) -> Source:
    """The frame as it stands; its index is no column."""
    columns = tuple(str(column) for column in frame.columns)
    # Two columns may have one name, which only matters once it is asked for: the arrays are kept by place.
    arrays = [arrow_column(frame.iloc[:, i]) for i in range(len(columns))]
    table = pa.table(arrays, names=[f"c{i}" for i in range(len(columns))])
    if frame.empty:
        raise DataError(no_rows(where))
    sha256 = _sha256(columns, table)

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        selected = pa.table([table.column(columns.index(name)) for name in selection], names=internal(selection))
        selected = selected.append_column("row", pa.array(np.arange(len(table))))
        rows = backend.create_table(ibis.util.gen_name("raw"), selected, temp=True)
        return Raw(rows, no_rejects(), "row", lambda row: row + 1, sha256)

    return Source(where, columns, scan)


def _sha256(columns: Sequence[str], table: pa.Table) -> str:
    """Of the names and the values as text, so that a frame of numbers is the table it was read from."""
    digest = hashlib.sha256("\x1f".join(columns).encode())
    for column in table.columns:
        values = column.to_pandas()
        text = values.map(repr) if pa.types.is_nested(column.type) else values.astype("string")
        digest.update(pd.util.hash_pandas_object(text, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def arrow_column(column: pd.Series) -> pa.Array:
    """A column for the engine; one of mixed types becomes text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    try:
        array = pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        array = pa.Array.from_pandas(column.astype("string"))
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
