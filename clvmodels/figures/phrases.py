"""Words that several figures share, from what a run is."""

from __future__ import annotations

import pandas as pd

from clvmodels import words
from clvmodels.results import About


def gain(about: About) -> str:
    """What a customer brings: profit where a margin is taken, else revenue."""
    return "revenue" if about.margin is None or about.margin == 1 else "profit"


def horizon(about: About) -> str:
    """The time over which value is summed: `52 weeks`."""
    return words.duration(about.horizon, about.time_unit) if about.horizon is not None else ""


def window(about: About) -> str:
    """The time that was held out: `39 weeks`."""
    return words.duration(about.holdout, about.time_unit) if about.holdout is not None else ""


def top(about: About) -> str:
    """The best share of customers: `top 20%`."""
    return f"top {words.rate(about.top_share)}"


def in_currency(about: About) -> str:
    """`, EUR` behind a quantity, where the currency is known."""
    return f", {about.currency}" if about.currency else ""


def discounted(about: About) -> str:
    """How the value was discounted."""
    rate = about.annual_discount_rate
    return f"discounted at {words.rate(rate)} a year" if rate else "not discounted"


def quantiles(row: pd.Series, prefix: str = "") -> list[float]:
    """The 5, 25, 50, 75 and 95% quantiles of a row."""
    return [float(row[prefix + name]) for name in ("q5", "q25", "q50", "q75", "q95")]
