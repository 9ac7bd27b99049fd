"""Verdicts over stored ranks: each quantity's distribution of ranks inside its band, and a picture of them all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from clvmodels.metrics.bands import uniform_band as band

matplotlib.use("svg")
import matplotlib.pyplot as plt

PLACES = np.linspace(0.0, 1.0, 101)
FALSE_ALARM = 0.01
"""Chance that a calibrated model fails in any of its quantities."""
HELD = (82, 96)
"""Of 100 nominal 90% intervals (seeds 1 to 100), how many may hold the truth."""
TITLE = "Blue: population parameters. Brown: customers' own variables. Grey: chance alone, 99%."


def surplus(ranks: np.ndarray) -> np.ndarray:
    """Share of ranks up to each place, less the place."""
    return np.searchsorted(np.sort(ranks), PLACES, side="right") / len(ranks) - PLACES


@cache
def _band(size: int, level: float = 0.99) -> tuple[np.ndarray, np.ndarray]:
    return band(size, PLACES[1:-1], level)


def judge(rows: pd.DataFrame, seeds: int, held: tuple[int, int] | None = HELD) -> pd.DataFrame:
    """One row a quantity: seeds, refusals, whether its ranks are in the band, and 90% intervals that hold.

    The own variables of the watched customers make one row by name: each customer's ranks have to be in the band, and
    of the intervals the fewest that hold are told. `held` bounds those of population quantities; None judges by ranks
    alone.
    """
    kind = rows["quantity"].str.replace(r" of c\d+$", " of customers", regex=True)
    # The bands of all quantities together are left by chance no more often than FALSE_ALARM says.
    level = 1.0 - FALSE_ALARM / rows["quantity"].nunique()
    verdicts = [_verdict(str(name), of_kind, level) for name, of_kind in rows.groupby(kind, sort=False)]
    table = pd.DataFrame(verdicts, columns=["quantity", "seeds", "refused", "in_band", "held_of_first_100"])
    complete = table["seeds"] == seeds
    if held is None or seeds < 100:
        return table.assign(passed=complete & table["in_band"])
    of_customers = table["quantity"].str.endswith(" of customers")
    well_held = table["held_of_first_100"].between(*held)
    return table.assign(passed=complete & table["in_band"] & (well_held | of_customers))


def _verdict(name: str, rows: pd.DataFrame, level: float) -> tuple[str, int, int, bool, int]:
    """Seeds, refusals, whether every curve of ranks lies in its band, and the fewest 90% intervals that hold."""
    quantities = [quantity for _, quantity in rows.groupby("quantity")]
    in_band = all(_in_band(quantity["rank"].to_numpy(), level) for quantity in quantities)
    held = [quantity.loc[quantity["seed"] <= 100, "rank"].between(0.05, 0.95).sum() for quantity in quantities]
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
    held: tuple[int, int] | None = HELD,
    title: str = TITLE,
) -> pd.DataFrame:
    """Judge rows of ranks against the seeds that they should have, by study; write summary.csv and calibration.svg."""
    tables = {name: judge(rows, seeds, held) for name, (rows, seeds) in runs.items()}
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
