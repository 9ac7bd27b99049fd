"""The row of the check of a covariate: does what came go with it as the forecast does?

A covariate that counts the purchases which it explains fits the past as nothing else does, and misleads about what is
to come; its name need not tell. On the holdout it shows: who has more of it buys less than was forecast, and who has
less of it more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.draws import Array, group_means
from clvmodels.metrics.bands import HIGH, LOW
from clvmodels.metrics.check_rows import decided
from clvmodels.metrics.checks import CHECKS, CheckRow
from clvmodels.metrics.judged import Judged

LOWER, HIGHER, UNKNOWN = 0, 1, 2
"""Groups of customers; the last may be empty."""
COUNTS_WHAT_IT_EXPLAINS = "it may count the purchases that it explains"
KNOWS_WHAT_CAME = "it may know of the time that was held out, or say more than the model lets it"


def covariate_leans(judged: Judged, name: str) -> CheckRow | None:
    """The share of the held-out purchases that customers of higher values made, beside 99% of the model's own futures.

    Higher is above the median of those whose value is known; the others are left out. None where no purchase came of
    them, or all values are alike.
    """
    values = judged.customers.table.loc[judged.futures.customer_id, name].to_numpy(dtype=float)
    is_known = np.isfinite(values)
    is_higher = is_known & _higher(values)
    group = np.where(is_known, np.where(is_higher, HIGHER, LOWER), UNKNOWN)
    sizes = np.bincount(group, minlength=UNKNOWN)
    came = np.bincount(group, judged.actual, minlength=UNKNOWN)
    if sizes[:UNKNOWN].min() == 0 or came[:UNKNOWN].sum() == 0:
        return None
    forecast = group_means(judged.futures.purchases, group, len(sizes)) * sizes
    share = float(_share_of_higher(came))
    low, high = np.quantile(_share_of_higher(forecast.T), (LOW, HIGH))
    gaps = {"covariate": words.label(name, 40)} | _reading(share < low)
    result = decided(bool(low <= share <= high))
    return CHECKS["covariate_leans"].row(result, gaps, value=share, at_least=float(low), at_most=float(high))


def _share_of_higher(purchases: Array) -> Any:
    """Of purchases by group [group] or [group, draw]; 0 where there is none."""
    higher, lower = purchases[HIGHER], purchases[LOWER]
    return higher / np.maximum(higher + lower, 1)


def _higher(values: NDArray) -> NDArray[np.bool_]:
    """Above the median; where nobody is, as of a flag that most have, those at it."""
    median = float(pd.Series(values).median())
    above = values > median
    return above if above.any() else values >= median


def _reading(is_below: bool) -> dict[str, str]:
    if is_below:
        return {"less": "less", "so": COUNTS_WHAT_IT_EXPLAINS}
    return {"less": "more", "so": KNOWS_WHAT_CAME}
