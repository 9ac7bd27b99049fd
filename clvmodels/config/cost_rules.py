"""What the keys of an experiment's costs and economics say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from clvmodels.errors import Problem, unknown
from clvmodels.strict import KeyPath


def cost_problems(raw: Mapping[str, Any], columns: Columns) -> Iterator[Problem]:
    """Every problem that the keys of costs have; `columns` are those that effects may name, by kind."""
    costs = as_mapping(raw.get("costs"))
    for name, section in costs.items():
        yield from _cost(("costs", name), str(name), as_mapping(section), columns)
        if as_mapping(raw.get("sampler")).get("method") == "laplace":
            effects = _with_part(as_mapping(section), str(name))
            yield from laplace_problems(("costs", name), {"effects": effects})
    for name, cost in models.known_costs().items():
        if name in costs and cost.is_refund:
            yield from _netted(raw, name)
    yield from _economics(raw, costs)


def _cost(path: KeyPath, cost: str, section: Mapping[str, Any], columns: Columns) -> Iterator[Problem]:
    """A model that tells of the cost, its window, priors and effects."""
    known_costs = models.known_costs()
    if cost not in known_costs:
        yield at(path, unknown("cost", cost, known_costs), key=True)
        return
    name = as_text(section.get("model"))
    names = [member for member, model in models.COSTS.items() if model.cost == cost]
    if name is not None and name not in names:
        yield at((*path, "model"), unknown(f"model of {cost}", name, names))
    with_window = [member for member, model in known_costs.items() if model.window is not None]
    if section.get("window") is not None and cost not in with_window:
        message = f"'window' says how long a purchase is watched, and {cost} has none"
        yield at((*path, "window"), Problem(message, known=f"These have: {', '.join(with_window)}"), key=True)
    targets = _targets(cost, name) if name in names else NO_TARGETS
    yield from prior_problems(path, section, targets)
    yield from effect_problems(path, _with_part(section, cost), columns, targets)
    for place, effect in enumerate(as_list(section.get("effects"))):
        if "part" in as_mapping(effect):
            problem = Problem("The effect of a cost model has no other part than its cost", known="Remove it")
            yield at((*path, "effects", place, "part"), problem, key=True)


def _targets(cost: str, model: str) -> Targets:
    """The parameters of a cost model, all of one part."""
    supports = {parameter.name: parameter.support for parameter in models.COSTS[model].widest.parameters}
    return Targets(dict.fromkeys(supports, cost), supports, {})


def _with_part(section: Mapping[str, Any], cost: str) -> list[Any]:
    """The effects of a cost model, whose part is its cost; what is no effect stays, to be told by its type."""
    effects = []
    for effect in as_list(section.get("effects")):
        if isinstance(effect, dict):
            effects.append({**effect, "part": cost})
        else:
            effects.append(effect)
    return effects


def _netted(raw: Mapping[str, Any], cost: str) -> Iterator[Problem]:
    """Refunds are netted or modelled: both would take them off twice."""
    tables: dict[KeyPath, Any] = {("data",): raw.get("data")}
    for name, source in as_mapping(raw.get("sources")).items():
        tables["sources", name] = source
    for path, table in tables.items():
        policies = as_mapping(as_mapping(table).get("policies"))
        if policies.get("refunds") == "net":
            message = f"Refunds are netted, and {cost} are modelled: they would be taken off twice"
            remedy = f"Write refunds: returns, or remove {cost} under costs"
            yield at((*path, "policies", "refunds"), Problem(message, known=remedy))


def _economics(raw: Mapping[str, Any], costs: Mapping[str, Any]) -> Iterator[Problem]:
    economics = raw.get("economics")
    if not isinstance(economics, dict):
        if costs:
            message = "Cost models need economics, which say what things cost"
            yield at(("costs",), Problem(message, known="Add economics: {annual_discount_rate: 0.12, ...}"), key=True)
        return
    if known_source(as_mapping(raw.get("data"))):
        yield from _keys_without_cost(economics, costs)
    yield from _stated_once(economics, costs)


def _keys_without_cost(economics: Mapping[str, Any], costs: Mapping[str, Any]) -> Iterator[Problem]:
    """Keys that say nothing without a cost model that reads them."""
    for name, cost in models.known_costs().items():
        if name in costs:
            continue
        for key in cost.keys:
            if economics.get(key):
                remedy = f"Add costs: {{{name}: {{model: {cost.name}}}}}, or remove {key}"
                yield at(("economics", key), Problem(f"'{key}' needs a cost model of {name}", known=remedy), key=True)


def _stated_once(economics: Mapping[str, Any], costs: Mapping[str, Any]) -> Iterator[Problem]:
    """What a cost may tell instead of the economics is stated or modelled, and once; what it needs is there."""
    used_costs = {name: cost for name, cost in models.known_costs().items() if name in costs}
    modelled = {cost.in_place_of for cost in used_costs.values()}
    if economics.get("margin") is None and "margin" not in modelled:
        remedy = "Write margin: 0.3 for 30%, or costs: {margin: {model: normal_margin}} where the goods' cost is known"
        yield at(("economics",), Problem("No margin is stated, and no cost model tells it", known=remedy), key=True)
    for name, cost in used_costs.items():
        key = cost.in_place_of
        if key and economics.get(key):
            message = f"'{key}' is stated here and modelled under costs, {name}"
            yield at(("economics", key), Problem(message, known="Remove one of them"), key=True)
        for need in cost.needs:
            is_stated = economics.get(need.of)
            is_modelled = need.of in costs or need.of in modelled
            if not (is_stated or is_modelled):
                yield at(("costs", name), Problem(need.lacking, known=need.write), key=True)
