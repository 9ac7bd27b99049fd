"""Words of the command line as what the stages take; told as errors that teach where they cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clvmodels.errors import ConfigError, Problem, unknown

if TYPE_CHECKING:
    from clvmodels.customers.table import Customers
    from clvmodels.inference.effects import Effect
    from clvmodels.sources.transactions import Transactions

STALE_DAYS = 14
"""A file of orders that ends longer before the day it is used for is asked about."""


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
    table: Path,
    rfm: bool,
    time_unit: str,
    *,
    time: str,
    end: str | None,
    effects: Iterable[Effect],
    columns: str,
    timezone: str | None,
    reading: Mapping[str, Any],
) -> tuple[Customers, tuple[str, ...]]:
    """One row a customer with what effects read, from transactions or from an RFM table, and what a reader should
    know about them. `reading` are options of `read_transactions` that say how the file is read."""
    from clvmodels.customers.summarize import summarize
    from clvmodels.customers.table import DERIVED_GROUPS, Customers
    from clvmodels.dates import DAYS_PER_UNIT
    from clvmodels.inference.effects import columns_of
    from clvmodels.sources.reading import is_url
    from clvmodels.sources.transactions import read_transactions

    names, end = read_columns(columns), read_day(end)
    groups, covariates = columns_of(effects)
    read_groups = [group for group in groups if group not in DERIVED_GROUPS]
    extra: dict[str, Any] = {"groups": read_groups, "covariates": covariates}
    clock: dict[str, Any] = {"time_unit": time_unit, "time": time}
    if rfm:
        if end is None:
            raise ConfigError(Problem("An RFM table does not say the day at which T was taken", "--end"))
        customers = Customers.from_rfm(table, observation_end=end, columns=names, **extra, **clock)
        return customers, customers.warnings
    source = str(table) if is_url(str(table)) else table
    transactions = read_transactions(source, columns=names, timezone=timezone, data_end=end, **reading, **extra)
    customers = summarize(transactions, **extra, **clock).customers
    stale_days: float = STALE_DAYS
    if time == "opportunities":  # the next one may be a whole period away
        stale_days = max(stale_days, DAYS_PER_UNIT[time_unit])
    notes = (*transactions.warnings, *customers.warnings, *_stale(transactions, stale_days))
    return customers, tuple(dict.fromkeys(notes))


def _stale(transactions: Transactions, most: float) -> Iterator[str]:
    """A file that ends more than `most` days before the day it is used for makes everybody look gone."""
    import pandas as pd

    last = pd.Timestamp(transactions.table.date.max().execute())
    days = (transactions.data_end - last).days
    if days > most:
        yield f"the last order is of {last:%Y-%m-%d}, {days} days before {transactions.data_end:%Y-%m-%d}: is it all?"


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
