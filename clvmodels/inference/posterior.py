"""Fit a model to customers; the posterior as ArviZ has it; save and load without pickle."""

from __future__ import annotations

import html
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from clvmodels.customers.table import Customers
from clvmodels.draws import Array
from clvmodels.errors import ConfigError, DataError, FitError, Problem, ResultsError, unknown
from clvmodels.inference import effects as fx
from clvmodels.inference.density import check_data, condense, density, resolve_priors
from clvmodels.inference.effects import Effect
from clvmodels.inference.laplace import LaplaceDraws
from clvmodels.inference.nuts import NutsDraws
from clvmodels.inference.sampling import Chains, Fitted, Progress, sample
from clvmodels.inference.terms import Scale, Term, learn, make_terms
from clvmodels.models import Model, Parameter, get_model
from clvmodels.models.prior import Prior, unit_factor
from clvmodels.randomness import keyed_generator

SCHEMA_VERSION = 2
METHODS = ("auto", "laplace", "nuts", "mle")
Method = Literal["auto", "laplace", "nuts", "mle"]


@dataclass(frozen=True, repr=False)
class Posterior:
    """Draws of a model's population parameters, and all that is needed to use them on other customers.

    Parameters
    ----------
    model
        The model.
    data
        ArviZ's tree: group `posterior` with dims chain, draw (and a dim named by the group for coefficients).
    method
        How the draws were made: laplace, nuts or mle (one draw: the maximum).
    checks
        The sampling checks, a dict each: check, found, limit, passed, consequence.
    attempts
        What was tried before, and why it was refused: a dict each with method and reason.
    time_unit, amount_unit, currency
        Units of the parameters.
    groups
        Labels of each group column seen by the fit.
    scales
        Mean and sd of each covariate among the fit's customers.
    """

    model: Model
    data: xr.DataTree
    method: str
    priors: Mapping[str, Prior]
    effects: tuple[Effect, ...]
    groups: Mapping[str, tuple[str, ...]]
    time_unit: str
    amount_unit: float
    currency: str | None
    seed: int
    checks: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    scales: Mapping[str, Scale] = field(default_factory=dict)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The effects with what the fit's customers say of them."""
        return make_terms(self.effects, self.groups)

    @property
    def passed(self) -> bool:
        """Whether every sampling check passed."""
        return all(check["passed"] for check in self.checks)

    def stacked(self, name: str, draws: int | None = None) -> Array:
        """All chains of a variable one after the other, thinned evenly to at most `draws`. [draw, ...]"""
        values = self.data["posterior"][name].transpose("chain", "draw", ...).to_numpy()
        flat = values.reshape(-1, *values.shape[2:])
        if draws is None or draws >= len(flat):
            return flat
        return flat[np.linspace(0, len(flat) - 1, draws).round().astype(int)]

    def theta(self, table: pd.DataFrame, draws: int | None = None) -> dict[str, Array]:
        """The parameters of each customer in each draw: [draw, 1], or [draw, customer_id] under an effect.

        Raises
        ------
        ConfigError
            If a group or covariate of the fit is missing from the table.
        DataError
            If a covariate is missing for some customers and the fit did not say what is done with them.
        """
        fx.check_columns(self.effects, table)
        total: dict[str, Array] = {}
        for term in self.terms:
            c = term.coefficient(lambda name: self.stacked(name, draws), table, self.scales, self.seed)
            for name in term.effect.parameters:
                total[name] = total.get(name, 0.0) + c
        theta = {p.name: self.stacked(p.name, draws)[:, None] for p in self.model.parameters}
        return fx.moved(self.model, theta, total)

    @cached_property
    def prior_draws(self) -> dict[str, Array]:
        """4,000 draws of each parameter's prior, in the fit's units. [draw] each"""
        draws, rng, out = 4000, np.random.default_rng(self.seed), {}
        for p in self.model.parameters:
            factor = unit_factor(p.unit, self.priors[p.name], self.time_unit, self.amount_unit)
            out[p.name] = p.value(self.priors[p.name].draw(draws, rng, factor))
        return out | {f"{e.name}_sd": e.sd_prior.draw(draws, rng) for e in self.effects if e.group is not None}

    def summary(self) -> pd.DataFrame:
        """Mean, sd, 5, 50 and 95% of each parameter."""
        rows = {}
        for name, variable in self.data["posterior"].data_vars.items():
            values = self.stacked(str(name))
            for g in np.ndindex(values.shape[1:]):
                label = f"{name}[{variable[variable.dims[-1]].values[g[0]]}]" if g else str(name)
                v = values[(slice(None), *g)]
                rows[label] = [v.mean(), v.std(), *np.quantile(v, [0.05, 0.5, 0.95])]
        return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "sd", "5%", "50%", "95%"])

    def effect_summary(self) -> pd.DataFrame:
        """What the effects say, a row a coefficient.

        effect, raises (what a positive coefficient raises), kind (group, sd between groups; per sd and per unit of a
        covariate; missing: of being without one), label, then mean, sd, 5, 50 and 95% of the coefficient and of its
        factor exp(c): by how much what it raises is multiplied, or its odds. A parameter without bounds has no factor.
        """
        rows = []
        for term in self.terms:
            head = {"effect": term.name, "raises": fx.raises(self.model, term.effect)}
            factor = fx.multiplies(self.model, term.effect)
            for kind, label, draws in term.told(self.stacked, self.scales):
                quantiles = dict(zip(("5%", "50%", "95%"), np.quantile(draws, [0.05, 0.5, 0.95]), strict=True))
                factors = {f"factor {q}": np.exp(c) if factor else np.nan for q, c in quantiles.items()}
                numbers = {"mean": draws.mean(), "sd": draws.std(), **quantiles, **factors}
                rows.append({**head, "kind": kind, "label": label, **numbers})
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        verdict = "all sampling checks passed" if self.passed else "a sampling check FAILED"
        money = any(p.unit == "money" for p in self.model.parameters)
        unit = f"money in units of {self.amount_unit:g} {self.currency}" if money else f"times in {self.time_unit}s"
        draws = len(self.stacked(self.model.parameters[0].name))
        return f"{self.model.title}, {draws:,} draws by {self.method}, {unit}: {verdict}"

    def _repr_html_(self) -> str:
        head = f"<p>{html.escape(repr(self))}</p>"
        return head + self.summary().to_html(float_format="{:.4g}".format, escape=True)

    def save(self, path: str | Path) -> Path:
        """Write a NetCDF file, whole or not at all; `load` reads it."""
        path = Path(path)
        tree = self.data.copy()
        tree.attrs |= {"schema_version": SCHEMA_VERSION, "clvmodels": json.dumps(self._about())}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".tmp")
        tree.to_netcdf(part, engine="netcdf4")
        part.replace(path)
        return path

    def _about(self) -> dict[str, Any]:
        return {
            "model": self.model.name,
            "options": dict(self.model.options),
            "method": self.method,
            "priors": {name: prior.to_mapping() for name, prior in self.priors.items()},
            "effects": [effect.to_mapping() for effect in self.effects],
            "groups": {name: list(labels) for name, labels in self.groups.items()},
            "scales": {name: list(scale) for name, scale in self.scales.items()},
            "time_unit": self.time_unit,
            "amount_unit": self.amount_unit,
            "currency": self.currency,
            "seed": self.seed,
            "checks": self.checks,
            "attempts": self.attempts,
        }


