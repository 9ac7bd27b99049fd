"""GG/NBD: Poisson purchases; the customer leaves by the clock, at a hazard that grows.

The story: while active, a customer buys at rate lambda ~ Gamma(r, alpha); the lifetime is Gompertz with hazard
b eta e^(b t), eta ~ Gamma(s, beta). Of a customer's (x, t_x, T),

    alive:  g(T) S(T)
    ended:  integral over tau from t_x to T of g(tau) f(tau)
    g(tau) = Gamma(r + x) / Gamma(r) alpha^r / (alpha + tau)^(r + x)
    S(t) = (beta / (beta - 1 + e^(b t)))^s,  f(t) = b s e^(b t) / (beta - 1 + e^(b t)) S(t)

    E[purchases in (T, T + t] | alive] = (r + x) / (alpha + T) integral over u from 0 to t of S(T + u) / S(T)

Customers may leave the more likely the longer they have been there (beta > 1), which Pareto/NBD does not allow. It
holds Pareto/NBD as its limit: b -> 0 with beta / b fixed. Where the data say no more than that, b and beta go there,
and only their ratio is known.

Bemmaor & Glady (2012), Modeling Purchasing Behavior with Sudden "Death", Management Science 58(5), eq. 3 to 10.
"""

from __future__ import annotations

from clvmodels.models.compose import Composed
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.densities.histories import poisson_gamma_until_gompertz_gamma
from clvmodels.models.parts.gompertz_gamma import GompertzGamma
from clvmodels.models.parts.poisson_gamma import PoissonGamma

gg_nbd = Composed(
    name="gg_nbd",
    title="GG/NBD",
    reference="Bemmaor & Glady (2012), Management Science 58(5)",
    purchases=PoissonGamma(),
    lifetime=GompertzGamma(),
    kernel=Kernel(poisson_gamma_until_gompertz_gamma),
)
