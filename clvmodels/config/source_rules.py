"""What the keys of an experiment's `sources` say together: what each table is of, its columns, its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from clvmodels import datasets
from clvmodels.config.document import as_mapping
from clvmodels.config.finding import SAFE_NAME, as_list, as_text, at, file_problems
from clvmodels.errors import Problem, unknown
from clvmodels.sources.reasons import Policies
from clvmodels.sources.roles import TABLE_ROLES, Table
from clvmodels.sources.selection import column_problems
from clvmodels.strict import KeyPath

ORDERS = ("orders", "order_lines")


def source_problems(raw: Mapping[str, Any], config_dir: Path | None) -> Iterator[Problem]:
    """Every problem that the keys of sources have."""
    sources = {str(name): as_mapping(source) for name, source in as_mapping(raw.get("sources")).items()}
    dataset = as_text(as_mapping(raw.get("data")).get("dataset"))
    for name, source in sources.items():
        yield from _source(name, source)
        yield from _file(("sources", name, "path"), as_text(source.get("path")), dataset, config_dir)
    roles = [source.get("role") for source in sources.values()]
    if roles and not any(role in ORDERS for role in roles):
        remedy = "One table at least has role: orders, or order_lines with columns for key and date"
        yield at(("sources",), Problem("No table has orders", known=remedy), key=True)


def _file(path: KeyPath, file: str | None, dataset: str | None, config_dir: Path | None) -> Iterator[Problem]:
    """A table's file is there, or is one of those that a simulated data set makes."""
    simulated_tables = datasets.DATASETS[dataset].sources if dataset in datasets.DATASETS else {}
    if not simulated_tables:
        yield from file_problems(path, file, config_dir)
        return
    files = [table["path"] for table in simulated_tables.values()]
    if file is not None and file not in files:
        yield at(path, unknown(f"file of {dataset}", file, files))


def _source(name: str, source: Mapping[str, Any]) -> Iterator[Problem]:
    """What `Table` says of itself."""
    path = ("sources", name)
    role = as_text(source.get("role"))
    if not SAFE_NAME.match(name):
        remedy = "Up to 60 letters, digits, _ and -, beginning with a letter or digit"
        yield at(path, Problem(f"'{name}' is no name for a table", known=remedy), key=True)
    if role is not None and role not in TABLE_ROLES:
        yield at((*path, "role"), unknown("role", role, TABLE_ROLES))
    elif role is not None:
        for problem in _table(source, role).problems(name):
            yield at(path, problem, key=True)


def _table(source: Mapping[str, Any], role: str) -> Table:
    """The table as far as its keys are what they should be; what they are not is told where it stands."""
    names_of_policies = {field.name for field in fields(Policies)}
    policies = _texts(source.get("policies"))
    return Table.from_mapping(
        {
            "path": "any",
            "role": role,
            "columns": _columns(source.get("columns")),
            "kinds": _texts(source.get("kinds")),
            "rules": _texts(source.get("rules")),
            "policies": {name: value for name, value in policies.items() if name in names_of_policies},
            "date_format": as_text(source.get("date_format")),
            "groups": _names(source.get("groups")),
            "covariates": _names(source.get("covariates")),
        }
    )


def _columns(value: Any) -> dict[str, Any]:
    """Columns whose names are what names can be; others are told where they stand."""
    columns = as_mapping(value)
    wrong = {meaning for meaning in columns if column_problems({meaning: columns[meaning]}, "")}
    return {meaning: column for meaning, column in columns.items() if meaning not in wrong}


def _names(value: Any) -> list[str]:
    return [text for text in as_list(value) if isinstance(text, str)]


def _texts(value: Any) -> dict[str, str]:
    return {key: text for key, text in as_mapping(value).items() if isinstance(text, str)}
