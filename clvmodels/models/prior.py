"""Priors as data: a PyMC distribution by name, its arguments, and the time unit it is stated in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.errors import ConfigError, Problem, unknown

SUPPORTS = {
    "positive": (
        "Gamma",
        "LogNormal",
        "HalfNormal",
        "Exponential",
        "InverseGamma",
        "Weibull",
        "HalfCauchy",
        "HalfStudentT",
    ),
    "interval": ("Beta", "Uniform"),
    "real": ("Normal", "StudentT"),
}
"""PyMC's distributions, by where their quantity lives: above 0, between 0 and 1, anywhere."""
_WORDS = {"positive": "positive", "interval": "between 0 and 1", "real": "finite"}


@dataclass(frozen=True)
class Prior:
    """The prior of a quantity: of a parameter, or of what its bounds make of it (`Parameter`).

    Parameters
    ----------
    dist
        Name of a continuous PyMC distribution, one of `SUPPORTS`.
    args
        Arguments of that distribution.
    time_unit
        The unit in which a time or a rate is stated. Ignored by parameters without a time unit.

    Notes
    -----
    The prior is stated in physical time and in the currency. A fit in other units evaluates the same prior: with
    theta_fit = f theta_stated, log p(theta_fit) = log p_stated(theta_fit / f) - log f.
    A parameter bounded below by 1 has the prior of its excess over 1, one between two bounds that of its place
    between them.
    """

    dist: str
    args: Mapping[str, float] = field(default_factory=dict)
    time_unit: str = "week"

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], where: str = "", time_unit: str = "week", support: str = "positive"
    ) -> Prior:
        """A prior as an experiment states it: {dist: Gamma, mu: 5, sigma: 5, time_unit: week}.

        Raises
        ------
        ConfigError
            If the distribution is unknown or lives elsewhere than `support` says, or its arguments are not numbers
            that it takes.
        """
        args = dict(mapping)
        dist = args.pop("dist", None)
        time_unit = str(args.pop("time_unit", time_unit))
        problems = []
        if dist not in SUPPORTS[support]:
            problems.append(unknown("prior distribution", dist, SUPPORTS[support], where))
        if time_unit not in DAYS_PER_UNIT:
            problems.append(unknown("time unit", time_unit, DAYS_PER_UNIT, where))
        bad = {k: v for k, v in args.items() if isinstance(v, bool) or not isinstance(v, (int, float))}
        problems += [Problem(f"argument '{k}' of the prior is not a number", where, repr(v)) for k, v in bad.items()]
        if problems:
            raise ConfigError(problems)
        prior = cls(str(dist), {k: float(v) for k, v in args.items()}, time_unit)
        prior._check(where, support)
        return prior

    def _check(self, where: str, support: str) -> None:
        try:
            draws = self.draw(16, np.random.default_rng(0))
        except Exception as error:  # PyMC raises many kinds for wrong arguments: all mean the same to the user
            raise ConfigError(
                Problem(
                    f"{self.dist} cannot be built from {dict(self.args)}: {error}", where, known=f"See pm.{self.dist}"
                )
            ) from error
        low, high = {"positive": (0, np.inf), "interval": (0, 1), "real": (-np.inf, np.inf)}[support]
        if not np.all(np.isfinite(draws) & (draws > low) & (draws < high)):
            what = f"{self.dist} with {dict(self.args)} gives values that are not {_WORDS[support]}"
            raise ConfigError(Problem(what, where))

    def to_mapping(self) -> dict[str, Any]:
        """The form that `from_mapping` reads."""
        return {"dist": self.dist, **self.args, "time_unit": self.time_unit}

    def distribution(self) -> pt.TensorVariable:
        """The PyMC distribution, in the units in which the prior is stated."""
        return getattr(pm, self.dist).dist(**self.args)

    def log_density(self, value: pt.TensorVariable, factor: float = 1.0) -> pt.TensorVariable:
        """Log density of a value in the fit's units, `factor` fit units for one stated unit."""
        return pm.logp(self.distribution(), value / factor) - float(np.log(factor))

    def draw(self, draws: int, rng: np.random.Generator, factor: float = 1.0) -> np.ndarray:
        """Draws in the fit's units. [draw]"""
        values = getattr(pm, self.dist).dist(**self.args, shape=(draws,))  # at once: PyMC's own loop is slow
        return factor * np.asarray(pm.draw(values, random_seed=rng), dtype=float)


def log_normal(median: float, sigma: float) -> Prior:
    """The log-normal prior of a given median and sd of the log; times in weeks."""
    return Prior("LogNormal", {"mu": float(np.log(median)), "sigma": sigma})


def unit_factor(unit: str, prior: Prior, time_unit: str, amount_unit: float) -> float:
    """How many of the fit's units make one of the prior's: for unit 'time', '1/time', 'money' or 'none'."""
    time = DAYS_PER_UNIT[prior.time_unit] / DAYS_PER_UNIT[time_unit]
    return {"time": time, "1/time": 1.0 / time, "money": 1.0 / amount_unit, "none": 1.0}[unit]
