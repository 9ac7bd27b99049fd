"""Past and future together: what was made is certain, all doubt is about what is to come."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.accounts.lifetime import lifetime_table, lifetime_total
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.parts import CREDIT
from clvmodels.valuation.valuation import Discounted, Values

DAY = pd.Timestamp("2025-06-30")
REALISED = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 60.0]])
PEOPLE = np.array(["a", "b"])
MADE = pd.DataFrame({"profit": [5.0, -100.0]}, index=["b", "a"])


def values(**parts: Discounted) -> Values:
    economics = Economics(0.3, 0.12, 52.0)
    return Values(PEOPLE, REALISED + 1.0, REALISED + 0.5, REALISED, economics, "week", "EUR", DAY, parts)


def test_each_customer_has_what_was_made_and_what_is_to_come():
    """By label: the table of what was made is in another order."""
    table = lifetime_table(MADE, values())
    assert table.index.tolist() == ["a", "b"] and table["profit_made"].tolist() == [-100.0, 5.0]
    assert table["lifetime_value_mean"].tolist() == [-98.0, 35.0]
    assert table["lifetime_value_q50"].tolist() == [-98.0, 25.0]
    quantiles = table[["lifetime_value_q5", "lifetime_value_q25", "lifetime_value_q75", "lifetime_value_q95"]]
    expected = MADE["profit"].to_numpy()[::-1] + np.quantile(REALISED, [0.05, 0.25, 0.75, 0.95], axis=0)
    np.testing.assert_allclose(quantiles.to_numpy().T, expected)


def test_a_customer_has_the_same_row_in_any_block(monkeypatch):
    whole = lifetime_table(MADE, values())
    monkeypatch.setattr("clvmodels.draws.BLOCK_ELEMENTS", 1)
    pd.testing.assert_frame_equal(lifetime_table(MADE, values()), whole)


def test_the_total_leaves_the_credit_out():
    """Those who are brought are, or will be, customers themselves."""
    credit = Discounted(np.full((3, 2), 2.0), np.full((3, 2), 3.0), np.full((3, 2), 4.0))
    assert lifetime_total(MADE, values()).tolist() == [-95 + 11.0, -95 + 22.0, -95 + 63.0]
    assert lifetime_total(MADE, values(**{CREDIT: credit})).tolist() == [-95 + 3.0, -95 + 14.0, -95 + 55.0]
    assert lifetime_total(MADE, values(), "expected").tolist() == [-95 + 13.0, -95 + 24.0, -95 + 65.0]
