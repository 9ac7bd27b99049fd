"""Totals of money beside their forecasts: fakes.tiny works them out."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check, plain
from fakes.tiny import money, money_run

from clvmodels.figures import FIGURES
from clvmodels.figures.money_total import bias


def far():
    """Four times the spend that came, and a forecast of losses."""
    kinds = money()
    loss = dataclasses.replace(kinds["profit"], realised=-kinds["profit"].realised)
    return money_run({"spend": dataclasses.replace(kinds["spend"], actual=4 * kinds["spend"].actual), "profit": loss})


CASES = {
    "one of two kinds": Says(
        money_run,
        heading="Does as much money come as was forecast?",
        sub=(
            "Money of all customers together in 4 weeks held out, in percent of the middle of its forecast. "
            "Bars: 50% and 90% intervals of the forecast; dots: what came."
        ),
        caption=(
            "**Profit: EUR 2,480 came, 4,370 to 5,230 was forecast.** Spend lies inside the 90% interval of "
            "the forecast. Of later purchases it is not known yet what comes back or stays unpaid: profit to "
            "21 July 2025."
        ),
        alt="Intervals of forecasts and dots of what came for 2 kinds of money; 1 inside.",
        titles=("Money", "Purchases to", "Came", "Forecast", "90% interval", "CRPS of a customer", "CRPS expected"),
        rows=[
            ("Spend", "28 July 2025", "EUR 12,400", "EUR 12,000", "10,900 to 13,100", "25.3", "11.0"),
            ("Profit", "21 July 2025", "EUR 2,480", "EUR 4,800", "4,370 to 5,230", "53.60", "4.40"),
        ],
    ),
    "a loss was forecast and a multiple came": Says(
        far,
        heading="Does as much money come as was forecast?",
        sub=(
            "Money of all customers together in 4 weeks held out, in percent of the middle of its forecast. "
            "Bars: 50% and 90% intervals of the forecast; dots: what came."
        ),
        caption=(
            "**Spend: EUR 49,600 came, 10,900 to 13,100 was forecast.** **Profit: EUR 2,480 came, -5,230 to "
            "-4,370 was forecast.** Of later purchases it is not known yet what comes back or stays unpaid: "
            "profit to 21 July 2025."
        ),
        alt="Intervals of forecasts and dots of what came for 2 kinds of money; 0 inside.",
        titles=("Money", "Purchases to", "Came", "Forecast", "90% interval", "CRPS of a customer", "CRPS expected"),
        rows=[
            ("Spend", "28 July 2025", "EUR 49,600", "EUR 12,000", "10,900 to 13,100", "929.0", "11.0"),
            ("Profit", "21 July 2025", "EUR 2,480", "EUR -4,800", "-5,230 to -4,370", "177.60", "4.40"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("money_total", case)


def test_it_draws(accept_drawings):
    check_drawings("money_total", CASES, accept_drawings)


def test_what_came_has_the_digits_of_its_forecast():
    """Of a forecast as wide as 3,000 the last digit told is the hundreds."""
    figure, run = FIGURES["money_total"], money_run()
    row = figure.table(run).iloc[0].copy()
    row["actual"], row["q5"], row["q95"] = 12_345.6, 9_000.0, 12_000.0
    assert bias(row, run.about).startswith("EUR\N{NO-BREAK SPACE}12,300 came, ")
    (cells,) = figure.numbers(pd.DataFrame([row]), run.about).rows
    assert plain(cells[2]) == "EUR 12,300"
