"""The family of figures. Each computes its table in the run, and draws and describes it from that table alone.

To add one: a file with its `Figure`, and its line in the registry below, which is in the report's order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from clvmodels.errors import DataError, Problem, unknown
from clvmodels.figures import (
    backtests,
    calibration,
    checks,
    concentration,
    data_cleaning,
    group_effects,
    kpi_base_value,
    kpi_migration,
    kpi_programmes,
    kpi_satisfaction,
    kpi_trend,
    kpi_win_keep,
    leaving,
    losses,
    model_comparison,
    money_capture,
    money_fifths,
    money_pit,
    money_total,
    origins,
    p_alive,
    parameters,
    payback,
    pit,
    prior_posterior,
    reliability,
    revenue_profit,
    rolling_origins,
    scores,
    top_odds,
    total_value,
    tracking,
    value_parts,
    value_ranking,
)
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clvmodels.results.folder import About, Run

FIGURES: dict[str, Figure] = {
    "total_value": total_value.FIGURE,
    "value_parts": value_parts.FIGURE,
    "losses": losses.FIGURE,
    "concentration": concentration.FIGURE,
    "top_odds": top_odds.FIGURE,
    "value_ranking": value_ranking.FIGURE,
    "revenue_profit": revenue_profit.FIGURE,
    "leaving": leaving.FIGURE,
    "p_alive": p_alive.FIGURE,
    "payback": payback.FIGURE,
    "kpi_base_value": kpi_base_value.FIGURE,
    "kpi_trend": kpi_trend.FIGURE,
    "kpi_win_keep": kpi_win_keep.FIGURE,
    "kpi_migration": kpi_migration.FIGURE,
    "kpi_satisfaction": kpi_satisfaction.FIGURE,
    "kpi_programmes": kpi_programmes.FIGURE,
    "tracking": tracking.FIGURE,
    "calibration": calibration.FIGURE,
    "reliability": reliability.FIGURE,
    "pit": pit.FIGURE,
    "money_total": money_total.FIGURE,
    "money_fifths": money_fifths.FIGURE,
    "money_pit": money_pit.FIGURE,
    "money_capture": money_capture.FIGURE,
    "backtests": backtests.FIGURE,
    "rolling_origins": rolling_origins.FIGURE,
    "model_comparison": model_comparison.FIGURE,
    "scores": scores.FIGURE,
    "data_cleaning": data_cleaning.FIGURE,
    "origins": origins.FIGURE,
    "prior_posterior": prior_posterior.FIGURE,
    "group_effects": group_effects.FIGURE,
    "parameters": parameters.FIGURE,
    "checks": checks.FIGURE,
}

__all__ = ["FIGURES", "Figure", "Numbers", "Words", "plot"]


def plot(
    name: str, run: Run | pd.DataFrame | tuple[pd.DataFrame, ...], about: About | None = None, *, width: int = 688
) -> Axes:
    """Draw one figure outside a report.

    Parameters
    ----------
    name
        A key of `FIGURES`.
    run
        A run, or the figure's own table, or its several tables, as a results folder holds them (then `about` is
        needed).
    about
        What the run is; by default the run's own.
    width
        In pixels: 688 or 328.

    Returns
    -------
    matplotlib.axes.Axes
        The first axes of the drawing; `axes.figure` is the whole. In a notebook the drawing shows itself.

    Raises
    ------
    DataError
        An unknown figure, one that is a table, or one that the run has no results for.
    """
    if name not in FIGURES:
        raise DataError(unknown("figure", name, FIGURES))
    figure = FIGURES[name]
    if figure.draw is None:
        raise DataError(
            Problem(f"'{name}' is a table, not a drawing", known="Read FIGURES[name].numbers(table, about)")
        )
    if isinstance(run, (pd.DataFrame, tuple)):
        table: Any = run
    else:
        table = figure.table(run)
        about = run.about if about is None else about
    if table is None or about is None:
        missing = "no results for it in this run" if table is None else "a table alone needs `about`, what the run is"
        raise DataError(Problem(missing, f"figure '{name}'"))
    return _shown(figure.draw(table, about, width)).axes[0]


def _shown(canvas):
    """Hand the drawing to pyplot, which shows it below the cell; on white, since its ink is dark."""
    import matplotlib.pyplot as plt

    canvas.set_facecolor("#ffffff")
    return plt.figure(canvas)
