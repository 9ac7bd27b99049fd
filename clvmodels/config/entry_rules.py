"""What the keys of an experiment's entries say together: their models, calendars, priors and effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clvmodels import datasets, models
from clvmodels.config.document import as_mapping
from clvmodels.config.finding import SAFE_NAME, Finding, as_list, as_text, known_source
from clvmodels.dates import TIMES
from clvmodels.errors import ConfigError, Problem, unknown
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
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def entry_findings(raw: Mapping[str, Any], columns: Mapping[str, Sequence[str] | None]) -> Iterator[Finding]:
    """Every problem that the keys of entries have; `columns` are those that effects may name, by kind."""
    entries = as_mapping(raw.get("models"))
    yield from _entry_names(entries)
    for name, entry in entries.items():
        yield from _entry(("models", name), as_mapping(entry), columns, as_mapping(raw.get("calendars")))
        purchases = as_text(as_mapping(entry).get("purchases"))
        yield from _time(("models", name, "purchases"), purchases, as_mapping(raw.get("data")))


def _entry_names(entries: Mapping[str, Any]) -> Iterator[Finding]:
    lower = Counter(name.lower() for name in entries)
    for name in entries:
        if not SAFE_NAME.match(name) or name.lower() in _RESERVED:
            what = f"The name '{name}' is not safe as a file's name on every system"
            known = "Up to 60 letters, digits, _ and -, beginning with a letter or digit; no device name such as con"
            yield Finding(("models", name), [Problem(what, known=known)], key=True)
        elif lower[name.lower()] > 1:
            what = f"The name '{name}' differs from another entry's only by capitals, and some file systems see none"
            yield Finding(("models", name), [Problem(what)], key=True)


def _entry(
    path: KeyPath, entry: Mapping[str, Any], columns: Mapping[str, Sequence[str] | None], calendars: Mapping[str, Any]
) -> Iterator[Finding]:
    """One entry: its models, its calendar, its priors, its effects."""
    part_of: dict[str, str] = {}
    supports: dict[str, str] = {}
    handles: dict[str, str] = {}
    complete = True
    for role in ("purchases", "spend"):
        name = as_text(entry.get(role))
        fitting = [known for known, model in models.MODELS.items() if role in model.provides]
        if name is not None and name not in fitting:
            kind = "purchase model" if role == "purchases" else "spend model"
            complete = False
            yield Finding((*path, role), [unknown(kind, name, fitting)])
        elif name is not None:
            part_of |= {parameter.name: parameter.part for parameter in models.MODELS[name].parameters}
            supports |= {parameter.name: parameter.support for parameter in models.MODELS[name].parameters}
            handles |= {handle.name: handle.part for handle in models.MODELS[name].handles}
    if (calendar := as_text(entry.get("calendar"))) is not None:
        yield from _on_calendar((*path, "calendar"), calendar, as_text(entry.get("purchases")), calendars)
        of_calendar = _coefficients(as_mapping(calendars.get(calendar)))
        part_of |= dict.fromkeys(of_calendar, "purchases")
        supports |= dict.fromkeys(of_calendar, "real")
    part_of = part_of if complete else {}  # a misspelt model's parameters are not known
    yield from _regularity((*path, "k"), entry.get("k"), as_text(entry.get("purchases")))
    for name, prior in as_mapping(entry.get("priors")).items():
        if part_of and name not in part_of:
            yield Finding((*path, "priors", name), [unknown("parameter", name, part_of)], key=True)
        yield from prior_finding((*path, "priors", name), prior, supports.get(name, "positive"))
    effects = as_list(entry.get("effects"))
    yield from effect_findings(path, effects, columns, part_of and part_of | handles, handles if complete else {})


def effect_findings(
    path: KeyPath,
    effects: Sequence[Any],
    columns: Mapping[str, Sequence[str] | None],
    part_of: Mapping[str, str],
    handles: Mapping[str, str],
) -> Iterator[Finding]:
    """Every problem of a list of effects; `part_of` tells the part of each parameter that they may name."""
    taken: set[tuple[str, str]] = set()
    for place, effect in enumerate(effects):
        here = (*path, "effects", place)
        yield from _effect_kind(here, as_mapping(effect))
        yield from _effect_reads(here, as_mapping(effect), columns)
        yield from _effect(here, as_mapping(effect), part_of, taken)
        yield from _alone(here, as_mapping(effect), handles)


def _regularity(path: KeyPath, k: Any, name: str | None) -> Iterator[Finding]:
    """k is an option of some purchase models, in their range; each of a list once."""
    if k is None or name is None or name not in models.MODELS:
        return
    if "k" not in models.MODELS[name].options:
        having = [known for known, model in models.MODELS.items() if "k" in model.options]
        what = f"The model '{name}' has no option 'k'"
        yield Finding(path, [Problem(what, known=f"These have: {', '.join(having)}")], key=True)
        return
    for place, one in enumerate(k if isinstance(k, list) else [k]):
        here = (*path, place) if isinstance(k, list) else path
        if type(one) is int and one in as_list(k)[:place]:
            yield Finding(here, [Problem(f"k = {one} is listed twice")])
        elif type(one) is int:
            yield from _option(here, name, k=one)


def _option(path: KeyPath, name: str, **option: Any) -> Iterator[Finding]:
    try:
        models.MODELS[name].given(**option)
    except ConfigError as error:
        yield Finding(path, error.problems)


def _on_calendar(path: KeyPath, name: str, model: str | None, calendars: Mapping[str, Any]) -> Iterator[Finding]:
    """The entry's calendar is one of the file's, and its model goes with one."""
    if name not in calendars:
        yield Finding(path, [unknown("calendar", name, calendars)])
    if model in models.MODELS:
        yield from _option(path, model, calendar=ONE_STEP)


def _coefficients(calendar: Mapping[str, Any]) -> list[str]:
    """The parameters that a calendar adds to a model."""
    if calendar.get("holidays"):
        return [models.coefficient("holiday")]
    own = as_list(calendar.get("covariates"))
    if (name := as_text(calendar.get("dataset"))) in datasets.DATASETS:
        own = list(datasets.DATASETS[name].calendar_covariates)
    return [models.coefficient(covariate) for covariate in own if isinstance(covariate, str)]


def prior_finding(path: KeyPath, mapping: Any, support: str = "positive") -> Iterator[Finding]:
    """A prior is a distribution that PyMC has, with arguments that it takes."""
    if isinstance(mapping, dict):
        try:
            Prior.from_mapping(mapping, support=support)
        except ConfigError as error:
            yield Finding(path, error.problems)


def _effect_kind(path: KeyPath, effect: Mapping[str, Any]) -> Iterator[Finding]:
    """An effect has a group or covariates, and of its other keys those of its kind."""
    pooled, linear = effect.get("group") is not None, bool(effect.get("covariates"))
    if pooled == linear:
        what = (
            "An effect has a group and covariates, and can be one" if pooled else "An effect has no group or covariates"
        )
        known = "Write group: channel, or covariates: [nps]; of both, two effects"
        yield Finding(path, [Problem(what, known=known)])
    for key, given, kind in (
        ("sd_prior", pooled, "a group"),
        ("coefficient_prior", linear, "covariates"),
        ("missing", linear, "covariates"),
    ):
        if effect.get(key) is not None and pooled != linear and not given:
            yield Finding((*path, key), [Problem(f"'{key}' belongs to an effect of {kind}")], key=True)


def _effect_reads(
    path: KeyPath, effect: Mapping[str, Any], columns: Mapping[str, Sequence[str] | None]
) -> Iterator[Finding]:
    """The columns that an effect reads are there, each once."""
    covariates = as_list(effect.get("covariates"))
    named = [("groups", (*path, "group"), effect.get("group"))]
    named += [("covariates", (*path, "covariates", place), name) for place, name in enumerate(covariates)]
    for kind, here, name in named:
        known = columns[kind]
        if isinstance(name, str) and known is not None and name not in known:
            what = unknown(kind.removesuffix("s"), name, known).what
            yield Finding(here, [Problem(what, known=f"Columns are named in data's {kind}: [...]")])
    for place, name in enumerate(covariates):
        if name in covariates[:place]:
            yield Finding((*path, "covariates", place), [Problem(f"The covariate '{name}' is listed twice")])


def _alone(path: KeyPath, effect: Mapping[str, Any], handles: Mapping[str, str]) -> Iterator[Finding]:
    parameters = as_list(effect.get("parameters"))
    for place, name in enumerate(parameters):
        if name in handles and len(parameters) > 1:
            what = f"'{name}' moves several parameters already and cannot be tied with others"
            yield Finding((*path, "parameters", place), [Problem(what, known="Give it an effect of its own")])


def _effect(
    path: KeyPath, effect: Mapping[str, Any], part_of: Mapping[str, str], taken: set[tuple[str, str]]
) -> Iterator[Finding]:
    """An effect acts on parameters of its part of the entry's models, on each once by the same column."""
    part = effect.get("part")
    columns = [name for name in (effect.get("group"), *as_list(effect.get("covariates"))) if isinstance(name, str)]
    known = [name for name in part_of if part_of[name] == part]
    yield from prior_finding((*path, "sd_prior"), effect.get("sd_prior"))
    yield from prior_finding((*path, "coefficient_prior"), effect.get("coefficient_prior"), "real")
    if part in ("purchases", "lifetime", "spend", *models.ROLES) and part_of and not known:
        yield Finding((*path, "part"), [Problem(f"The entry has no model with a part '{part}'")])
        return
    for place, name in enumerate(as_list(effect.get("parameters"))):
        here = (*path, "parameters", place)
        if not isinstance(name, str):
            continue
        if name in part_of and known and name not in known:
            what = f"The parameter '{name}' belongs to the part '{part_of[name]}'"
            yield Finding(here, [Problem(what, known=f"Parameters of '{part}': {', '.join(known)}")])
        elif known and name not in known:
            yield Finding(here, [unknown("parameter", name, known)])
        for column in dict.fromkeys(columns):
            if (name, column) in taken and (name in known or not known):
                yield Finding(here, [Problem(f"An effect of '{column}' on '{name}' is already there")])
            taken.add((name, column))


def _time(path: KeyPath, name: str | None, data: Mapping[str, Any]) -> Iterator[Finding]:
    """A purchase model reads customers of its own time, as far as their time is known."""
    time = data.get("time", "continuous")
    if name in models.MODELS and time in TIMES and known_source(data):
        for problem in models.time_problems(models.MODELS[name], time):
            yield Finding(path, [problem])


def laplace_findings(path: KeyPath, entry: Mapping[str, Any]) -> Iterator[Finding]:
    """laplace follows one between-group sd of a model; purchases and lifetime are one model, spend is another."""
    effects = [as_mapping(effect) for effect in as_list(entry.get("effects"))]
    pooled = [effect for effect in effects if effect.get("group") is not None]
    counts = Counter("purchases" if part == "lifetime" else str(part) for part in (e.get("part") for e in pooled))
    for role, count in counts.items():
        if count > 1:
            what = f"laplace can follow one pooled group of a model, and the {role} model has {count}"
            known = "Use method: auto or nuts, or list parameters that may share their coefficients in one effect"
            yield Finding((*path, "effects"), [Problem(what, known=known)], key=True)
