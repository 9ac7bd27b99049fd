"""What the keys of an experiment's costs and economics say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from clvmodels import models
from clvmodels.config.document import as_mapping
from clvmodels.config.entry_rules import (
    NO_TARGETS,
    Columns,
    Targets,
    effect_problems,
    laplace_problems,
    prior_problems,
)
from clvmodels.config.finding import as_list, as_text, at, known_source
from clvmodels.customers.windows import Windows
from clvmodels.errors import Problem, unknown
from clvmodels.strict import KeyPath
from clvmodels.valuation.economics import NEEDED

WATCHED = tuple(field.name for field in fields(Windows))
"""Roles of cost models that watch a purchase for a while."""


def cost_problems(raw: Mapping[str, Any], columns: Columns) -> Iterator[Problem]:
    """Every problem that the keys of costs have; `columns` are those that effects may name, by kind."""
    costs = as_mapping(raw.get("costs"))
    for role, section in costs.items():
        yield from _cost(("costs", role), str(role), as_mapping(section), columns)
        if as_mapping(raw.get("sampler")).get("method") == "laplace":
            effects = _with_part(as_mapping(section), str(role))
            yield from laplace_problems(("costs", role), {"effects": effects})
    if "returns" in costs:
        yield from _netted(raw)
    yield from _economics(raw, costs)


def _cost(path: KeyPath, role: str, section: Mapping[str, Any], columns: Columns) -> Iterator[Problem]:
    """A cost model of its own role, its window, priors and effects."""
    if role not in models.ROLES:
        yield at(path, unknown("role of a cost model", role, models.ROLES), key=True)
        return
    name = as_text(section.get("model"))
    fitting = [other for other, model in models.COSTS.items() if role in model.provides]
    if name is not None and name not in fitting:
        yield at((*path, "model"), unknown(f"model of {role}", name, fitting))
    if section.get("window") is not None and role not in WATCHED:
        what = f"'window' says how long a purchase is watched, and {role} has none"
        yield at((*path, "window"), Problem(what, known=f"These have: {', '.join(WATCHED)}"), key=True)
    targets = NO_TARGETS
    if name in fitting:
        parameters = models.COSTS[name].parameters
        supports = {parameter.name: parameter.support for parameter in parameters}
        targets = Targets(dict.fromkeys(supports, role), supports, {})
    yield from prior_problems(path, section, targets)
    yield from effect_problems(path, _with_part(section, role), columns, targets)
    for place, effect in enumerate(as_list(section.get("effects"))):
        if "part" in as_mapping(effect):
            problem = Problem("The effect of a cost model has no other part than its role", known="Remove it")
            yield at((*path, "effects", place, "part"), problem, key=True)


def _with_part(section: Mapping[str, Any], role: str) -> list[Any]:
    """The effects of a cost model, whose part is its role."""
    return [{**as_mapping(effect), "part": role} for effect in as_list(section.get("effects"))]


def _netted(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Returns are netted or modelled: both would take them off twice."""
    places: list[tuple[KeyPath, Mapping[str, Any]]] = [(("data", "policies", "refunds"), as_mapping(raw.get("data")))]
    for name, source in as_mapping(raw.get("sources")).items():
        places.append((("sources", name, "policies", "refunds"), as_mapping(source)))
    for path, section in places:
        if as_mapping(section.get("policies")).get("refunds") == "net":
            what = "Refunds are netted, and returns are modelled: they would be taken off twice"
            yield at(path, Problem(what, known="Write refunds: returns, or remove returns under costs"))


def _economics(raw: Mapping[str, Any], costs: Mapping[str, Any]) -> Iterator[Problem]:
    economics = raw.get("economics")
    if not isinstance(economics, dict):
        if costs:
            what = "Cost models need economics, which say what things cost"
            yield at(("costs",), Problem(what, known="Add economics: {annual_discount_rate: 0.12, ...}"), key=True)
        return
    for key, role in NEEDED.items():
        if economics.get(key) and role not in costs and known_source(as_mapping(raw.get("data"))):
            known = f"Add costs: {{{role}: {{model: {_first_of(role)}}}}}, or remove {key}"
            yield at(("economics", key), Problem(f"'{key}' needs a cost model of {role}", known=known), key=True)
    yield from _told_once(economics, costs)


def _told_once(economics: Mapping[str, Any], costs: Mapping[str, Any]) -> Iterator[Problem]:
    """The margin and a contact's cost are stated or modelled, and each once."""
    if economics.get("margin") is None and "margin" not in costs:
        known = "Write margin: 0.3 for 30%, or costs: {margin: {model: normal_margin}} where the goods' cost is known"
        yield at(("economics",), Problem("No margin is stated, and no cost model tells it", known=known), key=True)
    for key, role in (("margin", "margin"), ("cost_per_contact", "handling")):
        if economics.get(key) and role in costs:
            what = f"'{key}' is stated here and modelled under costs, {role}"
            yield at(("economics", key), Problem(what, known="Remove one of them"), key=True)
    if "contacts" in costs and "handling" not in costs and not economics.get("cost_per_contact"):
        known = "Write cost_per_contact: 4.5, or costs: {handling: {model: lognormal_handling}}"
        yield at(("costs", "contacts"), Problem("Nothing says what a contact costs", known=known), key=True)
    if "handling" in costs and "contacts" not in costs:
        known = f"Add contacts: {{model: {_first_of('contacts')}}}"
        yield at(("costs", "handling"), Problem("Nothing says how many contacts come", known=known), key=True)
    if "referrals" in costs and economics.get("referral") is None:
        known = "Write economics: {referral: {incremental: 0.5, reward: 10}}"
        yield at(("costs", "referrals"), Problem("Nothing says what a referral counts for", known=known), key=True)


def _first_of(role: str) -> str:
    return next(name for name, model in models.COSTS.items() if role in model.provides)
