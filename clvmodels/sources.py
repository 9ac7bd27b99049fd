"""Tables to clean transactions: columns mapped, ids resolved, every row dropped or changed counted with its reason."""

from __future__ import annotations

import html
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels import cleaning
from clvmodels.cleaning import Policies
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.reading import ENCODINGS, Raw, Source, connect, open_source
from clvmodels.window import as_day

__all__ = ["Policies", "Transactions", "read_transactions"]

REQUIRED, OPTIONAL = ("customer_id", "date"), ("amount", "order_id")
END = "ended"  # is read only where a column is named for it
_STATISTICS = (
    "frequency", "recency", "T", "monetary_value", "amount_count", "amount_sum", "amount_log_sum", "amount_log_ss",
    "sum_log_gaps", "status", "first_purchase", "first_month",
)  # fmt: skip
_RESERVED = {"row", "reason", "text", "moment", *_STATISTICS, *REQUIRED, *OPTIONAL, END}
DEFAULT_POLICIES = Policies()
_LISTED = 6  # places named in an error


@dataclass(frozen=True)
class Transactions:
    """Clean transactions, one row an order line that counts, and the account of how they came about.

    Parameters
    ----------
    table
        In the embedded engine: customer_id (text), date (local calendar day), amount (float64, in the currency;
        absent without amounts), ended (day; absent where no column tells the end), the group columns (text) and the
        covariates (float64; a column that is both is a number).
    account
        step, reason, where, rows, kind: "read" - the sum of "dropped" = "used"; "changed" rows are among the used.
    dropped
        In the embedded engine: where, line, reason, text (the row as it stood). `line` counts lines of a CSV file,
        its header included; rows from 1 of other tables, and of a CSV file with line breaks inside quotes.
    warnings
        What a reader should know although nothing was refused.
    data_start, data_end
        First and last day that the table covers; both belong to it.
    sha256
        Of the bytes of the file, or of the content of a DataFrame.
    """

    table: ibis.Table = field(repr=False)
    account: pd.DataFrame = field(repr=False)
    dropped: ibis.Table = field(repr=False)
    warnings: tuple[str, ...]
    has_amount: bool
    currency: str | None
    groups: tuple[str, ...]
    covariates: tuple[str, ...]
    source: str
    sha256: str
    data_start: pd.Timestamp
    data_end: pd.Timestamp
    backend: ibis.BaseBackend = field(repr=False, compare=False)

    def __len__(self) -> int:
        return int(self.account.loc[self.account["kind"] == "used", "rows"].sum())

    def _repr_html_(self) -> str:
        head = f"{len(self):,} transactions from {self.source}, {self.data_start:%Y-%m-%d} to {self.data_end:%Y-%m-%d}"
        notes = "".join(f"<li>{html.escape(w)}</li>" for w in self.warnings)
        account = self.account.to_html(index=False, escape=True, border=0)
        return f"<p><b>{html.escape(head)}</b></p>{account}" + (f"<ul>{notes}</ul>" if notes else "")


