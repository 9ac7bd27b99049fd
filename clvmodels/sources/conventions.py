"""How the cells of a table are to be read and what is done with its rows: stated once, and carried along with it."""

from __future__ import annotations

import zoneinfo
from typing import NamedTuple

import duckdb
import pandas as pd

from clvmodels.errors import Problem, unknown
from clvmodels.sources.reading import ENCODINGS, Layout, is_encoding
from clvmodels.sources.reasons import DEFAULT_POLICIES, Policies

DAY_NUMBERS = ("excel", "epoch", "epoch_ms", "epoch_us", "epoch_ns", "julian")
"""Formats of dates that are numbers: days as Excel counts them, seconds (thousandths, ...) since 1970, Julian days."""
DECIMALS = (".", ",")
THOUSANDS = (".", ",", "'", "’", " ", "\u00a0", "\u202f", "_")


class Conventions(NamedTuple):
    """What a table's reader needs to be told, since the table does not say it."""

    date_format: str | None = None
    """As in `strptime`, or one of `DAY_NUMBERS`; without one, text is ISO 8601."""
    timezone: str | None = None
    """Of whose calendar days instants are. None: it is not stated; then text with an offset is of the day that it
    names, and instants without one are of UTC's days."""
    data_end: pd.Timestamp | None = None
    """The last day that the table covers; what comes later does not count. None: it is not stated."""
    policies: Policies = DEFAULT_POLICIES
    decimal: str | None = None
    """What stands before the cents, in text. None: a point, and amounts where it may be one for thousands are asked
    about."""
    thousands: str | None = None
    """What stands between groups of three digits, in text. None: with a decimal comma a point, a blank or an
    apostrophe, and else nothing."""


DEFAULT_CONVENTIONS = Conventions()


def today() -> pd.Timestamp:
    """The latest day that it is anywhere on earth: an order of the customer's own day is never of tomorrow."""
    return pd.Timestamp.now("Pacific/Kiritimati").tz_localize(None).normalize()


def argument_problems(conventions: Conventions, layout: Layout) -> list[Problem]:
    """What is wrong with how a table is to be read, before it is looked at."""
    problems = conventions.policies.problems()
    if conventions.timezone is not None and conventions.timezone not in zoneinfo.available_timezones():
        known_zones = ["UTC", "Europe/London", "America/New_York", "Asia/Tokyo"]
        problems.append(unknown("time zone", conventions.timezone, known_zones))
    if not is_encoding(layout.encoding):
        problems.append(unknown("encoding", layout.encoding, ENCODINGS))
    if conventions.date_format is not None and conventions.date_format not in DAY_NUMBERS:
        problems += _format_problems(conventions.date_format)
    return [*problems, *_number_problems(conventions.decimal, conventions.thousands), *_layout_problems(layout)]


def _format_problems(date_format: str) -> list[Problem]:
    """Asked of the engine, which is the one to read the dates."""
    try:
        duckdb.sql("SELECT try_strptime('', $format)", params={"format": date_format})
    except duckdb.Error:
        names = ", ".join(DAY_NUMBERS)
        known = f"Write it as in strptime, such as '%d/%m/%Y', or, where dates are numbers, one of {names}"
        return [Problem("is no date format", "date_format", repr(date_format), known)]
    return []


def _number_problems(decimal: str | None, thousands: str | None) -> list[Problem]:
    problems = []
    if decimal is not None and decimal not in DECIMALS:
        problems.append(Problem("must be '.' or ','", "decimal", repr(decimal)))
    if thousands is not None and thousands not in THOUSANDS:
        signs = ", ".join(repr(sign) for sign in THOUSANDS[:4])
        problems.append(Problem(f"must be one of {signs}", "thousands", repr(thousands)))
    if thousands == (decimal or "."):
        other = "." if decimal == "," else ","
        problems.append(Problem("is what decimal is", "thousands", repr(thousands), f"State decimal: '{other}' too"))
    return problems


def _layout_problems(layout: Layout) -> list[Problem]:
    problems = []
    for name, sign in (("delimiter", layout.delimiter), ("escape", layout.escape)):
        if sign is not None and len(sign) != 1:
            problems.append(Problem("must be one character", name, repr(sign)))
    if layout.header_line is not None and layout.header_line < 1:
        known = "Lines are counted from 1; where no line holds names, state header: false"
        problems.append(Problem("is no line of a file", "header", repr(layout.header_line), known))
    return problems


def readable(layout: Layout) -> Layout:
    """The layout, or one that can be looked at: what is wrong with it is a problem already, and the columns may hold
    more."""
    encoding = layout.encoding if is_encoding(layout.encoding) else "latin-1"
    delimiter = layout.delimiter if len(layout.delimiter or ",") == 1 else None
    escape = layout.escape if len(layout.escape or '"') == 1 else None
    header = True if layout.header_line is not None and layout.header_line < 1 else layout.header
    return layout._replace(encoding=encoding, delimiter=delimiter, escape=escape, header=header)
