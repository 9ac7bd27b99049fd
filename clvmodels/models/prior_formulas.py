"""Priors in NumPy: the log density with its derivative, and quantiles; what a search needs before anything is compiled.

The distributions are PyMC's, as `prior.DISTRIBUTIONS` lists them with the ways in which each may be stated.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from clvmodels.draws import Array
from clvmodels.models.prior import Arguments, Prior

type WithSlope = tuple[Array, Array]
"""A log density, and its derivative by the value."""
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def log_density(prior: Prior, value: Array, factor: float = 1.0) -> WithSlope:
    """Log density of values in the fit's units, `factor` fit units for one stated unit, and its derivative by them.

    Minus infinity outside of a uniform's bounds; elsewhere values lie where the distribution does.
    """
    log_p, slope = _LOG_DENSITIES[prior.dist](np.asarray(value) / factor, prior.args)
    return log_p - math.log(factor), slope / factor


def quantiles(prior: Prior, q: Array, factor: float = 1.0) -> Array:
    """Quantiles in the fit's units. [Q]"""
    return factor * _QUANTILES[prior.dist](np.asarray(q), prior.args)


# How each is stated ---------------------------------------------------------------------------------------------


def _scale(args: Arguments, precision: str = "tau") -> float:
    """sigma, stated itself or by the precision; 1 where neither is."""
    return args[precision] ** -0.5 if precision in args else args.get("sigma", 1.0)


def _gamma_shapes(args: Arguments) -> tuple[float, float]:
    """Shape and rate, stated themselves or by mean and sd."""
    if "mu" in args:
        return (args["mu"] / args["sigma"]) ** 2, args["mu"] / args["sigma"] ** 2
    return args["alpha"], args["beta"]


def _inverse_gamma_shapes(args: Arguments) -> tuple[float, float]:
    if "mu" in args:
        ratio = (args["mu"] / args["sigma"]) ** 2
        return ratio + 2.0, args["mu"] * (ratio + 1.0)
    return args["alpha"], args.get("beta", 1.0)


def _beta_shapes(args: Arguments) -> tuple[float, float]:
    """Both shapes, stated themselves or by the mean and the sd or their sum."""
    if "mu" not in args:
        return args["alpha"], args["beta"]
    mu = args["mu"]
    total = args["nu"] if "nu" in args else mu * (1.0 - mu) / args["sigma"] ** 2 - 1.0
    return mu * total, (1.0 - mu) * total


def _rate(args: Arguments) -> float:
    return 1.0 / args["scale"] if "scale" in args else args.get("lam", 1.0)


# Log densities --------------------------------------------------------------------------------------------------


def _normal(value: Array, args: Arguments) -> WithSlope:
    sigma = _scale(args)
    z = (value - args.get("mu", 0.0)) / sigma
    return -0.5 * z**2 - math.log(sigma) - HALF_LOG_2PI, -z / sigma


def _log_normal(value: Array, args: Arguments) -> WithSlope:
    log_value = np.log(value)
    log_p, slope = _normal(log_value, args)
    return log_p - log_value, (slope - 1.0) / value


def _half_normal(value: Array, args: Arguments) -> WithSlope:
    log_p, slope = _normal(value, {"sigma": _scale(args)})
    return log_p + math.log(2.0), slope


def _student_t(value: Array, args: Arguments) -> WithSlope:
    nu, sigma = args["nu"], _scale(args, "lam")
    z = (value - args.get("mu", 0.0)) / sigma
    gamma_ratio = math.lgamma((nu + 1.0) / 2.0) - math.lgamma(nu / 2.0)
    constant = gamma_ratio - 0.5 * math.log(nu * math.pi) - math.log(sigma)
    log_p = constant - (nu + 1.0) / 2.0 * np.log1p(z**2 / nu)
    slope = -(nu + 1.0) * z / (nu + z**2) / sigma
    return log_p, slope


def _half_student_t(value: Array, args: Arguments) -> WithSlope:
    log_p, slope = _student_t(value, {"nu": args["nu"], "sigma": _scale(args, "lam")})
    return log_p + math.log(2.0), slope


def _half_cauchy(value: Array, args: Arguments) -> WithSlope:
    return _half_student_t(value, {"nu": 1.0, "sigma": args["beta"]})


