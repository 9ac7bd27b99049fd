"""Tables described to tables opened: each found, its columns mapped to their meanings, its rows in the engine.

All problems of all tables are told at once: one that has a problem is left aside so that the others can tell theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import ibis

from clvmodels.errors import DataError, Problem, attempt, unknown
from clvmodels.sources import tally
from clvmodels.sources.columns import (
    count_problems,
    covariate_problems,
    engine_column,
    id_problems,
    thousands_problems,
    type_problems,
)
from clvmodels.sources.conventions import Conventions, readable
from clvmodels.sources.reading import Raw, Source, is_url, no_rows, open_source
from clvmodels.sources.roles import AS_ORDER, TABLE_ROLES, Table, TableRole
from clvmodels.sources.selection import filter_problems, own_names, with_filter, with_values

DERIVED_GROUPS = ("first_month",)
"""Groups that the customers' summary derives: no table needs to have them."""


class OpenTable(NamedTuple):
    """A table that was found, the meanings of its columns, and its rows in the engine."""

    name: str
    table: Table
    source: Source
    names: dict[str, str]  # meaning, group or covariate -> the table's own name, in the order of raw's columns
    raw: Raw
    conventions: Conventions

    @property
    def role(self) -> TableRole:
        """What the table is of."""
        return TABLE_ROLES[self.table.role]

    @property
    def where(self) -> str:
        """What it is called in messages."""
        return self.source.where

    @property
    def extra(self) -> tuple[str, ...]:
        """Groups and covariates: columns that mean nothing to the reader but are carried along."""
        return tuple(dict.fromkeys((*self.table.groups, *self.table.covariates)))

    def column(self, meaning: str) -> str:
        """What the engine calls the column of a meaning that the table has."""
        return engine_column(self.names, meaning)


def open_tables(
    backend: ibis.BaseBackend,
    tables: Mapping[str, Table],
    folder: Path,
    conventions: Conventions,
    groups: Sequence[str],
    covariates: Sequence[str],
    problems: list[Problem],
) -> list[OpenTable]:
    """The tables in the engine, in their own order; those that cannot be read are among the problems.

    `conventions` are those of the whole, `groups` and `covariates` columns that the whole must have.
    """
    lines_are_orders = not any(table.role == "orders" for table in tables.values())
    problems += _problems_together(tables)
    located: dict[str, tuple[Table, Source]] = {}
    for name, table in tables.items():
        table_problems = table.problems(name)
        problems += table_problems
        if table.role not in TABLE_ROLES or (table.path is None) == (table.frame is None):
            continue  # there is nothing to look at
        source = attempt(problems, partial(_locate, table, name, folder))
        if source is None:
            continue
        wrong_filter = filter_problems(table.where, source.columns, source.where)
        problems += wrong_filter
        if not table_problems and not wrong_filter:
            located[name] = (table, with_values(source, table.columns))
    _place_columns(located, {"groups": groups, "covariates": covariates}, lines_are_orders, problems)
    opened = []
    for name, (table, source) in located.items():
        names, column_problems = _map_columns(table, source, lines_are_orders)
        problems += [dataclasses.replace(problem, path=("sources", name, *problem.path)) for problem in column_problems]
        if column_problems:
            continue
        raw = attempt(problems, partial(scan, backend, with_filter(source, table.where), list(names.values())))
        if raw is None:
            continue
        its_conventions = table.conventions(conventions)
        open_table = OpenTable(name, table, source, names, raw, its_conventions)
        wrong_columns = type_problems(raw, names, open_table.where, table.date_format, open_table.extra)
        wrong_columns += covariate_problems(raw, names, table.covariates, open_table.where, its_conventions)
        problems += wrong_columns
        problems += id_problems(raw, names, open_table.where, open_table.extra)
        problems += thousands_problems(raw, names, open_table.where, its_conventions)
        problems += count_problems(raw, names, open_table.where, table.date_format)
        # Wrong ids leave a table that can be judged, and may have more to say; columns of a wrong type do not.
        if not wrong_columns:
            opened.append(open_table)
    return opened


def _locate(table: Table, name: str, folder: Path) -> Source:
    layout = readable(table.layout)
    if table.frame is not None:
        return open_source(table.frame, name=name, layout=layout)
    place = str(table.path)
    if is_url(place):
        return open_source(place, layout=layout)
    return open_source(folder / Path(place).expanduser(), layout=layout)


def scan(backend: ibis.BaseBackend, source: Source, columns: Sequence[str]) -> Raw:
    """The rows of a table in the engine.

    Raises
    ------
    DataError
        It cannot be read, or has no rows.
    """
    raw = tally.in_engine(source.where, lambda: source.scan(backend, columns))
    # Rows that could not be split into columns are rows: why each does not count is told later.
    if not len(raw.rejects) and not int(raw.table.count().execute()):
        raise DataError(no_rows(source.where))
    return raw


def _problems_together(tables: Mapping[str, Table]) -> list[Problem]:
    """What is wrong with the tables together."""
    roles = [table.role for table in tables.values()]
    orders, lines = roles.count("orders"), roles.count("order_lines")
    problems = []
    if not orders and not lines:
        problems.append(Problem("no table of orders", "sources", known="One has the role orders, or order_lines"))
    if lines > 1 or (lines and orders > 1):
        what = f"{orders} tables of orders and {lines} of their lines: which lines are of which?"
        problems.append(Problem(what, "sources", known="Give one table of lines, and one of orders at most"))
    if roles.count("rates") > 1:
        problems.append(Problem("more than one table of rates", "sources"))
    if orders:
        problems += _line_group_problems(tables)
    keyed = [table for table in tables.values() if table.role in TABLE_ROLES]
    systems = dict.fromkeys(table.system for table in keyed if "key" in TABLE_ROLES[table.role].reached_by)
    if "identity" not in roles and len(systems) > 1:
        what = f"keys of several systems and no table that says whose they are: {', '.join(systems)}"
        problems.append(Problem(what, "sources", known="Give a table of the role identity, or one system to all"))
    return problems


