"""A cell as what it means: ids, days, amounts and other numbers; null where it cannot be read.

Nothing is decided here: that a day is null is a fact, and whether its row then counts is said in `judging`.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.datatypes as dt

EARLIEST, LATEST = "1700-01-01", "2261-12-31"
"""Days outside are misread years; pandas' nanoseconds hold these."""
LARGEST_AMOUNT = 1e15
"""From here on a double holds no single cents, and an amount is likely an id."""
EXACT = "decimal(38, 6)"
"""Money as whole millionths: sums of decimals do not depend on the order of the rows, sums of doubles do."""
EXACT_LOG = "decimal(38, 15)"
"""Logarithms as doubles hold them, for the same reason."""
FIRST_PRINTED = "!"
"""All white space of ASCII sorts before it."""
DAYS = ("date", "ended")
MONEY = ("amount", "cost", "discount")
NUMBERS = (*MONEY, "count", "minutes", "score", "rate")
IDS = ("customer_id", "key", "order_id", "referred")

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


def is_empty(column: ibis.Value) -> ibis.Value:
    """Whether nothing is written in a cell: null, blank text, or a float's nan."""
    if column.type().is_string():
        return column.strip().nullif("").isnull()
    if column.type().is_floating():
        return column.isnull() | column.isnan()
    return column.isnull()


def id_text(column: ibis.Value) -> ibis.Value:
    """Ids as trimmed text, null where empty: 17 and "17" are one customer; so is a float 17.0, since pandas makes
    floats of whole numbers that have gaps. The texts "17", "17.0" and "017" are three."""
    kind = column.type()
    text = column.cast("string")
    if kind.is_floating() or kind.is_decimal():
        whole = column.try_cast("int64")
        text = (whole == column).ifelse(whole.cast("string"), text)
    if kind.is_floating():
        text = column.isnan().ifelse(ibis.null("string"), text)
    return _stripped(text).nullif("")


def _stripped(text: ibis.Value) -> ibis.Value:
    """Without white space around: it is looked for at both ends first, since the engine's own trim, which goes through
    every text, takes three times as long."""
    is_padded = (text < FIRST_PRINTED) | (text.right(1) < FIRST_PRINTED)
    return is_padded.ifelse(text.strip(), text)


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
    # The engine's own cast reads more than ISO 8601, so the patterns say what may be cast.
    instant = wall_clock(timezone, text.try_cast(INSTANT))
    day = ibis.cases((text.re_search(_INSTANT), instant), (text.re_search(_NAIVE), text.try_cast("timestamp")))
    return day.try_cast("date")


def amount_number(column: ibis.Value) -> ibis.Value:
    """Amounts as float64, null where they cannot be read: text with a decimal comma or a currency sign, infinities."""
    kind = column.type()
    number = column.strip().try_cast("float64") if kind.is_string() else column.cast("float64")
    is_readable = ~number.isnan() & (number.abs() < LARGEST_AMOUNT)
    return is_readable.ifelse(number, ibis.null("float64"))


def covariate_number(column: ibis.Value) -> ibis.Value:
    """Numbers and booleans (also as the text true or false) as float64; null where empty or something else."""
    kind = column.type()
    if kind.is_boolean():
        return column.cast("int8").cast("float64")
    if kind.is_string():
        word = column.strip().lower()
        number = word.cases(("true", 1.0), ("false", 0.0), else_=word.try_cast("float64"))
    else:
        number = column.cast("float64")
    return (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)


def yes_or_no(column: ibis.Value) -> ibis.Value:
    """1 and 0, from truth values, numbers, or the words true, false, yes, no; null for anything else."""
    if column.type().is_string():
        word = column.strip().lower()
        number = word.cases(
            ("true", 1.0), ("yes", 1.0), ("1", 1.0), ("false", 0.0), ("no", 0.0), ("0", 0.0), else_=None
        )
    else:
        number = covariate_number(column)
    return number.isin([0.0, 1.0]).ifelse(number.cast("float64"), ibis.null("float64"))


def as_text(columns: Mapping[str, ibis.Value], names: Mapping[str, str]) -> ibis.Value:
    """A row as it stood in the file: "cust=17 | day= | sales=3"."""
    cells = []
    for meaning, column in columns.items():
        cells.append(ibis.literal(f"{names[meaning]}=") + column.cast("string").fill_null(""))
    return ibis.literal(" | ").join(cells)


def union_of(tables: list[ibis.Table]) -> ibis.Table:
    """All rows of one table or several; `ibis.union` takes two at least."""
    return ibis.union(*tables) if len(tables) > 1 else tables[0]


def exact_sum(column: ibis.Value) -> ibis.Value:
    """The sum of money, whatever the order of the rows. float64."""
    return column.cast(EXACT).sum().cast("float64")
