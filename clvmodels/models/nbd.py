"""NBD: Poisson purchases for ever.

The story: a customer buys at rate lambda ~ Gamma(r, alpha), and nobody leaves. Of a customer's (x, t_x, T),

    alive:  Gamma(r + x) / Gamma(r) alpha^r / (alpha + T)^(r + x)

    E[purchases in (T, T + t]] = (r + x) / (alpha + T) t

Here counts are negative binomial, hence the name. It is the yardstick of the models in which customers leave.

Ehrenberg (1959), The Pattern of Consumer Purchases, Applied Statistics 8(1); the density of the purchase times and
the conditional expectation as in Morrison & Schmittlein (1988), Journal of Business & Economic Statistics 6(2).
"""

from __future__ import annotations

from clvmodels.models.compose import Composed
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.densities.histories import poisson_gamma_without_end
from clvmodels.models.parts.no_end import NoEnd
from clvmodels.models.parts.poisson_gamma import PoissonGamma

nbd = Composed(
    name="nbd",
    title="NBD",
    reference="Ehrenberg (1959), Applied Statistics 8(1)",
    purchases=PoissonGamma(),
    lifetime=NoEnd(),
    kernel=Kernel(poisson_gamma_without_end),
)
