"""Synthetic tables of a strategy for the figures and the report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.kpis.indicators import COLUMNS, Kpis
from clvmodels.kpis.migration import as_table
from clvmodels.kpis.programmes import COLUMNS as OF_PROGRAMMES
from clvmodels.runs.strategy import COLUMNS as OF_DATES

PERIODS = [f"{year} Q{quarter}" for year in (2024, 2025) for quarter in (1, 2, 3, 4)]
DATES = ["2024-03-31", "2025-03-31", "2025-06-30", "2025-09-30", "2025-12-29"]
LEVELS = {"q5": -1.645, "q25": -0.674, "q50": 0.0, "q75": 0.674, "q95": 1.645}


def fake_kpis(
    count: int,
    groups: list[str],
    rng: np.random.Generator,
    *,
    value: bool = True,
    campaigns: tuple[str, str] = ("voucher", "call"),
) -> Kpis:
    """Eight quarters, the last of them not over; five dates, the first of them left out; one programme refused."""
    nothing = pd.DataFrame()
    told = pd.DataFrame(_told(count, groups, rng, value), columns=list(COLUMNS))
    if not value:
        return Kpis(told, nothing, nothing, nothing)
    return Kpis(told, _moved(count, rng), _programmes(count, campaigns), _dates(count))


def _told(count: int, groups: list[str], rng: np.random.Generator, value: bool) -> list[tuple]:
    rows = []
    labels = [("all", "all"), ("cohort", PERIODS[0]), *(("channel", group) for group in groups)]
    for by, label in labels:
        share = 1.0 if by == "all" else 1 / len(groups)
        for place, period in enumerate(PERIODS):
            whole = period != PERIODS[-1]
            active, new = (round(share * count * f) for f in (0.2 + 0.03 * place, 0.1))
            kept = {
                "customers": share * count * place / 8,
                "new customers": new,
                "active customers": active,
                "retention": np.nan if place == 0 else rng.uniform(0.5, 0.65),
                "purchases": 2 * active,
                "revenue": 90.0 * active,
            }
            if value:
                win, keep = new * rng.uniform(5, 20), active * rng.uniform(3, 6)
                kept |= {"profit": 18.0 * active - 9.0 * new * (8 - place), "spent to win": win, "spent to keep": keep}
            rows += [(period, by, label, kpi, one, np.nan, np.nan, float(active), whole) for kpi, one in kept.items()]
            if value:
                score, wide = rng.normal(10, 8), 100 / np.sqrt(1 + active / 4)
                rows.append((period, by, label, "nps", score, score - wide, score + wide, active // 4, whole))
    return rows


def _moved(count: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    silent, new = 6, 7
    for before in (1, 2, 3, 4, 5, silent, new):
        size = max(1, count // 25) * (8 if before == silent else 1)
        parts = rng.multinomial(size, rng.dirichlet(np.r_[np.ones(5), 6 if before == silent else 3]))
        rows += [(before, now, n) for now, n in zip([1, 2, 3, 4, 5, silent], parts, strict=True) if n]
    found = pd.DataFrame(rows, columns=["from_place", "to_place", "customers"])
    return as_table(found, 5, "profit", "2025 Q2", "2025 Q3", True)


def _programmes(count: int, campaigns: tuple[str, str]) -> pd.DataFrame:
    told = {
        "campaign": campaigns[0],
        "weeks": 13.0,
        "verdict": "tested",
        "reason": "",
        "first_day": "2025-03-03",
        "last_day": "2025-03-03",
        "treatment": count // 6,
        "control": count // 6,
        "balance": 1.1,
        "balance_limit": 3.02,
    }
    sizes = {
        "profit, treatment": (3.1, 0.2),
        "profit, control": (2.0, 0.2),
        "effect": (1.1, 0.3),
        "gain": (0.2, 0.3),
        "roi": (0.22, 0.3),
    }
    rows = [told | {"of": of, "value": m} | {q: m + z * sd for q, z in LEVELS.items()} for of, (m, sd) in sizes.items()]
    rows += [told | {"of": "cost", "value": 0.9}, told | {"of": "P(roi > 0)", "value": 0.73}]
    rows.append(
        {
            "campaign": campaigns[1],
            "weeks": 13.0,
            "verdict": "refused",
            "treatment": 0,
            "control": 0,
            "reason": "no row tells an arm: its customers were chosen, not dealt by chance",
        }
    )
    return pd.DataFrame(rows, columns=list(OF_PROGRAMMES))


def _dates(count: int) -> pd.DataFrame:
    rows = [
        {"date": DATES[0], "customers": 80, "repeat_purchases": 12, "left_out": "80 customers: at least 100 are needed"}
    ]
    for place, date in enumerate(DATES[1:]):
        known = count * (place + 5) // 8
        for kind, wide in (("expected", 0.05), ("realised", 0.09)):
            for of, size in (("total", 40.0 * known), ("customer", 40.0)):
                at = {"date": date, "kind": kind, "of": of, "customers": known, "repeat_purchases": 4 * known}
                level = {q: size * (1 + z * wide) for q, z in LEVELS.items()}
                note = "failed: R-hat" if place == 1 else ""
                rows.append(at | level | {"left_out": "", "note": note})
    return pd.DataFrame(rows, columns=list(OF_DATES))