def load(path: str | Path) -> Posterior:
    """A posterior that `Posterior.save` wrote.

    Raises
    ------
    ResultsError
        No such file, not a posterior of this package, or another schema version.
    """
    path = Path(path)
    if not path.is_file():
        raise ResultsError(Problem("there is no such posterior", str(path), known="Fit one with `clvmodels fit`"))
    try:
        with xr.open_datatree(path, engine="netcdf4") as opened:
            tree = opened.load()
    except (OSError, ValueError) as error:
        raise ResultsError(Problem(f"this is not a readable NetCDF file ({error})", str(path))) from error
    version = tree.attrs.get("schema_version")
    if version != SCHEMA_VERSION or "clvmodels" not in tree.attrs:
        got = "none" if version is None else str(version)
        known = f"This clvmodels reads version {SCHEMA_VERSION}: fit again, or use the version that wrote it"
        raise ResultsError(Problem("the posterior has another schema version", str(path), got, known))
    about = json.loads(tree.attrs["clvmodels"])
    model = get_model(about["model"], about["options"], str(path))
    return Posterior(
        model=model,
        data=tree,
        method=about["method"],
        priors={p.name: _prior(p, about["priors"][p.name], str(path)) for p in model.parameters},
        effects=tuple(Effect.from_mapping(e, str(path)) for e in about["effects"]),
        groups={name: tuple(labels) for name, labels in about["groups"].items()},
        time_unit=about["time_unit"],
        amount_unit=about["amount_unit"],
        currency=about["currency"],
        seed=about["seed"],
        checks=about["checks"],
        attempts=about["attempts"],
        scales={name: Scale(*scale) for name, scale in about["scales"].items()},
    )


def _prior(parameter: Parameter, mapping: Mapping[str, Any], where: str) -> Prior:
    return Prior.from_mapping(mapping, where, support=parameter.support)


