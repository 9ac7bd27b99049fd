"""MBG/NBD: as BG/NBD, with the coin tossed after the first purchase too.

The story: while active, a customer buys at rate lambda ~ Gamma(r, alpha). After every purchase, the first included, a
coin falls with probability p ~ Beta(a, b), and the customer never buys again. So one without a repeat purchase may be
gone at once, where BG/NBD has them alive for sure. Of a customer's (x, t_x, T),

    alive:  g(T)   B(a, b + x + 1) / B(a, b)
    ended:  g(t_x) B(a + 1, b + x) / B(a, b)
    g(tau) = Gamma(r + x) / Gamma(r) alpha^r / (alpha + tau)^(r + x)

A new customer is still there after the first purchase with probability b / (a + b).

Batislam, Denizel & Filiztekin (2007), International Journal of Research in Marketing 24(3), eq. 4, and Hoppe & Wagner
(2007), Marketing - Journal of Research and Management 3(2): found twice in one year, elsewhere called CBG/NBD.
"""

from __future__ import annotations

from clvmodels.models.compose import Composed
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.densities.histories import erlang_gamma_until_coin
from clvmodels.models.parts.beta_coin import BetaCoin
from clvmodels.models.parts.poisson_gamma import PoissonGamma

mbg_nbd = Composed(
    name="mbg_nbd",
    title="MBG/NBD",
    reference="Batislam, Denizel & Filiztekin (2007), International Journal of Research in Marketing 24(3)",
    purchases=PoissonGamma(),
    lifetime=BetaCoin(first=True),
    kernel=Kernel(erlang_gamma_until_coin, (1, 1)),
)
