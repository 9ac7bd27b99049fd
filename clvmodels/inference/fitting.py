"""The stage: a model and customers to the posterior of the model's population parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, Literal, get_args

import arviz as az
import xarray as xr
from threadpoolctl import ThreadpoolController

from clvmodels.customers.table import Customers
from clvmodels.errors import ConfigError, FitError, Problem, unknown
from clvmodels.inference.choice_of_sampler import Effort, Progress, Sampled, sample
from clvmodels.inference.density import Density, compiled_density
from clvmodels.inference.effects import Effect, pooled_by
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.refusals import check_covered, check_data, resolve_priors
from clvmodels.inference.samplers.laplace import LaplaceDraws
from clvmodels.inference.samplers.nuts import NutsDraws
from clvmodels.inference.terms import learn
from clvmodels.inference.unique_rows import condense
from clvmodels.models import Model, get_model
from clvmodels.models.prior import Prior
from clvmodels.randomness import keyed_generator

Method = Literal["auto", "laplace", "nuts", "mle"]
METHODS: tuple[Method, ...] = get_args(Method)


def fit(
    model: str | Model,
    customers: Customers,
    *,
    effects: Sequence[Effect] = (),
    by: str | None = None,
    priors: Mapping[str, Prior] | None = None,
    method: Method = "auto",
    draws: int = 1000,
    chains: int = 4,
    tune: int = 1000,
    seed: int = 1,
    timeout_seconds: float = 1800.0,
    progress: Progress | None = None,
) -> Posterior:
    """The posterior of a model's population parameters.

    Parameters
    ----------
    model
        A model or its registered name.
    customers
        One row a customer, of `summarize` or `Customers.from_rfm`.
    effects
        Partially pooled groups, and covariates.
    by
        A group by which all that it can move on average is pooled: an effect on each of the model's `levels`.
    priors
        Replace the model's own, by parameter.
    method
        laplace: importance resampling around the mode. nuts: chains by nutpie, whitened by the mode's curvature.
        auto: laplace, and nuts where laplace is refused; both are recorded. mle: the maximum of the likelihood.
        With one or two pooled groups laplace follows their between-group sds, at whose 0 the joint mode lies, and where
        one of them has hundreds of labels it integrates their coefficients out; with more groups, or beyond a hundred
        coordinates beside those labels, laplace is refused. mle takes covariates (without a prior), and no pooled
        groups.
    draws, chains, tune
        Draws in all for laplace; per chain for nuts.
    timeout_seconds
        A sampler that takes longer ends in a FitError.

    Raises
    ------
    DataError, ConfigError
        Customers or effects that the model cannot use; all problems at once, before anything is compiled.
    FitError
        No posterior at all: no sampler comes to an end, or laplace, where nothing may follow it, misses the posterior.

    Notes
    -----
    Where some repeat purchases brought no money, a spend model is fitted with a share of those that do (`FreeOrders`),
    and the model of the margins with what the goods of a free order cost: the posterior's model is that variant.

    A posterior whose sampling checks failed is returned, so that it can be looked at. It says so (`passed`,
    `failed_checks`), and `forecast`, `value` and `score` refuse it unless `allow_failed` names the checks.
    """
    model = get_model(model) if isinstance(model, str) else model
    if method not in METHODS:
        raise ConfigError(unknown("method", method, METHODS))
    table = customers.table
    model = model.suited(table)
    priors = resolve_priors(model, priors)
    effects = tuple(effects) if by is None else pooled_by(model, by, effects)
    check_data(model, customers, effects)
    check_covered(model, table)
    if method == "mle" and any(effect.group is not None for effect in effects):
        what = "method 'mle' cannot fit pooled groups: their likelihood has no maximum in the between-group sd"
        raise FitError(Problem(what, known="Use method='auto'"))
    groups, scales = learn(effects, table)
    units = customers.time_unit, customers.amount_unit
    structure = compiled_density(model, effects, groups, priors, *units, with_prior=method != "mle")
    structure.set_data(condense(table, model.observes, effects), table, scales)
    effort = Effort(draws, chains, tune, timeout_seconds, progress)
    try:
        with _linear_algebra().limit(limits=1, user_api="blas"):
            sampled = sample(structure, method, effort, _sampler_seed(model, seed))
        tree = _tree(structure, sampled)
    finally:
        structure.release_data()
    return Posterior(
        model=model,
        data=tree,
        method=sampled.method,
        priors=priors,
        effects=effects,
        groups=groups,
        time_unit=customers.time_unit,
        amount_unit=customers.amount_unit,
        currency=customers.currency,
        seed=seed,
        checks=sampled.checks,
        attempts=sampled.attempts,
        scales=scales,
    )


@cache
def _linear_algebra() -> ThreadpoolController:
    """What says on how many threads NumPy and SciPy multiply matrices: on one while a posterior is searched for.

    Its matrices are of a handful of coordinates. Two threads that wait for each other at each of them made a fit three
    to ten times as long on a busy machine, and the number of threads part of its last digits.
    """
    return ThreadpoolController()


def _sampler_seed(model: Model, seed: int) -> int:
    """Purchases and spend get different seeds: two parts with as many parameters, sampled with one seed, would have
    draws that go up and down together."""
    parts = " ".join(sorted(model.provides))
    return int(keyed_generator(seed, "fit", parts).integers(2**31))


def _tree(structure: Density, sampled: Sampled) -> xr.DataTree:
    """The draws on their natural scales, with what the sampler says of them."""
    contents: dict[str, Any] = {"posterior": structure.constrain(sampled.u)}
    outcome = sampled.outcome
    if isinstance(outcome, NutsDraws):
        contents["sample_stats"] = outcome.sample_stats
    if isinstance(outcome, LaplaceDraws):
        weights = {"log_weight": outcome.log_weights, "raw_log_weight": outcome.raw_log_weights}
        contents["importance"] = {name: of_proposals[None] for name, of_proposals in weights.items()}
    dims = {term.name: [term.dimension] for term in structure.terms}
    coords = {term.dimension: list(term.labels) for term in structure.terms}
    tree = az.from_dict(contents, dims=dims, coords=coords)
    if isinstance(outcome, LaplaceDraws):
        tree["importance"].attrs |= asdict(outcome.cost)
    return tree
