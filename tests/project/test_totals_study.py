"""The study of totals: its summary by hand, and what its simulated companies are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PATH = Path(__file__).parents[2] / "experiments" / "totals" / "run.py"
SPEC = importlib.util.spec_from_file_location("totals_study", PATH)
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(study)


def row(data: str, totals: str, actual: float, half: float, quantity: str = "purchases") -> dict:
    """A forecast of 100 with a 90% interval of twice `half`, and one of half of that at 50%; its score is the width."""
    quantiles = {"q5": 100 - half, "q25": 100 - half / 2, "q75": 100 + half / 2, "q95": 100 + half}
    keys = {"data": data, "quantity": quantity, "totals": totals, "actual": actual}
    return keys | quantiles | {"interval_score": 2 * half}


def test_the_summary_is_of_each_data_set_and_of_all_real_ones():
    rows = [row(data, "plain", 110.0, 5.0) for data in ("a", "b", "simulated, omega 0")]
    rows += [row(data, "backtested", 110.0, 15.0) for data in ("a", "b", "simulated, omega 0")]
    rows += [row("a", totals, 100.0, 5.0, "spend") for totals in ("plain", "backtested")]
    found = study.summary(pd.DataFrame(rows)).set_index(["data", "kind", "totals"])
    assert found.loc[("a", "purchases", "plain"), "holds_90"] == 0
    assert found.loc[("a", "purchases", "backtested"), ["holds_90", "holds_50"]].tolist() == [1, 0]
    assert found.loc[("a", "purchases", "backtested"), "width"] == pytest.approx(30 / 110)
    assert found.loc[("a", "money", "plain"), "holds_50"] == 1
    pooled = found.loc[("all but simulated bases", "all", "plain")]
    assert pooled["cases"] == 3 and pooled["holds_90"] == pytest.approx(1 / 3)
    page = study.readme(found.reset_index(), {"commit": "c", "seconds": 3.0})
    assert "| a | purchases | 1 | 0% | 100% | 0% | 0% | 0.09 | 0.27 |" in page
    assert "donations: no origins." in page


def test_weeks_are_poisson_about_their_trend_unless_factors_are_shared():
    """Variance over mean of 51 weeks about a quadratic trend, mean of four companies: 1 of a Poisson (less what the
    trend takes, 3 of 51), with a standard error of 0.1; 1 + 24 x 0.09 at most of factors with an omega of 0.3."""
    dispersion = {omega: np.mean([_dispersion(omega, seed) for seed in range(1, 5)]) for omega in (0.0, 0.3)}
    assert 0.7 < dispersion[0.0] < 1.25
    assert 1.5 < dispersion[0.3] < 3.5


def _dispersion(omega: float, seed: int) -> float:
    orders = study.simulated(omega, seed)
    assert not orders.duplicated().any()
    weeks = (pd.to_datetime(orders["date"]) - pd.Timestamp("2024-01-01")).dt.days // 7
    counts = weeks[weeks.between(30, 80)].value_counts().reindex(range(30, 81), fill_value=0).to_numpy(dtype=float)
    place = np.arange(len(counts))
    trend = np.polyval(np.polyfit(place, counts, 2), place)
    return float(((counts - trend) ** 2 / trend).mean())
