"""The posterior as ArviZ has it, with all that is needed to use it on other customers; saved without pickle.

Shapes: D = draw (all chains one after the other), C = customer_id.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from clvmodels.draws import Array
from clvmodels.errors import Problem, ResultsError, unwritable
from clvmodels.inference import attempts as refused
from clvmodels.inference.attempts import Attempt, OtherK
from clvmodels.inference.effect_problems import check_columns
from clvmodels.inference.effects import Effect, moved, multiplies, raises
from clvmodels.inference.samplers.checks import Check
from clvmodels.inference.stored import SUM, SUMMED, check_content, content_sum, damaged
from clvmodels.inference.terms import Scale, Term, make_terms
from clvmodels.models import Model, get_model
from clvmodels.models.prior import Prior, unit_factor

SCHEMA_VERSION = 2
PRIOR_DRAWS = 4000
QUANTILES = {"5%": 0.05, "50%": 0.5, "95%": 0.95}


@dataclass(frozen=True, repr=False)
class Posterior[M: Model]:
    """Draws of a model's population parameters, and all that is needed to use them on other customers.

    Parameters
    ----------
    model
        The model.
    data
        ArviZ's tree: group `posterior` with dims chain, draw (and a dim named by the group for coefficients).
    method
        How the draws were made: laplace, nuts or mle (one draw: the maximum).
    groups
        Labels of each group column that the fit met.
    time_unit, amount_unit, currency
        Units of the parameters.
    checks
        The sampling checks.
    attempts
        What was tried before, and why it was refused.
    scales
        Mean and sd of each covariate among the fit's customers.
    reading
        How the table of the fit's customers was read, as an experiment file says it (data, sources, calendars): what is
        scored with the posterior is read so too. Empty where it is not known.
    """

    model: M
    data: xr.DataTree
    method: str
    priors: Mapping[str, Prior]
    effects: Sequence[Effect]
    groups: Mapping[str, Sequence[str]]
    time_unit: str
    amount_unit: float
    currency: str | None
    seed: int
    checks: Sequence[Check] = ()
    attempts: Sequence[Attempt | OtherK] = ()
    scales: Mapping[str, Scale] = MappingProxyType({})
    reading: Mapping[str, Any] = MappingProxyType({})

    def __post_init__(self):
        # Copies that nobody can change: stages share a posterior, and runs know it by its identity.
        for name in ("effects", "checks", "attempts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("priors", "groups", "scales", "reading"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def terms(self) -> tuple[Term, ...]:
        """The effects with what the fit's customers say of them."""
        return make_terms(self.effects, self.groups)

    @property
    def passed(self) -> bool:
        """Whether every sampling check passed."""
        return not self.failed_checks

    @property
    def failed_checks(self) -> tuple[str, ...]:
        """Names of the sampling checks that failed."""
        return tuple(check.check for check in self.checks if not check.passed)

    def stacked(self, name: str, draws: int | None = None) -> Array:
        """All chains of a variable one after the other, thinned evenly to at most `draws`. [D, ...]"""
        chained = self._chained[name]
        if draws is None or draws >= len(chained):
            return chained
        places = np.linspace(0, len(chained) - 1, draws).round().astype(int)
        return chained[places]

    @cached_property
    def _chained(self) -> dict[str, Array]:
        """All chains of every variable one after the other: asked for once a block of customers, read once."""
        variables = self.data["posterior"].data_vars
        arrays = {str(name): variables[name].transpose("chain", "draw", ...).to_numpy() for name in variables}
        return {name: values.reshape(-1, *values.shape[2:]) for name, values in arrays.items()}

    def theta(self, table: pd.DataFrame, draws: int | None = None) -> dict[str, Array]:
        """The parameters of each customer in each draw: [D, 1], or [D, C] under an effect.

        Raises
        ------
        ConfigError
            If a group or covariate of the fit is missing from the table.
        DataError
            If a covariate is missing for some customers and the fit did not say what is done with them.
        """
        check_columns(self.effects, table)
        coefficients: dict[str, Array] = {}
        for term in self.terms:
            per_customer = term.per_customer(lambda name: self.stacked(name, draws), table, self.scales, self.seed)
            for name in term.effect.parameters:
                coefficients[name] = coefficients.get(name, 0.0) + per_customer
        population = {p.name: self.stacked(p.name, draws)[:, None] for p in self.model.parameters}
        return moved(self.model, population, coefficients)

    @cached_property
    def prior_draws(self) -> dict[str, Array]:
        """4,000 draws of each parameter's prior, in the fit's units. [D] each"""
        rng = np.random.default_rng(self.seed)
        draws = {}
        for parameter in self.model.parameters:
            prior = self.priors[parameter.name]
            factor = unit_factor(parameter.unit, prior, self.time_unit, self.amount_unit)
            draws[parameter.name] = parameter.value(prior.draw(PRIOR_DRAWS, rng, factor))
        for effect in self.effects:
            if effect.group is not None:
                draws[f"{effect.name}_sd"] = effect.sd_prior.draw(PRIOR_DRAWS, rng)
        return draws

    def summary(self) -> pd.DataFrame:
        """Mean, sd, 5, 50 and 95% of each parameter and coefficient."""
        rows = {}
        for name, variable in self.data["posterior"].data_vars.items():
            draws = self.stacked(str(name))
            if draws.ndim == 1:
                rows[str(name)] = _moments(draws)
                continue
            labels = variable[variable.dims[-1]].to_numpy()
            for label, of_label in zip(labels, draws.T, strict=True):
                rows[f"{name}[{label}]"] = _moments(of_label)
        return pd.DataFrame.from_dict(rows, orient="index")

    def effect_summary(self) -> pd.DataFrame:
        """What the effects say, a row a coefficient.

        effect, raises (what a positive coefficient raises), kind (group, sd between groups; per sd and per unit of a
        covariate; missing: of being without one), label, then mean, sd, 5, 50 and 95% of the coefficient and of its
        factor exp(c): by how much what it raises is multiplied, or its odds. A parameter without bounds has no factor.
        """
        rows = []
        for term in self.terms:
            effect = {"effect": term.name, "raises": raises(self.model, term.effect)}
            has_factor = multiplies(self.model, term.effect)
            for coefficient in term.coefficients(self.stacked, self.scales):
                moments = _moments(coefficient.draws)
                factors = {f"factor {q}": np.exp(moments[q]) if has_factor else np.nan for q in QUANTILES}
                rows.append({**effect, "kind": coefficient.kind, "label": coefficient.label, **moments, **factors})
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        verdict = "all sampling checks passed" if self.passed else "a sampling check FAILED"
        draws = len(self.stacked(self.model.parameters[0].name))
        made = f"{draws:,} draws by {self.method}{self._cost_in_words()}"
        return f"{self.model.title}, {made}, {self._units()}: {verdict}"

    @property
    def cost(self) -> Mapping[str, int]:
        """How often the log density was computed: exact `values` and `gradients` of laplace; `gradients` of the draws
        that nuts kept, its warm-up apart. Nothing is counted of mle."""
        if "importance" in self.data.children:
            counted = self.data["importance"].attrs
            return {name: int(counted[name]) for name in ("values", "gradients") if name in counted}
        if "sample_stats" in self.data.children:
            return {"gradients": int(self.data["sample_stats"]["n_steps"].sum())}
        return {}

    def _cost_in_words(self) -> str:
        if not self.cost:
            return ""
        counts = " and ".join(f"{count:,} {name}" for name, count in self.cost.items())
        return f" ({counts} of the log density)"

    def _units(self) -> str:
        if any(parameter.unit == "money" for parameter in self.model.parameters):
            return f"money in units of {self.amount_unit:g} {self.currency}"
        return f"times in {self.time_unit}s"

    def _repr_html_(self) -> str:
        head = f"<p>{html.escape(repr(self))}</p>"
        return head + self.summary().to_html(float_format="{:.4g}".format, escape=True)

    def save(self, path: str | Path) -> Path:
        """Write a NetCDF file, whole or not at all; `load` reads it."""
        path = Path(path)
        tree, about = self.data.copy(), json.dumps({**self._about(), SUMMED: True})
        tree.attrs |= {"schema_version": SCHEMA_VERSION, "clvmodels": about, SUM: content_sum(tree, about)}
        part = path.with_name(path.name + ".tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            tree.to_netcdf(part, engine="netcdf4")
            part.replace(path)
        except (OSError, RuntimeError) as error:  # of a full disk NetCDF says the latter
            raise unwritable(path, error) from error
        finally:
            part.unlink(missing_ok=True)
        return path

    def _about(self) -> dict[str, Any]:
        """All but the draws, as JSON has it."""
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
            "checks": [check._asdict() for check in self.checks],
            "attempts": [attempt._asdict() for attempt in self.attempts],
            "reading": dict(self.reading),
        }


