"""Which model predicts best, and which cannot be told from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check
from fakes.tiny import entry, tiny_run

from clvmodels import words
from clvmodels.figures import FIGURES
from clvmodels.figures.model_comparison import _near


def run(**told):
    """bg is 3 behind, its 90% interval from -7 to 1; last is 40 behind, from -60 to -20."""
    rows = [("pareto", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, "recommended")]
    rows += [("bg", -3.0, 2.4, -7.0, -4.6, -1.4, 1.0, "same within noise")]
    rows += [("last", -40.0, 12.2, -60.0, -48.0, -32.0, -20.0, "worse")]
    names = ["entry", "difference", "se", "lower90", "lower50", "upper50", "upper90", "verdict"]
    numbers = {
        "crps": (0.41, 0.42, 0.55),
        "coverage_90": (0.91, 0.9, 0.7),
        "total_purchases.bias_percent": (-4.0, 3.0, 20.0),
    }
    scores = [
        {"entry": model, "dataset": "retailer", "score": score, "value": value, "lower": np.nan, "upper": np.nan}
        for score, values in numbers.items()
        for model, value in zip(("pareto", "bg", "last"), values, strict=True)
    ]
    entries = {name: entry(name) for name in ("pareto", "bg", "last")}
    comparison = pd.DataFrame(rows, columns=names)
    return tiny_run(about=about(**told), comparison=comparison, scores=pd.DataFrame(scores), entries=entries)


def nothing_held_out():
    """Only leave-one-out scores are there."""
    found = run(holdout=None)
    return replace(found, scores=found.scores[:0])


def two_of_few():
    found = run(customers=40)
    return tiny_run(about=found.about, comparison=found.comparison[:2], scores=found.scores, entries=found.entries)


def by_money_too():
    """Compared by purchases and money; leave-one-out scores put bg 30 above the recommended entry, from 20 to 40."""
    found = run()
    elpd = {
        "elpd_difference": [0.0, 30.0, -50.0],
        "elpd_lower90": [0.0, 20.0, -60.0],
        "elpd_upper90": [0.0, 40.0, -40.0],
        "elpd_disagrees": [False, True, False],
    }
    comparison = found.comparison.assign(compared_by="purchases and money", **elpd)
    return replace(found, comparison=comparison, scores=found.scores[:0])


CASES = {
    "purchases and money, and leave-one-out scores disagree": Says(
        by_money_too,
        heading="Which model predicts held-out purchases and money best",
        sub=(
            "Sum over customers of the log density of the held-out purchases and their amounts, minus that of the "
            "first model; paired. Bars: 50% and 90% intervals. Left is worse."
        ),
        caption=(
            "**Pareto/NBD, by channel** is recommended. BG/NBD cannot be told from it: the 90% interval holds 0, or "
            "the difference is under 4. Last half-year again predicts worse. A difference under 4 would not matter "
            "even if it were certain. **Leave-one-out scores disagree**: BG/NBD predicts the fitted time better, by "
            "20 to 40."
        ),
        alt=(
            "Differences of the score with intervals for 3 models. The farthest: -60 to -20; 1 cannot be "
            "told from the first."
        ),
        titles=("Model", "Log score, difference", "90% interval", "Verdict"),
        rows=[
            ("Pareto/NBD, by channel", "0", "", "recommended"),
            ("BG/NBD", "-3.0", "-7.0 to 1.0", "same within noise"),
            ("Last half-year again", "-40", "-60 to -20", "worse"),
        ],
    ),
    "three models": Says(
        run,
        heading="Which model predicts held-out purchases best",
        sub=(
            "Sum over customers of the log probability of the held-out count, minus that of the first "
            "model; paired. Bars: 50% and 90% intervals. Left is worse."
        ),
        caption=(
            "**Pareto/NBD, by channel** is recommended. BG/NBD cannot be told from it: the 90% interval "
            "holds 0, or the difference is under 4. Last half-year again predicts worse. A difference "
            "under 4 would not matter even if it were certain."
        ),
        alt=(
            "Differences of the score with intervals for 3 models. The farthest: -60 to -20; 1 cannot be "
            "told from the first."
        ),
        titles=("Model", "Log score, difference", "90% interval", "Verdict", "Bias of total", "CRPS", "90% coverage"),
        rows=[
            ("Pareto/NBD, by channel", "0", "", "recommended", "-4%", "0.410", "91%"),
            ("BG/NBD", "-3.0", "-7.0 to 1.0", "same within noise", "+3%", "0.420", "90%"),
            ("Last half-year again", "-40", "-60 to -20", "worse", "+20%", "0.550", "70%"),
        ],
    ),
    "nothing held out": Says(
        nothing_held_out,
        heading="Which model predicts histories best",
        sub=(
            "Sum over customers of the log probability of the history given all other customers (elpd by "
            "leave-one-out), minus that of the first model; paired. Bars: 50% and 90% intervals. Left is "
            "worse."
        ),
        caption=(
            "**Pareto/NBD, by channel** is recommended. BG/NBD cannot be told from it: the 90% interval "
            "holds 0, or the difference is under 4. Last half-year again predicts worse. A difference "
            "under 4 would not matter even if it were certain."
        ),
        alt=(
            "Differences of the score with intervals for 3 models. The farthest: -60 to -20; 1 cannot be "
            "told from the first."
        ),
        titles=("Model", "elpd, difference", "90% interval", "Verdict"),
        rows=[
            ("Pareto/NBD, by channel", "0", "", "recommended"),
            ("BG/NBD", "-3.0", "-7.0 to 1.0", "same within noise"),
            ("Last half-year again", "-40", "-60 to -20", "worse"),
        ],
    ),
    "two models, few customers": Says(
        two_of_few,
        heading="Which model predicts held-out purchases best",
        sub=(
            "Sum over customers of the log probability of the held-out count, minus that of the first "
            "model; paired. Bars: 50% and 90% intervals. Left is worse."
        ),
        caption=(
            "**Pareto/NBD, by channel** is recommended. BG/NBD cannot be told from it: the 90% interval "
            "holds 0, or the difference is under 4. A difference under 4 would not matter even if it "
            "were certain. With 40 customers the comparison is weak."
        ),
        alt=(
            "Differences of the score with intervals for 2 models. The farthest: -7.0 to 1.0; 1 cannot "
            "be told from the first."
        ),
        titles=("Model", "Log score, difference", "90% interval", "Verdict", "Bias of total", "CRPS", "90% coverage"),
        rows=[
            ("Pareto/NBD, by channel", "0", "", "recommended", "-4%", "0.410", "91%"),
            ("BG/NBD", "-3.0", "-7.0 to 1.0", "same within noise", "+3%", "0.420", "90%"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("model_comparison", case)


def test_it_draws(accept_drawings):
    check_drawings("model_comparison", CASES, accept_drawings)


def test_the_comparison_has_the_headline_of_every_metric_that_was_scored(company_run, company_tables):
    """By the metric's own line: a column of its name, titled and written as it says."""
    titles = FIGURES["model_comparison"].numbers(company_tables["model_comparison"], company_run.about).columns
    assert titles[4:] == ("Bias of total", "CRPS", "90% coverage")
    row = FIGURES["model_comparison"].numbers(company_tables["model_comparison"], company_run.about).rows[0]
    assert row[4:] == (f"{words.MINUS}4%", "0.410", "91%")
    without = company_tables["model_comparison"].drop(columns="crps")
    assert "CRPS" not in FIGURES["model_comparison"].numbers(without, company_run.about).columns


