"""Money of the holdout, judged: what each customer brought beside the forecast of it, kind by kind.

The same questions are put to money as to purchases: does the total hit, does each customer's outcome lie where its
forecast says, how far is it from there; and two more, which are what forecasts of money are made for: do customers with
a high forecast bring as much as was forecast, and how much of all that came did those bring who were forecast best.
Shapes: D = draw, C = customer_id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.draws import BLOCK_ELEMENTS, Array, group_means, quantiles, slices, total
from clvmodels.metrics.bands import InsideCount, how_far_beyond_chance, inside_count
from clvmodels.metrics.crps import fair_crps
from clvmodels.metrics.judgement import side_of
from clvmodels.metrics.pit import randomised_places, surplus_curve

FIFTHS = 5
TOP_SHARES = (0.1, 0.2)
"""Shares of the customers, best forecast first, whose part of the money that came is told."""
CURVE_POINTS = 101
SAME_MONEY = 1e-5
"""Amounts nearer to each other than this share of them are equal: forecasts are kept in single precision."""


class Fifths(NamedTuple):
    """Customers in five groups by their forecast, the lowest first.

    `groups` has a row a group: fifth (1 to 5), customers, actual (mean of what came), q5 to q95 of the forecast of that
    mean, and on which `side` of its 90% interval the actual one lies. `inside` counts these. Of so few groups half may
    lie outside by chance, none of them far: `beyond` is how far the farthest lies from its median, over what chance
    takes the farthest of five to.
    """

    groups: list[dict[str, Any]]
    inside: InsideCount
    beyond: float

    @property
    def holds(self) -> bool:
        """Whether enough lie inside, and none too far outside."""
        return self.inside.holds and self.beyond <= 1.0


class Capture(NamedTuple):
    """Of all money that came, the share of those customers who were forecast best: a `share` of all of them.

    `best` is the share of as many customers who brought most, whom nobody could name before; `draws` is what the model
    itself says of `actual` [D].
    """

    share: float
    actual: float
    best: float
    draws: Array


class Named(NamedTuple):
    """Of `size` customers who were forecast best, how many were among as many who brought most.

    `draws` is what the model itself says of `actual` [D].
    """

    size: int
    actual: int
    draws: NDArray[np.intp]


@dataclass(frozen=True)
class Money:
    """Money of one kind that each customer brought in the holdout, beside its forecast, in the currency.

    Costs are positive here, so that more is more.

    Parameters
    ----------
    name
        spend, gross margin, cost of returns, or profit.
    customer_id : [C]
    realised : [D, C]
        One future a draw.
    mean : [C]
        E[money | history], averaged over draws: what customers are ordered by.
    actual : [C]
        What came.
    until
        The last day whose purchases count: of later ones it is not known yet what came of them.
    seed
        Key of the randomised PIT.
    part_totals : part -> [D]
        What `realised` is the sum of, over all customers.
    factors : part -> [D]
        What the total of each part is to be multiplied by, for what earlier forecasts missed by
        (`discrepancy.Learned`); none where that was not asked for.
    """

    name: str
    customer_id: NDArray
    realised: NDArray
    mean: Array
    actual: Array
    until: pd.Timestamp
    seed: int = 0
    part_totals: Mapping[str, Array] = field(default_factory=dict)
    factors: Mapping[str, Array] = field(default_factory=dict)

    def blocks(self, elements: int = BLOCK_ELEMENTS) -> Iterator[tuple[slice, Array, Array]]:
        """Blocks of customers: their places, draws [block, D] and what came [block]."""
        draws, customers = self.realised.shape
        for place in slices(customers, elements // draws):
            block = np.ascontiguousarray(self.realised[:, place].T, dtype=float)
            yield place, block, self.actual[place]

    # ---------------------------------------------------------------------------------------------- totals

    @cached_property
    def totals(self) -> Array:
        """Forecast of what all customers bring together, by the model alone. [D]"""
        return total(self.realised)

    @cached_property
    def judged_totals(self) -> Array:
        """The forecast of it that is told and judged: where totals have learned from earlier forecasts, the sum of the
        parts, each times its factor. [D]"""
        if not self.factors:
            return self.totals
        return np.sum([self.factors[part] * draws for part, draws in self.part_totals.items()], axis=0)

    @cached_property
    def actual_total(self) -> float:
        return float(self.actual.sum())

    @cached_property
    def total(self) -> dict[str, float]:
        """Quantiles of the forecast of the total."""
        return quantiles(self.judged_totals)

    @property
    def side_of_total(self) -> str:
        """On which side of its 90% interval the total lies."""
        return side_of(self.actual_total, self.total)

    # ---------------------------------------------------------------------------------------------- single customers

    @cached_property
    def pit(self) -> Array:
        """Randomised PIT of each customer: a place among draws, ties (mostly of nothing at all) broken at random. [C]

        Where the money is 0 with some probability and has a density else, the randomised PIT is uniform as that of
        counts is (Smith 1985, Journal of Forecasting 4).
        """
        below, tied = np.empty(len(self.actual)), np.empty(len(self.actual))
        for place, draws, actual in self.blocks():
            surplus = draws - actual[:, None]
            is_same = np.abs(surplus) <= SAME_MONEY * np.abs(actual)[:, None]
            below[place] = np.count_nonzero((surplus < 0) & ~is_same, axis=1)
            tied[place] = np.count_nonzero(is_same, axis=1)
        return randomised_places(below, tied, len(self.realised), self.customer_id, self.seed)

    @cached_property
    def pit_curve(self) -> pd.DataFrame:
        """See `surplus_curve`."""
        return surplus_curve(self.pit)

    @cached_property
    def crps(self) -> Array:
        """Fair CRPS of each customer, in the currency. [C]"""
        return np.concatenate([fair_crps(draws, actual) for _, draws, actual in self.blocks()])

    @cached_property
    def own_crps(self) -> Array:
        """The mean CRPS that the model would have if each of its draws, of all customers together, came. [D]"""
        sums = np.zeros(len(self.realised))
        for _, draws, _ in self.blocks():
            sums += crps_of_draws(draws).sum(axis=0)
        return sums / len(self.actual)

    # ---------------------------------------------------------------------------------------------- groups by forecast

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Places of the customers, best forecast first; ties by id. [C]"""
        return np.lexsort((self.customer_id.astype(str), -self.mean))

    @cached_property
    def fifths(self) -> Fifths:
        """Five groups by forecast, as large as each other to a customer; fewer where there are fewer customers."""
        customers = len(self.actual)
        count = min(FIFTHS, customers)
        codes = np.empty(customers, dtype=np.intp)
        codes[self.order[::-1]] = np.arange(customers) * count // customers
        draws = group_means(self.realised, codes, count)
        sizes = np.bincount(codes, minlength=count)
        actual = np.bincount(codes, self.actual, minlength=count) / sizes
        rows = []
        for place in range(count):
            forecast = quantiles(draws[:, place])
            row = {"fifth": place + 1, "customers": int(sizes[place]), "actual": float(actual[place])}
            rows.append(row | forecast | {"side": side_of(row["actual"], forecast)})
        return Fifths(rows, inside_count(draws, actual), how_far_beyond_chance(draws, actual))

    @cached_property
    def has_shares(self) -> bool:
        """Whether shares of the total say anything: where it is not above 0, in what came or in a draw, none do."""
        return self.actual_total > 0 and bool((self.totals > 0).all())

    def top(self, share: float) -> NDArray[np.intp]:
        """Places of that share of the customers, those who were forecast best."""
        return self.order[: _count_of(share, len(self.actual))]

    def capture(self, share: float) -> Capture:
        """What those customers brought who were forecast best; see `Capture`."""
        top = self.top(share)
        most = np.sort(self.actual)[::-1][: len(top)]
        places = np.sort(top)
        sums = [np.asarray(draw[places]).sum(dtype=float) for draw in self.realised]
        draws = np.array(sums) / self.totals
        actual = float(self.actual[top].sum() / self.actual_total)
        return Capture(share, actual, float(most.sum() / self.actual_total), draws)

    def named(self, share: float) -> Named:
        """How many of those who were forecast best were among as many who brought most; see `Named`."""
        top = np.zeros(len(self.actual), dtype=bool)
        top[self.top(share)] = True
        size = int(top.sum())
        draws = [np.count_nonzero(top & _brought_most(np.asarray(draw, dtype=float), size)) for draw in self.realised]
        actual = int(np.count_nonzero(top & _brought_most(self.actual, size)))
        return Named(size, actual, np.array(draws))

    @cached_property
    def capture_curve(self) -> pd.DataFrame:
        """By share of the customers, best forecast first: the share of all money that they brought (actual), its
        forecast (q5 to q95), and that of those who brought most (best)."""
        customers = len(self.actual)
        shares = np.unique(np.linspace(0, 1, CURVE_POINTS).round(2))
        counts = np.array([_count_of(share, customers) for share in shares])
        actual = _cumulated(self.actual[self.order], counts) / self.actual_total
        best = _cumulated(np.sort(self.actual)[::-1], counts) / self.actual_total
        rows = []
        for draw, whole in zip(self.realised, self.totals, strict=True):
            rows.append(_cumulated(np.asarray(draw, dtype=float)[self.order], counts) / whole)
        forecast = {name: np.quantile(rows, level, axis=0) for name, level in _LEVELS.items()}
        return pd.DataFrame({"share": shares, "actual": actual, "best": best, **forecast})


