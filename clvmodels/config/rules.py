"""What the keys of an experiment say together: names that no registry holds, and combinations that cannot be meant.

The rules read the plain mapping, not the checked models, so that they are told beside errors of type in one go; each
is a small generator that looks at what it needs and passes over what is wrong elsewhere. Those of the entries are in
`entry_rules.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pandas as pd

from clvmodels import datasets, figures, metrics, models
from clvmodels.config.cost_rules import cost_problems
from clvmodels.config.document import as_mapping
from clvmodels.config.entry_rules import entry_problems, laplace_problems
from clvmodels.config.finding import SAFE_NAME, as_list, as_text, at, file_problems, known_source
from clvmodels.config.kpi_rules import kpi_problems
from clvmodels.config.source_rules import source_problems
from clvmodels.customers.experience import available
from clvmodels.customers.table import DERIVED_GROUPS
from clvmodels.dates import DAYS_PER_UNIT, period_end
from clvmodels.errors import Problem, unknown
from clvmodels.inference.samplers.checks import MAXIMUM
from clvmodels.metrics.checks import SAMPLING_CODES
from clvmodels.strict import KeyPath

DERIVED: dict[str, tuple[str, ...]] = {"groups": DERIVED_GROUPS, "covariates": ()}
"""Columns for effects: those that are made from the transactions and need no name."""
EFFECT: dict[str, Any] = {
    "parameters": ...,
    "group": None,
    "sd_prior": None,
    "covariates": [],
    "coefficient_prior": None,
    "missing": None,
    "part": ...,
}
"""Keys of an effect that may be left out, in the order of a dump, which is hashed: runs are taken up by it."""
OWN_FILE_ONLY = ("table", "columns", "date_format", "timezone", "delimiter", "encoding", "data_end", "policies")
SIMULATED = ("retailer",)
SAMPLING_CHECKS = tuple(name for name in SAMPLING_CODES if name != MAXIMUM)
"""Those that an experiment may allow to fail; it never fits by "mle"."""


def rule_problems(raw: Mapping[str, Any], config_dir: Path | None = None) -> Iterator[Problem]:
    """Every problem that keys have together; `config_dir` is where relative paths start (None: not looked at)."""
    data = as_mapping(raw.get("data"))
    yield from _names_of_lists(raw)
    yield from _source(data, as_mapping(raw.get("sources")))
    for rule in (_columns, _dates, _timezone, _opportunities):
        yield from rule(data)
    yield from source_problems(raw, config_dir)
    yield from file_problems(("data", "transactions"), data.get("transactions"), config_dir)
    calendars = as_mapping(raw.get("calendars"))
    for name, calendar in calendars.items():
        yield from _calendar(("calendars", name), as_mapping(calendar), data, config_dir)
    yield from _unused(calendars, as_mapping(raw.get("models")))
    yield from _economics(raw)
    yield from _sampler(raw)
    columns = {kind: _available(raw, kind) for kind in DERIVED}
    yield from entry_problems(raw, columns)
    yield from cost_problems(raw, columns)
    yield from kpi_problems(raw, columns["groups"])


def with_defaults(value: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with what its registries know filled in: a data set's own split, all metrics and figures."""
    raw = {"metrics": list(metrics.METRICS), "figures": list(figures.FIGURES), **value}
    if isinstance(raw.get("economics"), dict):
        raw["economics"] = {"margin": None, **raw["economics"]}  # which Python asks for, and a cost model may tell
    for key in ("models", "costs"):
        if isinstance(raw.get(key), dict):
            raw[key] = {name: _with_effects(section) for name, section in raw[key].items()}
    name = as_text(as_mapping(raw.get("data")).get("dataset"))
    if as_mapping(raw.get("data")).get("transactions") is not None:
        raw["data"] = {"policies": {}, **raw["data"]}
    elif name in datasets.DATASETS:
        raw["data"] = _with_dataset(raw["data"], datasets.DATASETS[name].defaults)
        if datasets.DATASETS[name].tables and "sources" not in raw:
            raw["sources"] = datasets.DATASETS[name].sources
    return raw


def _with_effects(section: Any) -> Any:
    """A section whose effects have all keys that may be left out; what is no effect stays as it is."""
    if not isinstance(section, dict) or not isinstance(section.get("effects"), list):
        return section
    return {**section, "effects": [_whole(effect) for effect in section["effects"]]}


