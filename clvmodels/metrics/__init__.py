"""How a forecast is judged. A metric takes one entry's forecast beside what came and returns rows of a score table.

To add one: a file with its `Metric`, and its line in the registry below. Entries are compared in `compare.py`.
"""

from __future__ import annotations

from clvmodels.metrics.brier import BRIER
from clvmodels.metrics.coverage import COVERAGE
from clvmodels.metrics.crps import CRPS
from clvmodels.metrics.elpd import ELPD, ELPD_SPEND
from clvmodels.metrics.judged import Headline, Judged, Metric, Row
from clvmodels.metrics.log_score import LOG_SCORE
from clvmodels.metrics.money_scores import (
    LOG_SCORE_MONEY,
    MONEY_CAPTURE,
    MONEY_CRPS,
    MONEY_FIFTHS,
    MONEY_PIT,
    MONEY_TOTAL,
)
from clvmodels.metrics.pit import PIT, randomised_pit
from clvmodels.metrics.point import MAE, RMSE
from clvmodels.metrics.total_purchases import TOTAL_PURCHASES

METRICS: dict[str, Metric] = {
    "total_purchases": TOTAL_PURCHASES,
    "mae": MAE,
    "rmse": RMSE,
    "crps": CRPS,
    "log_score": LOG_SCORE,
    "pit": PIT,
    "coverage": COVERAGE,
    "brier": BRIER,
    "elpd": ELPD,
    "elpd_spend": ELPD_SPEND,
    "money_total": MONEY_TOTAL,
    "money_crps": MONEY_CRPS,
    "money_pit": MONEY_PIT,
    "money_fifths": MONEY_FIFTHS,
    "money_capture": MONEY_CAPTURE,
    "log_score_money": LOG_SCORE_MONEY,
}

__all__ = ["METRICS", "Headline", "Judged", "Metric", "Row", "randomised_pit"]
