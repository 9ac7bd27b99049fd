"""Priors as data: a PyMC distribution by name, its arguments, and the time unit it is stated in.

What may be stated is told by a table of our own, `DISTRIBUTIONS`: PyMC takes arguments that it does not know, and of
two ways of stating a distribution that are mixed it forgets one.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.errors import ConfigError, Problem, unknown
from clvmodels.strict import FrozenDict

Arguments = Mapping[str, float]
UNCOMPILED = Mode(linker="py", optimizer=None)
"""For a handful of draws: compiling takes a second, they a hundredth."""

SYNONYMS = {"sd": "sigma", "std": "sigma", "scale": "sigma", "mean": "mu", "loc": "mu", "rate": "lam", "df": "nu"}
"""What other libraries call an argument, where PyMC's name is too unlike to be guessed."""


def _in_beta(args: Arguments) -> Iterator[Problem]:
    """Its variance must leave room for two shapes above 0, or PyMC draws without end."""
    mu, sigma = args.get("mu"), args.get("sigma")
    if mu is None:
        return
    if mu >= 1:
        yield Problem("argument 'mu' of Beta must be below 1", got=f"{mu:g}", path=("mu",))
    elif sigma is not None and sigma**2 >= mu * (1 - mu):
        known = f"Below {np.sqrt(mu * (1 - mu)):.3g}, which is sqrt(mu (1 - mu))"
        yield Problem("argument 'sigma' of Beta is too large", got=f"{sigma:g}", known=known, path=("sigma",))


def _in_uniform(args: Arguments) -> Iterator[Problem]:
    lower, upper = args.get("lower", 0.0), args.get("upper", 1.0)
    if not 0 <= lower < upper <= 1:
        what = "Uniform needs 0 <= lower < upper <= 1"
        yield Problem(what, got=f"{lower:g} and {upper:g}", known="Stated is a place between two bounds")


def _nothing_more(args: Arguments) -> Iterator[Problem]:
    return iter(())


@dataclass(frozen=True)
class Distribution:
    """How one of PyMC's distributions may be stated.

    Parameters
    ----------
    support
        Where its quantity lives: positive (above 0), interval (between 0 and 1), real (anywhere).
    ways
        Sets of arguments that state it; those of two ways are not mixed.
    optional
        Arguments that PyMC has a default for.
    signed
        Arguments that may be 0 or below; all others are above 0.
    together
        What its arguments must be beside each other.
    """

    support: str
    ways: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...] = ()
    signed: tuple[str, ...] = ()
    together: Callable[[Arguments], Iterator[Problem]] = _nothing_more

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of all its arguments."""
        return tuple(dict.fromkeys(name for way in self.ways for name in way))


SCALE = ("sigma",), ("tau",)
PLACE_AND_SCALE = ("mu", "sigma"), ("mu", "tau")
DISTRIBUTIONS = {
    "Gamma": Distribution("positive", (("alpha", "beta"), ("mu", "sigma"))),
    "LogNormal": Distribution("positive", PLACE_AND_SCALE, optional=("mu", "sigma", "tau"), signed=("mu",)),
    "HalfNormal": Distribution("positive", SCALE, optional=("sigma", "tau")),
    "Exponential": Distribution("positive", (("lam",), ("scale",)), optional=("lam", "scale")),
    "InverseGamma": Distribution("positive", (("alpha", "beta"), ("mu", "sigma")), optional=("beta",)),
    "Weibull": Distribution("positive", (("alpha", "beta"),)),
    "HalfCauchy": Distribution("positive", (("beta",),)),
    "HalfStudentT": Distribution("positive", (("nu", "sigma"), ("nu", "lam")), optional=("sigma", "lam")),
    "Beta": Distribution("interval", (("alpha", "beta"), ("mu", "sigma"), ("mu", "nu")), together=_in_beta),
    "Uniform": Distribution(
        "interval",
        (("lower", "upper"),),
        optional=("lower", "upper"),
        signed=("lower", "upper"),
        together=_in_uniform,
    ),
    "Normal": Distribution("real", PLACE_AND_SCALE, optional=("mu", "sigma", "tau"), signed=("mu",)),
    "StudentT": Distribution(
        "real",
        (("nu", "mu", "sigma"), ("nu", "mu", "lam")),
        optional=("mu", "sigma", "lam"),
        signed=("mu",),
    ),
}
"""PyMC's continuous distributions that a prior may be, by name."""
BOUNDS = {"positive": (0.0, np.inf), "interval": (0.0, 1.0), "real": (-np.inf, np.inf)}
QUANTITIES = {"positive": "of something above 0", "interval": "of a share between 0 and 1", "real": "of either sign"}


