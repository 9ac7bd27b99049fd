"""What programmes earned where chance decided; of the others nobody can say."""

from __future__ import annotations

import pandas as pd
import pytest
from fakes.says import Says, check, plain
from fakes.tiny import kpis, strategy_run

from clvmodels.figures import FIGURES
from clvmodels.figures.kpi_programmes import _percent

COLUMNS = [
    "campaign",
    "weeks",
    "verdict",
    "reason",
    "treatment",
    "control",
    "of",
    "value",
    "q5",
    "q25",
    "q50",
    "q75",
    "q95",
]


def dealt(name, odds=None, effect=(0.5, 1.7), weeks=13.0):
    """A programme of 30 treated customers and 20 others, at a cost of 0.9 a customer where the odds are known."""
    first = (name, weeks, "tested", "", 30, 20)
    rows = [(*first, "effect", sum(effect) / 2, effect[0], None, sum(effect) / 2, None, effect[1])]
    if odds is not None:
        rows += [(*first, "cost", 0.9, *[None] * 5), (*first, "P(roi > 0)", odds, *[None] * 5)]
        rows += [(*first, "roi", 0.2, -0.4, None, 0.2, None, 0.8)]
    return rows


def refused(name, reason="no row tells an arm"):
    return [(name, 13.0, "refused", reason, 0, 0, None, *[None] * 6)]


def run(*programmes, **told):
    rows = [row for rows in programmes for row in rows]
    return strategy_run(kpis(programmes=pd.DataFrame(rows, columns=COLUMNS)), **told)


CASES = {
    "tested, refused, without a cost": Says(
        lambda: run(dealt("voucher", 0.73), refused("call"), dealt("letter", weeks=1.0), dealt("third", 0.9)),
        heading="What programmes earned",
        sub="",
        caption=(
            "Voucher: in 13 weeks it changed a customer's profit by **EUR 0.5 to 1.7** (90%, tested on "
            "30 against 20 customers). Letter: in 1 week it changed a customer's profit by **EUR 0.5 to "
            "1.7** (90%, tested on 30 against 20 customers). For call nobody can say: a difference to "
            "other customers would tell whom it reached, not what it did. “Earns its cost” and “loses "
            "money” are said from 90% on."
        ),
        alt="3 programmes tested, 1 refused.",
        titles=("Programme", "Verdict", "Treated and not", "Effect a customer, 90%", "Cost", "Return on cost, 90%"),
        rows=[
            (
                "Voucher",
                "Cannot be told: 73% likely to earn its cost",
                "30 and 20",
                "EUR 0.5 to 1.7",
                "EUR 0.90",
                "-40 to 80%",
            ),
            ("Call", "Refused: no row tells an arm", "—", "—", "—", "—"),
            ("Letter", "Tested; nobody told its cost", "30 and 20", "EUR 0.5 to 1.7", "—", "—"),
            (
                "Third",
                "Earns its cost: 90% likely to earn its cost",
                "30 and 20",
                "EUR 0.5 to 1.7",
                "EUR 0.90",
                "-40 to 80%",
            ),
        ],
    ),
    "earns, loses": Says(
        lambda: run(dealt("gain", 0.93), dealt("loss", 0.05, (-2.0, -0.5))),
        heading="What programmes earned",
        sub="",
        caption=(
            "Gain: in 13 weeks it changed a customer's profit by **EUR 0.5 to 1.7** (90%, tested on 30 "
            "against 20 customers). Loss: in 13 weeks it changed a customer's profit by **EUR -2.0 to "
            "-0.5** (90%, tested on 30 against 20 customers). “Earns its cost” and “loses money” are "
            "said from 90% on."
        ),
        alt="2 programmes tested, 0 refused.",
        titles=("Programme", "Verdict", "Treated and not", "Effect a customer, 90%", "Cost", "Return on cost, 90%"),
        rows=[
            (
                "Gain",
                "Earns its cost: 93% likely to earn its cost",
                "30 and 20",
                "EUR 0.5 to 1.7",
                "EUR 0.90",
                "-40 to 80%",
            ),
            (
                "Loss",
                "Loses money: 5% likely to earn its cost",
                "30 and 20",
                "EUR -2.0 to -0.5",
                "EUR 0.90",
                "-40 to 80%",
            ),
        ],
        tones={1: "bad"},
    ),
    "refused alone": Says(
        lambda: run(*(refused(f"call {k}") for k in range(5))),
        heading="What programmes earned",
        sub="",
        caption=(
            "For call 0, call 1, call 2 and call 3 nobody can say: a difference to other customers would "
            "tell whom it reached, not what it did. “Earns its cost” and “loses money” are said from 90% "
            "on."
        ),
        alt="0 programmes tested, 5 refused.",
        titles=("Programme", "Verdict", "Treated and not", "Effect a customer, 90%", "Cost", "Return on cost, 90%"),
        rows=[
            ("Call 0", "Refused: no row tells an arm", "—", "—", "—", "—"),
            ("Call 1", "Refused: no row tells an arm", "—", "—", "—", "—"),
            ("Call 2", "Refused: no row tells an arm", "—", "—", "—", "—"),
            ("Call 3", "Refused: no row tells an arm", "—", "—", "—", "—"),
            ("Call 4", "Refused: no row tells an arm", "—", "—", "—", "—"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("kpi_programmes", case)


def test_a_return_is_told_in_whole_percent_of_its_cost():
    assert _percent(pd.Series({"q5": 0.602, "q95": 0.904})) == "60 to 90%"


def cells_of(*programmes, **changes):
    found = run(*programmes)
    tables = FIGURES["kpi_programmes"].table(found)
    tables = tables._replace(programmes=tables.programmes.assign(**changes))
    return FIGURES["kpi_programmes"].numbers(tables, found.about)


def test_programmes_of_one_name_differ_by_their_weeks():
    cells = cells_of(dealt("voucher", effect=(0.5, 1.7)), dealt("voucher", effect=(2.5, 3.7), weeks=26.0))
    assert [plain(row[3]) for row in cells.rows] == ["EUR 0.5 to 1.7", "EUR 2.5 to 3.7"]


@pytest.mark.parametrize(("arms", "told"), [((20, 20), "20 and 20"), ((1, 0), "1 and 0"), ((0, 0), "—")])
def test_customers_with_and_without_a_programme_are_counted(arms, told):
    assert cells_of(dealt("voucher"), treatment=arms[0], control=arms[1]).rows[0][2] == told


def test_a_verdict_is_from_ninety_percent_on_either_side():
    cells = cells_of(dealt("gain", 0.9), dealt("open", 0.89), dealt("doubt", 0.11), dealt("loss", 0.1))
    verdicts = [row[1].partition(":")[0] for row in cells.rows]
    assert verdicts == ["Earns its cost", "Cannot be told", "Cannot be told", "Loses money"]
    assert cells.tones == {3: "bad"}


def test_a_cost_has_two_digits():
    found = run(dealt("voucher", 0.93))
    tables = FIGURES["kpi_programmes"].table(found)
    is_cost = tables.numbers["level"] == "cost"
    tables = tables._replace(numbers=tables.numbers.assign(value=tables.numbers["value"].mask(is_cost, 1234.0)))
    assert plain(FIGURES["kpi_programmes"].numbers(tables, found.about).rows[0][4]) == "EUR 1,200"
