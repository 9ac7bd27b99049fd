"""BG/CNBD-k: regular purchases, Erlang-k; after each repeat purchase the customer may leave.

The story: while active, a customer passes stages at rate lambda ~ Gamma(r, alpha) and buys at every k-th of them, so
that the gaps between purchases are the more regular the larger k. After every repeat purchase a coin falls with
probability p ~ Beta(a, b), and the customer never buys again. Of a customer's x, t_x, T and the sum of the log gaps,

    alive:  g(T)   B(a, b + x) / B(a, b)
    ended:  g(t_x) B(a + 1, b + x - 1) / B(a, b)          (x > 0)

with g(tau) of `erlang_gamma.py`. A silence much longer than the usual gap tells more of regular buyers than of others.
k is no parameter but an option, `bg_cnbd_k.given(k=3)`; with k = 1 this is BG/NBD.

Reutterer, Platzer & Schroeder (2021), Leveraging purchase regularity for predicting customer behavior the easy way,
International Journal of Research in Marketing 38(1); parameters as in their package BTYDplus, where alpha is of the
rate of stages.
"""

from __future__ import annotations

from clvmodels.models.cnbd_k import CNBDk

bg_cnbd_k = CNBDk(
    name="bg_cnbd_k",
    family="BG/CNBD",
    reference="Reutterer, Platzer & Schroeder (2021), International Journal of Research in Marketing 38(1)",
    first=False,
    k=2,
)
