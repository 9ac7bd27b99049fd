"""Economics: what turns purchases into profit, and when money counts.

Money is in the data's amounts times `amount_unit`, the currency. Shapes: P = period.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields

import numpy as np

from clvmodels.dates import DAYS_PER_UNIT, DAYS_PER_YEAR
from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem

_SHARES = {
    "resold": "of the returned value that is sold again at its price",
    "written_off": "of the returned goods that are worth nothing any more",
    "payment_fee": "of the amounts",
    "recovered": "of unpaid amounts that is paid after all",
}
_COSTS = {
    "cost_per_order": "an order",
    "cost_per_return": "a returned order",
    "cost_per_contact": "a service contact",
    "cost_per_minute": "a minute of service",
    "payment_fee_per_order": "an order",
}

NEEDED = {
    "cost_per_return": "returns",
    "cost_per_contact": "contacts",
    "resold": "returns",
    "written_off": "returns",
    "recovered": "bad_debt",
    "referral": "referrals",
    "cost_per_minute": "handling",
}
"""What of the economics says nothing without a cost model of that role."""


@dataclass(frozen=True)
class Retention:
    """What the firm spends to keep customers, by a rule that it can follow: it does not see who has left.

    At the date of value, and every `every` time units from then on, each customer who has bought within the last
    `until_silent` time units is contacted, at `cost` in the currency. `campaigns` names those of the past that were
    such contacts, whose costs count in the profit made; all of them where none is named.
    """

    cost: float
    every: float
    until_silent: float
    campaigns: tuple[str, ...] = ()

    def problems(self) -> list[Problem]:
        found = [
            Problem(f"{name} must be positive and finite", "economics, retention", str(getattr(self, name)))
            for name in ("cost", "every", "until_silent")
            if not 0 < getattr(self, name) < np.inf
        ]
        ratio = self.until_silent / self.every if not found else 1.0
        if abs(ratio - round(ratio)) > 1e-9 or ratio < 1:
            known = f"Such as {max(1, round(ratio)) * self.every:g}: contacts fall on whole steps"
            what = "until_silent must be a multiple of every"
            found.append(Problem(what, "economics, retention", f"{self.until_silent:g} and {self.every:g}", known))
        return found


@dataclass(frozen=True)
class Referral:
    """What a customer who is brought by a customer counts for.

    credit = referrals x incremental x (value of a new customer before acquisition - reward)

    Parameters
    ----------
    incremental
        Share of the customers brought who would not have come on their own.
    reward
        What the one who brings a customer is paid, in the currency.
    group
        Labels of the new customers in the models' group columns, as in {"channel": "Referral"}.
    """

    incremental: float
    reward: float = 0.0
    group: tuple[tuple[str, str], ...] = ()

    def problems(self) -> list[Problem]:
        found = []
        if not 0 <= self.incremental <= 1:
            found.append(Problem("incremental is a share", "economics, referral", str(self.incremental), "0 to 1"))
        if not 0 <= self.reward < np.inf:
            found.append(Problem("reward must be 0 or more", "economics, referral", str(self.reward)))
        return found


@dataclass(frozen=True)
class Economics:
    """What turns purchases into profit. All costs are 0 unless stated, and then value is revenue x margin.

    Parameters
    ----------
    margin
        Share of the amounts that is profit before any cost of the relation; None where a cost model of margins tells
        each customer's own.
    annual_discount_rate
        d: an amount t days after the valuation date counts (1 + d)^(-t / 365.25).
    horizon
        Time units that are counted; finite, since undiscounted moments may not be.
    cost_per_order, cost_per_return, cost_per_contact
        In the currency: of each purchase; of each that comes back, beside what it loses; of each service contact,
        where no cost model tells it.
    cost_per_minute
        Of service, in the currency, where contacts are told in minutes: it makes them the costs that a cost model of
        handling reads.
    resold, written_off
        Of what comes back: the share of its value sold again at its price, which loses no margin; and the share whose
        goods are worth nothing any more, which loses their cost too. Together at most 1.
    payment_fee, payment_fee_per_order
        A share of the amounts, and an amount in the currency for each purchase.
    recovered
        Share of unpaid amounts that is paid after all.
    retention, referral
        See there; None where nothing is spent on the one, or nothing is credited for the other.
    """

    margin: float | None
    annual_discount_rate: float
    horizon: float
    cost_per_order: float = 0.0
    cost_per_return: float = 0.0
    cost_per_contact: float = 0.0
    cost_per_minute: float = 0.0
    resold: float = 0.0
    written_off: float = 0.0
    payment_fee: float = 0.0
    payment_fee_per_order: float = 0.0
    recovered: float = 0.0
    retention: Retention | None = None
    referral: Referral | None = None

    def __post_init__(self):
        problems = [*self._frame(), *self._costs()]
        problems += self.retention.problems() if self.retention else []
        problems += self.referral.problems() if self.referral else []
        if problems:
            raise ConfigError(problems)

    def _frame(self) -> list[Problem]:
        problems = []
        if self.margin is not None and (not np.isfinite(self.margin) or self.margin <= 0 or self.margin > 1):
            problems.append(
                Problem("margin is a share of the amounts", "economics", str(self.margin), "0 < margin <= 1")
            )
        if not np.isfinite(self.annual_discount_rate) or self.annual_discount_rate <= -1:
            got = str(self.annual_discount_rate)
            problems.append(Problem("annual_discount_rate must be above -1", "economics", got, "0.1 is 10% a year"))
        if not np.isfinite(self.horizon) or self.horizon <= 0:
            known = "A finite number of time units: undiscounted value may have no mean"
            problems.append(Problem("horizon must be positive and finite", "economics", str(self.horizon), known))
        return problems

    def _costs(self) -> list[Problem]:
        problems = [
            Problem(f"{name} is a cost of {of} in the currency", "economics", str(getattr(self, name)), "0 or more")
            for name, of in _COSTS.items()
            if not 0 <= getattr(self, name) < np.inf
        ]
        problems += [
            Problem(f"{name} is a share {of}", "economics", str(getattr(self, name)), "0 to 1")
            for name, of in _SHARES.items()
            if not 0 <= getattr(self, name) <= 1
        ]
        if self.resold + self.written_off > 1 + 1e-9:
            got = f"{self.resold:g} and {self.written_off:g}"
            problems.append(Problem("resold and written_off are shares of the same returned value", "economics", got))
        return problems

    def stated(self) -> dict[str, object]:
        """What differs from the defaults, and margin, rate and horizon; for people."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        always = ("margin", "annual_discount_rate", "horizon")
        return {name: value for name, value in named.items() if name in always or value not in (0.0, None)}


