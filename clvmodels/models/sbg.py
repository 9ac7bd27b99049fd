"""Shifted beta-geometric (sBG): a contract that is renewed at each opportunity or ends for good.

The story: a customer does not renew with chance theta ~ Beta(alpha, beta), the same each time. Those who are likely to
leave do so first: the retention rate of a cohort rises with its age although nobody's own does. Of a customer that
renewed x times at n opportunities,

    alive (x = n):  B(alpha, beta + n) / B(alpha, beta)
    ended (x < n):  B(alpha + 1, beta + x) / B(alpha, beta)

Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1), eq. 5 and 6 (their
opportunity 1 is the first renewal). Discounted expected residual lifetime: Fader & Hardie (2010), Customer-Base
Valuation in a Contractual Setting, Marketing Science 29(1).
"""

from __future__ import annotations

from clvmodels.models.discrete import Discrete
from clvmodels.models.parts.beta_bernoulli import EveryTime
from clvmodels.models.parts.beta_geometric import BetaGeometric

sbg = Discrete(
    name="sbg",
    title="sBG",
    reference="Fader & Hardie (2007), Journal of Interactive Marketing 21(1), eq. 5 and 6",
    chances=EveryTime(),
    lifetime=BetaGeometric(("alpha", "beta")),
)
