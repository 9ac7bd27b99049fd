"""What cells that could not be read look like, as advice: which option reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

FIRST_YEAR, LAST_YEAR = 1700, 2261
"""Of days that are read."""
_ISO = "%Y-%m-%d"
_LOOKED_AT = 2000
"""Texts by which advice is given."""
_COUNTS = (  # name of a format, what its numbers are, from, to, of which day a number is
    ("excel", "days as Excel counts them", 20_000, 80_000, lambda n: pd.Timestamp("1899-12-30") + pd.Timedelta(days=n)),
    ("julian", "Julian days", 2_415_000, 2_489_000, lambda n: pd.Timestamp(0) + pd.Timedelta(days=n - 2_440_587.5)),
    ("epoch", "seconds since 1970", 1e8, 5e9, lambda n: pd.Timestamp(n, unit="s")),
    ("epoch_ms", "milliseconds since 1970", 1e11, 5e12, lambda n: pd.Timestamp(n, unit="ms")),
    ("epoch_us", "microseconds since 1970", 1e14, 5e15, lambda n: pd.Timestamp(n, unit="us")),
    ("epoch_ns", "nanoseconds since 1970", 1e17, 5e18, lambda n: pd.Timestamp(int(n))),
)
_YEARS = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$")
_PARTS = re.compile(
    r"(?P<a>\d{1,4})(?P<s>[-/. ])(?P<b>\d{1,2}|[A-Za-z]{3,9})(?P=s)(?P<c>\d{1,4})"
    r"(?P<t>[ T,]+\d{1,2}:\d\d(?P<seconds>:\d\d)?(?P<half> ?[AaPp][Mm])?)?$"
)
_COMMA = re.compile(r"[-+]?(\d{1,3}([. '\u00a0\u202f]\d{3})+|\d+),\d+$")
_GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?$")
_MONEY_SIGN = re.compile(r"[€$£¥]|\b[A-Z]{3}\b")


def day_advice(cells: Sequence[object]) -> str:
    """Which date_format reads these cells; empty where none is seen.

    >>> day_advice(["1736208000"])
    'State date_format: epoch, if they are seconds since 1970 (1736208000 is 2025-01-07). '
    """
    texts = [re.sub(r"\.0$", "", str(cell).strip()) for cell in cells[:_LOOKED_AT] if cell is not None]
    if not texts:
        return ""
    if all(_YEARS.match(text) for text in texts):
        return "State date_format: '%Y%m%d', as the cells look. "
    numbers = pd.to_numeric(pd.Series(texts), errors="coerce")
    if numbers.notna().all():
        return _count_advice(float(np.median(numbers)), texts[0])
    return _format_advice(texts)


def is_of_another_count(numbers: pd.Series, date_format: str) -> bool:
    """Whether numbers are no days of a living business as a format counts them, in the median: seconds since 1970 read
    as thousandths are all of January 1970.

    >>> is_of_another_count(pd.Series([1736208000.0]), "epoch_ms")
    True
    """
    for name, _, low, high, _ in _COUNTS:
        if name == date_format and len(numbers):
            return not low <= float(np.median(numbers)) <= high
    return False


def _count_advice(middle: float, shown: str) -> str:
    for name, what, low, high, day_of in _COUNTS:
        if low <= middle <= high:
            try:
                day = f" ({shown} is {day_of(float(shown)):%Y-%m-%d})"
            except (ValueError, OverflowError):
                day = ""
            return f"State date_format: {name}, if they are {what}{day}. "
    return ""


def _format_advice(texts: Sequence[str]) -> str:
    parts = [_PARTS.match(text) for text in texts]
    matches = [match for match in parts if match]
    if 2 * len(matches) < len(texts):
        return ""
    first = matches[0]
    time = ""
    if first["t"]:
        hour = "%I" if first["half"] else "%H"
        lead = "T" if "T" in first["t"] else first["t"][: len(first["t"]) - len(first["t"].lstrip(" ,"))]
        time = f"{lead}{hour}:%M{':%S' if first['seconds'] else ''}"
        time += (" %p" if " " in first["half"] else "%p") if first["half"] else ""
    sign = first["s"]
    formats = [f"{order}{time}" for order in _orders(matches, sign)]
    if formats == [_ISO] and not any(_is_day(text) for text in texts):
        return "They are written as days are, and no calendar from 1700 to 2261 has them. "
    if len(formats) == 1:
        return f"State date_format: '{formats[0]}', as the cells look. "
    return f"State date_format: '{formats[0]}' or '{formats[1]}': nothing in the cells says which. "


def _is_day(text: str) -> bool:
    try:
        return FIRST_YEAR <= date.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False


def _orders(matches: Sequence[re.Match[str]], sign: str) -> list[str]:
    """In which orders day, month and year may stand."""
    if len(matches[0]["a"]) == 4:
        return [f"%Y{sign}%m{sign}%d"]
    year = "%Y" if len(matches[0]["c"]) == 4 else "%y"
    if matches[0]["b"].isalpha():
        return [f"%d{sign}{'%b' if len(matches[0]['b']) == 3 else '%B'}{sign}{year}"]
    firsts = [int(match["a"]) for match in matches]
    seconds = [int(match["b"]) for match in matches if match["b"].isdigit()]
    day_first, month_first = f"%d{sign}%m{sign}{year}", f"%m{sign}%d{sign}{year}"
    if max(firsts) > 12:
        return [day_first]
    if seconds and max(seconds) > 12:
        return [month_first]
    return [day_first] if sign == "." else [day_first, month_first]


def number_advice(cells: Sequence[object]) -> str:
    """Which options read these cells as numbers; empty where none is seen.

    >>> number_advice(["1.250,00"])
    "State decimal: ',', as they are written with a decimal comma. "
    """
    texts = [str(cell).strip() for cell in cells[:_LOOKED_AT] if cell is not None]
    if not texts:
        return ""
    if 2 * sum(bool(_COMMA.match(text)) for text in texts) > len(texts) and not all(map(_GROUPED.match, texts)):
        return "State decimal: ',', as they are written with a decimal comma. "
    if 2 * sum(bool(_GROUPED.match(text)) for text in texts) > len(texts):
        return "State thousands: ',', as they are written with commas between thousands. "
    if 2 * sum(bool(_MONEY_SIGN.search(text)) for text in texts) > len(texts):
        return "They are written with a currency: leave plain numbers in the column. "
    return ""
