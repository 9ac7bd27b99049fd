"""A tiny run with a posterior of 63 draws, each of the 21 of `fakes.tiny` three times: one a chain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from fakes.run import about
from fakes.tiny import END, Z, entry, tiny_run

from clvmodels.customers.table import Customers, Split
from clvmodels.inference.effects import Effect
from clvmodels.inference.terms import Scale, make_terms
from clvmodels.models.parameters import Meaning, Parameter
from clvmodels.models.prior import Prior
from clvmodels.results.folder import Run

CHAINS = 3
GROUPS = ("Search", "Shop")
AGES = Scale(mean=40.0, sd=10.0)


def parameters() -> tuple[Parameter, ...]:
    """Two population parameters; a positive effect on alpha raises the purchase rate."""
    prior = Prior("LogNormal", {"mu": 0.0, "sigma": 1.2})
    return (
        Parameter("r", "purchases", "none", prior, 1, "purchase rate", "how alike customers' rates are"),
        Parameter("alpha", "purchases", "time", prior, -1, "purchase rate", "scale of the rates"),
    )


def customers() -> Customers:
    """Twelve customers: seven by search, five in the shop; every second one is in business, of three the age is not
    known."""
    ids = [f"c{k:02d}" for k in range(12)]
    table = pd.DataFrame(
        {
            "frequency": 1,
            "recency": 1.0,
            "T": 26.0,
            "channel": ["Search"] * 7 + ["Shop"] * 5,
            "is_business": [0.0, 1.0] * 6,
            "age": [30.0, 40.0, 50.0] * 3 + [np.nan] * 3,
        },
        index=pd.Index(ids, name="customer_id"),
    )
    return Customers(table, "week", END, "EUR")


def posterior(*, groups: bool, covariates: bool, meanings: bool) -> SimpleNamespace:
    """r = 2 + 0.1 z and alpha = 10, without meanings 10 + 0.1 z, in the posterior; 0, 0.2 .. 20 and 10 in the prior.

    Ratios to the pooled mean: 2 + 0.1 z by search, 0.5 + 0.01 z in the shop; 0.3 + 0.01 z the sd between groups. For a
    year of age more 1 / 100 of log(2 + 0.1 z), so 2 + 0.1 z for ten times the sd of 10; e^(0.4 + 0.01 z) for a yes,
    whose sd is 1 / 2; e^(0.1 z) for an age that is not known.
    """
    of_chains = lambda draws: (("chain", "draw"), np.tile(draws, (CHAINS, 1)))  # noqa: E731
    data: dict[str, Any] = {"r": of_chains(2 + 0.1 * Z), "alpha": of_chains(10 + (0 if meanings else 0.1) * Z)}
    effects = []
    if groups:
        effects.append(Effect("purchases", ("alpha",), "channel"))
        found = np.log(np.column_stack([2 + 0.1 * Z, 0.5 + 0.01 * Z]))
        data["alpha_by_channel"] = (("chain", "draw", "channel"), np.tile(found, (CHAINS, 1, 1)))
        data["alpha_by_channel_sd"] = of_chains(0.3 + 0.01 * Z)
    if covariates:
        effects.append(Effect("purchases", ("r",), covariates=("is_business", "age"), missing="indicator"))
        found = np.column_stack([0.5 * (0.4 + 0.01 * Z), np.log(2 + 0.1 * Z), 0 * Z, 0.1 * Z])
        data[effects[-1].name] = (("chain", "draw", "covariate"), np.tile(found, (CHAINS, 1, 1)))
    dataset = xr.Dataset(data, coords={"channel": list(GROUPS)})
    told = (
        Meaning("mean purchase rate while active", "per {time_unit}", lambda theta: theta["r"] / theta["alpha"]),
        Meaning("how alike customers are", "", lambda theta: theta["r"]),
    )
    model = SimpleNamespace(
        name="pareto_nbd",
        title="Pareto/NBD",
        reference="Schmittlein, Morrison & Colombo (1987)",
        parameters=parameters(),
        meanings=told if meanings else (),
        handles=(),
    )
    return SimpleNamespace(
        model=model,
        priors={p.name: p.prior for p in model.parameters},
        amount_unit=1.0,
        scales={"is_business": Scale(0.5, 0.5), "age": AGES},
        stacked=lambda name: dataset[name].to_numpy().reshape(-1, *dataset[name].shape[2:]),
        data=xr.DataTree.from_dict({"/posterior": dataset}),
        prior_draws={"r": np.linspace(0.0, 20.0, 101), "alpha": np.full(101, 10.0)},
        effects=effects,
        time_unit="week",
        terms=make_terms(effects, {"channel": GROUPS}),
        attempts=[],
    )


def posterior_run(*, groups: bool = True, covariates: bool = False, meanings: bool = True, **told: Any) -> Run:
    """The run of one model fitted to the twelve customers."""
    fitted = posterior(groups=groups, covariates=covariates, meanings=meanings)
    split = Split(customers(), None, None)  # type: ignore[arg-type]
    valued = entry(posteriors={"purchases": fitted})
    return tiny_run(
        about=about(**{"customers": 12, **told}),
        valued=valued,
        entries={"pareto": valued},
        split=split,
        value_split=split,
    )
