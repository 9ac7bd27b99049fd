"""Two arms of a programme that chance dealt: whether they were alike before it, and what it earned after.

The posterior of a difference of two means is Student's t with Welch's degrees of freedom, that of the means with the
reference prior.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from clvmodels.draws import QUANTILES, Array

ARMS = ("treatment", "control")
BEFORE = ("purchases before", "revenue before", "day of the last purchase", "day of the assignment")
"""What chance alone makes alike in both arms."""
FALSE_ALARM = 0.01
"""How often arms that chance made are refused as unlike each other."""
ROUNDING = 1e-9
"""Equal values have means that differ by rounding, relative to the largest of them."""


class Arms(NamedTuple):
    """One customer a row: arm, day of the assignment, cost (told of its weeks; 0 where nothing is), `BEFORE`, and the
    profit of the weeks after."""

    table: pd.DataFrame

    def values(self, column: str) -> tuple[Array, Array]:
        """Of the treated, and of those who were not."""
        treatment, control = (self.table["arm"] == arm for arm in ARMS)
        values = self.table[column].to_numpy(dtype=float)
        return values[treatment], values[control]


class Difference(NamedTuple):
    """Of two means: its middle and standard error, and Welch's degrees of freedom."""

    middle: float
    error: float
    freedom: float

    @classmethod
    def of(cls, treatment: Array, control: Array) -> Difference:
        """With a variance for each arm: a programme may well change how much customers differ."""
        middle = float(treatment.mean() - control.mean())
        treatment_variance = _variance_of_mean(treatment)
        control_variance = _variance_of_mean(control)
        variance = treatment_variance + control_variance
        doubt = treatment_variance**2 / (len(treatment) - 1) + control_variance**2 / (len(control) - 1)
        # arms in which everybody has the same value: their variance is not in doubt
        freedom = variance**2 / doubt if doubt > 0 else np.inf
        return cls(middle, float(np.sqrt(variance)), freedom)

    def odds_above_zero(self) -> float:
        if self.error > 0:
            return float(stats.t.sf(0.0, self.freedom, self.middle, self.error))
        return float(self.middle > 0)


def _variance_of_mean(values: Array) -> float:
    return float(values.var(ddof=1) / len(values))


def imbalance(arms: Arms) -> tuple[str, float]:
    """In which of `BEFORE` the arms differ most, and by how much: the standard normal deviate that is as unlikely."""
    distances = {name: distance(*arms.values(name)) for name in BEFORE}
    worst = max(distances, key=lambda name: distances[name])
    return worst, distances[worst]


def imbalance_limit() -> float:
    """What the largest of these exceeds once in `1 / FALSE_ALARM` trials of arms that chance made."""
    return float(stats.norm.isf(FALSE_ALARM / (2 * len(BEFORE))))


def distance(treatment: Array, control: Array) -> float:
    """How far two means are apart: the standard normal deviate that is as unlikely as their Welch t."""
    gap = abs(treatment.mean() - control.mean())
    if gap <= ROUNDING * max(np.abs(treatment).max(), np.abs(control).max()):
        return 0.0
    difference = Difference.of(treatment, control)
    if difference.error == 0:
        return np.inf
    return float(stats.norm.isf(stats.t.sf(gap / difference.error, difference.freedom)))


def effect_rows(arms: Arms) -> list[dict[str, Any]]:
    """Profit of both arms, effect, cost, gain and return, for one treated customer."""
    treatment_profit, control_profit = arms.values("profit")
    treatment_cost, control_cost = arms.values("cost")
    cost = float(treatment_cost.mean() - control_cost.mean())
    # customer by customer: where the cost differs between customers, it is uncertain together with the profit
    gain = Difference.of(treatment_profit - treatment_cost, control_profit - control_cost)
    rows = [
        _quantiles("profit, treatment", _mean(treatment_profit)),
        _quantiles("profit, control", _mean(control_profit)),
        _quantiles("effect", Difference.of(treatment_profit, control_profit)),
        {"of": "cost", "value": cost},
        _quantiles("gain", gain),
    ]
    if not cost > 0:  # what cost nothing, or nobody told the cost of, has no return
        return rows
    roi = Difference(gain.middle / cost, gain.error / cost, gain.freedom)
    return [*rows, _quantiles("roi", roi), {"of": "P(roi > 0)", "value": gain.odds_above_zero()}]


def _mean(values: Array) -> Difference:
    """The mean of one arm, as its difference from nothing."""
    return Difference(float(values.mean()), float(np.sqrt(_variance_of_mean(values))), len(values) - 1)


def _quantiles(of: str, difference: Difference) -> dict[str, Any]:
    row: dict[str, Any] = {"of": of, "value": difference.middle}
    for name, level in QUANTILES.items():
        deviate = float(stats.t.ppf(level, difference.freedom))
        row[name] = difference.middle + difference.error * deviate
    return row
