"""What a report is made from: the stored results folder, read back."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from clvmodels.errors import Problem, ResultsError
from clvmodels.figures import FIGURES, Figure, checks, data_cleaning
from clvmodels.results.folder import About
from clvmodels.results.tables import AGAIN, part_name, read_tables

ALWAYS = {"checks": "checks", "data_cleaning": "account"}
"""Tables of the run that stand in for a figure's: shown whatever figures the experiment asked for."""


@dataclass(frozen=True)
class Stored:
    """What the run was, and of each figure its table, or its several, by the figures' names."""

    about: About
    tables: dict[str, Any]


def read(folder: Path) -> Stored:
    """Read run.json and the figures' tables.

    Raises
    ------
    ResultsError
        If the folder or run.json is missing, is not what a run writes, or no table is there; if only some of a
        figure's several tables are.
    """
    about = _about(folder / "run.json")
    tables = {}
    for name, figure in FIGURES.items():
        table = _table(folder, figure)
        if table is not None:
            tables[name] = table
    of_the_run = read_tables(folder, [path for name, path in ALWAYS.items() if name not in tables])
    if "account" in of_the_run:
        tables["data_cleaning"] = data_cleaning.of_account(of_the_run["account"])
    if "checks" in of_the_run:
        tables["checks"] = of_the_run["checks"]
    if "checks" in tables:
        tables["checks"] = checks.ordered(tables["checks"], about.recommended)
    if not tables:
        raise ResultsError(Problem("no table of a figure", str(folder / "tables"), known="Run the experiment again"))
    return Stored(about, tables)


def _table(folder: Path, figure: Figure) -> Any:
    """A figure's table, or its several; None where the run has stored none of it.

    Several that lack one are refused, and so is a single table of all their rows, which runs stored once: left out
    without a word, the figure would seem not to have been asked for.
    """
    path = f"tables/{figure.name}"
    if figure.tables is None:
        return read_tables(folder, [path]).get(path)
    names = {part: part_name(path, part) for part in figure.tables._fields}
    stored = read_tables(folder, names.values())
    missing = [name for name in names.values() if name not in stored]
    if not stored and not (folder / f"{path}.csv").is_file():
        return None
    if missing:
        raise ResultsError([Problem(f"no table '{name}'", str(folder), known=AGAIN) for name in missing])
    return figure.tables(**{part: stored[name] for part, name in names.items()})


def _about(path: Path) -> About:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = "A report is made from the folder that `clvmodels run` writes"
        raise ResultsError(Problem("Cannot read the run's description", str(path), known=known)) from error
    except json.JSONDecodeError as error:
        raise ResultsError(Problem(f"Not valid JSON: {error.msg}", f"{path}:{error.lineno}")) from error
    wanted = {f.name: f for f in fields(About)}
    lacking = [
        name
        for name, f in wanted.items()
        if name not in stored and f.default is MISSING and f.default_factory is MISSING
    ]
    if lacking:
        raise ResultsError([Problem(f"'{name}' is missing", str(path)) for name in lacking])
    return About(**{name: value for name, value in stored.items() if name in wanted})
