"""How much of the total value the best customers hold: the Lorenz curve of value, best first, draw by draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.decisions.rank import RANKED, finite, top_count, value_draws
from clvmodels.draws import LEVELS, QUANTILES, Array
from clvmodels.errors import ConfigError, DataError, Problem
from clvmodels.valuation.parts import CREDIT
from clvmodels.valuation.valuation import Values


def concentration(
    values: Values, shares: Sequence[float] | None = None, points: int = 120, *, top_share: float = 0.2
) -> pd.DataFrame:
    """Share of the total value held by the best customers, for worth and for realised value.

    In each draw customers are sorted by that draw's own values, best first: it is the share of those who are the best,
    whoever they are. Realised value is the more concentrated: part of it is luck, which cannot be targeted. Where some
    values are negative the curve passes 100%. A share of a total that is zero or negative means nothing: such draws
    are left out of the quantiles and counted; with no other draws the quantiles are NaN. Credit for referrals is left
    out: those who are brought are, or will be, customers themselves.

    Parameters
    ----------
    values
        Value draws, [draw, customer_id]; may be memory maps.
    shares
        Shares of customers, in (0, 1]; by default evenly spaced from 0 to 1, every customer where they are few.
    points
        The most points of the default curve, at least 3.
    top_share
        A share that is always among the points.

    Returns
    -------
    pandas.DataFrame
        A row a point: share_of_customers, customers (the number of best customers); for worth_ and realised_
        each q5, q25, q50, q75, q95 of the share of total value, and undefined_draws (the draws left out, the same in
        every row); expected_to_lose_money (customers whose mean expected value is negative, the same in every row).

    Raises
    ------
    ConfigError
        If a share is outside (0, 1], or points are under 3.
    DataError
        If a value is not finite, or there are none.
    """
    customers = len(values.customer_id)
    best = _places(customers, shares, points, top_share)
    columns: dict[str, object] = {"share_of_customers": best / customers, "customers": best}
    for kind in RANKED:
        curves = _curves(values, best, kind)
        defined = curves[~np.isnan(curves).any(axis=1)]
        quantiles = np.full((len(LEVELS), len(best)), np.nan)
        if len(defined):
            quantiles = np.quantile(defined, LEVELS, axis=0)
        for name, column in zip(QUANTILES, quantiles, strict=True):
            columns[f"{kind}_{name}"] = column
        columns[f"{kind}_undefined_draws"] = len(curves) - len(defined)
    mean = sum(own_draws(values, "expected")) / len(values.expected)
    columns["expected_to_lose_money"] = int(np.count_nonzero(mean < 0))
    return pd.DataFrame(columns)


def concentration_so_far(amounts: Array, best: NDArray[np.int64]) -> Array:
    """Share of what all have brought that so many of the best have: of amounts that are known, as profit made so far.

    Parameters
    ----------
    amounts
        Of each customer. [C]
    best
        Numbers of best customers. [points]

    Returns
    -------
    [points]

    Raises
    ------
    DataError
        The total is not positive: shares of it mean nothing.
    """
    _check_total(amounts)
    return _curve(amounts, best)


def gini(amounts: Array) -> float:
    """How unevenly amounts are spread over customers: 0 where all are equal, 1 where one of many has it all.

        G = 2 sum_i i x_(i) / (n sum_i x_i) - (n + 1) / n,   x ascending

    Above 1 where some customers lose money. Dixon et al. (1987), Bootstrapping the Gini coefficient of inequality.
    amounts: [C]

    Raises
    ------
    DataError
        The total is not positive: the coefficient has no meaning.
    """
    _check_total(amounts)
    ascending = np.sort(np.asarray(amounts, dtype=float))
    count = len(ascending)
    weighted = np.arange(1, count + 1) @ ascending
    return float(2 * weighted / (count * ascending.sum()) - (count + 1) / count)


def gini_draws(values: Values, kind: str) -> Array:
    """The Gini coefficient of each draw, by worth or realised; missing in draws whose total is not positive. [D]"""
    of_draws = [gini(draw) if draw.sum() > 0 else np.nan for draw in own_draws(values, kind)]
    return np.array(of_draws)


def _check_total(amounts: Array) -> None:
    total = float(np.sum(amounts))
    if not total > 0:
        known = "Shares of a total, and its Gini coefficient, need one that is positive"
        raise DataError(Problem("the total is not positive", "amounts", f"{total:g}", known))


def own_draws(values: Values, kind: str) -> Iterator[NDArray[np.float64]]:
    """What each customer brings without credit for referrals, draw by draw. [customer_id]"""
    credit = values.parts.get(CREDIT)
    for d, raw in enumerate(value_draws(values, kind)):
        draw = finite(np.asarray(raw), kind).astype(np.float64)
        if credit is not None:
            draw = draw - getattr(credit, kind)[d]
        yield draw


def _places(customers: int, shares: Sequence[float] | None, points: int, top_share: float) -> NDArray[np.int64]:
    """Numbers of best customers at which the curve is told, ascending, unique."""
    if points < 3:
        raise ConfigError(Problem("a curve needs at least 3 points", "points", f"{points}"))
    top = top_count(customers, top_share)
    if shares is not None:
        return np.unique([top, *(top_count(customers, share) for share in shares)])
    even = np.rint(np.linspace(0, customers, points - 1)).astype(np.int64)
    return np.union1d(even, [top])


def _curves(values: Values, best: NDArray[np.int64], kind: str) -> NDArray[np.float64]:
    """Share of the total held by the best, NaN where the total is not positive. [draw, point]"""
    curves = np.full((len(value_draws(values, kind)), len(best)), np.nan)
    for d, draw in enumerate(own_draws(values, kind)):
        curves[d] = _curve(draw, best)
    return curves


def _curve(amounts: Array, best: NDArray[np.int64]) -> Array:
    """Share of the total held by so many of the best, NaN where the total is not positive. [points]"""
    best_first = np.sort(amounts)[::-1]
    cumulated = np.concatenate([[0.0], np.cumsum(best_first, dtype=np.float64)])
    total = cumulated[-1]
    return cumulated[best] / total if total > 0 else np.full(len(best), np.nan)