@dataclass(frozen=True)
class Prior:
    """The prior of a quantity: of a parameter, or of what its bounds make of it (`Parameter`).

    Parameters
    ----------
    dist
        Name of a continuous PyMC distribution, one of `DISTRIBUTIONS`.
    args
        Arguments of that distribution.
    time_unit
        The unit in which a time or a rate is stated. Ignored by parameters without a time unit.

    Raises
    ------
    ConfigError
        An unknown distribution, argument or time unit; arguments that are missing, of two ways of stating the
        distribution, no numbers, or out of range; all at once.

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

    def __post_init__(self) -> None:
        problems = list(_problems(self.dist, self.args))
        if self.time_unit not in DAYS_PER_UNIT:
            problems.append(replace(unknown("time unit", self.time_unit, DAYS_PER_UNIT), path=("time_unit",)))
        if problems:
            raise ConfigError([replace(problem, where="Prior") for problem in problems])
        numbers = {name: float(value) for name, value in self.args.items()}
        object.__setattr__(self, "args", FrozenDict(numbers))

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], where: str = "", time_unit: str = "week", support: str | None = "positive"
    ) -> Prior:
        """A prior as an experiment states it: {dist: Gamma, mu: 5, sigma: 5, time_unit: week}.

        Raises
        ------
        ConfigError
            As `Prior` does, and where the distribution lives elsewhere than `support` says, if it is known.
        """
        args = {name: value for name, value in mapping.items() if name not in ("dist", "time_unit")}
        try:
            prior = cls(mapping.get("dist", ""), args, mapping.get("time_unit", time_unit))
        except ConfigError as error:
            raise ConfigError([replace(problem, where=where) for problem in error.problems]) from None
        problems = [] if support is None else prior.strays(support, where)
        if problems:
            raise ConfigError(problems)
        return prior

    def strays(self, support: str, where: str = "") -> list[Problem]:
        """Problems of a prior whose values are not where the quantity lives, or too far out for a computer."""
        fitting = [name for name, other in DISTRIBUTIONS.items() if other.support == support]
        if self.dist not in fitting:
            what = f"{self.dist} is no prior {QUANTITIES[support]}"
            return [Problem(what, where, known=f"Known: {', '.join(fitting)}", path=("dist",))]
        low, high = BOUNDS[support]
        draws = self.draw(16, np.random.default_rng(0), mode=UNCOMPILED)
        if np.all(np.isfinite(draws) & (draws > low) & (draws < high)):
            return []
        what = f"{self.dist} with {dict(self.args)} gives values that no computer tells from 0 or infinity"
        return [Problem(what, where)]

    def to_mapping(self) -> dict[str, Any]:
        """The form that `from_mapping` reads."""
        return {"dist": self.dist, **self.args, "time_unit": self.time_unit}

    def distribution(self) -> pt.TensorVariable:
        """The PyMC distribution, in the units in which the prior is stated."""
        import pymc as pm  # takes a second, and most of what knows a prior evaluates none

        return getattr(pm, self.dist).dist(**self.args)

    def log_density(self, value: pt.TensorVariable, factor: float = 1.0) -> pt.TensorVariable:
        """Log density of a value in the fit's units, `factor` fit units for one stated unit."""
        import pymc as pm

        return pm.logp(self.distribution(), value / factor) - float(np.log(factor))

    def draw(self, draws: int, rng: np.random.Generator, factor: float = 1.0, mode: Mode | None = None) -> np.ndarray:
        """Draws in the fit's units. [draw]"""
        import pymc as pm

        values = getattr(pm, self.dist).dist(**self.args, shape=(draws,))  # at once: PyMC's own loop is slow
        return factor * np.asarray(pm.draw(values, random_seed=rng, mode=mode), dtype=float)


def log_normal(median: float, sigma: float) -> Prior:
    """The log-normal prior of a given median and sd of the log; times in weeks."""
    return Prior("LogNormal", {"mu": float(np.log(median)), "sigma": sigma})


def unit_factor(unit: str, prior: Prior, time_unit: str, amount_unit: float) -> float:
    """How many of the fit's units make one of the prior's: for unit 'time', '1/time', 'money' or 'none'."""
    time = DAYS_PER_UNIT[prior.time_unit] / DAYS_PER_UNIT[time_unit]
    return {"time": time, "1/time": 1.0 / time, "money": 1.0 / amount_unit, "none": 1.0}[unit]


# ------------------------------------------------------------------------------------------------- what is refused


def _problems(dist: Any, args: Mapping[str, Any]) -> Iterator[Problem]:
    if dist not in DISTRIBUTIONS:
        yield replace(unknown("prior distribution", dist, DISTRIBUTIONS), path=("dist",))
        return
    stated = DISTRIBUTIONS[dist]
    misspelt = [name for name in args if name not in stated.arguments]
    for name in misspelt:
        yield _misspelt(dist, name, stated.arguments)
    no_numbers = list(_number_problems(dist, {name: args[name] for name in args if name not in misspelt}))
    yield from no_numbers
    if not misspelt:
        yield from _way_problems(dist, args)
    if not misspelt and not no_numbers:
        yield from stated.together(args)


def _misspelt(dist: str, name: str, arguments: tuple[str, ...]) -> Problem:
    meant = SYNONYMS.get(name)
    near = [meant] if meant in arguments else difflib.get_close_matches(name, arguments, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    what = f"Unknown argument '{name}' of {dist}{hint} Known: {', '.join(arguments)}"
    return Problem(what, path=(name,), at_key=True)


def _number_problems(dist: str, args: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in args.items():
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not is_number or not np.isfinite(value):
            yield Problem(f"argument '{name}' of the prior is not a number", got=repr(value), path=(name,))
        elif value <= 0 and name not in DISTRIBUTIONS[dist].signed:
            yield Problem(f"argument '{name}' of {dist} must be above 0", got=f"{value:g}", path=(name,))


def _way_problems(dist: str, args: Mapping[str, Any]) -> Iterator[Problem]:
    """Arguments of two ways of stating a distribution, or too few of one."""
    stated = DISTRIBUTIONS[dist]
    known = f"State {' or '.join(' and '.join(way) for way in stated.ways)}"
    possible = [way for way in stated.ways if set(args) <= set(way)]
    if not possible:
        yield Problem(f"{dist} takes one of these, and not {' and '.join(args)} together", known=known)
        return
    lacking = [[name for name in way if name not in args and name not in stated.optional] for way in possible]
    if all(lacking):
        missing = ", or ".join(dict.fromkeys(" and ".join(names) for names in lacking))
        yield Problem(f"{dist} lacks {missing}", got=" and ".join(args) or "nothing", known=known)
