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
    columns = tuple(str(c) for c in frame.columns)
    table = pa.table(
        [arrow_column(frame.iloc[:, i]) for i in range(len(columns))],
        names=[f"c{i}" for i in range(len(columns))],
    )
    if frame.empty:
        raise DataError(no_rows(where))
    digest = hashlib.sha256("\x1f".join(columns).encode())
    for column in table.columns:
        values = column.to_pandas()
        text = values.map(repr) if pa.types.is_nested(column.type) else values.astype("string")
        digest.update(pd.util.hash_pandas_object(text, index=False).to_numpy().tobytes())

    def scan(backend: ibis.BaseBackend, wanted: Sequence[str]) -> Raw:
        chosen = pa.table([table.column(columns.index(c)) for c in wanted], names=internal(wanted))
        chosen = chosen.append_column("row", pa.array(np.arange(len(table))))
        return Raw(
            backend.create_table(ibis.util.gen_name("raw"), chosen),
            no_rejects(),
            "row",
            lambda rows: rows + 1,
            digest.hexdigest(),
        )

    return Source(where, columns, scan)


def arrow_column(column: pd.Series) -> pa.Array:
    """A column for the engine; one of mixed types becomes text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    try:
        array = pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        array = pa.Array.from_pandas(column.astype("string"))
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
