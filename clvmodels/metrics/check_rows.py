"""The row of each check: what came out of one part of a run, beside the limits it is held against.

The checks themselves (`CHECKS`: their titles, consequences and words) are in `checks.py`; which parts of a run each is
put to is said in `runs/checks.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from clvmodels.draws import Array
from clvmodels.metrics.bands import InsideCount, points_outside
from clvmodels.metrics.checks import BOUNDED_ABOVE, CHECKS, SAMPLING_CODES, CheckRow
from clvmodels.metrics.elpd import uncertain
from clvmodels.metrics.judgement import Judgement, reliable_share

if TYPE_CHECKING:
    from clvmodels.inference.attempts import OtherK
    from clvmodels.inference.samplers.checks import Check as SamplingCheck
    from clvmodels.sources.doubts import Doubt

TAIL, TAIL_ALLOWED = 0.05, 0.01
"""Customers beyond each end of the middle 90% of their forecast: 5%, give or take 1 point."""
BOTH_ENDS = 2.807
"""The normal quantile that leaves 1% beyond both sides of both ends together."""
LEAST_RELIABLE = 0.9
"""Share of the predicted range on which the reliability curve is to stay in its band."""
SMALL_CORRELATION = 0.1


def decided(*conditions: bool, otherwise: str = "failed") -> str:
    """`passed` where all conditions hold."""
    return "passed" if all(conditions) else otherwise


def sampling(carried: SamplingCheck, model: str, method: str, when: str) -> CheckRow:
    """A check that a posterior carries: its name, what was found, its limit, whether it passed, the consequence."""
    check = CHECKS[SAMPLING_CODES[carried.check]]
    side = "at_most" if check.code in BOUNDED_ABOVE else "at_least"
    gaps = {"model": model, "method": method, "when": when, "consequence": carried.consequence}
    numbers = {"value": float(carried.found), side: float(carried.limit)}
    return check.row(decided(carried.passed), gaps, **numbers)


def held_out_total(judgement: Judgement) -> CheckRow:
    """Does the 90% interval of the total hold what came?"""
    actual = judgement.actual_total
    low, high = judgement.total["q5"], judgement.total["q95"]
    too = "too few" if actual > high else "too many"
    result = decided(low <= actual <= high)
    return CHECKS["held_out_total"].row(result, {"too": too}, value=actual, at_least=low, at_most=high)


def pit_shares(judgement: Judgement) -> list[CheckRow]:
    """The share of customers whose count lies in the lowest 5% of its forecast, and in the highest: see `tails`."""
    return tails("pit_share", judgement.pit, {})


def tails(code: str, pit: Array, gaps: Mapping[str, str]) -> list[CheckRow]:
    """A row for each end of the forecasts: 5% of the customers lie beyond it, give or take 1 point.

    With few customers chance alone does more than that: then what it does in 99 of 100 sound forecasts, both ends taken
    together. The share in the middle 90% says less: a forecast that is too low leaves the one end and fills the other.
    """
    error = math.sqrt(TAIL * (1 - TAIL) / len(pit))
    allowed = max(TAIL_ALLOWED, BOTH_ENDS * error)
    least, most = max(TAIL - allowed, 0.0), TAIL + allowed
    rows = []
    for end, share in (("lowest", float(np.mean(pit < TAIL))), ("highest", float(np.mean(pit > 1 - TAIL)))):
        often = "often" if share > TAIL else "seldom"
        result = decided(least <= share <= most)
        row = CHECKS[code].row(result, {**gaps, "end": end, "often": often}, value=share, at_least=least, at_most=most)
        rows.append(row)
    return rows


def pit_groups(judgement: Judgement) -> CheckRow:
    """Groups by past frequency whose own curve stays in its band; all of them are to, in 99 of 100 sound forecasts."""
    curves = judgement.pit_curves
    inside = sum(not _is_outside(curve).any() for curve in curves)
    result = decided(inside == len(curves))
    return CHECKS["pit_groups"].row(result, value=inside, of=len(curves), at_least=len(curves))


def periods_inside(judgement: Judgement, unit: str) -> CheckRow:
    """Weeks (or opportunities) inside their 90% band; the limit is the model's own 1% quantile of that number."""
    return counted("periods_inside", judgement.tracking.inside, {"unit": unit})


def groups_inside(judgement: Judgement) -> CheckRow:
    """Groups by past frequency inside their 90% intervals; the limit as for periods."""
    return counted("groups_inside", judgement.groups.inside, {})


def counted(code: str, inside: InsideCount | None, gaps: Mapping[str, str]) -> CheckRow:
    """How many of several numbers lie inside their intervals; the limit is the model's own 1% quantile of that."""
    if inside is None:
        return CHECKS[code].not_applicable("There is no holdout", gaps)
    numbers = {"value": inside.actual, "of": inside.of, "at_least": inside.lower_limit}
    return CHECKS[code].row(decided(inside.holds), gaps, **numbers)


def pit_band(judgement: Judgement) -> CheckRow:
    """Does the whole curve of the randomised PIT stay in its simultaneous band? Points outside are counted."""
    return in_band("pit_band", judgement.pit_curve, {})


def in_band(code: str, curve: pd.DataFrame, gaps: Mapping[str, str]) -> CheckRow:
    """Whether a curve of randomised PITs stays in its band."""
    count = int(_is_outside(curve).sum())
    return CHECKS[code].row(decided(count == 0), gaps, value=count, of=len(curve), at_most=0)


def _is_outside(curve: pd.DataFrame) -> pd.Series:
    return points_outside(curve["surplus"], curve["lower"], curve["upper"])