def _line_group_problems(tables: Mapping[str, Table]) -> list[Problem]:
    return [
        Problem(f"groups and covariates are those of orders: '{column}' of their lines means nothing", name)
        for name, table in tables.items()
        if table.role == "order_lines"
        for column in (*table.groups, *table.covariates)
    ]


def _place_columns(
    located: dict[str, tuple[Table, Source]],
    needed: Mapping[str, Sequence[str]],
    lines_are_orders: bool,
    problems: list[Problem],
) -> None:
    """Name the groups and covariates that the whole needs in the description of the one table that has them."""
    roles = {"orders", "attributes"} | ({"order_lines"} if lines_are_orders else set())
    for kind, columns in needed.items():
        for column in columns:
            is_named = any(column in getattr(table, kind) for table, _ in located.values())
            if column not in DERIVED_GROUPS and not is_named:
                _place_column(located, kind, column, roles, problems)
    problems += _shared_column_problems(located)


def _place_column(
    located: dict[str, tuple[Table, Source]], kind: str, column: str, roles: set[str], problems: list[Problem]
) -> None:
    candidates = {name: source for name, (table, source) in located.items() if table.role in roles}
    owners = [name for name, source in candidates.items() if column in source.columns]
    if not owners:
        columns = [other for source in candidates.values() for other in source.columns]
        problems.append(unknown(kind.removesuffix("s"), column, columns, kind))
    elif len(owners) > 1:
        what = f"'{column}' is a column of {len(owners)} tables: {', '.join(owners)}"
        problems.append(Problem(what, kind, known=f"Name it in the {kind} of one of them"))
    else:
        name = owners[0]
        table, source = located[name]
        longer: Any = {kind: (*getattr(table, kind), column)}
        table = dataclasses.replace(table, **longer)
        located[name] = (table, source)
        problems += [problem for problem in table.problems(name) if column in problem.what]


def _shared_column_problems(located: Mapping[str, tuple[Table, Source]]) -> list[Problem]:
    """Columns of two tables of which one is of attributes: they would stand beside each other under one name."""
    first_owner: dict[str, str] = {}
    problems = []
    for name, (table, _) in located.items():
        for column in dict.fromkeys((*table.groups, *table.covariates)):
            first = first_owner.setdefault(column, name)
            if first != name and "attributes" in (table.role, located[first][0].role):
                problems.append(Problem(f"'{column}' is kept of two tables: {first}, {name}", "sources"))
    return problems


def _map_columns(table: Table, source: Source, lines_are_orders: bool) -> tuple[dict[str, str], list[Problem]]:
    """Meaning -> own name of each column that is read, and what is wrong with them."""
    where = source.where
    extra = dict.fromkeys((*table.groups, *table.covariates))
    own_columns = own_names(table.columns)
    required = _required_meanings(table, source, lines_are_orders)
    # A column that is called as its meaning needs no mapping; but `ended` is read only where a column is named for it,
    # since in transactions it may mean anything.
    unmapped = set(source.columns) - {*extra, "ended"}
    optional = [m for m in TABLE_ROLES[table.role].meanings if m in table.columns or m in unmapped]
    if table.role == "order_lines" and not lines_are_orders:
        optional = [meaning for meaning in optional if meaning not in ("key", "date")]  # those of their orders count
    names = {meaning: own_columns.get(meaning, meaning) for meaning in dict.fromkeys((*required, *optional))}
    names |= {column: own_columns.get(column, column) for column in extra}
    problems = []
    reached_by_order = "key" not in names and "order_id" in names
    if table.currency == AS_ORDER and table.role != "order_lines" and not reached_by_order:
        what = f"currency: {AS_ORDER} is of rows that are reached by their order_id"
        problems.append(Problem(what, where, known="Name the column of order ids and none of keys"))
    for meaning, name in names.items():
        count = source.columns.count(name)
        if count > 1:
            problems.append(Problem(f"{count} columns are called '{name}'", where))
        if count == 0:
            problems.append(_absent_column(meaning, name, table, source))
    return names, problems


def _required_meanings(table: Table, source: Source, lines_are_orders: bool) -> list[str]:
    """What the table must have: first what its rows reach their customer by, then what its role requires."""
    role = TABLE_ROLES[table.role]
    if table.role == "order_lines":
        return [*role.required, *(("key", "date") if lines_are_orders else ())]
    reached_by = [meaning for meaning in role.reached_by if meaning in table.columns or meaning in source.columns]
    if not reached_by:
        reached_by = list(role.reached_by)
    is_named = {*table.columns, *source.columns}
    is_of_order = role.day_of_order and "order_id" in is_named and "date" not in is_named
    return [*reached_by[:1], *(meaning for meaning in role.required if meaning != "date" or not is_of_order)]


def _absent_column(meaning: str, name: str, table: Table, source: Source) -> Problem:
    role = TABLE_ROLES[table.role]
    problem = unknown("column", name, source.columns, source.where)
    if meaning in table.columns:
        return dataclasses.replace(problem, known=source.hint, path=("columns", meaning))
    if meaning not in role.meanings:
        kind = "groups" if name in table.groups else "covariates"
        return dataclasses.replace(problem, known=source.hint, path=(kind, getattr(table, kind).index(name)))
    instead = " or 'order_id'" if meaning == "key" and "order_id" in role.reached_by else ""
    advice = f"say which column is its '{meaning}'{instead}: columns: {{{meaning}: ...}}"
    return Problem(f"{problem.what}; {advice}", problem.where, known=source.hint)
