"""How groups and customers differ: ratios to the pooled mean, and for one step more."""

from __future__ import annotations

import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check, table_of
from fakes.tiny_posterior import posterior_run

CASES = {
    "two groups": Says(
        posterior_run,
        heading="How purchase rate differs by channel",
        sub=("Partially pooled effect, relative to the pooled mean. Dot: median; bars: 50% and 90% intervals."),
        caption=(
            "For Search purchase rate is **1.1 to 2.9 times** the pooled mean (90%), for Shop 0.41 to "
            "0.59 times. The standard deviation between groups, of its logarithm, is 0.21 to 0.39. The "
            "group is associated with the difference; moving customers between groups need not move "
            "their behaviour. Small groups are drawn towards the mean: that is intended."
        ),
        alt="Intervals of 2 groups around the pooled mean, from Search at 2.0 to Shop at 0.50.",
        titles=("Group or covariate", "Difference in", "Customers", "Ratio, middle", "90% interval"),
        rows=[
            ("Search", "purchase rate", "7", "2.0", "1.1 to 2.9"),
            ("Shop", "purchase rate", "5", "0.50", "0.41 to 0.59"),
            ("Pooled mean", "purchase rate", "12", "1.00", "1.00"),
            ("sd between groups", "purchase rate", "12", "0.30", "0.21 to 0.39"),
        ],
    ),
    "covariates": Says(
        lambda: posterior_run(groups=False, covariates=True),
        heading="How how alike customers' rates are differs by is business, age",
        sub=(
            "Effect of covariates: one standard deviation more, yes against no, missing against average. "
            "Dot: median; bars: 50% and 90% intervals."
        ),
        caption=(
            "Age, +1 sd is associated with **1.1 to 2.9 times** the how alike customers' rates are "
            "(90%), is business, missing with 1.00 times. A covariate is associated with the difference; "
            "changing it need not change what customers do."
        ),
        alt=(
            "Intervals of 4 groups and covariates around no difference, from age, +1 sd at 2.0 to age, missing at 1.0."
        ),
        titles=("Group or covariate", "Difference in", "Customers", "Ratio, middle", "90% interval"),
        rows=[
            ("age, +1 sd", "how alike customers' rates are", "9", "2.0", "1.1 to 2.9"),
            ("is business, yes", "how alike customers' rates are", "12", "1.49", "1.36 to 1.63"),
            ("age, missing", "how alike customers' rates are", "—", "1.0", "0.4 to 2.5"),
            ("is business, missing", "how alike customers' rates are", "—", "1.00", "1.00"),
        ],
    ),
    "both": Says(
        lambda: posterior_run(covariates=True),
        heading="How customers differ",
        sub=(
            "Partially pooled effect, relative to the pooled mean; covariates: one standard deviation "
            "more, yes against no, missing against average. Dot: median; bars: 50% and 90% intervals."
        ),
        caption=(
            "For Search purchase rate is **1.1 to 2.9 times** the pooled mean (90%), for Shop 0.41 to "
            "0.59 times. The standard deviation between groups, of its logarithm, is 0.21 to 0.39. Age, "
            "+1 sd is associated with **1.1 to 2.9 times** the how alike customers' rates are (90%), is "
            "business, missing with 1.00 times. The group is associated with the difference; moving "
            "customers between groups need not move their behaviour. Small groups are drawn towards the "
            "mean: that is intended. A covariate is associated with the difference; changing it need not "
            "change what customers do."
        ),
        alt=("Intervals of 6 groups and covariates around no difference, from Search at 2.0 to Shop at 0.50."),
        titles=("Group or covariate", "Difference in", "Customers", "Ratio, middle", "90% interval"),
        rows=[
            ("Search", "purchase rate", "7", "2.0", "1.1 to 2.9"),
            ("Shop", "purchase rate", "5", "0.50", "0.41 to 0.59"),
            ("Pooled mean", "purchase rate", "12", "1.00", "1.00"),
            ("sd between groups", "purchase rate", "12", "0.30", "0.21 to 0.39"),
            ("age, +1 sd", "how alike customers' rates are", "9", "2.0", "1.1 to 2.9"),
            ("is business, yes", "how alike customers' rates are", "12", "1.49", "1.36 to 1.63"),
            ("age, missing", "how alike customers' rates are", "—", "1.0", "0.4 to 2.5"),
            ("is business, missing", "how alike customers' rates are", "—", "1.00", "1.00"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("group_effects", case)


def test_it_draws(accept_drawings):
    check_drawings("group_effects", CASES, accept_drawings)


def test_effects_of_one_name_in_two_models_have_panels_of_their_own(company_run):
    found = table_of("group_effects", company_run)
    assert found["effect"].nunique() == 3
    assert {"contacts a purchase", "referrals a purchase", "purchase rate"} == set(found["raises"])
    assert (found.groupby(["effect", "kind", "label"]).size() == 1).all()
