"""Verdicts over stored ranks: each quantity's distribution of ranks inside its band, and a picture of them all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from scipy import stats

from clvmodels.metrics.bands import uniform_band as band

matplotlib.use("svg")
import matplotlib.pyplot as plt

PLACES = np.linspace(0.0, 1.0, 101)
FALSE_ALARM = 0.01
"""Chance that a calibrated model fails in any of its quantities."""
NOMINAL = 0.9
"""Of the intervals that are counted: between the places 0.05 and 0.95."""
FEWEST_INTERVALS = 100
"""Of fewer seeds a count of intervals says next to nothing, and ranks alone are judged."""
TITLE = "Blue: population parameters. Brown: customers' own variables. Grey: chance alone, 99%."


def surplus(ranks: np.ndarray) -> np.ndarray:
    """Share of ranks up to each place, less the place."""
    return np.searchsorted(np.sort(ranks), PLACES, side="right") / len(ranks) - PLACES


@cache
def _band(size: int, level: float = 0.99) -> tuple[np.ndarray, np.ndarray]:
    return band(size, PLACES[1:-1], level)


def judge(rows: pd.DataFrame, seeds: int, intervals: bool = True) -> pd.DataFrame:
    """One row a quantity: seeds, refusals, whether its ranks are in the band, and 90% intervals that hold.

    The own variables of the watched customers make one row by name: each customer's ranks have to be in the band, and
    of the intervals the fewest that hold are told. `intervals`: the number of a population quantity's intervals that
    hold is judged, too, by the binomial band of the same level.
    """
    kind = rows["quantity"].str.replace(r" of c\d+$", " of customers", regex=True)
    # The bands of all quantities together are left by chance no more often than FALSE_ALARM says.
    level = 1.0 - FALSE_ALARM / rows["quantity"].nunique()
    verdicts = [_verdict(str(name), of_kind, level) for name, of_kind in rows.groupby(kind, sort=False)]
    table = pd.DataFrame(verdicts, columns=["quantity", "seeds", "refused", "in_band", "held"])
    complete = table["seeds"] == seeds
    if not intervals or seeds < FEWEST_INTERVALS:
        return table.assign(passed=complete & table["in_band"])
    of_customers = table["quantity"].str.endswith(" of customers")
    well_held = table["held"].between(*stats.binom.interval(level, seeds, NOMINAL))
    return table.assign(passed=complete & table["in_band"] & (well_held | of_customers))


def _verdict(name: str, rows: pd.DataFrame, level: float) -> tuple[str, int, int, bool, int]:
    """Seeds, refusals, whether every curve of ranks lies in its band, and the fewest 90% intervals that hold."""
    quantities = [quantity for _, quantity in rows.groupby("quantity")]
    in_band = all(_in_band(quantity["rank"].to_numpy(), level) for quantity in quantities)
    held = [quantity["rank"].between(0.05, 0.95).sum() for quantity in quantities]
    refused = rows.loc[rows["refused"] != "", "seed"].nunique()
    return name, rows["seed"].nunique(), refused, in_band, int(min(held))


def _in_band(ranks: np.ndarray, level: float) -> bool:
    low, high = _band(len(ranks), level)
    curve = surplus(ranks)[1:-1] + PLACES[1:-1]
    return bool(np.all((curve >= low - 1e-9) & (curve <= high + 1e-9)))


def verdicts(
    folder: Path,
    runs: Mapping[str, tuple[pd.DataFrame, int]],
    must_fail: Collection[str],
    intervals: bool = True,
    title: str = TITLE,
) -> pd.DataFrame:
    """Judge rows of ranks against the seeds that they should have, by study; write summary.csv and calibration.svg."""
    tables = {name: judge(rows, seeds, intervals) for name, (rows, seeds) in runs.items()}
    table = pd.concat(tables, names=["study"]).droplevel(1).reset_index()
    failed = ~table.groupby("study")["passed"].transform("all")
    table["as_expected"] = np.where(table["study"].isin(must_fail), failed, table["passed"])
    table.to_csv(folder / "summary.csv", index=False)
    draw({name: rows for name, (rows, _) in runs.items()}, folder / "calibration.svg", title)
    return table


def draw(all_rows: Mapping[str, pd.DataFrame], path: Path, title: str = TITLE) -> None:
    """A panel a study: surplus of ranks for every quantity, in the 99% band of one of them."""
    columns = 3
    lines = -(-len(all_rows) // columns)
    with plt.rc_context({"svg.hashsalt": "calibration", "font.size": 8}):
        figure, panels = plt.subplots(
            lines, columns, figsize=(9, 2.2 * lines), sharex=True, sharey=True, squeeze=False, layout="constrained"
        )
        for panel in panels.ravel()[len(all_rows) :]:
            panel.set_axis_off()
        for panel, (name, rows) in zip(panels.ravel(), all_rows.items(), strict=False):
            seeds = rows["seed"].nunique()
            low, high = _band(seeds)
            inner = PLACES[1:-1]
            panel.fill_between(inner, low - inner, high - inner, color="0.85", linewidth=0)
            for quantity, ranks in rows.groupby("quantity", sort=False)["rank"]:
                own = " of " in str(quantity)
                panel.plot(PLACES, surplus(ranks.to_numpy()), color="#b0603c" if own else "#1f5f8b", linewidth=0.8)
            panel.set_title(f"{name}, {seeds} seeds", loc="left")
            panel.spines[["top", "right"]].set_visible(False)
        figure.supxlabel("place of the truth among the posterior's draws")
        figure.supylabel("share of truths below, less the place")
        figure.suptitle(title)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
