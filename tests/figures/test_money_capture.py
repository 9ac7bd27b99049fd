"""What the best by forecast brought of all that came, beside what was said of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import money, money_run

from clvmodels.figures import FIGURES


def losing():
    """The lowest two fifths cost more than they bring, in what came and in the forecast."""
    profit = money()["profit"]
    less = np.repeat([40.0, 0.0], [16, 24])
    changed = {"realised": profit.realised - 2 * less, "actual": profit.actual - less}
    return money_run({"profit": dataclasses.replace(profit, **changed)})


CASES = {
    "the best bring more": Says(
        money_run,
        heading="How much do the best by forecast bring?",
        sub=(
            "Share of all profit of 4 weeks held out, customers ordered by forecast, best first. Black: what "
            "came; blue: its forecast, 90% band; dashed: whoever turned out best; grey: if all were equal."
        ),
        caption=(
            "The fifth of the customers with the best forecast brought **39%** of the profit that came; the "
            "forecast said 33% (99%): **this check fails**. Whoever turned out best, known to nobody before, "
            "brought 39%."
        ),
        alt=("Curves of the share of profit over customers, best first. At a fifth of them: 39% came, 39% at most."),
        titles=("Money and customers", "Came", "Forecast, 99%", "At most"),
        rows=[
            ("Spend, best 10%", "19%", "17%", "19%"),
            ("Spend, best 20%", "39%", "33%", "39%"),
            ("Profit, best 10%", "19%", "17%", "19%"),
            ("Profit, best 20%", "39%", "33%", "39%"),
        ],
    ),
    "some lose money": Says(
        losing,
        heading="How much do the best by forecast bring?",
        sub=(
            "Share of all profit of 4 weeks held out, customers ordered by forecast, best first. Black: what "
            "came; blue: its forecast, 90% band; dashed: whoever turned out best; grey: if all were equal."
        ),
        caption=(
            "The fifth of the customers with the best forecast brought **52%** of the profit that came; the "
            "forecast said 44% to 47% (99%): **this check fails**. Whoever turned out best, known to nobody "
            "before, brought 52%."
        ),
        alt=("Curves of the share of profit over customers, best first. At a fifth of them: 52% came, 52% at most."),
        titles=("Money and customers", "Came", "Forecast, 99%", "At most"),
        rows=[("Profit, best 10%", "26%", "22% to 24%", "26%"), ("Profit, best 20%", "52%", "44% to 47%", "52%")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("money_capture", case)


def test_it_draws(accept_drawings):
    check_drawings("money_capture", CASES, accept_drawings)


def test_where_it_holds_nothing_is_said_of_a_failure():
    figure, run = FIGURES["money_capture"], money_run()
    tables = figure.table(run)
    holds = figure.words(tables._replace(tops=tables.tops.assign(holds=True)), run.about).caption
    fails = figure.words(tables._replace(tops=tables.tops.assign(holds=False)), run.about).caption
    assert "(99%). Whoever turned out best" in holds
    assert "(99%): **this check fails**. Whoever turned out best" in fails
