"""What every format gives: a table that was found, then its rows in the embedded engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd

from clvmodels.errors import Problem


class Raw(NamedTuple):
    """A table in the engine. `table` has the selected columns as c0, c1, ... and `row`, from 0 in its order."""

    table: ibis.Table
    rejects: pd.DataFrame  # line, reason, text: records that could not be split into the file's columns
    place: str  # "line" of the file, or "row" where lines and rows do not run together
    line_of: Callable[[np.ndarray], np.ndarray]  # row numbers -> places
    sha256: str  # of the file, or of the content where there is none


class Source(NamedTuple):
    """A table that was found and whose columns are known, not yet read."""

    where: str
    columns: tuple[str, ...]
    scan: Callable[[ibis.BaseBackend, Sequence[str]], Raw]


def internal(selection: Sequence[str]) -> list[str]:
    """What the engine calls the selected columns: names of its own, since a table's may be anything."""
    return [f"c{i}" for i in range(len(selection))]


def no_rows(where: str) -> Problem:
    return Problem("the table has a header and no rows", where)


def no_rejects() -> pd.DataFrame:
    empty = {"line": pd.Series(dtype="int64"), "reason": pd.Series(dtype=str), "text": pd.Series(dtype=str)}
    return pd.DataFrame(empty)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
