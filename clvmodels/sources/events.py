"""The one reader of tables that are not orders: rows judged by their role, and events of customers in one shape.

Every row is used, or it is orphaned (it meets no customer), or it is dropped, each with its reason. What is wrong with
a table ends in one error that names file, row and column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.errors import DataError, Problem, attempt
from clvmodels.sources import cleaning, reasons, tally
from clvmodels.sources.cleaning import MONEY, NUMBERS, amount_number, covariate_number, id_text, is_empty
from clvmodels.sources.currencies import Rates, with_rate
from clvmodels.sources.reading import Raw
from clvmodels.sources.reasons import Policies
from clvmodels.sources.roles import AS_ORDER, ROLES, SCALES, Role, Told

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
ARMS = ("treatment", "control")

Owners = Callable[[Told, ibis.Table], ibis.Table]
"""Adds to the rows of a table `owner` and `unowned`; `whom` to those of referrals (the referred customer); and
`order_rate` where they are reached by their orders."""


class Judged(NamedTuple):
    """A table whose rows are judged: `table` holds row, reason, text, and a column a meaning."""

    told: Told
    raw: Raw
    table: ibis.Table
    counts: pd.Series
    marks: ibis.Table | None = None

    @property
    def used(self) -> ibis.Table:
        rows = self.table.filter(_.reason.isnull())
        return rows if self.marks is None else rows.anti_join(self.marks, "row")


def judge(
    backend: ibis.BaseBackend,
    told: Told,
    timezone: str,
    data_end: pd.Timestamp | None,
    policies: Policies,
    rates: Rates | None,
    owners: Owners | None = None,
) -> Judged:
    """Judge the rows of a table by its role. Without rates amounts stay as they are.

    Raises
    ------
    DataError
        With everything that the policies refuse, currencies without a rate, and amounts of the wrong sign.
    """
    raw, day, problems = told.raw, None, list[Problem]()
    if "date" in told.names:
        day = cleaning.calendar_day(raw.table[told.column("date")], told.table.date_format, timezone)
    if rates is not None:
        raw = attempt(problems, lambda: rated(told, day, rates)) or raw
    if owners is not None and told.role.reached_by:
        raw = raw._replace(table=owners(told, raw.table))
    rows = _judged(told, raw.table, timezone, data_end, policies)
    judged = tally.in_engine(told.where, lambda: tally.stored(backend, "judged", rows))
    counts = tally.count(judged, raw)
    problems += tally.refusals(
        judged, raw, counts, told.where, told.names, policies, told.table.date_format, _kind_hint(told)
    )
    problems += _sign_problems(told, judged)
    if problems:
        raise DataError(problems)
    marks = None
    if policies.duplicates == "drop":
        keys = tuple(m for m in told.names if m in judged.columns)
        marks = cleaning.duplicate_rows(judged.filter(_.reason.isnull()), keys)
        marks = tally.stored(backend, "marks", marks)
        counts = tally.marks_counted(counts, marks)
    return Judged(told, raw, judged, counts, marks)


def rated(told: Told, day: ibis.Value | None, rates: Rates) -> Raw:
    """The rows and, where their currency is told, the `rate` to the result's."""
    raw, column = told.raw, told.column("currency") if "currency" in told.names else ""
    if "amount" not in told.role.meanings:
        return raw
    if not column and told.table.currency not in (None, AS_ORDER):
        column = "in_currency"
        raw = raw._replace(table=raw.table.mutate(in_currency=ibis.literal(told.table.currency)))
    return tally.in_engine(told.where, lambda: with_rate(raw, column, day, told.where, rates)) if column else raw


def _judged(
    told: Told, table: ibis.Table, timezone: str, data_end: pd.Timestamp | None, policies: Policies
) -> ibis.Table:
    role = told.role
    columns = {meaning: table[f"c{i}"] for i, meaning in enumerate(told.names)}
    source = {meaning: column for meaning, column in columns.items() if meaning not in told.kept}
    meaning = {name: _value(name, column, table, told, timezone) for name, column in source.items()}
    meaning |= {name: id_text(columns[name]) for name in told.table.groups}
    meaning |= {name: covariate_number(columns[name]) for name in told.table.covariates}
    if "kind" in role.meanings:
        meaning["kind"] = _kind(role, source.get("kind"), told)
    if "owner" in table.columns:
        meaning["customer_id"] = table.owner
    if "whom" in table.columns:
        meaning |= {"referred": table.whom, "referred_key": id_text(source["referred"])}
    cases = [*_owner_cases(told, table, source, first=True), *_own_cases(role, table, source, meaning)]
    if data_end is not None and "date" in source:
        cases.append(((meaning["date"] > ibis.date(data_end.date())).fill_null(False), reasons.AFTER_END))
    cases += _owner_cases(told, table, source, first=False)
    if "amount" in source and role.is_event and policies.refunds in ("drop", "refuse", "returns"):
        cases.append((meaning["amount"] < 0, reasons.NEGATIVE))
    reason = ibis.cases(*cases) if cases else ibis.null("string")
    text = reason.notnull().ifelse(cleaning.as_text(columns, told.names), ibis.null("string"))
    moment = {"moment": source["date"]} if "date" in source else {}
    rate = {"order_rate": table.order_rate} if "order_rate" in table.columns else {}
    return table.select("row", reason=reason, text=text, **moment, **rate, **meaning)


