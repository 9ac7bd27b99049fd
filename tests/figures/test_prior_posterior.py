"""What the data added to the priors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check, table_of
from fakes.tiny_posterior import posterior_run

from clvmodels.figures import FIGURES

CASES = {
    "two meanings": Says(
        posterior_run,
        heading="What the data added to the priors",
        sub=("Grey: prior. Blue: posterior. Heights are scaled, a prior's peak may be cut: compare widths and places."),
        caption=(
            "Every posterior is at least **10 times narrower** than its prior (90% intervals; the least: "
            "mean purchase rate while active): the data decide, more than the priors."
        ),
        alt="2 small panels: grey prior, blue posterior; the least narrowed by a factor of 10.",
        titles=("Quantity", "Prior, 90%", "Posterior, middle", "Posterior, 90%", "Times narrower"),
        rows=[
            ("mean purchase rate while active, per week", "0.1 to 1.9", "0.20", "0.11 to 0.29", "10.0"),
            ("how alike customers are", "1 to 19", "2.0", "1.1 to 2.9", "10.0"),
        ],
    ),
    "no meanings: the parameters": Says(
        lambda: posterior_run(meanings=False),
        heading="What the data added to the priors",
        sub=("Grey: prior. Blue: posterior. Heights are scaled, a prior's peak may be cut: compare widths and places."),
        caption=(
            "The data add little on **alpha**: the posterior is less than 2 times narrower than the "
            "prior (90% intervals), so the prior matters there."
        ),
        alt="2 small panels: grey prior, blue posterior; the least narrowed by a factor of 0.0.",
        titles=("Quantity", "Prior, 90%", "Posterior, middle", "Posterior, 90%", "Times narrower"),
        rows=[
            ("r: how alike customers' rates are", "1 to 19", "2.0", "1.1 to 2.9", "10.0"),
            ("alpha: scale of the rates", "10.0", "10.0", "9.1 to 10.9", "0.0"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("prior_posterior", case)


def test_it_draws(accept_drawings):
    check_drawings("prior_posterior", CASES, accept_drawings)


def test_quantities_of_one_name_are_told_apart_and_every_model_is_drawn(company_run):
    found = table_of("prior_posterior", company_run)
    assert found.quantiles.groupby(["name", "series"]).size().eq(1).all()
    names = set(found.quantiles["name"])
    spread = "spread of rates between customers (sd / mean)"
    assert {f"contacts: {spread}", f"referrals: {spread}", "mean contacts"} <= names and spread not in names
    assert set(found.curves["part"]) == {"purchases", "contacts", "referrals"}


def test_more_quantities_than_panels_leave_no_model_out(company_run):
    posteriors = dict(company_run.valued.posteriors)
    of_another = posteriors.pop("contacts")
    valued = company_run.valued.__class__(
        **{**vars(company_run.valued), "posteriors": {**posteriors, **{f"role {k}": of_another for k in range(9)}}}
    )
    found = table_of("prior_posterior", replace(company_run, valued=valued))
    drawn = found.curves
    assert drawn["name"].nunique() == 12 and drawn["part"].nunique() == 11
    said = FIGURES["prior_posterior"].words(found, company_run.about).sub
    assert f"{found.quantiles['name'].nunique() - 12} quantities more" in said
    assert len(FIGURES["prior_posterior"].numbers(found, company_run.about).rows) == found.quantiles["name"].nunique()
