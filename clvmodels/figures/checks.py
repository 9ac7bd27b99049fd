"""All checks, each in exactly one category, failed ones first; each with what was found, its limit, its consequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from clvmodels.results.folder import About, Run

RESULTS = {"failed": "✕", "look": "!", "passed": "✓", "skipped": "–", "not applicable": "○"}


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
    keys = {"result": checks["result"].map(list(RESULTS).index), "other": checks["entry"].fillna("") != recommended}
    return checks.loc[pd.DataFrame(keys).sort_values(["result", "other"], kind="stable").index].reset_index(drop=True)


def heading(table: pd.DataFrame, about: About) -> str:
    return "Checks"


def tally(table: pd.DataFrame) -> dict[str, int]:
    """Number of checks by result, in the order of the categories."""
    return {result: int((table["result"] == result).sum()) for result in RESULTS}


def lead(table: pd.DataFrame, about: About) -> str:
    """The chapter's first sentence: every check counted once."""
    n = tally(table)
    parts = [
        f"{n['failed']} failed",
        f"{n['look']} need{'s' if n['look'] == 1 else ''} a look",
        f"{n['passed']} passed",
    ]
    parts += [
        f"{n[kind]} {name}" for kind, name in (("skipped", "skipped"), ("not applicable", "not applicable")) if n[kind]
    ]
    return f"{words.capital(', '.join(parts))}."


def describe(table: pd.DataFrame, about: About) -> Words:
    return Words("", "", lead(table, about))


def cell(value: object) -> str:
    """What was found, or a limit: text as it is, a number to four digits."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    try:
        as_number = float(str(value))
    except ValueError:
        return words.label(value, 60)
    if abs(as_number) < 1e15 and as_number == int(as_number):
        return words.count(as_number)
    text = words.number(as_number, words.value_step(as_number, 4))
    return text.rstrip("0").rstrip(".") if "." in text else text


def consequence(line: pd.Series) -> str:
    """What follows from a failure; of a check that did not fail, what would."""
    if pd.isna(line.consequence) or not str(line.consequence).strip():
        return ""
    text = sentence(words.label(line.consequence, 240))
    return f"If it fails: {text[:1].lower()}{text[1:]}" if line.result == "passed" else text


def sentence(text: str) -> str:
    """Raised at its start, closed at its end."""
    return words.capital(text) + ("" if text.endswith((".", "!", "?", words.ELLIPSIS)) else ".")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows, tones = [], {}
    for place, (_, line) in enumerate(table.iterrows()):
        entry = (
            ""
            if pd.isna(line.entry) or not str(line.entry)
            else words.label(about.entries.get(line.entry, line.entry), 28)
        )
        rows.append(
            (
                line.result,
                words.capital(words.label(line.check, 200)),
                entry,
                cell(line.found),
                cell(line.limit),
                consequence(line),
            )
        )
        if line.result == "failed":
            tones[place] = "bad"
    return Numbers(("Result", "Check", "Entry", "Found", "Limit", "Consequence"), rows, tones)


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
