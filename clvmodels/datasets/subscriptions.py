"""Subscriptions: two segments of 1,000 customers each, and how many of them were left after one to twelve years.

Published is the percentage of customers alive after each year, by segment. Each customer pays for the first year in
2000 and renews in every later year in which it is among those left; the calendar's years are made up, the published
table counts them from 0. The literature fits the first seven renewals and looks ahead for five years.

Source: Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1), Table 1.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.sources.transactions import Transactions, read_transactions

FIRST_YEAR, SIZE = 2000, 1000
ALIVE = {  # per cent after 0, 1, ... 12 years
    "regular": (100.0, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3),
    "high end": (100.0, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4),
}


def load(seed: int = 0) -> Transactions:
    """The payments, one row a customer and year; groups: segment."""
    last = FIRST_YEAR + len(ALIVE["regular"]) - 1
    return read_transactions(payments(), name="subscriptions", groups=("segment",), data_end=f"{last}-12-31")


def payments() -> pd.DataFrame:
    """customer_id, date and segment of every payment."""
    segments = [_of_segment(segment, percent) for segment, percent in ALIVE.items()]
    return pd.concat(segments, ignore_index=True)


def _of_segment(segment: str, percent: tuple[float, ...]) -> pd.DataFrame:
    left = np.round(SIZE * np.array(percent) / 100).astype(int)
    customer, year = np.nonzero(np.arange(SIZE)[:, None] < left[None])
    code = segment.split()[0]
    return pd.DataFrame(
        {
            "customer_id": [f"{code}{number:04d}" for number in customer + 1],
            "date": [f"{FIRST_YEAR + y}-07-01" for y in year],
            "segment": segment,
        }
    )