_LEVELS = {"q5": 0.05, "q50": 0.5, "q95": 0.95}


def _count_of(share: float, customers: int) -> int:
    """So many of them are that share, to a customer: at least one of any share above 0."""
    if share == 0:
        return 0
    return max(1, round(share * customers))


def _cumulated(values: Array, counts: NDArray[np.intp]) -> Array:
    """Sums of the first so many values."""
    return np.concatenate([[0.0], np.cumsum(values)])[counts]


def _brought_most(money: Array, size: int) -> NDArray[np.bool_]:
    """Which customers are among so many who brought most; who brought nothing is not. [C]"""
    smallest = np.partition(money, -size)[-size]
    return (money >= smallest) & (money > 0)


def crps_of_draws(draws: Array) -> Array:
    """CRPS of a forecast for each of its own draws, by all the others: what a sound forecast expects of itself.

    The mean distance of draw k from the others, from the sorted draws as (x_k (2 k - D) + S_D - 2 S_k) / (D - 1) with
    S_k the sum of the k smallest; less the half spread of all, as in `fair_crps`.

    Parameters
    ----------
    draws
        [customer_id, draw]

    Returns
    -------
    [customer_id, draw]
    """
    count = draws.shape[-1]
    order = np.argsort(draws, axis=-1)
    ordered = np.take_along_axis(draws, order, axis=-1)
    rank = np.arange(1, count + 1)
    sums = np.cumsum(ordered, axis=-1)
    distance = (ordered * (2 * rank - count) + sums[:, -1:] - 2 * sums) / (count - 1)
    # the mean over all pairs is twice the half spread
    scores = distance - distance.mean(axis=-1, keepdims=True) / 2
    by_draw = np.empty_like(scores)
    np.put_along_axis(by_draw, order, scores, axis=-1)
    return by_draw
