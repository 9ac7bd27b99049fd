"""Which entry forecasts best: paired differences of the log score; or of leave-one-out scores, without a holdout.

What is sold is money, so entries are compared by the log score of purchases and money together: of each customer the
log probability of the number of held-out purchases plus the log density of their amounts given that number. It is the
log of the mixed density of the whole outcome, and so a strictly proper score of it (Gneiting & Raftery 2007, Journal of
the American Statistical Association 102). Where an entry tells no density of amounts (spend is not modelled, or as a
mean alone), none are compared by it: then the log score of purchases alone decides, which is proper of those only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from clvmodels.errors import DataError, Problem
from clvmodels.metrics.judged import Judged, standard_error
from clvmodels.metrics.log_score import log_probabilities

SMALL_DIFFERENCE = 4.0
"""Differences of the summed log score below it are small, whatever their standard error."""
PURCHASES, PURCHASES_AND_MONEY = "purchases", "purchases and money"
"""What a log score may be of."""
RECOMMENDED, SAME, WORSE = "recommended", "same within noise", "worse"


def compare(judged: Mapping[str, Judged]) -> pd.DataFrame:
    """Compare entries judged on the same holdout, customer by customer.

    The recommended entry has the highest sum of log scores (the first given, on a tie); `compared_by` says of what.
    For each other one, difference = sum_c (log p_entry - log p_best), at most 0, with the standard error
    sqrt(C var_c(difference)): entries find the same customers hard, so the paired error is far below that of two
    sums. "same within noise" where the 90% interval holds 0 or |difference| < 4; else "worse".

    Parameters
    ----------
    judged
        Entry name -> the entry judged; at least one.

    Returns
    -------
    pandas.DataFrame
        A row an entry, best first: entry, difference, se, lower90, lower50, upper50, upper90, verdict. Bounds are
        normal, in units of the log score; NaN for a single customer, whose difference is never called worse.

    Raises
    ------
    DataError
        Without entries; where entries are judged on other customers, counts or windows; or log probabilities are
        absent or not finite.
    """
    _refuse_unlike(judged)
    scores = {}
    with_money = compared_by(judged) == PURCHASES_AND_MONEY
    for name, entry in judged.items():
        # by customer: entries may have them in another order
        scores[name] = pd.Series(log_probabilities(entry), index=entry.futures.customer_id)
        if with_money:
            scores[name] = scores[name] + entry.amounts_log_prob
    return _compared(pd.DataFrame(scores))


def compared_by(judged: Mapping[str, Judged]) -> str:
    """What the log score that entries are compared by is of: purchases, and money too where all of them tell of it."""
    tells_money = (entry.amounts_log_prob is not None for entry in judged.values())
    return PURCHASES_AND_MONEY if all(tells_money) else PURCHASES


def compare_elpd(elpd: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """As `compare`, by the leave-one-out score of each customer's history: of entries fitted to the same customers, by
    densities of the same data.

    Parameters
    ----------
    elpd
        Entry name -> table with `elpd_i`, by customer_id.

    Raises
    ------
    DataError
        Without entries, or where they are of other customers.
    """
    if not elpd:
        raise DataError(Problem("no entries to compare", "compare"))
    scores = pd.DataFrame({name: table["elpd_i"] for name, table in elpd.items()})
    if scores.isna().any(axis=None):
        raise DataError(Problem("entries have scores of other customers", "compare", ", ".join(elpd)))
    return _compared(scores)


def elpd_against(judged: Mapping[str, Judged], reference: str) -> pd.DataFrame | None:
    """How much better each entry predicts the fitted time than the reference, by leave-one-out scores.

    elpd of the histories; and of the amounts, where every entry tells their density. The holdout is one window of time,
    elpd is of all that was fitted: where the two name different entries, that is to be said.

    Returns
    -------
    entry, elpd_difference (positive where it is better), elpd_lower90, elpd_upper90, elpd_disagrees (clearly and by 4
    or more better than the reference); None where an entry has no leave-one-out scores.
    """
    of_histories = {name: entry.elpd for name, entry in judged.items()}
    of_amounts = {name: entry.spend_elpd for name, entry in judged.items() if entry.spend_density_of == "amounts"}
    scores = _elpd_by_entry(of_histories)
    if scores is None:
        return None
    amounts = _elpd_by_entry(of_amounts) if len(of_amounts) == len(judged) else None
    if amounts is not None:
        scores = {name: score + amounts[name] for name, score in scores.items()}
    rows = []
    for name, score in scores.items():
        differences = (score - scores[reference]).to_numpy()
        row = _row(name, differences, name == reference)
        better = row["lower90"] > 0 and row["difference"] >= SMALL_DIFFERENCE
        columns = {f"elpd_{column}": row[column] for column in ("difference", "lower90", "upper90")}
        rows.append({"entry": name, **columns, "elpd_disagrees": better})
    return pd.DataFrame(rows)


def _elpd_by_entry(tables: Mapping[str, pd.DataFrame | None]) -> dict[str, pd.Series] | None:
    """Leave-one-out scores by customer; None where an entry has none."""
    scores = {name: table["elpd_i"] for name, table in tables.items() if table is not None}
    return scores if len(scores) == len(tables) else None


def _compared(scores: pd.DataFrame) -> pd.DataFrame:
    """Paired differences from the column with the highest sum. scores: a row a customer, a column an entry."""
    best = scores.sum().idxmax()
    rows = []
    for name in scores:
        differences = (scores[name] - scores[best]).to_numpy()
        rows.append(_row(str(name), differences, name == best))
    table = pd.DataFrame(rows)
    # stable: on a tie the first given stays first
    return table.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def _row(name: str, differences: np.ndarray, best: bool) -> dict[str, Any]:
    total = float(differences.sum())
    # the difference of the best from itself is sure, of a single customer too
    se = 0.0 if best else standard_error(differences) * len(differences)
    reach90 = float(ndtri(0.95)) * se
    reach50 = float(ndtri(0.75)) * se
    row: dict[str, Any] = {"entry": name, "difference": total, "se": se}
    row |= {"lower90": total - reach90, "lower50": total - reach50}
    row |= {"upper50": total + reach50, "upper90": total + reach90}
    row["verdict"] = RECOMMENDED if best else _verdict(total, total + reach90)
    return row


def _verdict(total: float, upper90: float) -> str:
    """Worse only where the difference is clear and large: standard errors of small differences are too small."""
    if upper90 < 0 and total <= -SMALL_DIFFERENCE:
        return WORSE
    return SAME


def _refuse_unlike(judged: Mapping[str, Judged]) -> None:
    if not judged:
        raise DataError(Problem("no entries to compare", "compare"))
    first, reference = next(iter(judged.items()))
    truth = pd.Series(reference.actual, index=reference.futures.customer_id)
    problems = []
    for name, entry in judged.items():
        actual = pd.Series(entry.actual, index=entry.futures.customer_id)
        if set(actual.index) != set(truth.index):
            problems.append(Problem(f"judged on other customers than {first!r}", f"entry {name!r}"))
            continue
        same_counts = actual.loc[truth.index].equals(truth)
        same_window = entry.holdout.periods == reference.holdout.periods
        if not (same_counts and same_window):
            problems.append(Problem(f"judged on another holdout than {first!r}", f"entry {name!r}"))
    if problems:
        raise DataError(problems)
