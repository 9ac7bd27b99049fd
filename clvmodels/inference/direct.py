"""The posterior density of a model without effects, by its kernel and its priors' own formulas: no graph is built.

Shapes: R = unique rows, N = points, K = coordinates, one a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clvmodels.draws import Array
from clvmodels.models.contract import Model
from clvmodels.models.densities.evaluation import Kernel, as_rows
from clvmodels.models.prior import Prior
from clvmodels.models.prior_formulas import log_density


class DirectDensity:
    """The log density of free coordinates (`Parameter`) given weighted rows, which can be exchanged.

    Parameters
    ----------
    priors, factors
        Of each parameter, and how many of the fit's units make one of the prior's (`prior.unit_factor`); no priors for
        a likelihood alone.
    """

    def __init__(self, model: Model, kernel: Kernel, priors: Mapping[str, Prior], factors: Mapping[str, float]):
        self.model, self.kernel = model, kernel
        self.priors, self.factors = priors, factors
        self.release_data()

    def set_data(self, rows: Mapping[str, Array], weights: Array) -> None:
        """Exchange the customers."""
        self.rows, self.weights = as_rows([rows[name] for name in self.model.observes]), weights

    def release_data(self) -> None:
        """Forget the customers."""
        self.rows, self.weights = np.empty((0, len(self.model.observes))), np.empty(0)

    def values(self, u: Array) -> Array:
        """The log density at each row of u [N, K]. [N]"""
        with np.errstate(all="ignore"):  # far out, numbers overflow: the value is then minus infinity or no number
            log_prior = np.zeros(len(u))
            theta = np.empty(u.shape)
            for k, parameter in enumerate(self.model.parameters):
                stated = parameter.stated(u[:, k])
                theta[:, k] = parameter.value(stated)
                if parameter.name in self.priors:
                    of_stated, _ = self._prior(parameter.name, stated)
                    log_prior += of_stated + parameter.log_jacobian(u[:, k], stated)
            return log_prior + self.kernel.totals(self.rows, self.weights, theta)

    def value_and_grad(self, u: Array) -> tuple[float, Array]:
        """The log density at u [K] and its gradient [K]."""
        with np.errstate(all="ignore"):
            log_prior = np.zeros(())
            grad_of_prior, theta, theta_by_free = np.zeros((3, len(u)))
            for k, parameter in enumerate(self.model.parameters):
                stated = parameter.stated(u[k])
                theta[k] = parameter.value(stated)
                stated_by_free, theta_by_free[k], jacobian_by_free = parameter.slopes(stated)
                if parameter.name in self.priors:
                    of_stated, slope = self._prior(parameter.name, stated)
                    log_prior = log_prior + of_stated + parameter.log_jacobian(u[k], stated)
                    grad_of_prior[k] = slope * stated_by_free + jacobian_by_free
            total, by_theta = self.kernel.total_with_slopes(self.rows, self.weights, theta)
            return float(log_prior + total), grad_of_prior + by_theta * theta_by_free

    def _prior(self, name: str, stated: Array) -> tuple[Array, Array]:
        return log_density(self.priors[name], stated, self.factors[name])


def direct_density(
    model: Model, priors: Mapping[str, Prior], factors: Mapping[str, float], with_prior: bool
) -> DirectDensity | None:
    """The density without a graph, of a model that has a kernel."""
    if model.kernel is None:
        return None
    return DirectDensity(model, model.kernel, priors if with_prior else {}, factors)