def _value(name: str, column: ibis.Value, table: ibis.Table, told: Told, timezone: str) -> ibis.Value:
    """A column as what it means."""
    if name in cleaning.DAYS:
        return cleaning.calendar_day(column, told.table.date_format, timezone)
    if name in MONEY:
        sign = -1.0 if told.table.sign == "negative" else 1.0
        money = amount_number(column) * sign
        if told.table.currency == AS_ORDER and "order_rate" in table.columns:
            return money * table.order_rate
        return money * table.rate if "rate" in table.columns else money
    if name in NUMBERS:
        return amount_number(column)
    if name == "responded":
        return yes_or_no(column)
    return id_text(column).lower() if name == "arm" else id_text(column)


def yes_or_no(column: ibis.Value) -> ibis.Value:
    """1 and 0, from truth values, numbers, or the words true, false, yes, no; null for anything else."""
    if not column.type().is_string():
        number = covariate_number(column)
    else:
        word = column.strip().lower()
        number = word.cases(
            ("true", 1.0), ("yes", 1.0), ("1", 1.0), ("false", 0.0), ("no", 0.0), ("0", 0.0), else_=None
        )
    return number.isin([0.0, 1.0]).ifelse(number.cast("float64"), ibis.null("float64"))


def _kind(role: Role, column: ibis.Value | None, told: Told) -> ibis.Value:
    """The kind of each row: the table's own word by its mapping, known kinds whatever their capitals."""
    default = ibis.literal(role.kind) if role.kind else ibis.null("string")
    if column is None:
        return default
    word = id_text(column)
    known = {kind: kind for kind in role.kinds}
    mapped = [(word == own, kind) for own, kind in told.table.kinds.items()]
    mapped += [(word.lower() == kind, kind) for kind in known]
    return ibis.coalesce(ibis.cases(*mapped, else_=word) if mapped else word, default)


def _owner_cases(
    told: Told, table: ibis.Table, source: dict[str, ibis.Value], first: bool
) -> list[tuple[ibis.Value, str]]:
    """Why a row has no customer: first because nothing is written there, later because of what other tables hold."""
    by = next((m for m in told.role.reached_by if m in source), None)
    if first:
        names = {"key": reasons.NO_ID, "order_id": reasons.NO_ORDER}
        own = [(id_text(source[by]).isnull(), names[by])] if by else []
        if told.table.role == "order_lines" and "key" in source:
            own.append((id_text(source["key"]).isnull(), reasons.NO_ID))
        return own
    if "unowned" not in table.columns:
        return []
    known = (
        reasons.NO_ID,
        reasons.ORPHAN,
        reasons.SEVERAL,
        reasons.UNKNOWN_ORDER,
        reasons.UNUSED_ORDER,
        reasons.ORDER_OF_SEVERAL,
        reasons.ORDER_AT_RATES,
    )
    return [(table.unowned == reason, reason) for reason in known]


def _own_cases(
    role: Role, table: ibis.Table, source: dict[str, ibis.Value], meaning: dict[str, ibis.Value]
) -> list[tuple[ibis.Value, str]]:
    """What can be wrong with a row by itself."""
    names = [m for m in ("system", "key", "customer_id", "channel", "currency") if m in role.required]
    cases = [(id_text(source[m]).isnull(), reasons.NO_NAME) for m in names]
    if "date" in source:
        cases += [(is_empty(source["date"]), reasons.NO_DATE)] if "date" in role.required else []
        cases.append((~is_empty(source["date"]) & meaning["date"].isnull(), reasons.BAD_DATE))
    if "kind" in role.meanings:
        cases.append((meaning["kind"].isnull(), reasons.NO_KIND))
        cases += [] if role.open else [(meaning["kind"].notin(role.kinds), reasons.BAD_KIND)]
    cases += cleaning.money_cases(source, "amount" in role.required or role is ROLES["order_lines"])
    if "rate" in table.columns and "date" in source:  # rates of days; a day that cannot be read is told before
        paid = ibis.or_(*(~is_empty(source[m]) for m in MONEY if m in source))
        cases.append((paid & meaning["date"].isnull() & table.rate.isnull(), reasons.NO_RATE))
    if "rate" in role.required:
        cases.append((meaning["rate"].isnull(), reasons.BAD_NUMBER))
    if "responded" in source:
        cases.append((~is_empty(source["responded"]) & meaning["responded"].isnull(), reasons.BAD_NUMBER))
    cases += [(meaning[m] < 0, reasons.BELOW_ZERO) for m in ("count", "minutes") if m in source]
    if "score" in source:
        cases += [
            ((meaning["kind"] == kind) & ~meaning["score"].between(low, high), reasons.OUT_OF_SCALE)
            for kind, (low, high) in SCALES.items()
        ]
    if "arm" in source:
        cases.append((meaning["arm"].notin(ARMS), reasons.BAD_ARM))
    return cases