def read_transactions(
    source: str | Path | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    timezone: str = "UTC",
    currency: str | None = None,
    groups: Sequence[str] = (),
    covariates: Sequence[str] = (),
    policies: Policies = DEFAULT_POLICIES,
    data_end: str | pd.Timestamp | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    name: str = "",
    table: str | None = None,
) -> Transactions:
    """Read a table of transactions and clean it; nothing is dropped or changed without being counted.

    Parameters
    ----------
    source
        A CSV file (plain, .gz or .zst), Parquet, Excel (.xlsx), SQLite or DuckDB file, the URL of a database, or a
        DataFrame.
    columns
        From customer_id, date, amount, order_id to the table's own names; names not given stand for themselves.
        amount and order_id may be absent. `ended`, where it is given, is the day on which the customer's contract or
        life ended, empty where it has not; of several in a customer's rows the last counts.
    date_format
        As in `strptime`, e.g. "%d/%m/%Y %H:%M". Without one, text must be ISO 8601 (YYYY-MM-DD): day and month are
        never guessed.
    timezone
        Instants (times with a zone or offset) are turned into calendar days of this zone; naive times are local.
    currency
        Of the amounts, e.g. "EUR".
    groups
        Columns to keep for grouping customers, by the table's own names.
    covariates
        Columns of numbers, true or false to keep, by the table's own names; gaps stay gaps.
    policies
        What is done with rows that are not plain orders.
    data_end
        The last day that the table covers, where that is not the day of its last order. Later orders are dropped.
    delimiter, encoding
        Of a CSV file. By default the delimiter is the one of , ; tab | that splits the header into most names.
    name
        What the table is called in messages; by default the file's name.
    table
        The table of a database or the sheet of a workbook, where there are several.

    Notes
    -----
    Ids become trimmed text once: whole numbers and their texts are one customer (17 and "17"), whole floats lose
    their point (17.0 is "17", since pandas makes floats of whole numbers that have gaps), texts stay what they are
    ("17", "17.0" and "017" are three customers). Money is kept as it stands; orders of a day are merged later.

    Raises
    ------
    DataError
        With every problem found: of the arguments and columns first, then of the rows, with their lines.
    """
    problems = _argument_problems(policies, timezone, (*groups, *covariates), encoding, date_format)
    end = None if data_end is None else as_day(data_end, "data_end", problems)
    # An unknown encoding is among the problems already; any will do to look at the columns too.
    readable = encoding if encoding in ENCODINGS else "latin-1"
    try:
        opened = open_source(source, name=name, delimiter=delimiter, encoding=readable, table=table)
    except DataError as error:
        raise DataError([*problems, *error.problems]) from error
    names, more = _map_columns(opened, columns or {}, (*groups, *covariates))
    if problems + more:
        raise DataError(problems + more)
    backend = connect()
    raw = _scan(backend, opened, list(names.values()))
    cleaning.check_types(raw, names, opened.where, date_format)
    cleaning.check_covariates(raw, names, covariates, opened.where)
    judged = _judge(backend, raw, opened.where, names, date_format, timezone, end, policies, covariates)
    counts = _count(judged, raw)
    _refuse(judged, raw, counts, opened.where, policies, date_format)
    kept_rows, late = _compare_rows(backend, judged, tuple(names), policies)
    account = _account(counts, late, kept_rows, opened.where)
    dropped = _dropped(backend, judged, late, raw, opened.where)
    kept = dict.fromkeys((*(key for key in ("amount", END) if key in names), *groups, *covariates))
    start, last = kept_rows.aggregate(start=_.date.min(), end=_.date.max()).execute().iloc[0]
    return Transactions(
        table=kept_rows.select("customer_id", "date", *kept),
        account=account, dropped=dropped, warnings=_warnings(kept_rows, tuple(names), policies),
        has_amount="amount" in names, currency=currency, groups=tuple(groups),
        covariates=tuple(covariates), source=opened.where,
        sha256=raw.sha256, data_start=pd.Timestamp(start), data_end=end or pd.Timestamp(last), backend=backend,
    )  # fmt: skip


def _argument_problems(
    policies: Policies, timezone: str, groups: Sequence[str], encoding: str, date_format: str | None
) -> list[Problem]:
    problems = policies.problems()
    if timezone not in zoneinfo.available_timezones():
        problems.append(unknown("time zone", timezone, ["UTC", "Europe/London", "America/New_York", "Asia/Tokyo"]))
    if encoding not in ENCODINGS:
        problems.append(unknown("encoding", encoding, ENCODINGS))
    for group in groups:
        if group in _RESERVED:
            what = f"a group column cannot be called '{group}', nor a covariate"
            problems.append(Problem(what, "groups", known="Rename the column"))
    if date_format is not None:
        try:
            duckdb.sql("SELECT try_strptime('', $format)", params={"format": date_format})
        except duckdb.Error as error:
            problems.append(Problem("is no date format", "date_format", repr(date_format), str(error).splitlines()[0]))
    return problems


