"""Do 90% intervals hold the truth nine times in ten? Each model's own parameters on its own simulated histories.

    python experiments/recovery/run.py [--models bg_nbd ...] [--seeds 100]

For each seed a truth is drawn from the prior stated below, histories of 500 customers are simulated from it, and the
model is fitted by laplace with that same prior. A refused fit counts as a miss. One CSV a model under
reports/recovery, written whole after each seed: an interrupted run goes on where it was; rows of older code are
dropped. Neither seeds nor priors are chosen by their results.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from code_version import code_version

from clvmodels.customers import Customers
from clvmodels.errors import FitError
from clvmodels.histories import simulate_amounts, simulate_histories, statistics
from clvmodels.models import MODELS, Model, PurchaseModel, SpendModel, get_model
from clvmodels.models.contract import Array
from clvmodels.models.prior import Prior, log_normal
from clvmodels.posterior import fit

FOLDER = Path(__file__).parents[2] / "reports" / "recovery"
CUSTOMERS, DRAWS, SEEDS = 500, 400, 100
AGES = (26.0, 52.0)
"""Ages of the customers in weeks, uniform between these."""
HELD = (82, 96)
"""Of 100 nominal 90% intervals, how many may hold the truth."""
SPREAD = 0.5
"""Sd of the log of each parameter (of its excess over its lower bound): a factor of 2.3 up or down in 90 of 100."""
MEDIANS = {
    "r": 0.6, "alpha": 8.0, "s": 0.8, "beta": 12.0, "a": 0.8, "b": 2.5, "p": 4.0, "q": 2.5, "v": 15.0,
}  # fmt: skip
"""Of the truths: the size of the published estimates on retail data, in weeks and dollars. q's is of its excess."""


def stated_priors(model: Model) -> dict[str, Prior]:
    """The prior from which the truth is drawn and which is fitted."""
    return {p.name: log_normal(MEDIANS[p.name], SPREAD) for p in model.parameters}


def draw_truth(model: Model, priors: dict[str, Prior], seed: int) -> dict[str, float]:
    """One value of each parameter."""
    rng = np.random.default_rng([seed, 1])
    return {p.name: p.lower + float(priors[p.name].draw(1, rng)[0]) for p in model.parameters}


def simulate(model: Model, truth: dict[str, float], seed: int) -> Customers:
    """Customers of a model with these parameters."""
    rng = np.random.default_rng([seed, 2])
    if isinstance(model, PurchaseModel):
        table = simulate_histories(model, truth, rng.uniform(*AGES, CUSTOMERS), seed)
    else:
        assert isinstance(model, SpendModel)
        table = _spend_histories(model, truth, seed, rng)
    return Customers(table, "week", pd.Timestamp("2024-12-31"), "USD")


def _spend_histories(model: SpendModel, truth: dict[str, float], seed: int, rng: np.random.Generator) -> pd.DataFrame:
    """Frequencies as of retail customers (half buy once), amounts by the model."""
    frequency = rng.poisson(rng.gamma(0.6, 3.0, CUSTOMERS))
    labels = np.repeat([f"c{k:03d}" for k in range(CUSTOMERS)], frequency + 1)
    purchases = pd.DataFrame({"customer_id": labels})
    purchases["age"] = purchases.groupby("customer_id").cumcount().astype(float)
    purchases["amount"] = simulate_amounts(model, truth, purchases, seed)
    return statistics(purchases, frequency.astype(float))


def quantities(model: Model, theta: dict[str, Array]) -> dict[str, Array]:
    """What is judged, from parameters [D]: each of them, and what a new customer is expected to do or pay."""
    wide = {name: np.atleast_1d(values)[:, None] for name, values in theta.items()}
    empty = {name: np.zeros((1, 1)) for name in model.observes}
    if isinstance(model, PurchaseModel):
        moment, year = 1e-6, 52.0
        expected = model.expected_if_alive(empty, wide, np.array([moment, year]))[:, 0]
        derived = {"mean purchase rate": expected[:, 0] / moment, "purchases in 52 weeks": expected[:, 1]}
    else:
        assert isinstance(model, SpendModel)
        derived = {"mean spend": model.expected_spend(empty, wide)[:, 0]}
    return {name: np.atleast_1d(values) for name, values in theta.items()} | derived


def replicate(model: Model, seed: int) -> pd.DataFrame:
    """One seed: a row a quantity, with truth, interval and whether it is held; a refusal holds nothing."""
    priors = stated_priors(model)
    truth = draw_truth(model, priors, seed)
    rows = pd.DataFrame({"truth": {n: v[0] for n, v in quantities(model, truth).items()}})
    try:
        posterior = fit(model, simulate(model, truth, seed), priors=priors, method="laplace", draws=DRAWS, seed=seed)
    except FitError as error:
        rows = rows.assign(lower=np.nan, upper=np.nan, refused=" ".join(str(error).split()))
    else:
        draws = quantities(model, {p.name: posterior.stacked(p.name) for p in model.parameters})
        bounds = pd.DataFrame({n: np.quantile(v, [0.05, 0.95]) for n, v in draws.items()}, index=["lower", "upper"]).T
        rows = rows.join(bounds).assign(refused="")
    rows["held"] = (rows["lower"] <= rows["truth"]) & (rows["truth"] <= rows["upper"])
    rows = rows.rename_axis("quantity").reset_index()
    return rows.assign(seed=seed)[["seed", "quantity", "truth", "lower", "upper", "held", "refused"]]


def stored(path: Path, code: str) -> pd.DataFrame:
    """Rows of this code that are there already."""
    if not path.is_file():
        return pd.DataFrame()
    rows = pd.read_csv(path, keep_default_na=False, na_values={"lower": [""], "upper": [""]})
    return rows[rows["code"] == code]


def run(name: str, seeds: int) -> pd.DataFrame:
    """Seeds 1 to `seeds` of a model, those that are stored left as they are."""
    path, code, began = FOLDER / f"{name}.csv", code_version(name), time.monotonic()
    rows = stored(path, code)
    for seed in range(1, seeds + 1):
        if len(rows) and (rows["seed"] == seed).any():
            continue
        rows = pd.concat([rows, replicate(get_model(name), seed).assign(code=code)], ignore_index=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".tmp")
        rows.to_csv(part, index=False, float_format="%.6g")
        part.replace(path)
        print(f"{name}: seed {seed} of {seeds}, {time.monotonic() - began:.0f} s", flush=True)
    return rows


def judge(rows: pd.DataFrame) -> pd.DataFrame:
    """How often each quantity was held, and whether that is within `HELD` of 100 seeds."""
    grouped = rows.groupby("quantity", sort=False)
    table = grouped.agg(seeds=("seed", "nunique"), held=("held", "sum"), refused=("refused", lambda r: (r != "").sum()))
    return table.assign(within=(table["seeds"] == SEEDS) & table["held"].between(*HELD))


def main() -> int:
    """Run, judge, write summary.csv; the exit status says whether all is within."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    arguments = parser.parse_args()
    for name in arguments.models:
        run(name, arguments.seeds)
    done = {name: stored(FOLDER / f"{name}.csv", code_version(name)) for name in MODELS}
    table = pd.concat({name: judge(rows) for name, rows in done.items() if len(rows)}, names=["model"])
    table.to_csv(FOLDER / "summary.csv")
    print(table.to_string())
    return 0 if table["within"].all() else 1


if __name__ == "__main__":
    sys.exit(main())
