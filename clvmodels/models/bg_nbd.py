"""BG/NBD: Poisson purchases; after each repeat purchase the customer may leave.

The story: while active, a customer buys at rate lambda ~ Gamma(r, alpha). After every repeat purchase a coin falls
with probability p ~ Beta(a, b), and the customer never buys again. So a customer without a repeat purchase is alive
for sure, and one who has left did so right after the last purchase. Of a customer's (x, t_x, T),

    alive:  g(T)   B(a, b + x) / B(a, b)
    ended:  g(t_x) B(a + 1, b + x - 1) / B(a, b)          (x > 0)
    g(tau) = Gamma(r + x) / Gamma(r) alpha^r / (alpha + tau)^(r + x)

Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), eq. 6 (the likelihood)
and eq. 10 (the expected purchases).
"""

from __future__ import annotations

from clvmodels.models.compose import Composed
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.densities.histories import erlang_gamma_until_coin
from clvmodels.models.parts.beta_coin import BetaCoin
from clvmodels.models.parts.poisson_gamma import PoissonGamma

bg_nbd = Composed(
    name="bg_nbd",
    title="BG/NBD",
    reference="Fader, Hardie & Lee (2005), Marketing Science 24(2), eq. 6",
    purchases=PoissonGamma(),
    lifetime=BetaCoin(first=False),
    kernel=Kernel(erlang_gamma_until_coin, (1, 0)),
)
