"""How groups and customers differ: ratios to the pooled mean, and for one step more."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check, plain, table_of
from fakes.tiny import Z
from fakes.tiny_posterior import posterior_run

from clvmodels.figures import FIGURES, style
from clvmodels.figures.group_effects import (
    Tables,
    _covariate_name,
    _group_rows,
    _pooled,
    _raises,
    _ratio_ticks,
    _sub,
)
from clvmodels.inference.terms import Coefficient
from clvmodels.models.parameters import Parameter
from clvmodels.models.prior import Prior

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


def made_up(*parameters, **effect):
    """A posterior with these parameters, and a term on them."""
    model = SimpleNamespace(parameters=parameters, handles=(), title="made up")
    told = {"parameters": tuple(p.name for p in parameters)} | effect
    draws = {p.name: 2.0 + 0.1 * Z for p in parameters}
    return SimpleNamespace(model=model, stacked=draws.__getitem__), SimpleNamespace(effect=SimpleNamespace(**told))


def parameter(name="r", meaning="shape", unit="none", raises="purchase rate", **bounds):
    return Parameter(name, "purchases", unit, Prior("HalfNormal", {"sigma": 1.0}), 1, raises, meaning, **bounds)


def test_of_many_groups_the_highest_and_some_of_the_lowest_are_shown():
    """Twenty groups of five customers, and one of four: of fifteen that are shown three are the lowest."""
    names = [f"g{k:02d}" for k in range(21)]
    found = [Coefficient("sd between groups", "sd", 0.3 + 0.01 * Z)]
    found += [Coefficient("group", name, np.full(21, -float(k))) for k, name in enumerate(names)]
    sizes = pd.Series({name: 4 if name == "g05" else 5 for name in names if name != "g20"})
    groups = pd.DataFrame(_group_rows(found, sizes, 15)).set_index("label")
    assert groups.index[groups["shown"]].tolist() == [*names[:5], *names[6:13], *names[17:20]]
    assert groups["customers"].tolist() == [*sizes, 0]
    assert groups["q50"].tolist() == pytest.approx(np.exp(-np.arange(21.0)))
    assert sum(row["shown"] for row in _group_rows(found, sizes, 19)) == 19


def test_how_sure_the_mean_is_is_told_relative_to_its_median():
    """Draws of 2 + 0.1 z: for a scale their ratio to 2, for a chance the ratio of odds."""
    assert _pooled(*made_up(parameter())) == pytest.approx((2 + 0.1 * Z) / 2)
    share = (2 + 0.1 * Z) / 4
    assert _pooled(*made_up(parameter(upper=4.0))) == pytest.approx(share / (1 - share))
    assert _pooled(*made_up(parameter(lower=0.5))) == pytest.approx((1.5 + 0.1 * Z) / 1.5)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ([parameter(meaning="how alike customers are: the shape")], "how alike customers are"),
        ([parameter(unit="time", meaning="scale of rates")], "purchase rate"),
        ([parameter(meaning="chance that one leaves", upper=1.0)], "the odds that one leaves"),
        ([parameter(meaning="share of cheap orders", upper=1.0)], "the odds of share of cheap orders"),
        ([parameter(meaning="first"), parameter("s", meaning="second")], "first and second together"),
    ],
)
def test_what_a_ratio_is_of_is_told_by_what_the_parameter_means(parameters, told):
    assert _raises(*made_up(*parameters)) == told


def test_the_mean_of_an_effect_on_a_handle_is_one():
    assert set(np.atleast_1d(_pooled(*made_up(parameter(), parameters=("chance",))))) == {1.0}


@pytest.mark.parametrize(("letters", "told"), [(40, "c" * 40), (41, "its covariates")])
def test_a_long_list_of_columns_is_told_as_covariates(letters, told):
    heading = FIGURES["group_effects"].heading(
        OF_ONE._replace(effects=OF_ONE.effects.assign(by="c" * letters)), about()
    )
    assert heading == f"How purchase rate differs by {told}"


STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95]
STEPS += [1, 1.05, 1.1, 1.2, 1.3, 1.5, 2, 3, 5, 10, 20, 50, 100]


@pytest.mark.parametrize("step", STEPS)
def test_ratios_that_read_well_are_ticks(step):
    axes = style.panel(style.canvas(style.WIDE, 100), 10, 10, 10, 10)
    assert _ratio_ticks(axes, step / 1.001, step * 1.001, 6) == ([step], [f"{step:g}"])


def test_ticks_are_few_and_apart_the_nearest_to_one_first():
    """668 pixels are eight factors of e and more: 46 of them are a factor of 1.9."""
    axes = style.panel(style.canvas(style.WIDE, 100), 10, 10, 10, 10)
    assert _ratio_ticks(axes, 0.01, 100, 6)[0] == [0.1, 0.2, 0.5, 1, 2, 5, 10]
    assert _ratio_ticks(axes, 0.01, 100, 2)[0] == [0.5, 1, 2]
    assert _ratio_ticks(axes, 0.012, 0.013, 2)[0] == [1]


def test_ratios_at_the_very_ends_are_ticks():
    axes = style.panel(style.canvas(style.WIDE, 100), 10, 10, 10, 10)
    ticks, _ = _ratio_ticks(axes, 0.01, 100, 20)
    assert (ticks[0], ticks[-1]) == (0.01, 100)


def test_a_long_name_of_a_covariate_is_cut_and_keeps_its_step():
    name = "number_of_product_groups"
    assert _covariate_name(pd.Series({"label": name[:18], "step": "yes"})) == "number of product, yes"
    assert _covariate_name(pd.Series({"label": name, "step": "yes"})) == "number of product\N{HORIZONTAL ELLIPSIS}, yes"


@pytest.mark.parametrize(("effects", "told"), [(4, False), (5, True)])
def test_effects_without_a_panel_are_counted(effects, told):
    tables = table_of("group_effects", posterior_run())
    many = tables._replace(effects=pd.concat([tables.effects] * effects, ignore_index=True))
    assert ("The 4 of 5 by which groups differ most; the numbers have all." in _sub(many, about())) == told
    assert ("by which groups differ most" in _sub(many, about())) == told
