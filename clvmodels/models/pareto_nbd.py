"""Pareto/NBD: Poisson purchases; the customer leaves at an unseen moment, by the clock.

The story: while active, a customer buys at rate lambda ~ Gamma(r, alpha); the lifetime is exponential with hazard
mu ~ Gamma(s, beta). Of a customer's (x, t_x, T),

    alive:  g(T) S(T)
    ended:  integral over tau from t_x to T of g(tau) f(tau)
    g(tau) = Gamma(r + x) / Gamma(r) alpha^r / (alpha + tau)^(r + x)
    S(t) = (beta / (beta + t))^s,  f(t) = s / (beta + t) S(t)

    E[purchases in (T, T + t] | alive]
        = (r + x)(beta + T) / ((alpha + T)(s - 1)) (1 - ((beta + T) / (beta + T + t))^(s - 1))

Schmittlein, Morrison & Colombo (1987), Counting Your Customers, Management Science 33(1), eq. 11 and 22; the
integral in place of its hypergeometric functions as in Fader & Hardie (2005), A Note on Deriving the Pareto/NBD.
"""

from __future__ import annotations

from clvmodels.models.compose import Composed
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.densities.histories import poisson_gamma_until_exponential_gamma
from clvmodels.models.parts.exponential_gamma import ExponentialGamma
from clvmodels.models.parts.poisson_gamma import PoissonGamma

pareto_nbd = Composed(
    name="pareto_nbd",
    title="Pareto/NBD",
    reference="Schmittlein, Morrison & Colombo (1987), Management Science 33(1)",
    purchases=PoissonGamma(),
    lifetime=ExponentialGamma(),
    kernel=Kernel(poisson_gamma_until_exponential_gamma),
)
