"""From a log density to draws: the mode, importance sampling around it, NUTS, maximum likelihood, and their checks.

Nothing here knows a model: every function takes a `Target`, a smooth log density over a flat unconstrained vector.
"""

from __future__ import annotations

from clvmodels.inference.checks import Check, laplace_checks, nuts_checks
from clvmodels.inference.laplace import LaplaceDraws, LaplaceRefused, laplace
from clvmodels.inference.mle import MleResult, mle
from clvmodels.inference.mode import Mode, find_mode
from clvmodels.inference.nuts import NutsDraws, nuts
from clvmodels.inference.target import Target

__all__ = [
    "Check",
    "LaplaceDraws",
    "LaplaceRefused",
    "MleResult",
    "Mode",
    "NutsDraws",
    "Target",
    "find_mode",
    "laplace",
    "laplace_checks",
    "mle",
    "nuts",
    "nuts_checks",
]