def _map_columns(
    opened: Source, columns: Mapping[str, str], groups: Sequence[str]
) -> tuple[dict[str, str], list[Problem]]:
    """Meaning -> the table's own name, for every column that is used; and what is wrong with the mapping."""
    known = (*REQUIRED, *OPTIONAL, END)
    problems = [unknown("column meaning", key, known, opened.where) for key in columns if key not in known]
    found = {*columns, *REQUIRED, *(key for key in OPTIONAL if key in opened.columns)}
    wanted = {key: columns.get(key, key) for key in known if key in found}
    wanted |= {group: group for group in groups if group not in _RESERVED}
    for key, own in wanted.items():
        if opened.columns.count(own) == 0:
            problem = unknown("column", own, opened.columns, opened.where)
            advice = (
                f"; say which column it is: columns={{'{key}': ...}}" if key in known and key not in columns else ""
            )
            problems.append(Problem(problem.what + advice, problem.where))
        if opened.columns.count(own) > 1:
            problems.append(Problem(f"{opened.columns.count(own)} columns are called '{own}'", opened.where))
    return wanted, problems


def _scan(backend: ibis.BaseBackend, opened: Source, wanted: Sequence[str]) -> Raw:
    try:
        return opened.scan(backend, wanted)
    except duckdb.Error as error:
        raise DataError(Problem("cannot be read", opened.where, str(error).splitlines()[0])) from error


def _judge(
    backend: ibis.BaseBackend, raw: Raw, where: str, names: Mapping[str, str], date_format: str | None, timezone: str,
    data_end: pd.Timestamp | None, policies: Policies, covariates: Sequence[str],
) -> ibis.Table:  # fmt: skip
    try:
        expression = cleaning.judge_rows(raw, names, date_format, timezone, data_end, policies, covariates)
        return backend.create_table("judged", expression)
    except duckdb.Error as error:
        raise DataError(Problem("cannot be read", where, str(error).splitlines()[0])) from error


def _count(judged: ibis.Table, raw: Raw) -> pd.Series:
    """Rows by reason ("" for those without one), in the order in which reasons are looked for."""
    counts = judged.group_by("reason").agg(rows=_.count()).execute()
    rows = counts.set_index(counts["reason"].fillna(""))["rows"]
    rows[cleaning.UNREADABLE] = len(raw.rejects)
    return rows.reindex(["", *cleaning.REASONS], fill_value=0).astype("int64")


def _refuse(
    judged: ibis.Table, raw: Raw, counts: pd.Series, where: str, policies: Policies, date_format: str | None
) -> None:
    """Raise everything that the policies refuse, each with its first places; and a table without rows."""
    total = int(counts.sum())
    if total == 0:
        raise DataError(Problem("the table has a header and no rows", where))
    problems = []
    for reason, (policy, verb) in cleaning.REFUSABLE.items():
        if counts[reason] and getattr(policies, policy) == "refuse":
            hint = f"The policy {policy}: drop leaves such rows out and counts them"
            if reason == cleaning.BAD_DATE and date_format:
                hint = f"They do not follow date_format {date_format!r}. {hint}"
            else:
                hint = cleaning.HINTS.get(reason, "") + hint
            problems.append(_refusal(judged, raw, reason, f"{counts[reason]} of {total} rows {verb}", hint, where))
    if not problems and counts[""] == 0:
        why = "; ".join(f"{rows} {reason}" for reason, rows in counts.items() if rows)
        problems.append(Problem(f"no row is left of {total}", where, why))
    if problems:
        raise DataError(problems)


def _refusal(judged: ibis.Table, raw: Raw, reason: str, what: str, hint: str, where: str) -> Problem:
    if reason == cleaning.UNREADABLE:
        first = raw.rejects.head(_LISTED).assign(place=lambda r: r["line"])
        got = f"{first['reason'].iloc[0]}: {_short(first['text'].iloc[0])}"
        place = "line"
    else:
        first = judged.filter(_.reason == reason).order_by("row").limit(_LISTED).select("row", "text").execute()
        first["place"] = raw.line_of(first["row"].to_numpy())
        got, place = _short(first["text"].iloc[0]), raw.place
    places = first["place"].tolist()
    rest = f" (then {', '.join(map(str, places[1:]))}{', ...' if len(places) == _LISTED else ''})" if places[1:] else ""
    return Problem(f"{what}, first at {place} {places[0]}{rest}", where, got, hint)


