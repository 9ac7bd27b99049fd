"""Leave-one-out scores of condensed rows are those of all customers."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest
from contracts.cases import (
    case_of,
    customers_of,
    posterior_of,
    simulated,
)
from contracts.purchase import close

from clvmodels.inference.leave_one_out import loo
from clvmodels.models import MODELS
from clvmodels.models.evaluate import log_prob


@pytest.mark.parametrize("name", MODELS)
def test_loo_is_that_of_uncondensed_rows(name):
    case, table = case_of(name), simulated(case_of(name), size=40)
    table.iloc[:10] = table.iloc[10:20].to_numpy()  # equal histories
    posterior = posterior_of(case.model, case.theta, 500)
    found = loo(posterior, customers_of(table))
    rows = {n: table[n].to_numpy(dtype=float)[None] for n in case.model.observes}
    pointwise = log_prob(case.model, rows, posterior.theta(table))[None]
    says = np.ptp(pointwise[0], axis=0) > 0
    tree = az.from_dict({"posterior": {"one": pointwise[..., 0]}, "log_likelihood": {"customer": pointwise[..., says]}})
    direct = az.loo(tree, pointwise=True)
    assert list(found.index) == list(table.index)
    close(found["elpd_i"][says], direct.elpd_i.to_numpy())
    close(found["pareto_k"][says], direct.pareto_k.to_numpy(), 1e-6)
    assert np.array_equal(found["elpd_i"][~says], pointwise[0, 0, ~says])  # nothing that a parameter could change
    assert np.array_equal(found["elpd_i"][:10], found["elpd_i"][10:20])
