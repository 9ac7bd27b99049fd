"""Tables to clean transactions: columns mapped, ids resolved, every row dropped or changed counted with its reason."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.dates import as_day
from clvmodels.errors import DataError, Problem, attempt, unknown
from clvmodels.sources import judging, tally
from clvmodels.sources.cleaning import calendar_day, has_offset, has_time_in_utc, union_of
from clvmodels.sources.columns import (
    RESERVED,
    cell_hints,
    count_problems,
    covariate_problems,
    engine_column,
    id_problems,
    thousands_problems,
    type_problems,
)
from clvmodels.sources.conventions import Conventions, argument_problems, readable
from clvmodels.sources.currencies import Rates, result_currency, rows_by_currency, with_rate
from clvmodels.sources.doubts import Doubt, doubts, refund_doubts
from clvmodels.sources.judging import OrderRows
from clvmodels.sources.opening import scan
from clvmodels.sources.reading import Layout, Source, connect, open_source
from clvmodels.sources.reasons import DEFAULT_POLICIES, MATCHED, NETTED, RETURNED, Policies
from clvmodels.sources.selection import (
    ColumnName,
    RowFilter,
    column_problems,
    filter_problems,
    own_names,
    with_filter,
    with_values,
)

__all__ = ["Policies", "Transactions", "read_transactions"]

REQUIRED, OPTIONAL = ("customer_id", "date"), ("amount", "order_id")
NAMED = ("ended", "cost", "discount", "currency")
"""Meanings that are read only where a column is named for them: a column that happens to be called so may mean
another thing."""
COLUMNS = ("amount", "ended", "order_id", "cost", "discount", "product_group")
"""Of the result, where they were read, beside customer_id and date."""


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
    doubts
        What is legal and likely means something else, by kind; the warnings tell them too.
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
    doubts: tuple[Doubt, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return int(self.table.count().execute())

    def _repr_html_(self) -> str:
        days = f"{self.data_start:%Y-%m-%d} to {self.data_end:%Y-%m-%d}"
        title = html.escape(f"{words.counted(len(self), 'transaction')} from {self.source}, {days}")
        account = self.account.to_html(index=False, escape=True, border=0)
        return f"<p><b>{title}</b></p>{account}{notes_html(self.warnings)}"


def notes_html(warnings: Sequence[str]) -> str:
    """Warnings as a list for notebooks; nothing where there are none."""
    items = "".join(f"<li>{html.escape(warning)}</li>" for warning in warnings)
    return f"<ul>{items}</ul>" if items else ""


def read_transactions(
    source: str | Path | pd.DataFrame,
    *,
    columns: Mapping[str, ColumnName] | None = None,
    date_format: str | None = None,
    timezone: str | None = None,
    currency: str | None = None,
    groups: Sequence[str] = (),
    covariates: Sequence[str] = (),
    policies: Policies = DEFAULT_POLICIES,
    data_end: str | pd.Timestamp | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    name: str = "",
    table: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    header: bool | int | Sequence[str] = True,
    escape: str | None = None,
    where: RowFilter | None = None,
) -> Transactions:
    """Read a table of transactions and clean it; nothing is dropped or changed without being counted.

    Parameters
    ----------
    source
        A CSV file (plain, .gz or .zst), Parquet, Excel (.xlsx), SQLite or DuckDB file, a folder of such files or a
        pattern of their names ("orders-*.csv"), the URL of a database, or a DataFrame.
    columns
        From customer_id, date, amount, order_id to the table's own names; names not given stand for themselves.
        `{"value": 9.99}` instead of a name is one value for all rows.
        amount and order_id may be absent. cost (of the goods), discount and currency are read only where they are
        given; a column of several currencies is refused, since rates are a table of their own (`consolidate`). `ended`,
        where it is given, is the day on which the customer's contract or life ended, empty where it has not; of several
        in a customer's rows the last counts.
    date_format
        As in `strptime`, e.g. "%d/%m/%Y %H:%M"; or, where dates are numbers, "excel" (days since 1899-12-30), "epoch",
        "epoch_ms", "epoch_us", "epoch_ns" (seconds, thousandths, ... since 1970) or "julian". Without one, text must be
        ISO 8601 (YYYY-MM-DD): day and month are never guessed.
    timezone
        Instants (times with a zone or offset) are turned into calendar days of this zone; naive times are local.
        Without one, text with an offset is of the day that it names, and other instants are of UTC's days.
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
    decimal, thousands
        How numbers are written in text: "1.250,00" with decimal ",". With a decimal comma a point, a blank or an
        apostrophe may stand between groups of three digits; with a point nothing, unless `thousands` says what.
    header
        The line of a CSV file, or row of a sheet, that holds the names of the columns, from 1; False where none does
        (columns are then called by their places: "1", "2"), or their names.
    escape
        What stands before a quote within quotes, such as a backslash; by default such a quote is written twice.
    where
        Rows that are kept, by what a column holds: {"status": ["paid", "delivered"]}, or {"status": {"not":
        ["cancelled"]}}; None stands for an empty cell. The others are counted in the account.

    Notes
    -----
    Ids become text once, blanks of every kind around them left out and accents composed: whole numbers and their texts
    are one customer (17 and "17"), whole floats lose their point (17.0 is "17", since pandas makes floats of whole
    numbers that have gaps), texts stay what they are: "17", "17.0" and "017" are three customers, and the warnings ask
    whether they are; the policy `ids` decides. Money is kept as it stands; orders of a day are merged later.

    Raises
    ------
    DataError
        With every problem found: of the arguments and columns first, then of the rows, with their lines.
    """
    layout = Layout.of(delimiter, encoding, escape, header, table, decimal)
    problems: list[Problem] = []
    end = None if data_end is None else as_day(data_end, "data_end", problems)
    conventions = Conventions(date_format, timezone, end, policies, decimal, thousands)
    problems += argument_problems(conventions, layout)
    wrong_columns = column_problems(columns or {}, "columns")
    stated_columns = {} if columns is None or wrong_columns else columns
    problems += [*wrong_columns, *_name_problems((*groups, *covariates), stated_columns)]
    try:
        opened = open_source(source, name=name, layout=readable(layout))
    except DataError as error:
        raise DataError([*problems, *error.problems]) from error
    problems += filter_problems(where or {}, opened.columns, opened.where)
    opened = with_values(opened, stated_columns)
    extra = {"groups": groups, "covariates": covariates}
    names, unmapped = _map_columns(opened, own_names(stated_columns), extra)
    _raise(problems + unmapped + _policies_of_no_amount(names, policies, opened.where))
    opened = with_filter(opened, where or {})
    return tally.in_engine(
        opened.where,
        lambda: _read(opened, names, conventions, groups, covariates, currency, "currency" in stated_columns),
    )


def _read(
    opened: Source,
    names: Mapping[str, str],
    conventions: Conventions,
    groups: Sequence[str],
    covariates: Sequence[str],
    currency: str | None,
    names_currency: bool,
) -> Transactions:
    """The transactions of a table whose columns are there."""
    backend = connect()
    raw = scan(backend, opened, list(names.values()))
    orders = OrderRows(raw, opened.where, names, conventions, groups, covariates)
    problems = type_problems(raw, names, opened.where, conventions.date_format, orders.extra)
    are_types_right = not problems
    problems += id_problems(raw, names, opened.where, orders.extra)
    problems += thousands_problems(raw, names, opened.where, conventions)
    problems += count_problems(raw, names, opened.where, conventions.date_format)
    if not are_types_right:  # such columns cannot be looked into further
        raise DataError(problems)
    # What is wrong with cells is told along with wrong rows, in one go.
    problems += covariate_problems(raw, names, covariates, opened.where, conventions)
    rates = Rates(currency)
    if names_currency:
        codes = rows_by_currency(raw.kept, raw.kept[engine_column(names, "currency")])
        rates = Rates(result_currency(list(codes.index), currency))
    transactions = attempt(problems, lambda: clean(backend, orders, rates))
    _raise(problems)
    if transactions is None:
        raise ValueError("no transactions and no problem")
    return transactions


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise DataError(problems)


def clean(backend: ibis.BaseBackend, orders: OrderRows, rates: Rates) -> Transactions:
    """Judge the rows of a table of orders and make transactions of those that count; the arguments are good.

    Raises
    ------
    DataError
        With all that the policies refuse; or if no row is left.
    """
    names, where, conventions = orders.names, orders.where, orders.conventions
    problems: list[Problem] = []
    orders = _rated(orders, rates, problems)
    raw = orders.raw
    judged = tally.in_engine(where, lambda: tally.stored(backend, "judged", judging.judge_orders(orders)))
    counts = tally.count(judged, raw)
    hints = cell_hints(judged, raw, counts, names)
    problems += tally.refusals(judged, raw, counts, where, names, conventions, hints)
    _raise(problems)
    own_meanings = tuple(name for name in names if name not in orders.borrowed)
    used, marks = _compare_rows(backend, judged, own_meanings, conventions.policies)
    counts = tally.with_marks(counts, marks)
    used_orders, returns = _returns_apart(used, conventions.policies)
    returned = 0 if returns is None else int(returns.count().execute())
    if counts[""] == returned:
        raise DataError(tally.nothing_left(counts, where, raw.notes))
    columns = dict.fromkeys((*(name for name in COLUMNS if name in names), *orders.extra))
    its_doubts = doubts(backend, used_orders, raw, where, conventions)
    if "amount" in own_meanings:
        its_doubts += refund_doubts(judged, marks, used_orders, conventions)
    last_days = used_orders.own_day if "own_day" in used_orders.columns else used_orders.date
    start, last = used_orders.aggregate(start=_.date.min(), end=last_days.max()).execute().iloc[0]
    matched = _count_matched(used_orders)
    return Transactions(
        table=used_orders.select("customer_id", "date", *columns),
        account=tally.account(
            counts, where, {NETTED: _count_negative(used_orders) - matched, MATCHED: matched}, {RETURNED: returned}
        ),
        dropped=tally.dropped(backend, judged, marks, raw, where),
        warnings=(
            *raw.notes,
            *map(str, its_doubts),
            *_warnings(used, own_meanings, conventions),
        ),
        has_amount="amount" in names,
        currency=rates.currency,
        groups=tuple(orders.groups),
        covariates=tuple(orders.covariates),
        source=where,
        sha256=raw.sha256,
        data_start=pd.Timestamp(start),
        data_end=conventions.data_end or pd.Timestamp(last),
        backend=backend,
        returns=None if returns is None else _as_returns(backend, orders, returns),
        columns=dict(names),
        doubts=its_doubts,
    )


def _rated(orders: OrderRows, rates: Rates, problems: list[Problem]) -> OrderRows:
    """The rows with their rates, where a column of currencies is named and they have none yet."""
    has_currency = "currency" in orders.names and "currency" not in orders.extra
    if not has_currency or "rate" in orders.raw.table.columns:
        return orders
    column = engine_column(orders.names, "currency")
    raw = attempt(
        problems,
        lambda: tally.in_engine(orders.where, lambda: with_rate(orders.raw, column, orders.day(), orders.where, rates)),
    )
    return orders if raw is None else orders._replace(raw=raw)


def _count_negative(orders: ibis.Table) -> int:
    """Refunds that are left among the orders: those that are netted."""
    if "amount" not in orders.columns:
        return 0
    return int(orders.filter(_.amount < 0).count().execute())


def _count_matched(orders: ibis.Table) -> int:
    """Refunds that met their order by its number, on another day."""
    if "own_day" not in orders.columns:
        return 0
    return int(orders.filter(_.date != _.own_day).count().execute())


def _as_returns(backend: ibis.BaseBackend, orders: OrderRows, returns: ibis.Table) -> ibis.Table:
    """Negative orders as what was sent back: line, customer_id, date, amount (positive), order_id where it was read."""
    order_id = ["order_id"] if "order_id" in orders.names else []
    rows = tally.with_lines(backend, orders.raw, returns)
    return rows.select("line", "customer_id", "date", *order_id, amount=-_.amount)


def _name_problems(extra: Sequence[str], columns: Collection[str]) -> list[Problem]:
    """Groups and covariates that are called as a column of ours is, or as a meaning in `columns`."""
    return [
        Problem(f"a group column cannot be called '{name}', nor a covariate", "groups", known="Rename the column")
        for name in extra
        if name in RESERVED or name in columns
    ]


def _policies_of_no_amount(names: Mapping[str, str], policies: Policies, where: str) -> list[Problem]:
    """What is stated of amounts where none are read: refunds would count as purchases in silence."""
    stated = {"refunds": (policies.refunds, ("net", "returns")), "zero_amounts": (policies.zero_amounts, ("drop",))}
    wanting = [f"{name}: {value}" for name, (value, of_amounts) in stated.items() if value in of_amounts]
    if "amount" in names or not wanting:
        return []
    known = "Say which column it is: columns: {amount: ...}; or leave the policy out"
    return [
        Problem(f"the policy {' and '.join(wanting)} needs amounts, and no column is read as them", where, known=known)
    ]


def _map_columns(
    opened: Source, columns: Mapping[str, str], extra: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str], list[Problem]]:
    """Meaning -> the table's own name, for every column that is used; and what is wrong with the mapping. `extra` has
    columns that mean nothing to the reader, by the argument that names them."""
    paths: dict[str, tuple[str | int, ...]] = {meaning: ("columns", meaning) for meaning in columns}
    for argument, extra_names in extra.items():
        for place, name in enumerate(extra_names):
            paths.setdefault(name, (argument, place))
    meanings = (*REQUIRED, *OPTIONAL, *NAMED)
    problems = [unknown("column meaning", key, meanings, opened.where) for key in columns if key not in meanings]
    used = {*columns, *REQUIRED, *(meaning for meaning in OPTIONAL if meaning in opened.columns)}
    names = {meaning: columns.get(meaning, meaning) for meaning in meanings if meaning in used}
    all_extra = [name for extra_names in extra.values() for name in extra_names]
    names |= {name: name for name in all_extra if name not in RESERVED and name not in names}
    for meaning, name in names.items():
        count = opened.columns.count(name)
        if count == 0:
            problem = unknown("column", name, opened.columns, opened.where)
            is_assumed = meaning in meanings and meaning not in columns
            advice = f"; say which column it is: columns: {{{meaning}: ...}}" if is_assumed else ""
            path = paths.get(meaning, ("columns",))
            hint = _capitalised(opened.hint)
            problems.append(Problem(problem.what + advice, problem.where, known=hint, path=path))
        if count > 1:
            problems.append(Problem(f"{count} columns are called '{name}'", opened.where))
    return names, problems


def _compare_rows(
    backend: ibis.BaseBackend, judged: ibis.Table, meanings: tuple[str, ...], policies: Policies
) -> tuple[ibis.Table, ibis.Table | None]:
    """Drop rows for what other rows are: the table that is left, and the marks (row, reason, text) of those dropped."""
    table = judged.filter(_.reason.isnull())
    comparisons = []
    # Duplicates first: a refund entered twice would net twice.
    if policies.duplicates == "drop":
        comparisons.append(judging.duplicate_rows)
    nets = policies.refunds == "net" and "amount" in meanings
    if nets and "order_id" in meanings:
        table = tally.stored(backend, "at_orders", judging.at_their_orders(table))
    if nets:
        comparisons.append(judging.unnettable_rows)
    if not comparisons:
        return table, None
    marks = []
    for compare in comparisons:
        marks.append(tally.stored(backend, "marks", compare(table, meanings)))
        table = table.anti_join(marks[-1], "row")
    return tally.stored(backend, "used", table), union_of(marks)


def _returns_apart(used: ibis.Table, policies: Policies) -> tuple[ibis.Table, ibis.Table | None]:
    """Orders, and negative orders where they are taken as returns."""
    if policies.refunds != "returns" or "amount" not in used.columns:
        return used, None
    return used.filter(_.amount >= 0), used.filter(_.amount < 0)


def _warnings(used: ibis.Table, meanings: tuple[str, ...], conventions: Conventions) -> tuple[str, ...]:
    policies, warnings = (
        conventions.policies,
        [*_instant_warning(used, conventions), *_offset_warning(used, conventions)],
    )
    if "ended" in meanings:
        ends = used.group_by("customer_id").agg(n=_.ended.nunique())
        several = int(ends.filter(_.n > 1).count().execute())
        if several:
            customers = words.counted(several, "customer has", "customers have")
            warnings.append(f"{customers} several end dates: the last counts")
    copies = 0 if policies.duplicates == "drop" else judging.count_copies(used, meanings)
    if copies:
        rows, are = words.counted(copies, "row equals", "rows equal"), words.agreeing(copies, "is", "are")
        text = f"{rows} an earlier row in every mapped column and {are} kept, as lines of one order may be"
        warnings.append(f"{text}; {judging.where_copies(copies)}")
    return tuple(warnings)


def _instant_warning(used: ibis.Table, conventions: Conventions) -> list[str]:
    """Instants without clocks of their own are of UTC's days, until a time zone is stated."""
    if conventions.timezone is not None:
        return []
    instants = int(used.filter(has_time_in_utc(used.moment, conventions)).count().execute())
    if not instants:
        return []
    rows, are = words.counted(instants, "row"), words.agreeing(instants, "is an instant", "are instants")
    known = "State timezone, such as America/New_York, to count days by its clocks"
    return [f"{rows} {are}, and no timezone is stated: each is of UTC's day. {known}"]


def _offset_warning(used: ibis.Table, conventions: Conventions) -> list[str]:
    """Times by clocks of several offsets are days as they are written, until a time zone is stated."""
    if conventions.timezone is not None or not used.moment.type().is_string():
        return []
    rows = used.filter(has_offset(used.moment))
    in_utc = calendar_day(rows.moment, conventions._replace(timezone="UTC"))
    own_day = rows.own_day if "own_day" in rows.columns else rows.date
    is_other = in_utc != own_day
    counts = rows.aggregate(rows=_.count(), other=is_other.sum().fill_null(0), text=_.moment.min()).execute()
    count, other, text = int(counts["rows"].iloc[0]), int(counts["other"].iloc[0]), counts["text"].iloc[0]
    if not count:
        return []
    what = f"{words.counted(count, 'row has', 'rows have')} a time with an offset, such as {text.strip()!r}"
    days = f"in UTC {words.counted(other, 'row')} would be of another day"
    known = "State timezone, such as America/New_York, to count all days by one clock"
    return [f"{what}, and no timezone is stated: each is of the day that is written; {days}. {known}"]


def _capitalised(hint: str) -> str:
    return hint[:1].upper() + hint[1:]
