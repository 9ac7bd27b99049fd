"""A pandas DataFrame as a source: numbers stay numbers, a column of mixed types becomes text."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from clvmodels.errors import DataError, Problem
from clvmodels.sources.reading.contract import Raw, Source, internal, no_rejects, no_rows

LARGEST_WHOLE = 2**53
"""Beyond it a float has lost digits, which its own writing, as 1e+18, tells."""


def open_frame(frame: pd.DataFrame, where: str, decimal: str = ".") -> Source:
    """The frame as it stands; its index is no column. Numbers among texts are written with that decimal sign."""
    columns = tuple(str(column) for column in frame.columns)
    # Two columns may have one name, which only matters once it is asked for: the arrays are kept by place.
    arrays = [_array(frame.iloc[:, i], name, where, decimal) for i, name in enumerate(columns)]
    table = pa.table(arrays, names=[f"c{i}" for i in range(len(columns))])
    if frame.empty:
        raise DataError(no_rows(where))
    sha256 = _sha256(columns, table)

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        selected = pa.table([table.column(columns.index(name)) for name in selection], names=internal(selection))
        selected = selected.append_column("row", pa.array(np.arange(len(table))))
        try:
            rows = backend.create_table(ibis.util.gen_name("raw"), selected, temp=True)
        except Exception as error:  # of pandas' types the engine has some, and what it says of others is its own
            raise DataError(Problem("holds a column that cannot be read", where, str(error).splitlines()[0])) from error
        return Raw(rows, no_rejects(), "row", lambda row: row + 1, sha256)

    return Source(where, columns, scan)


def _array(column: pd.Series, name: str, where: str, decimal: str) -> pa.Array:
    try:
        return arrow_column(column, decimal)
    except (ValueError, TypeError, pa.ArrowException) as error:
        what = f"column '{name}' holds what is neither numbers, days nor text"
        raise DataError(Problem(what, where, str(error).splitlines()[0])) from error


def _sha256(columns: Sequence[str], table: pa.Table) -> str:
    """Of the names and the values as text, so that a frame of numbers is the table it was read from."""
    digest = hashlib.sha256("\x1f".join(columns).encode())
    for column in table.columns:
        values = column.to_pandas()
        text = values.map(repr) if pa.types.is_nested(column.type) else values.astype("string")
        digest.update(pd.util.hash_pandas_object(text, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def arrow_column(column: pd.Series, decimal: str = ".") -> pa.Array:
    """A column for the engine; one of mixed types, or of a type that the engine does not have, becomes text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.astype("string")
    try:
        array = pa.Array.from_pandas(column)
    except (pa.ArrowException, OverflowError):
        array = pa.Array.from_pandas(column.map(lambda cell: _among_texts(cell, decimal)).astype("string"))
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return _plain(array)


def _among_texts(cell: object, decimal: str) -> object:
    """A number as the texts beside it are written, since 1.125 is 1125 where a point stands between thousands; whole
    ones without a point, as ids are."""
    if not isinstance(cell, float | Decimal) or not math.isfinite(cell):
        return cell
    is_whole = cell == int(cell) and abs(int(cell)) < LARGEST_WHOLE
    return str(int(cell)) if is_whole else str(cell).replace(".", decimal)


def _plain(array: pa.Array) -> pa.Array:
    """The same values in a type that the engine has: words themselves, not their numbers; nothing at all as no text."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    if pa.types.is_decimal256(array.type) or pa.types.is_float16(array.type):
        return array.cast(pa.float64())
    return array
