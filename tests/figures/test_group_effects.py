"""How groups and customers differ: ratios to the pooled mean, and for one step more."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check, plain, table_of
from fakes.tiny_posterior import posterior_run

from clvmodels.figures import FIGURES
from clvmodels.figures.group_effects import Tables

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
    assert found.effects["effect"].nunique() == len(found.effects) == 3
    assert {"contacts a purchase", "referrals a purchase", "purchase rate"} == set(found.effects["raises"])
    assert not found.groups.duplicated(["effect", "label"]).any()


def test_no_table_has_a_blank_but_of_whom_it_is_missing():
    tables = table_of("group_effects", posterior_run(covariates=True))
    for name, table in tables._asdict().items():
        blank = table.drop(columns="customers", errors="ignore").isna()
        assert len(table) and not blank.any(axis=None), name
    is_missing = tables.covariates["step"] == "missing"
    assert tables.covariates["customers"].isna().tolist() == is_missing.tolist()


def test_where_all_groups_are_small_the_pooled_mean_stands_alone():
    run = posterior_run()
    tables = table_of("group_effects", run)
    alone = tables._replace(groups=tables.groups.assign(shown=False))
    figure = FIGURES["group_effects"]
    found = figure.words(alone, run.about)
    assert found.alt == "Interval of the pooled mean alone: no group has 5 customers."
    assert "2 groups, small or in the middle, stand in group_effects.groups.csv only." in found.sub
    assert [row[0] for row in figure.numbers(alone, run.about).rows] == ["Pooled mean", "sd between groups"]
    assert figure.draw(alone, run.about, 688) is not None
    one_hidden = tables._replace(groups=tables.groups.assign(shown=[True, False]))
    assert "1 group, small or in the middle, stands in group_effects.groups.csv only." in plain(
        figure.words(one_hidden, run.about).sub
    )


def effect(*rows, name="purchases: alpha_by_channel", raises="purchase rate", shown=True) -> Tables:
    """An effect of rows of (kind, label, q5, q50, q95)."""
    table = pd.DataFrame(rows, columns=["kind", "label", "q5", "q50", "q95"])
    table = table.assign(effect=name, customers=9, step="+1 sd", shown=shown)
    effects = pd.DataFrame([{"effect": name, "entry": "pareto", "by": "channel", "raises": raises}])
    return Tables(effects, *(table[table["kind"] == kind] for kind in ("group", "pooled", "sd", "covariate")))


def joined(*effects: Tables) -> Tables:
    """Several effects in one."""
    return Tables(*(pd.concat(parts, ignore_index=True) for parts in zip(*effects, strict=True)))


SEARCH, SHOP = ("group", "Search", 1.1, 2.0, 2.9), ("group", "Shop", 0.4, 0.5, 0.6)
MEAN, SD = ("pooled", "Pooled mean", 0.9, 1.0, 1.1), ("sd", "sd between groups", 0.2, 0.3, 0.4)
OF_ONE = effect(SEARCH, SHOP, MEAN, SD)


def said_of(table):
    return FIGURES["group_effects"].words(table, about())


def test_groups_of_several_effects_differ():
    several = joined(OF_ONE, effect(SEARCH, SHOP, MEAN, SD, name="spend: nu_by_channel"))
    assert FIGURES["group_effects"].heading(several, about()) == "How groups differ"


def test_effects_are_told_in_their_order():
    """That of the table, whatever their names are."""
    first = effect(SEARCH, SHOP, MEAN, SD, name="z", raises="spend")
    caption = said_of(joined(first, OF_ONE)).caption
    assert 0 == caption.index("For Search spend is") < caption.index("For Search purchase rate is")


@pytest.mark.parametrize(("hidden", "told"), [(0, ""), (1, " 1 group|stands"), (2, " 2 groups|stand")])
def test_groups_that_are_not_shown_are_counted(hidden, told):
    out = [("group", f"small {k}", 0.9, 1.0, 1.1) for k in range(hidden)]
    groups = pd.concat([OF_ONE.groups, effect(*out, shown=False).groups], ignore_index=True)
    count, _, verb = told.partition("|")
    end = f"{count}, small or in the middle, {verb} in group_effects.groups.csv only." if told else ""
    assert said_of(OF_ONE._replace(groups=groups)).sub.endswith(f"50% and 90% intervals.{end}")


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
    assert said_of(OF_ONE._replace(effects=OF_ONE.effects.assign(entry=entry))).sub.startswith(start)


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
