"""What the keys of an experiment's calendars say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clvmodels import datasets
from clvmodels.config.document import as_mapping
from clvmodels.config.finding import SAFE_NAME, as_text, at, file_problems
from clvmodels.errors import Problem, unknown
from clvmodels.strict import KeyPath

SOURCES = ("path", "dataset", "holidays")
OF_A_TABLE = ("columns", "index", "covariates", "until")
"""Keys that only a table of one's own has."""


def calendar_problems(raw: Mapping[str, Any], config_dir: Path | None) -> Iterator[Problem]:
    """Every problem that the keys of calendars have."""
    calendars = as_mapping(raw.get("calendars"))
    is_continuous = as_mapping(raw.get("data")).get("time") != "opportunities"
    for name, calendar in calendars.items():
        path = ("calendars", name)
        yield from _calendar(path, as_mapping(calendar), config_dir)
        if not is_continuous:
            message = "A calendar needs continuous time"
            yield at(path, Problem(message, known="Write time: continuous in data"), key=True)
    yield from _unused(calendars, as_mapping(raw.get("models")))


def _calendar(path: KeyPath, calendar: Mapping[str, Any], config_dir: Path | None) -> Iterator[Problem]:
    """A calendar has one source, and of a table the columns that are read."""
    if not SAFE_NAME.match(str(path[-1])):
        remedy = "Up to 60 letters, digits, _ and -, beginning with a letter or digit"
        yield at(path, Problem(f"'{path[-1]}' is no name for a calendar", known=remedy), key=True)
    sources = [key for key in SOURCES if calendar.get(key)]
    if len(sources) != 1:
        message = f"A calendar has one source, and this one has {' and '.join(sources) or 'none'}"
        remedy = (
            "Write path: weeks.csv, or holidays: [2025-12-25, ...], or dataset: with the name of one that has its own"
        )
        yield at(path, Problem(message, known=remedy), key=True)
    elif sources == ["path"]:
        yield from _table(path, calendar, config_dir)
    else:
        yield from _no_table(path, calendar)


def _table(path: KeyPath, calendar: Mapping[str, Any], config_dir: Path | None) -> Iterator[Problem]:
    if not (calendar.get("index") or calendar.get("covariates")):
        message = "Nothing of the table is read"
        remedy = "Name its index: (a known factor) or its covariates: (their coefficients are estimated)"
        yield at(path, Problem(message, known=remedy), key=True)
    yield from file_problems((*path, "path"), calendar["path"], config_dir)


def _no_table(path: KeyPath, calendar: Mapping[str, Any]) -> Iterator[Problem]:
    for key in OF_A_TABLE:
        if calendar.get(key):
            yield at((*path, key), Problem(f"'{key}' is of a table of your own (path)"), key=True)
    dataset = as_text(calendar.get("dataset"))
    names = [name for name, member in datasets.DATASETS.items() if member.calendar]
    if dataset is not None and dataset not in names:
        yield at((*path, "dataset"), unknown("data set with a calendar", dataset, names))


def _unused(calendars: Mapping[str, Any], entries: Mapping[str, Any]) -> Iterator[Problem]:
    """A calendar that no entry is on would not be read, and nothing would say so."""
    used = {as_text(as_mapping(entry).get("calendar")) for entry in entries.values()}
    for name in calendars:
        if name not in used:
            remedy = f"Write calendar: {name} in a model's entry, or remove it"
            problem = Problem(f"The calendar '{name}' is used by no entry", known=remedy)
            yield at(("calendars", name), problem, key=True)
