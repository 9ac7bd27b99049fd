"""What a report is made from: the stored results folder, read back."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import pandas as pd

from clvmodels.errors import Problem, ResultsError
from clvmodels.figures import FIGURES, checks
from clvmodels.results.folder import About
from clvmodels.results.tables import read_tables

ALWAYS = {"checks": "checks", "data_cleaning": "account"}
"""Tables of the run that stand in for a figure's: shown whatever figures the experiment asked for."""


@dataclass(frozen=True)
class Stored:
    """What the run was, and the tables of its figures, by the figures' names."""

    about: About
    tables: dict[str, pd.DataFrame]


def read(folder: Path) -> Stored:
    """Read run.json and the figures' tables.

    Raises
    ------
    ResultsError
        If the folder or run.json is missing, is not what a run writes, or no table is there.
    """
    about = _about(folder / "run.json")
    paths = {f"tables/{name}": name for name in FIGURES}
    tables = {paths[path]: table for path, table in read_tables(folder, paths).items()}
    of_the_run = read_tables(folder, [path for name, path in ALWAYS.items() if name not in tables])
    for name, path in ALWAYS.items():
        if path in of_the_run:
            tables[name] = of_the_run[path]
    if "checks" in tables:
        tables["checks"] = checks.ordered(tables["checks"], about.recommended)
    if not tables:
        raise ResultsError(Problem("no table of a figure", str(folder / "tables"), known="Run the experiment again"))
    return Stored(about, tables)


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
