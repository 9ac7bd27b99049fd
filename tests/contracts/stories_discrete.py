"""What the models that count opportunities say of one individual; see `stories`."""

from __future__ import annotations

import numpy as np
from contracts.stories import PurchaseStory
from scipy import special, stats


class OpportunityStory(PurchaseStory):
    """Opportunities 1 to T; before each the customer may leave. `stays(own, i, age)` is P(takes part in i more)."""

    end = "residual_lifetime"

    def stays(self, own, i, age=0):
        raise NotImplementedError

    def buys(self, own):
        """The chance to buy at an opportunity, of one who has not left."""
        raise NotImplementedError

    def seen(self, row, own, i):
        """log P(the purchases, at i opportunities that the customer took part in)."""
        return special.xlogy(row["frequency"], self.buys(own)) + special.xlog1py(i - row["frequency"], -self.buys(own))

    def alive(self, row, own):
        with np.errstate(divide="ignore"):
            return self.seen(row, own, row["T"]) + np.log(self.stays(own, row["T"]))

    def ended(self, row, own):
        total = np.full(np.broadcast(*own.values()).shape, -np.inf)
        for i in range(int(row["recency"]), int(row["T"])):
            with np.errstate(divide="ignore"):
                total = np.logaddexp(
                    total, self.seen(row, own, i) + np.log(self.stays(own, i) - self.stays(own, i + 1))
                )
        return total

    def expected_after(self, row, own, t):
        return self.buys(own) * sum(self.stays(own, k, row["T"]) for k in range(1, int(t) + 1))

    def lasts(self, own, t):
        return self.stays(own, int(t) + 1)

    def strings(self, x, t_x):
        """Strings that share their statistics: where the purchases before the last fell."""
        return np.where(x > 0, special.comb(t_x - 1, x - 1), 1.0)

    def histories(self, T):
        """All that there may be: (x, t_x)."""
        return [(0, 0), *((x, t_x) for t_x in range(1, T + 1) for x in range(1, t_x + 1))]


class BGBB(OpportunityStory):
    """p ~ Beta(alpha, beta), theta ~ Beta(gamma, delta)."""

    step, tail = 0.1, 1e-14

    def individual(self, theta):
        return {
            "purchase_rate": stats.beta(theta["alpha"], theta["beta"]),
            "dropout_probability": stats.beta(theta["gamma"], theta["delta"]),
        }

    def stays(self, own, i, age=0):
        return (1.0 - own["dropout_probability"]) ** i

    def buys(self, own):
        return own["purchase_rate"]


class BB(BGBB):
    """Nobody leaves."""

    def individual(self, theta):
        return {"purchase_rate": stats.beta(theta["alpha"], theta["beta"])}

    def stays(self, own, i, age=0):
        return np.ones_like(own["purchase_rate"])


class SBG(OpportunityStory):
    """theta ~ Beta(alpha, beta); renews at every opportunity until it leaves."""

    def individual(self, theta):
        self.c = theta.get("c", 1.0)
        return {"dropout_probability": stats.beta(theta["alpha"], theta["beta"])}

    def stays(self, own, i, age=0):
        return np.exp((float(age + i) ** self.c - float(age) ** self.c) * np.log1p(-own["dropout_probability"]))

    def buys(self, own):
        return np.ones_like(own["dropout_probability"])

    def seen(self, row, own, i):
        return np.full_like(own["dropout_probability"], 0.0 if i == row["frequency"] else -np.inf)

    def histories(self, T):
        return [(x, x) for x in range(T + 1)]

    def strings(self, x, t_x):
        return np.ones_like(x)


class BdW(SBG):
    """The same with a Weibull's clock: stays i opportunities with probability (1 - theta)^(i^c)."""
