"""Interpret the rows of a table: ids, days and amounts; what is dropped or changed is counted with its reason.

Rows are judged one by one first (each has at most one reason, the first that applies), then against each other
(duplicates, refunds). The account adds up: rows read - rows dropped = rows used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import ibis
import ibis.expr.datatypes as dt
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.errors import DataError, Problem
from clvmodels.sources import reasons
from clvmodels.sources.reading import Raw
from clvmodels.sources.reasons import Policies

EARLIEST, LATEST = "1700-01-01", "2261-12-31"  # days outside are misread years; pandas' nanoseconds hold these
LARGEST_AMOUNT = 1e15
EXACT = "decimal(38, 6)"  # money as whole millionths: sums do not depend on the order of the rows
EXACT_LOG = "decimal(38, 15)"  # logarithms as doubles hold them, for the same reason
DAYS = ("date", "ended")
MONEY = ("amount", "cost", "discount")
NUMBERS = (*MONEY, "count", "minutes", "score", "rate")
IDS = ("customer_id", "key", "order_id", "referred")
LONGEST = 500
"""Characters of an id; longer ones are misread columns."""
HTML, FORMULA, PHONE = r"<\s*[A-Za-z/!][^<>]*>", r"^\s*(=|[-+@].*[(|])", r"^\+?[\d\s()./-]+$"
PLAIN = "Ids are plain text: correct the table, or name another column"

_NAIVE = r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d\d(:\d\d(\.\d+)?)?)?$"
_INSTANT = r"^\d{4}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d\d:\d\d(\.\d+)?\s*(Z|z|UTC|[+-]\d\d(:?\d\d)?)$"
INSTANT = dt.Timestamp(timezone="UTC")


@ibis.udf.scalar.builtin(signature=((dt.string, dt.string), dt.timestamp))
def try_strptime(text, date_format):
    """DuckDB: null where the text does not follow the format."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dt.string, dt.string), INSTANT))
def try_strptime_zoned(text, date_format):
    """The same for formats with %z or %Z: DuckDB returns an instant."""


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, INSTANT), dt.timestamp))
def wall_clock(zone, instant):
    """DuckDB: what clocks of the zone show at that instant. (Ibis's own cast from zone to zone is silently nothing.)"""


def id_text(column: ibis.Value) -> ibis.Value:
    """Ids as trimmed text, null where empty: 17 and "17" are one customer; so is a float 17.0, since pandas makes
    floats of whole numbers that have gaps. The texts "17", "17.0" and "017" are three."""
    kind = column.type()
    if kind.is_floating() or kind.is_decimal():
        whole = column.try_cast("int64")
        text = (whole == column).ifelse(whole.cast("string"), column.cast("string"))
        if kind.is_floating():
            text = column.isnan().ifelse(ibis.null("string"), text)
    else:
        text = column.cast("string")
    return text.strip().nullif("")


def calendar_day(column: ibis.Value, date_format: str | None, timezone: str) -> ibis.Value:
    """The local calendar day, null where it cannot be read. Instants are shown by the clocks of `timezone`, naive
    times are local already. Text without a format is ISO 8601 (YYYY-MM-DD, with a time and an offset or without)."""
    kind = column.type()
    if kind.is_date():
        day = column
    elif kind.is_timestamp():
        day = (wall_clock(timezone, column) if kind.timezone else column).date()
    else:
        day = _day_of_text(column.cast("string").strip(), date_format, timezone)
    return day.between(ibis.date(EARLIEST), ibis.date(LATEST)).ifelse(day, ibis.null("date"))


def _day_of_text(text: ibis.Value, date_format: str | None, timezone: str) -> ibis.Value:
    if date_format and ("%z" in date_format or "%Z" in date_format):
        return wall_clock(timezone, try_strptime_zoned(text, date_format)).date()
    if date_format:
        return try_strptime(text, date_format).date()
    instant = wall_clock(timezone, text.try_cast(INSTANT))
    day = ibis.cases((text.re_search(_INSTANT), instant), (text.re_search(_NAIVE), text.try_cast("timestamp")))
    return day.try_cast("date")


def amount_number(column: ibis.Value) -> ibis.Value:
    """Amounts as float64, null where they cannot be read: text with a decimal comma or a currency sign, infinities."""
    kind = column.type()
    number = column.strip().try_cast("float64") if kind.is_string() else column.cast("float64")
    readable = ~number.isnan() & (number.abs() < LARGEST_AMOUNT)
    return readable.ifelse(number, ibis.null("float64"))


def covariate_number(column: ibis.Value) -> ibis.Value:
    """Numbers and booleans (also as the text true or false) as float64; null where empty or something else."""
    kind = column.type()
    if kind.is_boolean():
        return column.cast("int8").cast("float64")
    if not kind.is_string():
        number = column.cast("float64")
    else:
        word = column.strip().lower()
        number = word.cases(("true", 1.0), ("false", 0.0), else_=word.try_cast("float64"))
    return (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)


