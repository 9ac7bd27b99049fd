"""Rolling origins and earlier forecasts: rows that can be worked out on paper, and those of a fake run."""

from __future__ import annotations

import pandas as pd

from clvmodels.metrics.discrepancy import OF_RATES, OF_TOTALS, Discrepancy, Learned, Window
from clvmodels.metrics.interval_score import interval_score
from clvmodels.results.folder import Rolling

SPREADS = {"q5": -1.0, "q25": -0.4, "q50": 0.0, "q75": 0.4, "q95": 1.0}
"""Quantiles of a forecast, in units of half of its 90% interval."""


def row(
    origin: str, until: str, actual: float, middle: float, half: float, totals: str = "plain", **changed: object
) -> dict[str, object]:
    """A total beside its forecast: `middle`, and `half` of the width of its 90% interval."""
    forecast = {name: middle + place * half for name, place in SPREADS.items()}
    low, high = forecast["q5"], forecast["q95"]
    side = "above" if actual > high else "below" if actual < low else "inside"
    weeks = (pd.Timestamp(until) - pd.Timestamp(origin)).days / 7
    keys = {"entry": "pareto", "label": "Pareto/NBD, by channel", "quantity": "purchases", "totals": totals}
    score = {"side": side, "interval_score": interval_score(low, high, actual, 0.9)}
    days = {"origin": origin, "until": until, "holdout": weeks}
    return keys | {"actual": actual} | forecast | score | days | changed


def rolling(*rows: dict[str, object]) -> Rolling:
    return Rolling(pd.DataFrame(), pd.DataFrame(list(rows)))


def fake_rolling(origins: int = 9) -> Rolling:
    """Two entries, purchases and spend, two holdouts, from every eighth week on."""
    rows = []
    end = pd.Timestamp("2025-12-29")
    for place in range(origins):
        origin = end - pd.Timedelta(weeks=13 + 4 * (origins - 1 - place))
        for weeks in (13, (end - origin).days // 7):
            days = (origin.date().isoformat(), (origin + pd.Timedelta(weeks=weeks)).date().isoformat())
            for entry, label in (("pareto", "Pareto/NBD, by channel"), ("bg", "BG/NBD")):
                for quantity, unit in (("purchases", 1.0), ("spend", 48.0)):
                    actual = 80.0 * weeks * unit * (1 + 0.03 * (place - 4))
                    names = {"entry": entry, "label": label, "quantity": quantity}
                    rows.append(row(*days, actual, 80.0 * weeks * unit, 3.0 * weeks * unit, **names))
    return rolling(*rows)


END = pd.Timestamp("2025-06-30")


def windows(ratios: dict[str, float], end: pd.Timestamp = END, sd: float = 0.1) -> tuple[Window, ...]:
    """By first day, what came over what was forecast up to the end."""
    return tuple(Window(pd.Timestamp(day), end, 1000.0 * ratio, 1000.0, sd**2) for day, ratio in ratios.items())


def fake_learned() -> Learned:
    """Four earlier forecasts of purchases and of spend per purchase, and what follows from the priors."""
    days = ("2025-03-31", "2025-04-28", "2025-05-19", "2025-06-09")
    of_totals = windows(dict(zip(days, (1.3, 1.2, 1.05, 0.95), strict=True)))
    of_rates = windows(dict(zip(days, (1.0, 0.98, 1.02, 1.01), strict=True)), sd=0.03)
    return Learned({"purchases": Discrepancy(OF_TOTALS, of_totals), "spend": Discrepancy(OF_RATES, of_rates)})
