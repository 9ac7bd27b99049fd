"""Tables to clean transactions: columns mapped, ids resolved, every row dropped or changed counted with its reason."""

from __future__ import annotations

import html
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import ibis
import pandas as pd
from ibis import _

from clvmodels.dates import as_day
from clvmodels.errors import DataError, Problem, attempt, unknown
from clvmodels.sources import cleaning, tally
from clvmodels.sources.currencies import Rates, only_currency, rows_by_currency, with_rate
from clvmodels.sources.reading import ENCODINGS, Raw, Source, connect, no_rows, open_source
from clvmodels.sources.reasons import DEFAULT_POLICIES, NETTED, RETURNED, Policies

__all__ = ["Policies", "Transactions", "read_transactions"]

REQUIRED, OPTIONAL = ("customer_id", "date"), ("amount", "order_id")
END = "ended"
NAMED = (END, "cost", "discount", "currency")  # are read only where a column is named for them
KEPT = ("amount", END, "order_id", "cost", "discount", "product_group")  # in the result, where they were read
_STATISTICS = (
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "amount_count",
    "amount_sum",
    "amount_log_sum",
    "amount_log_ss",
    "sum_log_gaps",
    "status",
    "first_purchase",
    "first_month",
)
RESERVED = {"row", "reason", "text", "moment", *_STATISTICS, *REQUIRED, *OPTIONAL, END}


@dataclass(frozen=True)
class Transactions:
    """Clean transactions, one row an order line that counts, and the account of how they came about.

    Parameters
    ----------
    table
        In the embedded engine: customer_id (text), date (local calendar day), amount (float64, in the currency;
        absent without amounts), ended (day; absent where no column tells the end), order_id (text), cost (of the goods)
        and discount (float64, in the currency) where they were read, the group columns (text) and the covariates
        (float64; a column that is both is a number).
    account
        step, reason, where, rows, kind: "read" = the sums of "dropped", "orphaned" (a key or order that no other table
        knows) and "used"; "changed" rows are among the used, and so are those taken as returns.
    dropped
        In the embedded engine: where, line, reason, text (the row as it stood). `line` counts lines of a CSV file,
        its header included; rows from 1 of other tables, and of a CSV file with line breaks inside quotes.
    warnings
        What a reader should know although nothing was refused.
    data_start, data_end
        First and last day that the table covers; both belong to it.
    sha256
        Of the bytes of the file, or of the content of a DataFrame.
    returns
        Negative orders under the policy `refunds: returns`, else None: line, customer_id, date, amount (what was sent
        back, positive), order_id where it was read.
    columns
        From what was read (customer_id, date, ...) to the table's own names.
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
    returns: ibis.Table | None = field(default=None, repr=False)
    columns: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return int(self.table.count().execute())

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
        amount and order_id may be absent. cost (of the goods), discount and currency are read only where they are
        given; a column of several currencies is refused, since rates are a table of their own (`consolidate`). `ended`,
        where it is given, is the day on which the customer's contract or life ended, empty where it has not; of several
        in a customer's rows the last counts.
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
    problems = argument_problems(policies, timezone, encoding, date_format)
    problems += name_problems((*groups, *covariates), columns or {})
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
    raw = scan(backend, opened, list(names.values()))
    cleaning.check_types(raw, names, opened.where, date_format, (*groups, *covariates))
    cleaning.check_covariates(raw, names, covariates, opened.where)
    ids = {m: own for m, own in names.items() if m in cleaning.IDS and m not in (*groups, *covariates)}
    problems = cleaning.id_problems(raw, names, ids, opened.where)
    rates = Rates(currency)
    if "currency" in (columns or {}):
        found = rows_by_currency(raw.table, raw.table[own_column(names, "currency")])
        rates = Rates(only_currency(list(found.index), currency))
    transactions = attempt(
        problems,
        lambda: clean(
            backend,
            raw,
            opened.where,
            names,
            rates,
            date_format=date_format,
            timezone=timezone,
            data_end=end,
            policies=policies,
            groups=groups,
            covariates=covariates,
        ),
    )
    if problems or transactions is None:
        raise DataError(problems)
    return transactions


def own_column(names: Mapping[str, str], meaning: str) -> str:
    """What the engine calls the column of a meaning."""
    return f"c{list(names).index(meaning)}"


def clean(
    backend: ibis.BaseBackend,
    raw: Raw,
    where: str,
    names: Mapping[str, str],
    rates: Rates,
    *,
    date_format: str | None,
    timezone: str,
    data_end: pd.Timestamp | None,
    policies: Policies,
    groups: Sequence[str],
    covariates: Sequence[str],
    converted: Collection[str] = (),
    needs_order: bool = False,
    borrowed: Collection[str] = (),
) -> Transactions:
    """Judge the rows of a table of orders and make transactions of those that count; the arguments are good.

    `names` maps each meaning to the table's own name, in the order of raw's columns. What another table knows of the
    rows, they carry: see `cleaning.judge_rows`; `borrowed` meanings are from there, and do not tell copies apart.
    """
    problems: list[Problem] = []
    if "currency" in names and "currency" not in (*groups, *covariates) and "rate" not in raw.table.columns:
        day = cleaning.calendar_day(raw.table[own_column(names, "date")], date_format, timezone)
        column = own_column(names, "currency")
        raw = (
            attempt(problems, lambda: tally.in_engine(where, lambda: with_rate(raw, column, day, where, rates))) or raw
        )
    rows = cleaning.judge_rows(
        raw, names, date_format, timezone, data_end, policies, groups, covariates, converted, needs_order
    )
    judged = tally.in_engine(where, lambda: tally.stored(backend, "judged", rows))
    counts = tally.count(judged, raw)
    problems += tally.refusals(judged, raw, counts, where, names, policies, date_format)
    if problems:
        raise DataError(problems)
    own_names = tuple(name for name in names if name not in borrowed)
    used, marks = _compare_rows(backend, judged, own_names, policies)
    counts = tally.marks_counted(counts, marks)
    orders, returns = _returns_apart(used, policies)
    returned = 0 if returns is None else int(returns.count().execute())
    if counts[""] == returned:
        raise DataError(tally.nothing_left(counts, where))
    netted = int(orders.filter(_.amount < 0).count().execute()) if "amount" in orders.columns else 0
    kept = dict.fromkeys((*(name for name in KEPT if name in names), *groups, *covariates))
    start, last = orders.aggregate(start=_.date.min(), end=_.date.max()).execute().iloc[0]
    if returns is not None:
        own = [name for name in ("order_id",) if name in names]
        returns = tally.with_lines(backend, raw, returns).select("line", "customer_id", "date", *own, amount=-_.amount)
    return Transactions(
        table=orders.select("customer_id", "date", *kept),
        account=tally.account(counts, where, {NETTED: netted}, {RETURNED: returned}),
        dropped=tally.dropped(backend, judged, marks, raw, where),
        warnings=_warnings(used, own_names, policies),
        has_amount="amount" in names,
        currency=rates.currency,
        groups=tuple(groups),
        covariates=tuple(covariates),
        source=where,
        sha256=raw.sha256,
        data_start=pd.Timestamp(start),
        data_end=data_end or pd.Timestamp(last),
        backend=backend,
        returns=returns,
        columns=dict(names),
    )


def argument_problems(policies: Policies, timezone: str, encoding: str, date_format: str | None) -> list[Problem]:
    """What is wrong with how a table is to be read, before it is looked at."""
    problems = policies.problems()
    if timezone not in zoneinfo.available_timezones():
        problems.append(unknown("time zone", timezone, ["UTC", "Europe/London", "America/New_York", "Asia/Tokyo"]))
    if encoding not in ENCODINGS:
        problems.append(unknown("encoding", encoding, ENCODINGS))
    if date_format is not None:
        try:
            duckdb.sql("SELECT try_strptime('', $format)", params={"format": date_format})
        except duckdb.Error as error:
            problems.append(Problem("is no date format", "date_format", repr(date_format), str(error).splitlines()[0]))
    return problems


def name_problems(groups: Sequence[str], columns: Collection[str]) -> list[Problem]:
    """Groups and covariates that are called as a column of ours is, or of `columns`."""
    return [
        Problem(f"a group column cannot be called '{g}', nor a covariate", "groups", known="Rename the column")
        for g in groups
        if g in RESERVED or g in columns
    ]


def _map_columns(
    opened: Source, columns: Mapping[str, str], groups: Sequence[str]
) -> tuple[dict[str, str], list[Problem]]:
    """Meaning -> the table's own name, for every column that is used; and what is wrong with the mapping."""
    known = (*REQUIRED, *OPTIONAL, *NAMED)
    problems = [unknown("column meaning", key, known, opened.where) for key in columns if key not in known]
    found = {*columns, *REQUIRED, *(key for key in OPTIONAL if key in opened.columns)}
    wanted = {key: columns.get(key, key) for key in known if key in found}
    wanted |= {group: group for group in groups if group not in RESERVED and group not in wanted}
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