def _gamma(value: Array, args: Arguments) -> WithSlope:
    alpha, beta = _gamma_shapes(args)
    constant = alpha * math.log(beta) - math.lgamma(alpha)
    return constant + (alpha - 1.0) * np.log(value) - beta * value, (alpha - 1.0) / value - beta


def _inverse_gamma(value: Array, args: Arguments) -> WithSlope:
    alpha, beta = _inverse_gamma_shapes(args)
    constant = alpha * math.log(beta) - math.lgamma(alpha)
    return constant - (alpha + 1.0) * np.log(value) - beta / value, (beta / value - alpha - 1.0) / value


def _exponential(value: Array, args: Arguments) -> WithSlope:
    rate = _rate(args)
    return math.log(rate) - rate * value, np.full_like(value, -rate)


def _weibull(value: Array, args: Arguments) -> WithSlope:
    alpha, beta = args["alpha"], args["beta"]
    log_ratio = np.log(value / beta)
    power = np.exp(alpha * log_ratio)
    return math.log(alpha / beta) + (alpha - 1.0) * log_ratio - power, (alpha - 1.0 - alpha * power) / value


def _beta(value: Array, args: Arguments) -> WithSlope:
    alpha, beta = _beta_shapes(args)
    constant = math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
    log_p = constant + (alpha - 1.0) * np.log(value) + (beta - 1.0) * np.log1p(-value)
    slope = (alpha - 1.0) / value - (beta - 1.0) / (1.0 - value)
    return log_p, slope


def _uniform(value: Array, args: Arguments) -> WithSlope:
    lower, upper = args.get("lower", 0.0), args.get("upper", 1.0)
    inside = (value >= lower) & (value <= upper)
    return np.where(inside, -math.log(upper - lower), -np.inf), np.zeros_like(value)


_LOG_DENSITIES: dict[str, Callable[[Array, Arguments], WithSlope]] = {
    "Gamma": _gamma,
    "LogNormal": _log_normal,
    "HalfNormal": _half_normal,
    "Exponential": _exponential,
    "InverseGamma": _inverse_gamma,
    "Weibull": _weibull,
    "HalfCauchy": _half_cauchy,
    "HalfStudentT": _half_student_t,
    "Beta": _beta,
    "Uniform": _uniform,
    "Normal": _normal,
    "StudentT": _student_t,
}


# Quantiles ------------------------------------------------------------------------------------------------------


def _normal_quantile(q: Array, args: Arguments) -> Array:
    return args.get("mu", 0.0) + _scale(args) * special.ndtri(q)


def _student_t_quantile(q: Array, args: Arguments) -> Array:
    return args.get("mu", 0.0) + _scale(args, "lam") * special.stdtrit(args["nu"], q)


def _half_student_t_quantile(q: Array, args: Arguments) -> Array:
    return _scale(args, "lam") * special.stdtrit(args["nu"], (1.0 + q) / 2.0)


def _gamma_quantile(q: Array, args: Arguments) -> Array:
    alpha, beta = _gamma_shapes(args)
    return special.gammaincinv(alpha, q) / beta


def _inverse_gamma_quantile(q: Array, args: Arguments) -> Array:
    alpha, beta = _inverse_gamma_shapes(args)
    return beta / special.gammainccinv(alpha, q)


def _uniform_quantile(q: Array, args: Arguments) -> Array:
    lower, upper = args.get("lower", 0.0), args.get("upper", 1.0)
    return lower + (upper - lower) * q


_QUANTILES: dict[str, Callable[[Array, Arguments], Array]] = {
    "Gamma": _gamma_quantile,
    "LogNormal": lambda q, args: np.exp(_normal_quantile(q, args)),
    "HalfNormal": lambda q, args: _scale(args) * special.ndtri((1.0 + q) / 2.0),
    "Exponential": lambda q, args: -np.log1p(-q) / _rate(args),
    "InverseGamma": _inverse_gamma_quantile,
    "Weibull": lambda q, args: args["beta"] * (-np.log1p(-q)) ** (1.0 / args["alpha"]),
    "HalfCauchy": lambda q, args: args["beta"] * np.tan(0.5 * np.pi * q),
    "HalfStudentT": _half_student_t_quantile,
    "Beta": lambda q, args: special.betaincinv(*_beta_shapes(args), q),
    "Uniform": _uniform_quantile,
    "Normal": _normal_quantile,
    "StudentT": _student_t_quantile,
}
