"""What the keys of an experiment's entries say together: their models, calendars, priors and effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from clvmodels import datasets, models
from clvmodels.config.document import as_mapping
from clvmodels.config.finding import SAFE_NAME, as_list, as_text, at, known_source
from clvmodels.dates import TIMES
from clvmodels.errors import ConfigError, Problem, unknown
from clvmodels.inference.effect_problems import repeated_effects, target_problems
from clvmodels.inference.effects import Effect, pooled_by
from clvmodels.models.prior import Prior
from clvmodels.strict import KeyPath

ONE_STEP = {
    "name": "any",
    "bounds": [0.0, 1.0],
    "log_index": [0.0],
    "log_mean": 0.0,
    "covariates": [],
    "values": [[[]]],
    "until": "",
}
"""The least calendar, to ask a model whether it goes with one."""
ROLES_OF_ENTRY = {"purchases": "purchase model", "spend": "spend model"}
"""Keys of an entry that name a model, and what messages call it."""
Columns = Mapping[str, Sequence[str] | None]
"""The groups and covariates that effects may name, by kind; None where the data set is not known."""
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


class Targets(NamedTuple):
    """What the priors and effects of an entry may name, as far as its models are known.

    Parameters
    ----------
    parts
        Parameter -> its part of a model.
    supports
        Parameter -> where its prior lives.
    handles
        What moves several parameters at once -> its part.
    """

    parts: Mapping[str, str]
    supports: Mapping[str, str]
    handles: Mapping[str, str]


NO_TARGETS = Targets({}, {}, {})


def entry_problems(raw: Mapping[str, Any], columns: Columns) -> Iterator[Problem]:
    """Every problem that the keys of entries have; `columns` are those that effects may name, by kind."""
    entries = as_mapping(raw.get("models"))
    calendars = as_mapping(raw.get("calendars"))
    yield from _entry_names(entries)
    for name, stated in entries.items():
        path = ("models", name)
        entry = as_mapping(stated)
        targets = _targets(entry, calendars)
        yield from _models_of(path, entry, calendars)
        yield from prior_problems(path, entry, targets)
        yield from effect_problems(path, as_list(entry.get("effects")), columns, targets)
        yield from _by((*path, "by"), as_text(entry.get("by")), columns["groups"], targets)
        purchases = as_text(entry.get("purchases"))
        yield from _time((*path, "purchases"), purchases, as_mapping(raw.get("data")))


def _entry_names(entries: Mapping[str, Any]) -> Iterator[Problem]:
    in_lower_case = Counter(name.lower() for name in entries)
    for name in entries:
        if not SAFE_NAME.match(name) or name.lower() in _RESERVED:
            message = f"The name '{name}' is not safe as a file's name on every system"
            remedy = "Up to 60 letters, digits, _ and -, beginning with a letter or digit; no device name such as con"
            yield at(("models", name), Problem(message, known=remedy), key=True)
        elif in_lower_case[name.lower()] > 1:
            message = f"The name '{name}' differs from another entry's only by capitals, and some file systems see none"
            yield at(("models", name), Problem(message), key=True)


def _targets(entry: Mapping[str, Any], calendars: Mapping[str, Any]) -> Targets:
    """The parameters of the entry's models and calendar; none where a model is misspelt and its own are not known."""
    parts: dict[str, str] = {}
    supports: dict[str, str] = {}
    handles: dict[str, str] = {}
    for role in ROLES_OF_ENTRY:
        name = as_text(entry.get(role))
        if name is None:
            continue
        if name not in _having(role):
            return NO_TARGETS
        model = models.MODELS[name].widest
        parts |= {parameter.name: parameter.part for parameter in model.parameters}
        supports |= {parameter.name: parameter.support for parameter in model.parameters}
        handles |= {handle.name: handle.part for handle in model.handles}
    if (calendar := as_text(entry.get("calendar"))) is not None:
        of_calendar = _coefficients(as_mapping(calendars.get(calendar)))
        parts |= dict.fromkeys(of_calendar, "purchases")
        supports |= dict.fromkeys(of_calendar, "real")
    return Targets(parts, supports, handles)


