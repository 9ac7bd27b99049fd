"""What a run stores of each figure: columns in their order, their types and their rows, of the cases of its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.says import cases_of

from clvmodels.figures import FIGURES
from clvmodels.results.tables import named

FOLDER = Path(__file__).with_name("tables")
ACCEPT = "make drawings, and look at the difference"
SHOWN = 12
"""Rows that are told; of more, every so-manyth."""


def told(name: str) -> Iterator[str]:
    """The tables of a figure, of each case of its test."""
    for title, case in cases_of(name).items():
        for path, table in named(name, FIGURES[name].table(case.run())).items():
            numbered = table.index.equals(pd.RangeIndex(len(table)))
            yield f"## {title}, {path}, {len(table)} rows{'' if numbered else ', not numbered from 0'}"
            yield ", ".join(f"{column} {kind}" for column, kind in table.dtypes.astype(str).items())
            step = max(1, -(-len(table) // SHOWN))
            for row in table.iloc[::step].itertuples(index=False):
                yield ", ".join(map(_cell, row))
            yield ""


def _cell(value: object) -> str:
    """Five digits of a number; a time without its clock."""
    if isinstance(value, float | np.floating):
        return f"{value:.5g}"
    return str(value).removesuffix(" 00:00:00")


@pytest.mark.parametrize("name", FIGURES)
def test_the_tables_are_the_stored_ones(name, accept_drawings):
    path, found = FOLDER / f"{name}.txt", "\n".join(told(name))
    if accept_drawings:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert path.is_file(), f"no stored tables of '{name}': {ACCEPT}"
    assert found == path.read_text(encoding="utf-8"), f"'{name}' has another table; where that is meant: {ACCEPT}"
