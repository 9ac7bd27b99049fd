"""The sections of the experiment file: each key is a field here, and what a field alone can say is its type.

What fields say together is checked in the files of rules beside this one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WrapSerializer,
    model_serializer,
)

from clvmodels.customers.windows import Days
from clvmodels.errors import ConfigError, Problem, unknown
from clvmodels.kpis.programme import Programme
from clvmodels.sources.reasons import Policies
from clvmodels.strict import STRICT, FrozenDict, Text, frozen, thawed

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


def _day(value: object) -> date:
    if not isinstance(value, str) or not _DATE.match(value):
        raise ValueError("must be a date, written as 1997-09-30")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"must be a day of the calendar: {error}") from error


def _duration_or_day(value: object) -> float | date | None:
    if value is None:
        return None
    if isinstance(value, str) and _DATE.match(value):
        return _day(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError("must be a number of time units above 0, or the last day, written as 1998-06-30")
    return float(value)


def _days_or_count(value: object) -> tuple[date, ...] | int:
    if type(value) is int and 1 <= value <= MOST_ORIGINS:
        return value
    if not isinstance(value, list) or len(value) > MOST_ORIGINS:
        raise ValueError(f"must be days, as in [1997-06-30, 1997-09-30], or how many: 1 to {MOST_ORIGINS}")
    return tuple(_day(day) for day in value)


def _duration_or_end(value: object) -> float | str:
    if value == TO_THE_END:
        return TO_THE_END
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"must be a number of time units above 0, or {TO_THE_END}: up to the last day of the data")
    return float(value)


def _one_or_several(value: object) -> int | tuple[int, ...] | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    # by type: `true` is an int to Python, and no k
    if isinstance(value, list) and value and all(type(number) is int for number in value):
        return tuple(value)
    raise ValueError("must be a whole number, or a list of those to choose from, as in [1, 2, 3, 4]")


def _column(value: object) -> str | Mapping[str, Any]:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT:
        return value
    if isinstance(value, Mapping) and set(value) == {VALUE} and isinstance(value[VALUE], str | int | float):
        return frozen(value)
    raise ValueError("must be a column's name, or {value: ...} where one value stands for all rows")


def _header(value: object) -> bool | int | tuple[str, ...]:
    if isinstance(value, list) and value and all(isinstance(name, str) and name for name in value):
        return tuple(value)
    if isinstance(value, bool) or (isinstance(value, int) and value >= 1):
        return value
    raise ValueError("must be the line of the names, counted from 1; or false where there is none; or a list of names")


def _row_filter(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("must be columns with the values that are kept, as in {status: [paid, delivered]}")
    return frozen(value)


def _encoding(name: str) -> str:
    from clvmodels.sources.reading.encoding import ENCODINGS, is_encoding  # here: it imports the engine

    if not is_encoding(name):
        raise ConfigError(unknown("encoding", name, ENCODINGS))
    return name


VALUE = "value"  # as in `sources.selection`
LONGEST_TEXT = 500
MOST_ORIGINS = 60
TO_THE_END = "end"
CURRENCY = "Three capital letters, such as EUR or USD"
NO_POINT = "mle gives one point and no posterior, so no ranges: use it in Python or with clvmodels fit"


def _gives_draws(method: object) -> object:
    if method == "mle":
        raise ConfigError(Problem("Must be 'auto', 'laplace' or 'nuts'", got='"mle"', known=NO_POINT))
    return method


Day = Annotated[date, PlainValidator(_day)]

Stated = Annotated[Mapping[str, Any], AfterValidator(frozen), PlainSerializer(thawed)]
"""A prior or an effect as the file states it: `Prior` and `Effect`, which say what it may be, import the models."""


def _written(mapping: Mapping[str, Any], write: SerializerFunctionWrapHandler) -> Any:
    return write(dict(mapping))


type Mapped[K, V] = Annotated[Mapping[K, V], AfterValidator(FrozenDict), WrapSerializer(_written)]
type Named[V] = Mapped[str, V]
NOTHING: FrozenDict[Any, Any] = FrozenDict({})


class Section(BaseModel):
    """A mapping of the file: no unknown keys, no silent conversions, no changes afterwards."""

    model_config = ConfigDict(**STRICT, frozen=True)


Column = Annotated[str | Mapping[str, Any], PlainValidator(_column), PlainSerializer(thawed)]
"""A column's own name, or its place in a file without a header, or `{value: ...}`: one value for all rows."""
Header = Annotated[bool | int | tuple[str, ...], PlainValidator(_header)]
Filter = Annotated[Mapping[str, Any], PlainValidator(_row_filter), PlainSerializer(thawed)]
Sign = Annotated[str, Field(min_length=1, max_length=1)]
Encoding = Annotated[Text, AfterValidator(_encoding)]


