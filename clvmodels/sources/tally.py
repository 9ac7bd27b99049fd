"""Every row of a table accounted for: rows by reason, what the policies refuse, the account, and the rows left out.

What it works on is a table of judged rows in the engine: row, reason (null where the row counts), text (the row as it
stood, where there is a reason).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis import _
from ibis.common.exceptions import IbisError

from clvmodels.errors import DataError, Problem, unwritable
from clvmodels.sources.conventions import Conventions
from clvmodels.sources.reading import Raw
from clvmodels.sources.reasons import (
    ABOUT,
    BAD_DATE,
    HINTS,
    ORPHANED,
    REASONS,
    REFUSABLE,
    UNREADABLE,
    USED,
    WAYS_OUT,
)

MOST_PLACES = 6
"""Places named in an error."""
LONGEST_TEXT = 120
"""Characters of a row that an error shows."""


LIBRARIES = (duckdb.Error, IbisError, pa.ArrowException, OSError, UnicodeError, OverflowError)
"""What the engine and its readers raise of tables that they cannot read, and of disks that take nothing more."""
FULL = "No space left"


def in_engine[T](where: str, step: Callable[[], T]) -> T:
    """What the step gives; what the engine cannot read is told with the table's name, and a full disk as such."""
    try:
        return step()
    except LIBRARIES as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        if FULL in str(error):
            raise unwritable(Path(tempfile.gettempdir()) / "clvmodels", error) from error
        raise DataError(Problem("cannot be read", where, text[:300])) from error


def stored(backend: ibis.BaseBackend, name: str, table: ibis.Table) -> ibis.Table:
    """The table in the engine, under a name of its own: what follows reads it as often as it likes.

    A temporary one is not compressed, which would take longer than the rows take to be judged.
    """
    return backend.create_table(ibis.util.gen_name(name), table, temp=True)


def count(judged: ibis.Table, raw: Raw) -> pd.Series:
    """Rows by reason ("" for those without one), in the order in which reasons are looked for."""
    counts = judged.group_by("reason").agg(rows=_.count()).execute()
    rows = counts.set_index(counts["reason"].fillna(""))["rows"]
    rows[UNREADABLE] = len(raw.rejects)
    return rows.reindex(["", *REASONS], fill_value=0).astype("int64")


