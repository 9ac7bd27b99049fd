"""How the cells of a table are to be read and what is done with its rows: stated once, and carried along with it."""

from __future__ import annotations

import zoneinfo
from typing import NamedTuple

import duckdb
import pandas as pd

from clvmodels.errors import Problem, unknown
from clvmodels.sources.reading import ENCODINGS
from clvmodels.sources.reasons import DEFAULT_POLICIES, Policies


class Conventions(NamedTuple):
    """What a table's reader needs to be told, since the table does not say it."""

    date_format: str | None = None
    """As in `strptime`; without one, text is ISO 8601."""
    timezone: str = "UTC"
    """Of whose calendar days instants are."""
    data_end: pd.Timestamp | None = None
    """The last day that the table covers; what comes later does not count. None: it is not stated."""
    policies: Policies = DEFAULT_POLICIES


def argument_problems(policies: Policies, timezone: str, encoding: str, date_format: str | None) -> list[Problem]:
    """What is wrong with how a table is to be read, before it is looked at."""
    problems = policies.problems()
    if timezone not in zoneinfo.available_timezones():
        problems.append(unknown("time zone", timezone, ["UTC", "Europe/London", "America/New_York", "Asia/Tokyo"]))
    if encoding not in ENCODINGS:
        problems.append(unknown("encoding", encoding, ENCODINGS))
    if date_format is not None:
        problems += _format_problems(date_format)
    return problems


def _format_problems(date_format: str) -> list[Problem]:
    """Asked of the engine, which is the one to read the dates."""
    try:
        duckdb.sql("SELECT try_strptime('', $format)", params={"format": date_format})
    except duckdb.Error as error:
        return [Problem("is no date format", "date_format", repr(date_format), str(error).splitlines()[0])]
    return []


def readable_encoding(encoding: str) -> str:
    """The encoding, or one that reads any bytes: an unknown one is a problem already, and the columns may hold more."""
    return encoding if encoding in ENCODINGS else "latin-1"
