"""Every check of a run, in one registry: what it is called, when it fails, what follows, and what to do then.

A check gives a row of numbers: what was found and the limits it is held against. Words are made from that row, here
and nowhere else, and nothing is ever read back from them. Which parts of a run a check is put to is said in
`runs/checks.py`. To add one: its `Check` in the registry, a function that gives its row, and its line there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from clvmodels import words
from clvmodels.metrics.bands import InsideCount, points_outside
from clvmodels.metrics.elpd import uncertain
from clvmodels.metrics.judgement import Judgement

if TYPE_CHECKING:
    from clvmodels.inference.attempts import OtherK
    from clvmodels.inference.samplers.checks import Check as SamplingCheck

RESULTS = ("failed", "look", "passed", "skipped", "not applicable")
"""What can come of a check, the worst first; every check is in exactly one of them."""
PIT_SHARE, PIT_ALLOWED = 0.9, 0.03
"""Customers in the middle 90% of their forecast: 90%, give or take 3 points."""
LEAST_RELIABLE = 0.9
"""Share of the predicted range on which the reliability curve is to stay in its band."""
SMALL_CORRELATION = 0.1
NOTHING = math.nan


class CheckRow(NamedTuple):
    """One check of one part of a run. Numbers that a check does not have are NaN.

    `code` is its key in the registry, `check` its title with what it was put to, `entry` the entry that is meant
    ("" where it is none). `value` is what was found, of `of` where it was counted among so many, with its
    90% interval `lower` to `upper` where it is estimated; it has to be `at_least` and `at_most`. `note` says in words
    what stands beside it. Of what passed, `consequence` and `remedy` are empty.
    """

    code: str
    kind: str
    result: str
    check: str
    entry: str = ""
    value: float = NOTHING
    of: float = NOTHING
    lower: float = NOTHING
    upper: float = NOTHING
    at_least: float = NOTHING
    at_most: float = NOTHING
    note: str = ""
    consequence: str = ""
    remedy: str = ""


NUMBERS = ("value", "of", "lower", "upper", "at_least", "at_most")


class Check(NamedTuple):
    """A member of the registry. `kind` is sampling, forecast or data; only a failed sampling check fails the command.

    `title` and `consequence` may have {gaps} for what differs from row to row. `found` and `limit` tell the row's
    numbers in words.
    """

    code: str
    kind: str
    title: str
    consequence: str
    remedy: str
    found: Callable[[Any], str]
    limit: Callable[[Any], str]

    def row(self, result: str, gaps: Mapping[str, str] | None = None, **numbers: Any) -> CheckRow:
        """A row of this check with that result."""
        gaps = gaps or {}
        title = self.title.format_map(gaps)
        row = CheckRow(self.code, self.kind, result, title, **numbers)
        if result == "passed":
            return row
        return row._replace(consequence=self.consequence.format_map(gaps), remedy=self.remedy)

    def not_applicable(self, reason: str, gaps: Mapping[str, str] | None = None) -> CheckRow:
        """A row that says why the check could not be made."""
        title = self.title.format_map(gaps or {})
        return CheckRow(self.code, self.kind, "not applicable", title, consequence=reason)


def decided(*conditions: bool, otherwise: str = "failed") -> str:
    """`passed` where all conditions hold."""
    return "passed" if all(conditions) else otherwise


# ---------------------------------------------------------------------------------------------- numbers in words


def _plain(value: float) -> str:
    """A number to four digits and three decimals; a count in full."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite"
    if value == round(value):
        return words.count(value)
    step = max(0.001, words.value_step(value, 4))
    text = words.number(value, step)
    if "." not in text:  # zeros of 12,300 are digits
        return text
    return text.rstrip("0").rstrip(".")


def _number(row: Any) -> str:
    return _plain(row.value)


def _or_less(row: Any) -> str:
    return f"{_plain(row.at_most)} or less"


def _or_more(row: Any) -> str:
    return f"{_plain(row.at_least)} or more"


def _at_most(row: Any) -> str:
    return words.count(row.at_most)


def _count(row: Any) -> str:
    return words.count(row.value)


def _count_of(row: Any) -> str:
    return f"{words.count(row.value)} of {words.count(row.of)}"


def _counts_between(row: Any) -> str:
    return f"{words.count(row.at_least)} to {words.count(row.at_most)}"


def _share(row: Any) -> str:
    return f"{row.value:.1%}"


def _whole_share(row: Any) -> str:
    return f"{row.value:.0%}"


def _shares_between(row: Any) -> str:
    return f"{row.at_least:.0%} to {row.at_most:.0%}"


def _share_or_more(row: Any) -> str:
    return f"{row.at_least:.0%} or more"


def _nothing(row: Any) -> str:
    return ""


