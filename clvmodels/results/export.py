"""Tables written for other programs: whole or not at all, and harmless in a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clvmodels.errors import ConfigError, Problem, unknown, unwritable

FORMATS = (".csv", ".parquet")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula."""


def check_format(path: Path) -> None:
    """Refuse a name that does not end in .csv or .parquet, before hours of work go into it."""
    if path.suffix not in FORMATS:
        raise ConfigError(Problem(unknown("format", path.suffix or path.name, FORMATS).what, str(path)))


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table, its index included, as CSV or Parquet by the name's ending.

    Text in CSV that begins with = + - @, a tab or a line break gets a leading apostrophe, because spreadsheets run
    such cells as formulas; numbers are left alone, and Parquet is never altered. The file appears under its name only
    when it is complete. Raises ConfigError for another ending.
    """
    check_format(path)
    unfinished = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            table.to_parquet(unfinished)
        else:
            harmless(table.reset_index()).to_csv(unfinished, index=False)
        unfinished.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if path.parent.is_dir():
            unfinished.unlink(missing_ok=True)
    return path


def harmless(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before each text cell and header that a spreadsheet may run as a formula."""
    table = table.rename(columns=_guarded)
    for name in table.columns:
        if not (pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_datetime64_any_dtype(table[name])):
            table[name] = table[name].map(_guarded, na_action="ignore")
    return table


def _guarded(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
