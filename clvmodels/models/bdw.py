"""Beta-discrete-Weibull (BdW): a contract whose holder's own chance of ending it changes with its age.

The story: as in the shifted beta-geometric, with theta ~ Beta(alpha, beta), but a customer is still there after t
renewals with probability (1 - theta)^(t^c): for c < 1 habit sets in, for c > 1 fatigue. Of a customer that renewed x
times at n opportunities, with S(t) = B(alpha, beta + t^c) / B(alpha, beta),

    alive (x = n):  S(n),            ended (x < n):  S(x) - S(x + 1).

Where retention rises faster or slower than the differences between customers explain, c tells; c = 1 is the sBG.

Fader, Hardie, Liu, Davin & Steenburgh (2018), "How to Project Customer Retention" Revisited: The Role of Duration
Dependence, Journal of Interactive Marketing 43.
"""

from __future__ import annotations

from clvmodels.models.discrete import Discrete
from clvmodels.models.parts.beta_bernoulli import EveryTime
from clvmodels.models.parts.beta_discrete_weibull import BetaDiscreteWeibull

bdw = Discrete(
    name="bdw",
    title="BdW",
    reference="Fader, Hardie, Liu, Davin & Steenburgh (2018), Journal of Interactive Marketing 43",
    chances=EveryTime(),
    lifetime=BetaDiscreteWeibull(),
)
