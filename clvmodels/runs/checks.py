"""Every check of a run, in one registry; each has a limit and says what follows from a failure.

A check gives rows of result, check, entry, found, limit, consequence, kind. `result` is one of passed, look, failed,
skipped, not applicable; `kind` is sampling, forecast or data. Only a failed sampling check fails the command.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from clvmodels.figures import FIGURES, pit, reliability
from clvmodels.inference import regularity
from clvmodels.inference.posterior import Posterior
from clvmodels.metrics import Judged, randomised_pit
from clvmodels.results.folder import EntryResult, Run


class Row(NamedTuple):
    """One line of the table of checks."""

    result: str
    check: str
    entry: str
    found: str
    limit: str
    consequence: str
    kind: str


def _verdict(passed: bool) -> str:
    return "passed" if passed else "failed"


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "not a number" if np.isnan(value) else f"{value:g}"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{round(value, 3) + 0.0:g}"


def sampling(run: Run) -> Iterator[Row]:
    """The checks that each posterior carries, at the calibration's end and at the date of value; one row a fit."""
    seen: set[int] = set()
    for entry, when in [*((e, "") for e in run.entries.values()), (run.valued, ", at the date of value")]:
        for posterior in entry.posteriors.values():
            if id(posterior.data) in seen:
                continue
            seen.add(id(posterior.data))
            for check in posterior.checks:
                yield _sampling_row(check, posterior, entry, when)


def _sampling_row(check: dict, posterior: Posterior, entry: EntryResult, when: str) -> Row:
    side = "or less" if check["check"] in ("R-hat", "Pareto k-hat", "divergences") else "or more"
    name = f"{check['check']}, {posterior.model.title} by {posterior.method}{when}"
    limit = f"{_number(check['limit'])} {side}"
    return Row(
        _verdict(check["passed"]), name, entry.name, _number(check["found"]), limit, check["consequence"], "sampling"
    )


def held_out_total(run: Run) -> Iterator[Row]:
    """Does the 90% interval of the total hold what came?"""
    for entry, judged in _judged(run):
        totals = judged.futures.purchases.sum(axis=1, dtype=np.int64)
        low, high = np.quantile(totals, (0.05, 0.95))
        actual = int(judged.actual.sum())
        says = "too few" if actual > high else "too many"
        consequence = f"It forecasts {says} purchases of the whole base: do not plan totals with it"
        limit = f"{low:,.0f} to {high:,.0f}"
        name = "Total of held-out purchases in its 90% interval"
        yield Row(_verdict(low <= actual <= high), name, entry.name, f"{actual:,}", limit, consequence, "forecast")


def randomised_pits(run: Run) -> Iterator[Row]:
    """The share of customers whose count lies in the middle 90% of its forecast: 90% give or take 3 points.

    With few customers chance alone does more than that: then what it does in 99 of 100 sound forecasts.
    """
    for entry, judged in _judged(run):
        u = randomised_pit(judged)
        share = float(((u > 0.05) & (u < 0.95)).mean())
        allowed = max(0.03, 2.576 * float(np.sqrt(0.9 * 0.1 / len(u))))
        consequence = f"Ranges of single customers are too {'wide' if share > 0.9 else 'narrow'}"
        limit = f"{0.9 - allowed:.0%} to {min(0.9 + allowed, 1.0):.0%}"
        passed = abs(share - 0.9) <= allowed
        name = "Customers in the middle 90% of their forecast (randomised PIT)"
        yield Row(_verdict(passed), name, entry.name, f"{share:.1%}", limit, consequence, "forecast")


def inside(run: Run) -> Iterator[Row]:
    """Weeks (or opportunities), and groups by past frequency, inside their 90% intervals; the limit is the model's own
    1% quantile."""
    unit = "week" if run.split.customers.time == "continuous" else run.split.customers.time_unit
    single = f"Single {unit}s are forecast worse than their band says"
    names = {
        "tracking": (f"Held-out {unit}s inside the 90% band", single),
        "calibration": ("Groups by past frequency inside their 90% interval", "Some kinds of customers are misjudged"),
    }
    for figure, (name, consequence) in names.items():
        table = FIGURES[figure].table(run)
        row = None if table is None else table[table["kind"] == "inside"]
        if row is None or row.empty:
            yield Row("not applicable", name, run.recommended, "", "", "There is no holdout", "forecast")
            continue
        found, limit, of = (float(row.iloc[0][column]) for column in ("actual", "lower_limit", "of"))
        shown = f"{found:.0f} of {of:.0f}"
        yield Row(
            _verdict(found >= limit), name, run.recommended, shown, f"{limit:.0f} or more", consequence, "forecast"
        )


def bands(run: Run) -> Iterator[Row]:
    """The PIT's curve in its simultaneous band, and the reliability curve in its own on 90% of the range."""
    tables = {name: FIGURES[name].table(run) for name in ("pit", "reliability")}
    names = {
        "pit": "Randomised PIT in its 99% band",
        "reliability": "Reliability of P(at least one purchase) in its 99% band, share of the range",
    }
    for figure, table in tables.items():
        if table is None:
            yield Row("not applicable", names[figure], run.recommended, "", "", "There is no holdout", "forecast")
    if tables["pit"] is not None:
        whole = pit.inside(tables["pit"])
        found = "inside" if whole else "leaves it"
        consequence = "Forecasts of single customers are off in place or width"
        yield Row(_verdict(whole), names["pit"], run.recommended, found, "inside", consequence, "forecast")
    if tables["reliability"] is not None:
        share = reliability.share_inside(tables["reliability"])
        consequence = "Chances of buying again are off where the curve leaves its band"
        shown = f"{share:.0%}"
        name = names["reliability"]
        yield Row(_verdict(share >= 0.9), name, run.recommended, shown, "90% or more", consequence, "forecast")