def _short(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[:limit] + f"... ({len(text)} characters)"


def _compare_rows(
    backend: ibis.BaseBackend, judged: ibis.Table, names: tuple[str, ...], policies: Policies
) -> tuple[ibis.Table, ibis.Table | None]:
    """Drop rows for what other rows are: the table that is left, and the marks (row, reason, text) of those dropped."""
    table, marks = judged.filter(_.reason.isnull()), []
    steps = []
    if policies.duplicates == "drop":
        steps.append(("duplicates", cleaning.duplicate_rows))
    if policies.refunds == "net" and "amount" in names:
        steps.append(("unnettable", cleaning.unnettable_rows))
    for step, find in steps:
        marks.append(backend.create_table(step, find(table, names)))
        table = table.anti_join(marks[-1], "row")
    if not marks:
        return table, None
    return backend.create_table("used", table), ibis.union(*marks) if marks[1:] else marks[0]


def _account(counts: pd.Series, late: ibis.Table | None, table: ibis.Table, where: str) -> pd.DataFrame:
    """Rows read, dropped by reason, changed, used. A reason that no row had is left out."""
    dropped = counts.drop("")
    used = counts[""]
    if late is not None:
        more = late.group_by("reason").agg(rows=_.count()).execute().set_index("reason")["rows"]
        dropped = dropped.add(more, fill_value=0).reindex(cleaning.REASONS).astype("int64")
        used -= more.sum()
    netted = table.filter(_.amount < 0).count().execute() if "amount" in table.columns else 0
    rows = [("rows read", counts.sum(), "read")]
    rows += [(reason, n, "dropped") for reason, n in dropped.items() if n]
    rows += [(cleaning.NETTED, netted, "changed")] if netted else []
    rows += [("rows used", used, "used")]
    if used == 0:
        why = "; ".join(f"{n} {reason}" for reason, n in dropped.items() if n)
        raise DataError(Problem(f"no row is left of {counts.sum()}", where, why))
    account = pd.DataFrame(rows, columns=["reason", "rows", "kind"])
    account.insert(0, "step", np.arange(len(account)))
    account.insert(2, "where", where)
    return account.astype({"rows": "int64"})


def _dropped(
    backend: ibis.BaseBackend, judged: ibis.Table, late: ibis.Table | None, raw: Raw, where: str
) -> ibis.Table:
    rows = judged.filter(_.reason.notnull()).select("row", "reason", "text")
    rows = rows.union(late.select("row", "reason", "text")) if late is not None else rows
    if len(raw.rejects) == 0:
        offset = int(raw.line_of(np.array([0]))[0])
        return rows.order_by("row").select(where=ibis.literal(where), line=_.row + offset, reason=_.reason, text=_.text)
    # Lines are shifted by the records that could not be split: few rows, so they are numbered in memory.
    frame = rows.execute()
    frame["line"] = raw.line_of(frame["row"].to_numpy(dtype="int64"))
    rejects = raw.rejects.assign(text=raw.rejects["reason"] + ": " + raw.rejects["text"], reason=cleaning.UNREADABLE)
    frame = pd.concat([frame, rejects])[["line", "reason", "text"]].astype({"line": "int64"})
    frame = frame.sort_values("line", ignore_index=True)
    frame.insert(0, "where", where)
    return backend.create_table("dropped", frame)


def _warnings(table: ibis.Table, names: tuple[str, ...], policies: Policies) -> tuple[str, ...]:
    ends = _several_ends(table) if END in names else ()
    return (*ends, *(() if policies.duplicates == "drop" else _copies(table, names)))


def _several_ends(table: ibis.Table) -> tuple[str, ...]:
    several = table.group_by("customer_id").agg(n=_.ended.nunique()).filter(_.n > 1).count().execute()
    return (f"{several:,} customers have several end dates: the last counts",) if several else ()


def _copies(table: ibis.Table, names: tuple[str, ...]) -> tuple[str, ...]:
    keys = [n if n != "date" else "moment" for n in names]
    each = table.group_by(keys).agg(**{"of these": _.count()})  # a name that no column is likely to have
    copies = int(each.aggregate(copies=(each["of these"] - 1).sum()).execute().iloc[0, 0] or 0)
    if not copies:
        return ()
    text = f"{copies:,} rows equal an earlier row in every mapped column and are kept, as lines of one order may be"
    return (f"{text}; if they are copies, the policy duplicates: drop leaves them out",)
