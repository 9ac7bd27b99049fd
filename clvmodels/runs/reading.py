"""How a table was read, remembered with what was fitted to it, and another one read the same way: the monthly job."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import ValidationError

from clvmodels import words
from clvmodels.config.document import as_mapping, parse_document
from clvmodels.config.experiment import Experiment, dump
from clvmodels.config.sections import CalendarSection, DataSection, Section, SourceSection
from clvmodels.customers.experience import is_experience, with_experience
from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import DERIVED_GROUPS, Customers
from clvmodels.dates import DAYS_PER_UNIT, Time
from clvmodels.errors import ConfigError, Problem
from clvmodels.inference.effects import Effect, columns_of
from clvmodels.runs.inputs import FILE_KEYS, calendar_of, read_tables
from clvmodels.sources.consolidation import Company
from clvmodels.sources.reading import is_url
from clvmodels.sources.reasons import DEFAULT_POLICIES
from clvmodels.strict import problems_of

REMEMBERED = (*FILE_KEYS, "columns", "timezone", "currency", "amount_unit", "policies", "acquired_between")
"""Keys of data that say how a table is read and which of its customers there are. What day it is taken to is no part of
it: that is another one each month."""
ORDERS = ("orders", "order_lines")
STALE_DAYS = 14
"""A file of orders that ends longer before the day it is used for is asked about."""
MOST_REASONS = 4


def reading_of(experiment: Experiment) -> dict[str, Any]:
    """What a posterior remembers of how its table was read, as the experiment file has it; nothing of a data set, which
    is read by its own code."""
    if experiment.data.dataset is not None:
        return {}
    stated = parse_document(dump(experiment), "experiment").value
    reading: dict[str, Any] = {"data": of_data(stated["data"])}
    for key in ("sources", "calendars"):
        if stated.get(key):
            reading[key] = stated[key]
    return reading


def of_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of the keys of data those that are remembered, where they say more than is so anyhow."""
    reading = {key: data[key] for key in REMEMBERED if data.get(key) not in (None, {}, [])}
    if reading.get("amount_unit") == 1.0:
        del reading["amount_unit"]
    if "policies" in reading:
        usual = json.loads(json.dumps(asdict(DEFAULT_POLICIES)))
        reading["policies"] = {name: value for name, value in reading["policies"].items() if value != usual.get(name)}
    if "columns" in reading:
        reading["columns"] = {meaning: name for meaning, name in reading["columns"].items() if name is not None}
    return {key: value for key, value in reading.items() if value != {}}


def read_as(
    reading: Mapping[str, Any],
    table: str | Path,
    *,
    time_unit: str,
    time: Time,
    end: str | None,
    effects: Sequence[Effect],
) -> tuple[Customers, tuple[str, ...]]:
    """One row a customer with what effects read, of a table that is read as `reading` says; and what a reader should
    know about them.

    Parameters
    ----------
    reading
        As `Posterior.reading`.
    table
        A file or the URL of a database; where the reading is of several tables, the folder that they lie in under their
        names, or the file of the only one of orders, with the others beside it.
    end
        The day to which customers are observed; later rows are left out. None: the last of the data.

    Raises
    ------
    ConfigError
        A reading that is none; several tables of orders, and one file.
    DataError
        Whatever the tables are refused for.
    """
    groups, covariates = columns_of(effects)
    described = _described(reading, table, end, [name for name in covariates if not is_experience(name)], groups)
    company = read_tables(described.data, described.sources, described.folder)
    transactions = company.transactions
    experience = [name for name in covariates if is_experience(name) and name not in transactions.covariates]
    calendars = [calendar_of(name, section, described.folder) for name, section in described.calendars.items()]
    acquired = described.data.acquired_between
    split = summarize(
        transactions,
        time_unit=time_unit,
        time=time,
        groups=[group for group in groups if group in transactions.groups or group in DERIVED_GROUPS],
        covariates=[name for name in covariates if name not in experience],
        acquired_between=None if acquired is None else (acquired[0], acquired[1]),
        amount_unit=described.data.amount_unit,
        calendars=calendars,
    )
    customers = split.customers
    if experience:
        customers = with_experience(company, customers, experience)
    notes = (*company.warnings, *customers.warnings, *_left_out(company), *_stale(company, time, time_unit))
    return customers, tuple(dict.fromkeys(notes))


