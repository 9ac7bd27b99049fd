"""Every score of every model, with its interval where it has one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes.run import about
from fakes.says import Says, check
from fakes.tiny import entry, tiny_run

from clvmodels.figures import FIGURES
from clvmodels.figures.scores import _cell
from clvmodels.metrics import METRICS


def run(**told):
    rows = [("pareto", "crps", "crps", 0.41, 0.38, 0.44), ("bg", "crps", "crps", 0.47, 0.43, 0.51)]
    rows += [("bg", "total_purchases", "total_purchases.actual", 1882.0, np.nan, np.nan)]
    rows += [("gone", "crps", "crps", 9.0, 8.0, 10.0)]
    scores = pd.DataFrame(rows, columns=["entry", "metric", "score", "value", "lower", "upper"])
    comparison = pd.DataFrame({"entry": ["bg", "pareto"]})
    entries = {name: entry(name) for name in ("pareto", "bg")}
    return tiny_run(about=about(**told), scores=scores, comparison=comparison, entries=entries)


CASES = {
    "two of three models": Says(
        run,
        heading="All scores",
        sub="",
        caption=("In brackets the 90% interval, where a score has one. The best 2 of 3 models; scores.csv holds all."),
        alt="",
        titles=("Score", "BG/NBD", "Pareto/NBD, by channel"),
        rows=[
            (
                "crps\nCRPS: distance of a customer's forecast distribution from what came; better: lower",
                "0.470 (0.430 to 0.510)",
                "0.410 (0.380 to 0.440)",
            ),
            ("total_purchases.actual\nTotal purchases: forecast beside what came, bias; better: near 0", "1,882", "—"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("scores", case)


def test_all_scores_stand_in_one_table_a_column_a_model_the_best_first(company_run, company_tables):
    found = FIGURES["scores"].numbers(company_tables["scores"], company_run.about)
    assert found.columns == ("Score", *company_tables["model_comparison"]["label"])
    assert [row[0].split("\n")[0] for row in found.rows] == list(company_run.scores["score"].unique())
    assert found.rows[0][0].split("\n")[1] == f"{METRICS['crps'].title}; better: lower"
    with_interval = company_tables["scores"].assign(lower=0.4, upper=0.42)
    assert FIGURES["scores"].numbers(with_interval, company_run.about).rows[0][1] == "0.410 (0.400 to 0.420)"


def test_the_best_model_stands_first_whatever_its_name():
    told = run()
    found = FIGURES["scores"].table(replace(told, comparison=pd.DataFrame({"entry": ["pareto", "bg"]})))
    assert found["entry"].tolist() == ["pareto", "bg", "bg"]
    assert FIGURES["scores"].words(found, about(entries={"pareto": "Pareto", "bg": "BG"})).caption == (
        "In brackets the 90% interval, where a score has one."
    )


@pytest.mark.parametrize(
    ("value", "lower", "upper", "told"),
    [
        (123.4567, 123.41, 123.52, "123.46 (123.41 to 123.52)"),
        (0.4127, np.nan, np.nan, "0.413"),
        (0.4127, np.nan, 0.5, "0.413"),
        (0.4127, 0.3, np.nan, "0.413"),
        (1882.0, np.nan, np.nan, "1,882"),
    ],
)
def test_a_score_has_the_digits_of_its_interval(value, lower, upper, told):
    assert _cell(pd.DataFrame([{"value": value, "lower": lower, "upper": upper}])) == told


def test_a_long_name_of_a_model_is_cut_at_40_letters():
    table = FIGURES["scores"].table(run()).assign(label="m" * 41)
    assert FIGURES["scores"].numbers(table, about()).columns[1] == "m" * 39 + "…"


def test_a_score_is_of_the_metric_that_its_row_names():
    names = {"elpd": "elpd_pareto_k_bad", "elpd_spend": "elpd_spend_of_means", "coverage": "90_percent_inside"}
    rows = [("pareto", metric, score, 1.0, np.nan, np.nan) for metric, score in names.items()]
    scores = pd.DataFrame(rows, columns=["entry", "metric", "score", "value", "lower", "upper"])
    table = FIGURES["scores"].table(tiny_run(about=about(), scores=scores, entries={"pareto": entry("pareto")}))
    assert table["title"].tolist() == [METRICS[metric].title for metric in names]
