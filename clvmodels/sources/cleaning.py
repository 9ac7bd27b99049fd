"""A cell as what it means: ids, days, amounts and other numbers; null where it cannot be read.

Nothing is decided here: that a day is null is a fact, and whether its row then counts is said in `judging`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import ibis
import ibis.expr.datatypes as dt

from clvmodels.sources.conventions import DAY_NUMBERS, DEFAULT_CONVENTIONS, THOUSANDS, Conventions
from clvmodels.sources.reasons import SAME, Policies

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
OWNERS = ("customer_id", "key", "referred")
"""Ids that say whose a row is."""
BLANKS = "\t-\r\x1c- \x85\xa0\xad\u1680\u180e\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
"""What shows nothing, as a class of characters in a pattern: white space of every kind, no-break and zero-width ones,
marks of direction and of the order of bytes. (What turns the direction of text, as U+202E does, shows itself.)"""
AROUND = f"^[{BLANKS}]+|[{BLANKS}]+$"
WIDE = "".join(map(chr, range(0xFF01, 0xFF5F)))
"""Full-width letters, digits and signs; those of ASCII in the same order lie 0xFEE0 before them."""
NARROW = "".join(map(chr, range(0x21, 0x7F)))
SCIENTIFIC = r"^[+-]?\d+([.,]\d*)?[eE]\+\d{1,3}$|^[+-]?\d+[.,]\d+[eE]\d{1,3}$"
"""A number as spreadsheets and floats write it where it is long: 5.01235E+12."""

_NAIVE = r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d\d(:\d\d(\.\d+)?)?)?$"
_INSTANT = (
    r"^(\d{4}-\d{1,2}-\d{1,2})[ T](\d{1,2}:\d\d)(:\d\d)?([.,]\d+)?\s*"
    r"(?:(?:UTC|GMT|Z|z)?([+-]\d\d):?(\d\d)?|UTC|GMT|Z|z)$"
)
"""Day, hours and minutes, seconds, their fraction, then the offset's hours and minutes."""
_OFFSET = r"([+-]\d\d):?(\d\d)?$"
"""Hours and minutes by which clocks are ahead of UTC's, at the end of a text."""
INSTANT = dt.Timestamp(timezone="UTC")


