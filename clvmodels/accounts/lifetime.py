"""The value of past and future together: profit made up to the date of value plus what is left of the relation.

    lifetime value = profit made so far + value to come

What was made is known and is not discounted; all doubt is about what is to come. What it cost to win the customers is
in what was made, where the tables tell it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.draws import QUANTILES, Array, blocks
from clvmodels.valuation.valuation import Values


def lifetime_value(profit_made: Array, value: Array) -> Array:
    """Of each customer in each draw. profit_made: [C]; value and result: [D, C]"""
    return profit_made[None] + value


def lifetime_table(made: pd.DataFrame, values: Values) -> pd.DataFrame:
    """One row a customer: profit_made, lifetime_value_mean, and lifetime_value_q5 to lifetime_value_q95 of what may
    happen, luck included."""
    draws, customers = values.realised.shape
    profit = made["profit"].reindex(values.customer_id).to_numpy()
    tables = []
    for block in blocks(customers, draws, 1):
        lifetime = lifetime_value(profit[block], values.realised[:, block])
        columns = {"profit_made": profit[block], "lifetime_value_mean": lifetime.mean(axis=0)}
        for name, level in QUANTILES.items():
            columns[f"lifetime_value_{name}"] = np.quantile(lifetime, level, axis=0)
        tables.append(pd.DataFrame(columns, index=values.customer_id[block]))
    return pd.concat(tables).rename_axis("customer_id")


def lifetime_total(made: pd.DataFrame, values: Values, kind: str = "realised") -> Array:
    """Of all customers together in each draw, without credit for referrals, as `Values.base`: kind is expected or
    realised. [D]"""
    return float(made["profit"].sum()) + values.base(kind)
