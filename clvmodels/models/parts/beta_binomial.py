"""Beta-binomial: events of purchases whose chance is the customer's own, and beta between customers."""

from __future__ import annotations

import pytensor.tensor as pt

from clvmodels.models.parameters import Graph
from clvmodels.models.parts.beta_ratio import log_beta_ratio


def log_beta_binomial(k: Graph, n: Graph, mu: Graph, phi: Graph) -> Graph:
    """log of B(mu phi + k, (1 - mu) phi + n - k) / B(mu phi, (1 - mu) phi), as E[p^k] E[(1 - p)^(n - k) | k events]."""
    a, b = mu * phi, (1.0 - mu) * phi
    return log_beta_ratio(b, a, k, pt) + log_beta_ratio(a + k, b, n - k, pt)