def period_edges(horizon: float, time_unit: str, time: str = "continuous", retention: Retention | None = None) -> Array:
    """Bounds of periods of at most a month, from 0 to the horizon, in time units; equal ones, or from one date of
    retention's contacts to the next; or the opportunities. [P+1]

    Raises
    ------
    ConfigError
        A horizon that cuts an opportunity in two, or retention where time counts opportunities.
    """
    if time == "opportunities":
        if horizon % 1:
            known = f"Where time counts opportunities, a whole number of {time_unit}s"
            raise ConfigError(Problem("horizon cuts an opportunity in two", "economics", f"{horizon:g}", known))
        if retention is not None:
            raise ConfigError(Problem("retention needs continuous time", "economics", "opportunities"))
        return np.arange(horizon + 1.0)
    dates: Array = np.zeros(1)
    if retention is not None:
        dates = retention.every * np.arange(np.floor(horizon / retention.every + 1e-9) + 1.0)
    marks = [*dates[dates < horizon * (1.0 - 1e-9)], horizon]
    return np.concatenate([[0.0], *(_months(*piece, time_unit) for piece in itertools.pairwise(marks))])


def _months(start: float, end: float, time_unit: str) -> Array:
    """Ends of as few equal periods as are no longer than a month. [P]"""
    months = (end - start) * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["month"]
    return np.linspace(start, end, max(1, int(np.ceil(months - 1e-9))) + 1)[1:]


def discount_factors(edges: Array, annual_discount_rate: float, time_unit: str, time: str = "continuous") -> Array:
    """Mean of (1 + d)^(-t / 365.25 days) over each period: exact for purchases spread evenly in it. [P]

    An opportunity counts at the end of its period.
    """
    if time == "opportunities":
        return discount_at(edges[1:], annual_discount_rate, time_unit)
    passed = _force(annual_discount_rate, time_unit) * np.diff(edges)
    small = np.where(passed == 0.0, 1.0, passed)
    within = np.where(passed == 0.0, 1.0, -np.expm1(-passed) / small)
    return discount_at(edges[:-1], annual_discount_rate, time_unit) * within


def discount_at(times: Array, annual_discount_rate: float, time_unit: str) -> Array:
    """(1 + d)^(-t / 365.25 days) at times after the date of value, in time units."""
    return np.exp(-_force(annual_discount_rate, time_unit) * times)


def _force(annual_discount_rate: float, time_unit: str) -> float:
    """Of the discount, per time unit."""
    return float(np.log1p(annual_discount_rate)) * DAYS_PER_UNIT[time_unit] / DAYS_PER_YEAR