def reliability_band(judgement: Judgement) -> CheckRow:
    """Does the reliability curve stay in its band on 90% of the range?"""
    share = reliable_share(judgement.reliability)
    result = decided(share >= LEAST_RELIABLE)
    return CHECKS["reliability_band"].row(result, value=share, at_least=LEAST_RELIABLE)


def loo_pareto_k(elpd: pd.DataFrame, *, held_out: bool) -> CheckRow:
    """Customers whose leave-one-out score PSIS cannot estimate."""
    count = uncertain(elpd)
    so = "the held-out score is not affected" if held_out else "entries are compared by it"
    result = decided(count == 0, otherwise="look")
    return CHECKS["loo_pareto_k"].row(result, {"so": so}, value=count, at_most=0)


def elpd_agrees(comparison: pd.DataFrame, label: Callable[[str], str]) -> CheckRow:
    """Do leave-one-out scores name no other entry as clearly better than the recommended one?

    `comparison` has the columns of `compare.elpd_against`; `label` says what an entry is called.
    """
    best = comparison.loc[comparison["elpd_difference"].idxmax()]
    disagreeing = comparison[comparison["elpd_disagrees"]]
    result = decided(disagreeing.empty, otherwise="look")
    value = 0.0 if disagreeing.empty else float(best["elpd_difference"])
    return CHECKS["elpd_agrees"].row(result, {"other": label(best["entry"])}, value=value, at_most=0)


def chosen_k(k: int, others: Sequence[OtherK]) -> CheckRow:
    """Where the regularity of buyers was chosen by elpd: what was tried, and whether the best was the largest.

    `others` are the k that were not chosen: k, difference of elpd from the best, and its standard error se.
    """
    largest_other = max(attempt.k for attempt in others)
    differences = []
    for attempt in others:
        differences.append(f"{attempt.k}: −{-attempt.difference:,.0f} ± {attempt.se:,.0f}")
    result = decided(k <= largest_other, otherwise="look")
    limit = max(k, largest_other) - 1  # the best is to have a worse one beyond it
    return CHECKS["chosen_k"].row(result, value=k, at_most=limit, note="; ".join(differences))


def frequency_and_spend(customers: pd.DataFrame | None) -> CheckRow:
    """Spend is taken as independent of how often a customer buys: the rank correlation of the two says how far off.

    Of the mean amount with frequency, among customers who bought again. To look at where it is beyond 0.1 and its 90%
    interval does not hold 0. `customers` has the columns frequency and monetary_value; None where amounts are unknown.
    """
    check = CHECKS["frequency_and_spend"]
    if customers is None:
        return check.not_applicable("The amounts are not known")
    repeat_buyers = customers[(customers["frequency"] > 0) & (customers["monetary_value"] > 0)]
    count = len(repeat_buyers)
    frequency, spend = repeat_buyers["frequency"], repeat_buyers["monetary_value"]
    # below 4 the interval has no standard error; where one of the two does not vary, there is no correlation
    if count < 4 or frequency.nunique() < 2 or spend.nunique() < 2:
        return check.not_applicable("Too few customers differ in both")
    correlation = float(frequency.corr(spend, method="spearman"))
    lower, upper = correlation_interval(correlation, count)
    near_zero = abs(correlation) <= SMALL_CORRELATION or lower <= 0 <= upper
    gaps = {"amount": "less", "value": "high"}
    if correlation > 0:  # taken as independent, many purchases are counted at too small a mean
        gaps = {"amount": "more", "value": "low"}
    result = decided(near_zero, otherwise="look")
    numbers = {"value": correlation, "lower": lower, "upper": upper}
    return check.row(result, gaps, **numbers, at_least=-SMALL_CORRELATION, at_most=SMALL_CORRELATION)


def correlation_interval(correlation: float, count: int, level: float = 0.9) -> tuple[float, float]:
    """Interval of a rank correlation by Fisher's z with the standard error sqrt((1 + rho^2 / 2) / (count - 3)).

    Bonett & Wright (2000), Sample size requirements for estimating Pearson, Kendall and Spearman correlations,
    Psychometrika 65(1).
    """
    if abs(correlation) >= 1 - 1e-12:  # Fisher's z of a perfect correlation is infinite
        return correlation, correlation
    deviate = float(ndtri((1 + level) / 2))
    error = np.sqrt((1 + correlation**2 / 2) / (count - 3))
    middle = np.arctanh(correlation)
    lower = np.tanh(middle - deviate * error)
    upper = np.tanh(middle + deviate * error)
    return float(lower), float(upper)


def data_warnings(warnings: Sequence[str], doubts: Sequence[Doubt] = ()) -> list[CheckRow]:
    """What reading and summarising the data warned of, each once; what is suspicious in the orders, which the warnings
    tell too, with what hangs on it: failed where the date of value does."""
    if not warnings and not doubts:
        return [CHECKS["no_data_warnings"].row("passed", value=0, at_most=0)]
    rows = [data_doubt(doubt) for doubt in doubts]
    of_doubts = {str(doubt) for doubt in doubts}
    others = [text for text in dict.fromkeys(warnings) if text not in of_doubts]
    return rows + [CHECKS["data_warning"].row("look", {"warning": text}) for text in others]


def data_doubt(doubt: Doubt) -> CheckRow:
    """One kind of what is legal in the orders and likely means something else."""
    gaps = {"what": doubt.what, "effect": doubt.effect, "policy": doubt.policy}
    result = "failed" if doubt.is_failure else "look"
    return CHECKS["data_doubt"].row(result, gaps, value=doubt.rows, of=doubt.of, at_most=0)
