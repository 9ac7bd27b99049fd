"""The experiment file: YAML -> strict, frozen dataclass-like models; every problem at once, before anything runs.

Each key of the file is a field, of its section where it has one; names of models, metrics, figures and data sets come
from their registries. What a field alone can say (type, range) is checked here, what fields say together in `rules.py`
and its like. This file imports nothing heavy: the registries are met only when a file is checked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from clvmodels.config.document import Document, Mark, read_document, write_document
from clvmodels.config.sections import (
    NOTHING,
    CalendarSection,
    CostSection,
    DataSection,
    EntrySection,
    KpiSection,
    Named,
    ReportSection,
    SamplerSection,
    Section,
    SourceSection,
)
from clvmodels.errors import ConfigError, DataError, Problem
from clvmodels.strict import Text, problems_of
from clvmodels.valuation.economics import Economics

Question = Literal["worth", "which_model", "who_earns", "who_leaves"]
"""What the report answers first (`report.questions`); None: what all are worth, and without economics which model."""


class Experiment(Section):
    """One experiment: the whole file, defaults filled in. `value_at: data_end` judges on the holdout, then fits and
    values again on all data; `calibration_end` values what was judged. `totals: backtested` corrects the sums of all
    customers by what the entries' forecasts of earlier days have missed by; `plain` tells the models' own."""

    title: Text
    question: Question | None = None
    data: DataSection
    sources: Named[SourceSection] = NOTHING
    calendars: Named[CalendarSection] = NOTHING
    models: Annotated[Named[EntrySection], Field(min_length=1)]
    costs: Named[CostSection] = NOTHING
    sampler: SamplerSection = SamplerSection()
    economics: Economics | None = None
    kpis: KpiSection | None = None
    metrics: tuple[str, ...]
    figures: tuple[str, ...]
    totals: Literal["plain", "backtested"] = "backtested"
    value_at: Literal["data_end", "calibration_end"] = "data_end"
    top_share: Annotated[float, Field(gt=0, lt=1, description="A share of the customers: 0.2 means the best 20%")] = 0.2
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


@contextmanager
def problems_by_line(path: Path) -> Iterator[None]:
    """Problems that a run finds with the data, told with the line and column of the key that they are about; what is
    not about a key of the file stays as it is."""
    try:
        yield
    except (ConfigError, DataError) as error:
        if not any(problem.path for problem in error.problems):
            raise
        document = read_document(path)
        raise type(error)([_at_its_line(document, problem) for problem in error.problems]) from error


def _at_its_line(document: Document, problem: Problem) -> Problem:
    if not problem.path:
        return problem
    _, located = _located(document, problem)
    is_told = problem.where in ("", problem.path[-1])
    return located if is_told else replace(located, where=f"{located.where}: {problem.where}")


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
    from clvmodels.config.defaults import with_defaults  # here: they meet the registries, which import the models
    from clvmodels.config.rules import rule_problems

    if not isinstance(document.value, dict):
        remedy = "Begin with title:, data: and models:"
        raise ConfigError(Problem("An experiment is a mapping of keys", document.name, known=remedy))
    raw = with_defaults(document.value)
    problems = list(rule_problems(raw, config_dir))
    try:
        experiment = Experiment.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        problems += problems_of(error, Experiment)
    located = [*document.problems]
    for problem in problems:
        located.append(_located(document, problem))
    if located:
        in_order = sorted(located, key=lambda mark_and_problem: mark_and_problem[0])
        raise ConfigError([problem for _, problem in in_order])
    return experiment


def _located(document: Document, problem: Problem) -> tuple[Mark, Problem]:
    """A problem with the line and column of what it is about."""
    mark = document.mark(problem.path, key=problem.at_key)
    where = document.where(problem.path, key=problem.at_key)
    return mark, replace(problem, where=where)
