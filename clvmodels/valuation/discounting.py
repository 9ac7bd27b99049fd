"""When money counts: the periods up to a horizon, and what an amount in each is worth at the date of value.

Shapes: P = period.
"""

from __future__ import annotations

import itertools

import numpy as np

from clvmodels.dates import DAYS_PER_UNIT, DAYS_PER_YEAR
from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.valuation.economics import Retention

MOST_YEARS = 100
"""Of a horizon: a longer one is a slip, and its periods would fill the memory."""


def period_edges(horizon: float, time_unit: str, time: str = "continuous", retention: Retention | None = None) -> Array:
    """Bounds of periods of at most a month, from 0 to the horizon, in time units; equal ones, or from one date of
    retention's contacts to the next; or the opportunities. [P+1]

    Raises
    ------
    ConfigError
        A horizon of over a hundred years, or one that cuts an opportunity in two, or retention where time counts
        opportunities.
    """
    years = horizon * DAYS_PER_UNIT[time_unit] / DAYS_PER_YEAR
    if years > MOST_YEARS:
        got = f"{horizon:g} {time_unit}s, {years:,.0f} years"
        raise ConfigError(
            Problem("horizon is longer than any customer's life", "economics", got, f"At most {MOST_YEARS} years")
        )
    if time == "opportunities":
        if horizon % 1:
            remedy = f"Where time counts opportunities, a whole number of {time_unit}s"
            raise ConfigError(Problem("horizon cuts an opportunity in two", "economics", f"{horizon:g}", remedy))
        if retention is not None:
            raise ConfigError(Problem("retention needs continuous time", "economics", "opportunities"))
        return np.arange(horizon + 1.0)
    dates: Array = np.zeros(1)
    if retention is not None:
        dates = retention.every * np.arange(np.floor(horizon / retention.every + 1e-9) + 1.0)
    # a date on the horizon itself begins no period any more
    marks = [*dates[dates < horizon * (1.0 - 1e-9)], horizon]
    edges = [np.zeros(1)]
    for start, end in itertools.pairwise(marks):
        edges.append(_months(start, end, time_unit))
    return np.concatenate(edges)


def _months(start: float, end: float, time_unit: str) -> Array:
    """Ends of as few equal periods as are no longer than a month. [P]"""
    months = (end - start) * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["month"]
    count = max(1, int(np.ceil(months - 1e-9)))  # 12.0000000001 months are 12
    return np.linspace(start, end, count + 1)[1:]


def discount_factors(edges: Array, annual_discount_rate: float, time_unit: str, time: str = "continuous") -> Array:
    """Mean of (1 + d)^(-t / 365.25 days) over each period: exact for purchases spread evenly in it. [P]

    An opportunity counts at the end of its period.
    """
    if time == "opportunities":
        return discount_at(edges[1:], annual_discount_rate, time_unit)
    discount = _force(annual_discount_rate, time_unit) * np.diff(edges)
    is_none = discount == 0.0  # the mean of exp(-s) over (0, discount) is a limit there, 1
    within = -np.expm1(-discount) / np.where(is_none, 1.0, discount)
    within = np.where(is_none, 1.0, within)
    return discount_at(edges[:-1], annual_discount_rate, time_unit) * within


def discount_at(times: Array, annual_discount_rate: float, time_unit: str) -> Array:
    """(1 + d)^(-t / 365.25 days) at times after the date of value, in time units."""
    return np.exp(-_force(annual_discount_rate, time_unit) * times)


def _force(annual_discount_rate: float, time_unit: str) -> float:
    """Of the discount, per time unit."""
    return float(np.log1p(annual_discount_rate)) * DAYS_PER_UNIT[time_unit] / DAYS_PER_YEAR
