"""Beta-Bernoulli: purchases at opportunities, and nobody leaves; what the NBD is in continuous time.

The story: a customer buys at each opportunity with chance p ~ Beta(alpha, beta), for ever. Of x purchases at given ones
of n opportunities,

    B(alpha + x, beta + n - x) / B(alpha, beta).

It is the beta-binomial without its binomial coefficient, and BG/BB's limit where nobody leaves: what leaving adds to a
forecast is seen beside it. Fader, Hardie & Shang (2010), Marketing Science 29(6), eq. 6 with theta = 0.
"""

from __future__ import annotations

from clvmodels.models.discrete import Discrete
from clvmodels.models.parts.beta_bernoulli import BetaBernoulli
from clvmodels.models.parts.beta_geometric import NobodyLeaves

bb = Discrete(
    name="bb",
    title="Beta-Bernoulli",
    reference="Fader, Hardie & Shang (2010), Marketing Science 29(6), eq. 6 with theta = 0",
    chances=BetaBernoulli(),
    lifetime=NobodyLeaves(),
)
