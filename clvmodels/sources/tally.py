"""Every row of a table accounted for: rows by reason, what the policies refuse, the account, and the rows left out.

What it works on is a table of judged rows in the engine: row, reason (null where the row counts), text (the row as it
stood, where there is a reason).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis import _

from clvmodels.errors import DataError, Problem
from clvmodels.sources.reading import Raw
from clvmodels.sources.reasons import ABOUT, BAD_DATE, HINTS, ORPHANED, REASONS, REFUSABLE, UNREADABLE, USED, Policies

_LISTED = 6  # places named in an error


def in_engine[T](where: str, step: Callable[[], T]) -> T:
    """What the step gives; what the engine cannot read is told with the table's name."""
    try:
        return step()
    except duckdb.Error as error:
        raise DataError(Problem("cannot be read", where, str(error).splitlines()[0])) from error


def stored(backend: ibis.BaseBackend, name: str, table: ibis.Table) -> ibis.Table:
    """The table in the engine, under a name of its own: what follows reads it as often as it likes."""
    return backend.create_table(ibis.util.gen_name(name), table)


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
    policies: Policies,
    date_format: str | None,
    hints: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Everything that the policies refuse, each with its first places and the own names of its columns. `hints` are
    the table's own, by reason."""
    problems, total = [], int(counts.sum())
    for reason, (policy, verb) in REFUSABLE.items():
        if counts[reason] and getattr(policies, policy) == "refuse":
            hint = f"The policy {policy}: drop leaves such rows out and counts them"
            if reason == BAD_DATE and date_format:
                hint = f"They do not follow date_format {date_format!r}. {hint}"
            else:
                hint = (hints or {}).get(reason, HINTS.get(reason, "")) + hint
            about = [f"'{names[meaning]}'" for meaning in ABOUT.get(reason, ()) if meaning in names]
            hint = f"Column {' or '.join(about)}. {hint}" if about else hint
            problems.append(_refusal(judged, raw, reason, f"{counts[reason]} of {total} rows {verb}", hint, where))
    return problems


def nothing_left(counts: pd.Series, where: str) -> Problem:
    """The problem of a table of which no row counts."""
    why = "; ".join(f"{rows} {reason}" for reason, rows in counts.items() if rows and reason)
    return Problem(f"no row is left of {counts.sum()}", where, why)


def _refusal(judged: ibis.Table, raw: Raw, reason: str, what: str, hint: str, where: str) -> Problem:
    if reason == UNREADABLE:
        first = raw.rejects.head(_LISTED).assign(place=lambda r: r["line"])
        got = f"{first['reason'].iloc[0]}: {_short(first['text'].iloc[0])}"
        place = "line"
    else:
        first = judged.filter(_.reason == reason).order_by("row").limit(_LISTED).select("row", "text").execute()
        first["place"] = raw.line_of(first["row"].to_numpy())
        got, place = _short(first["text"].iloc[0]), raw.place
    return Problem(f"{what}, first at {places(place, first['place'].tolist())}", where, got, hint)


def places(place: str, found: list[int]) -> str:
    """The first place, then the others: "line 17 (then 300, 5000)"."""
    rest = f" (then {', '.join(map(str, found[1:]))}{', ...' if len(found) == _LISTED else ''})" if found[1:] else ""
    return f"{place} {found[0]}{rest}"


def _short(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[:limit] + f"... ({len(text)} characters)"


def marks_counted(counts: pd.Series, marks: ibis.Table | None) -> pd.Series:
    """The counts, where rows that had no reason have got one by what other rows are: `marks` (row, reason, text)."""
    if marks is None:
        return counts
    more = marks.group_by("reason").agg(rows=_.count()).execute().set_index("reason")["rows"]
    counts = counts.add(more, fill_value=0).reindex(counts.index)
    counts[""] -= more.sum()
    return counts.astype("int64")


def account(
    counts: pd.Series, where: str, changed: Mapping[str, int] | None = None, other_use: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Rows read = orphaned + dropped + used, by reason; those changed are among the used. A reason that no row had is
    left out. `other_use` tells of rows that are used for something else than the rest."""
    other = {reason: n for reason, n in (other_use or {}).items() if n}
    rows = [("rows read", counts.sum(), "read")]
    rows += [(why, n, "orphaned" if why in ORPHANED else "dropped") for why, n in counts.drop("").items() if n]
    rows += [(reason, n, "changed") for reason, n in (changed or {}).items() if n]
    rows += [(reason, n, "used") for reason, n in other.items()]
    rows += [(USED, counts[""] - sum(other.values()), "used")]
    table = pd.DataFrame(rows, columns=["reason", "rows", "kind"])
    table.insert(0, "step", np.arange(len(table)))
    table.insert(2, "where", where)
    return table.astype({"rows": "int64"})


def with_lines(backend: ibis.BaseBackend, raw: Raw, table: ibis.Table) -> ibis.Table:
    """The table and `line`, where each of its rows stood."""
    if not int(raw.table.count().execute()):
        return table.mutate(line=ibis.null("int64"))
    last = int(raw.table["row"].max().execute())
    first_line, last_line = (int(line) for line in raw.line_of(np.array([0, last])))
    if last_line - first_line == last:
        return table.mutate(line=(table["row"] + first_line).cast("int64"))
    rows = np.arange(last + 1)  # rows that could not be read, or that are empty, lie between
    lines = backend.create_table(ibis.util.gen_name("lines"), pa.table({"row": rows, "line": raw.line_of(rows)}))
    return table.inner_join(lines, "row")


def dropped(
    backend: ibis.BaseBackend, judged: ibis.Table, marks: ibis.Table | None, raw: Raw, where: str
) -> ibis.Table:
    """The rows that do not count: where, line, reason, text."""
    rows = judged.filter(_.reason.notnull()).select("row", "reason", "text")
    rows = rows.union(marks.select("row", "reason", "text")) if marks is not None else rows
    found = with_lines(backend, raw, rows).select("line", "reason", "text")
    if len(raw.rejects):
        lost = raw.rejects.assign(text=raw.rejects["reason"] + ": " + raw.rejects["text"], reason=UNREADABLE)
        lost = lost[["line", "reason", "text"]].astype({"line": "int64", "reason": "str", "text": "str"})
        found = found.union(backend.create_table(ibis.util.gen_name("rejected"), lost))
    return found.order_by("line").select(where=ibis.literal(where), line=_.line, reason=_.reason, text=_.text)