def check_covariates(raw: Raw, names: Mapping[str, str], covariates: Sequence[str], where: str) -> None:
    """Raise every covariate that holds something other than numbers, booleans and gaps."""
    problems = []
    for i, name in enumerate(names):
        if name in covariates:
            own = raw.table[f"c{i}"]
            wrong = raw.table.filter(~_missing_number(own), covariate_number(own).isnull()).order_by("row")
            if count := int(wrong.count().execute()):
                first = wrong.limit(1).select("row", own.cast("string").name("text")).execute().iloc[0]
                what = f"covariate '{name}' is no number in {count} rows, first at {raw.place} "
                what += str(raw.line_of(np.array([first["row"]]))[0])
                known = "Covariates are numbers, true or false; name a column of words in groups"
                problems.append(Problem(what, where, repr(first["text"])[:80], known))
    if problems:
        raise DataError(problems)


def _missing_number(column: ibis.Value) -> ibis.Value:
    """Empty, or what writers of tables leave where there is no number."""
    if column.type().is_string():
        return column.isnull() | column.strip().lower().isin(["", "nan", "na", "null", "none"])
    return is_empty(column)


def check_types(
    raw: Raw, names: Mapping[str, str], where: str, date_format: str | None, kept: Collection[str] = ()
) -> None:
    """Raise every column whose type cannot be what it is meant to be; those that are only `kept` mean nothing."""
    problems = []
    for i, (meaning, own) in enumerate(names.items()):
        if found := _type_problem("" if meaning in kept else meaning, raw.table[f"c{i}"], date_format):
            what, advice = found
            problems.append(Problem(f"column '{own}' holds {what}", where, known=advice))
    if problems:
        raise DataError(problems)


def _type_problem(meaning: str, column: ibis.Value, date_format: str | None) -> tuple[str, str] | None:
    """What a column wrongly holds, and what to do. A date is a date, a time or text; an amount a number or text."""
    kind = column.type()
    number = kind.is_integer() or kind.is_floating() or kind.is_decimal()
    if kind.is_nested() or kind.is_binary():
        return f"{kind}, no plain values", ""
    if kind.is_string() or kind.is_null():
        return None
    if meaning in DAYS and kind.is_integer():
        return None if date_format else ("whole numbers, not dates", "State date_format, e.g. '%Y%m%d'")
    if meaning in DAYS and not (kind.is_date() or kind.is_timestamp()):
        return f"{kind}, not dates", ""
    if meaning in NUMBERS and not number:
        return f"{kind}, not {'amounts' if meaning in MONEY else 'numbers'}", ""
    if meaning in IDS and kind.is_floating() and _largest(column) > 2**53:
        return "ids too long for floats: two may be one", "Read the column as text or whole numbers"
    return None


def _largest(column: ibis.Value) -> float:
    return column.abs().max(where=~column.isnan()).execute() or 0.0


def id_problems(raw: Raw, names: Mapping[str, str], ids: Mapping[str, str], where: str) -> list[Problem]:
    """Ids that are no ids, in the columns (meaning -> the table's own name) that hold some."""
    found = []
    for meaning, own in ids.items():
        column = raw.table[f"c{list(names).index(meaning)}"]
        if not column.type().is_string():
            continue
        for what, wrong, known in (
            (f"an id of over {LONGEST} characters", column.length() > LONGEST, "Ids are short: is it another column?"),
            ("an id that is HTML", column.re_search(HTML), PLAIN),
            ("an id that is a spreadsheet's formula", column.re_search(FORMULA) & ~column.re_search(PHONE), PLAIN),
        ):
            rows = raw.table.filter(wrong).order_by("row").limit(1)
            first = rows.select("row", text=column.substr(0, 40)).execute()
            if len(first):
                line = int(raw.line_of(first["row"].to_numpy())[0])
                place = f"in column '{own}', first at {raw.place} {line}"
                found.append(Problem(f"{what} {place}", where, repr(first["text"][0]), known))
    return found