def _correlation(row: Any) -> str:
    correlation = words.number(row.value, 0.01)
    lower = words.number(row.lower, 0.01)
    upper = words.number(row.upper, 0.01)
    return f"{correlation} (90%: {lower} to {upper})"


def told(row: Any) -> tuple[str, str]:
    """What was found and the limit, in words; both empty where the check was not made."""
    if row.result not in ("failed", "look", "passed"):
        return "", ""
    check = CHECKS[row.code]
    return check.found(row), check.limit(row)


# ---------------------------------------------------------------------------------------------- the registry

FIT = ", {model} by {method}{when}"
"""What a sampling check was put to."""
FIT_AGAIN = "Sample longer (draws, tune, chains), give stronger priors, or choose a model with fewer parameters"
_MEMBERS = (
    Check("rhat", "sampling", "R-hat" + FIT, "{consequence}", FIT_AGAIN, _number, _or_less),
    Check("bulk_ess", "sampling", "bulk ESS" + FIT, "{consequence}", "Sample longer (draws)", _number, _or_more),
    Check("tail_ess", "sampling", "tail ESS" + FIT, "{consequence}", "Sample longer (draws)", _number, _or_more),
    Check("divergences", "sampling", "divergences" + FIT, "{consequence}", FIT_AGAIN, _number, _or_less),
    Check("pareto_k_hat", "sampling", "Pareto k-hat" + FIT, "{consequence}", "Use method: nuts", _number, _or_less),
    Check("importance_ess", "sampling", "importance ESS" + FIT, "{consequence}", "Use method: nuts", _number, _or_more),
    Check(
        "maximum_found",
        "sampling",
        "maximum found" + FIT,
        "{consequence}",
        "Use a method with priors: laplace or nuts",
        _number,
        _or_more,
    ),
    Check(
        "held_out_total",
        "forecast",
        "Total of held-out purchases in its 90% interval",
        "It forecasts {too} purchases of the whole base: do not plan totals with it",
        "Ask what changed for all customers at once (a season, a campaign, prices); try another regularity k",
        _count,
        _counts_between,
    ),
    Check(
        "periods_inside",
        "forecast",
        "Held-out {unit}s inside the 90% band",
        "Single {unit}s are forecast worse than their band says",
        "Plan with sums over more {unit}s; give the model the calendar that customers share",
        _count_of,
        _or_more,
    ),
    Check(
        "groups_inside",
        "forecast",
        "Groups by past frequency inside their 90% interval",
        "Some kinds of customers are misjudged",
        "See which groups: a model whose rates or lifetimes vary otherwise may judge them better",
        _count_of,
        _or_more,
    ),
    Check(
        "pit_share",
        "forecast",
        "Customers in the middle 90% of their forecast (randomised PIT)",
        "Ranges of single customers are too {side}",
        "Read ranges of single customers as rough, or choose an entry whose ranges hold",
        _share,
        _shares_between,
    ),
    Check(
        "pit_band",
        "forecast",
        "Randomised PIT in its 99% band",
        "Forecasts of single customers are off in place or width",
        "Compare the curve's shape: a valley is too low a forecast, a hill too high, a wave too narrow ranges",
        lambda row: "leaves it" if row.value else "inside",
        lambda row: "inside",
    ),
    Check(
        "reliability_band",
        "forecast",
        "Reliability of P(at least one purchase) in its 99% band, share of the range",
        "Chances of buying again are off where the curve leaves its band",
        "Read chances of buying again as an order, not as numbers, where the curve leaves its band",
        _whole_share,
        _share_or_more,
    ),
    Check(
        "loo_pareto_k",
        "forecast",
        "Customers with Pareto k above 0.7 (LOO)",
        "Their share of the leave-one-out score is uncertain; {so}",
        "Compare entries on held-out purchases",
        _count,
        _at_most,
    ),
    Check(
        "chosen_k",
        "forecast",
        "Regularity k of the purchases, by elpd (difference ± its standard error)",
        "Buyers may be more regular than the most regular that was tried",
        "Try larger k",
        lambda row: f"{words.count(row.value)} ({words.label(row.note, 60)})",
        lambda row: f"less than {words.count(row.at_most + 1)}, the largest tried",
    ),
    Check(
        "frequency_and_spend",
        "data",
        "Rank correlation of frequency and spend",
        "Who buys often pays {amount} a purchase, and models take the two as independent: the best are valued too "
        "{value}",
        "Use a joint model of purchases and spend, where there is one, or read the best customers' values as biased",
        _correlation,
        lambda row: "−0.1 to 0.1, or not clearly off 0",
    ),
    Check(
        "data_warning",
        "data",
        "{warning}",
        "Read how the data was cut before using totals",
        "Decide by the policies of the data section",
        _nothing,
        _nothing,
    ),
    Check("no_data_warnings", "data", "Warnings of the data", "", "", _count, _at_most),
)
CHECKS: dict[str, Check] = {check.code: check for check in _MEMBERS}
SAMPLING_CODES = {check.title.removesuffix(FIT): check.code for check in _MEMBERS if check.kind == "sampling"}
"""Codes of the sampling checks by the names that posteriors carry and that an experiment may allow."""
BOUNDED_ABOVE = ("rhat", "divergences", "pareto_k_hat")
"""Sampling checks whose number must not be larger than its limit; those of the others must not be smaller."""


