"""How regular buyers are: the k of Erlang purchases, chosen by leave-one-out scores.

For a fixed k the models' log densities are of the purchase times, gaps included, so that different k compare. A wrong
timing law shows as a bad total: look here first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from clvmodels.customers.table import Customers
from clvmodels.errors import ConfigError, FitError, Problem
from clvmodels.inference import posterior
from clvmodels.inference.posterior import Posterior
from clvmodels.models import Model, get_model

TRIED = (1, 2, 3, 4)


class Chosen(NamedTuple):
    """The posterior with the best score, and the table of what was tried: k; elpd, its difference from the best with
    its standard error, and the number of customers whose score is uncertain (Pareto k above 0.7)."""

    posterior: Posterior
    table: pd.DataFrame


def choose_k(model: str | Model, customers: Customers, ks: Sequence[int] = TRIED, **how: Any) -> Chosen:
    """Fit a model of regular buyers for each k and choose by PSIS-LOO.

    Parameters
    ----------
    model
        A model with the option k, or its name: bg_cnbd_k, mbg_cnbd_k.
    ks
        What to try: whole numbers from 1 (irregular, as in BG/NBD) to 12.
    how
        As `fit` takes it.

    Raises
    ------
    ConfigError
        The model has no such option, or nothing is to be tried.
    FitError
        For one k there is no posterior that can be trusted.
    """
    model = get_model(model) if isinstance(model, str) else model
    if not len(ks):
        raise ConfigError(Problem("no k is to be tried", "ks", "none", "Such as (1, 2, 3, 4)"))
    if how.get("method") == "mle":
        known = "Use method='auto', or fit each k and compare"
        raise ConfigError(Problem("a leave-one-out score needs a posterior, and 'mle' gives one point", known=known))
    variants = {k: model.given(k=k) for k in dict.fromkeys(ks)}
    fitted = {k: _fit(variant, k, customers, how) for k, variant in variants.items()}
    return best(fitted, {k: posterior.loo(found, customers) for k, found in fitted.items()})


def _fit(model: Model, k: int, customers: Customers, how: Mapping[str, Any]) -> Posterior:
    try:
        return posterior.fit(model, customers, **how)
    except FitError as error:
        raise FitError([replace(problem, where=f"k = {k}") for problem in error.problems]) from error


def best(posteriors: Mapping[int, Posterior], scores: Mapping[int, pd.DataFrame]) -> Chosen:
    """Of posteriors by k, with their leave-one-out scores, the best; what else was tried is kept in its `attempts`."""
    elpd = pd.DataFrame({k: score["elpd_i"] for k, score in scores.items()})
    k = int(elpd.sum().idxmax())
    behind = elpd.sub(elpd[k], axis=0)
    table = pd.DataFrame(
        {
            "elpd": elpd.sum(),
            "difference": behind.sum(),
            "se": np.sqrt(len(elpd)) * behind.std(ddof=0),
            "uncertain": {k: int((score["pareto_k"] > 0.7).sum()) for k, score in scores.items()},
        }
    ).rename_axis("k")
    attempts = [*posteriors[k].attempts, *(_attempt(row) for row in table.drop(index=k).itertuples())]
    return Chosen(replace(posteriors[k], attempts=attempts), table)


def _attempt(row: Any) -> dict[str, Any]:
    numbers = {"k": int(row.Index), "difference": float(row.difference), "se": float(row.se)}
    return {"method": f"k = {row.Index}", "reason": f"elpd −{-row.difference:,.0f} ± {row.se:,.0f}", **numbers}


def others(chosen: Posterior) -> list[dict[str, Any]]:
    """Which other k were tried, and how much worse they were (k, difference, se); nothing where k was given."""
    return [attempt for attempt in chosen.attempts if "k" in attempt]
