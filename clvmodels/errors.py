"""Errors that teach: what is wrong, where, what was got, what is allowed; all problems of an input at once."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input.

    Parameters
    ----------
    what
        The problem, as a sentence without its full stop.
    where
        File and line, key, column or argument; empty where there is only one place.
    got
        What was found, already shortened for display.
    known
        What is allowed, or what to do next.
    path
        Keys and places in lists that lead to it, inside of what is refused; for a file that knows their lines.
    at_key
        Whether the last key of the path is what is wrong, and not its value.
    """

    what: str
    where: str = ""
    got: str = ""
    known: str = ""
    path: tuple[str | int, ...] = ()
    at_key: bool = False

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.got:
            text += f"; got {self.got}"
        if self.known:
            text += f". {self.known}"
        return text


class ClvError(ValueError):
    """Base of every error this package raises on purpose; carries all problems found, not the first only."""

    def __init__(self, problems: Problem | str | Iterable[Problem]):
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        lines = [str(problem) for problem in self.problems]
        super().__init__(lines[0] if len(lines) == 1 else f"{len(lines)} problems:\n- " + "\n- ".join(lines))


class ConfigError(ClvError):
    """An experiment file, or an argument, that cannot be meant as it stands."""


class DataError(ClvError):
    """A table that cannot be read or used as it stands."""


class FitError(ClvError):
    """A posterior that could not be found, or is not to be trusted; `problems` says why."""


class ResultsError(ClvError):
    """A stored posterior or results folder that is missing, damaged or of another schema version."""


def unwritable(path: os.PathLike[str] | str, error: Exception) -> ResultsError:
    """The error of a file that could not be written: a full disk, a folder for reading only; with the room there is."""
    place = Path(path)
    folder = next((parent for parent in place.absolute().parents if parent.is_dir()), place.absolute().parent)
    reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
    try:
        room = f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB are free on its disk"
    except OSError:
        room = "its disk does not answer"
    known = f"Make room, or name another folder: {room}. Nothing half-written is left"
    return ResultsError(Problem("cannot be written", str(path), str(reason)[:200], known))


def unknown(kind: str, name: object, known: Iterable[str], where: str = "") -> Problem:
    """The problem of a name that no registry holds, with the nearest known name.

    >>> print(unknown("model", "bgnbd", ["bg_nbd", "pareto_nbd"]))
    Unknown model 'bgnbd'; did you mean 'bg_nbd'? Known: bg_nbd, pareto_nbd
    """
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return Problem(f"Unknown {kind} '{name}'{hint} Known: {', '.join(known)}", where)


def attempt[T](problems: list[Problem], step: Callable[[], T]) -> T | None:
    """What the step gives, or its problems among the others."""
    try:
        return step()
    except DataError as error:
        problems += error.problems
        return None
