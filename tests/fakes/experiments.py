"""Experiments on the simulated retailer for tests of the line, and what stands in for fitting."""

from __future__ import annotations

import dataclasses

from contracts.cases import CASES, posterior_of

from clvmodels.config.experiment import Experiment
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.samplers.checks import Check

DRAWS = 200
MAPPING = {
    "title": "What are these customers worth?",
    "data": {"dataset": "retailer", "customers": 220},
    "sources": {},  # its orders alone: reading ten tables takes longer than all else that these tests do
    "models": {"bg_nbd": {"purchases": "bg_nbd", "spend": "gamma_gamma"}},
    "sampler": {"draws": DRAWS},
    "economics": {"margin": 0.3, "annual_discount_rate": 0.12, "horizon": 52},
    "totals": "plain",  # fits of earlier days are not what these tests are about
}
OF_VARIANTS = {"first_level": 0.9, "first_paid": 0.9, "paid": 0.9, "paid_precision": 20.0, "free_cost": 10.0}
"""Truths of parameters that models have where the data ask for them: of first amounts and of free orders."""
KINDS, RANKED = ("expected", "realised"), ("worth", "realised")
LEVELS = ("q5", "q25", "q50", "q75", "q95")


def experiment(**changes) -> Experiment:
    return Experiment.from_dict({**MAPPING, **changes})


def made_up(model, customers, *, draws, **_) -> Posterior:
    """In place of `fitting.fit`: draws around the truth of the model's case."""
    made = posterior_of(model, CASES[model.name].theta | OF_VARIANTS, draws)
    check = Check("R-hat", 1.0, 1.01, True, "the chains disagree")
    return dataclasses.replace(made, currency=customers.currency, time_unit=customers.time_unit, checks=[check])


class Fits:
    """Stands in for `fitting.fit`, counts what is asked for, and breaks where it is told to."""

    def __init__(self, breaks: dict[int, BaseException] | None = None):
        self.asked, self.breaks = [], breaks or {}

    def __call__(self, model, customers, **options) -> Posterior:
        self.asked.append((model.name, str(customers.observation_end.date())))
        if len(self.asked) in self.breaks:
            raise self.breaks[len(self.asked)]
        return made_up(model, customers, **options)


def no_fit(*_, **__):
    raise AssertionError("nothing was to be fitted")
