"""Earlier forecasts beside what came, and the factor of later totals: fakes.rolling and fakes.tiny work them out."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.rolling import windows
from fakes.says import Says, check
from fakes.tiny import DRAWS, Z, entry, forecast_run, judged, values

from clvmodels.figures import FIGURES
from clvmodels.metrics.discrepancy import OF_RATES, OF_TOTALS, Discrepancy

PERCENT = (100 + Z) / 100
"""A factor whose quantiles are 91, 95, 100, 105 and 109%."""


def learned(purchases: dict[str, float], spend: dict[str, float], left_out: tuple = ()) -> SimpleNamespace:
    """What was learned of these ratios, with a factor that can be worked out."""
    discrepancies = {
        "purchases": Discrepancy(OF_TOTALS, windows(purchases)),
        "spend": Discrepancy(OF_RATES, windows(spend)),
    }
    return SimpleNamespace(discrepancies=discrepancies, left_out=left_out, factor=lambda *_: PERCENT)


def run_of(found: SimpleNamespace):
    """Of the forty customers' purchases, and of the ten customers' worth."""
    # totals 40 + 2 d times 5: their 90% interval, five times as wide as it was
    first = entry(judged=dataclasses.replace(judged(), factor=np.full(DRAWS, 5.0)), learned=found)
    base = forecast_run(customers=40)
    return dataclasses.replace(base, entries={"pareto": first}, valued=entry(values=values(), learned=found))


def looked_back():
    found = learned({"2025-03-31": 1.3, "2025-05-19": 0.95}, {"2025-03-31": 1.02}, (("2025-01-06", "too few"),))
    return run_of(found)


def not_looked_back():
    return run_of(learned({}, {}, (("any", "The table does not tell every gift's year"),)))


SUB = (
    "Purchases in percent of the middle of the model's forecast. Above: forecasts by fits to the data up to an earlier "
    "day; dots: what came, bars: the model's own 90% interval. Below: what a later total is multiplied by, 50% and 90% "
    "intervals."
)
NEXT = (
    "The purchases of the held-out 4 weeks are taken as 91 to 109% of what the model says (90%), which makes their "
    "interval 5.0 times as wide as the model's own. The purchases of the 52 weeks to come are taken as 91 to 109% of "
    "what the model says (90%). Every customer of a draw shares the factor: sums hold."
)
TITLES = ("Forecast", "Came, or middle", "90% interval")
FACTORS = [
    ("Purchases: factor of 4 weeks, held out", "100%", "91 to 109%"),
    ("Spend per purchase: factor of 4 weeks, held out", "100%", "91 to 109%"),
    ("Purchases: factor of 52 weeks, to come", "100%", "91 to 109%"),
    ("Spend per purchase: factor of 52 weeks, to come", "100%", "91 to 109%"),
]
CASES = {
    "two days": Says(
        looked_back,
        heading="What have earlier forecasts missed by?",
        sub=SUB,
        caption=f"In 2 earlier forecasts purchases came to 95 to 130% of what was forecast. {NEXT}",
        alt="What came beside 2 earlier forecasts, in percent; below 2 intervals of the factor of totals to come.",
        titles=TITLES,
        rows=[
            # exp(-+ 1.645 x 0.1)
            ("Purchases, 31 March 2025 to 30 June 2025", "130%", "85 to 118%"),
            ("Purchases, 19 May 2025 to 30 June 2025", "95%", "85 to 118%"),
            ("Spend per purchase, 31 March 2025 to 30 June 2025", "102%", "85 to 118%"),
            *FACTORS,
            ("Not from 6 January 2025", "too few", ""),
        ],
    ),
    "the prior alone": Says(
        not_looked_back,
        heading="What have earlier forecasts missed by?",
        sub=SUB,
        caption=(
            "**No earlier day could be looked back from (The table does not tell every gift's year): the prior "
            f"speaks**, which is what totals of other companies were missed by. {NEXT}"
        ),
        alt="What came beside 0 earlier forecasts, in percent; below 2 intervals of the factor of totals to come.",
        titles=TITLES,
        rows=[*FACTORS, ("Not looked back", "The table does not tell every gift's year", "")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("backtests", case)


def test_it_draws(accept_drawings):
    check_drawings("backtests", CASES, accept_drawings)


def test_totals_of_the_models_own_have_nothing_to_tell():
    assert FIGURES["backtests"].table(forecast_run()) is None


def test_the_holdout_of_a_valued_run_stands_below_the_days_before_it():
    found = learned({"2025-03-31": 1.3}, {})
    later = (*windows({"2025-03-31": 1.3}), *windows({"2025-06-30": 0.9}, end=pd.Timestamp("2025-07-28")))
    valued = dataclasses.replace(found.discrepancies["purchases"], windows=later)
    run = run_of(found)
    after = SimpleNamespace(discrepancies={"purchases": valued}, left_out=(), factor=lambda *_: PERCENT)
    table = FIGURES["backtests"].table(dataclasses.replace(run, valued=entry(values=values(), learned=after)))
    assert table.windows["percent"].round(6).tolist() == [130.0, 90.0]
