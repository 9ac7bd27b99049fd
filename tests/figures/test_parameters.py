"""The parameters one by one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fakes.run import about
from fakes.says import Says, check, table_of
from fakes.tiny_posterior import posterior, posterior_run

from clvmodels.figures import FIGURES
from clvmodels.figures.parameters import _of_effect, stated
from clvmodels.inference.effects import Effect
from clvmodels.inference.terms import make_terms
from clvmodels.models.parameters import Parameter
from clvmodels.models.prior import Prior

CASES = {
    "parameters and effects": Says(
        lambda: posterior_run(covariates=True),
        heading="Parameters, priors and sources",
        sub="",
        caption="Times in weeks. Sources: Pareto/NBD: Schmittlein, Morrison & Colombo (1987).",
        alt="",
        titles=("Parameter", "Meaning", "Prior", "Middle", "90% interval"),
        rows=[
            ("Pareto/NBD: r", "how alike customers' rates are", "LogNormal(mu 0, sigma 1.2)", "2.0", "1.1 to 2.9"),
            ("Pareto/NBD: alpha", "scale of the rates", "LogNormal(mu 0, sigma 1.2), in weeks", "10.0", "10.0"),
            (
                "Pareto/NBD: alpha_by_channel_sd",
                "sd between groups, of the logarithm",
                "HalfNormal(sigma 0.5)",
                "0.30",
                "0.21 to 0.39",
            ),
            (
                "Pareto/NBD: r by is_business",
                "effect of one sd more; positive: more purchase rate",
                "Normal(mu 0, sigma 1)",
                "0.200",
                "0.155 to 0.245",
            ),
            (
                "Pareto/NBD: r by age",
                "effect of one sd more; positive: more purchase rate",
                "Normal(mu 0, sigma 1)",
                "0.69",
                "0.10 to 1.06",
            ),
            (
                "Pareto/NBD: r by is_business",
                "effect of one more; positive: more purchase rate",
                "as of one sd",
                "0.40",
                "0.31 to 0.49",
            ),
            (
                "Pareto/NBD: r by age",
                "effect of one more; positive: more purchase rate",
                "as of one sd",
                "0.069",
                "0.010 to 0.106",
            ),
            (
                "Pareto/NBD: r by is_business (missing)",
                "effect of being missing; positive: more purchase rate",
                "Normal(mu 0, sigma 1)",
                "0",
                "0",
            ),
            (
                "Pareto/NBD: r by age (missing)",
                "effect of being missing; positive: more purchase rate",
                "Normal(mu 0, sigma 1)",
                "0.0",
                "-0.9 to 0.9",
            ),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("parameters", case)


def test_parameters_of_cost_models_stand_under_their_model(company_run):
    rows = FIGURES["parameters"].numbers(table_of("parameters", company_run), company_run.about).rows
    names = [row[0] for row in rows]
    assert "Gamma-Poisson contacts: mu" in names and "Gamma-Poisson referrals: mu" in names
    assert len(names) == len(set(names))


def row(draws, model="BG/NBD", source="Fader, Hardie & Lee (2005)"):
    told = {"model": model, "source": source, "parameter": "r", "meaning": "what", "prior": "HalfNormal(sigma 1)"}
    return {**told, "draws": draws, "q5": 1.0, "q50": 1.0, "q95": 1.5}


def test_a_maximum_of_the_likelihood_has_no_interval():
    rows = FIGURES["parameters"].numbers(pd.DataFrame([row(1), row(2)]), about()).rows
    assert [cells[-1] for cells in rows] == ["maximum of the likelihood", "1.00 to 1.50"]


def test_the_sources_of_several_models_are_told():
    table = pd.DataFrame([row(2), row(2, "Gamma-Gamma", "Fader & Hardie (2013)"), row(2)])
    caption = FIGURES["parameters"].words(table, about()).caption
    assert caption.endswith("BG/NBD: Fader, Hardie & Lee (2005); Gamma-Gamma: Fader & Hardie (2013).")


@pytest.mark.parametrize(
    ("unit", "lower", "stands"),
    [
        ("none", 0.0, ""),
        ("none", -np.inf, ""),
        ("time", 0.0, ", in days"),
        ("1/time", 0.0, ", per day"),
        ("money", 0.0, ", in the currency"),
        ("none", 1.0, ", of the excess over 1"),
    ],
)
def test_a_prior_is_told_with_its_unit_and_its_bound(unit, lower, stands):
    prior = Prior("HalfNormal", {"sigma": 2.0}, "day")
    parameter = Parameter("q", "spend", unit, prior, 1, "spend", "what", lower=lower)
    assert stated(SimpleNamespace(priors={"q": prior}), parameter) == f"HalfNormal(sigma 2){stands}"


def test_an_effect_on_two_parameters_names_both():
    effect = Effect("purchases", ("r", "alpha"), covariates=("age",))
    term = make_terms([effect], {})[0]
    fitted = replaced_scales(posterior(groups=False, covariates=True, meanings=True), term)
    names = [name for name, *_ in _of_effect(fitted, term)]
    assert names == ["r and alpha by age", "r and alpha by age"]


def replaced_scales(fitted, term):
    """The posterior with draws of the coefficient of age alone."""
    draws = np.tile(np.linspace(0.1, 0.2, 21)[:, None], (3, 1))
    fitted.stacked = {term.effect.name: draws}.__getitem__
    return fitted
