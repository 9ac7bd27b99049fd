"""Donations: 11,104 people who first gave to a charity in 1995, and in which of the next six years they gave again.

Published is how many donors have each (frequency, recency): the number of years 1996 to 2001 with a gift, and the last
of them, counted from 1995. They are made customers with ids of their own, a gift on 1 July of its year. Where gifts
before the last one fell is not in the table: they are placed in the first years. The likelihood of BG/BB depends on
frequency, recency and the six years only, so that nothing else may be done with these data: a split between years, or
a track of gifts by year, would show where they were placed.

Source: Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing
Science 29(6), Table 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from clvmodels.sources.transactions import Transactions, read_transactions

FIRST_YEAR, YEARS = 1995, 6
CELLS = {  # (frequency, recency): donors
    (0, 0): 3464,
    (1, 1): 1091,
    (1, 2): 277,
    (1, 3): 129,
    (1, 4): 78,
    (1, 5): 119,
    (1, 6): 129,
    (2, 2): 613,
    (2, 3): 255,
    (2, 4): 155,
    (2, 5): 173,
    (2, 6): 234,
    (3, 3): 322,
    (3, 4): 181,
    (3, 5): 225,
    (3, 6): 357,
    (4, 4): 240,
    (4, 5): 284,
    (4, 6): 512,
    (5, 5): 335,
    (5, 6): 728,
    (6, 6): 1203,
}
NOTE = (
    "the published table tells how many gifts each donor made and the year of the last: the others are placed in the "
    "first years, on which nothing depends here, and a split or a track by year would"
)


def load(seed: int = 0) -> Transactions:
    """The gifts, one row a donor and year, without amounts."""
    read = read_transactions(gifts(), name="donations", data_end=f"{FIRST_YEAR + YEARS}-12-31")
    return replace(read, warnings=(*read.warnings, NOTE))


def gifts() -> pd.DataFrame:
    """customer_id and date of every gift."""
    frequency, recency = np.array(list(CELLS)).T
    donors = np.array(list(CELLS.values()))
    x = np.repeat(frequency, donors)[:, None]
    last = np.repeat(recency, donors)[:, None]
    year = np.arange(YEARS + 1)[None]
    # The first gift, as many of the repeat gifts after it as come before the last one, and the last.
    has_gift = (year < np.maximum(x, 1)) | (year == last)
    donor, years_later = np.nonzero(has_gift)
    ids = np.array([f"donor{number:05d}" for number in range(1, len(x) + 1)])
    return pd.DataFrame({"customer_id": ids[donor], "date": [f"{FIRST_YEAR + y}-07-01" for y in years_later]})
