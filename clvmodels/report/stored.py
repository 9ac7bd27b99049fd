"""What a report is made from: the stored results folder, read back."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import pandas as pd

from clvmodels.errors import Problem, ResultsError
from clvmodels.figures import FIGURES, checks
from clvmodels.results.folder import About

TEXT = (
    "customer",
    "name",
    "label",
    "group",
    "entry",
    "reason",
    "where",
    "found",
    "limit",
    "level",
    "source",
    "column",
    "own_column",
    "check",
    "code",
    "note",
    "channel",
)
ALWAYS = {"checks": "checks.csv", "data_cleaning": "account.csv"}


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
    paths = {name: folder / "tables" / f"{name}.csv" for name in FIGURES}
    found = {name: _table(path) for name, path in paths.items() if path.is_file()}
    for name, other in ALWAYS.items():  # shown whatever figures the experiment asked for
        if name not in found and (folder / other).is_file():
            found[name] = (
                checks.ordered(_table(folder / other), about.recommended)
                if name == "checks"
                else _table(folder / other)
            )
    if not found:
        raise ResultsError(Problem("no table of a figure", str(folder / "tables"), known="Run the experiment again"))
    return Stored(about, found)


def _table(path: Path) -> pd.DataFrame:
    """A table, its names and ids as text: "NA", "007" and "1e5" are some customer's id."""
    columns = pd.read_csv(path, nrows=0).columns
    missing = {column: [""] if column in TEXT else ["", "nan", "NaN"] for column in columns}
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=missing)


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
