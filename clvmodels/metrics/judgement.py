"""One entry's forecast, judged: the statistics that checks read and figures draw, each computed once.

What is counted of single customers is in `pit.py` and its neighbours; here are the groups, weeks and curves made of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import Array, group_means, quantiles, total
from clvmodels.metrics.bands import CHANCE, InsideCount, inside_count, isotonic_line, points_outside
from clvmodels.metrics.judged import Judged
from clvmodels.metrics.pit import in_the_middle, randomised_pit, surplus_curve
from clvmodels.metrics.total_purchases import total_draws

FEW_CUSTOMERS = 100
"""A smaller base has fewer groups by past frequency, and a coarser reliability curve."""
FINE_GRID = np.round(np.arange(1, 50) * 0.02, 2)
COARSE_GRID = np.round(np.arange(1, 11) * 0.1 - 0.05, 2)
"""Predicted probabilities at which the reliability curve is read."""
SMALLEST_GROUP = 10
MOST_GROUPS, MOST_GROUPS_OF_FEW = 8, 4
MOST_PERIODS = 120
FEW_PURCHASES = 5.0
"""Where a mean week holds fewer, single weeks say little: they are taken four by four."""


class Tracking(NamedTuple):
    """Purchases of the whole base by period, before and after the calibration's end.

    `periods` has a row a period: start, unit (week, or what opportunities are counted in), units (how many of them a
    period holds), held_out, actual, and q5 to q95 of the forecast with `side` (see `side_of`), where there is one.
    `inside` counts the held-out periods; None where there is none.
    """

    periods: list[dict[str, Any]]
    inside: InsideCount | None


class Groups(NamedTuple):
    """Mean held-out purchases of customers with the same past frequency.

    `groups` has a row a group: frequency (its name), customers, actual, q5 to q95 of the forecast, and `side`.
    """

    groups: list[dict[str, Any]]
    inside: InsideCount


@dataclass(frozen=True)
class Judgement:
    """The forecast of an entry, with what is computed of it when it is first asked for.

    Parameters
    ----------
    judged
        The forecast beside what came.
    fitted_weeks
        Purchases of the base in the weeks that the entry was fitted to, as it would have them from the start; None
        where they were not asked for. [D, week]
    """

    judged: Judged
    fitted_weeks: NDArray | None = None

    @cached_property
    def actual_total(self) -> int:
        """Held-out purchases of the whole base."""
        return int(self.judged.actual.sum())

    @cached_property
    def own_total_draws(self) -> Array:
        """The model's own forecast of that total, whatever it has learned from earlier ones. [D]"""
        return total(self.judged.futures.purchases)

    @cached_property
    def total(self) -> dict[str, float]:
        """Quantiles of the forecast of that total."""
        return quantiles(total_draws(self.judged))

    @property
    def side_of_total(self) -> str:
        """On which side of its 90% interval that total lies."""
        return side_of(self.actual_total, self.total)

    @cached_property
    def pit(self) -> Array:
        """Randomised PIT of each customer. [customer_id]"""
        return randomised_pit(self.judged)

    @property
    def middle_share(self) -> float:
        """Share of customers in the middle 90% of their own forecast."""
        return float(in_the_middle(self.pit).mean())

    @cached_property
    def pit_curve(self) -> pd.DataFrame:
        """Where outcomes lie in their forecasts, beside what chance alone does; see `surplus_curve`."""
        return surplus_curve(self.pit)

    @cached_property
    def reliability(self) -> pd.DataFrame:
        """How often at least one purchase came, by its predicted probability.

        Columns predicted (the grid), bought, lower, upper (the isotonic line and its 99% consistency band; NaN where
        nobody was predicted as much), customers (of the step around it).
        """
        probabilities = np.asarray(self.judged.futures.p_any, dtype=float)
        predicted = np.clip(probabilities, 0.0, 1.0)  # rounding may leave a probability beside its range
        grid = COARSE_GRID if len(predicted) < FEW_CUSTOMERS else FINE_GRID
        line = isotonic_line(predicted, self.judged.actual > 0, grid)
        half_step = (grid[1] - grid[0]) / 2
        # the outer steps reach to the ends, and hold 0 and 1 themselves
        edges = np.concatenate([[-1e-9], grid[:-1] + half_step, [1 + 1e-9]])
        customers, _ = np.histogram(predicted, edges)
        frame = pd.DataFrame({"predicted": grid, **line._asdict(), "customers": customers})
        covered = (grid >= predicted.min()) & (grid <= predicted.max())
        middle = np.abs(grid - predicted.mean()).argmin()
        covered[middle] = True  # a range within one step has its point too
        frame.loc[~covered, list(line._fields)] = np.nan
        return frame

    @cached_property
    def frequency_codes(self) -> tuple[list[tuple[int, int]], NDArray[np.intp]]:
        """Groups of customers by past frequency: the bounds of each, and the group of each customer [C]."""
        customers = self.judged.customers.table.loc[self.judged.futures.customer_id]
        frequency = customers["frequency"].to_numpy(dtype=np.int64)
        bounds = frequency_groups(frequency)
        highest = [high for _, high in bounds]
        return bounds, np.searchsorted(highest, frequency)

    @cached_property
    def pit_curves(self) -> list[pd.DataFrame]:
        """The curve of the PIT in each group by past frequency, with bands that hold all of them together in 99 of 100
        sound forecasts."""
        bounds, codes = self.frequency_codes
        level = 1 - (1 - CHANCE) / len(bounds)
        return [surplus_curve(self.pit[codes == group], level) for group in range(len(bounds))]

    @cached_property
    def groups(self) -> Groups:
        """Groups by past frequency, and how many of their means lie in their 90% intervals."""
        bounds, codes = self.frequency_codes
        draws = group_means(self.judged.futures.purchases, codes, len(bounds))
        sizes = np.bincount(codes, minlength=len(bounds))
        purchases = np.bincount(codes, self.judged.actual, minlength=len(bounds))
        actual = purchases / sizes
        rows = []
        for place, (low, high) in enumerate(bounds):
            name = _group_name(low, high, last=place == len(bounds) - 1)
            row: dict[str, Any] = {"frequency": name, "customers": int(sizes[place]), "actual": float(actual[place])}
            forecast = quantiles(draws[:, place])
            rows.append(row | forecast | {"side": side_of(row["actual"], forecast)})
        return Groups(rows, inside_count(draws, actual))

    @cached_property
    def tracking(self) -> Tracking:
        """Periods before and after the calibration's end, and how many of the held-out ones lie in their 90% band."""
        customers = self.judged.customers
        weekly = self.judged.weekly.sort_values("start").reset_index(drop=True)
        is_held_out = weekly["held_out"].to_numpy(dtype=bool)
        past, future = weekly[~is_held_out], weekly[is_held_out]
        unit = customers.time_unit if customers.time == "opportunities" else "week"
        size = _weeks_in_a_period(weekly, unit)
        past_draws = _aligned(self.fitted_weeks, past, held_out=False)
        future_draws = _aligned(self.judged.futures.period_purchases, future, held_out=True)
        past_rows, _ = _periods(past, past_draws, size, unit, held_out=False)
        future_rows, sums = _periods(future, future_draws, size, unit, held_out=True)
        inside = None
        if sums is not None:
            actual = np.array([row["actual"] for row in future_rows])
            inside = inside_count(sums, actual)
        return Tracking([*past_rows, *future_rows], inside)


