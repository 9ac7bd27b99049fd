"""A sheet of an Excel workbook as a source: the first row that holds anything names the columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ibis
import numpy as np
import openpyxl
import pandas as pd

from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.reading.contract import (
    Layout,
    Raw,
    Source,
    column_names,
    header_hint,
    no_rows,
    sha256_of,
)
from clvmodels.sources.reading.frame import open_frame

_HEADER_SOUGHT = 40  # rows in which a header is looked for


def open_excel(path: Path, where: str, layout: Layout) -> Source:
    """Values as the workbook shows them last: formulas by their stored results, days as days, ids as they stand."""
    rows, title = _rows(path, where, layout.table)
    filled = [i for i, row in enumerate(rows) if any(value is not None for value in row)]
    if not filled:
        raise DataError(Problem(f"the sheet '{title}' is empty", where))
    if layout.header_line is not None:
        filled = [i for i in filled if i >= layout.header_line - 1]
        if not filled or filled[0] != layout.header_line - 1:
            raise DataError(
                Problem(f"row {layout.header_line} of the sheet is empty, and is stated as its header", where)
            )
    header, table_rows = _header(rows, filled, where, layout)
    if not table_rows:
        raise DataError(no_rows(where))
    # A row ends at its last filled cell: what is missing behind it is empty.
    values = [[rows[i][k] if k < len(rows[i]) else None for k in header] for i in table_rows]
    frame = pd.DataFrame(values, columns=list(header.values()), dtype=object).infer_objects()
    source = open_frame(frame, where, layout.decimal)
    places = np.array(table_rows) + 1

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        _check_formulas(path, title, frame, selection, where)
        raw = source.scan(backend, selection)
        return raw._replace(line_of=lambda row: places[row], sha256=sha256_of(path))

    return source._replace(scan=scan, hint=_hint(rows) if layout.header is True else "")


def _header(
    rows: Sequence[tuple], filled: Sequence[int], where: str, layout: Layout
) -> tuple[dict[int, str], Sequence[int]]:
    """Place of a column -> its name, and the rows below."""
    first = rows[filled[0]]
    if layout.has_header:
        places = [k for k, value in enumerate(first) if value is not None]
        names = column_names([str(first[k]) for k in places], layout.header, where)
        return dict(zip(places, names, strict=True)), filled[1:]
    width = max(len(rows[i]) for i in filled)
    cells = [str(first[k]) if k < len(first) and first[k] is not None else "" for k in range(width)]
    return dict(enumerate(column_names(cells, layout.header, where))), filled


def _hint(rows: Sequence[tuple]) -> str:
    """Which later row looks like the header."""
    words = [[str(value) for value in row if value is not None] for row in rows[:_HEADER_SOUGHT]]
    first = next((row for row in words if row), [])
    return header_hint(words, first)


def _rows(path: Path, where: str, sheet: str | None) -> tuple[list[tuple], str]:
    """All rows of the sheet that is asked for, or of the only one, and its name."""
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # a damaged archive may end in any error of its readers
        raise DataError(_damaged(where, error)) from error
    try:
        names = book.sheetnames
        if sheet is None and len(names) > 1:
            known = f"Name one as table: {', '.join(names)}"
            raise DataError(Problem(f"the workbook has {len(names)} sheets", where, known=known))
        if sheet is not None and sheet not in names:
            raise DataError(unknown("sheet", sheet, names, where))
        chosen = book[sheet or names[0]]
        return list(chosen.iter_rows(values_only=True)), chosen.title
    except DataError:
        raise
    except Exception as error:
        raise DataError(_damaged(where, error)) from error
    finally:
        book.close()


def _damaged(where: str, error: Exception) -> Problem:
    got = (str(error).splitlines() or [type(error).__name__])[0]
    return Problem("is no Excel workbook (.xlsx), or a damaged one", where, got[:200])


def _check_formulas(path: Path, sheet: str, frame: pd.DataFrame, selection: Sequence[str], where: str) -> None:
    """Refuse a column without any value whose cells are formulas: whoever wrote the workbook has computed none."""
    empty = [name for name in selection if frame[name].isna().all(axis=None)]
    if not empty:
        return
    book = openpyxl.load_workbook(path, read_only=True)
    cells = [str(value) for row in book[sheet].iter_rows(values_only=True) for value in row if value is not None]
    book.close()
    if any(cell.startswith("=") for cell in cells):
        what = f"column '{empty[0]}' is empty: its formulas have no stored results"
        raise DataError(Problem(what, where, known="Open the workbook in a spreadsheet program and save it"))
