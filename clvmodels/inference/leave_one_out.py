"""How well a posterior foretells each customer's history from those of the others, without fitting again.

Shapes: D = draw, R = unique rows.
"""

from __future__ import annotations

import warnings

import arviz as az
import numpy as np
import pandas as pd

from clvmodels.customers.table import Customers
from clvmodels.draws import Array
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.refusals import check_covered
from clvmodels.inference.unique_rows import condense
from clvmodels.models.evaluate import log_prob


def loo(posterior: Posterior, customers: Customers) -> pd.DataFrame:
    """PSIS-LOO of each customer: elpd_i and pareto_k, by customer_id.

    Equal histories are evaluated once; each customer of a row has the row's value.

    Raises
    ------
    DataError
        Customers of days that the model's calendar does not cover.
    """
    table = customers.table
    check_covered(posterior.model, table)
    condensed = condense(table, posterior.model.observes, posterior.effects)
    rows = {name: values[None] for name, values in condensed.rows.items()}
    log_likelihood = log_prob(posterior.model, rows, posterior.theta(table.iloc[condensed.first]))
    elpd, pareto_k = _scores(log_likelihood, posterior.data["posterior"].sizes["chain"])
    columns = {"elpd_i": elpd[condensed.inverse], "pareto_k": pareto_k[condensed.inverse]}
    return pd.DataFrame(columns, index=table.index)


def _scores(log_likelihood: Array, chains: int) -> tuple[Array, Array]:
    """elpd and Pareto k [R] each, from log likelihoods [D, R]."""
    varies = np.ptp(log_likelihood, axis=0) > 0.0
    # A history that no parameter changes (bought first on the last day) is its own score; PSIS has no tail to smooth.
    elpd = log_likelihood[0].copy()
    pareto_k = np.full(len(elpd), -np.inf)
    if varies.any():
        by_chain = log_likelihood.reshape(chains, -1, len(elpd))
        # ArviZ wants a posterior in the tree, whatever it holds.
        contents = {"posterior": {"any": by_chain[..., 0]}, "log_likelihood": {"history": by_chain[..., varies]}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a high pareto_k is returned, and is a check of the report
            pointwise = az.loo(az.from_dict(contents), pointwise=True)
        elpd[varies], pareto_k[varies] = pointwise.elpd_i.to_numpy(), pointwise.pareto_k.to_numpy()
    return elpd, pareto_k
