"""The parameters one by one."""

from __future__ import annotations

import pytest
from fakes.says import Says, check, table_of
from fakes.tiny_posterior import posterior_run

from clvmodels.figures import FIGURES

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
