"""Several files as one table: a folder of parts, as Spark and others write it, or the files of a pattern.

Rows are numbered through all of them, in the order of their names; messages name the part. What folders within are
called (`day=2024-01-05`), of which the files themselves then say nothing, is a column.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote

import ibis
import numpy as np
import pandas as pd

from clvmodels.errors import DataError, Problem
from clvmodels.sources.reading.contract import Raw, Source, internal

ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".txt", ".parquet", ".pq", ".xlsx")
"""Of files that are parts of a folder."""
_WILD = frozenset("*?[")
_MOST_NAMED = 5
_HIDDEN = ("_", ".", "~$")
"""How files begin that are no parts: marks of Spark, what systems hide, and the locks of workbooks that are open."""
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What a folder is called whose rows have no value."""


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern and no file that happens to be called so."""
    return bool(_WILD & set(str(path))) and not path.exists()


def part_files(path: Path, where: str) -> list[Path]:
    """The files of a folder or a pattern, sorted; empty ones, and those whose names begin with _ or a point, are
    none, as Spark has it, unless the pattern begins so itself.

    Raises
    ------
    DataError
        There are none, or they are of several kinds.
    """
    if path.is_dir():
        candidates = [file for file in path.rglob("*") if _is_visible(file, path)]
        files = [file for file in candidates if file.is_file() and file.name.lower().endswith(ENDINGS)]
    else:
        fixed = [part for part in path.parts if not _WILD & set(part)]
        start = Path(*path.parts[: _first_wild(path)]) if fixed else Path()
        matching = start.glob(str(Path(*path.parts[_first_wild(path) :])))
        files = [file for file in matching if file.is_file() and _is_asked_for(file, path)]
    files = sorted(file for file in files if file.stat().st_size)
    if not files:
        kind = "the folder has no table" if path.is_dir() else "no file matches the pattern"
        raise DataError(Problem(kind, where, known=f"Parts end in {', '.join(ENDINGS)}"))
    kinds = sorted({_ending(file) for file in files})
    if len(kinds) > 1:
        known = f"Name one kind by a pattern: '{path if path.is_dir() else path.parent}/*{kinds[0]}'"
        raise DataError(Problem(f"its files are of several kinds: {', '.join(kinds)}", where, known=known))
    return files


def _first_wild(path: Path) -> int:
    return next(place for place, part in enumerate(path.parts) if _WILD & set(part))


def _is_visible(file: Path, folder: Path) -> bool:
    return not any(part.startswith(_HIDDEN) for part in file.relative_to(folder).parts)


def _is_asked_for(file: Path, pattern: Path) -> bool:
    return not file.name.startswith(_HIDDEN) or file.name[0] == pattern.name[0]


def _ending(file: Path) -> str:
    name = file.name.lower()
    return max((ending for ending in ENDINGS if name.endswith(ending)), key=len, default=file.suffix)


def open_parts(files: Sequence[Path], where: str, open_part: Callable[[Path, str], Source]) -> Source:
    """One table of several files, whose columns are those that any of them has: what one of them lacks is refused
    once it is read, whichever comes first."""
    part_names = _part_names(files)
    opened = [open_part(file, f"{where}, {name}") for file, name in zip(files, part_names, strict=True)]
    sources = [_with_folders(source, file) for source, file in zip(opened, files, strict=True)]
    first, *others = sources
    more = dict.fromkeys(name for source in others for name in source.columns if name not in first.columns)

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        problems = [problem for name in selection for problem in _column_problems(name, sources, part_names)]
        if problems:
            raise DataError(problems[:_MOST_NAMED])
        return _joined(backend, [source.scan(backend, selection) for source in sources], part_names, selection)

    return Source(where, (*first.columns, *more), scan, first.hint)


def _part_names(files: Sequence[Path]) -> list[str]:
    """What each part is called: its name, with the folders in which it lies where two are called alike."""
    names = [file.name for file in files]
    if len(set(names)) == len(names):
        return names
    above = Path(os.path.commonpath([file.parent for file in files]))
    return [file.relative_to(above).as_posix() for file in files]


def _column_problems(name: str, sources: Sequence[Source], part_names: Sequence[str]) -> list[Problem]:
    """Parts that lack a column which another has, or have two of its name."""
    has_it = next(part for part, source in zip(part_names, sources, strict=True) if name in source.columns)
    problems = []
    for source in sources:
        count = source.columns.count(name)
        if not count:
            problems.append(Problem(f"has no column '{name}', and {has_it} has one", source.where))
        if count > 1:
            problems.append(Problem(f"{count} columns are called '{name}'", source.where))
    return problems


def _with_folders(source: Source, file: Path) -> Source:
    """The part with a column for each folder above it that is called `name=value`, where it has none of that name."""
    named = [part.partition("=") for part in file.parent.parts if "=" in part]
    values = {name: unquote(value) for name, _, value in named if name not in source.columns}
    if not values:
        return source

    def scan(backend: ibis.BaseBackend, selection: Sequence[str]) -> Raw:
        own = [name for name in selection if name not in values] or [source.columns[0]]
        raw = source.scan(backend, own)
        columns = {}
        for place, name in enumerate(selection):
            is_empty = values.get(name) == NO_VALUE
            of_folder = ibis.null("string") if is_empty else ibis.literal(values.get(name))
            columns[f"c{place}"] = of_folder if name in values else raw.table[f"c{own.index(name)}"]
        return raw._replace(table=raw.table.select("row", **columns))

    return source._replace(columns=(*source.columns, *values), scan=scan)


def _joined(backend: ibis.BaseBackend, raws: Sequence[Raw], part_names: Sequence[str], selection: Sequence[str]) -> Raw:
    counts = [int(raw.table.count().execute()) for raw in raws]
    starts = np.concatenate([[0], np.cumsum(counts)])
    names = internal(selection)
    kinds = {name: _common_type([raw.table[name].type() for raw in raws]) for name in names}
    tables = []
    for raw, start in zip(raws, starts, strict=False):
        columns = {name: _cast(raw.table[name], kind) for name, kind in kinds.items()}
        tables.append(raw.table.select(row=(raw.table.row + int(start)).cast("int64"), **columns))
    rejects = [
        raw.rejects.assign(text=f"{name}: " + raw.rejects["text"]) for raw, name in zip(raws, part_names, strict=True)
    ]

    def spot_in_part(row: int) -> str:
        part = int(np.searchsorted(starts, row, side="right")) - 1
        return f"{raws[part].spot(row - int(starts[part]))} of {part_names[part]}"

    sha256 = hashlib.sha256(repr([raw.sha256 for raw in raws]).encode()).hexdigest()
    table = ibis.union(*tables) if len(tables) > 1 else tables[0]
    return Raw(table, pd.concat(rejects, ignore_index=True), "row", lambda row: row + 1, sha256, spot_in_part)


def _common_type(kinds: Sequence[ibis.DataType]) -> ibis.DataType:
    """What holds the values of all parts: their type where they have one, numbers as numbers, anything else as text."""
    filled = [kind for kind in kinds if not kind.is_null()]
    if not filled:
        return ibis.dtype("string")
    if len({str(kind) for kind in filled}) == 1:
        return filled[0]
    if all(kind.is_integer() for kind in filled):
        return ibis.dtype("int64")
    if all(kind.is_numeric() for kind in filled):
        return ibis.dtype("float64")
    return ibis.dtype("string")


def _cast(column: ibis.Value, kind: ibis.DataType) -> ibis.Value:
    return column if column.type() == kind else column.cast(kind)
