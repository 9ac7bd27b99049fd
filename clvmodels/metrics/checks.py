"""Every check of a run, in one registry: what it is called, what follows from a failure, and what to do then.

A check gives a row of numbers (`check_rows.py`): what was found and the limits it is held against. Words are made from
that row, here and nowhere else, and nothing is ever read back from them. Which parts of a run a check is put to is said
in `runs/checks.py`. To add one: its `Check` in the registry, a function that gives its row, and its line there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from clvmodels import words

RESULTS = ("failed", "look", "passed", "skipped", "not applicable")
"""What can come of a check, the worst first; every check is in exactly one of them."""
WITH_NUMBERS = ("failed", "look", "passed")
"""Those of a check that was made."""
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


def as_table(rows: Sequence[CheckRow]) -> pd.DataFrame:
    """The table of checks, as a run stores it."""
    table = pd.DataFrame(rows, columns=list(CheckRow._fields))
    return table.astype(dict.fromkeys(NUMBERS, float))


class Check(NamedTuple):
    """A member of the registry. `kind` is sampling, forecast or data; only a failed sampling check fails the command.

    `title` and `consequence` may have {gaps} for what differs from row to row. `value_text` and `limit_text` tell the
    row's numbers in words.
    """

    code: str
    kind: str
    title: str
    consequence: str
    remedy: str
    value_text: Callable[[Any], str]
    limit_text: Callable[[Any], str]

    def row(self, result: str, gaps: Mapping[str, str] | None = None, **numbers: Any) -> CheckRow:
        """A row of this check with that result."""
        gaps = gaps or {}
        title = self.title.format_map(gaps)
        row = CheckRow(self.code, self.kind, result, title, **numbers)
        if result == "passed":
            return row
        consequence, remedy = self.consequence.format_map(gaps), self.remedy
        if "{policy}" in remedy:
            remedy = remedy.format_map(gaps)
        return row._replace(consequence=consequence, remedy=remedy)

    def not_applicable(self, reason: str, gaps: Mapping[str, str] | None = None) -> CheckRow:
        """A row that says why the check could not be made."""
        title = self.title.format_map(gaps or {})
        return CheckRow(self.code, self.kind, "not applicable", title, consequence=reason)


def value_and_limit(row: Any) -> tuple[str, str]:
    """What was found and its limit, in words; both empty where the check was not made."""
    if row.result not in WITH_NUMBERS:
        return "", ""
    check = CHECKS[row.code]
    return check.value_text(row), check.limit_text(row)


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


def _count(row: Any) -> str:
    return words.count(row.value)


def _count_of(row: Any) -> str:
    return f"{words.count(row.value)} of {words.count(row.of)}"


def _count_of_with_note(row: Any) -> str:
    has_note = isinstance(row.note, str) and row.note  # what is empty is not known, once it was stored
    return f"{_count_of(row)} ({words.label(row.note, 60)})" if has_note else _count_of(row)


def _count_at_most(row: Any) -> str:
    return words.count(row.at_most)


def _counts_between(row: Any) -> str:
    return f"{words.count(row.at_least)} to {words.count(row.at_most)}"


def _share(row: Any) -> str:
    return f"{row.value:.1%}"


def _shares_between(row: Any) -> str:
    ends = (f"{100 * end:.1f}".removesuffix(".0") for end in (row.at_least, row.at_most))
    return "% to ".join(ends) + "%"


def _whole_share(row: Any) -> str:
    return f"{row.value:.0%}"


def _whole_share_or_more(row: Any) -> str:
    return f"{row.at_least:.0%} or more"


def _inside_or_not(row: Any) -> str:
    return "leaves it" if row.value else "inside"


def _inside(row: Any) -> str:
    return "inside"


def _k_and_others(row: Any) -> str:
    return f"{words.count(row.value)} ({words.label(row.note, 60)})"


def _below_largest_k(row: Any) -> str:
    return f"less than {words.count(row.at_most + 1)}, the largest tried"


def _correlation(row: Any) -> str:
    correlation = words.number(row.value, 0.01)
    lower = words.number(row.lower, 0.01)
    upper = words.number(row.upper, 0.01)
    return f"{correlation} (90%: {lower} to {upper})"


def _near_zero(row: Any) -> str:
    return "−0.1 to 0.1, or not clearly off 0"


def _nothing(row: Any) -> str:
    return ""


# ---------------------------------------------------------------------------------------------- the registry

FIT = ", {model} by {method}{when}"
"""What a sampling check was put to."""
SAMPLE_LONGER = "Sample longer (draws)"
SIMPLIFY = "Sample longer (draws, tune, chains), give stronger priors, or choose a model with fewer parameters"
USE_NUTS = "Use method: nuts"
READ_AS_ROUGH = "Read ranges of single customers as rough, or choose an entry whose ranges hold"
READ_THE_CURVE = "Compare the curve's shape: a valley is too low a forecast, a hill too high, a wave too narrow ranges"
ASK_WHAT_CHANGED = "Ask what changed for all customers at once (a season, a campaign, prices)"


def _of_a_fit(code: str, name: str, remedy: str, limit_text: Callable[[Any], str]) -> Check:
    """A sampling check: the posterior that carries it says what follows."""
    return Check(code, "sampling", name + FIT, "{consequence}", remedy, _number, limit_text)


_MEMBERS = (
    _of_a_fit("rhat", "R-hat", SIMPLIFY, _or_less),
    _of_a_fit("bulk_ess", "bulk ESS", SAMPLE_LONGER, _or_more),
    _of_a_fit("tail_ess", "tail ESS", SAMPLE_LONGER, _or_more),
    _of_a_fit("divergences", "divergences", SIMPLIFY, _or_less),
    _of_a_fit("pareto_k_hat", "Pareto k-hat", USE_NUTS, _or_less),
    _of_a_fit("importance_ess", "importance ESS", USE_NUTS, _or_more),
    _of_a_fit("maximum_found", "maximum found", "Use a method with priors: laplace or nuts", _or_more),
    Check(
        code="held_out_total",
        kind="forecast",
        title="Total of held-out purchases in its 90% interval",
        consequence="It forecasts {too} purchases of the whole base: do not plan totals with it",
        remedy=ASK_WHAT_CHANGED + "; try another regularity k",
        value_text=_count,
        limit_text=_counts_between,
    ),
    Check(
        code="periods_inside",
        kind="forecast",
        title="Held-out {unit}s inside the 90% band",
        consequence="Single {unit}s are forecast worse than their band says",
        remedy="Plan with sums over more {unit}s; give the model the calendar that customers share",
        value_text=_count_of,
        limit_text=_or_more,
    ),
    Check(
        code="groups_inside",
        kind="forecast",
        title="Groups by past frequency inside their 90% interval",
        consequence="Some kinds of customers are misjudged",
        remedy="See which groups: a model whose rates or lifetimes vary otherwise may judge them better",
        value_text=_count_of,
        limit_text=_or_more,
    ),
    Check(
        code="pit_share",
        kind="forecast",
        title="Customers in the {end} 5% of their forecast (randomised PIT)",
        consequence="Ranges of single customers are missed too {often} at their {end} end",
        remedy=READ_AS_ROUGH,
        value_text=_share,
        limit_text=_shares_between,
    ),
    Check(
        code="pit_groups",
        kind="forecast",
        title="Groups by past frequency whose randomised PIT is in its 99% band",
        consequence="Forecasts of single customers are off in place or width in some groups",
        remedy=READ_AS_ROUGH,
        value_text=_count_of,
        limit_text=_or_more,
    ),
    Check(
        code="pit_band",
        kind="forecast",
        title="Randomised PIT in its 99% band",
        consequence="Forecasts of single customers are off in place or width",
        remedy=READ_THE_CURVE,
        value_text=_inside_or_not,
        limit_text=_inside,
    ),
    Check(
        code="money_total",
        kind="forecast",
        title="Held-out {money} in its 90% interval",
        consequence="What came was {bias} the forecast: do not plan {money} with it",
        remedy=ASK_WHAT_CHANGED,
        value_text=_count,
        limit_text=_counts_between,
    ),
    Check(
        code="money_crps",
        kind="forecast",
        title="Mean distance of a customer's {money} from its forecast (CRPS)",
        consequence="Single customers bring other sums than their forecasts expect of themselves",
        remedy=READ_AS_ROUGH,
        value_text=_number,
        limit_text=_or_less,
    ),
    Check(
        code="money_pit",
        kind="forecast",
        title="Randomised PIT of customers' {money} in its 99% band",
        consequence="Forecasts of what a single customer brings are off in place or width",
        remedy=READ_THE_CURVE,
        value_text=_inside_or_not,
        limit_text=_inside,
    ),
    Check(
        code="money_pit_share",
        kind="forecast",
        title="Customers whose {money} is in the {end} 5% of its forecast",
        consequence="Ranges of what a customer brings are missed too {often} at their {end} end",
        remedy=READ_AS_ROUGH,
        value_text=_share,
        limit_text=_shares_between,
    ),
    Check(
        code="money_fifths",
        kind="forecast",
        title="Fifths of customers by forecast {money} inside their 90% interval",
        consequence="Customers of high or of low forecast bring more or less than was forecast of them",
        remedy="See which fifths: spend, margin or returns may go with how often a customer buys",
        value_text=_count_of_with_note,
        limit_text=_or_more,
    ),
    Check(
        code="money_capture",
        kind="forecast",
        title="Share of held-out {money} that the {top} brought who were forecast best",
        consequence="The best by forecast hold {more} of what comes than the forecast says",
        remedy="Take the share that came as what targeting the best reaches",
        value_text=_share,
        limit_text=_shares_between,
    ),
    Check(
        code="best_named",
        kind="forecast",
        title="Of the {top} forecast best by {money}, customers who were among those that brought most",
        consequence="Fewer of the customers named as the best are than the forecast says: do not rely on single names",
        remedy="Act on larger groups than the best, or on those whose places are surest",
        value_text=_count_of,
        limit_text=_or_more,
    ),
    Check(
        code="covariate_leans",
        kind="forecast",
        title="Share of held-out purchases that customers of higher {covariate} made",
        consequence="What came goes with {covariate} {less} than the forecast does: {so}",
        remedy="Take it as of a day before the observed window, or leave it out",
        value_text=_share,
        limit_text=_shares_between,
    ),
    Check(
        code="reliability_band",
        kind="forecast",
        title="Reliability of P(at least one purchase) in its 99% band, share of the range",
        consequence="Chances of buying again are off where the curve leaves its band",
        remedy="Read chances of buying again as an order, not as numbers, where the curve leaves its band",
        value_text=_whole_share,
        limit_text=_whole_share_or_more,
    ),
    Check(
        code="loo_pareto_k",
        kind="forecast",
        title="Customers with Pareto k above 0.7 (LOO)",
        consequence="Their share of the leave-one-out score is uncertain; {so}",
        remedy="Compare entries on held-out purchases",
        value_text=_count,
        limit_text=_count_at_most,
    ),
    Check(
        code="elpd_agrees",
        kind="forecast",
        title="How much better another entry predicts the fitted time (elpd)",
        consequence="{other} predicts the fitted time better than the entry that forecast the holdout best: one window "
        "of time decided",
        remedy="Hold out another window too, and see which of the two is right there",
        value_text=_number,
        limit_text=_or_less,
    ),
    Check(
        code="chosen_k",
        kind="forecast",
        title="Regularity k of the purchases, by elpd (difference ± its standard error)",
        consequence="Buyers may be more regular than the most regular that was tried",
        remedy="Try larger k",
        value_text=_k_and_others,
        limit_text=_below_largest_k,
    ),
    Check(
        code="part_share",
        kind="forecast",
        title="Share of revenue in the forecast beside the last year's accounts: {part}",
        consequence="The forecast has {side} of {part} in each sum of revenue than the last year had: rates that go "
        "with spend, or that have changed, are not in it",
        remedy="Let the rate differ by a group that tells high spend apart, or state what has changed",
        value_text=_share,
        limit_text=_shares_between,
    ),
    Check(
        code="cohorts",
        kind="forecast",
        title="Cohorts that are to bring more a year than they brought in the last",
        consequence="Customers leave and none joins a cohort: such a forecast is hardly met",
        remedy="See whether purchases grew with a season or a campaign; give the model the calendar of all customers",
        value_text=_count_of_with_note,
        limit_text=_count_at_most,
    ),
    Check(
        code="payback_past",
        kind="forecast",
        title="Channels whose past customers made what is told of new ones",
        consequence="What new customers are said to be worth is off from what past ones made: do not pay by it",
        remedy="See which channels, and whether their customers, prices or costs have changed",
        value_text=_count_of_with_note,
        limit_text=_or_more,
    ),
    Check(
        code="frequency_and_spend",
        kind="data",
        title="Rank correlation of frequency and spend",
        consequence="Who buys often pays {amount} a purchase, and models take the two as independent: "
        "the best are valued too {value}",
        remedy="Use a joint model of purchases and spend, where there is one, or read the best customers' values as "
        "biased",
        value_text=_correlation,
        limit_text=_near_zero,
    ),
    Check(
        code="data_doubt",
        kind="data",
        title="{what}",
        consequence="{effect}",
        remedy="{policy}",
        value_text=_count_of,
        limit_text=_count_at_most,
    ),
    Check(
        code="data_warning",
        kind="data",
        title="{warning}",
        consequence="Read how the data was cut before using totals",
        remedy="Decide by the policies of the data section",
        value_text=_nothing,
        limit_text=_nothing,
    ),
    Check(
        code="no_data_warnings",
        kind="data",
        title="Warnings of the data",
        consequence="",
        remedy="",
        value_text=_count,
        limit_text=_count_at_most,
    ),
)
CHECKS: dict[str, Check] = {check.code: check for check in _MEMBERS}
SAMPLING_CODES = {check.title.removesuffix(FIT): check.code for check in _MEMBERS if check.kind == "sampling"}
"""Codes of the sampling checks by the names that posteriors carry and that an experiment may allow."""
BOUNDED_ABOVE = ("rhat", "divergences", "pareto_k_hat")
"""Sampling checks whose number must not be larger than its limit; those of the others must not be smaller."""
