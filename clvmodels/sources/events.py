"""The one reader of tables that are not orders: rows judged by their role, and events of customers in one shape.

Every row is used, or it is orphaned (it meets no customer), or it is dropped, each with its reason. What is wrong with
a table ends in one error that names file, row and column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.errors import DataError, Problem, attempt
from clvmodels.sources import judging, reasons, tally
from clvmodels.sources.cleaning import calendar_day
from clvmodels.sources.columns import cell_hints
from clvmodels.sources.currencies import Rates, with_rate
from clvmodels.sources.opening import OpenTable
from clvmodels.sources.reading import Raw
from clvmodels.sources.roles import AS_ORDER

EVENT = {
    "source": "string",
    "role": "string",
    "line": "int64",
    "customer_id": "string",
    "date": "date",
    "kind": "string",
    "count": "float64",
    "amount": "float64",
    "value": "float64",
    "order_id": "string",
    "detail": "string",
}
"""The shape of events: where a row stood (source, role, line); whose, when, of what kind, how many (1 where nothing
tells), for how much money; minutes, a score, or 1 and 0 for yes and no; the order; arm, channel, referred customer."""

Owners = Callable[[OpenTable, ibis.Table], ibis.Table]
"""Adds to the rows of a table `owner` and `unowned`; `whom` to those of referrals (the referred customer); and
`order_rate` where they are reached by their orders."""


class JudgedTable(NamedTuple):
    """A table whose rows are judged.

    `table` holds row, reason, text, and a column a meaning; `marks` (row, reason, text) the rows that do not count for
    what other rows are.
    """

    opened: OpenTable
    raw: Raw
    table: ibis.Table
    counts: pd.Series
    marks: ibis.Table | None = None

    @property
    def used(self) -> ibis.Table:
        """The rows that count."""
        rows = self.table.filter(_.reason.isnull())
        return rows if self.marks is None else rows.anti_join(self.marks, "row")


def judge_table(
    backend: ibis.BaseBackend, opened: OpenTable, rates: Rates | None, owners: Owners | None = None
) -> JudgedTable:
    """Judge the rows of a table by its role. Without rates amounts stay as they are.

    Raises
    ------
    DataError
        With everything that the policies refuse, currencies without a rate, and amounts of the wrong sign.
    """
    raw, conventions = opened.raw, opened.conventions
    problems: list[Problem] = []
    if rates is not None:
        raw = attempt(problems, partial(rated, opened, rates)) or raw
    if owners is not None and opened.role.reached_by:
        raw = raw._replace(table=owners(opened, raw.table))
    rows = judging.judge_rows(opened, raw.table)
    judged = tally.in_engine(opened.where, lambda: tally.stored(backend, "judged", rows))
    counts = tally.count(judged, raw)
    hints = cell_hints(judged, raw, counts, opened.names) | _kind_hint(opened)
    problems += tally.refusals(judged, raw, counts, opened.where, opened.names, conventions, hints)
    problems += _sign_problems(opened, judged)
    if problems:
        raise DataError(problems)
    if conventions.policies.duplicates != "drop":
        return JudgedTable(opened, raw, judged, counts)
    meanings = [meaning for meaning in opened.names if meaning in judged.columns]
    duplicates = judging.duplicate_rows(judged.filter(_.reason.isnull()), meanings)
    marks = tally.stored(backend, "marks", duplicates)
    return JudgedTable(opened, raw, judged, tally.with_marks(counts, marks), marks)


def rated(opened: OpenTable, rates: Rates) -> Raw:
    """The rows and, where their currency is told, the `rate` to the result's."""
    raw, currency = opened.raw, opened.table.currency
    if "amount" not in opened.role.meanings:
        return raw
    if "currency" in opened.names:
        column = opened.column("currency")
    elif currency not in (None, AS_ORDER):
        column = "in_currency"
        raw = raw._replace(table=raw.table.mutate(in_currency=ibis.literal(currency)))
    else:
        return raw
    day = table_day(opened) if "date" in opened.names else None
    return tally.in_engine(opened.where, lambda: with_rate(raw, column, day, opened.where, rates))


def table_day(opened: OpenTable) -> ibis.Value:
    """The local calendar day of each row of a table that has days."""
    conventions = opened.conventions
    return calendar_day(opened.raw.table[opened.column("date")], conventions)


