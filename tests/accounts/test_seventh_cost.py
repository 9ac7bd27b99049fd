"""A further cost is one object and one line of the registry: it flows into forecast, value, profit made and KPIs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from contracts.cases import posterior_of
from contracts.profit_cases import FULL, HISTORIES, customers, posteriors_of
from contracts.purchase import close, mean_is
from contracts.toys_cost import PRICE, samples
from fakes.companies import company_of, customers_of

from clvmodels.accounts.entries import Terms
from clvmodels.accounts.profit_made import profit_made
from clvmodels.config.experiment import Experiment
from clvmodels.customers.experience import column_origins, consolidated
from clvmodels.customers.observed import with_costs
from clvmodels.kpis.indicators import kpis
from clvmodels.models import COSTS
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import value

HALF = Economics(0.5, 0.1, 52.0)
ORDERS = [("a", "2025-01-10", 100.0, 60.0, "1"), ("b", "2025-02-01", 40.0, 20.0, "2")]
SENT = pd.DataFrame(
    [("a", "2025-02-01", "sample"), ("a", "2025-04-02", "sample"), ("b", "2025-04-25", "sample")],
    columns=["key", "date", "kind"],
)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(COSTS, samples.name, samples)


def test_it_is_observed():
    company = company_of("2025-06-30", orders=ORDERS, engagement=SENT)
    seen = with_costs(company, customers_of(company), ["samples"])
    assert seen.table["samples"].to_dict() == {"a": 2.0, "b": 1.0}
    origins = column_origins(company, consolidated(company, seen)).set_index("column")
    assert origins.loc["samples", "role"] == "engagement"


def test_it_has_its_part_of_the_value():
    """In its place among the others, in the whole, its realised part of the mean of the expected one."""
    people = customers()
    people = dataclasses.replace(people, table=people.table.assign(samples=[0.0, 4.0, 7.0]))
    posteriors = posteriors_of("pareto_nbd", "gamma_gamma", 2000)
    before = value(posteriors, people, FULL, seed=1, draws=2000)
    posteriors["samples"] = posterior_of(samples, {"mu": 0.5, "r": 0.9}, 2000, 0.0)
    after = value(posteriors, people, FULL, seed=1, draws=2000)
    names = list(after.parts)
    assert names.index("samples") == names.index("service") + 1 and set(names) - set(before.parts) == {"samples"}
    part = after.parts["samples"]
    for kind in ("expected", "realised"):
        if "referrals" not in names:
            close(getattr(after, kind), getattr(before, kind) + getattr(part, kind), 1e-4)
        close(getattr(after, kind), sum(getattr(p, kind) for p in after.parts.values()), 1e-4)
    assert np.all(part.expected < 0) and np.all(np.round(part.realised / -PRICE, 3) >= 0)
    mean_is(part.realised.astype(float) - part.expected, 0.0)
    assert len(HISTORIES) == part.expected.shape[1]


def test_it_is_entered_in_the_book_and_so_in_profit_made_and_kpis():
    company = company_of("2025-06-30", orders=ORDERS, engagement=SENT)
    known = customers_of(company)
    made = profit_made(company, known, HALF, costs=["samples"])
    assert made["samples"].to_dict() == {"a": -2 * PRICE, "b": -PRICE}
    assert made["profit"].to_dict() == {"a": 50.0 - 2 * PRICE, "b": 20.0 - PRICE}
    table = kpis(company, known, terms=Terms(HALF, ("samples",)))[0]
    told = table[table["by"] == "all"].pivot(index="period", columns="kpi", values="value")
    assert told["profit"].tolist() == [70.0 - PRICE, -2 * PRICE]
    assert told["spent to keep"].tolist() == [PRICE, 2 * PRICE]


def test_an_experiment_may_name_it():
    rows = {
        "title": "t",
        "data": {"dataset": "retailer", "customers": 300, "calibration_end": None, "holdout": None},
        "models": {"bg": {"purchases": "bg_nbd", "spend": "gamma_gamma"}},
        "costs": {"samples": {"model": "gamma_poisson_samples"}},
        "economics": {"margin": 0.4, "annual_discount_rate": 0.1, "horizon": 52},
    }
    assert list(Experiment.from_dict(rows).costs) == ["samples"]
