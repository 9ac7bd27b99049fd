"""How groups and customers differ: ratios to the pooled mean, and for one step more."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check, table_of
from fakes.tiny_posterior import posterior_run

from clvmodels.figures import FIGURES

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


def effect(*rows, name="purchases: alpha_by_channel", raises="purchase rate", **told):
    """Rows of (kind, label, q5, q50, q95) of one effect; more of them by `told`."""
    columns = ["kind", "label", "q5", "q50", "q95"]
    base = {"effect": name, "group": "channel", "raises": raises, "customers": 9, "entry": "pareto", "step": "+1 sd"}
    table = pd.DataFrame(rows, columns=columns).assign(**base)
    return table.assign(shown=table["kind"] != "sd").assign(**told)


SEARCH, SHOP = ("group", "Search", 1.1, 2.0, 2.9), ("group", "Shop", 0.4, 0.5, 0.6)
MEAN, SD = ("pooled", "Pooled mean", 0.9, 1.0, 1.1), ("sd", "sd between groups", 0.2, 0.3, 0.4)
OF_ONE = effect(SEARCH, SHOP, MEAN, SD)


def said_of(table):
    return FIGURES["group_effects"].words(table, about())


def test_groups_of_several_effects_differ():
    several = pd.concat([OF_ONE, OF_ONE.assign(effect="spend: nu_by_channel")], ignore_index=True)
    assert FIGURES["group_effects"].heading(several, about()) == "How groups differ"


def test_effects_are_told_in_their_order():
    """That of the table, whatever their names are."""
    first = effect(SEARCH, SHOP, MEAN, SD, name="z", raises="spend")
    caption = said_of(pd.concat([first, OF_ONE], ignore_index=True)).caption
    assert 0 == caption.index("For Search spend is") < caption.index("For Search purchase rate is")


@pytest.mark.parametrize(("hidden", "told"), [(0, ""), (1, " 1 group"), (2, " 2 groups")])
def test_groups_that_are_not_shown_are_counted(hidden, told):
    out = [("group", f"small {k}", 0.9, 1.0, 1.1) for k in range(hidden)]
    table = pd.concat([OF_ONE, effect(*out, shown=False)], ignore_index=True)
    end = f"{told}, small or in the middle, stand in group_effects.csv only." if told else ""
    assert said_of(table).sub.endswith(f"50% and 90% intervals.{end}")


@pytest.mark.parametrize(
    ("entry", "start"),
    [
        ("pareto", "Partially"),
        ("bg", "By BG/NBD. Part"),
        ("gone", "By gone. Part"),
        ("n" * 41, f"By {'n' * 39}…. Part"),
    ],
)
def test_effects_of_an_entry_that_is_not_recommended_say_whose_they_are(entry, start):
    assert said_of(OF_ONE.assign(entry=entry)).sub.startswith(start)


def test_a_group_alone_and_a_covariate_alone_are_told_alone():
    caption = said_of(effect(SEARCH, MEAN, SD)).caption
    assert caption.startswith("For Search purchase rate is **1.1 to 2.9 times** the pooled mean (90%). The standard")
    age, size = ("covariate", "age", 1.1, 2.0, 2.9), ("covariate", "size", 0.4, 0.5, 0.6)
    caption = said_of(effect(age)).caption
    assert caption.startswith("Age, +1 sd is associated with **1.1 to 2.9 times** the purchase rate (90%). A cov")
    caption = said_of(effect(age, size)).caption
    assert "purchase rate (90%), size, +1 sd with 0.40 to 0.60 times. A cov" in caption
    caption = said_of(effect(age, raises="the odds of leaving")).caption
    assert "**1.1 to 2.9 times** the odds of leaving (90%)" in caption


def test_ratios_are_told_to_the_hundredth():
    table = effect(("group", "Search", 1.001, 1.002, 1.003), SHOP, MEAN, SD)
    assert FIGURES["group_effects"].numbers(table, about()).rows[0][3:] == ("1.00", "1.00")
