"""Windows of time in periods: the weeks after the origin, and those of the past in ages of each customer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.customers.table import Customers
from clvmodels.dates import DAYS_PER_UNIT, period_of
from clvmodels.draws import Array

ALMOST = 1e-9
"""What a number of weeks may lack of a whole one: the rounding of a quotient."""


def tracked_length(time_unit: str, time: str = "continuous") -> float:
    """What purchases of the base are tracked by, in time units: a week; where time counts opportunities, one."""
    return 1.0 if time == "opportunities" else 7.0 / DAYS_PER_UNIT[time_unit]


def whole_weeks(length: float, time_unit: str, time: str = "continuous") -> int:
    """How many weeks, or periods, a window of `length` time units holds whole."""
    return int(np.floor(length / tracked_length(time_unit, time) + ALMOST))


def week_edges(length: float, time_unit: str, time: str = "continuous") -> Array:
    """Bounds of the whole weeks of a window of `length` time units, from 0, and the window's end; where time counts
    opportunities, of the periods."""
    week = tracked_length(time_unit, time)
    edges: Array = week * np.arange(whole_weeks(length, time_unit, time) + 1.0)
    return edges if np.isclose(edges[-1], length) else np.concatenate([edges, [length]])


def past_bounds(customers: Customers, starts: pd.Series) -> Array:
    """The ages of each customer at which the weeks, or periods, begin and the last one ends, not below 0. [C, P+1]

    A purchase on day d of life lies in (d - 1, d]: a week that begins on day s covers (s - 1, s + 6]; one in the
    a-th period after the first lies in (a - 1, a].
    """
    first = customers.table["first_purchase"]
    if customers.time == "opportunities":
        ages = moments(starts, customers)[None] - moments(first, customers)[:, None]
        return np.concatenate([ages - 1.0, ages[:, -1:]], axis=1).clip(0.0)
    start_days, first_days = starts.to_numpy("datetime64[D]"), first.to_numpy("datetime64[D]")
    days = (start_days[None] - first_days[:, None]).astype(float)
    bounds = np.concatenate([days - 1.0, days[:, -1:] + 6.0], axis=1)
    return bounds.clip(0.0) / DAYS_PER_UNIT[customers.time_unit]


def moments(dates: pd.DatetimeIndex | pd.Series, customers: Customers) -> Array:
    """Time units since 1970; where time counts opportunities, the period counted from the last one observed."""
    days = pd.DatetimeIndex(dates)
    if customers.time == "opportunities":
        place, distinct_days = days.factorize()  # thousands of customers, a few dates
        periods = [period_of(day, customers.observation_end, customers.time_unit) for day in distinct_days]
        return np.array(periods, dtype=float)[place]
    since_1970 = (days - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return since_1970.to_numpy(dtype=float) / DAYS_PER_UNIT[customers.time_unit]
