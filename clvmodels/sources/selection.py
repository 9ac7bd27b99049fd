"""What is read of a table: its own columns by their meanings, values that stand for columns which it lacks, and the
rows that are kept by what a column holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis

from clvmodels.errors import Problem, unknown
from clvmodels.sources.cleaning import id_text
from clvmodels.sources.reading import Raw, Source

VALUE, NOT = "value", "not"
_MOST_SHOWN = 8

type ColumnName = str | int | Mapping[str, Any]
"""A table's own name of a column, its place from 1 in a file without a header, or `{value: ...}`: one for all rows."""
type RowFilter = Mapping[str, Any]
"""Column -> the value, or the values, of rows that are kept; or `{not: ...}`, those of rows that are left out."""


# Columns ----------------------------------------------------------------------------------------------------------


def own_names(columns: Mapping[str, ColumnName]) -> dict[str, str]:
    """Meaning -> the table's own name; a value that stands for a column is called as it is stated."""
    return {meaning: _own_name(column) for meaning, column in columns.items()}


def _own_name(column: ColumnName) -> str:
    return f"{{value: {_text(column[VALUE])}}}" if isinstance(column, Mapping) else str(column)


def _is_value(column: object) -> bool:
    return isinstance(column, Mapping) and set(column) == {VALUE}


def column_problems(columns: object, where: str) -> list[Problem]:
    """What is wrong with the columns that are stated, whatever they mean."""
    if not isinstance(columns, Mapping):
        known = "Write them as in {customer_id: cust, date: day}"
        return [
            Problem("columns are a mapping from meanings to the table's own names", where, repr(columns)[:80], known)
        ]
    problems = []
    for meaning, column in columns.items():
        is_name = isinstance(column, str | int) and not isinstance(column, bool)
        if not is_name and not _is_value(column):
            known = "Write the column's own name, or {value: ...} where one value stands for all rows"
            problems.append(Problem(f"'{meaning}' is no column", where, repr(column)[:80], known))
    return problems


def with_values(source: Source, columns: Mapping[str, ColumnName]) -> Source:
    """The table with a column for each value that stands for one."""
    values = {_own_name(column): _constant(column[VALUE]) for column in columns.values() if isinstance(column, Mapping)}
    if not values:
        return source

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        # A table of which nothing is read has no rows: its first column is.
        own = [name for name in selection if name not in values] or [source.columns[0]]
        raw = source.scan(backend, own)
        read = {}
        for place, name in enumerate(selection):
            is_constant = name in values
            read[f"c{place}"] = ibis.literal(values[name]) if is_constant else raw.table[f"c{own.index(name)}"]
        return raw._replace(table=raw.table.select("row", **read))

    return source._replace(columns=(*source.columns, *values), scan=scan)


def _constant(value: object) -> str | float:
    """A number with decimals as itself, whatever decimals look like in the table's text; else as text."""
    return value if isinstance(value, float) else _text(value)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# Rows -------------------------------------------------------------------------------------------------------------


def filter_problems(row_filter: RowFilter, columns: Sequence[str], where: str) -> list[Problem]:
    """What is wrong with the filter of a table's rows."""
    if not isinstance(row_filter, Mapping):
        known = "Write it as in {status: [paid, delivered]}"
        return [Problem("is no filter of rows", f"{where}, where", repr(row_filter)[:80], known)]
    problems = []
    for column, stated in row_filter.items():
        if str(column) not in columns:
            problems.append(unknown("column", column, columns, f"{where}, where"))
        if columns.count(str(column)) > 1:
            problems.append(Problem(f"{columns.count(str(column))} columns are called '{column}'", f"{where}, where"))
        is_mapping = isinstance(stated, Mapping)
        if (is_mapping and set(stated) != {NOT}) or not _stated_values(stated):
            known = "Write the values that are kept, as in {status: [paid]}, or {status: {not: [cancelled]}}"
            problems.append(Problem(f"of '{column}' are no values", f"{where}, where", repr(stated)[:80], known))
    return problems


def _stated_values(stated: object) -> list[object]:
    """The values that a column's filter names, one or several."""
    values = stated.get(NOT) if isinstance(stated, Mapping) else stated
    return list(values) if isinstance(values, list | tuple | set | frozenset) else [values]


def with_filter(source: Source, row_filter: RowFilter) -> Source:
    """The table whose rows know whether they are kept."""
    if not row_filter:
        return source
    filter_columns = [str(column) for column in row_filter]

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        raw = source.scan(backend, [*selection, *filter_columns])
        table = raw.table
        cells = {column: table[f"c{len(selection) + place}"] for place, column in enumerate(filter_columns)}
        is_kept = ibis.and_(*(_is_kept(cells[str(column)], stated) for column, stated in row_filter.items()))
        read = {f"c{place}": table[f"c{place}"] for place in range(len(selection))}
        notes = _notes(table, cells, row_filter, source.where)
        return raw._replace(table=table.select("row", **read, is_kept=is_kept), notes=notes)

    return source._replace(scan=scan)


def _is_kept(cell: ibis.Value, stated: object) -> ibis.Value:
    text = id_text(cell)
    is_named = ibis.or_(*(_equals(text, value) for value in _stated_values(stated)))
    return ~is_named if isinstance(stated, Mapping) else is_named


def _equals(text: ibis.Value, value: object) -> ibis.Value:
    """Whether a cell holds a value: nothing, true or false in any capitals, else its text."""
    if value is None:
        return text.isnull()
    if isinstance(value, bool):
        return (text.lower() == _text(value)).fill_null(False)
    return (text == _text(value).strip()).fill_null(False)


def _notes(table: ibis.Table, cells: Mapping[str, ibis.Value], row_filter: RowFilter, where: str) -> tuple[str, ...]:
    """Values of the filter that no row has: likely they are misspelt."""
    notes = []
    for column, stated in row_filter.items():
        text = id_text(cells[str(column)])
        for value in _stated_values(stated):
            if int(table.filter(_equals(text, value)).count().execute()):
                continue
            shown = table.select(text=text).filter(lambda t: t.text.notnull()).distinct().order_by("text")
            words = shown.limit(_MOST_SHOWN).execute()["text"].tolist()
            notes.append(f"{where}: no row has '{value}' as {column}; there are {', '.join(words) or 'no values'}")
    return tuple(notes)
