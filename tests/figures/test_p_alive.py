"""Who is still a customer: counted from 90% up and 10% down, and when silence crosses a level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check
from fakes.tiny import END, entry, forecast_run, tiny_run

from clvmodels.customers.table import Customers, Split
from clvmodels.figures import FIGURES


def falling(**told):
    """Eleven customers of one frequency, silent for 0, 10 .. 100 weeks, with 100%, 90% .. 0%; half of a level lies
    where the silence does."""
    silence = 10.0 * np.arange(11)
    table = pd.DataFrame({"frequency": 3, "recency": 120 - silence, "T": 120.0}, index=[f"c{k}" for k in range(11)])
    customers = Customers(table, "week", END, "EUR")
    valued = entry(p_alive=1 - silence / 100)
    return tiny_run(about=about(customers=11, **told), valued=valued, value_split=Split(customers, None, None))


CASES = {
    "half in doubt": Says(
        forecast_run,
        heading="Who is still a customer",
        sub=(
            "Dots: customers by repeat purchases and weeks since the last one; larger: more of them. "
            "Lines: where the probability of still being a customer is 90%, 50% and 10%."
        ),
        caption=(
            "**50.0% of customers are in doubt**: between 10% and 90% likely to be still there. 50.0% "
            "have at least 90%, 0% at most 10%. Leaving is never seen: this is the model's inference "
            "from silence."
        ),
        alt=(
            "Density of customers by silence and frequency with lines of equal probability of being "
            "alive; 50.0% lie between 10% and 90%, 50.0% above."
        ),
        titles=("Repeat purchases", "Customers", "90% after, weeks of silence", "50% after", "10% after"),
        rows=[("0", "20", "—", "—", "—"), ("2", "20", "—", "—", "—")],
    ),
    "silence that crosses the levels": Says(
        falling,
        heading="Who is still a customer",
        sub=(
            "Dots: customers by repeat purchases and weeks since the last one; larger: more of them. "
            "Lines: where the probability of still being a customer is 90%, 50% and 10%."
        ),
        caption=(
            "**63.6% of customers are in doubt**: between 10% and 90% likely to be still there. 18.2% "
            "have at least 90%, 18.2% at most 10%. Leaving is never seen: this is the model's inference "
            "from silence."
        ),
        alt=(
            "Density of customers by silence and frequency with lines of equal probability of being "
            "alive; 63.6% lie between 10% and 90%, 18.2% above."
        ),
        titles=("Repeat purchases", "Customers", "90% after, weeks of silence", "50% after", "10% after"),
        rows=[("3", "11", "10.0", "50.0", "90.0")],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("p_alive", case)


def test_it_draws(accept_drawings):
    check_drawings("p_alive", CASES, accept_drawings)


def test_whole_opportunities_stand_in_the_middle_of_their_cells():
    """Silent for 0, 10 .. 100 chances: five to a cell, from half a chance before the first on."""
    tables = FIGURES["p_alive"].table(falling(time="opportunities"))
    cells = tables.cells.sort_values("silence_from")
    silence = 10 * np.arange(11)
    first = -0.5 + 5 * (silence // 5)
    assert cells["silence_from"].tolist() == first.tolist()
    assert cells["silence_to"].tolist() == (first + 5).tolist()
    assert (cells["customers"] == 1).all()
