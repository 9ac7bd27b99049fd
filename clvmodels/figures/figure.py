"""What every figure is: a bounded table computed in the run; words and a drawing made from that table alone.

A table has one kind of rows. A figure that needs several kinds has several tables: a NamedTuple of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from clvmodels.metrics.bands import InsideCount

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run


class Words(NamedTuple):
    """The words of a figure, every number computed from its table. `**x**` in the caption stands out."""

    sub: str
    caption: str
    alt: str


class Numbers(NamedTuple):
    """A table for readers: column titles and rows of ready text; the first column names the row.

    `tones` gives a row's class by its place: "bad" (a failure) or "total".
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    tones: Mapping[int, str] = MappingProxyType({})


class Figure[Table](NamedTuple):
    """One member of the family.

    `table` is computed in the run and stored as tables/<name>.csv (None: not applicable to this run); all else is
    made from that table and from what the run is. Where `tables` names a class of several tables, a NamedTuple, the
    run computes one of that class, and each table is stored as tables/<name>.<field>.csv. `draw` takes the width in
    CSS pixels: 688 or 328. A figure whose shape is "table" has no drawing: its numbers are the figure; "folded" ones
    are behind their heading. `numbers` is folded below a drawing.
    """

    name: str
    shows: str
    chapter: str
    shape: str
    heading: Callable[[Table, About], str]
    table: Callable[[Run], Table | None]
    words: Callable[[Table, About], Words]
    draw: Callable[[Table, About, int], Canvas] | None = None
    numbers: Callable[[Table, About], Numbers] | None = None
    tables: type[Table] | None = None


def rows_of(table: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """The rows in which each named column has the wanted value."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def row_of(table: pd.DataFrame, **wanted: Any) -> pd.Series:
    """The one row in which each named column has the wanted value."""
    rows = rows_of(table, **wanted)
    if len(rows) != 1:
        raise ValueError(f"expected one row with {wanted}, found {len(rows)}")
    return rows.iloc[0]


def whole(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The table with whole numbers in these columns, of which rows of another kind have none."""
    return table.astype(dict.fromkeys((name for name in columns if name in table), "Int64"))


def typed(rows: Sequence[Mapping[str, Any]], /, **types: Any) -> pd.DataFrame:
    """A table of these columns, each of its type: the same whether there are rows or none."""
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def inside_table(inside: InsideCount | None) -> pd.DataFrame:
    """One row: how many weeks, or groups, lie inside their intervals, and whether that is enough; None: no row."""
    rows = [] if inside is None else [{**inside._asdict(), "holds": inside.holds}]
    return typed(rows, actual=int, expected=float, lower_limit=float, of=int, holds=bool)
