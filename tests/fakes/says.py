"""What a figure must say of a run: every sentence and every cell, from the table as a results folder gives it back."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels.figures import FIGURES
from clvmodels.results.folder import Run
from clvmodels.results.tables import named, read_tables, store_tables

FOLDER = Path(__file__).parents[1] / "figures"


def plain(text: str) -> str:
    """Text as it is typed: no-break spaces as spaces, the minus without its joiner."""
    return text.replace("\u00a0", " ").replace("\u2212\u2060", "-")


def stored(table: Any) -> Any:
    """A figure's table, or its several, as a results folder gives them back."""
    tables = named("table", table)
    with tempfile.TemporaryDirectory() as folder:
        store_tables(Path(folder), tables)
        again = read_tables(Path(folder), tables)
    return again["table"] if isinstance(table, pd.DataFrame) else type(table)(*again.values())


def table_of(name: str, run: Run) -> Any:
    """A figure's table, or its several, as a results folder gives it back."""
    return stored(FIGURES[name].table(run))


def caption_of(name: str, run: Run) -> str:
    """A figure's caption, from its stored table."""
    return FIGURES[name].words(table_of(name, run), run.about).caption


@dataclass(frozen=True)
class Says:
    """A run, and the words and numbers that a figure makes of it."""

    run: Callable[[], Run]
    heading: str
    sub: str
    caption: str
    alt: str
    rows: list[tuple[str, ...]] | None = None
    titles: tuple[str, ...] | None = None
    tones: Mapping[int, str] = field(default_factory=dict)


def said(name: str, run: Run) -> Says:
    """What the figure says of the run now."""
    figure = FIGURES[name]
    table = figure.table(run)
    assert table is not None, f"'{name}' has no table of this run"
    table = stored(table)
    text = figure.words(table, run.about)
    rows, titles, tones = None, None, {}
    if figure.numbers is not None:
        numbers = figure.numbers(table, run.about)
        rows = [tuple(plain(cell) for cell in row) for row in numbers.rows]
        titles, tones = tuple(plain(title) for title in numbers.columns), dict(numbers.tones)
    heading = plain(figure.heading(table, run.about))
    return Says(lambda: run, heading, plain(text.sub), plain(text.caption), plain(text.alt), rows, titles, tones)


def check(name: str, case: Says) -> None:
    """The figure says exactly what the case knows it must say."""
    found = said(name, case.run())
    for part in ("heading", "sub", "caption", "alt", "titles", "rows", "tones"):
        assert getattr(found, part) == getattr(case, part), f"{name}: {part}"


def cases_of(name: str) -> dict[str, Says]:
    """The cases of a figure's test file."""
    path = FOLDER / f"test_{name}.py"
    assert path.is_file(), f"the figure '{name}' has no test: write {path.name} with CASES, as its neighbours have"
    spec = importlib.util.spec_from_file_location(f"cases_of_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, "CASES", {})
