"""What value and scores cost: microseconds a customer and draw, memory, and where they go.

    python experiments/benchmarks/value.py [--quick]

prints a line a measurement, each of a fresh process on warm caches; run.py runs the same as its group `value`. Nothing
is fitted: draws lie around the estimates below, so that what is measured does not hang on a sampler.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import child
import numpy as np

if TYPE_CHECKING:
    from clvmodels.customers.table import Customers
    from clvmodels.inference.posterior import Posterior
    from clvmodels.valuation.economics import Economics

YEAR = 52.0
THETA = {
    "pareto_nbd": {"r": 0.55, "alpha": 10.6, "s": 0.61, "beta": 11.7},
    "bg_nbd": {"r": 0.24, "alpha": 4.4, "a": 0.79, "b": 2.43},
    "gamma_gamma_mean": {"p": 6.25, "q": 3.74, "v": 15.4},
    "beta_binomial_returns": {"mu": 0.2, "phi": 5.0, "whole": 0.6, "share": 0.4, "precision": 4.0},
    "beta_binomial_bad_debt": {"mu": 0.03, "phi": 6.0},
    "gamma_poisson_contacts": {"mu": 0.4, "r": 0.9},
    "lognormal_handling": {"m": 4.0, "tau": 0.4, "sigma": 0.6},
    "gamma_poisson_referrals": {"mu": 0.05, "r": 0.8},
    "normal_margin": {"m": 0.4, "tau": 0.1, "sigma": 0.08},
}
"""Of purchases and spend the papers' estimates on CDNOW; of the costs, such as a shop may have."""
SPREAD = 0.1
"""Sd of the draws of a parameter's log."""
COSTS = tuple(THETA)[3:]
IMPORTED = ("clvmodels.valuation.scoring",)
STEPS = {
    "random numbers": ("fill", "tottime"),
    "keys of streams": ("keyed_streams", "cumtime"),
    "numbers and places of purchases": ("poisson_counts", "tottime"),
    "P(alive)": ("p_alive", "cumtime"),
    "expected purchases": ("expected_if_alive", "cumtime"),
}
"""Part of the work -> the function whose time it is, with or without those that it calls."""


def value(clock: child.Clock, model: str, table: str, draws: int, with_costs: bool = False) -> dict[str, Any]:
    """Values of a year, kept in files."""
    from clvmodels.valuation.valuation import value as value_of

    customers = _customers(table)
    posteriors, economics = _posteriors(model, draws, with_costs), _economics(with_costs)
    warm = customers_of_few(customers)
    value_of(posteriors, warm, economics, seed=1, draws=draws)
    with tempfile.TemporaryDirectory() as folder, clock:
        values = value_of(posteriors, customers, economics, seed=1, draws=draws, folder=Path(folder))
    cells = values.expected.size
    return {"customers": len(customers), "microseconds": 1e6 * clock.seconds / cells, "parts": len(values.parts)}


def score(clock: child.Clock, model: str, table: str, draws: int) -> dict[str, Any]:
    """A row a customer: purchases and value of a year."""
    from clvmodels.valuation.scoring import score as score_customers

    customers, posteriors = _customers(table), _posteriors(model, draws, False)
    how: dict[str, Any] = {"horizon": YEAR, "margin": 0.3, "annual_discount_rate": 0.12, "draws": draws}
    score_customers(posteriors, customers_of_few(customers), **how)
    with clock:
        scores = score_customers(posteriors, customers, **how)
    return {"customers": len(scores), "microseconds": 1e6 * clock.seconds / (len(scores) * draws)}


