"""Words of the command line as what the stages take; told as errors that teach where they cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clvmodels.errors import ConfigError, Problem, unknown

if TYPE_CHECKING:
    from clvmodels.customers.table import Customers
    from clvmodels.dates import Time
    from clvmodels.inference.effects import Effect

RFM_MEANINGS = ("customer_id", "frequency", "recency", "T", "monetary_value")
"""Columns of an RFM table that may be called otherwise."""


def read_effects(model: str, texts: list[str], missing: str = "refuse", by: str | None = None) -> list[Effect]:
    """`alpha:channel` (a group), `alpha~nps+age` (covariates), `a+b:channel` where parameters share a coefficient; and
    those of a group that pools every level."""
    from clvmodels.inference.effects import MISSING, Effect, pooled_by, targets
    from clvmodels.models import get_model

    if missing not in MISSING:
        raise ConfigError(unknown("policy for missing covariates", missing, MISSING, "--missing"))
    part_of = {name: target.part for name, target in targets(get_model(model)).items()}
    effects = []
    for text in texts:
        names, mark, columns = text.partition("~") if "~" in text else text.partition(":")
        parameters = tuple(names.split("+"))
        if not columns or parameters[0] not in part_of:
            first = next(iter(part_of))
            known = f"Write parameter:group, such as {first}:channel, or parameter~covariate, such as {first}~nps; "
            known += f"parameters: {', '.join(part_of)}"
            raise ConfigError(Problem("Not an effect of the model", "--effect", text, known))
        part = part_of[parameters[0]]
        if mark == ":":
            effects.append(Effect(part, parameters, columns))
        else:
            effects.append(Effect(part, parameters, covariates=tuple(columns.split("+")), missing=missing))
    return effects if by is None else list(pooled_by(get_model(model), by, effects))


def read_k(text: str) -> tuple[int, ...]:
    """`3`, or `1,2,3` to choose from."""
    texts = [part.strip() for part in text.split(",")]
    wrong = [part for part in texts if not part.isdecimal()]
    if wrong:
        known = "Write 3, or 1,2,3 to choose by elpd"
        raise ConfigError(Problem("Not a whole number", "--k", wrong[0] or "nothing", known))
    return tuple(map(int, texts))


def read_customers(
    table: str,
    rfm: bool,
    time_unit: str,
    *,
    time: Time,
    end: str | None,
    effects: Sequence[Effect],
    reading: Mapping[str, Any],
) -> tuple[Customers, tuple[str, ...]]:
    """One row a customer with what effects read, from transactions or from an RFM table, and what a reader should
    know about them. `reading` is as `Posterior.reading`."""
    from clvmodels.customers.rfm import read_rfm
    from clvmodels.customers.table import DERIVED_GROUPS, Customers
    from clvmodels.inference.effects import columns_of
    from clvmodels.runs.reading import read_as
    from clvmodels.sources.reading import Layout

    end = read_day(end)
    if not rfm:
        return read_as(reading, table, time_unit=time_unit, time=time, end=end, effects=effects)
    if end is None:
        raise ConfigError(Problem("An RFM table does not say the day at which T was taken", "--end"))
    data = reading.get("data", {})
    groups, covariates = columns_of(effects)
    layout = {name: data.get(name) for name in ("delimiter", "escape", "table")}
    frame = read_rfm(
        table, Layout.of(encoding=data.get("encoding", "utf-8"), header=data.get("header", True), **layout)
    )
    customers = Customers.from_rfm(
        frame,
        time_unit=time_unit,
        time=time,
        observation_end=end,
        columns={meaning: name for meaning, name in data.get("columns", {}).items() if meaning in RFM_MEANINGS},
        groups=[group for group in groups if group not in DERIVED_GROUPS],
        covariates=covariates,
        currency=data.get("currency"),
        amount_unit=data.get("amount_unit", 1.0),
    )
    return customers, customers.warnings


def stated_reading(file: Path | None, **options: Any) -> dict[str, Any]:
    """What options say of how a table is read, over what an experiment file does; as `Posterior.reading`.

    Those of several words are read as their own functions below say.
    """
    from clvmodels.config.experiment import load_experiment
    from clvmodels.runs.reading import reading_of

    stated = {name: value for name, value in options.items() if value not in (None, "", [])}
    for name, read in _READ.items():
        if name in stated:
            stated[name] = read(stated[name])
    reading = {} if file is None else reading_of(load_experiment(file))
    return joined(reading, {"data": {name: value for name, value in stated.items() if value != {}}})


def joined(reading: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One reading with what another says over it, key by key; policies and columns by theirs."""
    data = dict(reading.get("data", {}))
    for key, value in over.get("data", {}).items():
        is_nested = isinstance(value, Mapping) and key in ("policies", "columns")
        data[key] = {**data.get(key, {}), **value} if is_nested else value
    others = {key: value for both in (reading, over) for key, value in both.items() if key != "data"}
    return {**others, "data": data}


