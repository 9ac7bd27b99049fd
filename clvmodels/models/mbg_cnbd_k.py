"""MBG/CNBD-k: regular purchases, Erlang-k; the customer may leave after each purchase, the first too.

As BG/CNBD-k, but the coin is tossed after the first purchase too: a customer without a repeat purchase may have left at
once. With x + 1 coins tossed, of a customer's x, t_x, T and the sum of the log gaps,

    alive:  g(T)   B(a, b + x + 1) / B(a, b)
    ended:  g(t_x) B(a + 1, b + x) / B(a, b)

with g(tau) of `erlang_gamma.py`. k is no parameter but an option, `mbg_cnbd_k.given(k=3)`; with k = 1 this is MBG/NBD.

Reutterer, Platzer & Schroeder (2021), Leveraging purchase regularity for predicting customer behavior the easy way,
International Journal of Research in Marketing 38(1); parameters as in their package BTYDplus, where alpha is of the
rate of stages.
"""

from __future__ import annotations

from clvmodels.models.cnbd_k import CNBDk

mbg_cnbd_k = CNBDk(
    name="mbg_cnbd_k",
    family="MBG/CNBD",
    reference="Reutterer, Platzer & Schroeder (2021), International Journal of Research in Marketing 38(1)",
    first=True,
    k=2,
)
