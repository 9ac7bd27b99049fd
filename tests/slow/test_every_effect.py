"""Every effect on every parameter of every model fits 50 customers, and scores unseen groups and missing covariates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import case_of, customers_of
from contracts.effect_cases import at_mode, base, check_scored, covariates, pooled

from clvmodels.inference.density import compiled_density
from clvmodels.inference.effects import targets
from clvmodels.inference.fitting import fit
from clvmodels.inference.refusals import resolve_priors
from clvmodels.inference.terms import learn
from clvmodels.models import MODELS

pytestmark = pytest.mark.slow
EACH = [(name, target) for name, model in MODELS.items() for target in targets(model)]


@pytest.mark.parametrize(("name", "target"), EACH)
@pytest.mark.parametrize("kind", [pooled, covariates])
def test_every_effect_on_every_parameter(name, target, kind):
    """By the mode, one effect at a time; those of a model are compiled together."""
    case = case_of(name)
    effects = {other: kind(known.part, other) for other, known in targets(case.model).items()}
    among = [effect for own in effects.values() for effect in own]
    check_scored(case, at_mode(case, effects[target], base(case), among))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("pareto_nbd", "alpha"),  # ends by the clock
        ("bg_nbd", "dropout_mean"),  # by a coin
        ("bg_bb", "chance_mean"),  # opportunities
        ("sbg", "beta"),  # contracts
        ("gamma_gamma", "v"),  # spend
    ],
)
def test_nuts_once_a_family(name, target):
    case, part = case_of(name), targets(MODELS[name])[target].part
    effects = [*pooled(part, target), *covariates(part, target)]
    posterior = fit(name, customers_of(base(case)), effects=effects, method="nuts", seed=1)
    assert posterior.passed, posterior.checks
    check_scored(case, posterior)


def in_groups(per_group: int, sd: float, groups: int = 12) -> pd.DataFrame:
    """Poisson buyers whose rates differ between groups."""
    rng = np.random.default_rng([groups, per_group])
    code = np.repeat(np.arange(groups), per_group)
    age, rate = rng.uniform(20, 60, len(code)), rng.gamma(1.0, 1 / 8, len(code))
    bought = rng.poisson(rate * np.exp(rng.normal(0, sd, groups)[code]) * age)
    last = np.where(bought > 0, age * rng.beta(np.maximum(bought, 1), 1), 0.0)
    frame = pd.DataFrame({"frequency": bought, "recency": last, "T": age, "channel": [f"g{k:02d}" for k in code]})
    return frame.set_index(pd.Index([f"c{k:05d}" for k in range(len(code))], name="customer_id"))


@pytest.mark.parametrize(("per_group", "centred"), [(150, True), (3, False)])
def test_nuts_is_as_centred_as_the_data_say_and_does_not_diverge(per_group, centred):
    """Many customers a group determine its coefficient; few leave it to the sd. Each is sampled in few steps."""
    model, effects, table = MODELS["nbd"], pooled("purchases", "alpha"), in_groups(per_group, 0.35)
    posterior = fit("nbd", customers_of(table), effects=effects, method="nuts", draws=500, tune=500, seed=2)
    assert posterior.passed, posterior.checks
    assert posterior.data["sample_stats"]["n_steps"].mean() < 20
    groups, _ = learn(effects, table)
    structure = compiled_density(model, effects, groups, resolve_priors(model, None), "week", 1.0)  # the one of the fit
    share = structure._centring["alpha_by_channel"].get_value()
    assert np.all(share > 0.6) if centred else np.all(share < 0.4)