def test_several_that_are_worse_predict_worse():
    found = run(customers=100)
    table = FIGURES["model_comparison"].table(found)
    table.loc[1, "verdict"] = "worse"
    caption = FIGURES["model_comparison"].words(table, found.about).caption
    assert "BG/NBD and Last half-year again predict worse." in caption
    assert caption.endswith("even if it were certain.")  # a hundred customers are enough


@pytest.mark.parametrize(("farthest", "near"), [(-180.0, True), (-180.1, False)])
def test_a_rival_three_times_as_far_as_all_others_is_told_in_words(farthest, near):
    """The other two reach to -60: what reaches nearer than -180 is drawn beside them."""
    lower = pd.Series([0.0, -60.0, farthest - 100.0])
    table = pd.DataFrame({"lower90": lower, "upper90": [0.0, -20.0, farthest]})
    assert _near(table).tolist() == [True, True, near]


def test_those_that_were_left_out_do_not_widen_the_axis_of_the_rest():
    """The last is far beyond -1000; the third is far beyond -8 and was not, were the last still counted."""
    table = pd.DataFrame({"lower90": [0.0, -2.0, -900.0, -9000.0], "upper90": [0.0, 1.0, -500.0, -8000.0]})
    assert _near(table).tolist() == [True, True, False, False]
