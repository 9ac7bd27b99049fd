"""Effects on BG/NBD, and posteriors with effects made of draws."""

from __future__ import annotations

import arviz as az
import numpy as np
from contracts.cases import case_of

from clvmodels.inference.effects import Effect
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.refusals import resolve_priors

GENDER_CHANNEL = ("Gender", "Channel")
BG, CHANNELS = case_of("bg_nbd"), ["mail", "shop", "web"]
SEVERAL = (
    Effect("purchases", ("alpha",), "channel"),
    Effect("purchases", ("r",), covariates=("score",), missing="indicator"),
    Effect("lifetime", ("a", "b"), covariates=("business", "age")),
    Effect("lifetime", ("dropout_mean",), covariates=("score",), missing="mean"),
)


def of_draws(model, contents, effects, groups, scales):
    """A posterior of these draws [D]."""
    tree = az.from_dict({"posterior": {name: np.asarray(values)[None] for name, values in contents.items()}})
    priors = resolve_priors(model, None)
    return Posterior(model, tree, "laplace", priors, effects, groups, "week", 1.0, None, 1, scales=scales)


def rows_of(model, table):
    return {name: table[name].to_numpy(dtype=float)[None] for name in model.observes}


def on(*covariates, parameters=("alpha",), part="purchases", **more):
    return Effect(part, parameters, covariates=covariates, **more)
