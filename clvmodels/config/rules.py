"""What the keys of an experiment say together: names that no registry holds, and combinations that cannot be meant.

The rules read the plain mapping, not the checked models, so that they are told beside errors of type in one go; each
is a small generator that looks at what it needs and passes over what is wrong elsewhere. Those of a section are in the
file of its name; what a class can say of itself (`Economics`, `Effect`, `Prior`, ...) is said there, and not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clvmodels import figures, metrics, models
from clvmodels.config.calendar_rules import calendar_problems
from clvmodels.config.cost_rules import cost_problems
from clvmodels.config.data_rules import DERIVED, data_problems, effect_columns
from clvmodels.config.document import as_mapping
from clvmodels.config.entry_rules import entry_problems, laplace_problems
from clvmodels.config.finding import as_list, at, file_problems, known_source
from clvmodels.config.kpi_rules import kpi_problems
from clvmodels.config.source_rules import source_problems
from clvmodels.errors import Problem, unknown
from clvmodels.inference.samplers.checks import MAXIMUM
from clvmodels.metrics.checks import SAMPLING_CODES

SAMPLING_CHECKS = tuple(name for name in SAMPLING_CODES if name != MAXIMUM)
"""Those that an experiment may allow to fail; it never fits by "mle"."""


def rule_problems(raw: Mapping[str, Any], config_dir: Path | None = None) -> Iterator[Problem]:
    """Every problem that keys have together; `config_dir` is where relative paths start (None: not looked at)."""
    yield from _names("metric", ("metrics",), raw.get("metrics"), metrics.METRICS)
    yield from _names("figure", ("figures",), raw.get("figures"), figures.FIGURES)
    yield from data_problems(raw)
    yield from source_problems(raw, config_dir)
    transactions = as_mapping(raw.get("data")).get("transactions")
    yield from file_problems(("data", "transactions"), transactions, config_dir)
    yield from calendar_problems(raw, config_dir)
    yield from _economics(raw)
    yield from _sampler(raw)
    columns = {kind: effect_columns(raw, kind) for kind in DERIVED}
    yield from entry_problems(raw, columns)
    yield from cost_problems(raw, columns)
    yield from kpi_problems(raw, columns["groups"])


def _names(kind: str, path: tuple[str, ...], stated: Any, registry: Iterable[str]) -> Iterator[Problem]:
    """A list of names of a registry, each once."""
    names = as_list(stated)
    for place, name in enumerate(names):
        if not isinstance(name, str):
            continue
        if name not in registry:
            yield at((*path, place), unknown(kind, name, registry))
        elif name in names[:place]:
            yield at((*path, place), Problem(f"'{name}' is listed twice"))


def _economics(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Money needs a spend model in each entry, and a date of value and a horizon that fit the data's time."""
    data = as_mapping(raw.get("data"))
    horizon = as_mapping(raw.get("economics")).get("horizon")
    if data.get("time") == "opportunities" and isinstance(horizon, int | float) and horizon % 1:
        yield at(("economics", "horizon"), Problem("Must be a whole number of opportunities", got=str(horizon)))
    if raw.get("economics") is not None:
        yield from _without_spend(as_mapping(raw.get("models")))
    no_split = data.get("calibration_end") is None and known_source(data)
    if raw.get("value_at") == "calibration_end" and no_split:
        yield at(("value_at",), Problem("Needs a calibration_end in data"))


def _without_spend(entries: Mapping[str, Any]) -> Iterator[Problem]:
    spend_models = [name for name, model in models.MODELS.items() if "spend" in model.provides]
    for name, entry in entries.items():
        if isinstance(entry, dict) and entry.get("spend") is None:
            message = "Economics need a spend model in each entry, and this one has none"
            remedy = f"Add spend: {spend_models[0]}, or remove economics for a run of the purchase model only"
            yield at(("models", name), Problem(message, known=remedy), key=True)


def _sampler(raw: Mapping[str, Any]) -> Iterator[Problem]:
    sampler = as_mapping(raw.get("sampler"))
    if sampler.get("method") == "laplace":
        for name, entry in as_mapping(raw.get("models")).items():
            yield from laplace_problems(("models", name), as_mapping(entry))
    for place, name in enumerate(as_list(sampler.get("allow_failed"))):
        if isinstance(name, str) and name not in SAMPLING_CHECKS:
            yield at(("sampler", "allow_failed", place), unknown("sampling check", name, SAMPLING_CHECKS))