def judge_rows(
    raw: Raw,
    names: Mapping[str, str],
    date_format: str | None,
    timezone: str,
    data_end: pd.Timestamp | None,
    policies: Policies,
    groups: Sequence[str] = (),
    covariates: Sequence[str] = (),
    converted: Collection[str] = (),
    needs_order: bool = False,
) -> ibis.Table:
    """Every row with its meaning (customer_id, date, amount, ...), and the reason why it can't count, if there is one.

    `moment` is the date as it came: two orders of one day at different times are no duplicates.
    `names` maps the meaning of each of raw's columns c0, c1, ... to the name in the file. Where another table told them
    the rows carry `owner` and `unowned` (whose the key is, or why it is nobody's) and `rate` (to the result's currency,
    which the meanings `converted` are in already). `needs_order`: a row without an order id does not count.
    """
    table = raw.table
    columns = dict(zip(names, (table[f"c{i}"] for i in range(len(names))), strict=True))
    source = {name: column for name, column in columns.items() if name not in (*groups, *covariates)}
    owned = "owner" in table.columns
    meaning = {"customer_id": table.owner if owned else id_text(source["customer_id"])}
    meaning["date"] = calendar_day(source["date"], date_format, timezone)
    for name in (name for name in MONEY if name in source):
        rate = table.rate if "rate" in table.columns and name not in converted else 1.0
        meaning[name] = amount_number(source[name]) * rate
    if "ended" in source:
        meaning["ended"] = calendar_day(source["ended"], date_format, timezone)
    meaning |= {name: covariate_number(columns[name]) for name in covariates}
    meaning |= {name: id_text(column) for name, column in columns.items() if name not in meaning}
    nobody = table.unowned == reasons.NO_ID if owned else meaning["customer_id"].isnull()
    cases = [
        (nobody, reasons.NO_ID),
        *([(id_text(source["order_id"]).isnull(), reasons.NO_ORDER)] if needs_order else []),
        (is_empty(source["date"]), reasons.NO_DATE),
        (meaning["date"].isnull(), reasons.BAD_DATE),
    ]
    cases += money_cases(source, "amount" in source)
    if "ended" in source:
        cases.append((~is_empty(source["ended"]) & meaning["ended"].isnull(), reasons.BAD_END))
    if data_end is not None:
        cases.append((meaning["date"] > ibis.date(data_end.date()), reasons.AFTER_END))
    if owned:
        cases += [(table.unowned == reason, reason) for reason in (reasons.ORPHAN, reasons.SEVERAL)]
    if "ended" in source:
        own_end = meaning["ended"].max().over(ibis.window(group_by=meaning["customer_id"]))
        cases.append((meaning["date"] > own_end, reasons.AFTER_ENDED))
    if "amount" in source and policies.refunds not in ("net", "returns"):
        cases.append((meaning["amount"] < 0, reasons.NEGATIVE))
    if "amount" in source and policies.zero_amounts == "drop":
        cases.append((meaning["amount"] == 0, reasons.ZERO))
    reason = ibis.cases(*cases)
    text = reason.notnull().ifelse(as_text(columns, names), ibis.null("string"))
    return table.select("row", reason=reason, text=text, moment=source["date"], **meaning)


def money_cases(source: Mapping[str, ibis.Value], required: bool) -> list[tuple[ibis.Value, str]]:
    """What can be wrong with money and other numbers: (condition, reason), in this order."""
    cases = []
    if "amount" in source:
        cases += [(is_empty(source["amount"]), reasons.NO_AMOUNT)] if required else []
        cases.append((~is_empty(source["amount"]) & amount_number(source["amount"]).isnull(), reasons.BAD_AMOUNT))
    money = [source[name] for name in MONEY if name in source]
    if "currency" in source and money:
        some = ibis.or_(*(~is_empty(column) for column in money))
        cases.append((some & is_empty(source["currency"]), reasons.NO_CURRENCY))
    others = [column for name, column in source.items() if name in NUMBERS and name != "amount"]
    cases += [(~is_empty(column) & amount_number(column).isnull(), reasons.BAD_NUMBER) for column in others]
    return cases


def is_empty(column: ibis.Value) -> ibis.Value:
    if column.type().is_string():
        return column.strip().nullif("").isnull()
    if column.type().is_floating():
        return column.isnull() | column.isnan()
    return column.isnull()


def as_text(columns: Mapping[str, ibis.Value], names: Mapping[str, str]) -> ibis.Value:
    """A row as it stood in the file: "cust=17 | day= | sales=3"."""
    parts = [ibis.literal(f"{names[k]}=") + column.cast("string").fill_null("") for k, column in columns.items()]
    return ibis.literal(" | ").join(parts)


def duplicate_rows(table: ibis.Table, keys: Sequence[str]) -> ibis.Table:
    """Rows that equal an earlier one in all keys, to the second: `row`, `reason`, `text`."""
    same = ["moment" if key == "date" else key for key in keys]
    first = table.group_by(same).agg(row=_.row.min()).select("row")
    return _marked(table.anti_join(first, "row"), reasons.DUPLICATE, keys)


def unnettable_rows(table: ibis.Table, keys: Sequence[str]) -> ibis.Table:
    """Refunds without an order of that day, and days refunded in full: `row`, `reason`, `text`."""
    days = table.group_by(["customer_id", "date"]).agg(
        refunds=(_.amount < 0).sum(),
        orders=(_.amount >= 0).sum(),
        net=_.amount.cast(EXACT).sum(),
    )
    days = days.filter(_.refunds > 0, (_.net <= 0) | (_.orders == 0))
    rows = table.inner_join(days.select("customer_id", "date", "orders"), ["customer_id", "date"])
    return _marked(rows, ibis.ifelse(rows.orders == 0, reasons.NOTHING_TO_NET, reasons.NETTED_OUT), keys)


def _marked(rows: ibis.Table, reason: str | ibis.Value, keys: Sequence[str]) -> ibis.Table:
    text = as_text({k: rows[k] for k in keys}, {k: k for k in keys})
    return rows.select(
        "row",
        reason=ibis.literal(reason) if isinstance(reason, str) else reason,
        text=text,
    )