def steps(clock: child.Clock, model: str, table: str, draws: int) -> dict[str, Any]:
    """Where the time of one core goes, in microseconds a customer and draw: of a few blocks, under a profiler."""
    import cProfile
    import pstats
    import time

    from clvmodels.valuation.valuation import valuation

    customers = _customers(table)
    valuer = valuation(_posteriors(model, draws, False), customers, _economics(False), seed=1, draws=draws)
    blocks = list(valuer.blocks(customers.table))[:: max(1, len(customers) // 2000)]
    valuer.parts(customers.table.iloc[blocks[0]])
    profile = cProfile.Profile(time.process_time)
    with clock:
        profile.enable()
        for block in blocks:
            valuer.parts(customers.table.iloc[block])
        profile.disable()
    of_functions = pstats.Stats(profile).get_stats_profile().func_profiles
    cells = draws * sum(len(block) for block in blocks)
    times = {}
    for step, (function, column) in STEPS.items():
        times[step] = 1e6 * getattr(of_functions[function], column) / cells if function in of_functions else 0.0
    whole = 1e6 * clock.cpu_seconds / cells
    return {"whole": whole, **times, "the rest": whole - sum(times.values())}


def customers_of_few(customers: Customers) -> Customers:
    """The first hundred: whom to compile with."""
    from dataclasses import replace

    return replace(customers, table=customers.table.iloc[:100])


def _customers(table: str) -> Customers:
    """With what the costs observe, drawn at random."""
    import pandas as pd

    from clvmodels.customers.table import Customers

    frame = pd.read_parquet(table)
    customers = Customers.from_rfm(frame, time_unit="week", observation_end="1997-09-30")
    return replace_table(customers, with_cost_columns(customers.table))


def replace_table(customers: Customers, frame: Any) -> Customers:
    """The customers with another table."""
    from dataclasses import replace

    return replace(customers, table=frame)


def with_cost_columns(frame: Any) -> Any:
    """Returns, bills, contacts, referrals and margins of all purchases of each customer."""
    rng = np.random.default_rng(1)
    n = frame["frequency"].to_numpy() + 1
    returned = rng.binomial(n, rng.beta(1.0, 4.0, len(n)))
    contacts = rng.poisson(n * rng.gamma(0.9, 0.4 / 0.9, len(n)))
    return frame.assign(
        returnable=n,
        returned=returned,
        returned_whole=returned,
        returned_log_sum=0.0,
        returned_log1m_sum=0.0,
        billed=n - returned,
        unpaid=rng.binomial(n - returned, 0.03),
        purchases=n,
        contacts=contacts,
        handling_count=contacts,
        handling_log_sum=contacts * np.log(4.0),
        handling_log_ss=0.0,
        referrals=rng.poisson(0.05 * n),
        margin_count=n,
        margin_sum=n * 0.4,
        margin_ss=n * 0.0064,
    )


def _posteriors(model: str, draws: int, with_costs: bool) -> dict[str, Posterior]:
    from clvmodels.models import COSTS as COST_MODELS
    from clvmodels.models import get_model

    posteriors = {
        "purchases": _posterior(get_model(model), draws),
        "spend": _posterior(get_model("gamma_gamma_mean"), draws),
    }
    if with_costs:
        posteriors |= {COST_MODELS[name].cost: _posterior(COST_MODELS[name], draws) for name in COSTS}
    return posteriors


def _posterior(model: Any, draws: int) -> Posterior:
    """Draws around `THETA`."""
    import arviz as az

    from clvmodels.inference.posterior import Posterior

    rng = np.random.default_rng([1, len(model.name)])
    theta = THETA[model.name]
    drawn = {p.name: p.moved(theta[p.name], SPREAD * rng.standard_normal((1, draws)), np) for p in model.parameters}
    priors = {p.name: p.prior for p in model.parameters}
    return Posterior(model, az.from_dict({"posterior": drawn}), "laplace", priors, (), {}, "week", 1.0, None, 1)


def _economics(with_costs: bool) -> Economics:
    from clvmodels.valuation.economics import Economics, Referral, Retention

    if not with_costs:
        return Economics(0.3, 0.12, YEAR)
    return Economics(
        margin=None,
        annual_discount_rate=0.12,
        horizon=YEAR,
        cost_per_order=3.0,
        cost_per_return=4.0,
        resold=0.3,
        written_off=0.2,
        payment_fee=0.02,
        payment_fee_per_order=0.3,
        recovered=0.25,
        retention=Retention(cost=1.5, every=4.0, until_silent=24.0),
        referral=Referral(incremental=0.6, reward=5.0),
    )


TASKS: Mapping[str, child.Task] = {"value": value, "score": score, "steps": steps}
IMPORTS = dict.fromkeys(TASKS, IMPORTED)


def main(is_quick: bool) -> None:
    """Measure all and print it."""
    import inputs

    master, draws = ("cdnow_sample", 200) if is_quick else ("cdnow_master", 4000)
    base = "whole_days_2000" if is_quick else "whole_days_200000"
    for model in ("pareto_nbd", "bg_nbd"):
        for task, options in {
            "value": {"table": master, "draws": draws},
            "value with all costs": {"table": master, "draws": draws // 4, "with_costs": True},
            "score": {"table": base, "draws": 200 if is_quick else 1000},
            "steps": {"table": master, "draws": 1000},
        }.items():
            told = {"task": task.split()[0], "model": model, **options, "table": str(inputs.table(options["table"]))}
            with tempfile.TemporaryDirectory() as folder:
                answer = Path(folder) / "answer.json"
                subprocess.run([sys.executable, __file__, json.dumps(told), str(answer)], check=True)
                result = json.loads(answer.read_text("utf-8"))
            numbers = ", ".join(f"{name} {number:.3f}" for name, number in result.items())
            print(f"{model}: {task}, {options}: {numbers}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        child.main(TASKS, IMPORTS)
    else:
        main("--quick" in sys.argv)