def scan(backend: ibis.BaseBackend, opened: Source, wanted: Sequence[str]) -> Raw:
    """The rows of a table in the engine."""
    raw = tally.in_engine(opened.where, lambda: opened.scan(backend, wanted))
    if not len(raw.rejects) and not int(raw.table.count().execute()):
        raise DataError(no_rows(opened.where))
    return raw


def _compare_rows(
    backend: ibis.BaseBackend, judged: ibis.Table, names: tuple[str, ...], policies: Policies
) -> tuple[ibis.Table, ibis.Table | None]:
    """Drop rows for what other rows are: the table that is left, and the marks (row, reason, text) of those dropped."""
    table, marks = judged.filter(_.reason.isnull()), []
    steps = []
    if policies.duplicates == "drop":
        steps.append(cleaning.duplicate_rows)
    if policies.refunds == "net" and "amount" in names:
        steps.append(cleaning.unnettable_rows)
    for find in steps:
        marks.append(tally.stored(backend, "marks", find(table, names)))
        table = table.anti_join(marks[-1], "row")
    if not marks:
        return table, None
    return tally.stored(backend, "used", table), ibis.union(*marks) if marks[1:] else marks[0]


def _returns_apart(used: ibis.Table, policies: Policies) -> tuple[ibis.Table, ibis.Table | None]:
    """Orders, and negative orders where they are taken as returns."""
    if policies.refunds != "returns" or "amount" not in used.columns:
        return used, None
    return used.filter(_.amount >= 0), used.filter(_.amount < 0)


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
