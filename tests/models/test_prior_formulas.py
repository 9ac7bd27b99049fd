"""Priors by formulas in NumPy against PyMC, in every way in which each may be stated."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import special

from clvmodels.models.prior import DISTRIBUTIONS, Prior
from clvmodels.models.prior_formulas import log_density, quantiles

VALUES = {"alpha": 2.5, "beta": 1.7, "mu": 0.6, "sigma": 0.4, "tau": 2.3, "lam": 1.9, "scale": 0.8, "nu": 5.0}
BOUNDS = {"lower": 0.2, "upper": 0.9}


def stated() -> list[Prior]:
    """Every distribution in every way, and with its defaults where it has one for each argument."""
    priors = []
    for name, distribution in DISTRIBUTIONS.items():
        for way in distribution.ways:
            priors.append(Prior(name, {argument: (VALUES | BOUNDS)[argument] for argument in way}))
        if set(distribution.arguments) <= set(distribution.optional):
            priors.append(Prior(name, {}))
    return [*priors, Prior("InverseGamma", {"alpha": 2.5}), Prior("StudentT", {"nu": 5.0})]


@pytest.mark.parametrize("prior", stated(), ids=lambda prior: f"{prior.dist} {' '.join(prior.args)}")
def test_density_slope_and_quantiles_are_those_of_pymc(prior):
    support = DISTRIBUTIONS[prior.dist].support
    inside = {"positive": [0.05, 0.7, 3.0], "interval": [0.25, 0.5, 0.8], "real": [-2.0, 0.1, 1.4]}[support]
    factor = 7.0
    value = pt.vector("value")
    log_p = prior.log_density(value, factor)
    expected, slope = pytensor.function([value], [log_p, pt.grad(log_p.sum(), value)])(factor * np.array(inside))
    found, found_slope = log_density(prior, factor * np.array(inside), factor)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)  # PyMC's constants are of single precision
    np.testing.assert_allclose(found_slope, slope, rtol=1e-6, atol=1e-9)
    q = np.array([0.5, 0.2, 0.8])
    at = quantiles(prior, q, factor) / factor
    if prior.dist == "HalfStudentT":  # of which PyMC has no distribution function
        sigma = prior.args.get("sigma", VALUES["lam"] ** -0.5)
        mass = 2.0 * special.stdtr(VALUES["nu"], at / sigma) - 1.0
    else:
        mass = np.exp(pm.logcdf(prior.distribution(), at).eval())
    np.testing.assert_allclose(mass, q, rtol=1e-5)


def test_outside_of_a_uniform_there_is_nothing():
    found, slope = log_density(Prior("Uniform", BOUNDS), np.array([0.1, 0.5, 0.95]))
    assert np.isneginf(found[[0, 2]]).all() and np.isfinite(found[1]) and np.array_equal(slope, np.zeros(3))
