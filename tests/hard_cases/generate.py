"""Make the data: 200 hard cases of each model with their truth, one CSV file a model.

    python tests/hard_cases/generate.py [model ...]

Columns: kind; the parameters; the history (k first where the model has one); log_prob, the truth; d_<parameter>, its
derivative by the log of the parameter (of its excess over the lower bound). Everything is exact to the last bit of a
double: the truths are computed with 60 digits (`truths.py`).
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))  # run as a script, or imported by the tests

from hard_cases.cases import FAMILIES, draw_cases  # noqa: E402
from hard_cases.truths import truth  # noqa: E402

SEED, EACH = 1, 20


def solved(model: str, each: int, seed: int) -> list[dict[str, str | float]]:
    """Cases and their truths, a dict a row of the file."""
    rows = []
    for kind, theta, history in draw_cases(model, each, seed):
        log_prob, gradient = truth(model, theta, history)
        slopes = {f"d_{name}": value for name, value in zip(theta, gradient, strict=True)}
        rows.append({"kind": kind} | theta | history | {"log_prob": log_prob} | slopes)
    return rows


def write(model: str) -> Path:
    rows, path = solved(model, EACH, SEED), FOLDER / f"{model}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


if __name__ == "__main__":
    for name in sys.argv[1:] or FAMILIES:
        print(write(name))