def side_of(actual: float, forecast: Mapping[str, float]) -> str:
    """On which side of the 90% interval of its forecast a number lies: inside, above, below."""
    if actual > forecast["q95"]:
        return "above"
    return "below" if actual < forecast["q5"] else "inside"


def reliable_share(reliability: pd.DataFrame) -> float:
    """The share of the predicted range, by steps of the grid, on which the curve is in its band."""
    predicted = reliability.dropna(subset="bought")
    is_outside = points_outside(predicted["bought"], predicted["lower"], predicted["upper"])
    return float((~is_outside).mean())


def frequency_groups(frequency: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Bounds (lowest, highest) of groups by past purchases, each of at least 10 customers; the last is open."""
    most = MOST_GROUPS if len(frequency) >= FEW_CUSTOMERS else MOST_GROUPS_OF_FEW
    bounds: list[tuple[int, int]] = []
    low = 0
    for high in range(int(frequency.max()) + 1):
        in_group = (frequency >= low) & (frequency <= high)
        inside = int(in_group.sum())
        beyond = int((frequency > high).sum())
        # who is left must be enough for the last group
        if inside >= SMALLEST_GROUP and beyond >= SMALLEST_GROUP and len(bounds) < most - 1:
            bounds.append((low, high))
            low = high + 1
    return [*bounds, (low, int(frequency.max()))]


def _group_name(low: int, high: int, *, last: bool) -> str:
    if low == high:
        return str(low)
    return f"{low}+" if last else f"{low} to {high}"


def _aligned(draws: NDArray | None, weeks: pd.DataFrame, *, held_out: bool) -> NDArray | None:
    """The draws of these weeks, refused where they are of others. [D, week]"""
    if draws is not None and draws.shape[1] != len(weeks):
        raise ValueError(f"{draws.shape[1]} forecast weeks, {len(weeks)} weeks of data (held out: {held_out})")
    return draws


def _weeks_in_a_period(weekly: pd.DataFrame, unit: str) -> int:
    """1; 4 where a mean week holds under 5 purchases; more where there would be over 120 periods."""
    is_thin = unit == "week" and weekly["purchases"].mean() < FEW_PURCHASES
    smallest = 4 if is_thin else 1
    return max(smallest, math.ceil(len(weekly) / MOST_PERIODS))


def _periods(
    weekly: pd.DataFrame, draws: NDArray | None, size: int, unit: str, *, held_out: bool
) -> tuple[list[dict[str, Any]], NDArray | None]:
    """Whole periods counted from the calibration's end, both ways; weeks left over at the far ends are left out."""
    count = len(weekly) // size
    if not count:
        return [], None
    first = 0 if held_out else len(weekly) - count * size
    weeks = slice(first, first + count * size)
    cut = weekly.iloc[weeks]
    actual = cut["purchases"].to_numpy().reshape(count, size).sum(axis=1)
    sums = None
    if draws is not None:
        by_period = np.asarray(draws)[:, weeks].reshape(len(draws), count, size)
        sums = by_period.sum(axis=2)
    rows = []
    for place, (start, purchases) in enumerate(zip(cut["start"].iloc[::size], actual, strict=True)):
        row = {"start": start, "unit": unit, "units": size, "held_out": held_out, "actual": float(purchases)}
        if sums is not None:
            forecast = quantiles(sums[:, place])
            row |= forecast | {"side": side_of(purchases, forecast)}
        rows.append(row)
    return rows, sums
