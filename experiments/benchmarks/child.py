"""A measurement in a process of its own: imports, which are timed apart, then the work; one JSON file at the end."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


class Clock:
    """Seconds of the work alone: what a task does before and after `with clock:` does not count."""

    def __enter__(self) -> None:
        self._began, self._cpu_began = time.perf_counter(), _cpu_seconds()

    def __exit__(self, *exception: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.cpu_seconds = _cpu_seconds() - self._cpu_began


Task = Callable[..., Mapping[str, Any]]
"""Called with a clock and the task's options; returns what else is told of it."""


def main(tasks: Mapping[str, Task], imports: Mapping[str, Sequence[str]]) -> None:
    """Run the task that the first argument describes ({"task": name, its options}), write the second argument."""
    options = json.loads(sys.argv[1])
    name = options.pop("task")
    began = time.perf_counter()
    for module in imports.get(name, ()):
        importlib.import_module(module)
    import_seconds = time.perf_counter() - began
    clock = Clock()
    told = tasks[name](clock, **options)
    result = {
        "seconds": clock.seconds,
        "cpu_seconds": clock.cpu_seconds,
        "import_seconds": import_seconds,
        "peak_mib": _peak_mib(),
        **told,
    }
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_mib() -> float:
    """The largest memory of this process or of one that it started."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    per_mib = 1024**2 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) / per_mib
