"""A supplied calendar: a factor on the purchase rate that is constant within steps, weeks as a rule.

In step w, (b_w, b_{w+1}] of calendar time, everybody who follows pattern p buys at m_pw times the own rate,

    log m_pw = log index_w - log mean index + sum over k of g_k z_pwk,

with the index supplied and scaled, the covariates z read against 0 and their coefficients g estimated. Operational time
is the integral of m over calendar time: within a step a length.

Bachmann, Meierer & Naef (2021), The Role of Time-Varying Contextual Factors in Latent Attrition Models for Customer
Base Analysis, Marketing Science 40(4), have covariates of each customer and week on the purchase rate (and on the
lifetime, which here stays on calendar time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np
import pandas as pd
import pytensor.tensor as pt
from numpy.typing import ArrayLike

from clvmodels.draws import Array
from clvmodels.errors import DataError, Problem
from clvmodels.models.parameters import Graph, Parameter, Rows, Theta, Value
from clvmodels.models.parts.contract import Calendar, Pieces
from clvmodels.models.prior import Prior

ROUNDING = 1e-9
"""Time units by which a time may lie outside the steps."""
LEAST_NODES = 16
"""Of a step, where a quarter of the whole's would be fewer: a heavy buyer's density falls within one."""


class Steps(Calendar):
    """The factor, from plain numbers that a posterior can keep (`calendars.SuppliedCalendar.option` makes them).

    Parameters
    ----------
    name
        What the columns of the customers' table begin with: `{name}.log_index` and `{name}.{covariate}`, sums over the
        repeat purchases, and `{name}.pattern`.
    bounds : [W+1]
        Of the steps, in time units since the beginning of 1970. A purchase lies at the end of its day.
    log_index : [W] or None
        Logs of the index as supplied, where there is one.
    log_mean
        Log of the index's mean over the calibration.
    covariates : [K]
        Names.
    values : [patterns, W, K]
        Of the covariates; customers with equal values share a pattern.
    until
        The last day that the steps cover, in words.
    """

    def __init__(
        self,
        name: str,
        bounds: ArrayLike,
        log_index: ArrayLike | None,
        log_mean: float,
        covariates: Sequence[str],
        values: ArrayLike,
        until: str,
    ):
        self.name, self.until, self.log_mean = name, until, float(log_mean)
        self.covariates = tuple(covariates)
        self.has_index = log_index is not None
        every_bound = np.asarray(bounds, dtype=float)
        if self.has_index:
            scaled_index = np.asarray(log_index, dtype=float) - self.log_mean
        else:
            scaled_index = np.zeros(len(every_bound) - 1)
        self.bounds, self.log_index, self.values = _merged(every_bound, scaled_index, np.asarray(values, dtype=float))
        self.parameters = tuple(_parameter(name, covariate) for covariate in self.covariates)
        pattern = (f"{name}.pattern",) if len(self.values) > 1 else ()
        index = (f"{name}.log_index", "frequency") if self.has_index else ()
        self.traits = ("birth", *pattern)
        self.observes = (*self.traits, *index, *(f"{name}.{covariate}" for covariate in self.covariates))

    def nodes(self, number: int) -> int:
        """A quarter as many: a step is a small part of the whole, and smooth."""
        return max(LEAST_NODES, number // 4)

    def elapsed(
        self, rows: Rows[Value], start: Value, length: Value, theta: Theta[Value], xp: ModuleType = pt
    ) -> Value:
        """Sum over the steps of the factor times the overlap of step and ages."""
        begin = rows["birth"] + start
        end = begin + length
        if xp is pt:
            overlap = pt.minimum(end[..., None], self.bounds[1:]) - pt.maximum(begin[..., None], self.bounds[:-1])
            return pt.sum(pt.exp(self._log_factors(rows, theta)) * pt.maximum(overlap, 0.0), axis=-1)
        # step by step: all at once would be an array as many times as large
        total = 0.0 * length
        for step in self._covering(begin, end):
            overlap = np.minimum(end, self.bounds[step + 1]) - np.maximum(begin, self.bounds[step])
            total = total + self._factor(rows, theta, step) * np.maximum(overlap, 0.0)
        return total

    def log_intensity(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """Linear in the coefficients: the sums over the purchases are columns of the rows."""
        total = 0.0
        if self.has_index:
            total = rows[f"{self.name}.log_index"] - rows["frequency"] * self.log_mean
        for parameter, covariate in zip(self.parameters, self.covariates, strict=True):
            total = total + theta[parameter.name] * rows[f"{self.name}.{covariate}"]
        return total

    def pieces(self, rows: Rows[Graph], theta: Theta[Graph]) -> Pieces:
        """One piece for each step that anybody's silence meets; of length 0 for those whose silence does not."""
        begin = rows["birth"] + rows["recency"]
        end = rows["birth"] + rows["T"]
        first = pt.maximum(pt.sum(pt.lt(self.bounds, pt.min(begin))) - 1, 0)
        # one at least: a sum over no piece at all would have no place to be minus infinity
        last = pt.maximum(pt.sum(pt.lt(self.bounds[:-1], pt.max(end))), first + 1)
        low = pt.constant(self.bounds[:-1])[first:last]
        high = pt.constant(self.bounds[1:])[first:last]
        gap = (end - begin)[..., None]
        offset = pt.clip(low - begin[..., None], 0.0, gap)
        length = pt.clip(high - begin[..., None], 0.0, gap) - offset
        factor = pt.exp(self._log_factors(rows, theta)[..., first:last]) + 0.0 * offset  # one a row and piece
        operational = factor * length
        before = pt.cumsum(operational, axis=-1) - operational
        return Pieces(offset, length, before, factor, factor)

    def within(self, rows: Rows[Graph], pieces: Pieces, tau: Graph, theta: Theta[Graph]) -> Graph:
        return pieces.before[..., None] + pieces.pace[..., None] * (tau - pieces.offset[..., None])

    def pace(self, rows: Rows[Array], age: Array, theta: Theta[Array]) -> Array:
        """The factor of the step in which the age lies; 0 outside of the steps."""
        moment = rows["birth"] + age
        total = 0.0 * moment
        for step in self._covering(moment, moment):
            inside = (moment > self.bounds[step]) & (moment <= self.bounds[step + 1])
            total = np.where(inside, self._factor(rows, theta, step), total)
        return total

    def jumps(self, rows: Rows[Array]) -> Array:
        end_of_history = np.asarray(rows["birth"]) + np.asarray(rows["T"])
        return self.bounds[1:-1] - end_of_history[..., None]

    def age_at(self, own: Mapping[str, float], operational: Array) -> Array:
        """By interpolation: operational time is linear in age within each step."""
        ages = np.clip(self.bounds - own["birth"], 0.0, None)
        rows = {trait: np.asarray(own[trait]) for trait in self.traits}
        theta = {parameter.name: np.asarray(own[parameter.name]) for parameter in self.parameters}
        factors = np.array([self._factor(rows, theta, step) for step in range(len(self.log_index))])
        operational_ages = np.concatenate([[0.0], np.cumsum(factors * np.diff(ages))])
        return np.interp(operational, operational_ages, ages)

    def simulated(self, purchases: pd.DataFrame) -> dict[str, pd.Series]:
        repeat = purchases[purchases["age"] > 0]
        moments = (repeat["birth"] + repeat["age"]).to_numpy()
        # a purchase at the end of a step belongs to it, as its day does
        step = np.clip(np.searchsorted(self.bounds, moments, side="left") - 1, 0, len(self.log_index) - 1)
        columns = {trait: purchases.groupby("customer_id")[trait].first() for trait in self.traits}
        if self.has_index:
            log_index = pd.Series(self.log_index[step] + self.log_mean, index=repeat.index)
            columns[f"{self.name}.log_index"] = log_index.groupby(repeat["customer_id"]).sum()
        pattern = repeat.get(f"{self.name}.pattern", pd.Series(0, index=repeat.index)).to_numpy(dtype=int)
        for k, covariate in enumerate(self.covariates):
            values = pd.Series(self.values[pattern, step, k], index=repeat.index)
            columns[f"{self.name}.{covariate}"] = values.groupby(repeat["customer_id"]).sum()
        return columns

    def _log_factors(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log m of each row's pattern in every step. [..., W]"""
        total = pt.constant(self.log_index)
        for k, parameter in enumerate(self.parameters):
            g = pt.as_tensor(theta[parameter.name])
            g = g[..., None] if g.ndim else g
            total = total + g * self._values_of_rows(rows, k)
        return total

    def _values_of_rows(self, rows: Rows[Graph], k: int) -> Graph:
        """The k-th covariate of each row's pattern in every step. [W] or [..., W]"""
        values = pt.constant(self.values[..., k])
        if len(self.values) == 1:
            return values[0]
        return values[pt.cast(rows[f"{self.name}.pattern"], "int64")]

    def _factor(self, rows: Rows[Array], theta: Theta[Array], step: int) -> Array:
        """m of each row's pattern in one step."""
        total = self.log_index[step]
        for k, parameter in enumerate(self.parameters):
            z = self.values[:, step, k]
            z = z[np.asarray(rows[f"{self.name}.pattern"]).astype(int)] if len(z) > 1 else z[0]
            total = total + theta[parameter.name] * z
        return np.exp(total)

    def _covering(self, begin: Array, end: Array) -> range:
        """The steps from the first of these moments to the last.

        Raises
        ------
        DataError
            They lie outside of the steps: what the factor is there nobody has said.
        """
        earliest = float(np.min(begin, initial=np.inf))
        latest = float(np.max(end, initial=-np.inf))
        if earliest > latest:
            return range(0)  # nobody
        if earliest < self.bounds[0] - ROUNDING or latest > self.bounds[-1] + ROUNDING:
            missing = earliest - self.bounds[0] if earliest < self.bounds[0] else latest - self.bounds[-1]
            what = f"the calendar '{self.name}' has no rows for {abs(missing):.4g} time units that are asked for"
            known = f"It covers the time until {self.until}: supply rows for what is to come, or look less far ahead"
            raise DataError(Problem(what, known=known))
        first = max(int(np.searchsorted(self.bounds, earliest, side="right")) - 1, 0)
        last = min(int(np.searchsorted(self.bounds, latest, side="left")), len(self.log_index))
        return range(first, last)


def coefficient(covariate: str) -> str:
    """The name of a covariate's parameter."""
    return f"calendar_{covariate}".replace("/", "_")


def _parameter(name: str, covariate: str) -> Parameter:
    return Parameter(
        coefficient(covariate),
        "purchases",
        "none",
        Prior("Normal", {"mu": 0.0, "sigma": 1.0}),
        1,
        "purchase rate",
        f"how much the log of the purchase rate rises with one unit of '{covariate}' of the calendar '{name}'",
        -np.inf,
        np.inf,
    )


def _merged(bounds: Array, log_index: Array, values: Array) -> tuple[Array, Array, Array]:
    """The steps with those made one that differ in nothing: a calendar of seasons has few."""
    index_changes = np.diff(log_index) != 0.0
    values_change = (np.diff(values, axis=1) != 0.0).any(axis=(0, 2))
    first = np.r_[True, index_changes | values_change]
    return np.r_[bounds[:-1][first], bounds[-1]], log_index[first], values[:, first]
