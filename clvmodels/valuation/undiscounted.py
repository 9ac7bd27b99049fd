"""Money of a window after the origin, not discounted: what the money that came in a holdout is held against.

It is made of the same parts as value, from the same models and in the same periods, so that what is judged is what is
sold. A part may count for less than the window: of the latest purchases it is not known yet what comes back.
Shapes: D = draw, C = customer_id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodels.customers.table import Customers
from clvmodels.draws import Array, array_store, in_threads, let_go
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.posteriors import Posteriors
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.parts import Summed, sums
from clvmodels.valuation.valuation import valuation

SALES = "sales"
"""What all purchases bring before any cost; no part of value, since value begins with its margin."""
NUMBER = "purchases"
"""How many purchases there are: no money, but what spend per purchase is told by."""
ROUNDING = 1e-9
"""By how much a bound of a period may miss the time that it stands for, in time units."""


class Ahead(NamedTuple):
    """What is to come of one kind of money.

    `mean` is E[money | history], averaged over draws [C]; `realised` one future a draw [D, C]. `parts` are those that
    it is the sum of, and `part_totals` what each of them comes to in that future, of all customers [D].
    """

    parts: tuple[str, ...]
    mean: Array
    realised: np.ndarray
    part_totals: dict[str, Array]


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
    allow_failed: Collection[str] = (),
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
    allow_failed
        Sampling checks that posteriors may have failed, by name: a FitError tells of others.

    Raises
    ------
    ConfigError
        See `valuation`.
    """
    in_window = replace(economics, horizon=window, referral=None)
    valuer = valuation(posteriors, customers, in_window, seed=seed, draws=draws, allow_failed=allow_failed)
    ends = [end for parts in kinds.values() for end in parts.values()]
    known = {NUMBER, SALES, *valuer.part_names()}
    valuer = replace(valuer, edges=_with_ends(valuer.edges, ends))
    columns = {end: q for q, end in enumerate(dict.fromkeys(ends))}
    # what counts up to each end: a column of 1 in the periods before it
    counts = np.stack([valuer.edges[1:] <= end + ROUNDING for end in columns], axis=1).astype(float)
    table = customers.table
    ahead: dict[str, Ahead] = {}
    column_of: dict[str, dict[str, int]] = {}
    for name, parts in kinds.items():
        known_parts = tuple(part for part in parts if part in known)
        if known_parts:
            stem = f"held_out_{name.replace(' ', '_')}"
            realised = array_store(folder, stem, (valuer.draws, len(table)), "float32")
            totals = {part: np.zeros(valuer.draws) for part in known_parts}
            ahead[name] = Ahead(known_parts, np.empty(len(table)), realised, totals)
            column_of[name] = {part: columns[parts[part]] for part in known_parts}

    def fill(places: NDArray[np.intp]) -> dict[str, dict[str, Array]]:
        """The columns of some customers; the sums of their parts."""
        block = valuer.counted(table.iloc[places], counts, with_worth=False)
        by_part = {NUMBER: block.summed(block.number), SALES: block.summed(block.amounts), **sums(block)}
        totals: dict[str, dict[str, Array]] = {}
        for name, of_kind in ahead.items():
            money = _sum_of_parts(by_part, column_of[name], -1.0 if name in positive else 1.0)
            # a mean along contiguous draws: its last digit does not depend on how many customers are in the block
            of_kind.mean[places] = np.ascontiguousarray(money.expected.T).mean(axis=1)
            of_kind.realised[:, places] = money.realised
            totals[name] = money.part_totals
        return totals

    for of_block in in_threads(fill, valuer.blocks(table)):
        for name, totals in of_block.items():
            for part, draws_of_part in totals.items():
                ahead[name].part_totals[part] += draws_of_part
        let_go(*(of_kind.realised for of_kind in ahead.values()))
    return ahead


class _Money(NamedTuple):
    """One kind of money of some customers [D, C], and what each of its parts comes to in one future of theirs [D]."""

    expected: Array
    realised: Array
    part_totals: dict[str, Array]


def _sum_of_parts(by_part: Mapping[str, Summed], column_of: Mapping[str, int], sign: float) -> _Money:
    """The parts of one kind of money, each up to its own end."""
    expected = [by_part[part].expected[..., q] for part, q in column_of.items()]
    realised = {part: by_part[part].realised[..., q] for part, q in column_of.items()}
    totals = {part: sign * money.sum(axis=1) for part, money in realised.items()}
    return _Money(sign * np.asarray(sum(expected)), sign * np.asarray(sum(realised.values())), totals)


def _with_ends(edges: Array, ends: list[float]) -> Array:
    """The bounds of periods, and those times too; what differs by rounding alone is one bound. [P+1]"""
    bounds = np.sort(np.concatenate([edges, ends]))
    is_new = np.diff(bounds, prepend=-np.inf) > ROUNDING
    return bounds[is_new]
