"""What customers answered, with what few answers leave open."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check
from fakes.tiny import kpis, strategy_run

from clvmodels.figures import FIGURES
from clvmodels.figures.kpi_satisfaction import _differ


def score(kpi, period, value, reach, answers, by="all"):
    return (period, by, by, kpi, value, value - reach, value + reach, answers, True)


def run(*rows, **told):
    return strategy_run(kpis(*rows), **told)


ALIKE = [score("nps", "2025 Q1", 10.0, 8.0, 40), score("nps", "2025 Q2", 12.0, 8.0, 41)]
"""They differ by 2 with standard errors of 8 / 1.645 = 4.9 each: that may be chance."""
APART = [score("nps", "2025 Q1", 10.0, 2.0, 640), score("nps", "2025 Q2", 30.0, 2.0, 1)]
"""They differ by 20 with standard errors of 1.2 each."""

CASES = {
    "alike": Says(
        lambda: run(*ALIKE, score("nps", "2025 Q3", 90.0, 1.0, 0), score("nps", "2025 Q3", 90.0, 1.0, 9, by="channel")),
        heading="How content customers say they are",
        sub=(
            "Percent of promoters (9 or 10) less percent of detractors (0 to 6). Dot: what was answered; "
            "bar: 90% interval of what all whom a survey reaches would answer. Right: answers."
        ),
        caption=(
            "In 2025 Q2 41 answers came: the score is **4 to 20** (90%). So few answers alone may make "
            "periods differ as much as these. Those who answer may differ from those who do not."
        ),
        alt="Intervals of the score of 2 periods; the last 12 from 41 answers.",
        titles=("Period", "Answers", "Answered", "90% interval"),
        rows=[("2025 Q1", "40", "10", "2 to 18"), ("2025 Q2", "41", "12", "4 to 20")],
    ),
    "apart": Says(
        lambda: run(*APART),
        heading="How content customers say they are",
        sub=(
            "Percent of promoters (9 or 10) less percent of detractors (0 to 6). Dot: what was answered; "
            "bar: 90% interval of what all whom a survey reaches would answer. Right: answers."
        ),
        caption=(
            "In 2025 Q2 1 answer came: the score is **28 to 32** (90%). These periods differ by more "
            "than few answers explain. Those who answer may differ from those who do not."
        ),
        alt="Intervals of the score of 2 periods; the last 30 from 1 answer.",
        titles=("Period", "Answers", "Answered", "90% interval"),
        rows=[("2025 Q1", "640", "10", "8 to 12"), ("2025 Q2", "1", "30", "28 to 32")],
    ),
    "another score, one period": Says(
        lambda: run(score("csat mean", "2025-01", 4.25, 0.3, 12)),
        heading="How content customers say they are",
        sub=(
            "Satisfaction, 1 to 5. Dot: what was answered; bar: 90% interval of what all whom a survey "
            "reaches would answer. Right: answers."
        ),
        caption=(
            "In January 2025 12 answers came: the score is **4.0 to 4.6** (90%). Those who answer may "
            "differ from those who do not."
        ),
        alt="Intervals of the score of 1 period; the last 4.25 from 12 answers.",
        titles=("Period", "Answers", "Answered", "90% interval"),
        rows=[("January 2025", "12", "4.25", "4.0 to 4.6")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("kpi_satisfaction", case)


def test_it_draws(accept_drawings):
    check_drawings("kpi_satisfaction", CASES, accept_drawings)


@pytest.mark.parametrize("reach", [0.01, 5.0])
@pytest.mark.parametrize(("over", "differ"), [(1.02, True), (0.98, False)])
def test_periods_differ_where_chance_alone_would_do_so_once_in_a_hundred(reach, over, differ):
    """Cochran's Q of two scores with one standard error s is their difference squared over 2 s^2, with one degree of
    freedom; it exceeds 6.635 once in 100."""
    error = reach / 1.645
    apart = error * (2 * 6.635 * over) ** 0.5
    table = pd.DataFrame({"value": [0.0, apart], "lower": [-reach, apart - reach], "upper": [reach, apart + reach]})
    assert _differ(table) == differ


def test_scores_without_any_spread_differ_where_they_are_not_the_same():
    table = pd.DataFrame({"value": [0.0, 1.0], "lower": [0.0, 1.0], "upper": [0.0, 1.0]})
    assert _differ(table)
    assert not _differ(table.assign(value=1.0))


def test_odd_scores_are_told_to_the_last_one():
    table = FIGURES["kpi_satisfaction"].table(run(score("nps", "2025 Q1", 11.0, 8.0, 40)))
    assert FIGURES["kpi_satisfaction"].numbers(table, about()).rows == [("2025 Q1", "40", "11", "3 to 19")]