def refusals(
    judged: ibis.Table,
    raw: Raw,
    counts: pd.Series,
    where: str,
    names: Mapping[str, str],
    conventions: Conventions,
    hints: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Everything that the policies refuse, each with its first places and the own names of its columns. `hints` are
    the table's own, by reason."""
    problems, total = [], int(counts.sum())
    for reason, (policy, verb) in REFUSABLE.items():
        if counts[reason] and conventions.policies.refuses(reason):
            advice = _advice(reason, policy, names, conventions.date_format, {**HINTS, **(hints or {})})
            place, text = _first_places(judged, raw, reason)
            what = f"{counts[reason]} of {total} rows {verb}, first at {place}"
            problems.append(Problem(what, where, text, advice))
    return problems


def _advice(
    reason: str, policy: str, names: Mapping[str, str], date_format: str | None, hints: Mapping[str, str]
) -> str:
    """Which column it is, what may be wrong with it, and how to go on without mending it."""
    columns = [f"'{names[meaning]}'" for meaning in ABOUT.get(reason, ()) if meaning in names]
    advice = f"Column {' or '.join(columns)}. " if columns else ""
    if reason == BAD_DATE and date_format:
        advice += f"They do not follow date_format {date_format!r}. "
    else:
        advice += hints.get(reason, "")
    return advice + WAYS_OUT.get(reason, f"The policy {policy}: drop leaves such rows out and counts them")


def _first_places(judged: ibis.Table, raw: Raw, reason: str) -> tuple[str, str]:
    """Where the first rows with a reason stood, and the text of the first."""
    if reason == UNREADABLE:
        rejects = raw.rejects.head(MOST_PLACES)
        text = f"{rejects['reason'].iloc[0]}: {_shortened(rejects['text'].iloc[0])}"
        lines = rejects["line"].tolist()
        return _listed_places(f"line {lines[0]}", lines), text
    rows = judged.filter(_.reason == reason).order_by("row").limit(MOST_PLACES).select("row", "text").execute()
    places = rows["row"].tolist()
    lines = raw.line_of(rows["row"].to_numpy()).tolist()
    return _listed_places(raw.spot(places[0]), lines), _shortened(rows["text"].iloc[0])


def _listed_places(first: str, lines: list[int]) -> str:
    """The first place, then the others: "line 17 (then 300, 5000)"."""
    if len(lines) == 1:
        return first
    more = ", ..." if len(lines) == MOST_PLACES else ""
    return f"{first} (then {', '.join(map(str, lines[1:]))}{more})"


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return text[:LONGEST_TEXT] + f"... ({len(text)} characters)"


def nothing_left(counts: pd.Series, where: str, notes: Sequence[str] = ()) -> Problem:
    """The problem of a table of which no row counts; `notes` say what may explain it."""
    why = "; ".join(f"{rows} {reason}" for reason, rows in counts.items() if rows and reason)
    return Problem(f"no row is left of {counts.sum()}", where, why, "; ".join(notes))


def with_marks(counts: pd.Series, marks: ibis.Table | None) -> pd.Series:
    """The counts, where rows that had no reason have got one by what other rows are: `marks` (row, reason, text)."""
    if marks is None:
        return counts
    marked = _rows_by_reason(marks)
    counts = counts.add(marked, fill_value=0).reindex(counts.index)
    counts[""] -= marked.sum()
    return counts.astype("int64")


def with_left_out(counts: pd.Series, marks: ibis.Table | None) -> pd.Series:
    """The counts of a table that marked rows were taken out of, with these."""
    if marks is None:
        return counts
    return counts.add(_rows_by_reason(marks), fill_value=0).reindex(counts.index).astype("int64")


def _rows_by_reason(marks: ibis.Table) -> pd.Series:
    return marks.group_by("reason").agg(rows=_.count()).execute().set_index("reason")["rows"]


def account(
    counts: pd.Series, where: str, changed: Mapping[str, int] | None = None, other_use: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Rows read = orphaned + dropped + used, by reason; those changed are among the used. A reason that no row had is
    left out. `other_use` tells of rows that are used for something else than the rest."""
    changed, other_use = changed or {}, other_use or {}
    rows = [("rows read", counts.sum(), "read")]
    for reason, n in counts.drop("").items():
        rows.append((reason, n, "orphaned" if reason in ORPHANED else "dropped"))
    rows += [(reason, n, "changed") for reason, n in changed.items()]
    rows += [(reason, n, "used") for reason, n in other_use.items()]
    rows = [rows[0], *(row for row in rows[1:] if row[1])]
    rows.append((USED, counts[""] - sum(other_use.values()), "used"))
    table = pd.DataFrame(rows, columns=["reason", "rows", "kind"])
    table.insert(0, "step", np.arange(len(table)))
    table.insert(2, "where", where)
    return table.astype({"rows": "int64"})


def with_lines(backend: ibis.BaseBackend, raw: Raw, table: ibis.Table) -> ibis.Table:
    """The table and `line`, where each of its rows stood."""
    if not int(raw.table.count().execute()):
        return table.mutate(line=ibis.null("int64"))
    last_row = int(raw.table["row"].max().execute())
    first_line, last_line = (int(line) for line in raw.line_of(np.array([0, last_row])))
    if last_line - first_line == last_row:
        return table.mutate(line=(table["row"] + first_line).cast("int64"))
    # Rows that could not be read, or that are empty, lie between: each row's line is looked up.
    rows = np.arange(last_row + 1)
    lines = backend.create_table(ibis.util.gen_name("lines"), pa.table({"row": rows, "line": raw.line_of(rows)}))
    return table.inner_join(lines, "row")


def dropped(
    backend: ibis.BaseBackend, judged: ibis.Table, marks: ibis.Table | None, raw: Raw, where: str
) -> ibis.Table:
    """The rows that do not count: where, line, reason, text."""
    rows = judged.filter(_.reason.notnull()).select("row", "reason", "text")
    if marks is not None:
        rows = rows.union(marks.select("row", "reason", "text"))
    left_out = with_lines(backend, raw, rows).select("line", "reason", "text")
    if len(raw.rejects):
        rejects = raw.rejects.assign(text=raw.rejects["reason"] + ": " + raw.rejects["text"], reason=UNREADABLE)
        rejects = rejects[["line", "reason", "text"]].astype({"line": "int64", "reason": "str", "text": "str"})
        left_out = left_out.union(backend.create_table(ibis.util.gen_name("rejected"), rejects))
    return left_out.order_by("line").select(where=ibis.literal(where), line=_.line, reason=_.reason, text=_.text)
