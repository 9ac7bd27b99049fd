"""Bad debt: some orders are never paid; the chance is the customer's own (`beta_binomial`).

`billed` counts the purchases that are old enough to tell and were not sent back, `unpaid` those written off.
"""

from __future__ import annotations

from clvmodels.models.costs.beta_binomial import BetaBinomial
from clvmodels.models.prior import Prior

beta_binomial_bad_debt = BetaBinomial(
    "beta_binomial_bad_debt",
    "Beta-binomial bad debt",
    "bad_debt",
    ("billed", "unpaid"),
    Prior("Beta", {"alpha": 1.0, "beta": 19.0}),
    "chance that an order is never paid",
)