def loo(run: Run) -> Iterator[Row]:
    """Customers whose leave-one-out score PSIS cannot estimate."""
    for entry in run.entries.values():
        elpd = entry.elpd if entry.judged is None else entry.judged.elpd
        if elpd is None:
            continue
        bad = int((elpd["pareto_k"] > 0.7).sum())
        result = "passed" if bad == 0 else "look"
        so = "entries are compared by it" if entry.judged is None else "the held-out score is not affected"
        consequence = f"Their share of the leave-one-out score is uncertain; {so}"
        yield Row(
            result, "Customers with Pareto k above 0.7 (LOO)", entry.name, f"{bad:,}", "0", consequence, "forecast"
        )


def chosen_k(run: Run) -> Iterator[Row]:
    """Where the regularity of buyers was chosen by elpd: what was tried, and whether the best was the largest."""
    for entry in run.entries.values():
        found = entry.posteriors["purchases"]
        others = regularity.others(found)
        if not others:
            continue
        k, name = found.model.options["k"], "Regularity k of the purchases, by elpd (difference ± its standard error)"
        largest = max(int(tried.removeprefix(regularity.PREFIX)) for tried, _ in others)
        told = "; ".join(": ".join(other).replace(regularity.PREFIX, "").replace("elpd ", "") for other in others)
        consequence = "Buyers may be more regular than the most regular that was tried"
        yield Row(
            "look" if k > largest else "passed",
            name,
            entry.name,
            f"{k} ({told})",
            f"less than {max(k, largest)}, the largest tried",
            consequence,
            "forecast",
        )


def data(run: Run) -> Iterator[Row]:
    """What reading and summarising the data warned of."""
    warnings = dict.fromkeys((*run.split.customers.warnings, *run.value_split.customers.warnings))
    for warning in warnings:
        yield Row("look", warning, "", "", "", "Read how the data was cut before using totals", "data")
    if not warnings:
        yield Row("passed", "Warnings of the data", "", "0", "0", "", "data")


def frequency_and_spend(run: Run) -> Iterator[Row]:
    """Spend is taken as independent of how often a customer buys: the rank correlation of the two says how far off.

    Of the mean amount with frequency, among customers who bought again. To look at where it is beyond 0.1 and its 90%
    interval does not hold 0.
    """
    name, customers = "Rank correlation of frequency and spend", run.split.customers
    if not customers.has_spend:
        yield Row("not applicable", name, "", "", "", "The amounts are not known", "data")
        return
    paid = customers.table[(customers.table["frequency"] > 0) & (customers.table["monetary_value"] > 0)]
    if len(paid) < 4 or paid["frequency"].nunique() < 2 or paid["monetary_value"].nunique() < 2:
        yield Row("not applicable", name, "", "", "", "Too few customers differ in both", "data")
        return
    found = float(paid["frequency"].corr(paid["monetary_value"], method="spearman"))
    lower, upper = correlation_interval(found, len(paid))
    more, low = ("more", "low") if found > 0 else ("less", "high")
    consequence = f"Who buys often pays {more} a purchase, and models take the two as independent: the best are "
    passed = abs(found) <= 0.1 or lower <= 0 <= upper
    shown = f"{_signed(found)} (90%: {_signed(lower)} to {_signed(upper)})"
    limit = "−0.1 to 0.1, or not clearly off 0"
    yield Row("passed" if passed else "look", name, "", shown, limit, f"{consequence}valued too {low}", "data")


def correlation_interval(correlation: float, count: int, level: float = 0.9) -> tuple[float, float]:
    """Interval of a rank correlation by Fisher's z with the standard error sqrt((1 + rho^2 / 2) / (count - 3)).

    Bonett & Wright (2000), Sample size requirements for estimating Pearson, Kendall and Spearman correlations,
    Psychometrika 65(1).
    """
    reach = float(ndtri((1 + level) / 2)) * np.sqrt((1 + correlation**2 / 2) / (count - 3))
    if abs(correlation) >= 1 - 1e-12:
        return correlation, correlation
    return float(np.tanh(np.arctanh(correlation) - reach)), float(np.tanh(np.arctanh(correlation) + reach))


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


CHECKS: dict[str, Callable[[Run], Iterator[Row]]] = {
    "sampling": sampling,
    "held_out_total": held_out_total,
    "inside": inside,
    "randomised_pits": randomised_pits,
    "bands": bands,
    "loo": loo,
    "chosen_k": chosen_k,
    "frequency_and_spend": frequency_and_spend,
    "data": data,
}


def all_checks(run: Run) -> pd.DataFrame:
    """All checks of a run, each in exactly one category; what passed has no consequence."""
    rows = [row for check in CHECKS.values() for row in check(run)]
    told = [row._replace(consequence="") if row.result == "passed" else row for row in rows]
    return pd.DataFrame(told, columns=list(Row._fields))


def sampling_failed(run: Run, allowed: Collection[str] = ()) -> bool:
    """Whether a sampling check failed that is not allowed by the beginning of its name."""
    failed = run.checks[(run.checks["kind"] == "sampling") & (run.checks["result"] == "failed")]
    return any(not name.startswith(tuple(allowed)) if allowed else True for name in failed["check"])


def _judged(run: Run) -> list[tuple[EntryResult, Judged]]:
    return [(entry, entry.judged) for entry in run.entries.values() if entry.judged is not None]
