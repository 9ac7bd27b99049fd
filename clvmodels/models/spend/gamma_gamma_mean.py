"""Gamma-Gamma as the literature fits it: the density of the mean of a customer's amounts.

The story is that of `gamma_gamma`: amounts are Gamma(p, nu), nu ~ Gamma(q, v). Of x repeat purchases with mean m_x,

    f(m_x | x) = Gamma(p x + q) / (Gamma(p x) Gamma(q)) v^q m_x^(p x - 1) x^(p x) / (v + x m_x)^(p x + q)
    E[amount | x, m_x] = p (v + x m_x) / (p x + q - 1)

It can be fitted to an RFM table (frequency, monetary_value), where the individual amounts are not known. Its density
is of other data than that of models of the amounts, so that log likelihoods and elpd do not compare with theirs; and
p is learnt from how the means of light and heavy buyers differ, not from how each customer's amounts do.

Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4); Fader & Hardie (2013), The Gamma-Gamma
Model of Monetary Value, eq. 1a to 5. Their third parameter, gamma, is v here.
"""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.contract import SpendModel
from clvmodels.models.densities import amounts as loops
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.parameters import Graph, Rows, Theta
from clvmodels.models.spend.gamma_gamma import GammaGamma, gamma_gamma, log_density_of_mean


class GammaGammaMean(GammaGamma):
    """See the module's text."""

    name = "gamma_gamma_mean"
    title = "Gamma-Gamma on means"
    reference = "Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value, eq. 1a"
    observes = ("frequency", "monetary_value")
    conditions_on = observes
    kernel = Kernel(loops.gamma_gamma, (0, 0))
    density_of = "means"

    @property
    def of_amounts(self) -> SpendModel:
        """The story is that of individual amounts."""
        return gamma_gamma

    @property
    def of_paid(self) -> SpendModel:
        """The mean of the purchases that brought money: `monetary_value` is that of all."""
        return _mean_of_paid

    def log_prob(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log f(m_x | x); 0 where nothing was bought again or for nothing. [R]"""
        paid = pt.gt(rows["frequency"], 0) & pt.gt(rows["monetary_value"], 0)
        # one amount of 1 in place of none, before the logs: no gradient is infinite times 0
        x = pt.switch(paid, rows["frequency"], 1.0)
        m = pt.switch(paid, rows["monetary_value"], 1.0)
        return pt.switch(paid, log_density_of_mean(x, x * m, theta), 0.0)

    def amounts(self, rows: Rows[Array]) -> tuple[Array, Array]:
        """x and x m_x, both 0 where no repeat purchase had an amount. [C] each"""
        x, m = np.asarray(rows["frequency"]), np.asarray(rows["monetary_value"])
        return np.where(m > 0, x, 0.0), x * m


class MeanOfPaid(GammaGammaMean):
    """The same of the number and the sum of those purchases that brought money."""

    observes = ("amount_count", "amount_sum")
    conditions_on = observes
    kernel = Kernel(loops.gamma_gamma, (2, 0))

    def log_prob(self, rows: Rows[Graph], theta: Theta[Graph]) -> Graph:
        """log f(s / n | n); 0 where nothing was bought again or for nothing. [R]"""
        paid = pt.gt(rows["amount_count"], 0)
        n = pt.switch(paid, rows["amount_count"], 1.0)
        total = pt.switch(paid, rows["amount_sum"], 1.0)
        return pt.switch(paid, log_density_of_mean(n, total, theta), 0.0)

    def amounts(self, rows: Rows[Array]) -> tuple[Array, Array]:
        """n and s, both 0 where no repeat purchase had an amount. [C] each"""
        return np.asarray(rows["amount_count"]), np.asarray(rows["amount_sum"])


gamma_gamma_mean = GammaGammaMean()
_mean_of_paid = MeanOfPaid()
