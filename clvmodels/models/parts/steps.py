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

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.errors import DataError, Problem
from clvmodels.models.contract import Parameter, Rows, Theta
from clvmodels.models.parts.contract import Calendar, Pieces
from clvmodels.models.prior import Prior

ROUNDING = 1e-9
"""Time units by which a time may lie outside the steps."""


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
        bounds: Any,
        log_index: Any,
        log_mean: float,
        covariates: Any,
        values: Any,
        until: str,
    ):
        self.name, self.until, self.log_mean = name, until, float(log_mean)
        self.covariates, self.has_index = tuple(covariates), log_index is not None
        own = np.asarray(log_index, dtype=float) - self.log_mean if self.has_index else np.zeros(len(bounds) - 1)
        self.bounds, self.log_index, self.values = _merged(np.asarray(bounds, dtype=float), own, values)
        self.parameters = tuple(_parameter(name, covariate) for covariate in self.covariates)
        pattern = (f"{name}.pattern",) if len(self.values) > 1 else ()
        self.traits = ("birth", *pattern)
        index = (f"{name}.log_index", "frequency") if self.has_index else ()
        self.observes = (*self.traits, *index, *(f"{name}.{covariate}" for covariate in self.covariates))

    def nodes(self, number: int) -> int:
        return max(16, number // 4)

    def elapsed(self, rows: Rows, start: Any, length: Any, theta: Theta, xp: Any = pt) -> Any:
        begin = rows["birth"] + start
        end = begin + length
        if xp is pt:
            overlap = pt.minimum(end[..., None], self.bounds[1:]) - pt.maximum(begin[..., None], self.bounds[:-1])
            return pt.sum(pt.exp(self._log_factors(rows, theta)) * pt.maximum(overlap, 0.0), axis=-1)
        total: Any = 0.0 * length
        for step in self._covering(begin, end):
            overlap = np.minimum(end, self.bounds[step + 1]) - np.maximum(begin, self.bounds[step])
            total = total + self._factor(rows, theta, step) * np.maximum(overlap, 0.0)
        return total

    def log_intensity(self, rows: Rows, theta: Theta) -> Any:
        total: Any = 0.0
        if self.has_index:
            total = rows[f"{self.name}.log_index"] - rows["frequency"] * self.log_mean
        for parameter, covariate in zip(self.parameters, self.covariates, strict=True):
            total = total + theta[parameter.name] * rows[f"{self.name}.{covariate}"]
        return total

    def pieces(self, rows: Rows, theta: Theta) -> Pieces:
        begin = rows["birth"] + rows["recency"]
        end = rows["birth"] + rows["T"]
        first = pt.maximum(pt.sum(pt.lt(self.bounds, pt.min(begin))) - 1, 0)  # the steps that anybody's silence meets
        last = pt.maximum(pt.sum(pt.lt(self.bounds[:-1], pt.max(end))), first + 1)
        low, high = (pt.constant(edge)[first:last] for edge in (self.bounds[:-1], self.bounds[1:]))
        gap = (end - begin)[..., None]
        offset = pt.clip(low - begin[..., None], 0.0, gap)
        length = pt.clip(high - begin[..., None], 0.0, gap) - offset
        factor = pt.exp(self._log_factors(rows, theta)[..., first:last]) + 0.0 * offset
        held = factor * length
        return Pieces(offset, length, pt.cumsum(held, axis=-1) - held, factor, factor)

    def within(self, rows: Rows, pieces: Pieces, tau: Any, theta: Theta) -> Any:
        return pieces.before[..., None] + pieces.pace[..., None] * (tau - pieces.offset[..., None])

    def pace(self, rows: Rows, age: Any, theta: Theta, xp: Any = pt) -> Any:
        """NumPy only: the graph's paces are those of the pieces."""
        at = rows["birth"] + age
        total: Any = 0.0 * at
        for step in self._covering(at, at):
            inside = (at > self.bounds[step]) & (at <= self.bounds[step + 1])
            total = np.where(inside, self._factor(rows, theta, step), total)
        return total

    def jumps(self, rows: Rows) -> Array:
        return self.bounds[1:-1] - (np.asarray(rows["birth"]) + np.asarray(rows["T"]))[..., None]

    def age_at(self, own: Mapping[str, float], operational: Array) -> Array:
        lengths = np.clip(self.bounds - own["birth"], 0.0, None)
        rows = {trait: np.asarray(own[trait]) for trait in self.traits}
        held = [self._factor(rows, own, step) * length for step, length in enumerate(np.diff(lengths))]
        return np.interp(operational, np.concatenate([[0.0], np.cumsum(held)]), lengths)

    def simulated(self, purchases: pd.DataFrame) -> dict[str, pd.Series]:
        repeat = purchases[purchases["age"] > 0]
        at = (repeat["birth"] + repeat["age"]).to_numpy()
        step = np.clip(np.searchsorted(self.bounds, at, side="left") - 1, 0, len(self.log_index) - 1)
        told = {trait: purchases.groupby("customer_id")[trait].first() for trait in self.traits}
        if self.has_index:
            each = pd.Series(self.log_index[step] + self.log_mean, index=repeat.index)
            told[f"{self.name}.log_index"] = each.groupby(repeat["customer_id"]).sum()
        pattern = repeat.get(f"{self.name}.pattern", pd.Series(0, index=repeat.index)).to_numpy(dtype=int)
        for k, covariate in enumerate(self.covariates):
            each = pd.Series(self.values[pattern, step, k], index=repeat.index)
            told[f"{self.name}.{covariate}"] = each.groupby(repeat["customer_id"]).sum()
        return told

    def _log_factors(self, rows: Rows, theta: Theta) -> Any:
        """log m of each row's pattern in every step, in the graph. [..., W]"""
        total: Any = pt.constant(self.log_index)
        for k, parameter in enumerate(self.parameters):
            g = pt.as_tensor(theta[parameter.name])
            total = total + (g[..., None] if g.ndim else g) * self._values(rows, k)
        return total

    def _values(self, rows: Rows, k: int) -> Any:
        values = pt.constant(self.values[..., k])
        return values[0] if len(self.values) == 1 else values[pt.cast(rows[f"{self.name}.pattern"], "int64")]

    def _factor(self, rows: Rows, theta: Theta, step: int) -> Any:
        """m of each row's pattern in one step. NumPy"""
        total: Any = self.log_index[step]
        for k, parameter in enumerate(self.parameters):
            own = self.values[:, step, k]
            many = len(own) > 1
            z = own[np.asarray(rows[f"{self.name}.pattern"]).astype(int)] if many else own[0]
            total = total + theta[parameter.name] * z
        return np.exp(total)

    def _covering(self, begin: Any, end: Any) -> Iterator[int]:
        """The steps from the first of these moments to the last, which they must cover."""
        low, high = float(np.min(begin, initial=np.inf)), float(np.max(end, initial=-np.inf))
        if low > high:
            return iter(())  # nobody
        if low < self.bounds[0] - ROUNDING or high > self.bounds[-1] + ROUNDING:
            missing = low - self.bounds[0] if low < self.bounds[0] else high - self.bounds[-1]
            what = f"the calendar '{self.name}' has no rows for {abs(missing):.4g} time units that are asked for"
            known = f"It covers the time until {self.until}: supply rows for what is to come, or look less far ahead"
            raise DataError(Problem(what, known=known))
        first = max(int(np.searchsorted(self.bounds, low, side="right")) - 1, 0)
        return iter(range(first, min(int(np.searchsorted(self.bounds, high, side="left")), len(self.log_index))))


def coefficient(covariate: str) -> str:
    """The name of a covariate's parameter."""
    return f"calendar_{covariate}".replace("/", "_")


def _parameter(name: str, covariate: str) -> Parameter:
    meaning = f"how much the log of the purchase rate rises with one unit of '{covariate}' of the calendar '{name}'"
    prior = Prior("Normal", {"mu": 0.0, "sigma": 1.0})
    return Parameter(coefficient(covariate), "purchases", "none", prior, 1, "purchase rate", meaning, -np.inf, np.inf)


def _merged(bounds: Array, log_index: Array, values: Any) -> tuple[Array, Array, Array]:
    """The steps with those made one that differ in nothing: a calendar of seasons has few."""
    each = np.asarray(values, dtype=float)
    changed = (np.diff(log_index) != 0.0) | (np.diff(each, axis=1) != 0.0).any(axis=(0, 2))
    first = np.r_[True, changed]
    return np.r_[bounds[:-1][first], bounds[-1]], log_index[first], each[:, first]
