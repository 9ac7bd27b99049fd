"""What the keys of an experiment's data say together: its one source, its split, its time, its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pandas as pd

from clvmodels import datasets
from clvmodels.config.document import as_mapping
from clvmodels.config.finding import as_list, as_text, at, known_source
from clvmodels.customers.experience import at_first_purchase, available
from clvmodels.customers.table import DERIVED_GROUPS
from clvmodels.dates import DAYS_PER_UNIT, period_end
from clvmodels.errors import Problem, unknown
from clvmodels.strict import KeyPath

DERIVED: dict[str, tuple[str, ...]] = {"groups": DERIVED_GROUPS, "covariates": ()}
"""Columns for effects, by kind: those that are made from the transactions and need no name."""
ONE_FILE_ONLY = (
    *("table", "columns", "date_format", "delimiter", "encoding"),
    *("decimal", "thousands", "header", "escape", "where"),
)
OWN_FILE_ONLY = (*ONE_FILE_ONLY, "timezone", "data_end", "policies")
SIMULATED = ("retailer",)


def data_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Every problem that the keys of data have."""
    data = as_mapping(raw.get("data"))
    yield from _source(data, as_mapping(raw.get("sources")))
    for kind in DERIVED:
        yield from _effect_columns(data, kind)
    for rule in (_columns, _dates, _timezone, _split_of_dataset, _opportunities, _origins):
        yield from rule(data)


def effect_columns(raw: Mapping[str, Any], kind: str) -> tuple[str, ...] | None:
    """Groups or covariates that effects may name; None where the data set is not known, and so neither are they."""
    data = as_mapping(raw.get("data"))
    if not known_source(data):
        return None
    of_data = _texts(data.get(kind)) or _of_dataset(as_text(data.get("dataset")), kind)
    sources = [as_mapping(source) for source in as_mapping(raw.get("sources")).values()]
    of_sources: list[str] = []
    for source in sources:
        of_sources += _texts(source.get(kind))
    of_experience = _experience(sources) if kind == "covariates" else ()
    return (*of_data, *of_sources, *DERIVED[kind], *of_experience)


