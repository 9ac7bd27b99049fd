"""All checks, each in exactly one category, failed ones first; each with what was found, its limit, its consequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words
from clvmodels.metrics.checks import RESULTS, value_and_limit

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

SYMBOLS = {"failed": "✕", "look": "!", "passed": "✓", "skipped": "–", "not applicable": "○"}


def table(run: Run) -> pd.DataFrame | None:
    """The run's checks, failed ones first."""
    return ordered(run.checks, run.recommended)


def ordered(checks: pd.DataFrame, recommended: str) -> pd.DataFrame:
    """Checks in the order of their results, in each those of the recommended entry first.

    A result that is none of the five is refused, never left out.
    """
    unknown = sorted(set(checks["result"]) - set(RESULTS))
    if unknown:
        raise ValueError(f"a check's result must be one of {', '.join(RESULTS)}; got {', '.join(unknown)}")
    of_another = checks["entry"].fillna("") != recommended
    keys = pd.DataFrame({"result": checks["result"].map(RESULTS.index), "of_another": of_another})
    return checks.loc[keys.sort_values(["result", "of_another"], kind="stable").index].reset_index(drop=True)


def heading(table: pd.DataFrame, about: About) -> str:
    return "Checks"


def tally(table: pd.DataFrame) -> dict[str, int]:
    """Number of checks by result, in the order of the categories."""
    return {result: int((table["result"] == result).sum()) for result in RESULTS}


def lead(table: pd.DataFrame, about: About) -> str:
    """The chapter's first sentence: every check counted once."""
    count = tally(table)
    looks = words.counted(count["look"], "needs", "need")
    parts = [f"{count['failed']} failed", f"{looks} a look", f"{count['passed']} passed"]
    parts += [f"{count[result]} {result}" for result in ("skipped", "not applicable") if count[result]]
    return f"{words.capital(', '.join(parts))}."


def describe(table: pd.DataFrame, about: About) -> Words:
    return Words("", "", lead(table, about))


def consequence(line: pd.Series) -> str:
    """What follows from a failure; of a check that did not fail, what would."""
    if pd.isna(line.consequence) or not line.consequence.strip():
        return ""
    text = sentence(words.label(line.consequence, 240))
    return f"If it fails: {text[:1].lower()}{text[1:]}" if line.result == "passed" else text


def sentence(text: str) -> str:
    """Raised at its start, closed at its end."""
    closed = text.endswith((".", "!", "?", words.ELLIPSIS))
    return words.capital(text) + ("" if closed else ".")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = [_row(line, about) for _, line in table.iterrows()]
    tones = {place: "bad" for place, result in enumerate(table["result"]) if result == "failed"}
    return Numbers(("Result", "Check", "Entry", "Found", "Limit", "Consequence"), rows, tones)


def _row(line: pd.Series, about: About) -> tuple[str, ...]:
    title = words.capital(words.label(line.check, 200))
    return line.result, title, entry_label(line, about, 28), *value_and_limit(line), consequence(line)


def entry_label(line: pd.Series, about: About, length: int) -> str:
    """The entry that is meant; nothing where it is none."""
    if pd.isna(line.entry) or not line.entry:
        return ""
    return words.label(about.entries.get(line.entry, line.entry), length)


FIGURE = Figure(
    "checks",
    "every check with its result, limit and consequence",
    "checks",
    "table",
    heading,
    table,
    describe,
    None,
    numbers,
)
