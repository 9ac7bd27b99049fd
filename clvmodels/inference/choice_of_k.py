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
from clvmodels.inference import fitting
from clvmodels.inference.attempts import OtherK
from clvmodels.inference.leave_one_out import loo
from clvmodels.inference.posterior import Posterior
from clvmodels.models import Model, get_model

TRIED = (1, 2, 3, 4)
UNCERTAIN_K = 0.7
"""Pareto k above which a customer's score is uncertain (Vehtari et al. 2024)."""


class Chosen(NamedTuple):
    """The posterior with the best score, and the table of what was tried: k; elpd, its difference from the best with
    its standard error, and the number of customers whose score is uncertain (Pareto k above 0.7)."""

    posterior: Posterior
    table: pd.DataFrame


def choose_k(model: str | Model, customers: Customers, ks: Sequence[int] = TRIED, **options: Any) -> Chosen:
    """Fit a model of regular buyers for each k and choose by PSIS-LOO.

    Parameters
    ----------
    model
        A model with the option k, or its name: bg_cnbd_k, mbg_cnbd_k.
    ks
        What to try: whole numbers from 1 (irregular, as in BG/NBD) to 12.
    options
        As `fit` takes them.

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
    if options.get("method") == "mle":
        advice = "Use method='auto', or fit each k and compare"
        raise ConfigError(Problem("a leave-one-out score needs a posterior, and 'mle' gives one point", known=advice))
    variants = {k: model.given(k=k) for k in dict.fromkeys(ks)}  # all of them before the first is fitted
    posteriors = {k: _fit(variant, k, customers, options) for k, variant in variants.items()}
    scores = {k: loo(posterior, customers) for k, posterior in posteriors.items()}
    return best(posteriors, scores)


def _fit(model: Model, k: int, customers: Customers, options: Mapping[str, Any]) -> Posterior:
    try:
        return fitting.fit(model, customers, **options)
    except FitError as error:
        raise FitError([replace(problem, where=f"k = {k}") for problem in error.problems]) from error


def best(posteriors: Mapping[int, Posterior], scores: Mapping[int, pd.DataFrame]) -> Chosen:
    """Of posteriors by k, with their leave-one-out scores, the best; the other k are kept in its `attempts`."""
    elpd = pd.DataFrame({k: score["elpd_i"] for k, score in scores.items()})
    best_k = int(elpd.sum().idxmax())
    differences = elpd.sub(elpd[best_k], axis=0)
    uncertain = {k: int((score["pareto_k"] > UNCERTAIN_K).sum()) for k, score in scores.items()}
    columns = {
        "elpd": elpd.sum(),
        "difference": differences.sum(),
        "se": np.sqrt(len(elpd)) * differences.std(ddof=0),
        "uncertain": uncertain,
    }
    table = pd.DataFrame(columns).rename_axis("k")
    refused = [_other_k(row) for row in table.drop(index=best_k).itertuples()]
    chosen = posteriors[best_k]
    return Chosen(replace(chosen, attempts=[*chosen.attempts, *refused]), table)


def _other_k(row: Any) -> OtherK:
    reason = f"elpd −{-row.difference:,.0f} ± {row.se:,.0f}"
    return OtherK(f"k = {row.Index}", reason, int(row.Index), float(row.difference), float(row.se))


def others(posterior: Posterior) -> list[OtherK]:
    """Which other k were tried, and how much worse they were (difference, se); nothing where k was given."""
    return [attempt for attempt in posterior.attempts if isinstance(attempt, OtherK)]
