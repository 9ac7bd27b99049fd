"""The interval score: how wide an interval is, and how far outside of it what came lies, in one number.

Gneiting & Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA 102(477), section 6.2.
"""

from __future__ import annotations


def interval_score(lower: float, upper: float, actual: float, level: float) -> float:
    """(upper - lower) + 2 / (1 - level) x the distance of `actual` beyond the end that it passed; lower is better.

    Of all central intervals of that level, the true one has the least expected score.
    """
    below = max(lower - actual, 0.0)
    above = max(actual - upper, 0.0)
    return (upper - lower) + 2.0 / (1.0 - level) * (below + above)
