"""The margin of purchases whose goods' cost is not known: what it leaves of all up to the end of the period."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.kpis.periods import Length, place


def usual_so_far(start: pd.Timestamp, length: Length = "month") -> Callable[[ibis.Table], ibis.Table]:
    """Adds `usual` to purchases (date, amount, cost): no period is changed by what comes after it."""

    def with_usual(days: ibis.Table) -> ibis.Table:
        days = days.mutate(period=place(_.date, start, length))
        known = days.filter(_.cost.notnull()).group_by("period")
        sums = known.agg(amount=_.amount.sum(), cost=_.cost.sum()).execute()
        so_far = sums.set_index("period").sort_index().cumsum()
        periods = np.arange(int(days.period.max().execute()) + 1)
        so_far = so_far.reindex(periods).ffill().fillna(0.0)
        sold = so_far["amount"] > 0
        rate = np.where(sold, 1.0 - so_far["cost"] / so_far["amount"].where(sold, 1.0), 0.0)
        rates = ibis.memtable(pd.DataFrame({"period": periods, "usual": rate}))
        return days.inner_join(rates, "period").drop("period")

    return with_usual
