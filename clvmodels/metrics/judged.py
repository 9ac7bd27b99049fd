"""What a metric is given and what it returns; the two intervals that metrics share.

An interval of a score is about the customers: they are taken as a sample of customers like them, and the interval
says how much the score would move with other customers. It is no statement about one customer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from clvmodels.draws import BLOCK_ELEMENTS, slices
from clvmodels.errors import DataError, Problem

if TYPE_CHECKING:  # the registry is read by the command line, which must not wait for the stages' imports
    import pandas as pd

    from clvmodels.customers.table import Customers, Holdout
    from clvmodels.futures.forecast import Futures
    from clvmodels.metrics.money import Money


@dataclass(frozen=True)
class Judged:
    """One entry's forecast beside what came.

    Parameters
    ----------
    customers
        The base at the calibration's end.
    holdout
        What came after; no model has seen it.
    futures
        The entry's forecast of exactly the holdout's window. Its `customer_id` sets the order of every [C] array here.
    weekly
        The base's repeat purchases by week (`Split.weekly`).
    elpd
        One row a customer: `elpd_i`, `pareto_k` of PSIS-LOO on the calibration; None where it was not computed.
    spend_elpd
        The same of the entry's spend model; None where spend is not modelled.
    spend_density_of
        Of which data that model is a density: "amounts", or "means".
    seed
        Key of the randomised PIT.
    money
        Money of the holdout by kind, in the order in which it is told, the kind that is sold last; none where spend is
        not modelled.
    amounts_log_prob
        Log density of each customer's held-out amounts given their number, by customer_id; None where the entry's
        spend model tells none.
    factor
        What the total of purchases is to be multiplied by in every draw, for what earlier forecasts missed by
        (`discrepancy.Learned`); None where that was not asked for. [D]

    Raises
    ------
    DataError
        Without a holdout; if the tables are not of the same customers, or the arrays' shapes disagree with them.
    """

    customers: Customers
    holdout: Holdout
    futures: Futures
    weekly: pd.DataFrame
    elpd: pd.DataFrame | None = None
    seed: int = 0
    spend_elpd: pd.DataFrame | None = None
    spend_density_of: str = "amounts"
    money: Mapping[str, Money] = field(default_factory=dict)
    amounts_log_prob: pd.Series | None = None
    factor: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.holdout is None:
            raise DataError(Problem("a forecast is judged on its holdout, and there is none", "holdout"))
        problems = [*self._problems_of_customers(), *self._problems_of_shapes()]
        if problems:
            raise DataError(problems)

    def _problems_of_customers(self) -> Iterator[Problem]:
        ids = [str(label) for label in self.futures.customer_id]
        forecast = set(ids)
        if len(forecast) != len(ids):
            yield Problem("a customer is forecast more than once", "futures.customer_id")
        tables = {"customers": self.customers.table, "holdout": self.holdout.table}
        tables |= {"elpd": self.elpd, "spend_elpd": self.spend_elpd, "amounts_log_prob": self.amounts_log_prob}
        for name, table in tables.items():
            if table is None:
                continue
            differing = forecast.symmetric_difference(table.index)
            if differing:
                example = f"{len(differing)} that only one of them has, e.g. {min(map(str, differing))!r}"
                yield Problem("not the customers that are forecast", name, example)
        for name, money in self.money.items():
            if not np.array_equal(money.customer_id, self.futures.customer_id):
                yield Problem("not the customers that are forecast, in their order", f"money: {name}")

    def _problems_of_shapes(self) -> Iterator[Problem]:
        count = len(self.futures.customer_id)
        draws = self.futures.purchases.shape[0]
        if count == 0 or draws == 0:
            yield Problem("nothing to judge", "futures", f"{draws} draws of {count} customers")
        expected = {"purchases": (draws, count), "expected_purchases": (draws, count), "p_any": (count,)}
        if self.futures.log_prob is not None:
            expected["log_prob"] = (count,)
        for name, shape in expected.items():
            actual = getattr(self.futures, name).shape
            if actual != shape:
                array = f"futures.{name}"
                yield Problem("shape disagrees with draws and customers", array, f"{actual}", f"Needs {shape}")

    @cached_property
    def actual(self) -> NDArray[np.int64]:
        """Held-out purchases in the order of the forecast. [customer_id]"""
        return self.holdout.table["purchases"].loc[self.futures.customer_id].to_numpy(dtype=np.int64)

    def count_blocks(self, elements: int = BLOCK_ELEMENTS) -> Iterator[tuple[slice, NDArray[np.int32], NDArray]]:
        """Blocks of customers: their places, realised counts [block, draw] and held-out counts [block]."""
        draws, count = self.futures.purchases.shape
        for place in slices(count, elements // draws):
            block = self.futures.purchases[:, place].T
            # a customer's draws side by side in memory: they are sorted and counted row by row
            yield place, np.ascontiguousarray(block), self.actual[place]


class Row(NamedTuple):
    """One score by its name; `lower` and `upper` bound its 90% interval where it has one."""

    score: str
    value: float
    lower: float = float("nan")
    upper: float = float("nan")


class Headline(NamedTuple):
    """The one row of a metric that stands beside a model where models are compared: its column's title and format."""

    row: str
    title: str
    shown: Callable[[float], str]


class Metric(NamedTuple):
    """One way to judge a forecast: its name, its title in plain words, which way is better, and the computation.

    Names of its scores begin with the metric's. All reach the report's table of scores; a metric with a `headline`
    also has a column in the comparison of models.
    """

    name: str
    title: str
    better: Literal["higher", "lower", "near 0", "near nominal"]
    compute: Callable[[Judged], list[Row]]
    headline: Headline | None = None


def standard_error(per_customer: NDArray) -> float:
    """Standard error of the mean over customers; NaN for a single customer, which shows no spread. [customer_id]"""
    count = len(per_customer)
    if count < 2:
        return float("nan")
    return float(np.std(per_customer, ddof=1, dtype=np.float64) / np.sqrt(count))


def mean_interval(per_customer: NDArray, level: float = 0.9) -> tuple[float, float, float]:
    """Mean over customers and its interval by the standard error: (mean, lower, upper)."""
    mean = float(np.mean(per_customer, dtype=np.float64))
    deviate = float(ndtri((1 + level) / 2))
    reach = deviate * standard_error(per_customer)
    return mean, mean - reach, mean + reach


def share_interval(inside: NDArray[np.bool_], level: float = 0.9) -> tuple[float, float, float]:
    """Share of customers inside and its exact binomial interval (Clopper and Pearson 1934): (share, lower, upper).

    The interval covers at least `level`, also where the share is 0 or 1.
    """
    n = len(inside)
    k = int(np.count_nonzero(inside))
    tail = (1 - level) / 2
    # of none and of all, the beta quantile has a parameter 0: the bound is the end itself
    lower = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    upper = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return k / n, lower, upper
