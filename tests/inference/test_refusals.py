"""What a fit refuses before anything is compiled: everything that is wrong, at once."""

from __future__ import annotations

import numpy as np
import pytest
from contracts.cases import customers_of, table_of

from clvmodels.errors import ConfigError, DataError
from clvmodels.inference.effects import Effect
from clvmodels.inference.fitting import fit


def test_nobody_to_fit_is_refused():
    with pytest.raises(DataError, match="no customers"):
        fit("bg_nbd", customers_of(table_of().iloc[:0]))


def test_everything_wrong_with_the_customers_is_told_at_once():
    table = table_of().assign(T=[np.nan] * 8).drop(columns="monetary_value")
    table.loc["twice", "recency"] = np.inf
    with pytest.raises(DataError, match=r"8 customers have no finite T") as refused:
        fit("bg_nbd", customers_of(table))
    assert "no finite recency" in str(refused.value) and "first 'twice'" in str(refused.value)
    with pytest.raises(DataError, match="needs the column monetary_value"):
        fit("gamma_gamma_mean", customers_of(table))


def test_spend_of_nobody_who_came_back_is_refused():
    table = table_of()
    with pytest.raises(DataError, match="no customer bought again"):
        fit("gamma_gamma", customers_of(table[table["frequency"] == 0]))


def test_effects_that_do_not_fit_are_refused_all_at_once():
    effects = [
        Effect("purchases", ("alhpa",), "channel"),
        Effect("purchases", ("a",), "channel"),
        Effect("lifetime", ("b",), "chanel"),
    ]
    with pytest.raises(ConfigError) as refused:
        fit("bg_nbd", customers_of(table_of().assign(channel="x")), effects=effects)
    text = str(refused.value)
    assert "did you mean 'alpha'" in text and "belongs to the part 'lifetime'" in text
    assert "did you mean 'channel'" in text


def test_spend_of_free_repeat_purchases_alone_says_that_they_were_free():
    table = table_of()
    unpaid = table.assign(**dict.fromkeys(table.filter(["monetary_value", "amount_sum"]), 0.0))
    again = int(table["frequency"].sum())
    with pytest.raises(DataError, match=f"of {again} repeat purchases none brought money"):
        fit("gamma_gamma", customers_of(unpaid))
