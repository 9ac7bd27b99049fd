"""The experiment file: YAML -> strict, frozen dataclass-like models; every problem at once, before anything runs.

Each key of the file is a field below; names of models, metrics, figures and data sets come from their registries.
What a field alone can say (type, range) is checked here, what fields say together in `rules.py` and
`entry_rules.py`. This file imports nothing heavy: the registries are met only when a file is checked.
"""

from __future__ import annotations

import json
import math
import os
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from clvmodels.document import Document, read_document, write_document
from clvmodels.document import Path as KeyPath
from clvmodels.errors import ConfigError, Problem, unknown

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


def _one_or_several(value: object) -> int | tuple[int, ...] | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, list) and value and all(type(one) is int for one in value):
        return tuple(value)
    raise ValueError("must be a whole number, or a list of those to choose from, as in [1, 2, 3, 4]")


Day = Annotated[date, PlainValidator(_day)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Parameters = Annotated[tuple[str, ...], Field(min_length=1)]


class Section(BaseModel):
    """A mapping of the file: no unknown keys, no silent conversions, no changes afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class PolicySection(Section):
    """What is done with rows that are not plain orders; the meaning is in `sources.Policies`."""

    unreadable: Literal["refuse", "drop"] = "refuse"
    missing_id: Literal["drop", "refuse"] = "drop"
    missing_date: Literal["refuse", "drop"] = "refuse"
    missing_amount: Literal["refuse", "drop"] = "refuse"
    duplicates: Literal["keep", "drop"] = "keep"
    refunds: Literal["drop", "net", "returns", "refuse"] = "drop"
    zero_amounts: Literal["keep", "drop"] = "keep"
    after_ended: Literal["refuse", "drop"] = "refuse"


class ColumnSection(Section):
    """The file's own names of the columns that are read; a name not given stands for itself, but `ended`: without one
    nobody's end is known."""

    customer_id: Text | None = None
    date: Text | None = None
    amount: Text | None = None
    order_id: Text | None = None
    ended: Text | None = None


class DataSection(Section):
    """Where the transactions come from and how they are split: a data set's name, or a file or database of one's own
    (with the name of its `table`); or several tables, which stand in `sources`.

    `calibration_end` is the last day that models see; `holdout` the time after it, in time units or as its last day.
    What a data set knows about itself (time unit, split, currency) need not be said. `data_end` is the last day that
    a file covers where that is not the day of its last order; `customers` the size of a simulated data set. `time` says
    whether purchases may come at any time or once in a time unit, as the models of opportunities and contracts want it.
    """

    dataset: str | None = None
    transactions: Text | None = None
    table: Text | None = None
    columns: ColumnSection | None = None
    date_format: Text | None = None
    timezone: Text | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: Literal["utf-8", "latin-1", "utf-16"] | None = None
    data_end: Day | None = None
    customers: Annotated[int, Field(ge=200, le=10_000_000)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    amount_unit: Annotated[float, Field(gt=0)] = 1.0
    groups: tuple[Text, ...] = ()
    covariates: tuple[Text, ...] = ()
    policies: PolicySection | None = None
    acquired_between: Annotated[tuple[Day, ...], Field(min_length=2, max_length=2)] | None = None
    time: Literal["continuous", "opportunities"] = "continuous"
    time_unit: Literal["day", "week", "month", "year"] = "week"
    calibration_end: Day | None = None
    holdout: Annotated[float | date | None, PlainValidator(_duration_or_day)] = None


class CalendarSection(Section):
    """A factor on the purchase rate that is supplied: a file with a row a step (or a customer and step), a data set's
    own, or the weeks of holidays; see `calendars`."""

    path: Text | None = None
    dataset: str | None = None
    holidays: tuple[Day, ...] = ()
    columns: dict[Literal["date", "customer_id"], Text] = {}
    index: Text | None = None
    covariates: tuple[Text, ...] = ()
    until: Day | None = None


class SourceSection(Section):
    """One table of a company: where it is, what it is of, whose keys it has, and its own names; see `roles.Table`."""

    path: Text
    role: Text
    system: Text = "customer_id"
    table: Text | None = None
    columns: dict[str, Text] = {}
    date_format: Text | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"
    kinds: dict[str, Text] = {}
    groups: tuple[Text, ...] = ()
    covariates: tuple[Text, ...] = ()
    rules: dict[str, Text] = {}
    policies: PolicySection | None = None
    sign: Literal["positive", "negative"] = "positive"
    currency: Text | None = None


class CostEffectSection(Section):
    """A partially pooled group, or covariates, on parameters that share a coefficient; see `effects.Effect`."""

    parameters: Parameters
    group: Text | None = None
    sd_prior: dict[str, Any] | None = None
    covariates: tuple[Text, ...] = ()
    coefficient_prior: dict[str, Any] | None = None
    missing: Literal["refuse", "mean", "indicator"] | None = None


class EffectSection(CostEffectSection):
    """An effect on parameters of one part of an entry's models.

    `missing` says what customers without a covariate are, and by default there may be none.
    """

    part: Literal["purchases", "lifetime", "spend"]


class CostSection(Section):
    """A cost model, which all entries share. `window` (of returns and bad debt): for how many days a purchase is
    watched for what comes back; a younger one tells nothing yet."""

    model: Text
    window: Annotated[int, Field(ge=1, le=3660)] | None = None
    priors: dict[str, dict[str, Any]] = {}
    effects: tuple[CostEffectSection, ...] = ()


class EntrySection(Section):
    """One entry of the experiment: a purchase model, perhaps on a calendar and with a spend model, priors and effects.

    `k` says how regular the buyers of a model with that option are; of a list the k with the best elpd is taken.
    """

    purchases: str
    spend: str | None = None
    k: Annotated[int | tuple[int, ...] | None, PlainValidator(_one_or_several)] = None
    calendar: str | None = None
    priors: dict[str, dict[str, Any]] = {}
    effects: tuple[EffectSection, ...] = ()


class SamplerSection(Section):
    """How posteriors are found. `allow` names sampling checks whose failure does not fail the command."""

    method: Literal["auto", "laplace", "nuts"] = "auto"
    draws: Annotated[int, Field(ge=100, le=100_000)] = 1000
    chains: Annotated[int, Field(ge=2, le=64)] = 4
    tune: Annotated[int, Field(ge=100, le=100_000)] = 1000
    timeout_minutes: Annotated[float, Field(gt=0, le=10_000)] = 60.0
    allow: tuple[Text, ...] = ()


Share = Annotated[float, Field(ge=0, le=1)]
Money = Annotated[float, Field(ge=0)]


class RetentionSection(Section):
    """Contacts that are to keep customers: what one costs, how often, until how long a silence; in time units."""

    cost: Annotated[float, Field(gt=0)]
    every: Annotated[float, Field(gt=0)]
    until_silent: Annotated[float, Field(gt=0)]
    campaigns: tuple[Text, ...] = ()


class ReferralSection(Section):
    """The credit for customers who are brought by customers; `group` says which groups these belong to."""

    incremental: Share
    reward: Money = 0.0
    group: dict[str, Text] = {}


class EconomicsSection(Section):
    """What turns purchases into profit: margin (share of revenue; left out where a cost model tells it), discount rate
    (a year), horizon (time units), and what the relation costs; see `economics.Economics`."""

    margin: Annotated[float, Field(gt=0, le=1)] | None = None
    annual_discount_rate: Annotated[float, Field(gt=-1, lt=1)]
    horizon: Annotated[float, Field(gt=0)]
    cost_per_order: Money = 0.0
    cost_per_return: Money = 0.0
    cost_per_contact: Money = 0.0
    cost_per_minute: Money = 0.0
    resold: Share = 0.0
    written_off: Share = 0.0
    payment_fee: Share = 0.0
    payment_fee_per_order: Money = 0.0
    recovered: Share = 0.0
    retention: RetentionSection | None = None
    referral: ReferralSection | None = None


class SatisfactionSection(Section):
    """`prior_answers`: what the prior of the answers to surveys is worth, in answers."""

    prior_answers: Annotated[float, Field(gt=0, le=1000)] = 1.0


class ProgrammeSection(Section):
    """A campaign whose customers chance dealt to treatment and control; its outcome counts for so many weeks."""

    campaign: Text
    weeks: Annotated[float, Field(gt=0, le=520)]


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
    programmes: Annotated[tuple[ProgrammeSection, ...], Field(max_length=20)] = ()
    value_groups: Annotated[int, Field(ge=2, le=10)] = 5


class ReportSection(Section):
    """`public`: the report is to be published, so customers are shown by place and never by id."""

    public: bool = False


class Experiment(Section):
    """One experiment: the whole file, defaults filled in."""

    title: Text
    data: DataSection
    sources: dict[str, SourceSection] = {}
    calendars: dict[str, CalendarSection] = {}
    models: Annotated[dict[str, EntrySection], Field(min_length=1)]
    costs: dict[str, CostSection] = {}
    sampler: SamplerSection = SamplerSection()
    economics: EconomicsSection | None = None
    kpis: KpiSection | None = None
    metrics: tuple[str, ...]
    figures: tuple[str, ...]
    value_at: Literal["data_end", "calibration_end"] = "data_end"
    top_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    report: ReportSection = ReportSection()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], *, config_dir: Path | str | None = None) -> Experiment:
        """The experiment that a nested dict describes, checked as a file is.

        `config_dir` is the folder that relative paths start from; without it no file is looked for.
        Raises ConfigError with every problem found.
        """
        value = json.loads(json.dumps(mapping, default=_plain))
        return _check(Document(value), None if config_dir is None else Path(config_dir))


