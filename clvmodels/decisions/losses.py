"""Who has lost money so far, what cost the most, and the odds that the loss goes on.

    lost money so far     profit made < 0, of the book: what is known
    largest cost          the part of the profit made that is the most negative
    odds that it goes on  P(profit to come < 0 | history), of realised values: luck included

What was made of a customer counts what winning it cost; what is to come does not, since that is spent. Both leave out
the credit for customers who are brought: the book has none, and those who are brought are customers themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.accounts.profit_made import EXTENT
from clvmodels.accounts.winning import ACQUISITION
from clvmodels.decisions.concentration import own_draws
from clvmodels.draws import QUANTILES, Array, mean_by_customer, quantiles
from clvmodels.errors import DataError, Problem
from clvmodels.valuation.valuation import Values

SURE = 0.8
"""From these odds on a customer is named as one who will lose money."""


class Losses(NamedTuple):
    """Who has lost money, why, and how many of them will go on losing it."""

    customers: pd.DataFrame
    """By customer_id, in the order of the values: profit_made, made_before_acquisition (what winning cost added back),
    largest_cost (its name; missing where nothing was paid), largest_cost_amount (negative), to_come (the mean),
    odds_of_loss."""
    causes: pd.DataFrame
    """A row a largest cost of those who have lost money, that of most customers first: cause, customers, lost (the
    sum, negative), sure (of how many the odds are SURE or more), and q5 to q95 of how many of them lose money within
    the horizon."""
    together: pd.DataFrame
    """One row of all who have lost money, with the columns of `causes` but for the cause, and without_acquisition (how
    many have lost money whatever winning them cost)."""


def losses(made: pd.DataFrame, values: Values) -> Losses:
    """Of each customer the profit made and the odds of a loss to come; of those who have lost money the reasons.

    Parameters
    ----------
    made
        As `accounts.profit_made`: a column a part, and profit, by customer_id.
    values
        Draws of realised value, [draw, customer_id].

    Raises
    ------
    DataError
        A customer who is valued is not in `made`; a value is not finite.
    """
    made = _of_the_valued(made, values)
    profit = made["profit"].to_numpy(dtype=float)
    cost, amount = largest_cost(made)
    has_lost = profit < 0
    names = list(dict.fromkeys(cost[has_lost]))
    cause = np.array([names.index(name) if lost else -1 for name, lost in zip(cost, has_lost, strict=True)])
    to_come, times, losing = _losses_to_come(values, cause, len(names))
    draws = len(values.realised)
    customers = pd.DataFrame(
        {
            "profit_made": profit,
            "made_before_acquisition": profit - _part(made, ACQUISITION),
            "largest_cost": cost,
            "largest_cost_amount": amount,
            "to_come": to_come / draws,
            "odds_of_loss": times / draws,
        },
        index=pd.Index(values.customer_id, name="customer_id"),
    )
    return Losses(customers, _causes(customers, names, losing), _together(customers, losing))


def _of_the_valued(made: pd.DataFrame, values: Values) -> pd.DataFrame:
    """The rows of those who are valued, in their order."""
    missing = [customer for customer in values.customer_id if customer not in made.index]
    if missing:
        what = f"no profit made of {len(missing)} customers who are valued"
        raise DataError(Problem(what, "made", f"first '{missing[0]}'"))
    return made.loc[values.customer_id]


def part_columns(made: pd.DataFrame) -> list[str]:
    """The parts of the profit that was made, by name."""
    return [name for name in made.columns if name not in EXTENT]


def _part(made: pd.DataFrame, name: str) -> Array:
    """A part of the profit made; 0 where these tables tell nothing of it. [C]"""
    return made[name].to_numpy(dtype=float) if name in made else np.zeros(len(made))


def largest_cost(made: pd.DataFrame) -> tuple[NDArray, Array]:
    """Of each customer the part that cost the most, by name, and its amount; of equal ones the first in the order of
    the parts. Where no part is negative the name is missing, and the amount 0. [C] each"""
    names = part_columns(made)
    amounts = made[names].to_numpy(dtype=float)
    place = amounts.argmin(axis=1)
    amount: Array = np.minimum(amounts[np.arange(len(made)), place], 0.0)
    name = np.array(names, dtype=object)[place]
    name[amount >= 0] = None
    return name, amount


def profit_table(made: pd.DataFrame, values: Values, losses: Losses) -> pd.DataFrame:
    """One row a customer, for a file: purchases and revenue so far, the profit made and each of its parts (made_ and
    the part), the columns of `Losses.customers`, and the mean of each part to come (to_come_ and the part)."""
    made = _of_the_valued(made, values)
    so_far = {"purchases": made["purchases"].astype(int), "revenue": made["revenue"]}
    parts = {_column("made", name): made[name] for name in part_columns(made)}
    ahead = {_column("to_come", name): mean_by_customer(part.expected) for name, part in values.parts.items()}
    of_parts = pd.DataFrame(so_far | parts | ahead, index=losses.customers.index)
    return losses.customers.join(of_parts)


def _column(when: str, part: str) -> str:
    return f"{when}_{part.replace(' ', '_')}"


def _losses_to_come(
    values: Values, cause: NDArray[np.intp], causes: int
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Of each customer the sum over draws and in how many of them money is lost [C]; of each draw how many lose money,
    by the cause of what they have lost [D, causes]. A cause of -1 is counted nowhere."""
    total = np.zeros(len(values.customer_id))
    times = np.zeros(len(values.customer_id), dtype=np.int64)
    losing = np.zeros((len(values.realised), causes), dtype=np.int64)
    for d, draw in enumerate(own_draws(values, "realised")):
        is_loss = draw < 0
        total += draw
        times += is_loss
        losing[d] = np.bincount(cause[is_loss & (cause >= 0)], minlength=causes)
    return total, times, losing


def _causes(customers: pd.DataFrame, names: list[str], losing: NDArray[np.int64]) -> pd.DataFrame:
    """`Losses.causes`."""
    lost = customers[customers["profit_made"] < 0]
    rows = []
    for place, name in enumerate(names):
        of_cause = lost[lost["largest_cost"] == name]
        rows.append({"cause": name, **_sums(of_cause), **quantiles(losing[:, place])})
    types = {"cause": str, "customers": int, "lost": float, "sure": int} | dict.fromkeys(QUANTILES, float)
    table = pd.DataFrame(rows, columns=list(types)).astype(types)
    return table.sort_values(["customers", "cause"], ascending=[False, True], ignore_index=True)


def _together(customers: pd.DataFrame, losing: NDArray[np.int64]) -> pd.DataFrame:
    """`Losses.together`."""
    lost = customers[customers["profit_made"] < 0]
    without_acquisition = int((customers["made_before_acquisition"] < 0).sum())
    row = {**_sums(lost), "without_acquisition": without_acquisition, **quantiles(losing.sum(axis=1))}
    return pd.DataFrame([row])


def _sums(lost: pd.DataFrame) -> dict[str, float]:
    return {
        "customers": len(lost),
        "lost": float(lost["profit_made"].sum()),
        "sure": int((lost["odds_of_loss"] >= SURE).sum()),
    }
