"""The families of models: of purchases and spend, and of what comes with purchases. Adding one is one file here and one
line in `MODELS` or `COSTS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clvmodels.errors import ConfigError, Problem, unknown
from clvmodels.models.bb import bb
from clvmodels.models.bdw import bdw
from clvmodels.models.bg_bb import bg_bb
from clvmodels.models.bg_cnbd_k import bg_cnbd_k
from clvmodels.models.bg_nbd import bg_nbd
from clvmodels.models.contract import Model, PurchaseModel, SpendModel, State
from clvmodels.models.costs.bad_debt import beta_binomial_bad_debt
from clvmodels.models.costs.contacts import gamma_poisson_contacts
from clvmodels.models.costs.contract import Cost, CostModel, CountModel
from clvmodels.models.costs.lognormal_handling import lognormal_handling
from clvmodels.models.costs.normal_margin import normal_margin
from clvmodels.models.costs.referrals import gamma_poisson_referrals
from clvmodels.models.costs.returns import beta_binomial_returns
from clvmodels.models.gg_nbd import gg_nbd
from clvmodels.models.mbg_cnbd_k import mbg_cnbd_k
from clvmodels.models.mbg_nbd import mbg_nbd
from clvmodels.models.nbd import nbd
from clvmodels.models.parameters import Parameter
from clvmodels.models.pareto_nbd import pareto_nbd
from clvmodels.models.parts.steps import coefficient
from clvmodels.models.sbg import sbg
from clvmodels.models.spend.gamma_gamma import gamma_gamma
from clvmodels.models.spend.gamma_gamma_mean import gamma_gamma_mean
from clvmodels.models.spend.lognormal_spend import lognormal_spend

MODELS: dict[str, Model] = {
    "nbd": nbd,
    "pareto_nbd": pareto_nbd,
    "gg_nbd": gg_nbd,
    "bg_nbd": bg_nbd,
    "mbg_nbd": mbg_nbd,
    "bg_cnbd_k": bg_cnbd_k,
    "mbg_cnbd_k": mbg_cnbd_k,
    "bg_bb": bg_bb,
    "bb": bb,
    "sbg": sbg,
    "bdw": bdw,
    "gamma_gamma": gamma_gamma,
    "gamma_gamma_mean": gamma_gamma_mean,
    "lognormal_spend": lognormal_spend,
}

COSTS: dict[str, Cost] = {
    "beta_binomial_returns": beta_binomial_returns,
    "beta_binomial_bad_debt": beta_binomial_bad_debt,
    "gamma_poisson_contacts": gamma_poisson_contacts,
    "lognormal_handling": lognormal_handling,
    "gamma_poisson_referrals": gamma_poisson_referrals,
    "normal_margin": normal_margin,
}
"""What comes with purchases. What becomes of an order is decided in this order: what is sent back is owed no longer."""


def known_costs() -> dict[str, Cost]:
    """The costs by what they tell of, as `costs:` of an experiment names them; of several models of one, the first."""
    known: dict[str, Cost] = {}
    for cost in COSTS.values():
        known.setdefault(cost.cost, cost)
    return known


def get_costs(names: Iterable[str | Cost], where: str = "") -> dict[str, Cost]:
    """The costs of these names, by name, each once; a cost may be given itself.

    Raises
    ------
    ConfigError
        A name that no cost has.
    """
    known, costs, problems = known_costs(), dict[str, Cost](), list[Problem]()
    for name in names:
        if isinstance(name, Cost):
            costs[name.cost] = name
        elif name in known:
            costs[name] = known[name]
        else:
            problems.append(unknown("cost", name, known, where))
    if problems:
        raise ConfigError(problems)
    return costs


def in_order[T](by_cost: Mapping[str, T]) -> dict[str, T]:
    """What is told by cost, in the order of the registry, in which orders meet their fates."""
    places = {cost.cost: place for place, cost in enumerate(COSTS.values())}
    return dict(sorted(by_cost.items(), key=lambda item: places.get(item[0], len(places))))


def get_model(name: str, options: Mapping[str, Any] | None = None, where: str = "") -> Model:
    """The model of that name, with its options where it has any: `get_model("bg_cnbd_k", {"k": 3})`.

    Raises
    ------
    ConfigError
        If no such model is registered (the message names the nearest), or it has no such option.
    """
    registered = {**MODELS, **COSTS}
    if name not in registered:
        raise ConfigError(unknown("model", name, registered, where))
    return registered[name].given(**(options or {}))


def time_problems(model: Model, time: str, where: str = "") -> list[Problem]:
    """The problem of a purchase model whose customers' time is another, with what to write instead."""
    if "purchases" not in model.provides or model.counts == time:
        return []
    of_purchases = {name: other for name, other in MODELS.items() if "purchases" in other.provides}
    *fitting, last_fitting = (name for name, other in of_purchases.items() if other.counts == time)
    if model.counts == "opportunities":
        what = f"{model.title} counts opportunities, and the time of these customers is continuous"
        write = "Write time: opportunities in data, with the time_unit of one opportunity (year, month, week or day)"
    else:
        what = f"{model.title} needs continuous time, and that of these customers counts opportunities"
        write = "Write time: continuous in data"
    return [Problem(what, where, known=f"{write}; or take {', '.join(fitting)} or {last_fitting}")]


__all__ = [
    "COSTS",
    "Cost",
    "CostModel",
    "CountModel",
    "MODELS",
    "Model",
    "Parameter",
    "PurchaseModel",
    "SpendModel",
    "State",
    "coefficient",
    "get_costs",
    "get_model",
    "in_order",
    "known_costs",
    "time_problems",
]