def load_experiment(path: Path | str) -> Experiment:
    """Read and check an experiment file; paths in it are relative to the file.

    Raises ConfigError with every problem found, each with file, line and column.
    """
    path = Path(path)
    return _check(read_document(path), path.parent)


def dump(experiment: Experiment) -> str:
    """The experiment as YAML text with every default written out; `load_experiment` reads it back as an equal one."""
    return write_document(json.loads(json.dumps(experiment.model_dump(), default=_plain)))


def _plain(value: Any) -> Any:
    """Dates, paths and NumPy's scalars as JSON has them; anything else has no place in an experiment."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "item"):
        return value.item()
    raise ConfigError(Problem("An experiment holds text, numbers, dates, lists and dicts only", got=repr(value)))


def _check(document: Document, config_dir: Path | None) -> Experiment:
    from clvmodels.rules import findings, with_defaults  # meets the registries, which import the models

    if not isinstance(document.value, dict):
        known = "Begin with title:, data: and models:"
        raise ConfigError(Problem("An experiment is a mapping of keys", document.name, known=known))
    raw = with_defaults(document.value)
    located = [*document.problems]
    experiment: Experiment | None = None
    try:
        experiment = Experiment.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        located += _located(document, error)
    for finding in findings(raw, config_dir):
        where = document.where(finding.path, key=finding.key)
        mark = document.mark(finding.path, key=finding.key)
        located += [(mark, _at(where, problem)) for problem in finding.problems]
    if located or experiment is None:
        raise ConfigError([problem for _, problem in sorted(located, key=lambda item: item[0])])
    return experiment


def _at(where: str, problem: Problem) -> Problem:
    return Problem(problem.what, where, problem.got, problem.known)


def _located(document: Document, error: ValidationError) -> Iterable[tuple[tuple[int, int], Problem]]:
    """Pydantic's errors as problems that stand at a line and column and say what is allowed."""
    for item in error.errors(include_url=False):
        path: KeyPath = tuple(part for part in item["loc"] if part != "[key]")
        key = item["type"] in ("extra_forbidden", "missing")
        problem = _problem(path, dict(item))
        yield document.mark(path, key=key), _at(document.where(path, key=key), problem)