class ColumnSection(Section):
    """The file's own names of the columns that are read; a name not given stands for itself, but `ended`: without one
    nobody's end is known."""

    customer_id: Column | None = None
    date: Column | None = None
    amount: Column | None = None
    order_id: Column | None = None
    ended: Column | None = None


class FileSection(Section):
    """What a file does not say of itself, and which of its rows are kept; as `read_transactions` takes it. In a dump
    they stand only where they are stated: stored runs know their experiment by the hash of its dump."""

    decimal: Literal[".", ","] | None = None
    thousands: Literal[".", ",", "'", "’", " ", "\u00a0", "\u202f", "_"] | None = None
    header: Header = True
    escape: Sign | None = None
    where: Filter = NOTHING

    @model_serializer(mode="wrap")
    def _without_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        left_out = [name for name, field in FileSection.model_fields.items() if getattr(self, name) == field.default]
        return {name: value for name, value in write(self).items() if name not in left_out}


class DataSection(FileSection):
    """Where the transactions come from and how they are split: a data set's name, or a file or database of one's own
    (with the name of its `table`); or several tables, which stand in `sources`.

    `calibration_end` is the last day that models see; `holdout` the time after it, in time units or as its last day.
    What a data set knows about itself (time unit, split, currency) need not be said. `data_end` is the last day that
    a file covers where that is not the day of its last order; `customers` the size of a simulated data set. `time` says
    whether purchases may come at any time or once in a time unit, as the models of opportunities and contracts want it.

    `first_amounts` says what spend models of single amounts make of the first: `own` gives it a level of its own,
    `alike` leaves it out, as the literature does, and takes a new customer's first order to be as later ones; `auto`
    gives it one where first and later amounts differ by more than chance makes them.

    `origins` are further days from which forecasts are made and judged, all of them with the same entries: days, or
    how many, evenly over the data. From each the forecast looks as far as each of the `holdouts` says: time units, or
    `end`, up to the last day of the data, which is what no holdouts mean.
    """

    dataset: str | None = None
    transactions: Text | None = None
    table: Text | None = None
    columns: ColumnSection | None = None
    date_format: Text | None = None
    timezone: Text | None = None
    delimiter: Sign | None = None
    encoding: Encoding | None = None
    data_end: Day | None = None
    customers: Annotated[int, Field(ge=200, le=10_000_000)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description=CURRENCY)] | None = None
    amount_unit: Annotated[float, Field(gt=0)] = 1.0
    groups: tuple[Text, ...] = ()
    covariates: tuple[Text, ...] = ()
    policies: Policies | None = None
    acquired_between: Annotated[tuple[Day, ...], Field(min_length=2, max_length=2)] | None = None
    first_amounts: Literal["auto", "own", "alike"] = "auto"
    time: Literal["continuous", "opportunities"] = "continuous"
    time_unit: Literal["hour", "day", "week", "month30", "month", "quarter", "year"] = "week"
    calibration_end: Day | None = None
    holdout: Annotated[float | date | None, PlainValidator(_duration_or_day)] = None
    origins: Annotated[tuple[date, ...] | int, PlainValidator(_days_or_count)] = ()
    holdouts: tuple[Annotated[float | str, PlainValidator(_duration_or_end)], ...] = ()