def _moments(draws: Array) -> dict[str, float]:
    quantiles = np.quantile(draws, list(QUANTILES.values()))
    return {"mean": draws.mean(), "sd": draws.std(), **dict(zip(QUANTILES, quantiles, strict=True))}


def load(path: str | Path) -> Posterior:
    """A posterior that `Posterior.save` wrote.

    Raises
    ------
    ResultsError
        No such file, not a posterior of this package, a damaged one, or another schema version.
    """
    path = Path(path)
    tree = _read_tree(path)
    try:
        return _posterior(tree, str(path))
    except (KeyError, TypeError, AttributeError, IndexError, json.JSONDecodeError) as error:
        raise damaged(path, error) from error


def _posterior(tree: xr.DataTree, where: str) -> Posterior:
    text = tree.attrs["clvmodels"]
    about = json.loads(text)
    model = get_model(about["model"], about["options"], where)
    check_content(tree, text, about.get(SUMMED, False), where)
    stated = about["priors"]
    return Posterior(
        model=model,
        data=tree,
        method=about["method"],
        priors={p.name: Prior.from_mapping(stated[p.name], where, support=p.support) for p in model.parameters},
        effects=[Effect.from_mapping(mapping, where) for mapping in about["effects"]],
        groups={name: tuple(labels) for name, labels in about["groups"].items()},
        time_unit=about["time_unit"],
        amount_unit=about["amount_unit"],
        currency=about["currency"],
        seed=about["seed"],
        checks=[Check(**check) for check in about["checks"]],
        attempts=[refused.from_mapping(attempt) for attempt in about["attempts"]],
        scales={name: Scale(*scale) for name, scale in about["scales"].items()},
        reading=about.get("reading", {}),
    )


def _read_tree(path: Path) -> xr.DataTree:
    """The file in memory, closed; of this schema version."""
    if not path.is_file():
        raise ResultsError(Problem("there is no such posterior", str(path), known="Fit one with `clvmodels fit`"))
    try:
        with xr.open_datatree(path, engine="netcdf4") as opened:
            tree = opened.load()
    except Exception as error:  # a damaged file may end in any error of its readers
        raise ResultsError(Problem(f"this is not a readable NetCDF file ({error})", str(path))) from error
    version = tree.attrs.get("schema_version")
    if version != SCHEMA_VERSION or "clvmodels" not in tree.attrs:
        got = "none" if version is None else str(version)
        advice = f"This clvmodels reads version {SCHEMA_VERSION}: fit again, or use the version that wrote it"
        raise ResultsError(Problem("the posterior has another schema version", str(path), got, advice))
    return tree
