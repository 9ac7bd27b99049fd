"""Measurements as they are stored, a row each, written whole after every one: a command that was stopped goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jobs import Job
from stored import write
from surroundings import machine
from table import DONE

KEY = ("group", "name", "who", "repeat")


class Rows:
    """The rows of a file; those that count are of the code and of the machine as they are.

    Parameters
    ----------
    path
        The CSV file, which need not exist.
    version
        The version of the code of a group as it is.
    """

    def __init__(self, path: Path, version: Callable[[str], str]) -> None:
        self.path, self.version = path, version
        self.table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=[*KEY, "status", "code", "machine"])

    def missing(self, job: Job, repeats: int) -> list[int]:
        """Repeats that are still to be measured; none of what was stopped or failed, which would be so again."""
        counting = self.table[(self.table["code"] == self.version(job.group)) & (self.table["machine"] == machine())]
        is_job = (counting[["group", "name", "who"]] == [job.group, job.name, job.who]).all(axis=1)
        present = counting[is_job]
        if (present["status"] != DONE).any():
            return []
        return [repeat for repeat in range(1, repeats + 1) if repeat not in set(present["repeat"])]

    def add(self, job: Job, repeat: int, result: Mapping[str, Any]) -> None:
        """Store what a repeat gave, in place of the row that stood there."""
        key = dict(zip(KEY, (job.group, job.name, job.who, repeat), strict=True))
        of_result = {name: json.dumps(value) if isinstance(value, list) else value for name, value in result.items()}
        around = {"load": os.getloadavg()[0], "code": self.version(job.group), "machine": machine()}
        is_older = (self.table[list(KEY)] == list(key.values())).all(axis=1)
        row = pd.DataFrame([{**key, **of_result, **around}])
        self.table = pd.concat([self.table[~is_older], row], ignore_index=True) if len(self.table) else row
        write(self.table, self.path, "%.6g")