class CalendarSection(Section):
    """A factor on the purchase rate that is supplied: a file with a row a step (or a customer and step), a data set's
    own, or the weeks of holidays; see `calendars`."""

    path: Text | None = None
    dataset: str | None = None
    holidays: tuple[Day, ...] = ()
    columns: Mapped[Literal["date", "customer_id"], Text] = NOTHING
    index: Text | None = None
    covariates: tuple[Text, ...] = ()
    until: Day | None = None


class SourceSection(FileSection):
    """One table of a company: where it is, what it is of, whose keys it has, and its own names; see `roles.Table`."""

    path: Text
    role: Text
    system: Text = "customer_id"
    table: Text | None = None
    columns: Named[Column] = NOTHING
    date_format: Text | None = None
    delimiter: Sign | None = None
    encoding: Encoding = "utf-8"
    kinds: Named[Text] = NOTHING
    groups: tuple[Text, ...] = ()
    covariates: tuple[Text, ...] = ()
    rules: Named[Text] = NOTHING
    policies: Policies | None = None
    sign: Literal["positive", "negative"] = "positive"
    currency: Text | None = None


class CostSection(Section):
    """A cost model, which all entries share. `window` (of returns and bad debt): for how many days a purchase is
    watched for what comes back; a younger one tells nothing yet. Returns without one: as long as 99% of the returned
    money took to come."""

    model: Text
    window: Days | None = None
    priors: Named[Stated] = NOTHING
    effects: tuple[Stated, ...] = ()


class EntrySection(Section):
    """One entry of the experiment: a purchase model, perhaps on a calendar and with a spend model, priors and effects.

    `k` says how regular the buyers of a model with that option are; of a list the k with the best elpd is taken. `by`
    names a group that pools every part of value: purchases, lifetime, spend, and the cost models where they are used
    with this entry.
    """

    purchases: str
    spend: str | None = None
    k: Annotated[int | tuple[int, ...] | None, PlainValidator(_one_or_several)] = None
    by: Text | None = None
    calendar: str | None = None
    priors: Named[Stated] = NOTHING
    effects: tuple[Stated, ...] = ()


class SamplerSection(Section):
    """How posteriors are found. `allow_failed` names sampling checks whose failure does not fail the command, nor keep
    values from being made of a posterior that failed them."""

    method: Annotated[Literal["auto", "laplace", "nuts"], BeforeValidator(_gives_draws)] = "auto"
    draws: Annotated[int, Field(ge=100, le=100_000)] = 1000
    chains: Annotated[int, Field(ge=2, le=64)] = 4
    tune: Annotated[int, Field(ge=100, le=100_000)] = 1000
    timeout_minutes: Annotated[float, Field(gt=0, le=10_000)] = 60.0
    allow_failed: tuple[Text, ...] = ()


class SatisfactionSection(Section):
    """`prior_answers`: what the prior of the answers to surveys is worth, in answers."""

    prior_answers: Annotated[float, Field(gt=0, le=1000)] = 1.0


class KpiSection(Section):
    """KPIs of the strategy by month or quarter, and by these groups; see `kpis`.

    `dates`: at how many ends of quarters, the date of value the last of them, the base is valued as of that day (0:
    none; left out: 4 where there are economics), by so many `draws`; each is a fit of all models. `value_groups`: how
    many groups of value customers move between.
    """

    period: Literal["month", "quarter"] = "quarter"
    by: Annotated[tuple[Text, ...], Field(max_length=10)] = ()
    dates: Annotated[int | None, Field(ge=0, le=40)] = None
    draws: Annotated[int, Field(ge=100, le=10_000)] = 400
    satisfaction: SatisfactionSection = SatisfactionSection()
    programmes: Annotated[tuple[Programme, ...], Field(max_length=20)] = ()
    value_groups: Annotated[int, Field(ge=2, le=10)] = 5


class ReportSection(Section):
    """`public`: the report is to be published, so customers are shown by place and never by id."""

    public: bool = False