class _Described(NamedTuple):
    """A reading as the sections of an experiment file."""

    data: DataSection
    sources: dict[str, SourceSection]
    calendars: dict[str, CalendarSection]
    folder: Path


def _described(
    reading: Mapping[str, Any], table: str | Path, end: str | None, covariates: Sequence[str], groups: Sequence[str]
) -> _Described:
    """The sections, with the table in its place; all that is wrong with them at once."""
    problems: list[Problem] = []
    sources = {str(name): dict(as_mapping(source)) for name, source in as_mapping(reading.get("sources")).items()}
    folder = Path()
    if sources:
        folder = _place(sources, Path(table), problems)
    own_groups = [group for group in groups if group not in DERIVED_GROUPS]
    data = {**as_mapping(reading.get("data")), "groups": own_groups, "covariates": list(covariates), "data_end": end}
    if not sources:
        data["transactions"] = str(table) if is_url(str(table)) else str(Path(table).absolute())
        folder = Path(table).parent
    described = _Described(
        _section(DataSection, data, "data", problems),
        {name: _section(SourceSection, source, f"sources.{name}", problems) for name, source in sources.items()},
        {
            name: _section(CalendarSection, as_mapping(calendar), f"calendars.{name}", problems)
            for name, calendar in as_mapping(reading.get("calendars")).items()
        },
        folder,
    )
    if problems:
        raise ConfigError(problems)
    return described


def _place(sources: dict[str, dict[str, Any]], table: Path, problems: list[Problem]) -> Path:
    """The folder that the tables lie in; where a file is given it is the only table of orders."""
    if table.is_dir():
        return table
    orders = [name for name, source in sources.items() if source.get("role") in ORDERS]
    if len(orders) == 1:
        sources[orders[0]]["path"] = table.name
    else:
        names = ", ".join(str(source.get("path")) for source in sources.values())
        what = f"the fit read {len(sources)} tables, {len(orders)} of them of orders"
        problems.append(Problem(what, str(table), known=f"Name the folder that they lie in: {names}"))
    return table.parent


def _section[S: Section](kind: type[S], stated: Mapping[str, Any], place: str, problems: list[Problem]) -> S:
    try:
        return kind.model_validate_json(json.dumps(stated, default=str))
    except ValidationError as error:
        for problem in problems_of(error, kind):
            where = ".".join((place, *map(str, problem.path)))
            problems.append(Problem(problem.what, where, problem.got, problem.known))
        return kind.model_construct()


def in_words(reading: Mapping[str, Any]) -> str:
    """What a reading says, on one line, as an experiment file has it."""
    stated = {**as_mapping(reading.get("data"))}
    stated |= {key: list(reading[key]) for key in ("sources", "calendars") if reading.get(key)}
    return json.dumps(stated, ensure_ascii=False)[1:-1].replace('"', "")


def _left_out(company: Company) -> Iterator[str]:
    """How many rows do not count, and why, table by table."""
    for source, rows in company.account.groupby("source", sort=False):
        left_out = rows[rows["kind"].isin(["dropped", "orphaned"])].sort_values("rows", ascending=False)
        if left_out.empty:
            continue
        reasons = [f"{n:,} {reason}" for n, reason in zip(left_out["rows"], left_out["reason"], strict=True)]
        more = f", {len(reasons) - MOST_REASONS} more reasons" if len(reasons) > MOST_REASONS else ""
        read = int(rows.loc[rows["kind"] == "read", "rows"].sum())
        lost = words.counted(int(left_out["rows"].sum()), "row")
        yield f"{source}: {lost} of {read:,} left out: {', '.join(reasons[:MOST_REASONS])}{more}"


def _stale(company: Company, time: str, time_unit: str) -> Iterator[str]:
    """A file that ends long before the day it is used for makes everybody look gone."""
    transactions = company.transactions
    most: float = STALE_DAYS
    if time == "opportunities":  # the next one may be a whole period away
        most = max(most, DAYS_PER_UNIT[time_unit])
    last = pd.Timestamp(transactions.table.date.max().execute())
    days = (transactions.data_end - last).days
    if days > most:
        yield f"the last order is of {last:%Y-%m-%d}, {days} days before {transactions.data_end:%Y-%m-%d}: is it all?"
