"""Brier score of the probability that a customer buys at all."""

from __future__ import annotations

from clvmodels.metrics.judged import Judged, Metric, Row, mean_interval


def compute(judged: Judged) -> list[Row]:
    """Mean of (P(at least one purchase) - bought)^2 over customers (Brier 1950)."""
    bought = judged.actual > 0
    squared_errors = (judged.futures.p_any - bought) ** 2
    return [Row("brier", *mean_interval(squared_errors))]


BRIER = Metric("brier", "Brier score of the probability of at least one purchase", "lower", compute)
