"""The margin of purchases whose goods' cost is not known: what it leaves of all up to the end of the period."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.draws import Array
from clvmodels.kpis.periods import Length, place


def usual_so_far(start: pd.Timestamp, length: Length = "month") -> Callable[[ibis.Table], ibis.Table]:
    """Adds `usual` to purchases (date, amount, cost): no period is changed by what comes after it."""

    def with_usual(days: ibis.Table) -> ibis.Table:
        days = days.mutate(period=place(_.date, start, length))
        periods = range(int(days.period.max().execute()) + 1)
        rates = pd.DataFrame({"period": periods, "usual": _rates(days, periods)})
        return days.inner_join(ibis.memtable(rates), "period").drop("period")

    return with_usual


def _rates(days: ibis.Table, periods: range) -> Array:
    """The margin rate up to the end of each period, of purchases whose cost is known; 0 before the first of them."""
    by_period = days.filter(_.cost.notnull()).group_by("period")
    sums = by_period.agg(amount=_.amount.sum(), cost=_.cost.sum()).execute()
    so_far = sums.set_index("period").sort_index().cumsum()
    so_far = so_far.reindex(periods).ffill().fillna(0.0)
    is_sold = so_far["amount"] > 0
    amount = so_far["amount"].where(is_sold, 1.0)  # only so that nothing is divided by 0
    return np.where(is_sold, 1.0 - so_far["cost"] / amount, 0.0)