@ibis.udf.scalar.builtin(signature=((dt.string, dt.string), dt.timestamp))
def try_strptime(text, date_format):
    """DuckDB: null where the text does not follow the format."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dt.string, dt.string), INSTANT))
def try_strptime_zoned(text, date_format):
    """The same for formats with %z or %Z: DuckDB returns an instant."""


@ibis.udf.scalar.builtin(name="to_timestamp", signature=((dt.float64,), INSTANT))
def instant_of(seconds):
    """DuckDB: the instant so many seconds after the beginning of 1970."""


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, INSTANT), dt.timestamp))
def wall_clock(zone, instant):
    """DuckDB: what clocks of the zone show at that instant. (Ibis's own cast from zone to zone is silently nothing.)"""


@ibis.udf.scalar.builtin(signature=((dt.string,), dt.string))
def nfc_normalize(text):
    """DuckDB: accents and their letters as one sign, where there is one."""


@ibis.udf.scalar.builtin(name="strlen", signature=((dt.string,), dt.int64))
def bytes_of(text):
    """DuckDB: how many bytes a text has, which are its characters where all are ASCII."""


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
    """Without blanks of any kind around, accents composed. These are looked for first, at both ends and in what is not
    ASCII, since a pattern that goes through every text takes many times as long."""
    is_plain = (text >= FIRST_PRINTED) & (text.right(1) >= FIRST_PRINTED) & (bytes_of(text) == text.length())
    return is_plain.ifelse(text, nfc_normalize(text).re_replace(AROUND, ""))


def owner_text(column: ibis.Value, policies: Policies) -> ibis.Value:
    """An id that says whose a row is, as the policies compare it; null where it is empty or a word for nobody."""
    text = _of_somebody(id_text(column), policies)
    for rule in SAME:
        if rule in policies.ids.same:
            text = SAME_TEXT[rule](text)
    if policies.ids.same:  # 0.0 is the word 0 where a trailing .0 makes no difference
        text = _of_somebody(text, policies)
    return text.nullif("")


def _of_somebody(text: ibis.Value, policies: Policies) -> ibis.Value:
    """Null where it is one of the words for nobody."""
    if not policies.empty:
        return text
    return text.lower().isin([word.lower() for word in policies.empty]).ifelse(ibis.null("string"), text)


SAME_TEXT: dict[str, Callable[[ibis.Value], ibis.Value]] = {
    "width": lambda text: text.translate(WIDE, NARROW),
    "blanks": lambda text: text.re_replace(f"[{BLANKS}]+", ""),
    "casefold": lambda text: text.lower(),
    "point_zero": lambda text: text.re_replace(r"^([+-]?\d+)\.0+$", r"\1"),
    "leading_zeros": lambda text: text.re_replace(r"^0+(\d)", r"\1"),
}
"""What is left of an id where ids that differ in this way alone are one."""


def calendar_day(column: ibis.Value, conventions: Conventions, open_ends: bool = False) -> ibis.Value:
    """The local calendar day, null where it cannot be read. Instants are shown by the clocks of the time zone, naive
    times are local already. Text without a format is ISO 8601 (YYYY-MM-DD, with a time and an offset or without); where
    no time zone is stated, text with an offset is of the day that it names. With `open_ends`, days after the latest
    there can be, such as 9999-12-31, are that one."""
    kind, date_format = column.type(), conventions.date_format
    if kind.is_date():
        day = column
    elif kind.is_timestamp():
        day = (wall_clock(conventions.timezone or "UTC", column) if kind.timezone else column).date()
    elif date_format in DAY_NUMBERS:
        day = _day_of_number(column, conventions)
    else:
        day = _day_of_text(id_text(column), conventions)
    if open_ends:
        day = (day > ibis.date(LATEST)).ifelse(ibis.date(LATEST), day)
    return day.between(ibis.date(EARLIEST), ibis.date(LATEST)).ifelse(day, ibis.null("date"))


def _day_of_text(text: ibis.Value, conventions: Conventions) -> ibis.Value:
    date_format, timezone = conventions.date_format, conventions.timezone
    if date_format and ("%z" in date_format or "%Z" in date_format):
        instant = try_strptime_zoned(text, date_format)
        if timezone is not None or "%z" not in date_format:
            return wall_clock(timezone or "UTC", instant).date()
        return (wall_clock("UTC", instant) + _offset_minutes(text).as_interval("m")).date()
    if date_format:
        return try_strptime(text, date_format).date()
    return _iso_day(text, timezone)


def _iso_day(text: ibis.Value, timezone: str | None) -> ibis.Value:
    # The engine's own cast reads more than ISO 8601, so the patterns say what may be cast; and less: blanks before an
    # offset, one without minutes, times without seconds.
    day, clock, seconds = (text.re_extract(_INSTANT, group) for group in (1, 2, 3))
    moment = day + " " + clock + (seconds == "").ifelse(":00", seconds)
    if timezone is None:
        local = moment.try_cast("timestamp")
    else:
        hours, minutes = text.re_extract(_INSTANT, 5), text.re_extract(_INSTANT, 6)
        offset = (hours == "").ifelse("+00:00", hours + ":" + (minutes == "").ifelse("00", minutes))
        local = wall_clock(timezone, (moment + offset).try_cast(INSTANT))
    day = ibis.cases((text.re_search(_INSTANT), local), (text.re_search(_NAIVE), text.try_cast("timestamp")))
    return day.try_cast("date")


def _offset_minutes(text: ibis.Value) -> ibis.Value:
    """By how many minutes the clocks of a text are ahead of UTC's; 0 where it names no offset."""
    hours, minutes = text.re_extract(_OFFSET, 1), text.re_extract(_OFFSET, 2)
    ahead = hours.right(2).try_cast("int64") * 60 + minutes.try_cast("int64").fill_null(0)
    return hours.startswith("-").ifelse(-ahead, ahead).fill_null(0)


def has_offset(text: ibis.Value) -> ibis.Value:
    """Whether a text names an instant by clocks that are not UTC's."""
    return text.re_search(r"\d:\d\d.*[+-]\d\d:?(\d\d)?$") & (_offset_minutes(text.strip()) != 0)


SECONDS = {"epoch": 1.0, "epoch_ms": 1e3, "epoch_us": 1e6, "epoch_ns": 1e9}
"""How many of the numbers are a second."""
EXCELS_FIRST, EXCELS_FEBRUARY, EXCELS_LAST = "1899-12-30", 61, 2_958_465
"""Of which day Excel's 0 is; the first number after a day of 1900 that there never was; the last day of 9999."""
SECONDS_A_DAY = 86_400
JULIAN_OF_1970 = 2_440_587.5
LONGEST_COUNT = 1e10
"""Seconds from 1970 until the year 2286."""


def _day_of_number(column: ibis.Value, conventions: Conventions) -> ibis.Value:
    """The day that a number counts; where text of ISO 8601 stands among the numbers, that day."""
    text = id_text(column)
    number = text.try_cast("float64")
    date_format = conventions.date_format
    if date_format in SECONDS:
        seconds = number / SECONDS[date_format]
        within = (seconds.abs() < LONGEST_COUNT).ifelse(seconds, ibis.null("float64"))
        day = wall_clock(conventions.timezone or "UTC", instant_of(within)).date()
    elif date_format == "julian":
        day = _days_after("1970-01-01", number - JULIAN_OF_1970)
    else:
        is_after = number.between(EXCELS_FEBRUARY, EXCELS_LAST)
        day = _days_after(EXCELS_FIRST, is_after.ifelse(number, ibis.null("float64")))
    return ibis.coalesce(day, _iso_day(text, conventions.timezone))


def has_time_in_utc(column: ibis.Value, conventions: Conventions) -> ibis.Value:
    """Whether a cell is an instant, without an offset of its own, that is not the beginning of one of UTC's days: days
    that were written as instants have no time."""
    if column.type().is_timestamp() and column.type().timezone:
        clock = wall_clock("UTC", column)
        return (clock != clock.truncate("D")).fill_null(False)
    if conventions.date_format in SECONDS:
        seconds = id_text(column).try_cast("float64") / SECONDS[conventions.date_format]
        return (seconds % SECONDS_A_DAY != 0).fill_null(False)
    return ibis.literal(False)


def _days_after(first: str, number: ibis.Value) -> ibis.Value:
    within = (number.abs() < EXCELS_LAST).ifelse(number, ibis.null("float64"))
    return (ibis.date(first) + within.floor().cast("int64").as_interval("D")).cast("date")


def amount_number(column: ibis.Value, conventions: Conventions = DEFAULT_CONVENTIONS) -> ibis.Value:
    """Amounts as float64, null where they cannot be read: text that is written otherwise than is stated, infinities."""
    is_text = column.type().is_string()
    plain = _plain(column, conventions) if is_text else column
    number = plain.try_cast("float64") if is_text else plain.cast("float64")
    is_readable = ~number.isnan() & (number.abs() < LARGEST_AMOUNT)
    if is_text:  # the engine's own cast reads 1_000 as 1000
        is_readable = is_readable & ~plain.contains("_")
    return is_readable.ifelse(number, ibis.null("float64"))


def _plain(text: ibis.Value, conventions: Conventions) -> ibis.Value:
    """Numbers with a decimal point and nothing between thousands; null where thousands are not groups of three."""
    decimal, thousands = conventions.decimal or ".", conventions.thousands
    text = text.strip()
    if decimal == "." and thousands is None:
        return text
    separators = [thousands] if thousands is not None else [sign for sign in THOUSANDS if sign != decimal]
    between, point = f"[{re.escape(''.join(separators))}]", re.escape(decimal)
    is_number = text.re_search(rf"^[-+]?(\d{{1,3}}({between}\d{{3}})+|\d+)?({point}\d*)?([eE][-+]?\d+)?$")
    plain = text.re_replace(between, "").replace(decimal, ".")
    return is_number.ifelse(plain, ibis.null("string"))


def covariate_number(column: ibis.Value, conventions: Conventions = DEFAULT_CONVENTIONS) -> ibis.Value:
    """Numbers and booleans (also as the text true or false) as float64; null where empty or something else."""
    kind = column.type()
    if kind.is_boolean():
        return column.cast("int8").cast("float64")
    if kind.is_string():
        word = column.strip().lower()
        number = word.cases(("true", 1.0), ("false", 0.0), else_=_plain(word, conventions).try_cast("float64"))
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
