"""Money of a window after the origin, not discounted: what the money that came in a holdout is held against.

It is made of the same parts as value, from the same models and in the same periods, so that what is judged is what is
sold. A part may count for less than the window: of the latest purchases it is not known yet what comes back.
Shapes: D = draw, C = customer_id, P = period.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clvmodels.customers.table import Customers
from clvmodels.draws import Array, array_store
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.posteriors import Posteriors
from clvmodels.models.costs.contract import Flow
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import Valuation, valuation

SALES = "sales"
"""What all purchases bring before any cost; no part of value, since value begins with its margin."""
ROUNDING = 1e-9
"""By how much a bound of a period may miss the time that it stands for, in time units."""


class Ahead(NamedTuple):
    """What is to come of one kind of money.

    `mean` is E[money | history], averaged over draws [C]; `realised` one future a draw [D, C]. `parts` are those that
    it is the sum of.
    """

    parts: tuple[str, ...]
    mean: Array
    realised: np.ndarray


def money_ahead(
    posteriors: Posteriors | Mapping[str, Posterior],
    customers: Customers,
    economics: Economics,
    window: float,
    kinds: Mapping[str, Mapping[str, float]],
    *,
    positive: Collection[str] = (),
    seed: int,
    draws: int = 1000,
    folder: Path | None = None,
) -> dict[str, Ahead]:
    """Sums of parts of the money of purchases in the `window` time units after the origin.

    Parameters
    ----------
    economics
        Its horizon and discount rate are not read, and nothing is credited for customers who are brought.
    kinds
        Name -> part -> the time after the origin up to which its purchases count. A part that these models and
        economics do not know is left out, and so is a kind without parts.
    positive
        Kinds that are costs, and are told as positive numbers.
    folder
        Where the [D, C] arrays are kept; None keeps them in memory.

    Raises
    ------
    ConfigError
        See `valuation`.
    """
    in_window = replace(economics, horizon=window, referral=None)
    valuer = valuation(posteriors, customers, in_window, seed=seed, draws=draws)
    ends = [end for parts in kinds.values() for end in parts.values()]
    valuer = replace(valuer, edges=_with_ends(valuer.edges, ends))
    size = len(customers.table)
    ahead: dict[str, Ahead] = {}
    for block in valuer.blocks(size):
        flows = _flows(valuer, block)
        for name, parts in kinds.items():
            told = {part: end for part, end in parts.items() if part in flows}
            if not told:
                continue
            if name not in ahead:
                realised = array_store(folder, f"held_out_{name.replace(' ', '_')}", (valuer.draws, size), "float32")
                ahead[name] = Ahead(tuple(told), np.empty(size), realised)
            expected, drawn = _sums(flows, told, valuer.edges)
            sign = -1.0 if name in positive else 1.0
            ahead[name].mean[block] = sign * expected.mean(axis=0)
            ahead[name].realised[:, block] = sign * drawn
    return ahead


def _with_ends(edges: Array, ends: list[float]) -> Array:
    """The bounds of periods, and those times too; what differs by rounding alone is one bound. [P+1]"""
    bounds = np.sort(np.concatenate([edges, ends]))
    is_new = np.diff(bounds, prepend=-np.inf) > ROUNDING
    return bounds[is_new]


def _flows(valuer: Valuation, block: slice) -> dict[str, Flow]:
    """Sales and the parts of some customers, period by period. [D, C, P] each"""
    table = valuer.customers.table.iloc[block]
    sales, parts = valuer.sales_and_flows(table)
    return {SALES: sales, **parts}


def _sums(flows: Mapping[str, Flow], ends: Mapping[str, float], edges: Array) -> tuple[Array, Array]:
    """The parts added up, each over the periods before its end, expected and realised. [D, C] each"""
    expected, realised = [], []
    for part, end in ends.items():
        counts = edges[1:] <= end + ROUNDING
        expected.append(flows[part].expected[..., counts].sum(axis=-1))
        realised.append(flows[part].realised[..., counts].sum(axis=-1))
    return sum(expected[1:], expected[0]), sum(realised[1:], realised[0])
