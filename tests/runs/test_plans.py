"""Which variants of its models a run fits: as the experiment says, or as its customers need."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from contracts.cases import amount_statistics, customers_of
from fakes.experiments import MAPPING, experiment

from clvmodels.models import MODELS
from clvmodels.runs.context import Context
from clvmodels.runs.plans import entry_plans

MODELS_OF_SPEND = {
    name: {"purchases": "bg_nbd", "spend": name} for name in ("gamma_gamma", "gamma_gamma_mean", "lognormal_spend")
}


def base(level: float, free: float = 0.0, size: int = 800):
    """Customers at a day, whose first amounts have this level and some of whose later purchases are free."""
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(size):
        first, *amounts = 25.0 * np.exp(0.4 * rng.normal(size=rng.integers(1, 6)))
        paid = np.array(amounts)[rng.random(len(amounts)) >= free]
        n = len(amounts)
        told = {"first_amount": level * first, "frequency": n, "monetary_value": paid.sum() / max(n, 1)}
        rows.append(told | amount_statistics(paid) | {"recency": 9.0 * (n > 0), "T": 20.0})
    frame = pd.DataFrame(rows, index=pd.Index([f"c{k:03d}" for k in range(size)], name="customer_id"))
    return SimpleNamespace(customers=customers_of(frame))


def context_of(said: list[str], **data) -> Context:
    of = experiment(models=MODELS_OF_SPEND, data={**MAPPING["data"], **data})
    return Context(of, None, None, "sha", said.append, False)


def spend_models(context: Context, split) -> dict[str, object]:
    plans = {name: entry_plans(context, name, split) for name in context.experiment.models}
    return {name: next(plan.model for plan in of_entry if plan.role == "spend") for name, of_entry in plans.items()}


@pytest.mark.parametrize(("rule", "level", "own"), [("auto", 0.8, True), ("auto", 1.0, False), ("own", 1.0, True)])
def test_first_amounts_have_a_level_where_they_are_to(rule, level, own):
    found = spend_models(context_of([], first_amounts=rule), base(level))
    for name in ("gamma_gamma", "lognormal_spend"):
        assert found[name] is MODELS[name].given(first_amounts=own)
    assert found["gamma_gamma_mean"] is MODELS["gamma_gamma_mean"]  # as the literature has it, whatever is said


def test_alike_is_the_literature_whatever_the_data():
    said: list[str] = []
    found = spend_models(context_of(said, first_amounts="alike"), base(0.5))
    assert all(model is MODELS[name] for name, model in found.items()) and not said


def test_what_the_data_say_at_first_holds_for_later_dates_and_is_said_once():
    said: list[str] = []
    context = context_of(said)
    assert spend_models(context, base(0.8))["gamma_gamma"].first_amounts
    assert spend_models(context, base(1.0))["gamma_gamma"].first_amounts
    assert len(said) == 1 and said[0].startswith("First amounts are 0.79 times later ones")
    assert said[0].endswith("first orders have a level of their own")


def test_free_orders_are_told_beside_first_amounts():
    found = spend_models(context_of([]), base(0.8, free=0.2))
    for name, model in found.items():
        assert model.free_orders and model.first_amounts == (name != "gamma_gamma_mean")