def _experience(sources: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """The covariates that can be made of what the tables tell of each customer."""
    roles = set()
    for source in sources:
        roles.add(str(source.get("role")))
        if "product_group" in as_mapping(source.get("columns")):
            roles.add("range")  # no table of its own: how many groups of products a customer buys of
    names = available(roles)
    return (*names, *at_first_purchase(names))


def _source(data: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[Problem]:
    """One source: a data set by name, a file of one's own, or several tables; each described in one place."""
    dataset, transactions = data.get("dataset"), data.get("transactions")
    if dataset is None and transactions is None and not sources:
        remedy = f"Say dataset: {' or '.join(datasets.DATASETS)}; or transactions: orders.csv; or several sources:"
        yield at(("data",), Problem("No data is named", known=remedy), key=True)
    if dataset is not None and transactions is not None:
        message = "'dataset' and 'transactions' are both given, and an experiment has one source"
        yield at(("data", "transactions"), Problem(message, known="Remove one of them"), key=True)
    if transactions is not None and sources:
        message = "'transactions' and 'sources' are both given, and orders are one of the sources"
        yield at(("data", "transactions"), Problem(message, known="Remove one of them"), key=True)
    if sources and dataset in datasets.DATASETS and not datasets.DATASETS[dataset].tables:
        of_tables = [name for name, member in datasets.DATASETS.items() if member.tables]
        message = f"The data set '{dataset}' is one table, and 'sources' describe several"
        yield at(("sources",), Problem(message, known=f"Of several tables: {', '.join(of_tables)}"), key=True)
    if sources and transactions is None:
        for key in _stated(data, ONE_FILE_ONLY):
            message = f"'{key}' describes one file, and each of the sources has its own"
            yield at(("data", key), Problem(message, known=f"Write {key} where the source stands"), key=True)
    if isinstance(dataset, str) and dataset not in datasets.DATASETS:
        yield at(("data", "dataset"), unknown("data set", dataset, datasets.DATASETS))
    if dataset is not None and transactions is None and not sources:
        for key in _stated(data, OWN_FILE_ONLY):
            message = f"'{key}' describes a file of one's own, and a data set knows its own"
            yield at(("data", key), Problem(message, known=f"Remove {key}"), key=True)
    if data.get("customers") is not None and dataset not in SIMULATED:
        message = "Only a simulated data set takes a number of customers"
        yield at(("data", "customers"), Problem(message, known=f"Known: {', '.join(SIMULATED)}"), key=True)


def _stated(data: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
    """Those of the keys that the file gives a value."""
    return [key for key in keys if data.get(key) is not None]


def _effect_columns(data: Mapping[str, Any], kind: str) -> Iterator[Problem]:
    """The columns that data's groups or covariates name."""
    dataset = as_text(data.get("dataset"))
    names_of_dataset = _of_dataset(dataset, kind)
    singular = kind.removesuffix("s")
    names = as_list(data.get(kind))
    for place, name in enumerate(names):
        path = ("data", kind, place)
        if isinstance(name, str) and names.count(name) > 1:
            yield at(path, Problem(f"The {singular} '{name}' is listed twice"))
        elif name in DERIVED[kind]:
            yield at(path, Problem(f"'{name}' is made from the dates and always there", known="Remove it"))
        elif dataset in datasets.DATASETS and name not in names_of_dataset:
            yield at(path, unknown(singular, name, names_of_dataset))


def _columns(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Each column of the file has one meaning."""
    meaning_of: dict[str, str] = {}
    for meaning, name in as_mapping(data.get("columns")).items():
        if not isinstance(name, str):  # a value may stand for several columns
            continue
        if name in meaning_of:
            message = f"The column '{name}' is already taken by '{meaning_of[name]}'"
            yield at(("data", "columns", meaning), Problem(message))
        meaning_of.setdefault(name, meaning)


def _dates(data: Mapping[str, Any]) -> Iterator[Problem]:
    """The holdout begins and ends after the calibration, and customers are acquired before its end."""
    end, holdout = data.get("calibration_end"), data.get("holdout")
    if holdout is not None and end is None and known_source(data):
        message = "A holdout needs to know where it begins"
        yield at(("data", "holdout"), Problem(message, known="Give calibration_end too"), key=True)
    holdout_day, end_day = _day(holdout), _day(end)
    if holdout_day and end_day and holdout_day <= end_day:
        message = f"The holdout ends on {holdout_day}, not after calibration_end {end_day}"
        yield at(("data", "holdout"), Problem(message))
    yield from _acquired(as_list(data.get("acquired_between")), end_day)


def _acquired(between: list[Any], end_day: date | None) -> Iterator[Problem]:
    if len(between) != 2:  # which its type says
        return
    first, last = _day(between[0]), _day(between[1])
    if first is None or last is None:
        return
    path = ("data", "acquired_between")
    if first > last:
        yield at(path, Problem("The first day comes after the last", got=str(first)))
    elif end_day and first > end_day:
        message = f"No customer can be acquired after calibration_end, {end_day}, and be in the calibration"
        yield at(path, Problem(message))


def _split_of_dataset(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A data set may know of no time of each purchase."""
    name = as_text(data.get("dataset"))
    reason = datasets.DATASETS[name].no_split if name in datasets.DATASETS else ""
    if not reason:
        return
    remedy = "Remove {}: entries are compared by elpd on all of the data"
    for key in ("calibration_end", "origins"):
        if data.get(key):
            yield at(("data", key), Problem(reason, known=remedy.format(key)), key=True)


def _opportunities(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Where time counts opportunities nothing may cut one in two."""
    if data.get("time") != "opportunities":
        return
    unit = data.get("time_unit", "week")
    if unit == "hour":
        remedy = "Orders are of days: take day, or a longer one"
        yield at(("data", "time_unit"), Problem("Opportunities last a day at least", got=unit, known=remedy))
    yield from _last_day_of_period(("data", "calibration_end"), data.get("calibration_end"), unit)
    for place, origin in enumerate(as_list(data.get("origins"))):
        yield from _last_day_of_period(("data", "origins", place), origin, unit)
    lengths: dict[KeyPath, Any] = {("data", "holdout"): data.get("holdout")}
    for place, holdout in enumerate(as_list(data.get("holdouts"))):
        lengths["data", "holdouts", place] = holdout
    for path, length in lengths.items():
        if isinstance(length, int | float) and length % 1:
            yield at(path, Problem(f"Opportunities are whole {unit}s", got=str(length)))
    if as_mapping(data.get("columns")).get("ended") is not None:
        message = "The day of an end needs continuous time"
        remedy = "Remove it: of renewals, a period without one tells the end"
        yield at(("data", "columns", "ended"), Problem(message, known=remedy), key=True)


def _last_day_of_period(path: KeyPath, value: Any, unit: Any) -> Iterator[Problem]:
    day = _day(value)
    if day is None or unit not in list(DAYS_PER_UNIT):
        return
    last_day = period_end(pd.Timestamp(day), unit).date()
    if last_day != day:
        message = f"Must be the last day of a {unit}, where time counts opportunities"
        yield at(path, Problem(message, got=str(day), known=f"The next is {last_day}"))


def _origins(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Origins and their holdouts, each once; whether the data reach so far is seen when they are read."""
    for key in ("origins", "holdouts"):
        values = as_list(data.get(key))
        for place, value in enumerate(values):
            if isinstance(value, str | int | float) and value in values[:place]:
                yield at(("data", key, place), Problem(f"'{value}' is listed twice"))
    if data.get("holdouts") and not data.get("origins"):
        remedy = "Add origins: [1997-06-30, ...], or how many: origins: 9; or write holdout: 39 for the only one"
        yield at(("data", "holdouts"), Problem("'holdouts' are of origins, and there are none", known=remedy), key=True)


def _timezone(data: Mapping[str, Any]) -> Iterator[Problem]:
    name = as_text(data.get("timezone"))
    if name is None or name in available_timezones():
        return
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        problem = unknown("time zone", name, sorted(available_timezones()))
        without_list = problem.what.split(" Known:")[0]  # of six hundred names
        message = f"{without_list} Names are IANA's, such as Europe/Berlin"
        yield at(("data", "timezone"), Problem(message))


def _of_dataset(name: str | None, kind: str) -> tuple[str, ...]:
    if name not in datasets.DATASETS:
        return ()
    return tuple(datasets.DATASETS[name].defaults.get(kind, ()))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in as_list(value) if isinstance(text, str))


def _day(value: Any) -> date | None:
    """The day that a text tells; None where it tells none, which its type says."""
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
