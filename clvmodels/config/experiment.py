"""The experiment file: YAML -> strict, frozen dataclass-like models; every problem at once, before anything runs.

Each key of the file is a field, of its section where it has one; names of models, metrics, figures and data sets come
from their registries. What a field alone can say (type, range) is checked here, what fields say together in `rules.py`
and its like. This file imports nothing heavy: the registries are met only when a file is checked.
"""

from __future__ import annotations

import json
import os
import re
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from clvmodels.config.document import Document, read_document, write_document
from clvmodels.config.document import Path as KeyPath
from clvmodels.config.sections import (
    CalendarSection,
    CostSection,
    DataSection,
    EconomicsSection,
    EntrySection,
    KpiSection,
    ReportSection,
    SamplerSection,
    Section,
    SourceSection,
    Text,
)
from clvmodels.errors import ConfigError, Problem, unknown


class Experiment(Section):
    """One experiment: the whole file, defaults filled in."""

    title: Text
    data: DataSection
    sources: dict[str, SourceSection] = Field(default_factory=dict)
    calendars: dict[str, CalendarSection] = Field(default_factory=dict)
    models: Annotated[dict[str, EntrySection], Field(min_length=1)]
    costs: dict[str, CostSection] = Field(default_factory=dict)
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
    from clvmodels.config.rules import findings, with_defaults  # meets the registries, which import the models

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
        key = item["type"] in (*EXTRA, "missing")
        problem = _problem(path, dict(item))
        yield document.mark(path, key=key), _at(document.where(path, key=key), problem)


def _problem(path: KeyPath, item: dict[str, Any]) -> Problem:
    """What one of pydantic's errors means to somebody who wrote a file."""
    if item["type"] in EXTRA:
        return unknown("key", path[-1], _fields(path[:-1]))
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


EXTRA = ("extra_forbidden", "unexpected_keyword_argument")
"""A key that a section does not have, in pydantic's words for a model and for a dataclass."""
_MESSAGES = {
    "dataclass_type": "Must be a mapping of keys, as in {a: 1, b: 2}",
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


def _fields(path: KeyPath) -> Collection[str]:
    """The keys that the section at `path` may have, found through the annotations."""
    section: Any = Experiment
    for part in path:
        if part in _keys(section):
            section = next(_sections(typing.get_type_hints(section)[str(part)]), section)
    return _keys(section)


def _keys(section: Any) -> Collection[str]:
    return section.model_fields if issubclass(section, Section) else [field.name for field in fields(section)]


def _sections(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and (issubclass(annotation, Section) or is_dataclass(annotation)):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _sections(argument)
