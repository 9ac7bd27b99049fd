"""A model beside the truth: the error of its log density and of its gradient, in units of what is allowed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytensor.tensor as pt

from clvmodels.models import get_model
from clvmodels.models.evaluate import compiled

ALLOWED = {"log_prob": 1e-8, "gradient": 1e-6}  # relative
FLOOR = 1e-3  # of what they are relative to


def excess(value: np.ndarray, truth: np.ndarray, relative: float) -> np.ndarray:
    """|error| / (relative max(|truth|, floor)): at most 1 is right; what is not a number is infinitely wrong."""
    return np.nan_to_num(np.abs(value - truth) / (relative * np.maximum(np.abs(truth), FLOOR)), nan=np.inf)


def evaluated(model, rows, theta) -> dict[str, np.ndarray]:
    """The log density and its derivatives by the log of each parameter's excess over its lower bound. [R] each"""

    def graph(rows, theta):
        value = model.log_prob(rows, theta)
        return [value, *pt.grad(pt.sum(value), list(theta.values()), disconnected_inputs="ignore")]

    names = tuple(p.name for p in model.parameters)
    value, *slopes = compiled((model, "hard cases"), graph, model.observes, names)(rows, theta)
    by_log = {f"d_{p.name}": (theta[p.name] - p.lower) * by for p, by in zip(model.parameters, slopes, strict=True)}
    return {name: found[0] for name, found in ({"log_prob": value} | by_log).items()}


def compare(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Every quantity of every case: case, kind, quantity, found, truth, excess."""
    groups = table.groupby("k") if "k" in table else [(None, table)]
    return pd.concat([_compare(name, {} if k is None else {"k": int(k)}, part) for k, part in groups])


def _compare(name: str, options: dict, table: pd.DataFrame) -> pd.DataFrame:
    model = get_model(name, options)
    rows = {column: table[column].to_numpy(float)[None] for column in model.observes}
    theta = {p.name: table[p.name].to_numpy(float)[None] for p in model.parameters}
    parts = []
    for quantity, values in evaluated(model, rows, theta).items():
        truth = table[quantity].to_numpy(float)
        wrong = excess(values, truth, ALLOWED.get(quantity, ALLOWED["gradient"]))
        parts.append(table[["kind"]].assign(quantity=quantity, found=values, truth=truth, excess=wrong))
    return pd.concat(parts).rename_axis("case").reset_index()


def told(judged: pd.DataFrame, table: pd.DataFrame) -> str:
    """The wrong ones, worst first, with their cases written out."""
    wrong = judged[judged["excess"] > 1].sort_values("excess", ascending=False)
    lines = [f"{len(wrong)} of {len(judged)} quantities are wrong ({wrong['case'].nunique()} of {len(table)} cases)"]
    for row in wrong.head(12).itertuples():
        case = table.loc[row.case].drop("kind")
        case = ", ".join(
            f"{key} {case[key]:.17g}" for key in case.index if key != "log_prob" and not key.startswith("d_")
        )
        lines.append(
            f"{row.kind}: {row.quantity} {row.found:.17g} for {row.truth:.17g}, {row.excess:.3g} of allowed: {case}"
        )
    return "\n".join(lines)
