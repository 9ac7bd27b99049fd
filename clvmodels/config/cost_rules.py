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
    fitting = [other for other, model in models.COSTS.items() if model.cost == cost]
    if name is not None and name not in fitting:
        yield at((*path, "model"), unknown(f"model of {cost}", name, fitting))
    watching = [other for other, model in known_costs.items() if model.window is not None]
    if section.get("window") is not None and cost not in watching:
        what = f"'window' says how long a purchase is watched, and {cost} has none"
        yield at((*path, "window"), Problem(what, known=f"These have: {', '.join(watching)}"), key=True)
    targets = NO_TARGETS
    if name in fitting:
        parameters = models.COSTS[name].parameters
        supports = {parameter.name: parameter.support for parameter in parameters}
        targets = Targets(dict.fromkeys(supports, cost), supports, {})
    yield from prior_problems(path, section, targets)
    yield from effect_problems(path, _with_part(section, cost), columns, targets)
    for place, effect in enumerate(as_list(section.get("effects"))):
        if "part" in as_mapping(effect):
            problem = Problem("The effect of a cost model has no other part than its cost", known="Remove it")
            yield at((*path, "effects", place, "part"), problem, key=True)


def _with_part(section: Mapping[str, Any], cost: str) -> list[Any]:
    """The effects of a cost model, whose part is its cost."""
    effects = []
    for effect in as_list(section.get("effects")):
        effects.append({**effect, "part": cost} if isinstance(effect, dict) else effect)
    return effects


def _netted(raw: Mapping[str, Any], cost: str) -> Iterator[Problem]:
    """Refunds are netted or modelled: both would take them off twice."""
    tables: dict[KeyPath, Any] = {("data",): raw.get("data")}
    tables |= {("sources", name): source for name, source in as_mapping(raw.get("sources")).items()}
    for path, table in tables.items():
        policies = as_mapping(as_mapping(table).get("policies"))
        if policies.get("refunds") == "net":
            what = f"Refunds are netted, and {cost} are modelled: they would be taken off twice"
            known = f"Write refunds: returns, or remove {cost} under costs"
            yield at((*path, "policies", "refunds"), Problem(what, known=known))


def _economics(raw: Mapping[str, Any], costs: Mapping[str, Any]) -> Iterator[Problem]:
    economics = raw.get("economics")
    if not isinstance(economics, dict):
        if costs:
            what = "Cost models need economics, which say what things cost"
            yield at(("costs",), Problem(what, known="Add economics: {annual_discount_rate: 0.12, ...}"), key=True)
        return
    for name, cost in models.known_costs().items():
        for key in cost.keys:
            if economics.get(key) and name not in costs and known_source(as_mapping(raw.get("data"))):
                known = f"Add costs: {{{name}: {{model: {cost.name}}}}}, or remove {key}"
                yield at(("economics", key), Problem(f"'{key}' needs a cost model of {name}", known=known), key=True)
    yield from _stated_once(economics, costs)


def _stated_once(economics: Mapping[str, Any], costs: Mapping[str, Any]) -> Iterator[Problem]:
    """What a cost may tell instead of the economics is stated or modelled, and once; what it needs is there."""
    used = {name: cost for name, cost in models.known_costs().items() if name in costs}
    modelled = {cost.in_place_of for cost in used.values()}
    if economics.get("margin") is None and "margin" not in modelled:
        known = "Write margin: 0.3 for 30%, or costs: {margin: {model: normal_margin}} where the goods' cost is known"
        yield at(("economics",), Problem("No margin is stated, and no cost model tells it", known=known), key=True)
    for name, cost in used.items():
        key = cost.in_place_of
        if key and economics.get(key):
            what = f"'{key}' is stated here and modelled under costs, {name}"
            yield at(("economics", key), Problem(what, known="Remove one of them"), key=True)
        for need in cost.needs:
            if not economics.get(need.of) and need.of not in costs and need.of not in modelled:
                yield at(("costs", name), Problem(need.lacking, known=need.write), key=True)
