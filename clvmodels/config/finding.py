"""What the rules of an experiment share: places of problems, and readers that pass over what is wrong elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clvmodels import datasets
from clvmodels.errors import Problem
from clvmodels.sources.reading import is_pattern, is_url
from clvmodels.strict import KeyPath

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}\Z")


def at(path: KeyPath, problem: Problem, *, key: bool = False) -> Problem:
    """A problem of what stands at `path`, whose own path begins there; of the key itself where `key` says so."""
    whole_path = (*path, *problem.path)
    return replace(problem, path=whole_path, at_key=key or problem.at_key)


def as_text(value: Any) -> str | None:
    """`value` where it is text."""
    return value if isinstance(value, str) else None


def as_list(value: Any) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def known_source(data: Mapping[str, Any]) -> bool:
    """Whether what the data set tells can be relied on: it is none, or one that there is."""
    return data.get("dataset") is None or data["dataset"] in list(datasets.DATASETS)


def file_problems(path: KeyPath, name: Any, config_dir: Path | None) -> Iterator[Problem]:
    """A table to be read, named at `path`: a file that is there, or a database's URL without a password."""
    if is_url(name):
        if urlsplit(name).password:
            remedy = "Leave it to the environment (PGPASSWORD) or to the driver's own file, and write user@host"
            yield at(path, Problem("A password does not belong in an experiment", known=remedy))
        return
    if config_dir is None or not as_text(name):
        return
    file = config_dir / Path(name).expanduser()
    # A folder of parts and a pattern are looked into when they are read.
    if not (file.exists() or is_pattern(file)):
        remedy = f"Relative paths start from the experiment's folder, {config_dir.resolve()}"
        yield at(path, Problem(f"No such file: {name}", known=remedy))
