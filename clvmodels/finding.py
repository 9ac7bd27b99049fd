"""What the rules of an experiment share: what they find, and readers that pass over what is wrong elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from clvmodels import datasets
from clvmodels.document import Path as KeyPath
from clvmodels.errors import Problem

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}\Z")


class Finding(NamedTuple):
    """Problems of one place of the file: of its key or, as a rule, of its value."""

    path: KeyPath
    problems: Sequence[Problem]
    key: bool = False


def as_text(value: Any) -> str | None:
    """`value` where it is text."""
    return value if isinstance(value, str) else None


def as_list(value: Any) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def known_source(data: Mapping[str, Any]) -> bool:
    """Whether what the data set tells can be relied on: it is none, or one that there is."""
    return data.get("dataset") is None or data["dataset"] in list(datasets.DATASETS)
