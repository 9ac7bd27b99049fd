"""How well a posterior of spend foretells the amounts that came after its data.

Given the parameters a customer's later amounts have the density

    f(later | earlier) = f(earlier and later) / f(earlier),

two densities that every model of individual amounts writes already, here averaged over the posterior's draws. Purchases
and amounts are independent given the parameters, and so are their posteriors: the probability of the number of later
purchases times this density is the density of both together.

Shapes: D = draw, C = customer_id.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from clvmodels.draws import Array, blocks
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.unique_rows import numbers
from clvmodels.models import SpendModel
from clvmodels.models.evaluate import log_prob
from clvmodels.models.parameters import Rows, Theta


def log_density_of_later(
    posterior: Posterior[SpendModel], earlier: pd.DataFrame, later: pd.DataFrame, draws: int
) -> pd.Series | None:
    """Log density of each customer's amounts after the posterior's data, given those in it; and of which purchases
    brought money, where the model tells that.

    0 for customers of whom nothing came since that the model tells of. Amounts are in the data's unit: in another one
    all densities of a data set move by the same constant.

    Parameters
    ----------
    earlier
        The customers at the end of the posterior's data.
    later
        The same and perhaps others, with what they bought since.

    Returns
    -------
    By customer_id, in the order of `earlier`; None where the model tells of means alone.
    """
    model = posterior.model.of_amounts
    if model is None:
        return None
    later = later.loc[earlier.index]
    observes = list(model.observes)
    has_more = (later[observes] != earlier[observes]).any(axis=1).to_numpy()
    before, after = earlier[has_more], later[has_more]
    densities = np.zeros(len(earlier))
    densities[has_more] = _log_densities(posterior, model, before, after, draws)
    return pd.Series(densities, earlier.index)


def _log_densities(
    posterior: Posterior[SpendModel], model: SpendModel, before: pd.DataFrame, after: pd.DataFrame, draws: int
) -> Array:
    """log of the mean over draws of f(before and after) / f(before). [C]"""
    log_densities = np.empty(len(before))
    for block in blocks(len(before), draws, 1):
        theta = posterior.theta(before.iloc[block], draws)
        together = _log_prob(model, after.iloc[block], theta)
        alone = _log_prob(model, before.iloc[block], theta)
        log_densities[block] = logsumexp(together - alone, axis=0) - np.log(len(together))
    return log_densities


def _log_prob(model: SpendModel, table: pd.DataFrame, theta: Theta[Array]) -> Array:
    """[D, C]"""
    rows: Rows[Array] = {name: numbers(table, name)[None] for name in model.observes}
    return log_prob(model, rows, theta)