def _problem(path: KeyPath, item: dict[str, Any]) -> Problem:
    """What one of pydantic's errors means to somebody who wrote a file."""
    if item["type"] == "extra_forbidden":
        return unknown("key", path[-1], _section(path[:-1]).model_fields)
    if item["type"] == "missing":
        return Problem(f"The key '{path[-1]}' is missing")
    message = _MESSAGES.get(item["type"], item["msg"].removeprefix("Value error, ").replace("Input should", "Must"))
    if item["type"] == "too_short":
        message = f"Must have at least {item['ctx']['min_length']} of them"
    field = ".".join(str(part) for part in path if isinstance(part, str))
    advice = _ADVICE.get(field, "") or _advice(item["type"], item["input"])
    if field == "sampler.method" and item["input"] == "mle":
        advice = "mle gives one point and no posterior, so no ranges: use it in Python or with clvmodels fit"
    return Problem(message[0].upper() + message[1:], got=_shown(item["input"]), known=advice)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


_MESSAGES = {
    "string_type": "Must be text",
    "string_too_short": "Must not be empty",
    "string_pattern_mismatch": "Is not written as it should be",
    "int_type": "Must be a whole number",
    "float_type": "Must be a number",
    "bool_type": "Must be true or false, in these words",
    "tuple_type": "Must be a list, as in [a, b]",
    "dict_type": "Must be a mapping of keys, as in {a: 1, b: 2}",
    "model_type": "Must be a mapping of keys, as in {a: 1, b: 2}",
    "finite_number": "Must be a finite number",
}
_ADVICE = {
    "data.currency": "Three capital letters, such as EUR or USD",
    "economics.margin": "A share of revenue: 0.3 means 30%",
    "economics.annual_discount_rate": "A yearly rate: 0.12 means 12%",
    "economics.horizon": "A number of the data's time units, such as 52 with weeks",
    "top_share": "A share of the customers: 0.2 means the best 20%",
}


def _advice(kind: str, value: Any) -> str:
    """A hint for text that stands where YAML 1.1 would have seen a number, or the other way round."""
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "Put it in quotes"
    if kind in ("int_type", "float_type") and isinstance(value, str) and re.match(r"[-+]?[.\d]", value):
        return "Write numbers as plain decimals without quotes, such as 1000, 0.12 or 1e-3"
    return ""


def _section(path: KeyPath) -> type[Section]:
    """The section that stands at `path`, found through the annotations."""
    section: type[Section] = Experiment
    for part in path:
        if part in section.model_fields:
            section = next(_sections(section.model_fields[str(part)].annotation), section)
    return section


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _sections(argument)
