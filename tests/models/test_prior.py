"""Priors as data: the table of what may be stated agrees with PyMC, and what PyMC swallows is refused."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pymc as pm
import pytest

from clvmodels.errors import ConfigError
from clvmodels.inference.refusals import resolve_priors
from clvmodels.models import MODELS
from clvmodels.models.prior import DISTRIBUTIONS, Prior

SIMPLE = dict.fromkeys(("alpha", "beta", "mu", "sigma", "tau", "lam", "scale", "nu", "upper"), 0.4) | {"lower": 0.1}
WAYS = [(name, way) for name, distribution in DISTRIBUTIONS.items() for way in distribution.ways]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_table_knows_the_arguments_that_pymc_has(name):
    signature = inspect.signature(getattr(pm, name).dist)
    of_pymc = [p.name for p in signature.parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    assert set(DISTRIBUTIONS[name].arguments) == set(of_pymc)


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_each_way_is_one_that_pymc_takes_and_lives_where_the_table_says(name, way):
    prior = Prior(name, {argument: SIMPLE[argument] for argument in way})
    assert prior.strays(DISTRIBUTIONS[name].support) == []
    least = {argument: SIMPLE[argument] for argument in way if argument not in DISTRIBUTIONS[name].optional}
    getattr(pm, name).dist(**Prior(name, least).args)  # what is optional, PyMC has a default for


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_what_is_required_pymc_requires_too(name, way):
    for argument in set(way) - set(DISTRIBUTIONS[name].optional):
        rest = {other: SIMPLE[other] for other in way if other != argument}
        with pytest.raises(ConfigError, match=f"{name} lacks"):
            Prior(name, rest)
        with pytest.raises((TypeError, ValueError)):
            getattr(pm, name).dist(**rest)


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("HalfNormal", {"sd": 10}, "Unknown argument 'sd' of HalfNormal; did you mean 'sigma'? Known: sigma, tau"),
        ("HalfNormal", {"sigmo": 10}, "did you mean 'sigma'?"),
        ("HalfNormal", {"sigma": 0}, "argument 'sigma' of HalfNormal must be above 0; got 0"),
        ("Normal", {"mean": 0}, "Unknown argument 'mean' of Normal; did you mean 'mu'?"),
        ("Normal", {"sigma": np.inf}, "is not a number; got inf"),
        ("LogNormal", {"sigma": 1, "tau": 1}, "LogNormal takes one of these, and not sigma and tau together"),
        ("Gamma", {"alpha": 1, "beta": 2, "mu": 1}, "Gamma takes one of these, and not alpha and beta and mu together"),
        ("Gamma", {}, "Gamma lacks alpha and beta, or mu and sigma; got nothing"),
        ("Beta", {"mu": 0.5, "sigma": 0.9}, "argument 'sigma' of Beta is too large; got 0.9. Below 0.5"),  # PyMC hangs
        ("Beta", {"mu": 1.5, "nu": 3}, "argument 'mu' of Beta must be below 1"),
        ("Uniform", {"lower": 0.8, "upper": 0.2}, "Uniform needs 0 <= lower < upper <= 1; got 0.8 and 0.2"),
        ("Uniform", {"upper": 2}, "Uniform needs 0 <= lower < upper <= 1"),
        ("Cauchy", {"beta": 2}, "Unknown prior distribution 'Cauchy'; did you mean 'HalfCauchy'?"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_plain_words(name, args, words):
    with pytest.raises(ConfigError) as in_python:
        Prior(name, args)
    assert words in str(in_python.value) and str(in_python.value).startswith("Prior: ")
    with pytest.raises(ConfigError) as stored:
        Prior.from_mapping({"dist": name, **args}, "posterior.nc")
    assert words in str(stored.value) and str(stored.value).startswith("posterior.nc: ")


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as refused:
        Prior("Gamma", {"mu": "five", "sigma": -1, "sd": 2}, "weeks")
    assert [problem.path for problem in refused.value.problems] == [("sd",), ("mu",), ("sigma",), ("time_unit",)]


def test_values_that_no_computer_tells_from_a_bound_are_refused():
    for dist, args in (("LogNormal", {"mu": 1000, "sigma": 1}), ("Gamma", {"alpha": 1e-4, "beta": 1})):
        assert "no computer tells from 0 or infinity" in str(Prior(dist, args).strays("positive")[0])


def test_a_fit_refuses_a_prior_that_lives_elsewhere():
    real = Prior("Normal", {"mu": 5, "sigma": 1})
    with pytest.raises(ConfigError, match="prior of alpha: Normal is no prior of something above 0"):
        resolve_priors(MODELS["bg_nbd"], {"alpha": real})


def test_a_prior_is_plain_data_that_nobody_changes():
    args = {"mu": 5, "sigma": np.float64(5)}
    prior = Prior("Gamma", args)
    args["mu"] = 7
    assert prior == Prior.from_mapping(prior.to_mapping()) and prior.args == {"mu": 5.0, "sigma": 5.0}
    assert hash(prior) == hash(copy.deepcopy(prior))
    with pytest.raises(TypeError):
        prior.args["mu"] = 7