def read_policies(text: str) -> dict[str, Any]:
    """`refunds: net, empty: [NULL, guest], ids: {same: casefold}`, as in an experiment file."""
    from clvmodels.config.document import parse_document

    mapping = text if text.strip().startswith("{") else "{" + text + "}"
    document = parse_document(mapping, "--policies")
    known = "Write them as in an experiment file: refunds: net, dates: {latest: today}"
    if document.problems or not isinstance(document.value, dict):
        raise ConfigError([Problem("Not a mapping of policies", "--policies", text, known)])
    missing = [name for name, value in document.value.items() if value is None]
    if missing:
        raise ConfigError([Problem(f"'{missing[0]}' has no value", "--policies", text, known)])
    return document.value


def read_acquired(text: str) -> list[str]:
    """`2024-01-01,2024-12-31`: the days between which customers first bought."""
    days = [read_day(day.strip()) for day in text.split(",")]
    if len(days) != 2:
        raise ConfigError(Problem("Not two days", "--acquired-between", text, "Write 2024-01-01,2024-12-31"))
    return [str(day) for day in days]


def read_day(text: str | None) -> str | None:
    """A day written as 2024-06-30, or None."""
    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ConfigError(Problem("Not a day", "", text or "''", "Write days as 2024-06-30")) from error


def read_header(text: str) -> bool | int | tuple[str, ...]:
    """`false`, the number of a line, or names: `customer_id,date,amount`."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.isdecimal() else tuple(name.strip() for name in text.split(","))


def read_filter(texts: Sequence[str]) -> dict[str, Any]:
    """`status=paid,delivered`, or `status!=cancelled`; nothing after the sign is an empty cell."""
    row_filter: dict[str, Any] = {}
    for text in texts:
        column, sign, values = text.partition("=")
        if not sign or not column.strip("! "):
            known = "Write column=value,value as in status=paid,delivered; or status!=cancelled"
            raise ConfigError(Problem("Not a filter of rows", "--where", text, known))
        stated = [value.strip() or None for value in values.split(",")]
        is_exclusion = column.endswith("!")
        row_filter[column.removesuffix("!").strip()] = {"not": stated} if is_exclusion else stated
    return row_filter


def read_columns(columns: str) -> dict[str, Any]:
    """`customer_id=cust,date=day` as a dict; `amount={value: 9.99}` is one value for all rows."""
    pairs = [text.partition("=") for text in columns.split(",") if text]
    wrong = ["".join(pair) for pair in pairs if not all(pair)]
    if wrong:
        known = "Write meaning=column, such as customer_id=cust,date=day,amount=sales"
        raise ConfigError(Problem("Not a mapping of columns", "--columns", ", ".join(wrong), known))
    return {meaning.strip(): _column(name.strip()) for meaning, _, name in pairs}


def _column(text: str) -> str | dict[str, str]:
    value = re.fullmatch(r"\{\s*value\s*:\s*(.+?)\s*\}", text)
    return {"value": value[1].strip("'\"")} if value else text


def common_unit(rfm: bool, stated: str | None, fitted: set[str]) -> str:
    """The time unit of the table, which must be that of the posteriors."""
    problems = []
    if len(fitted) > 1:
        problems.append(Problem(f"The posteriors are in different time units: {', '.join(sorted(fitted))}"))
    elif rfm and stated is None:
        problems.append(
            Problem("An RFM table does not say its time unit", "--time-unit", known=f"Is it {min(fitted)}?")
        )
    elif stated is not None and stated not in fitted:
        known = f"The posterior is in {min(fitted)}s; give recency and T in {min(fitted)}s"
        problems.append(Problem("Not the posterior's time unit", "--time-unit", stated, known))
    if problems:
        raise ConfigError(problems)
    return min(fitted)


def _of_option(problem: Problem) -> Problem:
    """A problem of an argument in Python, at the option of the same name."""
    option = f"--{problem.path[0]}".replace("_", "-")
    return replace(problem, where=option)


def check_economics(
    horizon: float, spend_posterior: Path | None, margin: float | None, annual_discount_rate: float | None
) -> None:
    """Value takes a spend model, a margin and a discount rate: all three or none; and each in its range."""
    from clvmodels.valuation.economics import Economics

    needed = {"--spend-posterior": spend_posterior, "--margin": margin, "--annual-discount-rate": annual_discount_rate}
    missing = [name for name, value in needed.items() if value is None]
    problems = []
    if 0 < len(missing) < len(needed):
        known = "Give all three for value in money, or none for purchases only"
        problems.append(Problem(f"{' and '.join(missing)} missing", known=known))
    try:
        Economics(margin, annual_discount_rate or 0.0, horizon)
    except ConfigError as error:
        problems += [_of_option(problem) for problem in error.problems]
    if problems:
        raise ConfigError(problems)


_READ: dict[str, Callable[[Any], Any]] = {
    "columns": read_columns,
    "header": read_header,
    "where": read_filter,
    "policies": read_policies,
    "acquired_between": read_acquired,
}
"""Options that are written in a few words, by what reads them."""
