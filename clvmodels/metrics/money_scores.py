"""Metrics of the money of the holdout; of each kind that the tables tell (`Judged.money`).

Intervals are about the customers, as those of all metrics, but for the forecast of a total, which is a forecast.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clvmodels import words
from clvmodels.draws import quantiles
from clvmodels.metrics.judged import Headline, Judged, Metric, Row, mean_interval, share_interval
from clvmodels.metrics.log_score import log_probabilities
from clvmodels.metrics.money import TOP_SHARES, Money
from clvmodels.metrics.pit import in_the_middle
from clvmodels.metrics.total_purchases import backtested_rows, percent


def compute_total(judged: Judged) -> list[Row]:
    """The actual total, the forecast with its 90% interval, the bias in percent, and whether the interval holds.

    bias = 100 (forecast - actual) / |actual|, as that of purchases.
    """
    return [row for money in judged.money.values() for row in _total_rows(money)]


def _total_rows(money: Money) -> Iterator[Row]:
    own = quantiles(money.totals)
    lower, upper = own["q5"], own["q95"]
    forecast = np.array([money.totals.mean(), lower, upper])
    bias = np.full(3, np.nan)
    if money.actual_total:
        bias = 100 * (forecast - money.actual_total) / abs(money.actual_total)
    name = _name("money_total", money)
    yield Row(f"{name}.actual", money.actual_total)
    yield Row(f"{name}.forecast", *forecast.tolist())
    yield Row(f"{name}.bias_percent", *bias.tolist())
    yield Row(f"{name}.interval_holds", float(lower <= money.actual_total <= upper))
    if money.factors:
        yield from backtested_rows(name, money.judged_totals, money.actual_total)


def compute_crps(judged: Judged) -> list[Row]:
    """Mean fair CRPS over customers, in the currency."""
    return [Row(_name("money_crps", money), *mean_interval(money.crps)) for money in judged.money.values()]


def compute_pit(judged: Judged) -> list[Row]:
    """Share of customers with a randomised PIT in (.05, .95), nominally 90%, and its exact 90% interval."""
    return [
        Row(_name("money_pit", money), *share_interval(in_the_middle(money.pit))) for money in judged.money.values()
    ]


def compute_fifths(judged: Judged) -> list[Row]:
    """How many fifths of the customers by forecast brought a mean inside their 90% interval; and what the best fifth
    brought as a share of its forecast."""
    rows = []
    for money in judged.money.values():
        name = _name("money_fifths", money)
        best = money.fifths.groups[-1]
        rows.append(Row(f"{name}.inside", float(money.fifths.inside.actual)))
        ratio = best["actual"] / best["q50"] if best["q50"] > 0 else float("nan")
        rows.append(Row(f"{name}.best_over_forecast", ratio))
    return rows


def compute_capture(judged: Judged) -> list[Row]:
    """Share of all that came which the customers brought who were forecast best, a tenth and a fifth of all.

    A ratio of sums R = sum of the best y / sum of y; its interval is by the standard error of the customers' parts,
    sqrt(C var((1[best] - R) y)) / sum of y (Cochran 1977, Sampling Techniques, section 6.4). NaN where nothing came.
    """
    rows = []
    for money in judged.money.values():
        name = _name("money_capture", money)
        for share in TOP_SHARES:
            rows.append(Row(f"{name}.top_{100 * share:.0f}", *_captured(money, share)))
    return rows


def _captured(money: Money, share: float) -> tuple[float, float, float]:
    if not money.has_shares:
        return (float("nan"),) * 3
    ratio = money.capture(share).actual
    is_best = np.zeros(len(money.actual))
    is_best[money.top(share)] = 1.0
    parts = (is_best - ratio) * money.actual
    _, lower, upper = mean_interval(parts)  # about a mean of 0
    mean_money = money.actual_total / len(parts)
    return ratio, ratio + lower / mean_money, ratio + upper / mean_money


def compute_log_score(judged: Judged) -> list[Row]:
    """Log score of purchases and money together, and that of the money given the purchases.

    The number n of a customer's held-out purchases and their amounts z_1 .. z_n that are not 0 have the mixed density
    P(n) f(z_1, ..., z_n | n), and its log is a proper score of the whole outcome. Entries are compared by it. NaN where
    the spend model tells no density of amounts.
    """
    if judged.amounts_log_prob is None or judged.futures.log_prob is None:
        return [Row("log_score_money", float("nan")), Row("log_score_money.of_amounts", float("nan"))]
    amounts = judged.amounts_log_prob.loc[judged.futures.customer_id].to_numpy()
    together = log_probabilities(judged) + amounts
    rows = []
    for name, scores in (("log_score_money", together), ("log_score_money.of_amounts", amounts)):
        total = np.array(mean_interval(scores)) * len(scores)
        rows.append(Row(name, *total.tolist()))
    return rows


def _name(metric: str, money: Money) -> str:
    return f"{metric}.{money.name.replace(' ', '_')}"


MONEY_TOTAL = Metric(
    "money_total",
    "Total of held-out money: forecast beside what came, bias",
    "near 0",
    compute_total,
    Headline("money_total.spend.bias_percent", "Bias of spend", percent),
)
MONEY_CRPS = Metric(
    "money_crps",
    "CRPS of money: distance of a customer's forecast from what came",
    "lower",
    compute_crps,
    Headline("money_crps.spend", "CRPS of spend", lambda money: words.number(money, words.value_step(money, 3))),
)
MONEY_PIT = Metric(
    "money_pit",
    "Share of customers whose money is in the middle 90% of its forecast (nominal 90%)",
    "near nominal",
    compute_pit,
)
MONEY_FIFTHS = Metric(
    "money_fifths",
    "Fifths of customers by forecast inside their 90% interval, and the best over its forecast",
    "higher",
    compute_fifths,
)
MONEY_CAPTURE = Metric(
    "money_capture",
    "Share of what came that the customers brought who were forecast best",
    "higher",
    compute_capture,
)
LOG_SCORE_MONEY = Metric(
    "log_score_money",
    "Log score: density given to the held-out purchases and their amounts",
    "higher",
    compute_log_score,
)
