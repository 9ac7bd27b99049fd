"""Words that several figures share, from what a run is."""

from __future__ import annotations

import pandas as pd

from clvmodels import words
from clvmodels.results.folder import About

GROSS, CREDIT = "gross margin", "referrals"
"""The part that all costs are subtracted from, and the one that totals leave out (`valuation/parts.py`)."""

A_HANDFUL = 20
"""Numbers up to which a mean count is told to a tenth."""


def gain(about: About) -> str:
    """What a customer brings: revenue where a margin of 1 is stated and nothing is subtracted, else profit."""
    return "revenue" if about.margin == 1 and not subtracted(about) else "profit"


def subtracted(about: About) -> list[str]:
    """The parts of value that are costs, by name."""
    return [name for name in about.parts if name not in (GROSS, CREDIT)]


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


def expected_inside(inside: pd.Series) -> str:
    """How many of several numbers a sound model has inside their intervals, with its verb: `36 are`; of a handful to a
    tenth, since 4.5 of 5 are neither 4 nor 5."""
    if inside.of > A_HANDFUL:
        return words.counted(inside.expected, "is", "are")
    verb = "is" if round(inside.expected, 1) <= 1 else "are"
    return f"{words.number(inside.expected, 0.1).removesuffix('.0')} {verb}"


def all_in(about: About, file: str, whom: str = "All") -> str:
    """Where every customer is told of, as a sentence of its own; nothing in a public report, beside which no such file
    may stand."""
    return "" if about.public else f" {whom} are in {file}."


def quantiles(row: pd.Series, prefix: str = "") -> list[float]:
    """The 5, 25, 50, 75 and 95% quantiles of a row."""
    return [float(row[prefix + name]) for name in ("q5", "q25", "q50", "q75", "q95")]
