"""NUTS and laplace are two ways to one posterior: on the CDNOW sample they agree to a tenth of its sd."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from clvmodels.customers.summarize import summarize
from clvmodels.datasets import cdnow
from clvmodels.inference.fitting import fit
from clvmodels.models import MODELS

pytestmark = pytest.mark.slow
DRAWS, CHAINS, ENOUGH = 2500, 4, 4000


@pytest.fixture(scope="module")
def customers(shared_data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLVMODELS_DATA", str(shared_data))
        return summarize(cdnow.load_sample(), calibration_end="1997-09-30").customers


def moments(draws: np.ndarray) -> dict[str, tuple[float, float]]:
    """Of draws [chain, draw]: mean, sd, 5% and 95%, each with its Monte Carlo error."""
    found = {"mean": draws.mean(), "sd": draws.std(), "5%": np.quantile(draws, 0.05), "95%": np.quantile(draws, 0.95)}
    how = {"mean": {"method": "mean"}, "sd": {"method": "sd"}}
    how |= {name: {"method": "quantile", "prob": prob} for name, prob in (("5%", 0.05), ("95%", 0.95))}
    return {k: (v, float(array_stats.mcse(draws, chain_axis=0, draw_axis=1, **how[k]))) for k, v in found.items()}


@pytest.mark.parametrize("name", MODELS)
def test_nuts_and_laplace_agree(name, customers):
    model = MODELS[name]
    by_laplace = fit(model, customers, method="laplace", draws=ENOUGH + 1000, seed=1)
    by_nuts = fit(model, customers, method="nuts", draws=DRAWS, chains=CHAINS, seed=2)
    assert by_nuts.passed, by_nuts.checks
    assert next(check.found for check in by_laplace.checks if check.check == "importance ESS") >= ENOUGH
    for p in model.parameters:
        chains = [np.log(f.data["posterior"][p.name].to_numpy() - p.lower) for f in (by_laplace, by_nuts)]
        effective = array_stats.ess(chains[1], chain_axis=0, draw_axis=1)
        assert effective >= ENOUGH and chains[0].size >= ENOUGH, (p.name, effective)
        first, second = map(moments, chains)
        for quantity, (value, error) in second.items():
            other, other_error = first[quantity]
            allowed = 0.1 * second["sd"][0] + 3 * np.hypot(error, other_error)
            print(f"{name} {p.name} {quantity}: laplace {other:.4f}, nuts {value:.4f}, allowed {allowed:.4f}")
            assert abs(value - other) <= allowed, (p.name, quantity)