def _kind_hint(told: Told) -> dict[str, str]:
    if not told.role.kinds:
        return {}
    known = f"Known: {', '.join(told.role.kinds)}; kinds: {{own word: kind}} maps the table's own words. "
    return {reasons.BAD_KIND: known}


def _sign_problems(told: Told, judged: ibis.Table) -> list[Problem]:
    """Money of which no row is positive was written the other way round."""
    if "amount" not in told.names or not told.role.is_event:
        return []
    rows = judged.filter(_.reason.isnull() | (_.reason == reasons.NEGATIVE))
    found = rows.aggregate(less=(_.amount < 0).sum().fill_null(0), more=(_.amount > 0).sum().fill_null(0)).execute()
    less, more = (int(n) for n in found.iloc[0])
    if not less or more:
        return []
    written = "negative" if told.table.sign == "positive" else "positive"
    known = f"State sign: {written}" if written == "negative" else "Leave sign: negative out"
    return [Problem(f"all {less:,} amounts of column '{told.names['amount']}' are {written}", told.where, known=known)]


def events_of(backend: ibis.BaseBackend, judged: Judged) -> ibis.Table:
    """The used rows of a table as events."""
    role, told = judged.told.role, judged.told
    rows = tally.with_lines(backend, judged.raw, judged.used)
    to = {role.to.get(m, m): m for m in told.names if m in rows.columns}
    found = {name: rows[to[name]].cast(kind) for name, kind in EVENT.items() if name in to}
    found |= {"source": ibis.literal(told.name), "role": ibis.literal(told.table.role), "line": rows.line}
    found |= {"customer_id": rows.customer_id, "kind": rows.kind if "kind" in rows.columns else ibis.literal(role.kind)}
    if "count" in to:
        found["count"] = rows[to["count"]].fill_null(1.0)
    return in_shape(rows, found)


def in_shape(rows: ibis.Table, found: dict[str, ibis.Value]) -> ibis.Table:
    """Rows as events: columns that are not found are empty, and each row counts once."""
    found = {"count": ibis.literal(1.0), **found}
    return rows.select(**{name: found.get(name, ibis.null(kind)).cast(kind) for name, kind in EVENT.items()})


def no_events(backend: ibis.BaseBackend) -> ibis.Table:
    """A table of events that is empty."""
    return backend.create_table(ibis.util.gen_name("events"), schema=ibis.schema(EVENT))


def account_of(judged: Judged, changed: Mapping[str, int] | None = None) -> pd.DataFrame:
    """The account of a table."""
    if "referred_key" in judged.table.columns:
        lost = judged.used.filter(_.referred.isnull(), _.referred_key.notnull())
        changed = {reasons.REFERRED: int(lost.count().execute()), **(changed or {})}
    return tally.account(judged.counts, judged.told.where, changed)


def dropped_of(backend: ibis.BaseBackend, judged: Judged) -> ibis.Table:
    """The rows of a table that do not count."""
    return tally.dropped(backend, judged.table, judged.marks, judged.raw, judged.told.where)


def copies_warning(judged: Judged) -> tuple[str, ...]:
    """A table that was loaded twice doubles what it tells."""
    if not judged.told.role.is_event:
        return ()
    names = [name for name in judged.told.names if name in judged.table.columns]
    each = judged.used.group_by(["moment" if name == "date" else name for name in names]).agg(n_=_.count())
    copies = int(each.aggregate(copies=(each.n_ - 1).sum()).execute().iloc[0, 0] or 0)
    if not copies:
        return ()
    text = f"{judged.told.where}: {copies:,} rows equal an earlier row in every mapped column and are kept"
    return (f"{text}; if they are copies, the policy duplicates: drop leaves them out",)


def unused_warning(judged: Judged) -> tuple[str, ...]:
    """A table of which no row counts is likely not what it was said to be."""
    if judged.counts[""]:
        return ()
    why = "; ".join(f"{n:,} {reason}" for reason, n in judged.counts.items() if n and reason)
    return (f"{judged.told.where}: no row of {int(np.sum(judged.counts)):,} is used ({why})",)