def _models_of(path: KeyPath, entry: Mapping[str, Any], calendars: Mapping[str, Any]) -> Iterator[Problem]:
    """The entry's models are there, and go with its k and its calendar."""
    for role, kind in ROLES_OF_ENTRY.items():
        name = as_text(entry.get(role))
        names = _having(role)
        if name is not None and name not in names:
            yield at((*path, role), unknown(kind, name, names))
    purchases = as_text(entry.get("purchases"))
    calendar = as_text(entry.get("calendar"))
    if calendar is not None:
        yield from _on_calendar((*path, "calendar"), calendar, purchases, calendars)
    yield from _regularity((*path, "k"), entry.get("k"), purchases)


def _having(role: str) -> list[str]:
    """The models that have that part."""
    return [name for name, model in models.MODELS.items() if role in model.provides]


def _regularity(path: KeyPath, k: Any, name: str | None) -> Iterator[Problem]:
    """k is an option of some purchase models, in their range; each of a list once."""
    if k is None or name is None or name not in models.MODELS:
        return
    if "k" not in models.MODELS[name].options:
        with_k = [member for member, model in models.MODELS.items() if "k" in model.options]
        message = f"The model '{name}' has no option 'k'"
        yield at(path, Problem(message, known=f"These have: {', '.join(with_k)}"), key=True)
        return
    numbers = k if isinstance(k, list) else [k]
    for place, number in enumerate(numbers):
        if type(number) is not int:  # which its type says; `true` is no number here
            continue
        here = (*path, place) if isinstance(k, list) else path
        if number in numbers[:place]:
            yield at(here, Problem(f"k = {number} is listed twice"))
        else:
            yield from _raised(here, models.MODELS[name].given, k=number)


def _on_calendar(path: KeyPath, name: str, model: str | None, calendars: Mapping[str, Any]) -> Iterator[Problem]:
    """The entry's calendar is one of the file's, and its model goes with one."""
    if name not in calendars:
        yield at(path, unknown("calendar", name, calendars))
    if model in models.MODELS:
        yield from _raised(path, models.MODELS[model].given, calendar=ONE_STEP)


def _coefficients(calendar: Mapping[str, Any]) -> list[str]:
    """The parameters that a calendar adds to a model."""
    if calendar.get("holidays"):
        return [models.coefficient("holiday")]
    covariates = as_list(calendar.get("covariates"))
    dataset = as_text(calendar.get("dataset"))
    if dataset in datasets.DATASETS:
        covariates = list(datasets.DATASETS[dataset].calendar_covariates)
    return [models.coefficient(name) for name in covariates if isinstance(name, str)]


def prior_problems(path: KeyPath, section: Mapping[str, Any], targets: Targets) -> Iterator[Problem]:
    """The priors of an entry or of a cost model: of parameters that there are, and as `Prior` takes them."""
    for name, stated in as_mapping(section.get("priors")).items():
        here = (*path, "priors", name)
        if targets.parts and name not in targets.parts:
            yield at(here, unknown("parameter", name, targets.parts), key=True)
        if isinstance(stated, dict):
            yield from _raised(here, Prior.from_mapping, stated, support=targets.supports.get(name))


def _raised(path: KeyPath, construct: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Problem]:
    """The problems for which something cannot be constructed; none where it can."""
    try:
        construct(*args, **kwargs)
    except ConfigError as error:
        return [at(path, problem) for problem in error.problems]
    return []


