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
}

__all__ = ["METRICS", "Headline", "Judged", "Metric", "Row", "randomised_pit"]
