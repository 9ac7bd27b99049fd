"""The family of models. Adding one is one file here and one line in `MODELS`."""

from __future__ import annotations

from clvmodels.errors import ConfigError, unknown
from clvmodels.models.bg_nbd import bg_nbd
from clvmodels.models.contract import Model, Parameter, PurchaseModel, SpendModel, State
from clvmodels.models.gamma_gamma import gamma_gamma
from clvmodels.models.pareto_nbd import pareto_nbd

MODELS: dict[str, Model] = {
    "pareto_nbd": pareto_nbd,
    "bg_nbd": bg_nbd,
    "gamma_gamma": gamma_gamma,
}


def get_model(name: str, where: str = "") -> Model:
    """The model of that name.

    Raises
    ------
    ConfigError
        If no such model is registered; the message names the nearest.
    """
    if name not in MODELS:
        raise ConfigError(unknown("model", name, MODELS, where))
    return MODELS[name]


__all__ = ["MODELS", "Model", "Parameter", "PurchaseModel", "SpendModel", "State", "get_model"]