def effect_problems(path: KeyPath, stated: Sequence[Any], columns: Columns, targets: Targets) -> Iterator[Problem]:
    """Every problem of a list of effects: of each alone, of what it moves and reads, of two beside each other."""
    effects: dict[int, Effect] = {}
    for place, mapping in enumerate(stated):
        here = (*path, "effects", place)
        if not isinstance(mapping, dict):
            continue
        problems = _raised((), Effect.from_mapping, mapping)
        yield from (at(here, problem) for problem in problems)
        wrong_keys = {problem.path[0] for problem in problems if problem.path}
        effect = _sound_part(mapping, wrong_keys)
        if effect is None:
            continue
        effects[place] = effect
        yield from (at(here, problem) for problem in _reading_problems(effect, columns))
        if targets.parts:
            parts = {**targets.parts, **targets.handles}
            for problem in target_problems(effect, parts, targets.handles):
                yield at(here, problem)
    places = list(effects)
    for number, problem in repeated_effects(list(effects.values())):
        yield at((*path, "effects", places[number]), problem)


def _sound_part(mapping: Mapping[str, Any], wrong: Collection[Any]) -> Effect | None:
    """The effect without the keys that are wrong, so that the others are judged in one go with them."""
    sound = {key: value for key, value in mapping.items() if key not in wrong}
    try:
        return Effect.from_mapping(sound)
    except ConfigError:
        return None


def _reading_problems(effect: Effect, columns: Columns) -> Iterator[Problem]:
    """The columns that an effect reads are those that the data name."""
    kind = f"{effect.kind}s"
    names = columns[kind]
    if names is None:
        return
    for place, name in enumerate(effect.columns):
        if name not in names:
            message = unknown(effect.kind, name, names).what
            yield Problem(message, known=f"Columns are named in data's {kind}: [...]", path=effect.path_of(place))


def _by(path: KeyPath, name: str | None, groups: Sequence[str] | None, targets: Targets) -> Iterator[Problem]:
    """The group that pools every part is one that the data name, and can be the group of an effect."""
    if name is None:
        return
    if groups is not None and name not in groups:
        message = unknown("group", name, groups).what
        yield at(path, Problem(message, known="Columns are named in data's groups: [...]"))
    try:
        Effect("purchases", ("level",), name)
    except ConfigError as error:
        yield from (at(path, replace(problem, path=())) for problem in error.problems)
    if name in targets.parts:
        what = f"a column of an effect cannot be called '{name}', as a parameter is"
        yield at(path, Problem(what, known="Rename the column"))


def _time(path: KeyPath, name: str | None, data: Mapping[str, Any]) -> Iterator[Problem]:
    """A purchase model reads customers of its own time, as far as their time is known."""
    time = data.get("time", "continuous")
    if name in models.MODELS and time in TIMES and known_source(data):
        for problem in models.time_problems(models.MODELS[name], time):
            yield at(path, problem)


def _pooled(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The effects that an entry's `by` adds to those that it states."""
    by = as_text(entry.get("by"))
    if by is None:
        return
    stated = [_sound_part(effect, ()) for effect in as_list(entry.get("effects")) if isinstance(effect, dict)]
    sound = [effect for effect in stated if effect is not None]
    for role in ROLES_OF_ENTRY:
        name = as_text(entry.get(role))
        if name in _having(role):
            added = pooled_by(models.MODELS[name], by, sound)[len(sound) :]
            yield from (effect.to_mapping() for effect in added)


def laplace_problems(path: KeyPath, entry: Mapping[str, Any]) -> Iterator[Problem]:
    """laplace follows two between-group sds of a model; purchases and lifetime are one model, spend is another."""
    effects = [as_mapping(effect) for effect in as_list(entry.get("effects"))]
    counts: Counter[str] = Counter()
    for effect in [*effects, *_pooled(entry)]:
        if effect.get("group") is None:
            continue
        part = str(effect.get("part"))
        counts["purchases" if part == "lifetime" else part] += 1
    for role, count in counts.items():
        if count > 2:
            message = f"laplace can follow two pooled groups of a model, and the {role} model has {count}"
            remedy = "Use method: auto or nuts, or list parameters that may share their coefficients in one effect"
            yield at((*path, "effects"), Problem(message, known=remedy), key=True)
