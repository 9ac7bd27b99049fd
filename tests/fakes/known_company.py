"""A company of known truth: its tables are simulated from the parameters that posteriors in place of fits lie around; a
purchase may come back within twenty days, and goods cost what the margin leaves."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
from contracts.cases import posterior_of
from fakes.experiments import OF_VARIANTS

from clvmodels.config.experiment import Experiment
from clvmodels.inference import fitting
from clvmodels.runs.experiment import Outcome, run

START, END, LAST = (pd.Timestamp(day) for day in ("2024-01-01", "2025-01-05", "2025-07-31"))
HOLDOUT = 26
DRAWS = 200
THETAS = {
    "nbd": {"r": 0.9, "alpha": 6.0},
    "gamma_gamma": {"p": 4.0, "q": 6.0, "v": 50.0},
    "normal_margin": {"m": 0.4, "tau": 0.05, "sigma": 0.05},
    "beta_binomial_returns": {"mu": 0.15, "phi": 12.0, "whole": 0.999, "share": 0.5, "precision": 5.0},
}
COSTS = {
    "margin": {"model": "normal_margin"},
    "returns": {"model": "beta_binomial_returns", "window": 21},
}
ECONOMICS = {"annual_discount_rate": 0.1, "horizon": 52, "cost_per_order": 2.0, "written_off": 0.2}


def simulated(customers: int = 250, seed: int = 3) -> dict[str, pd.DataFrame]:
    """Orders and returns of customers who bought first in the first half-year; copies, in which faults are planted."""
    return {name: table.copy() for name, table in _simulated(customers, seed).items()}


@functools.cache
def _simulated(customers: int, seed: int) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    theta = THETAS["nbd"]
    rows = []
    for number in range(customers):
        first = START + pd.Timedelta(days=int(rng.integers(180)))
        rate = rng.gamma(theta["r"]) / theta["alpha"]
        weeks = (LAST - first).days / 7
        times = np.sort(rng.uniform(0, weeks, rng.poisson(rate * weeks)))
        scale = 1 / (rng.gamma(THETAS["gamma_gamma"]["q"]) / THETAS["gamma_gamma"]["v"])
        margin = rng.normal(0.4, 0.05)
        returned = rng.beta(0.15 * 12, 0.85 * 12)
        for day in sorted({0, *np.ceil(7 * times).astype(int)}):
            amount = rng.gamma(THETAS["gamma_gamma"]["p"]) * scale
            cost = amount * (1 - rng.normal(margin, 0.05))
            back = rng.random() < returned
            rows.append((f"c{number:03d}", first + pd.Timedelta(days=day), amount, cost, back, rng.integers(1, 21)))
    orders = pd.DataFrame(rows, columns=["customer", "date", "amount", "cost", "back", "days"])
    orders = orders[orders["date"] <= LAST].reset_index(drop=True)
    orders["order"] = [f"o{k}" for k in orders.index]
    returns = orders[orders["back"]]
    returns = returns.assign(date=returns["date"] + pd.to_timedelta(returns["days"], unit="D"))
    returns = returns[returns["date"] <= LAST]
    return {"orders": orders, "returns": returns}


def made_up(model, customers, *, draws, **_):
    return posterior_of(model, THETAS[model.name] | OF_VARIANTS, draws, spread=0.02)


def outcome(folder: Path, tables: dict[str, pd.DataFrame], monkeypatch, **changes) -> Outcome:
    """A run of these tables, without a fit."""
    monkeypatch.setattr(fitting, "fit", made_up)
    folder.mkdir(exist_ok=True)
    columns = {"orders": ["customer", "date", "amount", "cost", "order"], "returns": ["order", "date", "amount"]}
    for name, names in columns.items():
        tables[name][names].to_csv(folder / f"{name}.csv", index=False)
    named = {"order_id": "order", "date": "date", "amount": "amount"}
    of_orders = named | {"key": "customer", "cost": "cost"}
    mapping = {
        "title": "t",
        "data": {"calibration_end": f"{END:%Y-%m-%d}", "holdout": HOLDOUT, "time_unit": "week", "currency": "EUR"},
        "sources": {
            "orders": {"path": "orders.csv", "role": "orders", "columns": of_orders},
            "returns": {"path": "returns.csv", "role": "returns", "columns": named},
        },
        "models": {"nbd": {"purchases": "nbd", "spend": "gamma_gamma"}},
        "costs": COSTS,
        "economics": ECONOMICS,
        "sampler": {"draws": DRAWS},
        "figures": ["checks"],
        "totals": "plain",  # what is planted is to show in the model's own totals
        **changes,
    }
    return run(Experiment.from_dict(mapping), folder / "results", config_dir=folder)