def _whole(effect: Any) -> Any:
    if not isinstance(effect, dict):
        return effect
    known = {key: effect.get(key, default) for key, default in EFFECT.items() if key in effect or default is not ...}
    return {**known, **effect}


def _with_dataset(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The data set's own time unit, currency and split; a key that is given, even as null, wins."""
    unit = data.get("time_unit", defaults["time_unit"])
    known = {key: defaults.get(key) for key in ("time", "time_unit", "currency", "calibration_end")}
    if data.get("calibration_end", known["calibration_end"]) is not None and unit in list(DAYS_PER_UNIT):
        days = DAYS_PER_UNIT[defaults["time_unit"]] / DAYS_PER_UNIT[unit]
        known["holdout"] = None if defaults.get("holdout") is None else defaults["holdout"] * days
    return {**data, **{key: given for key, given in known.items() if key not in data and given is not None}}


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _names_of_lists(raw: Mapping[str, Any]) -> Iterator[Problem]:
    registries: dict[str, Iterable[str]] = {"metrics": metrics.METRICS, "figures": figures.FIGURES}
    for key, registry in registries.items():
        for place, name in enumerate(as_list(raw.get(key))):
            if isinstance(name, str) and name not in registry:
                yield at((key, place), unknown(key.removesuffix("s"), name, registry))
            elif isinstance(name, str) and name in as_list(raw[key])[:place]:
                yield at((key, place), Problem(f"'{name}' is listed twice"))


def _source(data: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[Problem]:
    """One source: a data set by name, a file of one's own, or several tables; each described in one place."""
    dataset, transactions = data.get("dataset"), data.get("transactions")
    if dataset is None and transactions is None and not sources:
        known = f"Say dataset: {' or '.join(datasets.DATASETS)}; or transactions: orders.csv; or several sources:"
        yield at(("data",), Problem("No data is named", known=known), key=True)
    if dataset is not None and transactions is not None:
        what = "'dataset' and 'transactions' are both given, and an experiment has one source"
        yield at(("data", "transactions"), Problem(what, known="Remove one of them"), key=True)
    if transactions is not None and sources:
        what = "'transactions' and 'sources' are both given, and orders are one of the sources"
        yield at(("data", "transactions"), Problem(what, known="Remove one of them"), key=True)
    if sources and dataset in datasets.DATASETS and not datasets.DATASETS[dataset].tables:
        having = [name for name, other in datasets.DATASETS.items() if other.tables]
        what = f"The data set '{dataset}' is one table, and 'sources' describe several"
        yield at(("sources",), Problem(what, known=f"Of several tables: {', '.join(having)}"), key=True)
    if sources and transactions is None:
        for key in ("table", "columns", "date_format", "delimiter", "encoding"):
            if data.get(key) is not None:
                what = f"'{key}' describes one file, and each of the sources has its own"
                yield at(("data", key), Problem(what, known=f"Write {key} where the source stands"), key=True)
    if isinstance(dataset, str) and dataset not in datasets.DATASETS:
        yield at(("data", "dataset"), unknown("data set", dataset, datasets.DATASETS))
    if dataset is not None and transactions is None and not sources:
        for key in OWN_FILE_ONLY:
            if data.get(key) is not None:
                what = f"'{key}' describes a file of one's own, and a data set knows its own"
                yield at(("data", key), Problem(what, known=f"Remove {key}"), key=True)
    if data.get("customers") is not None and dataset not in SIMULATED:
        what = "Only a simulated data set takes a number of customers"
        yield at(("data", "customers"), Problem(what, known=f"Known: {', '.join(SIMULATED)}"), key=True)
    for kind in DERIVED:
        yield from _effect_columns(data, kind)


def _effect_columns(data: Mapping[str, Any], kind: str) -> Iterator[Problem]:
    """The columns that data's groups or covariates name."""
    dataset, one = as_text(data.get("dataset")), kind.removesuffix("s")
    taken = Counter(name for name in as_list(data.get(kind)) if isinstance(name, str))
    for place, name in enumerate(as_list(data.get(kind))):
        if isinstance(name, str) and taken[name] > 1:
            yield at(("data", kind, place), Problem(f"The {one} '{name}' is listed twice"))
        elif name in DERIVED[kind]:
            what = f"'{name}' is made from the dates and always there"
            yield at(("data", kind, place), Problem(what, known="Remove it"))
        elif dataset in datasets.DATASETS and name not in _of_dataset(dataset, kind):
            yield at(("data", kind, place), unknown(one, name, _of_dataset(dataset, kind)))


def _columns(data: Mapping[str, Any]) -> Iterator[Problem]:
    columns = {key: name for key, name in as_mapping(data.get("columns")).items() if isinstance(name, str)}
    for key, name in columns.items():
        twin = next((other for other in columns if columns[other] == name and other != key), None)
        if twin is not None and list(columns).index(twin) < list(columns).index(key):
            what = f"The column '{name}' is already taken by '{twin}'"
            yield at(("data", "columns", key), Problem(what))


def _dates(data: Mapping[str, Any]) -> Iterator[Problem]:
    end, holdout = data.get("calibration_end"), data.get("holdout")
    if holdout is not None and end is None and known_source(data):
        what = "A holdout needs to know where it begins"
        yield at(("data", "holdout"), Problem(what, known="Give calibration_end too"), key=True)
    last, first = _day(holdout), _day(end)
    if last and first and last <= first:
        yield at(("data", "holdout"), Problem(f"The holdout ends on {last}, not after calibration_end {first}"))
    between = [_day(value) for value in as_list(data.get("acquired_between"))]
    if len(between) == 2 and between[0] and between[1]:
        if between[0] > between[1]:
            yield at(("data", "acquired_between"), Problem("The first day comes after the last", got=str(between[0])))
        elif first and between[0] > first:
            what = f"No customer can be acquired after calibration_end, {first}, and be in the calibration"
            yield at(("data", "acquired_between"), Problem(what))


def _opportunities(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Where time counts opportunities nothing may cut one in two; and a data set may know of no time of each."""
    name, end = as_text(data.get("dataset")), _day(data.get("calibration_end"))
    if end and name in datasets.DATASETS and datasets.DATASETS[name].no_split:
        known = "Remove calibration_end: entries are compared by elpd on all of the data"
        yield at(("data", "calibration_end"), Problem(datasets.DATASETS[name].no_split, known=known), key=True)
    if data.get("time") != "opportunities":
        return
    unit = data.get("time_unit", "week")
    if end and unit in list(DAYS_PER_UNIT) and (whole := period_end(pd.Timestamp(end), unit).date()) != end:
        what = f"Must be the last day of a {unit}, where time counts opportunities"
        yield at(("data", "calibration_end"), Problem(what, got=str(end), known=f"The next is {whole}"))
    if isinstance(data.get("holdout"), int | float) and data["holdout"] % 1:
        what = f"Opportunities are whole {unit}s"
        yield at(("data", "holdout"), Problem(what, got=str(data["holdout"])))
    if as_mapping(data.get("columns")).get("ended") is not None:
        what = "The day of an end needs continuous time"
        known = "Remove it: of renewals, a period without one tells the end"
        yield at(("data", "columns", "ended"), Problem(what, known=known), key=True)


def _timezone(data: Mapping[str, Any]) -> Iterator[Problem]:
    name, known = as_text(data.get("timezone")), available_timezones()
    if name is None or name in known:
        return
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        problem = unknown("time zone", name, sorted(known))
        what = problem.what.split(" Known:")[0] + " Names are IANA's, such as Europe/Berlin"
        yield at(("data", "timezone"), Problem(what))


def _calendar(
    path: KeyPath, calendar: Mapping[str, Any], data: Mapping[str, Any], config_dir: Path | None
) -> Iterator[Problem]:
    """A calendar has one source, and of a table the columns that are read."""
    if not SAFE_NAME.match(str(path[-1])):
        known = "Up to 60 letters, digits, _ and -, beginning with a letter or digit"
        yield at(path, Problem(f"'{path[-1]}' is no name for a calendar", known=known), key=True)
    sources = [key for key in ("path", "dataset", "holidays") if calendar.get(key)]
    if len(sources) != 1:
        what = f"A calendar has one source, and this one has {' and '.join(sources) or 'none'}"
        known = (
            "Write path: weeks.csv, or holidays: [2025-12-25, ...], or dataset: with the name of one that has its own"
        )
        yield at(path, Problem(what, known=known), key=True)
        return
    source = sources[0]
    if source == "dataset" and as_text(calendar["dataset"]) is not None:
        having = [name for name, dataset in datasets.DATASETS.items() if dataset.calendar]
        if calendar["dataset"] not in having:
            yield at((*path, "dataset"), unknown("data set with a calendar", calendar["dataset"], having))
    if source == "path" and not (calendar.get("index") or calendar.get("covariates")):
        what = "Nothing of the table is read"
        known = "Name its index: (a known factor) or its covariates: (their coefficients are estimated)"
        yield at(path, Problem(what, known=known), key=True)
    for key in ("columns", "index", "covariates", "until"):
        if source != "path" and calendar.get(key):
            yield at((*path, key), Problem(f"'{key}' is of a table of your own (path)"), key=True)
    yield from file_problems((*path, "path"), calendar.get("path"), config_dir)
    if data.get("time") == "opportunities":
        yield at(path, Problem("A calendar needs continuous time", known="Write time: continuous in data"), key=True)


def _unused(calendars: Mapping[str, Any], entries: Mapping[str, Any]) -> Iterator[Problem]:
    """A calendar that no entry is on would not be read, and nothing would say so."""
    used = {as_text(as_mapping(entry).get("calendar")) for entry in entries.values()}
    for name in calendars:
        if name not in used:
            known = f"Write calendar: {name} in a model's entry, or remove it"
            problem = Problem(f"The calendar '{name}' is used by no entry", known=known)
            yield at(("calendars", name), problem, key=True)


def _economics(raw: Mapping[str, Any]) -> Iterator[Problem]:
    data = as_mapping(raw.get("data"))
    horizon = as_mapping(raw.get("economics")).get("horizon")
    if data.get("time") == "opportunities" and isinstance(horizon, int | float) and horizon % 1:
        what = "Must be a whole number of opportunities"
        yield at(("economics", "horizon"), Problem(what, got=str(horizon)))
    if raw.get("economics") is not None:
        for name, entry in as_mapping(raw.get("models")).items():
            if isinstance(entry, dict) and entry.get("spend") is None:
                what = "Economics need a spend model in each entry, and this one has none"
                known = f"Add spend: {_first_with('spend')}, or remove economics for a run of the purchase model only"
                yield at(("models", name), Problem(what, known=known), key=True)
    no_split = data.get("calibration_end") is None and known_source(data)
    if raw.get("value_at") == "calibration_end" and no_split:
        yield at(("value_at",), Problem("Needs a calibration_end in data"))


def _sampler(raw: Mapping[str, Any]) -> Iterator[Problem]:
    if as_mapping(raw.get("sampler")).get("method") == "laplace":
        for name, entry in as_mapping(raw.get("models")).items():
            yield from laplace_problems(("models", name), as_mapping(entry))
    for place, name in enumerate(as_list(as_mapping(raw.get("sampler")).get("allow"))):
        if isinstance(name, str) and name not in SAMPLING_CHECKS:
            yield at(("sampler", "allow", place), unknown("sampling check", name, SAMPLING_CHECKS))


def _first_with(part: str) -> str:
    return next((name for name, model in models.MODELS.items() if part in model.provides), "")


def _available(raw: Mapping[str, Any], kind: str) -> tuple[str, ...] | None:
    """Groups or covariates that effects may name; None where the data set is not known, and so neither are they."""
    data = as_mapping(raw.get("data"))
    if not known_source(data):
        return None
    own = tuple(name for name in as_list(data.get(kind)) if isinstance(name, str))
    sources = [as_mapping(source) for source in as_mapping(raw.get("sources")).values()]
    told = tuple(name for source in sources for name in as_list(source.get(kind)) if isinstance(name, str))
    roles = {str(source.get("role")) for source in sources}
    roles |= {"range"} if any("product_group" in as_mapping(source.get("columns")) for source in sources) else set()
    made = available(roles) if kind == "covariates" else ()
    return (*(own or _of_dataset(as_text(data.get("dataset")), kind)), *told, *DERIVED[kind], *made)


def _of_dataset(name: str | None, kind: str) -> tuple[str, ...]:
    return tuple(datasets.DATASETS[name].defaults.get(kind, ())) if name in datasets.DATASETS else ()
