"""Customers are condensed only where effects treat them alike."""

from __future__ import annotations

import numpy as np
from contracts.cases import table_of
from fakes.effects import SEVERAL

from clvmodels.inference.unique_rows import condense


def test_customers_are_condensed_only_where_effects_treat_them_alike():
    table = table_of().iloc[[3, 3, 3, 3]].assign(channel=["a", "b", "a", "a"], score=[1.0, 1.0, np.nan, 1.0])
    assert len(condense(table, ("frequency", "T")).weights) == 1
    by_both = condense(table, ("frequency", "T"), SEVERAL[:2])
    assert by_both.weights.tolist() == [1.0, 2.0, 1.0] or sorted(by_both.weights) == [1.0, 1.0, 2.0]
    assert by_both.inverse[0] == by_both.inverse[3] != by_both.inverse[1]
