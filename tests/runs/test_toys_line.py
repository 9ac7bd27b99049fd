"""Toys run the whole line, from a table of transactions to the report, with no change outside their own lines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES
from contracts.toys_discrete import DISCRETE_TOYS
from contracts.toys_whole import SEASON_STATISTICS, WHOLE_TOYS

from clvmodels import models
from clvmodels.config.experiment import Experiment
from clvmodels.customers import statistics as summary
from clvmodels.dates import period_of
from clvmodels.futures.histories import orders, simulate_amounts, simulate_purchases
from clvmodels.report import write_report
from clvmodels.runs.experiment import run

START, CALIBRATION_END, DATA_END = pd.Timestamp("2023-01-02"), "2023-12-31", pd.Timestamp("2024-06-30")
SIZE = 250
SLOW = ("weibull", "correlated rates", "observed end", "one chance")
"""Half a minute each. The season goes all the way in the default run; the contracts of most do."""


def transactions_of(case, path) -> None:
    """A file of orders by customers who came in the first half year, simulated from the toy's truth."""
    births = START + pd.to_timedelta(np.random.default_rng(1).integers(0, 180, SIZE), unit="D")
    ages = ((DATA_END - births).days.to_numpy() + 1) / 7
    if case.model.counts == "opportunities":
        ages = np.array([-period_of(birth, DATA_END, "week") for birth in births])
    traits = {"birth": (births - pd.Timestamp("1970-01-01")).days.to_numpy() / 7} if case.model.traits else None
    purchases = simulate_purchases(case.model, case.theta, ages, 1, traits)
    purchases["amount"] = simulate_amounts(models.MODELS["gamma_gamma"], CASES["gamma_gamma"].theta, purchases, 1)
    table = orders(purchases, births, "week", case.model.counts)
    table[table["date"] <= DATA_END].round({"amount": 2}).to_csv(path, index=False)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in WHOLE_TOYS | DISCRETE_TOYS]
)
def test_a_toy_goes_from_transactions_to_the_report(name, tmp_path, monkeypatch):
    case = (WHOLE_TOYS | DISCRETE_TOYS)[name]
    monkeypatch.setitem(models.MODELS, "toy", case.model)
    monkeypatch.setattr(case.model, "name", "toy")
    for statistic, made in SEASON_STATISTICS.items() if name == "season" else ():
        monkeypatch.setitem(summary.STATISTICS, statistic, made)
    transactions_of(case, tmp_path / "orders.csv")
    experiment = Experiment.from_dict(
        {
            "title": f"Can a toy ({name}) go all the way?",
            "totals": "plain",  # each earlier day would compile the toy again
            "data": {
                "transactions": "orders.csv",
                "time": case.model.counts,
                "calibration_end": CALIBRATION_END,
                "holdout": 26,
                "data_end": str(DATA_END.date()),
                "columns": {"ended": "ended"} if "status" in case.model.observes else {},
            },
            "models": {"toy": {"purchases": "toy", "spend": "gamma_gamma"}},
            "sampler": {"method": "laplace", "draws": 200},
            "economics": {"margin": 0.3, "annual_discount_rate": 0.1, "horizon": 26},
        },
        config_dir=tmp_path,
    )
    outcome = run(experiment, tmp_path / "results", config_dir=tmp_path)
    page = write_report(outcome.folder).read_text()
    scores = outcome.run.scores.set_index("score")["value"]
    assert outcome.exit_status == 0
    assert name in page and np.isfinite(scores["elpd"]) and scores["total_purchases.interval_holds"] in (0.0, 1.0)
    fitted = outcome.run.entries["toy"].posteriors["purchases"]
    for parameter in case.model.parameters:  # 250 customers: near the truth, in units of the posterior's own sd
        draws = fitted.stacked(parameter.name)
        free = np.array([parameter.free_from_stated((d - parameter.lower) / _width(parameter)) for d in draws])
        truth = parameter.free_from_stated((case.theta[parameter.name] - parameter.lower) / _width(parameter))
        assert abs(free.mean() - truth) < 4 * free.std(), parameter.name


def _width(parameter) -> float:
    return parameter.upper - parameter.lower if np.isfinite(parameter.upper) else 1.0
