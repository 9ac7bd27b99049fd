"""The rows of the checks of money; what each kind of money is called in them.

As `check_rows.py` for purchases; which parts of a run each is put to is said in `runs/checks.py`.
"""

from __future__ import annotations

import math

import numpy as np

from clvmodels.metrics.bands import HIGH, LOW, ONE_SIDED
from clvmodels.metrics.check_rows import counted, decided, in_band, tails
from clvmodels.metrics.checks import CHECKS, CheckRow
from clvmodels.metrics.money import TOP_SHARES, Money

TOPS = {0.1: "tenth", 0.2: "fifth"}
BEST = 0.2
"""The share of the customers whose names are held against who turned out best."""


def money_total(money: Money) -> CheckRow:
    """Does the 90% interval of the total hold what came?"""
    low, high = money.total["q5"], money.total["q95"]
    gaps = {"money": money.name, "bias": bias(money.actual_total, money.total["q50"])}
    result = decided(money.side_of_total == "inside")
    return CHECKS["money_total"].row(result, gaps, value=money.actual_total, at_least=low, at_most=high)


def bias(actual: float, forecast: float) -> str:
    """How far what came lies from the middle of its forecast, in words: `43% above`."""
    side = "above" if actual > forecast else "below"
    if forecast <= 0:  # a share of nothing, or of a loss, says nothing
        return side
    return f"{abs(actual / forecast - 1):.0%} {side}"


def of_customers(money: Money) -> list[CheckRow]:
    """All checks of what single customers bring."""
    return [money_crps(money), money_pit(money), *money_pit_shares(money), *money_capture(money), *best_named(money)]


def money_crps(money: Money) -> CheckRow:
    """Is the mean CRPS no larger than in 99 of 100 of the model's own futures?"""
    most = float(np.quantile(money.own_crps, 0.99))
    mean = float(money.crps.mean())
    return CHECKS["money_crps"].row(decided(mean <= most), {"money": money.name}, value=mean, at_most=most)


def money_pit(money: Money) -> CheckRow:
    """Does the whole curve of the randomised PIT stay in its simultaneous band?"""
    return in_band("money_pit", money.pit_curve, {"money": money.name})


def money_pit_shares(money: Money) -> list[CheckRow]:
    """Shares of customers beyond each end of their forecast; see `check_rows.tails`."""
    return tails("money_pit_share", money.pit, {"money": money.name})


def money_fifths(money: Money) -> CheckRow:
    """Fifths of customers by forecast inside their 90% interval; the limit is the model's own 1% quantile of that. None
    may lie farther off than chance takes any of them in 99 of 100 sound forecasts."""
    fifths, gaps = money.fifths, {"money": money.name}
    if fifths.beyond <= 1.0:
        return counted("money_fifths", fifths.inside, gaps)
    inside = fifths.inside
    note = f"one {fifths.beyond:.1f} times as far off as by chance"
    if math.isinf(fifths.beyond):
        note = "one where no draw lies"
    numbers = {"value": inside.actual, "of": inside.of, "at_least": inside.lower_limit}
    return CHECKS["money_fifths"].row("failed", gaps, **numbers, note=note)


def money_capture(money: Money) -> list[CheckRow]:
    """Do the best by forecast bring the share of all money that the model itself says, in 99 of 100 of its futures?"""
    check = CHECKS["money_capture"]
    rows = []
    for share in TOP_SHARES:
        gaps = {"money": money.name, "top": TOPS[share], "more": ""}
        if not money.has_shares:
            rows.append(check.not_applicable("Shares of a total that may be 0 or less say nothing", gaps))
            continue
        captured = money.capture(share)
        low, high = map(float, np.quantile(captured.draws, (LOW, HIGH)))
        gaps["more"] = "more" if captured.actual > high else "less"
        result = decided(low <= captured.actual <= high)
        rows.append(check.row(result, gaps, value=captured.actual, at_least=low, at_most=high))
    return rows


def best_named(money: Money) -> list[CheckRow]:
    """Were as many of those who were forecast best among the best as in all but 1% of the model's own futures?

    Of the fifth, whose names a report lists: it says who surely belongs there by what customers are worth, and this is
    what a holdout can tell of that, luck included.
    """
    if not (money.actual > 0).any():
        return []
    named = money.named(BEST)
    least = float(np.quantile(named.draws, ONE_SIDED, method="lower"))
    gaps = {"money": money.name, "top": TOPS[BEST]}
    result = decided(named.actual >= least)
    return [CHECKS["best_named"].row(result, gaps, value=named.actual, of=named.size, at_least=least)]