def fit(
    model: str | Model,
    customers: Customers,
    *,
    effects: Sequence[Effect] = (),
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
    priors
        Replace the model's own, by parameter.
    method
        laplace: importance resampling around the mode. nuts: chains by nutpie, whitened by the mode's curvature.
        auto: laplace, and nuts where laplace is refused; both are recorded. mle: the maximum of the likelihood.
        With one pooled group laplace follows its between-group sd, at whose 0 the joint mode lies; with more than one
        laplace is refused. mle takes covariates (without a prior), and no pooled groups.
    draws, chains, tune
        Draws in all for laplace; per chain for nuts.
    timeout_seconds
        A sampler that takes longer ends in a FitError.

    Raises
    ------
    DataError, ConfigError
        Customers or effects that the model cannot use; all problems at once, before anything is compiled.
    FitError
        No posterior that can be trusted.
    """
    model = get_model(model) if isinstance(model, str) else model
    if method not in METHODS:
        raise ConfigError(unknown("method", method, METHODS))
    priors = resolve_priors(model, priors)
    check_data(model, customers, effects)
    _check_covered(model, customers.table)
    if method == "mle" and any(effect.group is not None for effect in effects):
        text = "method 'mle' cannot fit pooled groups: their likelihood has no maximum in the between-group sd"
        raise FitError(Problem(text, known="Use method='auto'"))
    table = customers.table
    groups, scales = learn(effects, table)
    units = customers.time_unit, customers.amount_unit
    structure = density(model, effects, groups, priors, *units, method != "mle")
    structure.set_data(condense(table, model.observes, effects), table, scales)
    how = Chains(draws, chains, tune, timeout_seconds, progress)
    fitted = sample(structure, method, how, _own_seed(model, seed))
    return Posterior(
        model,
        _tree(fitted),
        fitted.method,
        priors,
        tuple(effects),
        groups,
        *units,
        customers.currency,
        seed,
        fitted.checks,
        fitted.attempts,
        scales,
    )


def _check_covered(model: Model, table: pd.DataFrame) -> None:
    """Refuse customers of days that the model's calendar has no rows for: it may be of other customers."""
    if (calendar := model.options.get("calendar")) is None:
        return
    first, last = calendar["bounds"][0], calendar["bounds"][-1]
    born, seen = table["birth"], table["birth"] + table["T"]
    outside = table.index[(born < first - 1e-9) | (seen > last + 1e-9)]
    if len(outside):
        what = (
            f"{len(outside):,} customers were observed on days that the calendar '{calendar['name']}' has no rows for"
        )
        known = f"It ends on {calendar['until']}: make the model from a calendar that covers these customers"
        raise DataError(Problem(what, "customers", f"first '{outside[0]}'", known))


def _own_seed(model: Model, seed: int) -> int:
    """The sampler's seed. Purchases and spend get different ones: two parts with as many parameters, sampled with one
    seed, would have draws that go up and down together."""
    return int(keyed_generator(seed, "fit", " ".join(sorted(model.provides))).integers(2**31))


def _tree(fitted: Fitted) -> xr.DataTree:
    structure, found = fitted.structure, fitted.found
    dims = {term.name: [term.dimension] for term in structure.terms}
    coords = {term.dimension: list(term.labels) for term in structure.terms}
    contents: dict[str, Any] = {"posterior": structure.constrain(fitted.u)}
    if isinstance(found, NutsDraws):
        contents["sample_stats"] = found.sample_stats
    if isinstance(found, LaplaceDraws):
        contents["importance"] = {"log_weight": found.log_weights[None], "raw_log_weight": found.raw_log_weights[None]}
    return az.from_dict(contents, dims=dims, coords=coords)


def loo(posterior: Posterior, customers: Customers) -> pd.DataFrame:
    """PSIS-LOO of each customer: elpd_i and pareto_k, by customer_id.

    Equal histories are evaluated once; each customer of a row has the row's value.
    """
    from clvmodels.models.evaluate import log_prob

    table = customers.table
    _check_covered(posterior.model, table)
    condensed = condense(table, posterior.model.observes, posterior.effects)
    theta = posterior.theta(table.iloc[condensed.first])
    log_likelihood = log_prob(posterior.model, {n: v[None] for n, v in condensed.rows.items()}, theta)
    chains = posterior.data["posterior"].sizes["chain"]
    shaped = log_likelihood.reshape(chains, -1, log_likelihood.shape[-1])
    # a history that no parameter changes (bought first on the last day) is its own score; PSIS has no tail to smooth
    elpd, pareto_k = shaped[0, 0].copy(), np.full(shaped.shape[-1], -np.inf)
    varies = np.ptp(log_likelihood, axis=0) > 0.0
    if varies.any():
        contents = {"posterior": {"one": shaped[..., 0]}, "log_likelihood": {"history": shaped[..., varies]}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a high pareto_k is returned, and is a check of the report
            result = az.loo(az.from_dict(contents), pointwise=True)
        elpd[varies], pareto_k[varies] = result.elpd_i.to_numpy(), result.pareto_k.to_numpy()
    columns = {"elpd_i": elpd[condensed.inverse], "pareto_k": pareto_k[condensed.inverse]}
    return pd.DataFrame(columns, index=table.index)