def _kind_hint(opened: OpenTable) -> dict[str, str]:
    if not opened.role.kinds:
        return {}
    known = f"Known: {', '.join(opened.role.kinds)}; kinds: {{own word: kind}} maps the table's own words. "
    return {reasons.BAD_KIND: known}


def _sign_problems(opened: OpenTable, judged: ibis.Table) -> list[Problem]:
    """Money of which no row is positive was written the other way round."""
    if "amount" not in opened.names or not opened.role.is_event:
        return []
    rows = judged.filter(_.reason.isnull() | (_.reason == reasons.NEGATIVE))
    signs = rows.aggregate(
        negative=(_.amount < 0).sum().fill_null(0), positive=(_.amount > 0).sum().fill_null(0)
    ).execute()
    negative, positive = int(signs["negative"].iloc[0]), int(signs["positive"].iloc[0])
    if not negative or positive:
        return []
    # `sign: negative` has turned them already: negative amounts here were written as positive ones.
    written, advice = "negative", "State sign: negative"
    if opened.table.sign == "negative":
        written, advice = "positive", "Leave sign: negative out"
    what = f"all {negative:,} amounts of column '{opened.names['amount']}' are {written}"
    return [Problem(what, opened.where, known=advice)]


def events_of(backend: ibis.BaseBackend, judged: JudgedTable) -> ibis.Table:
    """The used rows of a table as events."""
    opened, role = judged.opened, judged.opened.role
    rows = tally.with_lines(backend, judged.raw, judged.used)
    columns = {"kind": ibis.literal(role.kind)}
    for meaning in opened.names:
        column = role.event_columns.get(meaning, meaning)
        if column in EVENT and meaning in rows.columns:
            columns[column] = rows[meaning]
    if "count" in columns:
        columns["count"] = columns["count"].fill_null(1.0)
    if "kind" in rows.columns:  # also where no column tells it: it is the role's
        columns["kind"] = rows.kind
    if "date" in rows.columns:  # also where no column tells it: it is that of the order
        columns["date"] = rows.date
    columns |= {"source": ibis.literal(opened.name), "role": ibis.literal(opened.table.role)}
    columns |= {"line": rows.line, "customer_id": rows.customer_id}
    return in_shape(rows, columns)


def in_shape(rows: ibis.Table, columns: Mapping[str, ibis.Value]) -> ibis.Table:
    """Rows as events: columns that are not among those given are empty, and each row counts once."""
    columns = {"count": ibis.literal(1.0), **columns}
    return rows.select(**{name: columns.get(name, ibis.null(kind)).cast(kind) for name, kind in EVENT.items()})


def no_events(backend: ibis.BaseBackend) -> ibis.Table:
    """A table of events that is empty."""
    return backend.create_table(ibis.util.gen_name("events"), schema=ibis.schema(EVENT))


def account_of(judged: JudgedTable, changed: Mapping[str, int] | None = None) -> pd.DataFrame:
    """The account of a table."""
    changed = dict(changed or {})
    if "referred_key" in judged.table.columns:
        lost = judged.used.filter(_.referred.isnull(), _.referred_key.notnull())
        changed = {reasons.REFERRED: int(lost.count().execute()), **changed}
    return tally.account(judged.counts, judged.opened.where, changed)


def dropped_of(backend: ibis.BaseBackend, judged: JudgedTable) -> ibis.Table:
    """The rows of a table that do not count."""
    return tally.dropped(backend, judged.table, judged.marks, judged.raw, judged.opened.where)


def copies_warning(judged: JudgedTable) -> tuple[str, ...]:
    """A table that was loaded twice doubles what it tells."""
    if not judged.opened.role.is_event:
        return ()
    meanings = [meaning for meaning in judged.opened.names if meaning in judged.table.columns]
    copies = judging.count_copies(judged.used, meanings)
    if not copies:
        return ()
    rows, are = words.counted(copies, "row equals", "rows equal"), words.agreeing(copies, "is", "are")
    text = f"{judged.opened.where}: {rows} an earlier row in every mapped column and {are} kept"
    return (f"{text}; {judging.where_copies(copies)}",)


def unused_warning(judged: JudgedTable) -> tuple[str, ...]:
    """A table of which no row counts is likely not what it was said to be."""
    counts = judged.counts
    if counts[""]:
        return ()
    why = "; ".join(f"{rows:,} {reason}" for reason, rows in counts.items() if rows and reason)
    return (f"{judged.opened.where}: no row of {int(counts.sum()):,} is used ({why})",)
