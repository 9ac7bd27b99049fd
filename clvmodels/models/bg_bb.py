"""BG/BB: purchases at opportunities (a year's appeal, a monthly issue); before each one the customer may leave.

The story: while active, a customer buys at each opportunity with chance p ~ Beta(alpha, beta). At the beginning of
each, the customer leaves with chance theta ~ Beta(gamma, delta) and never buys again. Of x purchases at given ones of n
opportunities, the last at t_x,

    alive:  B(alpha + x, beta + n - x) / B(alpha, beta)  B(gamma, delta + n) / B(gamma, delta)
    ended:  sum over i = t_x to n - 1 of
            B(alpha + x, beta + i - x) / B(alpha, beta)  B(gamma + 1, delta + i) / B(gamma, delta)

"Alive" means at opportunity n, the last one seen; the paper's P(alive) is of n + 1, before which one more may leave.

Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing Science 29(6),
eq. 6 (the likelihood), eq. 14 (discounted expected residual transactions).
"""

from __future__ import annotations

from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.densities.opportunities import beta_bernoulli_until_beta_geometric
from clvmodels.models.discrete import Discrete
from clvmodels.models.parts.beta_bernoulli import BetaBernoulli
from clvmodels.models.parts.beta_geometric import BetaGeometric

bg_bb = Discrete(
    name="bg_bb",
    title="BG/BB",
    reference="Fader, Hardie & Shang (2010), Marketing Science 29(6), eq. 6",
    chances=BetaBernoulli(),
    lifetime=BetaGeometric(("gamma", "delta")),
    kernel=Kernel(beta_bernoulli_until_beta_geometric),
)
