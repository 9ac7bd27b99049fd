"""A sheet of an Excel workbook as a source: the first row that holds anything names the columns."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import ibis
import numpy as np
import openpyxl
import pandas as pd
from openpyxl.utils.exceptions import InvalidFileException

from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.reading.contract import Raw, Source, no_rows, sha256_of
from clvmodels.sources.reading.frame import open_frame


def open_excel(path: Path, where: str, sheet: str | None) -> Source:
    """Values as the workbook shows them last: formulas by their stored results, days as days, ids as they stand."""
    rows, title = _rows(path, where, sheet)
    filled = [i for i, row in enumerate(rows) if any(value is not None for value in row)]
    if not filled:
        raise DataError(Problem(f"the sheet '{title}' is empty", where))
    if len(filled) == 1:
        raise DataError(no_rows(where))
    header_row, *table_rows = filled
    header = {k: str(name).strip() for k, name in enumerate(rows[header_row]) if name is not None}
    # A row ends at its last filled cell: what is missing behind it is empty.
    values = [[rows[i][k] if k < len(rows[i]) else None for k in header] for i in table_rows]
    frame = pd.DataFrame(values, columns=list(header.values()), dtype=object).infer_objects()
    source = open_frame(frame, where)
    places = np.array(table_rows) + 1

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        raw = source.scan(backend, selection)
        return raw._replace(line_of=lambda row: places[row], sha256=sha256_of(path))

    return Source(where, source.columns, scan)


def _rows(path: Path, where: str, sheet: str | None) -> tuple[list[tuple], str]:
    """All rows of the sheet that is asked for, or of the only one, and its name."""
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError) as error:
        raise DataError(Problem("is no Excel workbook (.xlsx), or a damaged one", where, str(error))) from error
    try:
        names = book.sheetnames
        if sheet is None and len(names) > 1:
            known = f"Name one as table: {', '.join(names)}"
            raise DataError(Problem(f"the workbook has {len(names)} sheets", where, known=known))
        if sheet is not None and sheet not in names:
            raise DataError(unknown("sheet", sheet, names, where))
        chosen = book[sheet or names[0]]
        return list(chosen.iter_rows(values_only=True)), chosen.title
    finally:
        book.close()