# ---------------------------------------------------------------------------------------------- their rows


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


def pit_share(judgement: Judgement) -> CheckRow:
    """The share of customers whose count lies in the middle 90% of its forecast: 90% give or take 3 points.

    With few customers chance alone does more than that: then what it does in 99 of 100 sound forecasts.
    """
    share = judgement.middle_share
    error = math.sqrt(PIT_SHARE * (1 - PIT_SHARE) / len(judgement.pit))
    allowed = max(PIT_ALLOWED, 2.576 * error)  # 2.576: the normal quantile that leaves 1% on both sides together
    side = "wide" if share > PIT_SHARE else "narrow"
    return CHECKS["pit_share"].row(
        decided(abs(share - PIT_SHARE) <= allowed),
        {"side": side},
        value=share,
        at_least=PIT_SHARE - allowed,
        at_most=min(PIT_SHARE + allowed, 1.0),
    )


def periods_inside(judgement: Judgement, unit: str) -> CheckRow:
    """Weeks (or opportunities) inside their 90% band; the limit is the model's own 1% quantile of that number."""
    return _counted("periods_inside", judgement.tracking.inside, {"unit": unit})


def groups_inside(judgement: Judgement) -> CheckRow:
    """Groups by past frequency inside their 90% intervals; the limit as for periods."""
    return _counted("groups_inside", judgement.groups.inside, {})


def _counted(code: str, inside: InsideCount | None, gaps: Mapping[str, str]) -> CheckRow:
    if inside is None:
        return CHECKS[code].not_applicable("There is no holdout", gaps)
    numbers = {"value": inside.actual, "of": inside.of, "at_least": inside.lower_limit}
    return CHECKS[code].row(decided(inside.holds), gaps, **numbers)


def pit_band(judgement: Judgement) -> CheckRow:
    """Does the whole curve of the randomised PIT stay in its simultaneous band? Points outside are counted."""
    curve = judgement.pit_curve
    is_outside = points_outside(curve["surplus"], curve["lower"], curve["upper"])
    count = int(is_outside.sum())
    return CHECKS["pit_band"].row(decided(count == 0), value=count, of=len(curve), at_most=0)


def reliability_band(judgement: Judgement) -> CheckRow:
    """Does the reliability curve stay in its band on 90% of the range?"""
    share = reliable_share(judgement.reliability)
    return CHECKS["reliability_band"].row(decided(share >= LEAST_RELIABLE), value=share, at_least=LEAST_RELIABLE)


def reliable_share(reliability: pd.DataFrame) -> float:
    """The share of the predicted range, by steps of the grid, on which the curve is in its band."""
    predicted = reliability.dropna(subset="bought")
    is_outside = points_outside(predicted["bought"], predicted["lower"], predicted["upper"])
    return float((~is_outside).mean())


def loo_pareto_k(elpd: pd.DataFrame, *, held_out: bool) -> CheckRow:
    """Customers whose leave-one-out score PSIS cannot estimate."""
    count = uncertain(elpd)
    so = "the held-out score is not affected" if held_out else "entries are compared by it"
    return CHECKS["loo_pareto_k"].row(decided(count == 0, otherwise="look"), {"so": so}, value=count, at_most=0)


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
    return check.row(
        decided(near_zero, otherwise="look"),
        gaps,
        value=correlation,
        lower=lower,
        upper=upper,
        at_least=-SMALL_CORRELATION,
        at_most=SMALL_CORRELATION,
    )


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


def data_warnings(warnings: Sequence[str]) -> list[CheckRow]:
    """What reading and summarising the data warned of, each once."""
    if not warnings:
        return [CHECKS["no_data_warnings"].row("passed", value=0, at_most=0)]
    return [CHECKS["data_warning"].row("look", {"warning": text}) for text in dict.fromkeys(warnings)]


def as_table(rows: Sequence[CheckRow]) -> pd.DataFrame:
    """The table of checks, as a run stores it."""
    return pd.DataFrame(rows, columns=list(CheckRow._fields)).astype(dict.fromkeys(NUMBERS, float))
